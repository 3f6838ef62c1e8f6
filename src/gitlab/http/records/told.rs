//! What is told of each record: by its details, and by what became of the last question for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::super::mark;
use super::super::probe::older;
use super::{DETAILS_AGE_MAX, Details, Known, Listed, REFRESHED_MAX, Read};
use crate::gitlab::{Claims, NewRecord};
use crate::spec::HostName;
use crate::world::{
    Access, Mark, Observed, Origin, Owner, Record, RecordId, RecordSettings, Token, Variant,
};

/// Records that are asked for one by one at a look, beside those that are new on the list.
const ASKED_MAX: usize = 10;

/// How long GitLab may not know what it just made: it may answer from a copy of its database that
/// lags behind.
const LAGS_FOR: Duration = Duration::from_mins(2);
const JUST_MADE: &str = "this process made it a moment ago, and GitLab does not show it yet";

/// What became of the last question for a record that is not simply listed and read.
pub(super) struct Asked {
    at: Timestamp,
    found: Found,
}

pub(super) enum Found {
    /// It is there, though the list lacks it.
    Unlisted,
    /// No answer that tells.
    Unread(Arc<str>),
    /// GitLab does not know it, at one look.
    Missing,
    /// GitLab does not know it, at two looks.
    Gone,
}

/// What a look is about.
pub(super) struct Look<'a> {
    pub(super) listed: Vec<(Variant, Listed)>,
    /// Records that this process or a container knows, and that the list lacks.
    pub(super) absent: BTreeSet<RecordId>,
    pub(super) claims: &'a Claims,
}

impl Known {
    pub(super) fn look<'a>(&self, listed: Vec<(Variant, Listed)>, claims: &'a Claims) -> Look<'a> {
        let on_list: BTreeSet<RecordId> = listed.iter().map(|(_, row)| RecordId(row.id)).collect();
        let known = self.details.keys().chain(claims.named.keys()).chain(self.handed_out.keys());
        let absent = known.filter(|id| id.is_told() && !on_list.contains(id)).copied().collect();
        Look { listed, absent, claims }
    }

    /// The records that are asked for now: all that are new on the list, a few whose details are
    /// old, and of those in doubt the ones that were asked for longest ago.
    pub(super) fn due(&self, look: &Look<'_>, now: Timestamp) -> Vec<RecordId> {
        let (mut due, mut doubtful, mut old) = (Vec::new(), Vec::new(), Vec::new());
        for (_, row) in &look.listed {
            let id = RecordId(row.id);
            let details = self.details.get(&id);
            let same = details.filter(|it| row.description.as_deref() == Some(&it.description));
            match (same, self.asked.get(&id)) {
                (_, Some(Asked { found: Found::Gone | Found::Missing | Found::Unread(_), .. })) => {
                    doubtful.push(id);
                }
                (None, _) => due.push(id),
                (Some(it), _) => match it.read {
                    Read::Never | Read::Before => due.push(id),
                    Read::At(at) if older(now, at, DETAILS_AGE_MAX) => old.push((at, id)),
                    Read::At(_) => {}
                },
            }
        }
        old.sort_unstable();
        due.extend(old.into_iter().map(|(_, id)| id).take(REFRESHED_MAX));
        let open = look.absent.iter().copied().chain(doubtful).filter(|id| self.is_open(*id, now));
        let mut open: Vec<_> =
            open.map(|id| (self.asked.get(&id).map(|asked| asked.at), id)).collect();
        open.sort_unstable();
        due.extend(open.into_iter().map(|(_, id)| id).take(ASKED_MAX));
        due
    }

    /// Whether asking may tell anything new: what was told stays good for a while.
    fn is_open(&self, id: RecordId, now: Timestamp) -> bool {
        self.asked.get(&id).is_none_or(|asked| match asked.found {
            Found::Unlisted | Found::Gone => older(now, asked.at, DETAILS_AGE_MAX),
            Found::Unread(_) | Found::Missing => true,
        })
    }

    /// Takes the details that were just read. What they do not show stays as it was known: the note
    /// and the token's end are for those who may change the record, and a person may rename it.
    pub(super) fn keep(
        &mut self,
        id: RecordId,
        mut details: Details,
        at: Timestamp,
        unlisted: bool,
    ) {
        let before = self.details.remove(&id);
        if let Some(before) = before {
            details.variant = details.variant.or(before.variant);
            if details.settings.marks.is_empty() {
                details.settings.marks = before.settings.marks;
            }
            details.owner = details.owner.or(before.owner);
        }
        self.token_expires(id, details.token_expires_at);
        if unlisted {
            self.asked.insert(id, Asked { at, found: Found::Unlisted });
        } else {
            self.asked.remove(&id);
        }
        self.details.insert(id, details);
    }

    /// It could not be read.
    pub(super) fn unread(&mut self, id: RecordId, at: Timestamp, why: Arc<str>) {
        self.asked.insert(id, Asked { at, found: Found::Unread(why) });
    }

    /// This process made it. What was asked for is what is known of it until GitLab shows it.
    pub(in super::super) fn made(
        &mut self,
        id: RecordId,
        record: &NewRecord,
        description: String,
        (at, by_theirs): (Timestamp, Timestamp),
    ) {
        self.handed_out.insert(id, at);
        let details = Details {
            read: Read::Never,
            variant: Some(record.variant.clone()),
            description,
            note: None,
            settings: record.settings.clone(),
            owner: Some(record.place.owner()),
            created_at: Some(by_theirs),
            token_expires_at: None,
        };
        self.details.insert(id, details);
    }

    /// GitLab does not know it. The second time it is gone, unless this process just made it and it
    /// was not shown since: what GitLab showed once and shows no more, somebody deleted.
    pub(super) fn missing(&mut self, id: RecordId, at: Timestamp) {
        let made = self.handed_out.get(&id);
        let shown = self.details.get(&id).is_some_and(|it| it.read != Read::Never);
        if !shown && made.is_some_and(|made| !older(at, *made, LAGS_FOR)) {
            return self.unread(id, at, JUST_MADE.into());
        }
        let found = match self.asked.get(&id) {
            Some(Asked { found: Found::Gone, .. }) => Found::Gone,
            Some(Asked { at: before, found: Found::Missing }) if *before != at => Found::Gone,
            Some(_) | None => Found::Missing,
        };
        if matches!(found, Found::Gone) {
            self.forget(id);
        }
        self.asked.insert(id, Asked { at, found });
    }

    pub(in super::super) fn token_expires(&mut self, id: RecordId, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.expiries.insert(id, at);
        }
    }

    /// Has the details read again at the next look, after an own write.
    pub(in super::super) fn changed(&mut self, id: RecordId) {
        self.changes += 1;
        self.read_again(id);
    }

    pub(super) fn read_again(&mut self, id: RecordId) {
        if let Some(details) = self.details.get_mut(&id)
            && details.read != Read::Never
        {
            details.read = Read::Before;
        }
    }

    pub(in super::super) fn forget(&mut self, id: RecordId) {
        self.expiries.remove(&id);
        self.handed_out.remove(&id);
        self.polls_ended.remove(&id);
        self.details.remove(&id);
        self.asked.remove(&id);
    }

    /// All records of this look, as far as they are known.
    pub(super) fn told(&mut self, look: &Look<'_>, now: Timestamp) -> Vec<Record> {
        let listed = look.listed.iter().filter_map(|(variant, row)| {
            let mut record = self.record(RecordId(row.id), Some(variant), look, now)?;
            record.settings.paused = row.paused.unwrap_or(record.settings.paused);
            Some(record)
        });
        let absent = look.absent.iter().filter_map(|&id| self.record(id, None, look, now));
        let told = listed.chain(absent).collect();
        let listed: BTreeSet<RecordId> =
            look.listed.iter().map(|(_, row)| RecordId(row.id)).collect();
        self.asked.retain(|id, _| listed.contains(id) || look.absent.contains(id));
        told
    }

    /// Why the record is not told as it is now; `Err`: it is gone.
    fn unseen(&self, id: RecordId, on_list: bool) -> Result<Option<Arc<str>>, ()> {
        Ok(match self.asked.get(&id).map(|asked| &asked.found) {
            Some(Found::Gone) => return Err(()),
            Some(Found::Unlisted) => None,
            Some(Found::Unread(why)) => Some(Arc::clone(why)),
            Some(Found::Missing) => Some("GitLab does not know it, and is asked once more".into()),
            None if on_list && self.details.contains_key(&id) => None,
            None if on_list => Some("it was not read yet".into()),
            None => Some("GitLab's list lacks it, and it was not asked for yet".into()),
        })
    }

    fn record(
        &self,
        id: RecordId,
        listed_as: Option<&Variant>,
        look: &Look<'_>,
        now: Timestamp,
    ) -> Option<Record> {
        let unseen = self.unseen(id, listed_as.is_some()).ok()?;
        let claims = look.claims;
        let named = claims.named.get(&id);
        let details = self.details.get(&id);
        let variant = listed_as.or(details.and_then(|it| it.variant.as_ref())).or(named)?;
        let mut record = Record {
            id,
            variant: variant.clone(),
            origin: Origin::Untold,
            settings: unread_settings(),
            owner: Owner::Instance,
            created_at: None,
            token_expires_at: self.expiries.get(&id).copied(),
            token: Token::Lost,
            managers: Observed::Unknown { since: now, error: "not asked yet".into(), last: None },
            unseen,
        };
        let Some(details) = details else { return Some(record) };
        record.settings = details.settings.clone();
        record.created_at = details.created_at;
        let marks = &details.settings.marks;
        let has_variant = details.variant.is_some();
        let ours = !marks.is_disjoint(&claims.marks)
            || claims.held.contains(&id) && has_variant
            // A person cleared the note, or it is not shown to this token.
            || marks.is_empty()
                && (self.handed_out.contains_key(&id) || named.is_some() && has_variant);
        record.origin = match (&details.variant, &claims.unmarked_host) {
            _ if ours => Origin::Ours,
            // Whose it is cannot be told, so it is not touched, and none is made beside it.
            (Some(_), _) if marks.is_empty() => {
                record.unseen.get_or_insert_with(|| unmarked(&claims.marks));
                Origin::Untold
            }
            (Some(_), Some(host)) => {
                record.unseen.get_or_insert_with(|| marked_by_another(host));
                Origin::Untold
            }
            (Some(_), None) => Origin::Foreign,
            // Our containers have its token, and it was never ours: an operator's.
            (None, _) => Origin::Given,
        };
        match &details.owner {
            Some(owner) => record.owner = owner.clone(),
            None if ours && record.unseen.is_none() => record.unseen = Some(HIDDEN_OWNER.into()),
            // Nothing is done with another's record, so its owner decides nothing.
            None => {}
        }
        Some(record)
    }
}

fn marked_by_another(host: &HostName) -> Arc<str> {
    format!("it has no mark of a host that was reached, and `{host}` was not reached yet").into()
}

fn unmarked(marks: &BTreeSet<Mark>) -> Arc<str> {
    let note = mark::note(marks);
    format!(
        "its maintenance note, which would say whose it is, is empty or not shown to this token\n\
         hint: write `{note}` into it if this AutoGit made it, else delete it or set `instance:`"
    )
    .into()
}

const HIDDEN_OWNER: &str = "the token may not see its group or project\nhint: make its user an Owner \
                            of that group, or a Maintainer of that project";

/// Stands where nothing was read; nothing is done by it.
fn unread_settings() -> RecordSettings {
    RecordSettings {
        tags: Vec::new(),
        run_untagged: false,
        access: Access::NotProtected,
        maximum_timeout: None,
        paused: false,
        marks: BTreeSet::new(),
    }
}
