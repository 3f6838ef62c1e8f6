//! A job as GitLab hands it to a runner; only what the simulation uses.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::spec::Arch;
use crate::world::JobId;

/// How long a job takes that does not say so.
const DURATION: Duration = Duration::from_secs(3);
/// GitLab's own limit for a job that names none.
const TIMEOUT: Duration = Duration::from_hours(1);

/// The answer to `POST /jobs/request`.
#[derive(Debug, Deserialize)]
pub(super) struct Job {
    id: u64,
    pub(super) token: SecretString,
    #[serde(default, rename = "job_info")]
    pub(super) info: JobInfo,
    #[serde(default)]
    pub(super) git_info: GitInfo,
    #[serde(default)]
    runner_info: RunnerInfo,
    #[serde(default)]
    variables: Vec<Variable>,
    #[serde(default)]
    pub(super) services: Vec<Value>,
    #[serde(default)]
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    #[serde(default)]
    script: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct JobInfo {
    #[serde(default)]
    pub(super) project_id: u64,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct GitInfo {
    #[serde(default)]
    pub(super) repo_url: String,
    #[serde(default)]
    pub(super) r#ref: String,
    #[serde(default)]
    pub(super) sha: String,
}

#[derive(Debug, Default, Deserialize)]
struct RunnerInfo {
    #[serde(default)]
    timeout: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Variable {
    key: String,
    #[serde(default)]
    value: String,
}

impl Job {
    pub(super) fn id(&self) -> JobId {
        JobId(self.id)
    }

    /// A CI variable; the last one of that name wins, as in GitLab.
    pub(super) fn variable(&self, key: &str) -> Option<&str> {
        let named = self.variables.iter().rev().find(|variable| variable.key == key);
        named.map(|variable| variable.value.as_str())
    }

    /// How long its script runs: `SIMULATED_DURATION_MS`.
    pub(super) fn duration(&self) -> Duration {
        let millis = self.variable("SIMULATED_DURATION_MS").and_then(|value| value.parse().ok());
        millis.map_or(DURATION, Duration::from_millis)
    }

    /// What its script writes: each command, as gitlab-runner's shells show it (`shells/bash.go`), and
    /// what an `echo` says.
    pub(super) fn output(&self) -> Vec<String> {
        let lines = self.steps.iter().flat_map(|step| &step.script);
        let written = lines.flat_map(|line| {
            let said = line.strip_prefix("echo ").map(|words| words.trim_matches('"').to_owned());
            [Some(format!("$ {line}")), said].into_iter().flatten()
        });
        written.collect()
    }

    /// How its script ends: `SIMULATED_FAILS`.
    pub(super) fn exit_code(&self) -> i64 {
        i64::from(self.variable("SIMULATED_FAILS") == Some("true"))
    }

    /// The architecture of its image, where that is not its host's: `SIMULATED_IMAGE_ARCH`.
    pub(super) fn image_arch(&self) -> Option<Arch> {
        self.variable("SIMULATED_IMAGE_ARCH").and_then(Arch::parse)
    }

    /// After which time it is ended.
    pub(super) fn timeout(&self) -> Duration {
        self.runner_info.timeout.map_or(TIMEOUT, Duration::from_secs)
    }

    /// Its repository without credentials, in the way gitlab-runner logs it.
    pub(super) fn repo_url(&self) -> String {
        let url = &self.git_info.repo_url;
        match url.split_once("://") {
            Some((scheme, rest)) => {
                let place = rest.split_once('@').map_or(rest, |(_, place)| place);
                format!("{scheme}://{place}")
            }
            None => url.clone(),
        }
    }

    /// Its page, as gitlab-runner makes it up from the repository.
    pub(super) fn url(&self) -> String {
        let repository = self.repo_url();
        let project = repository.strip_suffix(".git").unwrap_or(&repository);
        format!("{project}/-/jobs/{}", self.id)
    }
}
