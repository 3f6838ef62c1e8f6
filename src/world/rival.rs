//! Which records this process made, and what follows from those under its mark that it did not: two
//! `AutoGit`s of one instance that share no lock see each other in nothing else.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::{Deed, Leftover, Look, Memory, Origin, Record, RecordId, Token, Variant};
use crate::spec::Pool;

/// How long a record that this process did not make is left alone, by GitLab's clock: whoever made
/// it may only have its token in memory yet.
pub const LEFT_ALONE: SignedDuration = SignedDuration::from_mins(10);

/// How long a record is left alone that another process made beside this one, after its last use:
/// its maker runs, as far as one knows, and would only make another.
const BESIDE_LEFT_ALONE: SignedDuration = SignedDuration::from_hours(1);

/// How long what shows another `AutoGit` counts, and how close together two signs are one finding.
const SIGNS_COUNT: SignedDuration = SignedDuration::from_mins(10);

/// Records of ours that others deleted within [`SIGNS_COUNT`]: one may be a person's doing.
const VANISHED_MIN: usize = 2;

/// How long after it was begun an unanswered request may have made its record.
const UNANSWERED: SignedDuration = SignedDuration::from_mins(2);

/// How far two clocks may be off once they are corrected.
const CLOCK_ERROR: SignedDuration = SignedDuration::from_secs(5);

/// What one process knows of the records under its mark, beyond what GitLab tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnRecords {
    /// When this process began.
    pub began: Option<Timestamp>,
    /// The newest record at its first look; what came after came beside it.
    pub newest_before: Option<RecordId>,
    /// Those that it made, and when.
    pub made: BTreeMap<RecordId, Made>,
    /// When it asked for one of which it does not know what became.
    pub unanswered: BTreeMap<Variant, Vec<Timestamp>>,
    /// When it first saw those that it did not make: not every GitLab tells how old they are.
    pub seen: BTreeMap<RecordId, Timestamp>,
    /// When it saw that somebody else made one beside it.
    pub appeared: BTreeMap<RecordId, Timestamp>,
    /// When it saw that somebody else deleted one that it made.
    pub vanished: BTreeMap<RecordId, Timestamp>,
}

/// A record that this process made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// When it was made, by our clock.
    pub at: Timestamp,
    /// GitLab showed it since.
    pub shown: bool,
}

impl OwnRecords {
    /// What a process that begins now knows.
    pub fn begun(now: Timestamp) -> Self {
        Self { began: Some(now), ..Self::default() }
    }

    /// A record is asked for.
    pub fn asked(&mut self, variant: &Variant, now: Timestamp) {
        self.unanswered.entry(variant.clone()).or_default().push(now);
    }

    /// It is known what became of the record that was asked for last: `made`, or none.
    pub fn answered(&mut self, variant: &Variant, made: Option<RecordId>, now: Timestamp) {
        if let Some(times) = self.unanswered.get_mut(variant) {
            times.pop();
        }
        self.unanswered.retain(|_, times| !times.is_empty());
        self.made.extend(made.map(|id| (id, Made { at: now, shown: false })));
    }

    /// This process made it.
    pub fn has_made(&self, id: RecordId) -> bool {
        self.made.contains_key(&id)
    }

    /// It may be what came of a request of this process that got no answer: it was made or first seen
    /// soon after. GitLab's clock may have been set since.
    fn may_have_made(&self, record: &Record) -> bool {
        let times = self.unanswered.get(&record.variant);
        let seen = self.seen.get(&record.id);
        times.into_iter().flatten().any(|asked| {
            let soon = |at: Timestamp| {
                let after = at.duration_since(*asked);
                after > -CLOCK_ERROR && after < UNANSWERED
            };
            record.created_at.is_none_or(soon) || seen.is_some_and(|at| soon(*at))
        })
    }

    /// Somebody else made it under our mark after this process began.
    fn came_beside(&self, record: &Record) -> bool {
        let after = |began: Timestamp| record.created_at.is_none_or(|at| at >= began);
        record.origin == Origin::Ours
            && self.newest_before.is_some_and(|newest| record.id > newest)
            && self.began.is_some_and(after)
            && !self.has_made(record.id)
            && !self.may_have_made(record)
    }

    /// Our clock was set back: what was noted moves along.
    pub(super) fn set_back(&mut self, by: SignedDuration) {
        let times = self.began.iter_mut().chain(self.made.values_mut().map(|made| &mut made.at));
        let times = times.chain(self.unanswered.values_mut().flatten());
        let times = times.chain(self.seen.values_mut()).chain(self.appeared.values_mut());
        let times = times.chain(self.vanished.values_mut());
        times.for_each(|at| *at = at.saturating_sub(by).unwrap_or(Timestamp::MIN));
    }
}

/// What shows that another `AutoGit` of this instance runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// It made this record.
    Appeared(RecordId, Option<Variant>),
    /// It deleted these, which this process had made.
    Vanished(Vec<RecordId>),
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another AutoGit of this instance seems to run: ")?;
        match self {
            Self::Appeared(id, Some(of)) => {
                write!(f, "record {id} of `{of}` was not made by this one")?;
            }
            Self::Appeared(id, None) => write!(f, "record {id} was not made by this one")?,
            Self::Vanished(ids) => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                write!(f, "somebody deleted records {} of this one", ids.join(", "))?;
            }
        }
        f.write_str("\nhint: stop one of the two, or give one another `instance`")
    }
}

impl Look {
    /// Another process under our mark may have made the record a moment ago and have its token, so
    /// it is not deleted.
    pub fn may_be_anothers(&self, record: &Record) -> bool {
        let own = &self.memory.own_records;
        let beside = own.came_beside(record) && record.token != Token::AtHand;
        record.origin == Origin::Ours
            && !own.has_made(record.id)
            && (self.age(record) < LEFT_ALONE
                || beside && self.unused_for(record) < BESIDE_LEFT_ALONE)
    }

    /// How long ago the record was made, or first seen where GitLab does not tell that.
    fn age(&self, record: &Record) -> SignedDuration {
        let seen = self.memory.own_records.seen.get(&record.id);
        let made = record.created_at.or_else(|| seen.copied());
        made.map_or(SignedDuration::ZERO, |made| self.now.duration_since(made))
    }

    /// The record for which the variant waits, though it has another one or may make one: the lowest
    /// of those that another process made beside this one, until a container shows its token or
    /// nobody used it for [`LEFT_ALONE`]. `beside` is the one that the variant has.
    pub(crate) fn awaited_record(
        &self,
        variant: &Variant,
        pool: &Pool,
        beside: Option<&Record>,
    ) -> Option<&Record> {
        let own = &self.memory.own_records;
        // What serves already is no newcomer.
        if beside.is_some_and(|record| !own.has_made(record.id) || self.is_used(record)) {
            return None;
        }
        let place = self.place(&pool.scope).ok()?;
        let records = self.records.known()?.iter().filter(|record| {
            record.variant == *variant
                && own.came_beside(record)
                && beside.is_none_or(|beside| record.id < beside.id)
                && place.is_of(&record.owner)
                && record.token != Token::AtHand
                && !record.settings.paused
                && !self.token_ends_soon(record)
                && !self.has_container(record.id)
                && self.unused_for(record) < LEFT_ALONE
        });
        records.min_by_key(|record| record.id)
    }

    /// How long nobody used the record, as far as GitLab tells.
    pub(crate) fn unused_for(&self, record: &Record) -> SignedDuration {
        let rows = record.managers.last().into_iter().flatten();
        let ago = rows.filter_map(|row| Some(self.now.duration_since(row.contacted_at?)));
        ago.chain([self.age(record)]).min().unwrap_or_default()
    }

    /// A container has the record's token, or a runner made contact with it.
    pub(super) fn is_used(&self, record: &Record) -> bool {
        self.has_container(record.id)
            || record.managers.last().is_some_and(|managers| !managers.is_empty())
    }

    fn has_container(&self, record: RecordId) -> bool {
        let mut states = self.hosts.values().filter_map(|host| host.state.last());
        states.any(|state| {
            let mut aside = state.aside.iter();
            state.runners.iter().any(|runner| runner.record == record)
                || aside.any(|aside| aside.record == Some(record))
        })
    }

    /// What shows, of late, that another `AutoGit` of this instance runs.
    pub fn sign_of_another(&self) -> Option<Sign> {
        let own = &self.memory.own_records;
        let of_late = |at: &Timestamp| self.now.duration_since(*at) < SIGNS_COUNT;
        if let Some((id, _)) = own.appeared.iter().find(|(_, at)| of_late(at)) {
            let mut records = self.records.last().into_iter().flatten();
            let record = records.find(|record| record.id == *id);
            return Some(Sign::Appeared(*id, record.map(|record| record.variant.clone())));
        }
        let vanished = own.vanished.iter().filter(|(_, at)| of_late(at)).map(|(id, _)| *id);
        let vanished: Vec<RecordId> = vanished.collect();
        (vanished.len() >= VANISHED_MIN).then_some(Sign::Vanished(vanished))
    }
}

/// Takes note of what a look shows of the records under our mark.
pub(super) fn note_records(look: &Look, memory: &mut Memory) {
    let now = look.now;
    let own = &mut memory.own_records;
    let Some(records) = look.records.known() else { return };
    let told = || records.iter().filter(|record| record.id.is_told());
    if own.newest_before.is_none() {
        own.newest_before = told().map(|record| record.id).max().or(Some(RecordId(0)));
    }
    for record in told() {
        if let Some(made) = own.made.get_mut(&record.id) {
            made.shown = true;
            continue;
        }
        own.seen.entry(record.id).or_insert(now);
        let young = now.duration_since(record.created_at.unwrap_or(now)) < SIGNS_COUNT;
        if young && own.came_beside(record) {
            own.appeared.entry(record.id).or_insert(now);
        }
    }
    let listed = |id: &RecordId| told().any(|record| record.id == *id);
    let gone = own.made.iter().filter(|(id, made)| made.shown && !listed(id));
    let gone: Vec<RecordId> = gone.map(|(id, _)| *id).collect();
    for id in gone {
        own.made.remove(&id);
        // What this process deletes is noted before.
        if !memory.efforts.contains_key(&Deed::Remove(Leftover::Record(id))) {
            own.vanished.insert(id, now);
        }
    }
    own.seen.retain(|id, _| listed(id));
    let of_late = |at: &Timestamp| now.duration_since(*at) < SIGNS_COUNT;
    own.appeared.retain(|id, at| of_late(at) || listed(id));
    own.vanished.retain(|_, at| of_late(at));
    let hour = SignedDuration::from_hours(1);
    own.unanswered.values_mut().for_each(|times| times.retain(|at| now.duration_since(*at) < hour));
    own.unanswered.retain(|_, times| !times.is_empty());
}
