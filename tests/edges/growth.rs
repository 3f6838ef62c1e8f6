//! Specs of a few hundred kilobytes that would grow into gigabytes or hours.

use autogit::spec::{Faults, Missing, Spec};

/// Twice a file's limit would be too much to say about any file.
const SAID_BYTES_MAX: usize = 2 << 20;

fn faults(text: &str, value: &str) -> Faults {
    let lookup = |_: &str| Some(value.to_owned());
    Spec::parse("a.yaml", text, &lookup, Missing::Fault).unwrap_err()
}

#[test]
fn a_fault_in_a_line_too_long_to_show_is_told_in_words() {
    let keys = (0..20_000).fold(String::new(), |text, at| text + &format!("key{at}: 1, "));
    let rendered = faults(&format!("{{{keys}}}\n"), "").render(false);
    assert!(rendered.starts_with("error: "), "{rendered:.300}");
    assert!(rendered.contains("╭─[a.yaml:1:"), "{rendered:.300}");
    assert!(rendered.len() <= SAID_BYTES_MAX, "{}", rendered.len());
}
