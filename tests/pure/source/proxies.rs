use std::collections::BTreeMap;

use autogit::source::{Environment, Loaded, Origin, load};
use autogit::spec::Spec;
use jiff::Timestamp;

use crate::source::folder::{Folder, SPEC};
use crate::support::now::outcome_of;

fn environment(variables: &[(&str, &str)]) -> Environment {
    let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    Environment::new(variables.collect::<BTreeMap<_, _>>(), Vec::new())
}

/// Which proxy the first pool gets, from where, and what is said at the load.
fn found(folder: &Folder, spec: &str, variables: &[(&str, &str)]) -> (String, Vec<String>) {
    let path = folder.write("autogit.yaml", spec);
    let origin = Origin::File(path);
    let loaded = outcome_of(load(&origin, &environment(variables), Timestamp::UNIX_EPOCH)).unwrap();
    let warnings = loaded.warnings.iter().map(ToString::to_string).collect();
    (in_words(&loaded), warnings)
}

fn in_words(loaded: &Loaded) -> String {
    let spec: &Spec = &loaded.spec;
    let host = spec.hosts.keys().next().unwrap();
    match spec.proxy(&spec.pools[0], host) {
        None => "none".to_owned(),
        Some((proxy, origin)) => {
            let urls: Vec<String> = [proxy.http, proxy.https]
                .into_iter()
                .map(|url| url.map_or("-".to_owned(), |url| url.to_string()))
                .collect();
            let direct = proxy.no_proxy.unwrap_or("-".to_owned());
            format!("{} not for {direct}, by {origin}", urls.join(" "))
        }
    }
}

const OWN: [(&str, &str); 3] =
    [("HTTPS_PROXY", "http://own:1"), ("http_proxy", "own:2"), ("NO_PROXY", ".lan")];

#[test]
fn the_pool_says_first_then_the_file_then_the_environment_then_docker() {
    let folder = Folder::new();
    let docker = r#"{"proxies": {"default": {"httpProxy": "http://docker:1", "noProxy": "a"},
        "tcp://rack:2376": {"httpsProxy": "http://rack:1"}}}"#;
    folder.write("config.json", docker);
    let config = folder.path("").display().to_string();
    let config = ("DOCKER_CONFIG", config.as_str());
    let all: Vec<(&str, &str)> = OWN.into_iter().chain([config]).collect();
    let of_file = format!("{SPEC}proxy: {{https: 'http://file:1'}}\n");
    let of_pool = of_file.replace("tags:", "proxy: {http: 'http://pool:1'}\n    tags:");
    let none_of_pool = of_file.replace("tags:", "proxy: {}\n    tags:");
    let said = |spec: &str, variables: &[(&str, &str)]| {
        let (said, warnings) = found(&folder, spec, variables);
        assert_eq!(warnings, Vec::<String>::new());
        said
    };
    assert_eq!(said(&of_pool, &all), "http://pool:1 - not for -, by the pool's `proxy`");
    assert_eq!(said(&none_of_pool, &all), "none");
    assert_eq!(said(&of_file, &all), "- http://file:1 not for -, by `proxy`");
    let own = "http://own:2 http://own:1 not for .lan, by AutoGit's environment";
    assert_eq!(said(SPEC, &all), own);
    let none = format!("{SPEC}proxy: {{}}\n");
    assert_eq!(said(&none, &all), "none");
    let docker = "http://docker:1 - not for a, by Docker's `config.json`";
    assert_eq!(said(SPEC, &[config]), docker);
    let rack = [config, ("DOCKER_HOST", "tcp://rack:2376")];
    assert_eq!(said(SPEC, &rack), "- http://rack:1 not for -, by Docker's `config.json`");
    assert_eq!(said(SPEC, &[("NO_PROXY", ".lan")]), "none");
}

/// Taken for empty it would replace all runners by ones without their proxy.
#[test]
fn a_configuration_of_dockers_that_is_no_json_is_refused() {
    let folder = Folder::new();
    folder.write("config.json", "{\"proxies\": {\"default\": }}");
    let path = folder.write("autogit.yaml", SPEC);
    let docker = folder.path("config.json").parent().unwrap().display().to_string();
    let read = environment(&[("DOCKER_CONFIG", &docker)]);
    let error = outcome_of(load(&Origin::File(path), &read, Timestamp::UNIX_EPOCH)).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("config.json` cannot be understood at line 1"), "{error}");
}

#[test]
fn what_nobody_meant_for_containers_is_left_out_and_said() {
    let folder = Folder::new();
    let own = [("HTTPS_PROXY", "http://me:hunter2@proxy:1"), ("HTTP_PROXY", "http://127.0.0.1:2")];
    let (said, warnings) = found(&folder, SPEC, &own);
    assert_eq!(said, "none");
    let hint = "hint: set `proxy` to the one that they shall use, or to `{}` for none";
    let told = |whose: &str, is: &str| {
        format!("the proxy in {whose}, {is}, so neither runners nor jobs get it\n{hint}")
    };
    assert_eq!(
        warnings,
        [
            told(
                "`HTTP_PROXY` of AutoGit's environment",
                "http://127.0.0.1:2, leads a container to itself"
            ),
            told("`HTTPS_PROXY` of AutoGit's environment", "http://***@proxy:1, has credentials"),
        ]
    );
    let (said, warnings) = found(&folder, SPEC, &[("HTTP_PROXY", "ftp://proxy")]);
    assert!(said == "none" && warnings[0].contains("is no proxy's URL"), "{warnings:?}");
}

/// Only the runners' own network knows it, and no proxy is on that.
#[test]
fn a_gitlab_that_is_a_container_is_asked_directly() {
    let folder = Folder::new();
    let spec =
        SPEC.replace("https://gitlab.example.com", "http://git:3000\n  clone_url: http://web");
    let (said, _) = found(&folder, &spec, &OWN);
    assert_eq!(said, "http://own:2 http://own:1 not for .lan,git,web, by AutoGit's environment");
    let listed = [("HTTP_PROXY", "own:2"), ("NO_PROXY", "web, git")];
    let (said, _) = found(&folder, &spec, &listed);
    assert_eq!(said, "http://own:2 - not for web, git, by AutoGit's environment");
}
