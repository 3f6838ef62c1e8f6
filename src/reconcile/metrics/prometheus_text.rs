//! OpenMetrics text in Prometheus' older form. Both have the same samples; what is said about them
//! differs: a counter is described by the name of its samples, `info` and `unknown` are no types,
//! and neither units nor the end are written.

/// `text` in the older form.
pub(super) fn of(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // A family's HELP comes before its TYPE, and only the type says which name HELP has to have.
    let mut help: Option<(&str, &str)> = None;
    for line in text.lines() {
        let words = line.strip_prefix("# ").map(|rest| rest.splitn(3, ' '));
        let words: Vec<&str> = words.into_iter().flatten().collect();
        match *words.as_slice() {
            ["HELP", name, says] => help = Some((name, says)),
            ["TYPE", name, kind] => {
                let (ending, kind) = match kind {
                    "counter" => ("_total", kind),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    _ => ("", kind),
                };
                if let Some((_, says)) = help.take().filter(|(of, _)| *of == name) {
                    push(&mut out, &["# HELP ", name, ending, " ", says]);
                }
                push(&mut out, &["# TYPE ", name, ending, " ", kind]);
            }
            [] => push(&mut out, &[line]),
            // `# UNIT` and `# EOF`.
            _ => {}
        }
    }
    out
}

fn push(out: &mut String, parts: &[&str]) {
    out.extend(parts.iter().copied());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn what_is_said_about_samples_has_their_names() {
        let open = "# HELP a_decisions Made.\n# TYPE a_decisions counter\n\
                    a_decisions_total{rule=\"x\"} 3\n# HELP a_build Version.\n\
                    # TYPE a_build info\na_build_info{version=\"1\"} 1\n\
                    # HELP a_age_seconds Age.\n# TYPE a_age_seconds gauge\n\
                    # UNIT a_age_seconds seconds\na_age_seconds 0.5\n# EOF\n";
        let plain = "# HELP a_decisions_total Made.\n# TYPE a_decisions_total counter\n\
                     a_decisions_total{rule=\"x\"} 3\n# HELP a_build_info Version.\n\
                     # TYPE a_build_info gauge\na_build_info{version=\"1\"} 1\n\
                     # HELP a_age_seconds Age.\n# TYPE a_age_seconds gauge\na_age_seconds 0.5\n";
        assert_eq!(of(open), plain);
    }
}
