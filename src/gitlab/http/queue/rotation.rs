//! Which projects are read at one look: the cost of a look must not grow with the number of
//! projects that have no pending jobs.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::world::ProjectId;

/// Requests for jobs that one look may make: two hundred projects with pending jobs are read within
/// a minute of looks every ten seconds. GitLab's limit on this list, 600 a minute, is far away.
const REQUESTS_MAX: usize = 30;
/// Requests that go to projects without pending jobs: these may be thousands.
const IDLE_MAX: usize = 20;
/// Looks within which all projects with pending jobs are read, as long as that can be.
const LOOKS_MAX: usize = 6;
/// Requests that even the quickest looks may make.
const REQUESTS_MIN: usize = 5;
const REQUESTS_PER_SECOND: u64 = 4;
/// Of these, one in four is kept for projects that nothing is known of.
const OTHERS_SHARE: usize = 4;
/// How long a project that had a pending job, or activity, is read before others.
const WARM_FOR: SignedDuration = SignedDuration::from_mins(10);

/// What the turn is decided by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) project: ProjectId,
    /// It had pending jobs when it was read last.
    pub(super) pending: bool,
    /// When it last had pending jobs or activity.
    pub(super) active_at: Option<Timestamp>,
    pub(super) read_at: Option<Timestamp>,
}

/// How many requests a look may make, so long after the one before.
pub(super) fn allowance(since_last: Option<Duration>) -> usize {
    let Some(passed) = since_last else {
        return REQUESTS_MAX;
    };
    let earned = passed.as_secs().saturating_mul(REQUESTS_PER_SECOND);
    usize::try_from(earned).unwrap_or(REQUESTS_MAX).clamp(REQUESTS_MIN, REQUESTS_MAX)
}

/// The projects to be read now, `requests` at most: those with pending jobs or recent activity,
/// then the others in rotation; within each the one read longest ago. The others have a part of them,
/// but for one request less where those with pending jobs need them all.
pub(super) fn rotation(mut all: Vec<Candidate>, now: Timestamp, requests: usize) -> Vec<ProjectId> {
    all.sort_by_key(|candidate| (candidate.read_at, candidate.project));
    let warm = |candidate: &Candidate| {
        candidate.pending || candidate.active_at.is_some_and(|at| now.duration_since(at) < WARM_FOR)
    };
    let (mut first, others): (Vec<_>, Vec<_>) = all.into_iter().partition(warm);
    first.sort_by_key(|candidate| !candidate.pending);
    let pending = first.iter().filter(|candidate| candidate.pending).count();
    let share = requests / OTHERS_SHARE;
    let crowded = pending > requests.saturating_sub(share).saturating_mul(LOOKS_MAX);
    let kept = others.len().min(if crowded { 1 } else { share });
    first.truncate(requests.saturating_sub(kept).min(pending.max(IDLE_MAX)));
    let idle = IDLE_MAX.saturating_sub(first.len()).max(kept);
    let rotation = first.into_iter().chain(others.into_iter().take(idle)).take(requests);
    rotation.map(|candidate| candidate.project).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

    fn idle(id: u64, read_secs_ago: i64) -> Candidate {
        let read_at = Some(NOW - SignedDuration::from_secs(read_secs_ago));
        Candidate { project: ProjectId(id), pending: false, active_at: None, read_at }
    }

    #[test]
    fn pending_projects_come_first_and_others_in_turn() {
        let mut all: Vec<_> = (0..100).map(|id| idle(id, i64::try_from(id).unwrap())).collect();
        all[3].pending = true;
        all[4].active_at = Some(NOW);
        let ids: Vec<u64> = rotation(all, NOW, 4).iter().map(|project| project.0).collect();
        assert_eq!(ids, [3, 4, 99, 98]);
    }

    #[test]
    fn many_pending_projects_leave_room_for_the_others() {
        let all = (0..100).map(|id| Candidate { pending: id < 90, ..idle(id, 1) }).collect();
        let rotation = rotation(all, NOW, 20);
        assert_eq!(rotation.len(), 20);
        assert_eq!(rotation.iter().filter(|project| project.0 >= 90).count(), 5);
    }

    #[test]
    fn two_hundred_projects_with_jobs_are_read_within_a_minute() {
        let mut all: Vec<_> =
            (0..1000).map(|id| Candidate { pending: id < 200, ..idle(id, 100) }).collect();
        let mut read = std::collections::BTreeSet::new();
        for look in 0..=6 {
            let now = NOW + SignedDuration::from_secs(look * 10);
            let rotation = rotation(all.clone(), now, allowance(Some(Duration::from_secs(10))));
            assert!(rotation.len() <= 30 && rotation.iter().any(|project| project.0 >= 200));
            for project in rotation {
                all[usize::try_from(project.0).unwrap()].read_at = Some(now);
                read.insert(project.0);
            }
        }
        assert!((0..200).all(|id| read.contains(&id)), "{}", read.len());
    }

    #[test]
    fn quick_looks_ask_less() {
        assert_eq!(allowance(None), 30);
        assert_eq!(allowance(Some(Duration::from_secs(1))), 5);
        assert_eq!(allowance(Some(Duration::from_secs(3))), 12);
        assert_eq!(allowance(Some(Duration::from_secs(10))), 30);
    }
}
