//! Changes one variable in the text of an env file, and leaves the rest as it is written.

/// The text with that variable's last line, the one that counts, saying `value`; with a new line at the
/// end where there is none.
pub(crate) fn with_variable(text: &str, name: &str, value: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let place = lines.iter_mut().rev().find_map(|line| {
        let before = prefix(line, name)?.to_owned();
        Some((line, before))
    });
    match place {
        Some((line, before)) => *line = format!("{before}{}", quoted(value)),
        None => lines.push(format!("{name}={}", quoted(value))),
    }
    lines.join("\n") + "\n"
}

/// What stands before the value, if the line is about that variable.
fn prefix<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (before, _) = line.split_once('=')?;
    let written = before.trim();
    let written = match written.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
        _ => written,
    };
    (written == name).then(|| line.get(..=before.len())).flatten()
}

/// A value as compose, shells and AutoGit read it alike.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@+=,%~".contains(c);
    if value.chars().all(plain) {
        return value.to_owned();
    }
    if !value.contains('\'') {
        return format!("'{value}'");
    }
    let mut text = String::from("\"");
    for letter in value.chars() {
        if "\"\\$`".contains(letter) {
            text.push('\\');
        }
        text.push(letter);
    }
    text + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::parse_env_file;

    #[test]
    fn only_the_line_that_counts_changes() {
        let text = "# mine\nGITLAB_TOKEN=old\nA=1 # one\nexport GITLAB_TOKEN = 'older'\n";
        let changed = with_variable(text, "GITLAB_TOKEN", "glpat-new");
        let kept = "# mine\nGITLAB_TOKEN=old\nA=1 # one\nexport GITLAB_TOKEN =glpat-new\n";
        assert_eq!(changed, kept);
        assert_eq!(parse_env_file(&changed).unwrap()["GITLAB_TOKEN"], "glpat-new");
        assert_eq!(with_variable("A=1", "B", "2"), "A=1\nB=2\n");
        assert_eq!(with_variable("# GITLAB_TOKEN=x", "GITLAB_TOKEN", "y").lines().count(), 2);
    }

    #[test]
    fn every_value_is_read_back_as_it_was() {
        for value in ["plain", "with space", "a$b", "it's", "quote\"and\\$", "#no", "'"] {
            let text = with_variable("", "X", value);
            assert_eq!(parse_env_file(&text).unwrap()["X"], value, "{text}");
        }
    }
}
