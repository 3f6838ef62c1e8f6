use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use autogit::clock::Clock;
use autogit::source::{Origin, Pace, Seeing, Watch};

use crate::source::folder::Folder;

/// Looks so rarely that only events can pass a test.
fn by_events() -> Pace {
    let never = Duration::from_hours(24);
    Pace { look_beside_events: never, look_alone: never, ..Pace::default() }
}

fn watch(path: &Path) -> Watch {
    let watch = Watch::start(&Origin::File(path.to_owned()), Clock::system(), by_events());
    assert_eq!(watch.seeing(), Seeing::Events);
    watch
}

pub(crate) async fn hint(watch: &mut Watch) {
    tokio::time::timeout(Duration::from_secs(30), watch.changed()).await.expect("no hint came");
}

/// Waits for a hint, at which what `path` leads to is `text`.
async fn hint_of(watch: &mut Watch, path: &Path, text: &str) {
    hint(watch).await;
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
}

#[tokio::test]
async fn a_write_in_place_and_an_atomic_replace_are_seen() {
    let folder = Folder::new();
    let file = folder.write("autogit.yaml", "one");
    let mut watch = watch(&file);
    folder.write("autogit.yaml", "two");
    hint_of(&mut watch, &file, "two").await;
    folder.replace("autogit.yaml", "three");
    hint_of(&mut watch, &file, "three").await;
    folder.replace("autogit.yaml", "four");
    hint_of(&mut watch, &file, "four").await;
}

#[tokio::test]
async fn a_deleted_file_and_its_return_are_seen() {
    let folder = Folder::new();
    let file = folder.write("autogit.yaml", "one");
    let mut watch = watch(&file);
    std::fs::remove_file(&file).unwrap();
    hint(&mut watch).await;
    folder.write("autogit.yaml", "two");
    hint(&mut watch).await;
}

#[tokio::test]
async fn a_folder_that_comes_later_and_again_is_followed() {
    let folder = Folder::new();
    let file = folder.path("etc/autogit.yaml");
    let mut watch = watch(&file);
    for _ in 0..2 {
        std::fs::create_dir(folder.path("etc")).unwrap();
        hint(&mut watch).await;
        folder.write("etc/autogit.yaml", "one");
        hint(&mut watch).await;
        std::fs::remove_dir_all(folder.path("etc")).unwrap();
        hint(&mut watch).await;
    }
}

#[tokio::test]
async fn a_swapped_link_is_seen_and_its_new_target_is_watched() {
    let folder = Folder::new();
    for version in ["a", "b"] {
        std::fs::create_dir(folder.path(version)).unwrap();
        folder.write(&format!("{version}/real.yaml"), version);
    }
    symlink("a/real.yaml", folder.path("autogit.yaml")).unwrap();
    let mut watch = watch(&folder.path("autogit.yaml"));
    folder.write("a/real.yaml", "a again");
    hint(&mut watch).await;
    folder.point("autogit.yaml", "b/real.yaml");
    hint(&mut watch).await;
    folder.replace("b/real.yaml", "b again");
    hint(&mut watch).await;
}

#[tokio::test]
async fn each_new_version_of_a_config_map_is_seen() {
    let folder = Folder::new();
    let publish = |version: &str| {
        std::fs::create_dir(folder.path(version)).unwrap();
        folder.write(&format!("{version}/autogit.yaml"), version);
        folder.point("..data", version);
    };
    publish("..1");
    let file = folder.path("autogit.yaml");
    symlink("..data/autogit.yaml", &file).unwrap();
    let mut watch = watch(&file);
    for (old, new) in [("..1", "..2"), ("..2", "..3")] {
        publish(new);
        std::fs::remove_dir_all(folder.path(old)).unwrap();
        hint_of(&mut watch, &file, new).await;
    }
}
