//! Every way to a host, on real engines: TLS, ssh, Podman, and engines that are restarted.
//!
//! An engine that is stopped, or speaks TLS, is the test's own, beside the machine's. What a machine
//! lacks is said to be skipped; `AUTOGIT_REQUIRE_DOCKERD`, `_SSH` and `_PODMAN` make that a failure.

mod certificates;
mod discovery;
mod disk;
mod harness;
mod life;
mod line;
mod nvidia;
mod own_engine;
mod podman;
pub(crate) mod require;
mod restart;
mod several;
mod ssh;
mod sshd;
mod tls;
mod userns;
