//! Source text as it may be shown: what is written where a secret belongs becomes `*`.

/// `text` with the values of secret-looking keys replaced by as many `*` as they have bytes, so
/// that places stay where they are. Variables are left: they name a secret and do not hold it.
/// Works on lines, because text that is no YAML is shown too.
pub(super) fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        while let Some(at) = secret_value(rest) {
            let (before, value) = rest.split_at(at);
            let length = value_length(value);
            let (secret, after) = value.split_at(length);
            shown.push_str(before);
            if secret.contains("${") || secret == "null" || secret == "~" {
                shown.push_str(secret);
            } else {
                shown.push_str(&"*".repeat(secret.len()));
            }
            rest = after;
        }
        shown.push_str(rest);
    }
    shown
}

/// Where the first value of a secret-looking key begins.
fn secret_value(line: &str) -> Option<usize> {
    let colons = line.match_indices(':').map(|(at, _)| at);
    colons.filter(|at| line.get(..*at).is_some_and(is_secret_key)).find_map(|at| {
        let after = line.get(at + 1..)?;
        let value = after.trim_start();
        let begins = line.len() - value.len();
        (value.len() < after.len() && !value.is_empty()).then_some(begins)
    })
}

/// More of a key's end than any ending that is looked for.
const ENDING_MAX: usize = 32;

fn is_secret_key(before_colon: &str) -> bool {
    let key = before_colon.trim_end().trim_end_matches(['"', '\'']);
    // The end alone: a line may be long and have a colon in every other place.
    let begins = key.floor_char_boundary(key.len().saturating_sub(ENDING_MAX));
    key.get(begins..).is_some_and(is_secret_name)
}

/// Whether what goes by this name is a secret: a key of the file or a variable.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "secret", "password", "passwd", "private_key", "api_key"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Bytes of the value that begins here: the quoted text, or up to a flow delimiter or comment.
fn value_length(value: &str) -> usize {
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    if let Some(quote) = quote {
        let closing = value.get(1..).and_then(|inner| inner.find(quote));
        return closing.map_or(value.trim_end().len(), |at| at + 2);
    }
    if value.starts_with("${") {
        return value.find('}').map_or(value.len(), |at| at + 1);
    }
    value.find([' ', ',', '}', ']', '\n', '\r']).unwrap_or(value.len()).max(1)
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn a_secret_is_masked_byte_by_byte() {
        assert_eq!(
            masked("  token: glpat-1\nurl: http://x\n"),
            "  token: *******\nurl: http://x\n"
        );
        assert_eq!(masked("{runner_token: 'gl 1', a: b}"), "{runner_token: ******, a: b}");
    }

    #[test]
    fn what_only_names_a_secret_stays() {
        for line in ["token: ${GITLAB_TOKEN}", "token_file: /run/token", "token:\n", "token:x"] {
            assert_eq!(masked(line), line);
        }
    }
}
