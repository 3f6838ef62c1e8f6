//! Any text as a spec; the line after the first `\u{1}` is what its variables hold.
#![no_main]
#![allow(missing_docs, clippy::panic, reason = "a fuzz target fails by panicking")]

#[path = "../../pure/edges/seams/spec.rs"]
mod spec;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (text, value) = text.split_once('\u{1}').unwrap_or((text, "value"));
    spec::check(text, value);
});
