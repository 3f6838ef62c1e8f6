//! Jobs whose image the kernel did not execute: it is for another architecture, and no QEMU is
//! registered for it.
//!
//! runc starts such a container, and its first process says one line and ends: `exec /bin/sh: exec
//! format error` (1.1), `standard_init_linux.go:228: exec user process caused: exec format error`
//! (1.0). gitlab-runner leaves the container until it cleans up after the job, a second or less later
//! (19.4): so the engine is asked as soon as it tells that such a container ended, and what it says
//! is kept for the looks. An event that is lost costs that, where no look comes in time.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::client::{Client, READ_LIMIT};
use super::{logs, raw};
use crate::engine::EngineError;
use crate::lock::locked;
use crate::spec::Arch;
use crate::world::{ContainerId, JobContainer, JobId, RefusedJob, SystemId};

/// What the kernel says of what it cannot execute.
const REFUSAL: &str = "exec format error";

/// Ended containers that one look asks for; the rest in the next.
const ASKED_MAX: usize = 16;

/// For how long a verdict is kept: far longer than from one look to the next.
const KEPT: SignedDuration = SignedDuration::from_mins(10);

/// A job's container that ended, and what was found of it.
#[derive(Debug)]
struct Verdict {
    refused: Option<RefusedJob>,
    at: Timestamp,
}

/// The verdicts on containers that ran a job's script and ended.
#[derive(Debug, Default)]
pub(super) struct Refused(Mutex<BTreeMap<ContainerId, Verdict>>);

impl Refused {
    /// Judges those of `containers` that ended and were not judged yet, and tells all jobs that were
    /// refused lately.
    pub(super) async fn among(
        &self,
        client: &Client,
        containers: &[JobContainer],
    ) -> Vec<RefusedJob> {
        let now = client.clock().now();
        locked(&self.0).retain(|_, verdict| now.duration_since(verdict.at).abs() <= KEPT);
        let ended = containers.iter().filter(|it| it.kind == "build" && !it.running);
        let unknown = ended.filter(|it| !locked(&self.0).contains_key(&it.id));
        let unknown: Vec<&JobContainer> = unknown.take(ASKED_MAX).collect();
        for container in unknown {
            self.judge(client, &container.id, container.job, &container.system_id).await;
        }
        locked(&self.0).values().filter_map(|verdict| verdict.refused.clone()).collect()
    }

    /// Judges a container that ended. One that is gone, or did not end after all, gets no verdict.
    pub(super) async fn judge(
        &self,
        client: &Client,
        id: &ContainerId,
        job: Option<JobId>,
        system_id: &SystemId,
    ) {
        match refused_arch(client, id).await {
            Ok(Some(arch)) => {
                let refused = job.zip(arch).map(|(job, image)| RefusedJob {
                    job,
                    system_id: system_id.clone(),
                    image,
                });
                let verdict = Verdict { refused, at: client.clock().now() };
                locked(&self.0).insert(id.clone(), verdict);
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(container = %id, %error, "it is not known how it ended"),
        }
    }
}

/// The architecture of its image if that was refused; `None`: it did not end yet.
async fn refused_arch(
    client: &Client,
    id: &ContainerId,
) -> Result<Option<Option<Arch>>, EngineError> {
    let path = format!("/containers/{}/json", raw::escaped(id.as_str()));
    let told = client.get("show a job's container", READ_LIMIT, &path).await?;
    let state = |key: &str| told.get("State").and_then(|state| state.get(key));
    if state("Status").and_then(Value::as_str) != Some("exited") {
        return Ok(None);
    }
    let image = told.get("Image").and_then(Value::as_str).unwrap_or_default();
    if state("ExitCode").and_then(Value::as_i64) == Some(0) || image.is_empty() {
        return Ok(Some(None));
    }
    if !is_refusal(&logs::tail(client, &id.clone().into(), 2).await?) {
        return Ok(Some(None));
    }
    let path = format!("/images/{}/json", raw::escaped(image));
    let shown = client.get("show a job's image", READ_LIMIT, &path).await?;
    Ok(Some(shown.get("Architecture").and_then(Value::as_str).and_then(Arch::parse)))
}

/// That is all that the container said: a script may say the same of something else.
fn is_refusal(said: &[String]) -> bool {
    matches!(said, [line] if line.trim_end().ends_with(REFUSAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_all_that_a_container_says() {
        let said = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
        for line in [
            "exec /bin/sh: exec format error",
            "standard_init_linux.go:228: exec user process caused: exec format error",
        ] {
            assert!(is_refusal(&said(&[line])), "{line}");
            assert!(!is_refusal(&said(&["$ ./program", line])));
        }
        assert!(!is_refusal(&[]) && !is_refusal(&said(&["sh: exec format error: not found"])));
    }
}
