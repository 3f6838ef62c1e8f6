//! Podman in place of Docker, by the API that it shows to Docker's clients.

use std::process::{Child, Command, Stdio};

use bollard::{API_DEFAULT_VERSION, Docker};

use crate::hosts::life::lives;
use crate::hosts::require::{self, Folder, until};
use crate::support::docker::{Bench, on_bench, settings};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docker/hosts/own-podman.sh");

const PROGRAMS: [&str; 6] = ["podman", "bash", "unshare", "mount", "ip", "find"];

/// A Podman of the test's own; it and all it made are gone when this is dropped.
struct Podman {
    folder: Folder,
    holder: Child,
}

impl Podman {
    async fn start() -> Option<Self> {
        if !require::has("PODMAN", &PROGRAMS) {
            return None;
        }
        let folder = Folder::new();
        let holder = Command::new("unshare")
            .args(["--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc"])
            .args(["bash", SCRIPT, folder.path().to_str().unwrap()])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut podman = Self { folder, holder };
        let holder = std::cell::RefCell::new(&mut podman.holder);
        let ended = until("Podman answers", async || {
            if holder.borrow_mut().try_wait().unwrap().is_some() {
                return Some(true);
            }
            Docker::connect_with_unix(&podman.folder.file("podman.sock"), 60, API_DEFAULT_VERSION)
                .ok()?
                .ping()
                .await
                .ok()
                .map(|_| false)
        });
        if ended.await {
            require::lacks("PODMAN", podman.folder.read("log").trim());
            return None;
        }
        Some(podman)
    }

    async fn bench(&self) -> Bench {
        let socket = self.folder.file("podman.sock");
        let docker = Docker::connect_with_unix(&socket, 60, API_DEFAULT_VERSION).unwrap();
        Bench::at(settings(Some(&format!("unix://{socket}"))), docker).await.unwrap()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

#[tokio::test]
async fn a_runner_is_started_watched_and_drained_on_podman() {
    let Some(podman) = Podman::start().await else { return };
    on_bench(podman.bench().await, lives).await;
}
