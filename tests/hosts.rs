//! Every way to a host, on real engines: TLS, ssh, Podman, and engines that are restarted.
//!
//! An engine that is stopped, or speaks TLS, is the test's own, beside the machine's. What a machine
//! lacks is said to be skipped; `AUTOGIT_REQUIRE_DOCKERD`, `_SSH` and `_PODMAN` make that a failure.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/docker.rs"]
mod bench;
#[path = "support/image.rs"]
mod image;

#[path = "hosts/certificates.rs"]
mod certificates;
#[path = "hosts/discovery.rs"]
mod discovery;
#[path = "hosts/life.rs"]
mod life;
#[path = "hosts/own_engine.rs"]
mod own_engine;
#[path = "hosts/podman.rs"]
mod podman;
#[path = "hosts/require.rs"]
mod require;
#[path = "hosts/restart.rs"]
mod restart;
#[path = "hosts/ssh.rs"]
mod ssh;
#[path = "hosts/sshd.rs"]
mod sshd;
#[path = "hosts/stage.rs"]
mod stage;
#[path = "hosts/tls.rs"]
mod tls;
#[path = "hosts/userns.rs"]
mod userns;
