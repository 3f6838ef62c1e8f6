//! AutoGit's real controller on a real Docker Engine: the sandbox's GitLab over HTTP, runners whose
//! process is a client that is not ours, jobs in containers beside them.
//!
//! Each test is an instance of its own with a GitLab of its own, so that all run at once.

mod architecture;
mod budget;
mod crash;
mod doctor;
mod engine;
mod gate;
mod gpus;
pub(crate) mod harness;
mod leftovers;
mod limits;
mod network;
mod operator;
pub(crate) mod program;
mod reload;
mod rivals;
mod scale;
mod tamper;
pub(crate) mod trap;
mod trouble;
mod walls;
mod way_out;
