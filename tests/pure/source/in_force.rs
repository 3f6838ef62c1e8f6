use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use autogit::clock::Clock;
use autogit::source::{
    Environment, Origin, Pace, Pending, PendingFault, Reloaded, SpecSource, Watch,
};
use jiff::{SignedDuration, Timestamp};

use crate::source::certificates;
use crate::source::folder::{Folder, SPEC};
use crate::source::watch::hint;

const TWO_POOLS: &str = "\
gitlab:
  url: https://gitlab.example.com
  token: glpat-1
pools:
  linux:
    tags: [docker]
  docs:
    tags: [docs]
";

async fn open(path: &Path) -> SpecSource {
    open_with(path, Environment::default(), Clock::system()).await
}

async fn open_with(path: &Path, environment: Environment, clock: Clock) -> SpecSource {
    SpecSource::open(Origin::File(path.to_owned()), environment, clock).await.unwrap()
}

async fn reload(source: &mut SpecSource) -> Reloaded {
    let read = source.origin().read().await;
    source.reload(read, |_| Ok(()))
}

fn fault(reloaded: Reloaded) -> (PendingFault, bool) {
    let Reloaded::Refused { fault, repeated } = reloaded else {
        panic!("not refused: {reloaded:?}")
    };
    (fault, repeated)
}

fn diff(reloaded: Reloaded) -> Vec<String> {
    let Reloaded::Changed { diff, .. } = reloaded else { panic!("not changed: {reloaded:?}") };
    diff
}

#[tokio::test]
async fn the_same_content_is_no_change_however_it_was_written() {
    let folder = Folder::new();
    let mut source = open(&folder.write("autogit.yaml", SPEC)).await;
    assert_eq!(reload(&mut source).await, Reloaded::Unchanged);
    folder.replace("autogit.yaml", SPEC);
    assert_eq!(reload(&mut source).await, Reloaded::Unchanged);
}

#[tokio::test]
async fn what_a_refused_file_would_change_is_told_without_its_secrets() {
    let folder = Folder::new();
    let mut source = open(&folder.write("autogit.yaml", SPEC)).await;
    assert_eq!(**source.pending(), Pending::default());
    let faulty = TWO_POOLS.replace("tags: [docs]", "tags: [docs]\n    warm: 9");
    folder.replace("autogit.yaml", &faulty.replace("glpat-1", "glpat-another"));
    fault(reload(&mut source).await);
    let changes = ["pools.docs.tags added: [docs]", "pools.docs.warm added: 9"];
    assert_eq!(source.pending().changes, changes);
    folder.replace("autogit.yaml", &format!("{TWO_POOLS}api: {{listen: '127.0.0.1:9999'}}\n"));
    diff(reload(&mut source).await);
    assert_eq!(source.pending().after_restart, ["api.listen"]);
    assert!(source.pending().changes.is_empty());
}

#[tokio::test]
async fn a_good_file_comes_into_force_and_its_difference_is_told() {
    let folder = Folder::new();
    let mut source = open(&folder.write("autogit.yaml", SPEC)).await;
    let before = source.loaded().hash.clone();
    folder.replace("autogit.yaml", TWO_POOLS);
    let diff = diff(reload(&mut source).await);
    assert!(diff.iter().any(|line| line.contains("docs")), "{diff:?}");
    assert_eq!(source.loaded().spec.pools.len(), 2);
    assert_ne!(source.loaded().hash, before);
}

#[tokio::test]
async fn a_bad_file_keeps_the_last_good_one_in_force_until_a_good_one_is_read() {
    let folder = Folder::new();
    let clock = Clock::simulated(Timestamp::UNIX_EPOCH, 1.0);
    let path = folder.write("autogit.yaml", SPEC);
    let mut source = open_with(&path, Environment::default(), clock.clone()).await;

    folder.write("autogit.yaml", "gitlab:\n  urll: x\n");
    let (first, repeated) = fault(reload(&mut source).await);
    let place = format!("{}:2:3", path.display());
    assert!(
        first.text.contains(&place) && first.text.contains("knows no `urll`"),
        "{}",
        first.text
    );
    assert!(!first.text.contains('^') && !first.text.contains("urll: x"), "{}", first.text);
    assert!(!repeated);
    assert_eq!(source.loaded().spec.pools.len(), 1);
    assert_eq!(fault(reload(&mut source).await), (first.clone(), true));

    clock.jump(SignedDuration::from_secs(60));
    std::fs::remove_file(&path).unwrap();
    let (second, repeated) = fault(reload(&mut source).await);
    assert!(second.text.contains("does not exist") && !repeated, "{}", second.text);
    assert_eq!(second.since, first.since);
    assert_eq!(source.fault(), Some(&second));

    folder.write("autogit.yaml", SPEC);
    assert_eq!(reload(&mut source).await, Reloaded::Recovered);
    assert_eq!(source.fault(), None);
    assert_eq!(reload(&mut source).await, Reloaded::Unchanged);
}

#[tokio::test]
async fn a_rotated_secret_and_a_changed_env_file_are_changes() {
    let folder = Folder::new();
    let text = SPEC.replace("token: glpat-1", "token_file: token").replace("docker", "'${TAG}'");
    let path = folder.write("autogit.yaml", &text);
    folder.write("token", "glpat-1");
    let env_file = folder.write(".env", "TAG=docker\nUNUSED=1");
    let environment = Environment::new(BTreeMap::new(), vec![env_file]);
    let mut source = open_with(&path, environment, Clock::system()).await;
    assert_eq!(reload(&mut source).await, Reloaded::Unchanged);
    folder.write("token", "glpat-2");
    assert_eq!(diff(reload(&mut source).await), ["gitlab: token *** → ***"]);
    folder.write(".env", "TAG=podman\nUNUSED=1");
    assert!(diff(reload(&mut source).await).iter().any(|line| line.contains("podman")));
    folder.write(".env", "TAG=podman\nUNUSED=2");
    assert_eq!(reload(&mut source).await, Reloaded::Unchanged);
    folder.write("token", "");
    assert!(fault(reload(&mut source).await).0.text.starts_with("gitlab.token_file: "));
}

#[tokio::test]
async fn a_new_certificate_in_the_same_file_is_a_change() {
    let folder = Folder::new();
    folder.write("ca.pem", &certificates::pair().0);
    let mut source =
        open(&folder.write("autogit.yaml", &SPEC.replace("pools:", "  ca_file: ca.pem\npools:")))
            .await;
    let (new, _) = certificates::pair();
    folder.write("ca.pem", &new);
    assert_eq!(diff(reload(&mut source).await), ["gitlab: ca_file holds something new"]);
    assert_eq!(source.loaded().ca.as_deref(), Some(new.as_bytes()));
}

#[tokio::test]
async fn another_instance_is_refused_while_this_one_runs() {
    let folder = Folder::new();
    let mut source = open(&folder.write("autogit.yaml", SPEC)).await;
    folder.replace("autogit.yaml", &format!("instance: other\n{SPEC}"));
    let (fault, _) = fault(reload(&mut source).await);
    assert!(fault.text.starts_with("`instance` is `other` in the file and `autogit` in"));
    assert_eq!(source.loaded().spec.instance.as_str(), "autogit");
}

#[tokio::test]
async fn a_moved_listener_waits_for_a_restart_until_it_moves_back() {
    let folder = Folder::new();
    let mut source = open(&folder.write("autogit.yaml", SPEC)).await;
    folder.replace("autogit.yaml", &format!("api: {{listen: '127.0.0.1:9090'}}\n{SPEC}"));
    let reloaded = reload(&mut source).await;
    let Reloaded::Changed { after_restart, .. } = reloaded else {
        panic!("not changed: {reloaded:?}")
    };
    assert_eq!(after_restart, ["api.listen"]);
    assert_eq!(source.after_restart(), ["api.listen"]);
    folder.replace("autogit.yaml", SPEC);
    diff(reload(&mut source).await);
    assert!(source.after_restart().is_empty());
}

#[tokio::test]
async fn a_half_written_file_comes_into_force_when_it_is_complete() {
    let folder = Folder::new();
    let path = folder.write("autogit.yaml", SPEC);
    let never = Duration::from_hours(24);
    let pace = Pace { look_beside_events: never, look_alone: never, ..Pace::default() };
    let mut watch = Watch::start(&Origin::File(path.clone()), Clock::system(), pace);
    let mut source = open(&path).await;
    let (half, _) = TWO_POOLS.split_at(TWO_POOLS.find("pools").unwrap());
    folder.write("autogit.yaml", half);
    hint(&mut watch).await;
    fault(reload(&mut source).await);
    folder.write("autogit.yaml", TWO_POOLS);
    hint(&mut watch).await;
    diff(reload(&mut source).await);
    assert_eq!((source.loaded().spec.pools.len(), source.fault()), (2, None));
}

#[tokio::test]
async fn a_spec_that_no_connection_can_be_made_with_does_not_come_into_force() {
    let folder = Folder::new();
    let mut source = open(&folder.write("autogit.yaml", SPEC)).await;
    let before = source.loaded().hash.clone();
    folder.write("autogit.yaml", TWO_POOLS);
    let read = source.origin().read().await;
    let refuse = |_: &_| Err("host `local`: its kind is not known".to_owned());
    let (refused, _) = fault(source.reload(read, refuse));
    assert_eq!(refused.text, "host `local`: its kind is not known");
    assert_eq!((source.loaded().hash.as_str(), source.fault()), (before.as_str(), Some(&refused)));
    assert!(diff(reload(&mut source).await).contains(&"pool docs: added".to_owned()));
    assert_eq!(source.fault(), None);
}

#[tokio::test]
async fn every_file_that_went_into_a_spec_is_watched() {
    let folder = Folder::new();
    let env = folder.write("variables.env", "MAX=2\n");
    folder.write("token", "glpat-1\n");
    folder.write("ca.pem", &certificates::pair().0);
    let text = SPEC.replace("token: glpat-1", "token_file: token\n  ca_file: ca.pem");
    let path = folder.write("autogit.yaml", &text);
    let clock = Clock::system();
    let pace = Pace {
        settle: Duration::from_millis(5),
        look_beside_events: Duration::from_millis(20),
        look_alone: Duration::from_millis(20),
    };
    let mut watch = Watch::start(&Origin::File(path.clone()), clock.clone(), pace);
    let environment = Environment::new(BTreeMap::new(), vec![env.clone()]);
    let mut source = open_with(&path, environment, clock).await;
    let files = [env, folder.path("token"), folder.path("ca.pem"), path];
    assert_eq!(source.files(), files.iter().cloned().collect());
    watch.follow(source.files());
    hint(&mut watch).await;
    folder.write("token", "glpat-2\n");
    hint(&mut watch).await;
    assert_eq!(diff(reload(&mut source).await), ["gitlab: token *** → ***"]);
    // What a refused load read is watched as well: there the mistake is mended.
    folder.write("token", "glpat 2 \n");
    hint(&mut watch).await;
    fault(reload(&mut source).await);
    watch.follow(source.files());
    folder.write("token", "glpat-3\n");
    hint(&mut watch).await;
    diff(reload(&mut source).await);
}
