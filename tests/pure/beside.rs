//! Case files of a folder, and what is said of each in a file beside it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The case files of a folder below the project's root.
pub(crate) fn cases(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    cases.sort();
    cases
}

/// Compares what is said of each case, by its file's name and its text, with the file beside it that
/// has that ending. Set `UPDATE_CASES` to write what is said now; then read the difference.
#[track_caller]
pub(crate) fn compare(cases: &[PathBuf], ending: &str, said_of: impl Fn(&str, &str) -> String) {
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let mut differing = String::new();
    for case in cases {
        let text = std::fs::read_to_string(case).unwrap();
        let file = case.file_name().unwrap().to_str().unwrap();
        let said = said_of(file, &text);
        let beside = case.with_extension(ending);
        if update {
            std::fs::write(&beside, said).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        if said != expected {
            writeln!(differing, "expected of {file}:\n{expected}\nbut:\n{said}\n").unwrap();
        }
    }
    assert!(differing.is_empty(), "{differing}");
}
