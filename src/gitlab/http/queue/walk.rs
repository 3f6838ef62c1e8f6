//! What looks have read of a queue that is too long for one of them.
//!
//! Each look reads the oldest page and goes on where the one before it stopped; at the end it
//! begins anew. What was read stays as it was until its place is passed again. So every job is seen
//! once in a round, and a queue that fits into one look is read whole at each.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::Pending;
use crate::world::{JobId, RecordId};

/// Jobs that are kept: of a longer queue those that were read last.
const KEPT_MAX: usize = 10_000;

/// Where reading goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The cursor of the next page.
    pub(super) before: String,
    /// All jobs up to this one were passed.
    pub(super) passed: JobId,
}

/// What was read so far.
#[derive(Default)]
pub(in super::super) struct Walk {
    jobs: BTreeMap<JobId, Pending>,
    /// Where the last look stopped; none: it read all.
    pub(super) stopped: Option<Place>,
    round_began: Option<Timestamp>,
    /// How long it took to read all jobs once; none: each look does.
    pub(super) round: Option<SignedDuration>,
    /// What each record's own question told last.
    compatible: BTreeMap<RecordId, BTreeSet<JobId>>,
    /// The last record that was asked for by itself; the next look goes on behind it.
    last_asked: Option<RecordId>,
}

impl Walk {
    /// Takes the page behind `passed`, whose next page is at the cursor `before`; tells where
    /// reading goes on. What is not told any more in its place is pending no more.
    pub(super) fn take(
        &mut self,
        passed: JobId,
        page: Vec<Pending>,
        before: Option<String>,
    ) -> Option<Place> {
        let end = page.iter().map(|job| job.id).max().unwrap_or(passed).max(passed);
        let last = before.is_none();
        self.jobs.retain(|id, _| *id <= passed || *id > end && !last);
        self.jobs.extend(page.into_iter().map(|job| (job.id, job)));
        before.map(|before| Place { before, passed: end })
    }

    /// Takes the oldest jobs that a record may take, by GitLab's own matching; `more`: it may take
    /// newer ones, too.
    pub(super) fn take_compatible(&mut self, record: RecordId, page: Vec<Pending>, more: bool) {
        let told: BTreeSet<JobId> = page.iter().map(|job| job.id).collect();
        let end = told.last().copied();
        let before = self.compatible.remove(&record).unwrap_or_default();
        let passed = |id: &JobId| !more || end.is_some_and(|end| *id <= end);
        for id in before.difference(&told).filter(|id| passed(id)) {
            self.jobs.remove(id);
        }
        self.jobs.extend(page.into_iter().map(|job| (job.id, job)));
        self.compatible.insert(record, told);
    }

    /// `most` of these records, in rotation.
    pub(super) fn rotation(&mut self, records: &BTreeSet<RecordId>, most: usize) -> Vec<RecordId> {
        let behind = |id: &RecordId| self.last_asked.is_none_or(|last| *id > last);
        let (next, first): (Vec<_>, Vec<_>) = records.iter().copied().partition(|id| behind(id));
        let rotation: Vec<RecordId> = next.into_iter().chain(first).take(most).collect();
        self.last_asked = rotation.last().copied();
        self.compatible.retain(|id, _| records.contains(id));
        rotation
    }

    /// The newest job was passed.
    pub(super) fn came_round(&mut self, now: Timestamp) {
        self.round = self.round_began.map(|began| now.duration_since(began));
        self.round_began = Some(now);
    }

    /// A look is over; the next one goes on at `place`, or this one read all.
    pub(super) fn stop(&mut self, place: Option<Place>, now: Timestamp) {
        if place.is_some() {
            self.round_began.get_or_insert(now);
        } else {
            (self.round_began, self.round) = (None, None);
            self.compatible.clear();
        }
        // What is read again soonest goes first.
        let passed = place.as_ref().map_or(JobId(0), |place| place.passed);
        while self.jobs.len() > KEPT_MAX {
            let next = self.jobs.range(passed..).nth(1).or_else(|| self.jobs.first_key_value());
            let Some(next) = next.map(|(id, _)| *id) else { break };
            self.jobs.remove(&next);
        }
        self.stopped = place;
    }

    pub(super) fn jobs(&self) -> &BTreeMap<JobId, Pending> {
        &self.jobs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::ProjectId;

    fn jobs(ids: impl IntoIterator<Item = u64>) -> Vec<Pending> {
        let job = |id| Pending {
            id: JobId(id),
            name: String::new(),
            project: ProjectId(1),
            project_path: "a/b".into(),
            tags: Vec::new(),
            queued_at: Timestamp::UNIX_EPOCH,
            ref_name: String::new(),
            of_tag: false,
        };
        ids.into_iter().map(job).collect()
    }

    fn kept(walk: &Walk) -> Vec<u64> {
        walk.jobs().keys().map(|id| id.0).collect()
    }

    #[test]
    fn what_a_passed_place_lacks_is_pending_no_more_and_the_rest_stays() {
        let mut walk = Walk::default();
        let cursor = || Some("c".to_owned());
        let place = walk.take(JobId(0), jobs(1..=3), cursor()).unwrap();
        assert_eq!(place.passed, JobId(3));
        walk.take(JobId(3), jobs([4, 6]), cursor());
        walk.take(JobId(6), jobs([9]), None);
        assert_eq!(kept(&walk), [1, 2, 3, 4, 6, 9]);
        walk.take(JobId(0), jobs([2, 4]), cursor());
        assert_eq!(kept(&walk), [2, 4, 6, 9]);
        walk.take(JobId(4), jobs([]), None);
        assert_eq!(kept(&walk), [2, 4]);
    }

    #[test]
    fn a_records_own_answer_takes_back_only_what_it_told_before() {
        let mut walk = Walk::default();
        walk.take(JobId(0), jobs([1, 2]), Some("c".to_owned()));
        walk.take_compatible(RecordId(7), jobs([2, 8, 9]), false);
        walk.take_compatible(RecordId(7), jobs([8]), true);
        assert_eq!(kept(&walk), [1, 8, 9]);
        walk.take_compatible(RecordId(7), jobs([]), false);
        assert_eq!(kept(&walk), [1, 9]);
    }

    #[test]
    fn records_are_asked_for_in_turn() {
        let mut walk = Walk::default();
        let records: BTreeSet<RecordId> = (1..=5).map(RecordId).collect();
        let turns: Vec<u64> =
            (0..3).flat_map(|_| walk.rotation(&records, 2)).map(|record| record.0).collect();
        assert_eq!(turns, [1, 2, 3, 4, 5, 1]);
    }
}
