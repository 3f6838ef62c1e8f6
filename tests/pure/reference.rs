//! The references that are made from types: the commands, the HTTP API, the metrics. Set
//! `UPDATE_CASES` to write what is said now; then read the difference.

use std::fmt::Write as _;
use std::path::Path;

use autogit::api::openapi_document;
use autogit::reconcile::{Described, Metrics};
use clap::Command;

fn check(file: &str, said: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(file);
    if std::env::var_os("UPDATE_CASES").is_some() {
        std::fs::write(&path, said).unwrap();
    } else {
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(published == said, "schema/{file}: run this test with UPDATE_CASES=1");
    }
}

#[test]
fn the_published_commands_are_those_of_this_version() {
    let mut whole = autogit::cli::command_line();
    whole.build();
    let mut page = "# The commands of `autogit`\n\n\
        What `autogit COMMAND --help` says of each. `autogit completions install` lets your shell \
        complete them, and `autogit man` makes manual pages of them.\n"
        .to_owned();
    describe(&whole, &mut page);
    check("cli.md", &page);
}

fn describe(command: &Command, page: &mut String) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    let help = command.clone().render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    write!(page, "\n## `{name}`\n\n```text\n{}\n```\n", lines.join("\n").trim_end()).unwrap();
    for below in command.get_subcommands() {
        if below.get_name() != "help" && !below.is_hide_set() {
            describe(below, page);
        }
    }
}

#[test]
fn the_published_routes_are_those_of_this_version() {
    let document = openapi_document();
    let mut page = "# The HTTP API\n\n\
        `GET /openapi.json` describes each answer to the last field. A route that needs a token takes \
        `Authorization: Bearer` with that of `api.token`; `POST /plan` takes that of \
        `api.plan_token_file`, too. Where `api.read_token` is set, all of them need one, but `/`, `/health`, \
        `/openapi.json` and the webhook, which has a secret of its own.\n\n\
        | route | what | token |\n| --- | --- | --- |\n"
        .to_owned();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, described) in methods.as_object().unwrap() {
            let needs_token = !described["security"].as_array().unwrap().is_empty();
            let token = if needs_token { "needed" } else { "" };
            let (method, what) = (method.to_uppercase(), described["summary"].as_str().unwrap());
            writeln!(page, "| `{method} {path}` | {what} | {token} |").unwrap();
        }
    }
    check("http.md", &page);
}

#[test]
fn the_published_metrics_are_those_of_this_version() {
    let mut page = "# The metrics of `GET /metrics`\n\n\
        Labels come from the spec or from a closed set: the number of series does not grow with the \
        queue. Counters end with `_total`, and histograms with `_bucket`, `_sum` and `_count`. What the \
        process uses of the machine is told under the usual names that begin with `process_`.\n\n\
        | metric | type | meaning |\n| --- | --- | --- |\n"
        .to_owned();
    for Described { name, kind, meaning } in Metrics::default().described() {
        writeln!(page, "| `{name}` | {kind} | {meaning} |").unwrap();
    }
    check("metrics.md", &page);
}
