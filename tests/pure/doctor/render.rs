//! Text and JSON of findings.

use autogit::cli::{
    CountsOutput, DoctorOutput, DoneOutput, RenderOptions, finding_output, render_doctor,
};
use autogit::operate::doctor::{Check, Finding, Fix, Verdict};
use autogit::spec::HostName;

fn finding(check: Check, verdict: Verdict, found: &str) -> Finding {
    let remedy = (verdict != Verdict::Ok).then(|| "do this".to_owned());
    let found = found.to_owned();
    Finding { check, about: None, verdict, found, remedy, behind: None, fix: None }
}

fn output() -> DoctorOutput {
    let host = HostName::new("rack").unwrap();
    let about = Some("rack".to_owned());
    let findings = [
        finding(Check::Spec, Verdict::Ok, "autogit.yaml loads: 1 pool, 1 host"),
        finding(Check::Token, Verdict::Failed, "GitLab refused the token"),
        Finding {
            behind: Some(Check::Token),
            remedy: Some("correct `token` first".to_owned()),
            ..finding(Check::Queue, Verdict::Unknown, "GitLab could not be asked")
        },
        Finding {
            behind: Some(Check::Token),
            remedy: Some("correct `token` first".to_owned()),
            ..finding(Check::RunnerRights, Verdict::Unknown, "GitLab could not be asked")
        },
        Finding { about: about.clone(), ..finding(Check::Disk, Verdict::Warning, "5.0 GiB\nfree") },
        Finding {
            about,
            fix: Some(Fix::MakeNetwork { host }),
            ..finding(Check::Network, Verdict::Ok, "`n` is not there; the first runner makes it")
        },
    ];
    DoctorOutput {
        file: "autogit.yaml".to_owned(),
        instance: Some("autogit".to_owned()),
        at: "2026-01-02T03:04:05Z".to_owned(),
        findings: findings.iter().map(finding_output).collect(),
        done: Vec::new(),
        counts: CountsOutput { ok: 2, warning: 1, unknown: 2, failed: 1 },
    }
}

#[test]
fn each_finding_is_a_line_with_its_remedy_below() {
    insta::assert_snapshot!(render_doctor(&output(), Some("heading"), &RenderOptions::bare()));
}

#[test]
fn what_was_done_is_said_first() {
    let done = |what: &str, error: Option<&str>| DoneOutput {
        what: what.to_owned(),
        error: error.map(str::to_owned),
    };
    let done = vec![done("pull `a` on rack", None), done("pull `b` on rack", Some("denied"))];
    let text = render_doctor(&DoctorOutput { done, ..output() }, None, &RenderOptions::bare());
    let first: Vec<&str> = text.lines().take(2).collect();
    assert_eq!(first, ["fixed: pull `a` on rack", "not fixed: pull `b` on rack: denied"]);
    assert!(!text.contains("--fix` would"), "{text}");
}

#[test]
fn the_findings_have_the_published_fields() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&output()).unwrap());
}
