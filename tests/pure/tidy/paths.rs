//! Paths as they stand in code, with `use` groups spelled out.

/// What follows `root::` wherever that begins a path; the root alone gives an empty one.
pub(crate) fn rooted_at(code: &str, root: &str) -> Vec<String> {
    let opening = format!("{root}::");
    let mut found = Vec::new();
    for (at, _) in code.match_indices(&opening) {
        let before = code[..at].chars().next_back();
        if !before.is_some_and(|before| is_word(before) || before == ':') {
            expand(&code[at + opening.len()..], "", &mut found);
        }
    }
    found
}

/// Whether a path is `module` or goes through it.
pub(crate) fn names(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Reads one path or group into `found`; returns what follows it.
fn expand<'a>(text: &'a str, before: &str, found: &mut Vec<String>) -> &'a str {
    if let Some(group) = text.strip_prefix('{') {
        let mut rest = group.trim_start();
        while !rest.is_empty() && !rest.starts_with('}') {
            rest = expand(rest, before, found);
            // Over ` as Name` to the next entry or the end.
            rest = &rest[rest.find([',', '}']).unwrap_or(rest.len())..];
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        return rest.strip_prefix('}').unwrap_or(rest);
    }
    let (word, rest) = text.split_at(text.find(|letter| !is_word(letter)).unwrap_or(text.len()));
    let path = format!("{before}{word}");
    if let Some(deeper) = rest.strip_prefix("::") {
        return expand(deeper, &format!("{path}::"), found);
    }
    found.push(path);
    rest
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[test]
fn groups_are_spelled_out() {
    let code = "use crate::{a::{self, B as C}, d,\n e::F};\nlet g = crate::h::I::<J>::k();";
    assert_eq!(rooted_at(code, "crate"), ["a::self", "a::B", "d", "e::F", "h::I::"]);
}

#[test]
fn a_root_inside_a_longer_word_or_path_is_none() {
    assert!(rooted_at("notstd::env other::std::env", "std").is_empty());
}

#[test]
fn a_module_is_not_named_by_its_namesake() {
    assert!(names("gitlab::http", "gitlab"));
    assert!(names("gitlab", "gitlab"));
    assert!(!names("gitlabels::of", "gitlab"));
}
