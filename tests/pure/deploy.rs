//! `examples/deploy/`: what it says of itself, held to what AutoGit is and does. That it works is seen
//! in `tests/docker/deploy/`.

mod calls;
mod compose;
mod dockerfile;
mod package;
mod units;

use std::path::{Path, PathBuf};

use autogit::spec::{Missing, Spec};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    root().join("examples/deploy")
}

/// A file of the folder.
fn read(file: &str) -> String {
    let path = folder().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn spec(file: &str) -> Spec {
    Spec::parse(file, &read(file), &|_| None, Missing::Accept).unwrap().spec
}

/// A program that this machine has.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[test]
fn each_file_that_the_readme_names_is_there() {
    let text = read("README.md");
    let links = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    let links = links.filter(|link| !link.contains("://") && !link.starts_with('#'));
    let links = links.map(|link| folder().join(link));
    let words = text.split([' ', '`', '\n']);
    let paths = words.filter(|word| word.starts_with("examples/")).map(|path| root().join(path));
    let named: Vec<PathBuf> = links.chain(paths).collect();
    assert!(named.len() > 15, "{named:?}");
    for path in named {
        assert!(path.exists(), "{}", path.display());
    }
}

#[test]
fn each_way_to_install_is_in_the_readme() {
    let text = read("README.md");
    for file in below(&folder()) {
        let name = file.strip_prefix(folder()).unwrap().to_str().unwrap();
        let [first, last] =
            [name.split('/').next(), name.split('/').next_back()].map(Option::unwrap);
        let known = first == "README.md" || first == ".gitignore" || text.contains(first);
        assert!(known && (last != "autogit.container" || text.contains(last)), "{name}");
    }
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}
