//! Any text as the value of a variable.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

#[path = "../../pure/edges/seams/interpolation.rs"]
mod interpolation;

libfuzzer_sys::fuzz_target!(|value: &str| interpolation::check(value));
