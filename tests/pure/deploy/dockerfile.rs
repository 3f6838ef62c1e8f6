//! The Dockerfile: what cannot be built without a registry is read.

use crate::deploy::{read, root};

#[test]
fn the_image_is_made_by_the_oldest_rust_that_will_do() {
    let manifest: toml::Table =
        std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let oldest = manifest["package"]["rust-version"].as_str().unwrap();
    let dockerfile = read("Dockerfile");
    let images: Vec<&str> =
        dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    assert_eq!(images, [format!("rust:{oldest}-slim-bookworm AS build").as_str(), "scratch"]);
    let profile = dockerfile.split("--profile ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(manifest["profile"].as_table().unwrap().contains_key(profile), "{profile}");
}

#[test]
fn it_runs_as_nobody_and_asks_autogit_itself_whether_it_is_well() {
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains("\nUSER 65532:65532\n"));
    let check = r#"CMD ["/autogit", "health"]"#;
    let health = dockerfile.lines().find(|line| line.starts_with("HEALTHCHECK ")).unwrap();
    assert!(health.ends_with(check), "{health}");
    let autogit = autogit::cli::command_line();
    for command in ["health", "run"] {
        assert!(autogit.find_subcommand(command).is_some(), "{command}");
    }
}
