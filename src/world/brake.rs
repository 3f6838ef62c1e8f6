//! How often one thing is done to one object. Nothing repeats without a brake, success or not: what
//! has no effect that is seen, or is undone again and again, is done a few times at once and then
//! ever more rarely, while everything else goes on.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    Leftover, Look, Memory, Origin, RecordId, RecordSettings, RunnerName, Slot, Variant, WorkloadId,
};
use crate::spec::{Cost, HostName};

/// What is older does not count any more.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// What is done to one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// GitLab is asked whether it takes a variant's own token.
    VerifyToken(Variant),
    /// A variant gets a record.
    MakeRecord(Variant),
    /// A record gets its settings.
    ChangeRecord(RecordId),
    /// Something of ours is removed.
    Remove(Leftover),
    /// A host gets the runners' network.
    MakeNetwork(HostName),
    /// A host gets a runner image.
    PullImage {
        /// The host.
        host: HostName,
        /// The image.
        image: String,
    },
    /// A host has an image of jobs, as new as its registry has it.
    KeepImage {
        /// The host.
        host: HostName,
        /// The image.
        image: String,
    },
    /// A slot gets a runner.
    Start {
        /// The host on which it is done.
        host: HostName,
        /// Of which variant.
        variant: Variant,
        /// Which slot.
        slot: Slot,
        /// The runner's name.
        runner: RunnerName,
        /// What it is made with.
        cost: Cost,
    },
    /// A runner is asked to exit.
    Drain(WorkloadId),
    /// A runner that ended is cleaned up after.
    Reap(WorkloadId),
}

impl Deed {
    /// The host and the image of a pull, and whether it is for jobs; else runners need it.
    pub(crate) fn pull(&self) -> Option<(&HostName, &str, bool)> {
        match self {
            Self::PullImage { host, image } => Some((host, image, false)),
            Self::KeepImage { host, image } => Some((host, image, true)),
            Self::VerifyToken(_)
            | Self::MakeRecord(_)
            | Self::ChangeRecord(_)
            | Self::Remove(_)
            | Self::MakeNetwork(_)
            | Self::Start { .. }
            | Self::Drain(_)
            | Self::Reap(_) => None,
        }
    }
}

/// So many times at once; from then on a pause that doubles with each.
#[derive(Debug, Clone, Copy)]
struct Brake {
    at_once: usize,
    first: SignedDuration,
    longest: SignedDuration,
}

/// Records of one variant. A person may delete one, and a token may be lost; three in a row are more
/// than either explains.
const MAKING: Brake = Brake {
    at_once: 3,
    first: SignedDuration::from_mins(1),
    longest: SignedDuration::from_mins(10),
};

/// Changes of one record to what the spec says now: an operator may edit its tags back and forth.
const CHANGING: Brake = Brake { at_once: 6, ..MAKING };

/// Changes of one record to what it was changed to before: a server that keeps something else keeps
/// it the next time too.
const CORRECTING: Brake = Brake { at_once: 1, ..MAKING };

/// Pulls of one image. After failures the pause of the variants that need it is longer than this: it
/// is for images that are not there although they were pulled.
const PULLING: Brake = Brake { at_once: 6, ..MAKING };

/// Pulls of one image that is kept ready. Others on the host may remove it, or have it for another
/// architecture, again and again.
const KEEPING: Brake = Brake { at_once: 2, ..MAKING };

/// Removals of one object. A second attempt often helps where the first one timed out.
const REMOVING: Brake = Brake {
    at_once: 3,
    first: SignedDuration::from_secs(20),
    longest: SignedDuration::from_mins(10),
};

/// The most records that one variant ever gets within an hour: what `MAKING` comes to.
pub const RECORDS_PER_HOUR_MAX: usize = 12;

/// What was done to one object within the hour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Efforts {
    /// When, oldest first.
    pub times: Vec<Timestamp>,
    /// The settings that a record was sent last.
    pub sent: Option<RecordSettings>,
}

impl Brake {
    /// Until when nothing is done after so many times, of which the last was at `last`.
    fn until(self, count: usize, last: Timestamp) -> Option<Timestamp> {
        let doublings = count.checked_sub(self.at_once)?;
        let pause =
            (0..doublings.min(16)).fold(self.first, |pause, _| (pause * 2).min(self.longest));
        last.checked_add(pause).ok()
    }
}

impl Memory {
    /// A record is sent the same settings as the one time before.
    pub fn is_sent_again(&self, what: &Deed, sent: Option<&RecordSettings>) -> bool {
        let efforts = self.efforts.get(what);
        efforts.is_some_and(|efforts| efforts.times.len() == 1 && efforts.sent.as_ref() == sent)
    }

    /// The same was done to the same object within the hour: whatever came of it was not seen, so that
    /// doing it once more is no progress. Each record is a new one.
    pub fn is_repeated(&self, what: &Deed, sent: Option<&RecordSettings>) -> bool {
        let efforts = self.efforts.get(what).filter(|_| !matches!(what, Deed::MakeRecord(_)));
        efforts.is_some_and(|efforts| sent.is_none() || efforts.sent.as_ref() == sent)
    }

    /// Notes that this is being done, whatever comes of it.
    pub fn note_effort(&mut self, what: Deed, sent: Option<&RecordSettings>, now: Timestamp) {
        let efforts = self.efforts.entry(what).or_default();
        efforts.times.push(now);
        efforts.sent = sent.cloned();
    }
}

/// What still counts.
pub(super) fn recent(efforts: &BTreeMap<Deed, Efforts>, now: Timestamp) -> BTreeMap<Deed, Efforts> {
    let kept = efforts.iter().filter_map(|(what, efforts)| {
        let mut efforts = efforts.clone();
        efforts.times.retain(|at| now.duration_since(*at) < WINDOW);
        (!efforts.times.is_empty()).then(|| (what.clone(), efforts))
    });
    kept.collect()
}

/// Our clock was set back: what was noted moves along.
pub(super) fn set_back(efforts: &mut BTreeMap<Deed, Efforts>, by: SignedDuration) {
    let times = efforts.values_mut().flat_map(|efforts| &mut efforts.times);
    times.for_each(|at| *at = at.saturating_sub(by).unwrap_or(Timestamp::MIN));
}

impl Look {
    /// Until when no record of the variant is made. It counts what the list shows and what this
    /// process made, and never holds a process that made none.
    pub fn making_waits_until(&self, variant: &Variant) -> Option<Timestamp> {
        let efforts = self.memory.efforts.get(&Deed::MakeRecord(variant.clone()))?;
        let last = efforts.times.last()?;
        let young = |at: Timestamp| self.now.duration_since(at) < WINDOW;
        let listed = self.records.last().into_iter().flatten().filter(|record| {
            record.variant == *variant
                && record.origin == Origin::Ours
                && record.created_at.is_some_and(young)
        });
        let count = efforts.times.len().max(listed.count());
        MAKING.until(count, *last).filter(|until| *until > self.now)
    }

    /// Until when the record is not given these settings.
    pub fn changing_waits_until(&self, id: RecordId, wanted: &RecordSettings) -> Option<Timestamp> {
        let efforts = self.memory.efforts.get(&Deed::ChangeRecord(id))?;
        let same = efforts.sent.as_ref() == Some(wanted);
        self.waits_until(if same { CORRECTING } else { CHANGING }, efforts)
    }

    /// Until when the image is not pulled onto that host.
    pub fn pulling_waits_until(&self, host: &HostName, image: &str) -> Option<Timestamp> {
        let pull = Deed::PullImage { host: host.clone(), image: image.to_owned() };
        self.waits_until(PULLING, self.memory.efforts.get(&pull)?)
    }

    /// Until when the image is not pulled onto that host to be kept ready: it failed, or is not there
    /// although it was pulled.
    pub fn keeping_waits_until(&self, host: &HostName, image: &str) -> Option<Timestamp> {
        let (host, image) = (host.clone(), image.to_owned());
        let failed = self.memory.unkept.get(&(host.clone(), image.clone()));
        let failed = failed.map(|backoff| backoff.until).filter(|until| *until > self.now);
        let efforts = self.memory.efforts.get(&Deed::KeepImage { host, image });
        let braked = efforts.and_then(|efforts| self.waits_until(KEEPING, efforts));
        failed.max(braked)
    }

    /// Until when the container is not removed, and how often that was begun.
    pub fn reaping_waits(&self, id: &WorkloadId) -> Option<(Timestamp, usize)> {
        let efforts = self.memory.efforts.get(&Deed::Reap(id.clone()))?;
        Some((self.waits_until(REMOVING, efforts)?, efforts.times.len()))
    }

    /// It may not be removed yet.
    pub fn removing_waits(&self, what: &Leftover) -> bool {
        let efforts = self.memory.efforts.get(&Deed::Remove(what.clone()));
        efforts.is_some_and(|efforts| self.waits_until(REMOVING, efforts).is_some())
    }

    fn waits_until(&self, brake: Brake, efforts: &Efforts) -> Option<Timestamp> {
        let until = brake.until(efforts.times.len(), *efforts.times.last()?);
        until.filter(|until| *until > self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

    /// The most that ever begin within an hour, done as soon as it may be, for a day.
    fn per_hour(brake: Brake) -> usize {
        let mut times: Vec<Timestamp> = Vec::new();
        let mut most = 0;
        for second in 0..86_400 {
            let now = NOW + SignedDuration::from_secs(second);
            let recent: Vec<Timestamp> =
                times.iter().copied().filter(|at| now.duration_since(*at) < WINDOW).collect();
            let until = recent.last().and_then(|last| brake.until(recent.len(), *last));
            if until.is_none_or(|until| until <= now) {
                times.push(now);
                most = most.max(recent.len() + 1);
            }
        }
        most
    }

    #[test]
    fn whatever_happens_an_hour_sees_few_of_each() {
        assert!(per_hour(MAKING) <= RECORDS_PER_HOUR_MAX, "{}", per_hour(MAKING));
        assert!(per_hour(CORRECTING) <= 10, "{}", per_hour(CORRECTING));
        assert!(per_hour(CHANGING) <= 15, "{}", per_hour(CHANGING));
        assert!(per_hour(REMOVING) <= 15, "{}", per_hour(REMOVING));
    }

    #[test]
    fn the_pause_doubles_up_to_its_longest() {
        let pause = |count| {
            let until = MAKING.until(count, NOW);
            until.map(|until| until.duration_since(NOW).as_secs() / 60)
        };
        let pauses: Vec<_> = (2..9).map(pause).collect();
        let minutes = [None, Some(1), Some(2), Some(4), Some(8), Some(10), Some(10)];
        assert_eq!(pauses, minutes);
    }
}
