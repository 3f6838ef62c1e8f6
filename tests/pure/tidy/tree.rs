//! The project's files, and what of a source file is code.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A Rust file without its comments and its unit tests.
pub(crate) struct Source {
    /// From the project's root.
    pub(crate) path: String,
    pub(crate) code: String,
}

impl Source {
    /// Whether it belongs to one of these top modules of the crate.
    pub(crate) fn is_in(&self, modules: &[&str]) -> bool {
        let below = self.path.strip_prefix("src/").unwrap_or_default();
        let module = below.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        modules.contains(&module)
    }
}

/// The code below a folder. Unit tests are left out: they may name what they like.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
    let below = format!("{folder}/");
    let rust = files_with(".rs").into_iter();
    let wanted = rust.filter(|file| file.starts_with(&below) && !file.ends_with("/tests.rs"));
    let sources: Vec<Source> = wanted
        .map(|path| Source { code: without_tests(&without_comments(&read(&path))), path })
        .collect();
    assert!(!sources.is_empty(), "no source is found below `{folder}`");
    sources
}

/// What git knows or would take, sorted; every file of the tree where there is no git.
pub(crate) fn files() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    let mut files: Vec<String> = match listed {
        Ok(output) if output.status.success() => {
            String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
        }
        _ => walk(&root()),
    };
    // Git also lists what was just removed.
    files.retain(|file| root().join(file).is_file());
    files.sort();
    files.dedup();
    files
}

/// Those whose name ends like this.
pub(crate) fn files_with(suffix: &str) -> Vec<String> {
    files().into_iter().filter(|file| file.ends_with(suffix)).collect()
}

pub(crate) fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|fault| panic!("{file}: {fault}"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn walk(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("target") || path.ends_with(".git") {
            continue;
        }
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
    files
}

fn without_comments(text: &str) -> String {
    let code = text.lines().map(|line| line.split_once("// ").map_or(line, |(code, _)| code));
    code.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn without_tests(code: &str) -> String {
    let tests = code.match_indices("#[cfg(test)]\nmod ").find(|(at, _)| {
        let line = code[*at..].lines().nth(1).unwrap_or_default();
        line.ends_with('{')
    });
    tests.map_or(code, |(at, _)| &code[..at]).to_owned()
}
