//! The labels that gitlab-runner puts on everything a job creates.

use gitlab_runner::job::Job;
use serde_json::{Map, Value};

use crate::config::Runner;

const PREFIX: &str = "com.gitlab.gitlab-runner.";

/// What a job's containers, volumes and networks have in common.
#[derive(Clone)]
pub struct Labels(Map<String, Value>);

impl Labels {
    pub fn of(job: &Job, config: &Runner, system_id: &str) -> Self {
        let variable = |key| job.variable(key).map(|found| found.value()).unwrap_or_default();
        let job_id = job.id().to_string();
        let timeout = match variable("CI_JOB_TIMEOUT") {
            "" => "1h0m0s".to_owned(),
            secs => format!("{secs}s"),
        };
        let job_url = match variable("CI_JOB_URL") {
            "" => format!("{}/-/jobs/{job_id}", repository(job).trim_end_matches(".git")),
            url => url.to_owned(),
        };
        Self(Map::new())
            .and("managed", "true")
            .and("job.id", &job_id)
            .and("job.url", &job_url)
            .and("job.sha", variable("CI_COMMIT_SHA"))
            .and("job.ref", variable("CI_COMMIT_REF_NAME"))
            .and("job.timeout", &timeout)
            .and("project.id", variable("CI_PROJECT_ID"))
            .and("pipeline.id", variable("CI_PIPELINE_ID"))
            .and("runner.id", &config.short_token())
            .and("runner.local_id", "0")
            .and("runner.system_id", system_id)
    }

    pub fn and(mut self, key: &str, value: &str) -> Self {
        self.0.insert(format!("{PREFIX}{key}"), Value::from(value));
        self
    }

    /// With the type that only containers and volumes have.
    pub fn with_type(&self, kind: &str) -> Self {
        self.clone().and("type", kind)
    }

    /// With `container_labels`, which keep the names the operator gave them.
    pub fn with_plain<'a>(
        mut self,
        plain: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Self {
        self.0.extend(
            plain.into_iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))),
        );
        self
    }

    pub fn into_json(self) -> Value {
        Value::Object(self.0)
    }
}

/// Where the job's project lives, without the credentials that the server puts in.
pub fn repository(job: &Job) -> String {
    let variable = |key| job.variable(key).map(|found| found.value().to_owned());
    let found = variable("CI_REPOSITORY_URL").or_else(|| variable("CI_PROJECT_URL"));
    let Some(mut url) = found.and_then(|text| url::Url::parse(&text).ok()) else {
        return String::new();
    };
    // Refused only for URLs that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}
