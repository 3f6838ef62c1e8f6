//! A check that could not be made here.

use std::io::Write;

/// Tells whoever looks at this test, and `tests/run`, which sums up at the end.
pub(crate) fn note_skipped(reason: &str) {
    let thread = std::thread::current();
    let line = format!("{}: {reason}\n", thread.name().unwrap_or("a test"));
    // Not by `eprint!`: its output would be kept back for tests that pass.
    std::io::stderr().write_all(format!("skipped: {line}").as_bytes()).unwrap();
    if let Some(list) = std::env::var_os("AUTOGIT_SKIPPED") {
        let mut list = std::fs::OpenOptions::new().append(true).open(list).unwrap();
        list.write_all(line.as_bytes()).unwrap();
    }
}
