//! AutoGit's real controller on a real Docker Engine: the sandbox's GitLab over HTTP, runners whose
//! process is a client that is not ours, jobs in containers beside them.
//!
//! Each test is an instance of its own with a GitLab of its own, so that all run at once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

#[path = "support/image.rs"]
mod image;

#[path = "end_to_end/crash.rs"]
mod crash;
#[path = "end_to_end/engine.rs"]
mod engine;
#[path = "end_to_end/gate.rs"]
mod gate;
#[path = "end_to_end/hand.rs"]
mod hand;
#[path = "end_to_end/leftovers.rs"]
mod leftovers;
#[path = "end_to_end/limits.rs"]
mod limits;
#[path = "end_to_end/network.rs"]
mod network;
#[path = "end_to_end/operator.rs"]
mod operator;
#[path = "end_to_end/program.rs"]
mod program;
#[path = "end_to_end/reload.rs"]
mod reload;
#[path = "end_to_end/rivals.rs"]
mod rivals;
#[path = "end_to_end/scale.rs"]
mod scale;
#[path = "end_to_end/stage.rs"]
mod stage;
#[path = "end_to_end/trap.rs"]
mod trap;
#[path = "end_to_end/trouble.rs"]
mod trouble;
#[path = "end_to_end/walls.rs"]
mod walls;
