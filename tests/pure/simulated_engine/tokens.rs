//! A record's token: what has it right now is not taken for lost, and one that GitLab does not take
//! any more is not used again, wherever it is found.

use std::path::PathBuf;

use autogit::apply::{ApplyError, Effect};
use autogit::engine::Engine;
use autogit::gitlab::GitlabError;
use autogit::plan::{Action, Rule};
use autogit::reconcile::{Controller, Tick};
use autogit::sandbox::engine::Hiding;
use autogit::sandbox::gitlab::{Down, WaitsFor};
use autogit::spec::{Arch, Credential, InstanceName, PoolName, Warm};
use autogit::tokens::Tokens;
use autogit::view::SpecInfo;
use autogit::world::{Leftover, Origin, RecordId, Token, Variant, World};
use secrecy::{ExposeSecret, SecretString};

use crate::simulated_engine::fixture::{Fixture, linux, planned, record, token};

const VERIFY: &str = "POST /runners/verify";
const WARM: &str = "{linux: {tags: [docker], max: 3, warm: 1}}";
const COLD: &str = "{linux: {tags: [docker], max: 3}}";
/// Longer than a runner may take to make contact.
const TOO_LONG: u64 = 180;

/// After a restart: a record whose token is nowhere.
async fn lost_token() -> (Fixture, World, RecordId) {
    let mut fixture = Fixture::new(COLD);
    fixture.tick().await;
    fixture.grow_old().await;
    fixture.restart();
    let world = fixture.look().await;
    assert_eq!(token(&world), Token::Lost);
    let id = record(&world).id;
    (fixture, world, id)
}

fn is_record(action: &Action) -> bool {
    matches!(action, Action::CreateRecord { .. })
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_renamed_and_that_nobody_knows_any_more_is_named_beside_the_new_one() {
    let (mut fixture, _, old) = lost_token().await;
    fixture.gitlab.rename_record(old, "annas runner");
    fixture.restart();
    let mut controller = fixture.another();
    controller.tick().await;
    let view = controller.tick().await.view;
    let notices = view.notices.join("\n");
    let words = format!("record {old} has this AutoGit's mark and is called `annas runner`");
    assert!(notices.contains(&words), "{notices}");
    assert!(record(&view.world).id != old && fixture.gitlab.record(old).is_some());
    fixture.gitlab.delete_record_by_hand(old);
    assert_eq!(controller.tick().await.view.notices, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_a_former_instance_left_is_told_with_what_to_do() {
    let (mut fixture, _, old) = lost_token().await;
    fixture.gitlab.rename_record(old, "autogit/former/linux-amd64");
    fixture.restart();
    let mut controller = fixture.another();
    let view = controller.tick().await.view;
    let notices = view.notices.join("\n");
    let words = format!("instance `former` has records {old} of our hosts; none of its");
    assert!(notices.contains(&words), "{notices}");
    assert!(notices.contains("hint: if this AutoGit was called so before, set `instance`"));
    assert!(fixture.gitlab.record(old).is_some());
    fixture.gitlab.delete_record_by_hand(old);
    assert_eq!(controller.tick().await.view.notices, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_runs_under_another_instances_name_is_not_offered_as_left_over() {
    let mut fixture = Fixture::new(WARM);
    fixture.tick().await;
    fixture.pass(20).await;
    let (other, runner) = (record(&fixture.look().await).id, fixture.runner().await);
    fixture.gitlab.rename_record(other, "autogit/other/linux-amd64");
    fixture.engine().hide(&runner.id, Hiding::Wholly).unwrap();
    fixture.restart();
    let mut controller = fixture.another();
    assert_eq!(controller.tick().await.view.notices, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_renamed_and_is_known_is_no_news() {
    let mut fixture = Fixture::new(WARM);
    fixture.tick().await;
    fixture.pass(20).await;
    let id = record(&fixture.look().await).id;
    fixture.gitlab.rename_record(id, "annas runner");
    fixture.restart();
    for _ in 0..3 {
        assert_eq!(record(&fixture.look().await).id, id);
        assert_eq!(fixture.ports.gitlab.renamed(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_nobody_uses_goes_when_a_new_one_is_made() {
    let (mut fixture, world, lost) = lost_token().await;
    let outcomes = fixture.apply(&world, planned(&world, is_record)).await;
    assert!(matches!(outcomes[0].result, Ok(Effect::Recorded(id)) if id != lost));
    assert_eq!(fixture.gitlab.record(lost), None);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_a_container_has_by_now_makes_a_new_record_needless() {
    let (mut fixture, world, lost) = lost_token().await;
    fixture.create(&fixture.first_slot(&world), lost).await;
    let outcomes = fixture.apply(&world, planned(&world, is_record)).await;
    assert!(matches!(outcomes[0].result, Ok(Effect::Skipped(_))), "{outcomes:?}");
    assert!(fixture.gitlab.record(lost).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_record_stays_where_a_host_does_not_tell_whether_it_is_used() {
    let (mut fixture, world, lost) = lost_token().await;
    let plan = planned(&world, is_record);
    fixture.engine().set_reachable(false);
    let outcomes = fixture.apply(&world, plan).await;
    assert!(matches!(outcomes[0].result, Ok(Effect::Recorded(id)) if id != lost));
    assert!(fixture.gitlab.record(lost).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_a_container_was_seen_with_stays_though_a_list_lacks_the_container() {
    let (mut fixture, world, lost) = lost_token().await;
    let slot = fixture.first_slot(&world);
    let container = fixture.create_with(&slot, lost, String::new().into()).await;
    let world = fixture.look().await;
    let plan = planned(&world, is_record);
    fixture.engine().remove_by_hand(&container).unwrap();
    let outcomes = fixture.apply(&world, plan).await;
    assert!(matches!(outcomes[0].result, Ok(Effect::Recorded(id)) if id != lost));
    assert!(fixture.gitlab.record(lost).is_some());
}

/// A runner that made no contact: with a token that was replaced, or with no way to GitLab.
async fn silent_runner(prepare: impl FnOnce(&mut Fixture, RecordId)) -> Fixture {
    let mut fixture = Fixture::new(COLD);
    fixture.tick().await;
    let id = record(&fixture.look().await).id;
    prepare(&mut fixture, id);
    fixture.change_spec(|spec| spec.pools[0].warm = Warm::Count(1));
    fixture.tick().await;
    fixture.pass(TOO_LONG).await;
    let outcomes = fixture.tick().await;
    let drained = outcomes.iter().filter(|it| it.decision.rule == Rule::DrainFailed);
    assert_eq!(drained.count(), 1, "{outcomes:?}");
    fixture
}

/// New runners are sent where no GitLab is.
fn lead_astray(fixture: &mut Fixture) {
    fixture.change_spec(|spec| "http://elsewhere.sim".clone_into(&mut spec.gitlab.runner_url));
}

#[tokio::test(start_paused = true)]
async fn a_runner_without_contact_shows_that_its_token_was_replaced() {
    let mut fixture = silent_runner(|fixture, id| fixture.gitlab.reset_record_token(id)).await;
    // Its container still has the old token.
    assert_eq!(fixture.runner().await.variant, linux());
    let world = fixture.look().await;
    assert_eq!(token(&world), Token::Lost);
    let plan = planned(&world, is_record);
    let outcomes = fixture.apply(&world, plan).await;
    assert!(matches!(outcomes[0].result, Ok(Effect::Recorded(_))), "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_runner_without_contact_loses_no_token_that_gitlab_takes_and_leaves_no_row() {
    let mut fixture = silent_runner(|fixture, _| lead_astray(fixture)).await;
    assert_eq!(fixture.gitlab.requests().get("POST /api/v4/runners/verify"), Some(&1));
    let world = fixture.look().await;
    assert_eq!(token(&world), Token::AtHand);
    assert!(fixture.rows(record(&world).id).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_gitlab_that_does_not_answer_refuses_no_token() {
    let mut fixture = silent_runner(|fixture, _| lead_astray(fixture)).await;
    let world = fixture.look().await;
    let mut drain = planned(&world, |action| matches!(action, Action::Drain { .. }));
    drain.decisions[0].rule = Rule::DrainFailed;
    fixture.gitlab.set_down(Down::Status(502));
    fixture.apply(&world, drain).await;
    fixture.gitlab.set_down(Down::None);
    assert_eq!(token(&fixture.look().await), Token::AtHand);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_deleted_shows_that_its_token_was_replaced() {
    let mut fixture = Fixture::new(WARM);
    fixture.tick().await;
    fixture.pass(10).await;
    let runner = fixture.runner().await;
    fixture.engine().remove_by_hand(&runner.id).unwrap();
    fixture.gitlab.reset_record_token(runner.record);
    fixture.change_spec(|spec| spec.pools[0].warm = Warm::Count(0));
    let world = fixture.look_twice().await;
    let is_row =
        |action: &Action| matches!(action, Action::Sweep { leftover: Leftover::Manager(..) });
    let outcomes = fixture.apply(&world, planned(&world, is_row)).await;
    let refused = &outcomes[0].result;
    let forbidden = matches!(refused, Err(ApplyError::Gitlab(GitlabError::Forbidden { .. })));
    assert!(forbidden, "{refused:?}");
    assert_eq!(token(&fixture.look().await), Token::Lost);
}

#[tokio::test(start_paused = true)]
async fn another_token_of_the_record_that_a_container_has_is_taken() {
    let mut fixture = silent_runner(|fixture, id| fixture.gitlab.reset_record_token(id)).await;
    let world = fixture.look().await;
    assert_eq!(token(&world), Token::Lost);
    let old = fixture.engine().read_config(&fixture.runner().await.id).await.unwrap();
    let mut known = fixture.gitlab.record_tokens();
    let new = known.remove(0);
    let config = with_token(old.expose_secret(), new.expose_secret());
    let id = record(&world).id;
    fixture.create_with(&fixture.first_slot(&world), id, config).await;
    assert_eq!(token(&fixture.look().await), Token::AtHand);
    assert_eq!(fixture.tokens.find(id).unwrap().expose_secret(), new.expose_secret());
}

/// The config with another token.
fn with_token(config: &str, token: &str) -> SecretString {
    let mut config: toml::Table = config.parse().unwrap();
    config["runners"][0]["token"] = token.into();
    config.to_string().into()
}

const RECORD: RecordId = RecordId(7);

fn found(tokens: &mut Tokens) -> Option<String> {
    tokens.find(RECORD).map(|token| token.expose_secret().to_owned())
}

/// An empty folder, and the file in it that keeps the token of the record.
fn cache(name: &str) -> (PathBuf, PathBuf) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tokens").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    let file = folder.join(InstanceName::standard().as_str()).join("record-7");
    (folder, file)
}

#[test]
fn a_refused_token_is_not_kept_again_and_another_one_is() {
    let (folder, file) = cache("refused");
    let mut tokens = Tokens::new(&InstanceName::standard(), Some(&folder));
    tokens.keep(RECORD, "glrt-old".to_owned().into());
    tokens.refuse(RECORD);
    assert!(found(&mut tokens).is_none() && !file.exists());
    tokens.keep(RECORD, "glrt-old".to_owned().into());
    assert!(found(&mut tokens).is_none() && !file.exists());
    tokens.keep(RECORD, "glrt-new".to_owned().into());
    assert_eq!(found(&mut tokens).unwrap(), "glrt-new");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "glrt-new");
}

#[test]
fn a_refused_token_stays_refused_when_the_cache_moves() {
    let (before, after) = (cache("before").0, cache("after").0);
    let mut tokens = Tokens::new(&InstanceName::standard(), Some(&before));
    tokens.keep(RECORD, "glrt-old".to_owned().into());
    tokens.refuse(RECORD);
    tokens.move_cache(&InstanceName::standard(), Some(&after));
    tokens.keep(RECORD, "glrt-old".to_owned().into());
    assert_eq!(found(&mut tokens), None);
}

#[test]
fn a_token_of_one_record_is_not_refused_for_another() {
    let mut tokens = Tokens::new(&InstanceName::standard(), None);
    tokens.keep(RecordId(8), "glrt-old".to_owned().into());
    tokens.refuse(RecordId(8));
    tokens.keep(RECORD, "glrt-old".to_owned().into());
    assert_eq!(found(&mut tokens).unwrap(), "glrt-old");
}
#[test]
fn a_refused_token_is_not_taken_from_the_cache_again_and_another_one_is() {
    let (folder, file) = cache("found-again");
    let mut tokens = Tokens::new(&InstanceName::standard(), Some(&folder));
    tokens.keep(RECORD, "glrt-old".to_owned().into());
    tokens.refuse(RECORD);
    std::fs::write(&file, "glrt-old\n").unwrap();
    assert_eq!(found(&mut tokens), None);
    std::fs::write(&file, "glrt-new\n").unwrap();
    assert_eq!(found(&mut tokens).unwrap(), "glrt-new");
}

#[tokio::test(start_paused = true)]
async fn a_runner_token_that_gitlab_does_not_take_is_the_pools_reason_and_rests() {
    let mut fixture = Fixture::new("{linux: {tags: [docker], runner_token: glrt-deleted}}");
    fixture.job(WaitsFor::Runner);
    let asked = |fixture: &Fixture| {
        let by = fixture.ports.gitlab.requests_by();
        let verified = by.into_iter().filter(|((endpoint, _), _)| *endpoint == VERIFY);
        verified.map(|(_, count)| count).sum::<u64>()
    };
    let mut controller = fixture.controller().await;
    assert_eq!(asked(&fixture), 0, "who looks asks nobody");
    assert_eq!(controller.tick().await.view.plan.held_jobs[0].hold.as_str(), "unseen");
    for _ in 0..3 {
        let held = controller.tick().await.view.plan.held_jobs[0].clone();
        assert_eq!(held.hold.as_str(), "backing-off");
        assert!(held.to_string().contains("`runner_token` is not usable: "), "{held}");
    }
    assert_eq!(asked(&fixture), 1, "not asked for again before its pause is over");
    fixture.pass(15).await;
    controller.tick().await;
    assert_eq!(asked(&fixture), 2);
}

/// Verifying leaves a row for a moment, so a look does not.
#[tokio::test(start_paused = true)]
async fn a_runner_token_is_verified_once_and_serves_from_the_next_look_on() {
    let mut fixture = Fixture::new("{linux: {tags: [docker], warm: 1}}");
    let (_, token) = fixture.record_by_hand();
    fixture.change_spec(|spec| spec.pools[0].runner_token = Some(Credential::Value(token)));
    let mut controller = fixture.controller().await;
    let rules = |tick: &Tick| {
        let rules = tick.view.plan.decisions.iter().map(|it| it.rule.as_str());
        rules.collect::<Vec<_>>()
    };
    assert_eq!(rules(&controller.tick().await), ["verify-token", "keep-network"]);
    let tick = controller.tick().await;
    assert_eq!(record(&tick.view.world).origin, Origin::Given);
    assert!(rules(&tick).contains(&"keep-warm"));
    // A spec that is read anew does not ask again.
    let info = fixture.info().await;
    controller.reconnect(fixture.ports.clone());
    controller.adopt(info);
    assert!(!rules(&controller.tick().await).contains(&"verify-token"));
}

#[tokio::test(start_paused = true)]
async fn who_only_looks_takes_no_token_for_lost_and_says_that_it_does_not_see_it() {
    let mut fixture = Fixture::new(COLD);
    fixture.tick().await;
    let spec = fixture.look().await.spec.clone();
    let id = record(&fixture.look().await).id;
    let info = SpecInfo {
        source: "autogit.yaml".to_owned(),
        hash: "3f9c1a".to_owned(),
        loaded_at: fixture.clock.now(),
        commit: None,
        pending_fault: None,
        spec,
    };
    let mut fresh = Controller::new(fixture.ports.clone(), fixture.clock.clone(), info.clone());
    let acting = fresh.look().await;
    assert!(acting.plan.decisions.iter().any(|one| is_record(&one.action)), "{:?}", acting.plan);
    let mut looking = Controller::new(fixture.ports.clone(), fixture.clock.clone(), info);
    looking.look_only();
    let view = looking.look().await;
    assert!(!view.plan.decisions.iter().any(|one| is_record(&one.action)), "{:?}", view.plan);
    let unseen = format!("the token of record {id} of `linux/amd64` is not visible from here");
    assert!(view.notices.iter().any(|notice| notice.starts_with(&unseen)), "{:?}", view.notices);
    assert_eq!(view.as_seen().plan_output().notices, view.notices);
    assert_eq!(view.as_seen().status_output().notices, view.notices);
}

#[test]
fn the_cache_keeps_which_variant_a_record_serves_as_long_as_its_token() {
    let (folder, _) = cache("serving");
    let again = || Tokens::new(&InstanceName::standard(), Some(&folder));
    let linux = Variant::new(&PoolName::new("linux").unwrap(), Arch::Arm64);
    let mut tokens = again();
    tokens.keep(RECORD, "glrt-1".to_owned().into());
    tokens.serves(RECORD, &linux);
    assert_eq!(again().serving().get(&RECORD), Some(&linux));
    again().forget(RECORD);
    assert!(again().serving().is_empty());
}
