//! The calls that the socket proxy passes on are those that the adapter of Docker makes: each method
//! of bollard's and each path that stands in its code. `tests/docker/deploy/` lives behind that list.

use std::collections::BTreeSet;

use crate::deploy::compose::proxy_arguments;
use crate::tidy::tree::sources;

/// What a method of bollard's client asks (bollard 0.21); `*` is a word, `**` any words. One that asks
/// nothing has no path.
const METHODS: [(&str, &str); 25] = [
    ("create_container", "POST /containers/create"),
    ("create_image", "POST /images/create"),
    ("create_network", "POST /networks/create"),
    ("download_from_container", "GET /containers/*/archive"),
    ("events", "GET /events"),
    ("info", "GET /info"),
    ("inspect_container", "GET /containers/*/json"),
    ("inspect_image", "GET /images/**/json"),
    ("inspect_network", "GET /networks/*"),
    ("inspect_volume", "GET /volumes/*"),
    ("kill_container", "POST /containers/*/kill"),
    ("list_images", "GET /images/json"),
    ("list_networks", "GET /networks"),
    ("logs", "GET /containers/*/logs"),
    ("negotiate_version", "GET /version"),
    ("remove_container", "DELETE /containers/*"),
    ("remove_image", "DELETE /images/**"),
    ("remove_network", "DELETE /networks/*"),
    ("remove_volume", "DELETE /volumes/*"),
    ("start_container", "POST /containers/*/start"),
    ("tag_image", "POST /images/**/tag"),
    ("upload_to_container", "PUT /containers/*/archive"),
    ("version", "GET /version"),
    ("wait_container", "POST /containers/*/wait"),
    ("with_request_modifier", ""),
];

/// The adapter's code without a blank.
fn code() -> String {
    let sources = sources("src/engine").into_iter();
    let sources = sources.filter(|source| source.path.starts_with("src/engine/docker"));
    sources
        .flat_map(|source| source.code.chars().collect::<Vec<_>>())
        .filter(|c| !c.is_whitespace())
        .collect()
}

/// The methods that are called on a client: `docker.NAME(`.
fn methods(code: &str) -> BTreeSet<&str> {
    let called = code.match_indices("docker.").filter_map(|(at, word)| {
        let (before, rest) = (&code[..at], &code[at + word.len()..]);
        // The field of a spec's host is no client.
        if before.ends_with("host.") {
            return None;
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let (name, after) = rest.split_at(end);
        (after.starts_with('(') && !name.is_empty()).then_some(name)
    });
    called.collect()
}

/// The paths that are written out: all of them are read by `GET`.
fn paths(code: &str) -> BTreeSet<String> {
    let written = ["format!(\"/", "LIMIT,\"/", "letpath=\"/"].into_iter();
    let written = written.flat_map(|before| code.split(before).skip(1));
    let paths = written.map(|rest| {
        let path = rest.split(['"', '?']).next().unwrap();
        let words = path.split('/').map(|word| if word.starts_with('{') { "*" } else { word });
        let path = words.collect::<Vec<_>>().join("/");
        // An image's name has any words.
        format!("GET /{}", path.replace("images/*/", "images/**/"))
    });
    paths.collect()
}

/// What the example's proxy passes on, in the words of [`METHODS`].
fn passed_on() -> BTreeSet<String> {
    let arguments = proxy_arguments();
    let allowed = arguments.iter().filter_map(|word| word.strip_prefix("-allow"));
    let allowed = allowed.filter(|word| word.starts_with(|first: char| first.is_ascii_uppercase()));
    let allowed = allowed.map(|word| {
        let (method, path) = word.split_once('=').unwrap();
        format!("{method} {}", path.replace("[^/]+", "*").replace(".+", "**"))
    });
    allowed.collect()
}

#[test]
fn the_proxy_passes_on_what_the_adapter_asks_and_no_more() {
    let code = code();
    let mut asked = paths(&code);
    assert!(asked.contains("GET /containers/json") && asked.contains("GET /containers/*/json"));
    for method in methods(&code) {
        let known = METHODS.iter().find(|(name, _)| *name == method);
        let Some((_, call)) = known else { panic!("say in METHODS what `{method}` asks") };
        asked.extend((!call.is_empty()).then(|| (*call).to_owned()));
    }
    assert_eq!(passed_on(), asked);
    let readme = crate::deploy::read("README.md");
    assert!(readme.contains(&format!("passes on the {} calls", asked.len())), "{}", asked.len());
}
