//! What needs a container engine, and the adapter that speaks to one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod deploy;
mod docker_engine;
mod docker_faults;
mod end_to_end;
mod hosts;
mod images;
mod kept_images;
mod own_log;
mod wait;

#[path = "../support/support.rs"]
#[allow(dead_code, reason = "other binaries use the rest")]
mod support;
