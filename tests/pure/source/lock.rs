use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use autogit::source::{InstanceLock, LockError, lock_folders};
use autogit::spec::InstanceName;

use crate::source::folder::Folder;

fn instance(name: &str) -> InstanceName {
    InstanceName::new(name).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().mode() & 0o777
}

/// The folder in which our lock files lie.
fn own_folder(folder: &Folder) -> PathBuf {
    let uid = std::fs::metadata(folder.path("")).unwrap().uid();
    folder.path(&format!("autogit-{uid}"))
}

#[test]
fn a_second_autogit_of_one_instance_is_refused_until_the_first_is_gone() {
    let folder = Folder::new();
    let folders = [folder.path("")];
    let first = InstanceLock::acquire(&instance("ci"), &folders).unwrap();
    let refused = InstanceLock::acquire(&instance("ci"), &folders).unwrap_err();
    let expected = format!(
        "another autogit with instance `ci` runs here as pid {}\n\
         hint: stop that one, or give this one another `instance`",
        std::process::id()
    );
    assert_eq!(refused.to_string(), expected);
    InstanceLock::acquire(&instance("other"), &folders).unwrap();
    drop(first);
    InstanceLock::acquire(&instance("ci"), &folders).unwrap();
}

#[test]
fn two_that_share_but_one_folder_meet_there() {
    let [login, shared, other] = [Folder::new(), Folder::new(), Folder::new()];
    let _first =
        InstanceLock::acquire(&instance("ci"), &[login.path(""), shared.path("")]).unwrap();
    let refused = InstanceLock::acquire(&instance("ci"), &[other.path(""), shared.path("")]);
    assert!(matches!(refused, Err(LockError::Held { .. })), "{refused:?}");
}

#[test]
fn one_folder_under_two_names_is_locked_once() {
    let folder = Folder::new();
    symlink(".", folder.path("link")).unwrap();
    let folders = [folder.path(""), folder.path("link")];
    let lock = InstanceLock::acquire(&instance("ci"), &folders).unwrap();
    assert_eq!(lock.places(), 1);
}

#[test]
fn the_file_of_a_dead_process_is_no_obstacle() {
    let folder = Folder::new();
    drop(InstanceLock::acquire(&instance("ci"), &[folder.path("")]).unwrap());
    let file = own_folder(&folder).join("ci.lock");
    std::fs::write(&file, "4194304999\n").unwrap();
    let _lock = InstanceLock::acquire(&instance("ci"), &[folder.path("")]).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{}\n", std::process::id()));
}

#[test]
fn the_lock_is_out_of_others_reach() {
    let folder = Folder::new();
    drop(InstanceLock::acquire(&instance("ci"), &[folder.path("")]).unwrap());
    let own = own_folder(&folder);
    assert_eq!((mode(&own), mode(&own.join("ci.lock"))), (0o700, 0o600));
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o777)).unwrap();
    drop(InstanceLock::acquire(&instance("ci"), &[folder.path("")]).unwrap());
    assert_eq!(mode(&own), 0o700);
}

#[test]
fn a_link_in_the_place_of_our_folder_is_refused_and_not_followed() {
    let [folder, elsewhere] = [Folder::new(), Folder::new()];
    symlink(elsewhere.path(""), own_folder(&folder)).unwrap();
    let refused = InstanceLock::acquire(&instance("ci"), &[folder.path("")]).unwrap_err();
    assert_eq!(refused, LockError::NotOurs { folder: own_folder(&folder) });
    assert_eq!(std::fs::read_dir(elsewhere.path("")).unwrap().count(), 0);
}

#[test]
fn without_any_folder_the_message_names_what_was_tried() {
    let folder = Folder::new();
    let missing = folder.path("missing");
    let refused =
        InstanceLock::acquire(&instance("ci"), std::slice::from_ref(&missing)).unwrap_err();
    let expected = format!(
        "there is no folder for the lock of instance `ci`: {}: No such file",
        missing.display()
    );
    assert!(refused.to_string().starts_with(&expected), "{refused}");
}

#[test]
fn a_relative_runtime_folder_is_no_candidate() {
    let folders = lock_folders(Some("run"), Path::new("/tmp"));
    assert_eq!(folders, ["/run/lock", "/var/lock", "/tmp"].map(PathBuf::from));
    let folders = lock_folders(Some("/run/user/7"), Path::new("/tmp"));
    assert_eq!(folders[0], Path::new("/run/user/7"));
}
