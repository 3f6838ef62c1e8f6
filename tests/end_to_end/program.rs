//! `autogit run` as a process of its own, to be killed.

use std::fs::File;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::process::{Child, Command};

use crate::stage::{Stage, until};

/// A running AutoGit; killed when dropped.
pub(crate) struct Program(Victim);

/// Whom a trap kills.
#[derive(Clone)]
pub(crate) struct Victim(Arc<Mutex<Child>>);

impl Victim {
    /// `kill -9`; it is dead to others when this returns.
    pub(crate) fn kill(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).start_kill().unwrap();
    }
}

impl Program {
    /// Starts one with the stage's spec; what it asks of the engine passes the stage's trap.
    pub(crate) fn start(stage: &Stage) -> Self {
        let log = stage.new_log();
        let child = Command::new(env!("CARGO_BIN_EXE_autogit"))
            .args(["run", "--log-format", "human", "--config"])
            .arg(stage.spec_file())
            .env_clear()
            .envs(stage.variables())
            .env("DOCKER", format!("unix://{}", stage.trapped_socket().display()))
            .env("TMPDIR", &stage.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self(Victim(Arc::new(Mutex::new(child))))
    }

    pub(crate) fn victim(&self) -> Victim {
        self.0.clone()
    }

    /// Waits until it ended.
    pub(crate) async fn until_dead(&self) {
        until("AutoGit dies", async || {
            self.0.0.lock().unwrap_or_else(PoisonError::into_inner).try_wait().unwrap()
        })
        .await;
    }
}
