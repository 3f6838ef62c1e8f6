//! Specs of a few hundred kilobytes that would grow into gigabytes or hours.

use std::fmt::Write as _;

use autogit::spec::{Code, Faults, Missing, Spec};

/// Twice a file's limit would be too much to say about any file.
const SAID_BYTES_MAX: usize = 2 << 20;

fn faults(text: &str, value: &str) -> Faults {
    let lookup = |_: &str| Some(value.to_owned());
    Spec::parse("a.yaml", text, &lookup, Missing::Fault).unwrap_err()
}

#[track_caller]
fn check(text: &str, value: &str, said: &str) {
    let faults = faults(text, value);
    let codes: Vec<Code> = faults.iter().map(|fault| fault.code).collect();
    assert!(codes.contains(&Code::TooLarge), "{codes:?}");
    let rendered = faults.render(false);
    assert!(rendered.contains(said), "{rendered:.300}");
    assert!(rendered.len() <= SAID_BYTES_MAX, "{}", rendered.len());
}

/// A spec whose only pool gives its jobs this environment.
fn environment(inside: &str) -> String {
    format!(
        "gitlab: {{url: http://g.test, token: t}}\n\
         pools: {{linux: {{tags: [docker], job: {{environment: {{{inside}}}}}}}}}\n"
    )
}

#[test]
fn a_long_text_behind_many_aliases_is_refused() {
    let text = format!("a: &a '{}'\nb: [{}]\n", "x".repeat(50_000), "*a,".repeat(20_000));
    check(&text, "", "the file is larger than 4096 KiB, aliases replaced");
}

#[test]
fn a_long_text_in_the_defaults_of_many_pools_is_refused() {
    let mut text =
        format!("defaults: {{job: {{environment: {{A: '{}'}}}}}}\npools:\n", "x".repeat(100_000));
    for pool in 0..1000 {
        writeln!(text, "  p{pool}: {{}}").unwrap();
    }
    check(&text, "", "`defaults` gives all pools together more than 16 MiB");
}

#[test]
fn a_long_variable_that_is_named_often_is_refused() {
    let text = environment(&format!("A: \"{}\"", "${A}".repeat(200_000)));
    check(&text, &"x".repeat(100_000), "the file is larger than 4096 KiB, variables replaced");
    let several: String =
        (0..5_000).fold(String::new(), |text, at| text + &format!("A{at}: \"${{A}}\", "));
    check(&environment(&several), &"x".repeat(1000), "variables replaced");
}

#[test]
fn a_key_of_half_a_megabyte_is_refused() {
    let text = format!("? {}\n: {{a: b}}\n", "k".repeat(500_000));
    check(&text, "", "a key is longer than 1024 bytes");
}

#[test]
fn many_different_variables_in_one_value_are_read_in_one_pass() {
    let variables = (0..100_000).fold(String::new(), |text, at| text + &format!("${{A{at}}}"));
    let text = environment(&format!("A: \"{variables}\""));
    let lookup = |_: &str| Some("x".to_owned());
    let parsed = Spec::parse("a.yaml", &text, &lookup, Missing::Fault).unwrap();
    assert_eq!(parsed.spec.pools[0].job.environment["A"].len(), 100_000);
}

#[test]
fn many_faulty_pools_are_compared_without_looking_at_all_faults() {
    let mut text = "gitlab: {url: 'http://g.test', token: t}\npools:\n".to_owned();
    for pool in 0..900 {
        writeln!(text, "  p{pool}: {{tags: [t{pool}], unknown: 1, job: {{volumes: [a]}}}}")
            .unwrap();
    }
    let rendered = faults(&text, "").render(false);
    assert!(rendered.contains("unknown"), "{rendered:.300}");
    assert!(rendered.len() <= SAID_BYTES_MAX, "{}", rendered.len());
}

#[test]
fn a_fault_in_a_line_too_long_to_show_is_told_in_words() {
    let keys = (0..20_000).fold(String::new(), |text, at| text + &format!("key{at}: 1, "));
    let rendered = faults(&format!("{{{keys}}}\n"), "").render(false);
    assert!(rendered.starts_with("error: "), "{rendered:.300}");
    assert!(rendered.contains("╭─[a.yaml:1:"), "{rendered:.300}");
    assert!(rendered.len() <= SAID_BYTES_MAX, "{}", rendered.len());
}
