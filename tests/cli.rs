//! What the commands print, from worlds made by hand, and what the binary answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

#[path = "cli/binary.rs"]
mod binary;
#[path = "cli/daemon.rs"]
mod daemon;
#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/json.rs"]
mod json;
#[path = "cli/live.rs"]
mod live;
#[path = "cli/plan.rs"]
mod plan;
#[path = "cli/sandbox.rs"]
mod sandbox;
#[path = "support/skipped.rs"]
mod skipped;
#[path = "cli/tables.rs"]
mod tables;
#[path = "support/world.rs"]
mod world;
