//! The real controller against the simulated GitLab and engines: histories that follow from one
//! seed, with and without faults, checked against `invariants`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod calm;
mod campaign;
mod chaos;
mod edits;
mod engine_side;
mod found;
mod gitlab_side;
mod harness;
mod history;
mod invariants;
mod knobs;
mod lags;
mod mutations;
mod others;
mod process;
mod recorder;
mod rivals;
mod runner_side;
mod shrink;
mod switches;
mod tamper;

/// Says something to whoever runs the tests.
#[expect(clippy::print_stdout, reason = "a history that fails is shown")]
pub(crate) fn told(words: &str) {
    println!("{words}");
}
