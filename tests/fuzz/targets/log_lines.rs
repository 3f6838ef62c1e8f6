//! Any bytes as lines of gitlab-runner's log, with Docker's timestamp and without.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

/// What the module below takes from the crate it is a part of.
mod world {
    pub(crate) use autogit::world::{JobId, RunnerLog};
}

#[path = "../../../src/engine/docker/log_line.rs"]
mod log_line;

use log_line::{Told, event, stamped};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut told = Told::default();
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        let _ = event(line);
        if let Some((at, rest)) = stamped(line)
            && let Some(event) = event(rest)
        {
            told.take(at, event);
        }
    }
    assert!(told.log.jobs_ended as usize <= data.len());
});
