//! What systemd hears of AutoGit (`sd_notify(3)`): a loop that hangs is one that falls silent.

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Command, Stdio};
use std::time::Duration;

use autogit::cli::{Shell, Supervisor};
use futures_util::FutureExt as _;
use jiff::SignedDuration;

use crate::api::harness::{Harness, small};
use crate::cli::binary::Folder;
use crate::cli::daemon::{TOKEN, instance, spec};

/// Longer than a start takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where a supervisor listens.
struct Ear(UnixDatagram);

impl Ear {
    fn at(folder: &Folder) -> (Self, String) {
        let path = folder.path().join("notify");
        let ear = Self(UnixDatagram::bind(&path).unwrap());
        ear.0.set_read_timeout(Some(PATIENCE)).unwrap();
        (ear, path.to_str().unwrap().to_owned())
    }

    fn hear(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.0.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    fn is_silent(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let heard = self.0.recv(&mut [0; 16]);
        self.0.set_nonblocking(false).unwrap();
        heard.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

fn supervisor(variables: &[(&str, &str)]) -> Supervisor {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Supervisor::of(&Shell::new(variables.collect(), "/nowhere".into()))
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_hears_of_the_first_look_and_then_that_the_loop_goes_on() {
    let (ear, path) = Ear::at(&Folder::new("supervisor-ready"));
    let supervisor = supervisor(&[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", "4000000")]);
    let harness = Harness::empty();
    let mut follow = Box::pin(supervisor.follow(&harness.api, &harness.clock));
    assert!(follow.as_mut().now_or_never().is_none());
    assert!(ear.is_silent(), "it is ready before it looked");

    harness.show(small().lose_queue("GitLab failed with 502"));
    assert!(tokio::time::timeout(Duration::from_secs(3), &mut follow).await.is_err());
    assert_eq!(ear.hear(), "READY=1");
    // Twice in its patience of four seconds: at once, and after two.
    assert_eq!(ear.hear(), "WATCHDOG=1\nSTATUS=degraded: gitlab cannot be read");
    assert_eq!(ear.hear(), "WATCHDOG=1\nSTATUS=degraded: gitlab cannot be read");
    assert!(ear.is_silent());
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_hangs_gives_no_sign_of_life() {
    let (ear, path) = Ear::at(&Folder::new("supervisor-stuck"));
    let supervisor = supervisor(&[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", "4000000")]);
    let harness = Harness::small();
    let mut follow = Box::pin(supervisor.follow(&harness.api, &harness.clock));
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut follow).await.is_err());
    assert_eq!([ear.hear(), ear.hear()], ["READY=1", "WATCHDOG=1\nSTATUS=ok"]);
    harness.clock.jump(SignedDuration::from_mins(6));
    assert!(tokio::time::timeout(Duration::from_secs(2), &mut follow).await.is_err());
    assert_eq!(ear.hear(), "STATUS=stuck");
    assert!(ear.is_silent());
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_where_nobody_asked() {
    let harness = Harness::small();
    for variables in [&[][..], &[("NOTIFY_SOCKET", "vsock:2:1234")]] {
        let supervisor = supervisor(variables);
        let follow = supervisor.follow(&harness.api, &harness.clock);
        assert!(tokio::time::timeout(Duration::from_hours(1), follow).await.is_err());
        supervisor.stopping().await;
    }
}

/// The whole life of a process under a supervisor that listens at `name`.
fn lives_under(ear: &Ear, name: &str, test: &str) {
    let folder = Folder::new(test).write("autogit.yaml", &spec(&instance(test)));
    let mut command = folder.command(&["run"], &[TOKEN, ("NOTIFY_SOCKET", name)]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(ear.hear(), "READY=1");
    assert!(ear.hear().starts_with("WATCHDOG=1\nSTATUS=degraded: "));
    let told = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(told.success());
    let last = std::iter::repeat_with(|| ear.hear()).find(|heard| !heard.contains("STATUS="));
    assert_eq!(last.unwrap(), "STOPPING=1");
    assert!(child.wait().unwrap().success());
}

#[test]
fn systemd_hears_of_a_start_without_gitlab_and_of_the_end() {
    let (ear, path) = Ear::at(&Folder::new("supervisor-path"));
    lives_under(&ear, &path, "supervised");
}

#[test]
fn a_name_of_linuxs_own_is_as_good_as_a_path() {
    let name = format!("autogit-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let ear = Ear(UnixDatagram::bind_addr(&address).unwrap());
    ear.0.set_read_timeout(Some(PATIENCE)).unwrap();
    lives_under(&ear, &format!("@{name}"), "supervised-abstract");
}
