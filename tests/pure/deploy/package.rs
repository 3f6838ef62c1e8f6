//! The Debian package: what `cargo deb` is told in `Cargo.toml`.

use toml::Value;

use crate::deploy::{read, root};

fn metadata() -> toml::Table {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    manifest["package"]["metadata"]["deb"].as_table().unwrap().clone()
}

/// From where to where: a folder ends with `/`.
fn assets() -> Vec<(String, String)> {
    let metadata = metadata();
    let assets = metadata["assets"].as_array().unwrap().iter();
    let word = |asset: &Value, at: usize| asset[at].as_str().unwrap().to_owned();
    let placed = assets.map(|asset| {
        let (from, to) = (word(asset, 0), word(asset, 1));
        let name = from.rsplit('/').next().unwrap();
        let to = if to.ends_with('/') { format!("/{to}{name}") } else { format!("/{to}") };
        (from, to)
    });
    placed.collect()
}

#[test]
fn each_file_of_the_package_is_there_and_the_specs_is_kept_at_upgrades() {
    for (from, _) in assets().iter().filter(|(from, _)| !from.starts_with("target/")) {
        assert!(root().join(from).is_file(), "{from}");
    }
    let metadata = metadata();
    let kept: Vec<&str> =
        metadata["conf-files"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let configuration = assets().into_iter().map(|(_, to)| to);
    let configuration: Vec<String> = configuration.filter(|to| to.starts_with("/etc/")).collect();
    assert_eq!(kept, configuration);
}

#[test]
fn its_unit_starts_what_the_package_installs_and_not_before_it_is_asked_to() {
    let metadata = metadata();
    let folder = metadata["maintainer-scripts"].as_str().unwrap();
    let unit =
        read(&format!("{}autogit.service", folder.strip_prefix("examples/deploy/").unwrap()));
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let installed: Vec<String> = assets().into_iter().map(|(_, to)| to).collect();
    let started = line.split(' ').filter(|word| word.starts_with('/'));
    let missing: Vec<&str> =
        started.filter(|path| !installed.iter().any(|to| to == path)).collect();
    assert_eq!(missing, Vec::<&str>::new());
    for key in ["enable", "start"] {
        assert_eq!(metadata["systemd-units"][key].as_bool(), Some(false), "{key}");
    }
}
