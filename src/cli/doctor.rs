//! `autogit doctor`: each precondition as one line, with its remedy.

use std::process::ExitCode;

use schemars::JsonSchema;
use serde::Serialize;

use super::arguments::{Doctor, Format};
use super::shell::{Shell, say, talk_meanwhile};
use super::text::{RenderOptions, json};
use crate::error_policy::{EXIT_FAILED, EXIT_USAGE};
use crate::operate::doctor::{Area, Check, Finding, Verdict, examine};
use crate::operate::doctor::{Done, Report};
use crate::operate::{Adapters, Failure};
use crate::view::words;

/// What `doctor --format json` prints.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DoctorOutput {
    /// The file as it was named.
    pub file: String,
    /// The instance's name; none where the spec does not load.
    pub instance: Option<String>,
    /// When it was looked at, in UTC.
    pub at: String,
    /// What was found, check by check.
    pub findings: Vec<FindingOutput>,
    /// What `--fix` did; the findings are of after that. Left out where it did nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<DoneOutput>,
    /// How many findings there are of each verdict.
    pub counts: CountsOutput,
}

/// What a check found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FindingOutput {
    /// `spec`, `gitlab`, `host`, `network`, `files`, `webhook` or `instance`.
    pub area: &'static str,
    /// The check's name.
    pub check: &'static str,
    /// The host, pool, file or project that it is about; none where there is but one.
    pub about: Option<String>,
    /// `ok`, `warning`, `not known` or `failed`.
    pub verdict: &'static str,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// The check that failed first, so that this one could not be made.
    pub behind: Option<&'static str>,
    /// What `--fix` would do about it.
    pub fix: Option<String>,
}

/// Something that `--fix` did.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DoneOutput {
    /// What.
    pub what: String,
    /// Why it came to nothing, if it did.
    pub error: Option<String>,
}

/// Findings by verdict.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CountsOutput {
    /// As it has to be.
    pub ok: usize,
    /// With a drawback.
    pub warning: usize,
    /// Not found out.
    pub unknown: usize,
    /// In the way.
    pub failed: usize,
}

pub(super) async fn doctor(
    arguments: Doctor,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let place = arguments.spec.place(shell);
    talk_meanwhile("asking GitLab and the engines …");
    let report = examine(&place, arguments.fix, shell, adapters).await?;
    let output = output(&report, words::instant(shell.clock().now()));
    match arguments.format {
        Format::Json => say(&json(&output))?,
        Format::Text => {
            let options = shell.render_options(false);
            let heading = report.loaded.as_ref().map(|loaded| {
                let instance = loaded.spec.instance.as_str();
                options.heading_of(&loaded.source, &loaded.hash, instance, shell.clock().now())
            });
            say(&render_doctor(&output, heading.as_deref(), &options))?;
        }
    }
    Ok(match (&report.loaded, output.counts.failed) {
        (None, _) => ExitCode::from(EXIT_USAGE),
        (Some(_), 0) => ExitCode::SUCCESS,
        (Some(_), _) => ExitCode::from(EXIT_FAILED),
    })
}

fn output(report: &Report, at: String) -> DoctorOutput {
    let Report { file, loaded, findings, done } = report;
    DoctorOutput {
        file: file.clone(),
        instance: loaded.as_ref().map(|loaded| loaded.spec.instance.to_string()),
        at,
        findings: findings.iter().map(finding_output).collect(),
        done: done.iter().map(done_output).collect(),
        counts: counts(findings),
    }
}

/// The JSON of one finding.
pub fn finding_output(finding: &Finding) -> FindingOutput {
    let Finding { check, about, verdict, found, remedy, behind, fix } = finding;
    FindingOutput {
        area: check.area().as_str(),
        check: check.name(),
        about: about.clone(),
        verdict: verdict.as_str(),
        found: found.clone(),
        remedy: remedy.clone(),
        behind: behind.map(Check::name),
        fix: fix.as_ref().map(ToString::to_string),
    }
}

fn done_output(Done { fix, result }: &Done) -> DoneOutput {
    DoneOutput { what: fix.to_string(), error: result.clone().err() }
}

fn counts(findings: &[Finding]) -> CountsOutput {
    let of = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    CountsOutput {
        ok: of(Verdict::Ok),
        warning: of(Verdict::Warning),
        unknown: of(Verdict::Unknown),
        failed: of(Verdict::Failed),
    }
}

/// What was found, as text.
pub fn render_doctor(
    output: &DoctorOutput,
    heading: Option<&str>,
    options: &RenderOptions,
) -> String {
    let mut lines: Vec<String> = heading.map(str::to_owned).into_iter().collect();
    for done in &output.done {
        lines.push(match &done.error {
            None => options.paint.good(&format!("fixed: {}", words::plain(&done.what))),
            Some(error) => {
                let line = format!("not fixed: {}: {}", done.what, error);
                options.paint.bad(&words::plain_lines(&line))
            }
        });
    }
    for area in Area::ALL {
        let findings = output.findings.iter().filter(|finding| finding.area == area.as_str());
        let mut findings = findings.peekable();
        if findings.peek().is_some() {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            lines.push(options.paint.strong(area.as_str()));
            let (made, not_made): (Vec<_>, Vec<_>) =
                findings.partition(|finding| finding.behind.is_none());
            lines.extend(made.into_iter().flat_map(|finding| finding_lines(finding, options)));
            lines.extend(behind_lines(&not_made, options));
        }
    }
    lines.push(String::new());
    lines.extend(summary(output));
    lines.join("\n") + "\n"
}

fn finding_lines(finding: &FindingOutput, options: &RenderOptions) -> Vec<String> {
    let verdict_width = Verdict::ALL.iter().map(|verdict| verdict.as_str().len()).max();
    let name_width = Check::ALL.iter().map(|check| check.name().len()).max();
    let (verdict_width, name_width) =
        (verdict_width.unwrap_or_default(), name_width.unwrap_or_default());
    let verdict = format!("{:verdict_width$}", finding.verdict);
    let verdict = match finding.verdict {
        "ok" => options.paint.good(&verdict),
        "failed" => options.paint.bad(&verdict),
        _ => options.paint.notable(&verdict),
    };
    let found = about_and_found(finding);
    let indent = " ".repeat(2 + verdict_width + 2 + name_width + 2);
    let found = found.replace('\n', &format!("\n{indent}"));
    let line = format!("  {verdict}  {:name_width$}  {found}", finding.check);
    let remedy = finding.remedy.as_ref();
    let remedy = remedy.map(|remedy| format!("{indent}hint: {}", words::plain(remedy)));
    std::iter::once(line).chain(remedy).collect()
}

fn about_and_found(finding: &FindingOutput) -> String {
    let about = finding.about.as_ref().map(|about| format!("{about}: ")).unwrap_or_default();
    words::plain_lines(&format!("{about}{}", finding.found))
}

/// What could not be found out for one thing that failed is one line, however many checks it is.
fn behind_lines(findings: &[&FindingOutput], options: &RenderOptions) -> Vec<String> {
    let mut causes: Vec<(String, Vec<&str>)> = Vec::new();
    for finding in findings {
        let remedy = finding.remedy.as_deref().unwrap_or_default();
        let cause = words::plain(&format!("{}; {remedy}", about_and_found(finding))).into_owned();
        match causes.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, checks)) => checks.push(finding.check),
            None => causes.push((cause, vec![finding.check])),
        }
    }
    let verdict = options.paint.notable(Verdict::Unknown.as_str());
    let lines = causes.into_iter();
    lines.map(|(cause, checks)| format!("  {verdict}  {}: {cause}", checks.join(", "))).collect()
}

fn summary(output: &DoctorOutput) -> Vec<String> {
    let CountsOutput { ok, warning, unknown, failed } = output.counts;
    let warnings = words::count(warning, "warning");
    let mut lines = vec![format!("{ok} ok, {warnings}, {unknown} not known, {failed} failed")];
    let fixes: Vec<&str> =
        output.findings.iter().filter_map(|finding| finding.fix.as_deref()).collect();
    if !fixes.is_empty() && output.done.is_empty() {
        lines.push(format!("`autogit doctor --fix` would {}", fixes.join(", ")));
    }
    lines
}
