//! A record's token: what has it right now is not taken for lost, and one that GitLab does not take
//! any more is not used again, wherever it is found.

use std::path::PathBuf;

use autogit::apply::{ApplyError, Effect};
use autogit::engine::Engine;
use autogit::gitlab::GitlabError;
use autogit::plan::{Action, Rule};
use autogit::reconcile::{Controller, Tick};
use autogit::sandbox::gitlab::{Down, WaitsFor};
use autogit::spec::{Arch, Credential, InstanceName, PoolName, Warm};
use autogit::tokens::Tokens;
use autogit::view::SpecInfo;
use autogit::world::{Leftover, Origin, RecordId, Token, Variant, World};
use secrecy::{ExposeSecret, SecretString};

use crate::simulated_engine::scene::{Scene, linux, planned, record, token};

const VERIFY: &str = "POST /runners/verify";
const WARM: &str = "{linux: {tags: [docker], max: 3, warm: 1}}";
const COLD: &str = "{linux: {tags: [docker], max: 3}}";
/// Longer than a runner may take to make contact.
const TOO_LONG: u64 = 180;

/// After a restart: a record whose token is nowhere.
async fn lost_token() -> (Scene, World, RecordId) {
    let mut scene = Scene::new(COLD);
    scene.tick().await;
    scene.grow_old().await;
    scene.restart();
    let world = scene.look().await;
    assert_eq!(token(&world), Token::Lost);
    let id = record(&world).id;
    (scene, world, id)
}

fn is_record(action: &Action) -> bool {
    matches!(action, Action::CreateRecord { .. })
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_renamed_and_that_nobody_knows_any_more_is_named_beside_the_new_one() {
    let (mut scene, _, old) = lost_token().await;
    scene.gitlab.rename_record(old, "annas runner");
    scene.restart();
    let mut controller = scene.another();
    controller.tick().await;
    let view = controller.tick().await.view;
    let notices = view.notices.join("\n");
    let words = format!("registration {old} has this AutoGit's mark and is called `annas runner`");
    assert!(notices.contains(&words), "{notices}");
    assert!(record(&view.world).id != old && scene.gitlab.record(old).is_some());
    scene.gitlab.delete_record_by_hand(old);
    assert_eq!(controller.tick().await.view.notices, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_renamed_and_is_known_is_no_news() {
    let mut scene = Scene::new(WARM);
    scene.tick().await;
    scene.pass(20).await;
    let id = record(&scene.look().await).id;
    scene.gitlab.rename_record(id, "annas runner");
    scene.restart();
    for _ in 0..3 {
        assert_eq!(record(&scene.look().await).id, id);
        assert_eq!(scene.ports.gitlab.renamed(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_nobody_uses_goes_when_a_new_one_is_made() {
    let (mut scene, world, lost) = lost_token().await;
    let outcomes = scene.apply(&world, planned(&world, is_record)).await;
    assert!(matches!(outcomes[0].result, Ok(Effect::Recorded(id)) if id != lost));
    assert_eq!(scene.gitlab.record(lost), None);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_a_container_has_by_now_makes_a_new_record_needless() {
    let (mut scene, world, lost) = lost_token().await;
    scene.create(&scene.first_slot(&world), lost).await;
    let outcomes = scene.apply(&world, planned(&world, is_record)).await;
    assert!(matches!(outcomes[0].result, Ok(Effect::Skipped(_))), "{outcomes:?}");
    assert!(scene.gitlab.record(lost).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_record_stays_where_a_host_does_not_tell_whether_it_is_used() {
    let (mut scene, world, lost) = lost_token().await;
    let plan = planned(&world, is_record);
    scene.engine().set_reachable(false);
    let outcomes = scene.apply(&world, plan).await;
    assert!(matches!(outcomes[0].result, Ok(Effect::Recorded(id)) if id != lost));
    assert!(scene.gitlab.record(lost).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_a_container_was_seen_with_stays_though_a_list_lacks_the_container() {
    let (mut scene, world, lost) = lost_token().await;
    let slot = scene.first_slot(&world);
    let container = scene.create_with(&slot, lost, String::new().into()).await;
    let world = scene.look().await;
    let plan = planned(&world, is_record);
    scene.engine().remove_by_hand(&container).unwrap();
    let outcomes = scene.apply(&world, plan).await;
    assert!(matches!(outcomes[0].result, Ok(Effect::Recorded(id)) if id != lost));
    assert!(scene.gitlab.record(lost).is_some());
}

/// A runner that made no contact: with a token that was replaced, or with no way to GitLab.
async fn silent_runner(prepare: impl FnOnce(&mut Scene, RecordId)) -> Scene {
    let mut scene = Scene::new(COLD);
    scene.tick().await;
    let id = record(&scene.look().await).id;
    prepare(&mut scene, id);
    scene.change_spec(|spec| spec.pools[0].warm = Warm::Count(1));
    scene.tick().await;
    scene.pass(TOO_LONG).await;
    let outcomes = scene.tick().await;
    let drained = outcomes.iter().filter(|it| it.decision.rule == Rule::DrainFailed);
    assert_eq!(drained.count(), 1, "{outcomes:?}");
    scene
}

/// New runners are sent where no GitLab is.
fn lead_astray(scene: &mut Scene) {
    scene.change_spec(|spec| "http://elsewhere.sim".clone_into(&mut spec.gitlab.runner_url));
}

#[tokio::test(start_paused = true)]
async fn a_runner_without_contact_shows_that_its_token_was_replaced() {
    let mut scene = silent_runner(|scene, id| scene.gitlab.reset_record_token(id)).await;
    // Its container still has the old token.
    assert_eq!(scene.runner().await.variant, linux());
    let world = scene.look().await;
    assert_eq!(token(&world), Token::Lost);
    let plan = planned(&world, is_record);
    let outcomes = scene.apply(&world, plan).await;
    assert!(matches!(outcomes[0].result, Ok(Effect::Recorded(_))), "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_runner_without_contact_loses_no_token_that_gitlab_takes_and_leaves_no_row() {
    let mut scene = silent_runner(|scene, _| lead_astray(scene)).await;
    assert_eq!(scene.gitlab.requests().get("POST /api/v4/runners/verify"), Some(&1));
    let world = scene.look().await;
    assert_eq!(token(&world), Token::AtHand);
    assert!(scene.rows(record(&world).id).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_gitlab_that_does_not_answer_refuses_no_token() {
    let mut scene = silent_runner(|scene, _| lead_astray(scene)).await;
    let world = scene.look().await;
    let mut drain = planned(&world, |action| matches!(action, Action::Drain { .. }));
    drain.decisions[0].rule = Rule::DrainFailed;
    scene.gitlab.set_down(Down::Status(502));
    scene.apply(&world, drain).await;
    scene.gitlab.set_down(Down::None);
    assert_eq!(token(&scene.look().await), Token::AtHand);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_deleted_shows_that_its_token_was_replaced() {
    let mut scene = Scene::new(WARM);
    scene.tick().await;
    scene.pass(10).await;
    let runner = scene.runner().await;
    scene.engine().remove_by_hand(&runner.id).unwrap();
    scene.gitlab.reset_record_token(runner.record);
    scene.change_spec(|spec| spec.pools[0].warm = Warm::Count(0));
    let world = scene.look_twice().await;
    let is_row =
        |action: &Action| matches!(action, Action::Sweep { leftover: Leftover::Manager(..) });
    let outcomes = scene.apply(&world, planned(&world, is_row)).await;
    let refused = &outcomes[0].result;
    let forbidden = matches!(refused, Err(ApplyError::Gitlab(GitlabError::Forbidden { .. })));
    assert!(forbidden, "{refused:?}");
    assert_eq!(token(&scene.look().await), Token::Lost);
}

#[tokio::test(start_paused = true)]
async fn another_token_of_the_record_that_a_container_has_is_taken() {
    let mut scene = silent_runner(|scene, id| scene.gitlab.reset_record_token(id)).await;
    let world = scene.look().await;
    assert_eq!(token(&world), Token::Lost);
    let old = scene.engine().read_config(&scene.runner().await.id).await.unwrap();
    let mut known = scene.gitlab.record_tokens();
    let new = known.remove(0);
    let config = with_token(old.expose_secret(), new.expose_secret());
    let id = record(&world).id;
    scene.create_with(&scene.first_slot(&world), id, config).await;
    assert_eq!(token(&scene.look().await), Token::AtHand);
    assert_eq!(scene.tokens.find(id).unwrap().expose_secret(), new.expose_secret());
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
    let mut scene = Scene::new("{linux: {tags: [docker], runner_token: glrt-deleted}}");
    scene.job(WaitsFor::Runner);
    let asked = |scene: &Scene| {
        let by = scene.ports.gitlab.requests_by();
        let verified = by.into_iter().filter(|((endpoint, _), _)| *endpoint == VERIFY);
        verified.map(|(_, count)| count).sum::<u64>()
    };
    let mut controller = scene.controller().await;
    assert_eq!(asked(&scene), 0, "who looks asks nobody");
    assert_eq!(controller.tick().await.view.plan.held_jobs[0].hold.as_str(), "unseen");
    for _ in 0..3 {
        let held = controller.tick().await.view.plan.held_jobs[0].clone();
        assert_eq!(held.hold.as_str(), "backing-off");
        assert!(held.to_string().contains("`runner_token` is not usable: "), "{held}");
    }
    assert_eq!(asked(&scene), 1, "not asked for again before its pause is over");
    scene.pass(15).await;
    controller.tick().await;
    assert_eq!(asked(&scene), 2);
}

/// Verifying leaves a row for a moment, so a look does not.
#[tokio::test(start_paused = true)]
async fn a_runner_token_is_verified_once_and_serves_from_the_next_look_on() {
    let mut scene = Scene::new("{linux: {tags: [docker], warm: 1}}");
    let (_, token) = scene.record_by_hand();
    scene.change_spec(|spec| spec.pools[0].runner_token = Some(Credential::Value(token)));
    let mut controller = scene.controller().await;
    let rules = |tick: &Tick| {
        let rules = tick.view.plan.decisions.iter().map(|it| it.rule.as_str());
        rules.collect::<Vec<_>>()
    };
    assert_eq!(rules(&controller.tick().await), ["verify-token"]);
    let view = controller.tick().await.view;
    assert_eq!(record(&view.world).origin, Origin::Given);
    assert_eq!(view.plan.unmet_warm[0].hold.as_str(), "image-pull", "it would start otherwise");
    // A spec that is read anew does not ask again.
    let info = scene.info().await;
    controller.reconnect(scene.ports.clone());
    controller.adopt(info);
    assert!(!rules(&controller.tick().await).contains(&"verify-token"));
}

#[tokio::test(start_paused = true)]
async fn who_only_looks_takes_no_token_for_lost_and_says_that_it_does_not_see_it() {
    let mut scene = Scene::new(COLD);
    scene.tick().await;
    let spec = scene.look().await.spec;
    let id = record(&scene.look().await).id;
    let info = SpecInfo {
        source: "autogit.yaml".to_owned(),
        hash: "3f9c1a".to_owned(),
        loaded_at: scene.clock.now(),
        pending_fault: None,
        spec,
    };
    let mut fresh = Controller::new(scene.ports.clone(), scene.clock.clone(), info.clone());
    let acting = fresh.look().await;
    assert!(acting.plan.decisions.iter().any(|one| is_record(&one.action)), "{:?}", acting.plan);
    let mut looking = Controller::new(scene.ports.clone(), scene.clock.clone(), info);
    looking.look_only();
    let view = looking.look().await;
    assert!(!view.plan.decisions.iter().any(|one| is_record(&one.action)), "{:?}", view.plan);
    let unseen = format!("the token of registration {id} of `linux/amd64` is not to be seen");
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
