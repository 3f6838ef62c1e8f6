//! What `autogit doctor` makes of answers, and the command itself.

/// Cases, two lines each.
macro_rules! cases {
    ($($what:literal: $findings:expr => $check:ident $verdict:ident [$($word:literal),*];)*) => {
        vec![$(crate::doctor::Case {
            what: $what,
            findings: $findings,
            check: autogit::operate::doctor::Check::$check,
            verdict: autogit::operate::doctor::Verdict::$verdict,
            words: &[$($word),*],
        }),*]
    };
}

mod command;
mod files;
mod gitlab;
mod host;
mod look;
mod render;

use std::collections::BTreeSet;

use autogit::operate::doctor::{Check, Finding, Verdict};
use autogit::spec::{Missing, Spec};

/// A spec with one pool; `rest` is in `gitlab`, `pool` in the pool.
fn spec(rest: &str, pool: &str) -> Spec {
    let text = format!(
        "gitlab: {{url: 'https://gitlab.example', token: glpat-x{rest}}}\n\
         hosts: {{rack: {{docker: 'unix:///var/run/docker.sock'}}}}\n\
         pools: {{linux: {{tags: [docker]{pool}}}}}\n"
    );
    match Spec::parse("autogit.yaml", &text, &|_| None, Missing::Fault) {
        Ok(parsed) => parsed.spec,
        Err(faults) => panic!("{}", faults.in_words()),
    }
}

/// One answer, and what is to be said of it.
struct Case {
    what: &'static str,
    findings: Vec<Finding>,
    check: Check,
    verdict: Verdict,
    /// What finding and remedy have in them.
    words: &'static [&'static str],
}

impl Case {
    /// All findings of that check, in words.
    fn said(&self) -> Vec<String> {
        let of_it = self.findings.iter().filter(|finding| finding.check == self.check);
        of_it
            .filter(|finding| finding.verdict == self.verdict)
            .map(|finding| {
                let remedy = finding.remedy.as_deref().unwrap_or_default();
                let about = finding.about.as_deref().unwrap_or_default();
                format!("{about}: {}; hint: {remedy}", finding.found)
            })
            .collect()
    }
}

fn check(cases: &[Case]) {
    for case in cases {
        let said = case.said();
        let fits = |line: &String| case.words.iter().all(|word| line.contains(word));
        assert!(said.iter().any(fits), "{}: {:?} in\n{:#?}", case.what, case.words, case.findings);
        for finding in &case.findings {
            let fine = finding.verdict == Verdict::Ok;
            assert!(fine || finding.remedy.is_some(), "{}: no remedy: {finding:?}", case.what);
        }
    }
}

fn all_cases() -> Vec<Case> {
    [gitlab::cases(), host::cases(), files::cases(), look::cases()].into_iter().flatten().collect()
}

/// `spec` has its case in [`command`]; the other two are for information.
#[test]
fn each_check_has_an_answer_that_is_not_fine() {
    let judged: BTreeSet<Check> = all_cases()
        .into_iter()
        .filter(|case| case.verdict != Verdict::Ok)
        .map(|case| case.check)
        .collect();
    let informing = [Check::Spec, Check::Gpus, Check::EngineUser];
    let lacking: Vec<&str> = Check::ALL
        .into_iter()
        .filter(|check| !judged.contains(check) && !informing.contains(check))
        .map(Check::name)
        .collect();
    assert!(lacking.is_empty(), "{lacking:?}");
}

#[test]
fn each_check_has_a_name_of_its_own_and_says_what_has_to_be_so() {
    let names: BTreeSet<&str> = Check::ALL.into_iter().map(Check::name).collect();
    assert_eq!(names.len(), Check::ALL.len());
    assert!(Check::ALL.into_iter().all(|check| !check.asks().is_empty()));
    assert!(Check::ALL.is_sorted(), "they are shown in this order");
}
