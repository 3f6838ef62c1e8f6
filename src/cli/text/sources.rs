//! The sources as a line of text: what is known, how old it is, and what is not.

use std::collections::BTreeMap;

use super::style::RenderOptions;
use crate::view::{ProxyOutput, SourceOutput, words};

/// `sources  gitlab known 0.4s (2 requests) · rack UNKNOWN 41s: connect timed out`; GitLab first.
pub(crate) fn lines(
    sources: &BTreeMap<String, SourceOutput>,
    options: &RenderOptions,
) -> Vec<String> {
    let mut sources: Vec<_> = sources.iter().collect();
    sources.sort_by_key(|(name, _)| *name != "gitlab");
    let all = sources.clone();
    let (known, unknown): (Vec<_>, Vec<_>) =
        sources.into_iter().partition(|(_, source)| source.is_known());
    let known: Vec<String> = known.iter().map(|(name, source)| one(name, source)).collect();
    let mut lines = Vec::new();
    if !known.is_empty() {
        lines.push(known.join(" · "));
    }
    let hint_indent = format!("\n{INDENT}");
    let set_aside =
        sources_set_aside(&all).into_iter().map(|said| said.replace('\n', &hint_indent));
    lines.extend(set_aside.map(|said| options.paint.notable(&said)));
    for (name, source) in &unknown {
        let line = one(name, source).replace('\n', &hint_indent);
        lines.push(options.paint.bad(&line));
    }
    let heads = std::iter::once("sources  ").chain(std::iter::repeat(INDENT));
    heads.zip(lines).map(|(head, line)| format!("{head}{line}")).collect()
}

/// What is unknown, one line each: `rack UNKNOWN 41s: connect timed out`
pub(crate) fn unknown(sources: &BTreeMap<String, SourceOutput>) -> Vec<String> {
    let unknown = sources.iter().filter(|(_, source)| !source.is_known());
    unknown.map(|(name, source)| one(name, source)).collect()
}

/// `note     the token's scopes are …`, and what to do about it below.
pub(crate) fn notes(notices: &[String], options: &RenderOptions) -> Vec<String> {
    let indent = format!("\n{INDENT}");
    let lines = notices.iter().map(|notice| words::plain_lines(notice).replace('\n', &indent));
    lines.map(|line| options.paint.bad(&format!("note     {line}"))).collect()
}

/// `proxy    http://proxy:3128, runners and jobs of all pools (by `proxy`)`
pub(crate) fn proxies(proxies: &[ProxyOutput]) -> Vec<String> {
    let words = proxies.iter().map(ProxyOutput::in_words);
    words.map(|words| format!("proxy    {}", words::plain(&words))).collect()
}

/// What could not be read of sources that are known.
fn sources_set_aside(sources: &[(&String, &SourceOutput)]) -> Vec<String> {
    let known = sources.iter().filter_map(|(_, source)| match source {
        SourceOutput::Known { set_aside, .. } => Some(set_aside),
        SourceOutput::Unknown { .. } => None,
    });
    known.flatten().map(|said| format!("set aside: {}", words::plain_lines(said))).collect()
}

const INDENT: &str = "         ";

fn one(name: &str, source: &SourceOutput) -> String {
    match source {
        SourceOutput::Known { age, requests: None, .. } => format!("{name} known {age}"),
        SourceOutput::Known { age, requests: Some(requests), .. } => {
            let count = usize::try_from(*requests).unwrap_or(usize::MAX);
            format!("{name} known {age} ({})", words::count(count, "request"))
        }
        SourceOutput::Unknown { age, error, .. } => {
            format!("{name} UNKNOWN {age}: {}", words::plain_lines(error))
        }
    }
}
