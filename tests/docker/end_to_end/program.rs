//! `autogit run` as a process of its own, to be killed.

use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::process::{Child, Command};

use crate::end_to_end::harness::{Harness, until};

/// A running AutoGit; killed when dropped.
pub(crate) struct Program(Victim);

/// Whom a trap kills.
#[derive(Clone)]
pub(crate) struct Victim(Arc<Mutex<Child>>);

impl Victim {
    /// `kill -9`; it is dead to others when this returns.
    pub(crate) fn kill(&self) {
        self.child().start_kill().unwrap();
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Program {
    /// Starts one with the harness's spec; what it asks of the engine passes the harness's trap.
    pub(crate) fn start(harness: &Harness) -> Self {
        Self::start_logging(harness, "info")
    }

    /// As [`Program::start`], logging as `level` says.
    pub(crate) fn start_logging(harness: &Harness, level: &str) -> Self {
        let log = File::create(harness.new_log()).unwrap();
        let mut command = command(harness, &["run", "--log-format", "human"]);
        command.env("AUTOGIT_LOG", level).stdout(Stdio::null()).stderr(log);
        Self(Victim(Arc::new(Mutex::new(command.spawn().unwrap()))))
    }

    /// What another command answers.
    pub(crate) async fn ask(harness: &Harness, words: &[&str]) -> Output {
        command(harness, words).output().await.unwrap()
    }

    /// The same from outside the container that the one that runs is in: its lock and what it wrote
    /// beside it are not there.
    pub(crate) async fn ask_from_outside(harness: &Harness, words: &[&str]) -> Output {
        for folder in [Path::new("/run/lock"), Path::new("/var/lock"), &harness.folder] {
            for below in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                for suffix in ["lock", "json"] {
                    let file = below.path().join(format!("{}.{suffix}", harness.instance));
                    let _ = std::fs::remove_file(file);
                }
            }
        }
        command(harness, words).output().await.unwrap()
    }

    pub(crate) fn victim(&self) -> Victim {
        self.0.clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.child().id().unwrap()
    }

    /// Waits until it ended, and tells how.
    pub(crate) async fn until_dead(&self) -> ExitStatus {
        until("AutoGit ends", async || self.0.child().try_wait().unwrap()).await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let ended = self.0.child().try_wait();
            tracing::info!("when the test failed, AutoGit had ended: {ended:?}");
        }
    }
}

/// `autogit` with the harness's spec, and nothing else of this process's surroundings.
fn command(harness: &Harness, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_autogit"));
    command
        .args(words)
        .arg("--config")
        .arg(harness.spec_file())
        .env_clear()
        .envs(harness.variables())
        .env("DOCKER", format!("unix://{}", harness.trapped_socket().display()))
        .env("TMPDIR", &harness.folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}
