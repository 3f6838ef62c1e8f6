//! Any headers and body to the webhook's route.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

#[path = "../../pure/edges/seams/choices.rs"]
#[allow(dead_code, reason = "other seams need other parts of it")]
mod choices;
#[path = "../../pure/api/harness.rs"]
#[allow(dead_code, reason = "other tests need other parts of it")]
mod harness;
#[path = "../../pure/edges/seams/webhook.rs"]
mod webhook;
#[path = "../../support/world.rs"]
#[allow(dead_code, reason = "other tests need other parts of it")]
mod world;

/// Where the tests have it.
mod support {
    pub(crate) use crate::world;
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| webhook::check(data));
