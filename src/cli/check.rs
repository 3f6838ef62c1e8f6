//! `autogit check`: all faults of a spec at once.

use std::process::ExitCode;

use schemars::JsonSchema;
use serde::Serialize;

use super::arguments::{Check, Format};
use super::shell::{Shell, say, talk};
use super::text::{json, sources};
use crate::error_policy::EXIT_USAGE;
use crate::operate::{Adapters, Failure, SpecPlace};
use crate::source::{LoadError, Origin, Warning, load};
use crate::spec::{Fault, Faults, Missing, Severity, Spec};
use crate::view::{ProxyOutput, proxies};

/// What `check --format json` prints.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CheckOutput {
    /// The file as it was named.
    pub file: String,
    /// It would come into force.
    pub valid: bool,
    /// All that is wrong with it or worth a look, in file order.
    pub faults: Vec<FaultOutput>,
    /// The proxies that runners and jobs would use; left out where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proxies: Vec<ProxyOutput>,
}

/// One fault.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FaultOutput {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// Its kind, as one word; none where it is about no line.
    pub code: Option<&'static str>,
    /// The value's path, as in `pools.linux.warm`; none where it is about no value.
    pub path: Option<String>,
    /// Counted from 1; none where it is about no line.
    pub line: Option<usize>,
    /// Counted from 1, in characters.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// What was found in a file.
struct Findings {
    /// For people, ready to print.
    text: String,
    output: CheckOutput,
}

pub(super) async fn check(
    arguments: &Check,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let place = arguments.spec.place(shell);
    let origin = place.origin(shell, adapters)?;
    let color = shell.colours_talk();
    let findings = if arguments.no_env {
        without_environment(&origin, color).await
    } else {
        whole(&origin, &place, shell, adapters).await
    };
    let Findings { text, output } = findings;
    if !text.is_empty() {
        talk(text.trim_end());
    }
    match arguments.format {
        Format::Json => say(&json(&output))?,
        Format::Text if output.valid => {
            let proxies = sources::proxies(&output.proxies);
            let lines = proxies.into_iter().chain([format!("{} is fine", output.file)]);
            say(&(lines.collect::<Vec<_>>().join("\n") + "\n"))?;
        }
        Format::Text => {}
    }
    Ok(if output.valid { ExitCode::SUCCESS } else { ExitCode::from(EXIT_USAGE) })
}

/// As `autogit run` would read it, files and variables included.
async fn whole(origin: &Origin, place: &SpecPlace, shell: &Shell, adapters: Adapters) -> Findings {
    let environment = shell.environment(&place.env_files);
    let file = origin.to_string();
    match load(origin, &environment, shell.clock().now()).await {
        Ok(loaded) => {
            if let Err(problem) = adapters.connect(&loaded, shell) {
                let faults = vec![bare_output(Severity::Error, &problem)];
                let text = format!("error: {problem}");
                return Findings {
                    text,
                    output: CheckOutput { file, valid: false, faults, proxies: Vec::new() },
                };
            }
            let faults = loaded.warnings.iter().map(warning_output).collect();
            let text = warnings_text(&file, &loaded.warnings, shell.colours_talk());
            let proxies = proxies(&loaded.spec);
            Findings { text, output: CheckOutput { file, valid: true, faults, proxies } }
        }
        Err(error) => refused(file, &error, shell.colours_talk()),
    }
}

/// Those of the file's lines first.
fn warnings_text(file: &str, warnings: &[Warning], color: bool) -> String {
    let (mut faults, mut others) = (Vec::new(), Vec::new());
    for warning in warnings {
        match warning {
            Warning::Spec { fault, .. } => faults.push(fault.clone()),
            Warning::Exposed { .. }
            | Warning::Weak { .. }
            | Warning::Proxy { .. }
            | Warning::Unprotected { .. }
            | Warning::MountedAlone { .. } => {
                others.push(format!("warning: {warning}\n"));
            }
        }
    }
    Faults::new(file, faults).render(color) + &others.concat()
}

/// The text alone.
async fn without_environment(origin: &Origin, color: bool) -> Findings {
    let file = origin.to_string();
    let text = match origin.read().await {
        Ok(text) => text,
        Err(error) => return refused(file, &error, color),
    };
    let limits = origin.limits();
    let limits = limits.as_ref();
    match Spec::parse_by_place(&file, text.as_str(), &|_, _| None, Missing::Accept, limits) {
        Ok(parsed) => {
            let proxies = proxies(&parsed.spec);
            let faults = Faults::new(&file, parsed.warnings);
            let output = CheckOutput { file, valid: true, faults: outputs(&faults), proxies };
            Findings { text: faults.render(color), output }
        }
        Err(faults) => refused(file, &LoadError::Spec(faults), color),
    }
}

fn refused(file: String, error: &LoadError, color: bool) -> Findings {
    let faults = match error {
        LoadError::Spec(faults) => outputs(faults),
        LoadError::Both { text, files } => {
            let files = files.iter().map(|file| bare_output(Severity::Error, &file.to_string()));
            outputs(text).into_iter().chain(files).collect()
        }
        LoadError::Missing { .. }
        | LoadError::File(_)
        | LoadError::Remote(_)
        | LoadError::EnvFile(_)
        | LoadError::Named(_) => vec![bare_output(Severity::Error, &error.to_string())],
    };
    let text = match error {
        LoadError::Spec(faults) => faults.render(color),
        LoadError::Both { text, files } => {
            let files = files.iter().map(|file| format!("error: {file}\n"));
            text.render(color) + &files.collect::<String>()
        }
        LoadError::Missing { .. }
        | LoadError::File(_)
        | LoadError::Remote(_)
        | LoadError::EnvFile(_)
        | LoadError::Named(_) => format!("error: {error}"),
    };
    Findings { text, output: CheckOutput { file, valid: false, faults, proxies: Vec::new() } }
}

fn outputs(faults: &Faults) -> Vec<FaultOutput> {
    faults.iter().map(fault_output).collect()
}

fn fault_output(fault: &Fault) -> FaultOutput {
    FaultOutput {
        severity: fault.severity.as_str(),
        code: Some(fault.code.as_str()),
        path: Some(fault.path.clone()),
        line: Some(fault.line),
        column: Some(fault.column),
        message: fault.message_in_full(),
        hint: fault.hint_in_full(),
    }
}

fn warning_output(warning: &Warning) -> FaultOutput {
    match warning {
        Warning::Spec { fault, .. } => fault_output(fault),
        Warning::Exposed { .. }
        | Warning::Weak { .. }
        | Warning::Proxy { .. }
        | Warning::Unprotected { .. }
        | Warning::MountedAlone { .. } => bare_output(Severity::Warning, &warning.to_string()),
    }
}

fn bare_output(severity: Severity, words: &str) -> FaultOutput {
    let (message, hint) = match words.split_once("\nhint: ") {
        Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
        None => (words.to_owned(), None),
    };
    let severity = severity.as_str();
    FaultOutput { severity, code: None, path: None, line: None, column: None, message, hint }
}
