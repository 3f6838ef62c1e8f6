//! Which runner may take which job: GitLab's own rules (`Ci::RegisterJobService`, `RunnerMatcher`).

use super::access::lies_under;
use super::build::ProjectSettings;
use super::state::{Job, Owner, Record, State};

impl State {
    /// Whether a record's runners may take a job, pending or not.
    pub(crate) fn may_take(&self, record: &Record, job: &Job) -> bool {
        let Some(project) = self.projects.get(&job.project) else { return false };
        let settings = &project.settings;
        let in_scope = match &record.owner {
            Owner::Instance => settings.shared_runners_enabled,
            Owner::Group(id) => {
                let group = self.groups.get(id);
                settings.group_runners_enabled
                    && group.is_some_and(|group| lies_under(&project.path, &group.path))
            }
            Owner::Project(id) => *id == project.id || record.lent.contains(&project.id),
        };
        let form = &record.form;
        in_scope
            && settings.builds_enabled
            && !form.paused
            && (!form.protected || job.protected)
            && (form.run_untagged || !job.tags.is_empty())
            && job.tags.iter().all(|tag| form.tags.contains(tag))
    }
}

/// Whether a project protects a branch or tag.
pub(crate) fn is_protected(settings: &ProjectSettings, ref_name: &str, is_tag: bool) -> bool {
    let patterns = if is_tag { &settings.protected_tags } else { &settings.protected_branches };
    patterns.iter().any(|pattern| fits(pattern, ref_name))
}

/// Whether `name` is what `pattern` says, `*` standing for anything.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(before) else { return false };
    let mut starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    starts.any(|at| rest.get(at..).is_some_and(|rest| fits(after, rest)))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(fits("release/*", "release/1.2"));
        assert!(fits("*-stable*", "18-stable-ee"));
        assert!(fits("main", "main"));
        assert!(!fits("release/*", "releases"));
        assert!(!fits("main", "main2"));
    }
}
