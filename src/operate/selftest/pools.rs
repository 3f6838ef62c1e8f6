//! Which pools get a job, and what the pipeline is made of. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::course::job_name;
use crate::view::StatusOutput;

/// What the first line of each script writes.
const MARK: &str = "autogit-selftest: the script began";

/// A pool that gets a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trial {
    pub(crate) pool: String,
    pub(crate) tags: Vec<String>,
    pub(crate) warm: u32,
    /// Whose jobs it takes: `instance`, or the path of a group or project.
    pub(crate) scope: String,
}

/// The pools that get a job, in the spec's order, and why others get none. `given` is the path of a
/// project that is there already, in which the pipeline's branch is not protected.
pub(super) fn trials(
    status: &StatusOutput,
    given: Option<&str>,
) -> (Vec<Trial>, BTreeMap<String, String>) {
    let mut pools: Vec<_> = status.pools.iter().collect();
    pools.sort_by_key(|(_, pool)| pool.position);
    let (mut trials, mut skipped) = (Vec::new(), BTreeMap::new());
    for (name, pool) in pools {
        let why = if !pool.enabled {
            Some("is disabled".to_owned())
        } else if pool.max == 0 {
            Some("is at its `max` of 0".to_owned())
        } else if given.is_some() && pool.protected {
            let why = "takes jobs on protected refs only, and the self-test's branch is none";
            Some(format!("{why}; without `--project` it is"))
        } else {
            given.filter(|project| !holds(&pool.scope, project)).map(|_| elsewhere(&pool.scope))
        };
        if let Some(why) = why {
            skipped.insert(name.clone(), why);
            continue;
        }
        let (pool_name, tags, scope) = (name.clone(), pool.tags.clone(), pool.scope.clone());
        trials.push(Trial { pool: pool_name, tags, warm: pool.warm, scope });
    }
    (trials, skipped)
}

/// The same, in a project that was made at `project`.
pub(super) fn fitting(
    trials: Vec<Trial>,
    project: &str,
    skipped: &mut BTreeMap<String, String>,
) -> Vec<Trial> {
    let (fit, rest): (Vec<_>, Vec<_>) =
        trials.into_iter().partition(|trial| holds(&trial.scope, project));
    skipped.extend(rest.into_iter().map(|trial| (trial.pool, elsewhere(&trial.scope))));
    fit
}

fn elsewhere(scope: &str) -> String {
    format!(
        "takes jobs of `{scope}` only; `--project` with a project of it, or `--group` with the group, \
         tests it"
    )
}

/// Whether a pool of that scope takes the jobs of that project.
fn holds(scope: &str, project: &str) -> bool {
    let (scope, project) = (scope.to_lowercase(), project.to_lowercase());
    scope == "instance"
        || scope == project
        || project.strip_prefix(&scope).is_some_and(|rest| rest.starts_with('/'))
}

/// A `.gitlab-ci.yml` with one job for each; JSON is YAML, and needs no care about what is quoted. A
/// push begins nothing: only who asks for a pipeline gets one.
pub(super) fn pipeline(trials: &[Trial]) -> String {
    let rules = json!([{ "if": "$CI_PIPELINE_SOURCE == \"api\"" }]);
    let mut file = Map::new();
    file.insert("workflow".to_owned(), json!({ "rules": rules }));
    for trial in trials {
        let mut job = json!({
            "stage": "test",
            // Each line of the log has its time then, where the runner knows how.
            "variables": { "FF_TIMESTAMPS": "true" },
            "script": [format!("echo \"{MARK}\""), "sleep 1"],
        });
        if let (false, Some(fields)) = (trial.tags.is_empty(), job.as_object_mut()) {
            fields.insert("tags".to_owned(), json!(trial.tags));
        }
        file.insert(job_name(&trial.pool), job);
    }
    let text = serde_json::to_string_pretty(&Value::Object(file));
    // Words and lists always serialize.
    text.unwrap_or_default() + "\n"
}

/// The script's first line in a job's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FirstLine {
    /// When it was written, where the log says so.
    pub(super) at: Option<Timestamp>,
}

/// The script's first line, as soon as it is in a job's log.
pub(super) fn first_line(log: &[u8]) -> Option<FirstLine> {
    const TIME_LEN: usize = 27;
    let text = String::from_utf8_lossy(log);
    // The runner shows the command, too.
    let mut lines = text.lines().filter(|line| line.contains(MARK) && !line.contains("echo "));
    let line = lines.next()?;
    Some(FirstLine { at: line.get(..TIME_LEN).and_then(|time| time.parse().ok()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_holds_its_own_project_and_what_lies_below_its_group() {
        for (scope, project, held) in [
            ("instance", "root/app", true),
            ("Infra", "infra/os/app", true),
            ("infra", "infrastructure/app", false),
            ("team/app", "team/app", true),
        ] {
            assert_eq!(holds(scope, project), held, "{scope} {project}");
        }
    }

    #[test]
    fn the_first_line_is_what_the_script_wrote_and_not_the_command() {
        let command = b"$ echo \"autogit-selftest: the script began\"\n";
        assert_eq!(first_line(command), None);
        let log = [&command[..], b"autogit-selftest: the script began\n"].concat();
        assert_eq!(first_line(&log), Some(FirstLine { at: None }));
        let log = b"2024-05-14T11:19:20.123456Z 01O autogit-selftest: the script began\n";
        let at = first_line(log).unwrap().at.unwrap();
        assert_eq!(at.to_string(), "2024-05-14T11:19:20.123456Z");
    }
}
