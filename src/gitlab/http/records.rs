//! The records under this instance's name.
//!
//! The list is read at each look; details are kept and read again little by little, so that a
//! look costs the same however many records there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::HttpGitlab;
use super::call::Call;
use super::mark;
use super::probe::older;
use super::scope::{OwnerGroup, OwnerProject, owner};
use super::wire::Pages;
use crate::gitlab::GitlabError;
use crate::world::{
    Access, Installation, Observed, Origin, Owner, Record, RecordId, RecordSettings, Token, Variant,
};

/// Pages of a list of runners that are read. Beyond that an own record could be overlooked and
/// made a second time, so a longer list is an error.
const LIST_PAGES_MAX: usize = 50;
/// How old details may be before they are read again.
const DETAILS_AGE_MAX: Duration = Duration::from_mins(1);
/// Details that are read again at one look; missing ones are read beside.
const REFRESHED_MAX: usize = 2;

/// What is known of records from earlier looks and own writes.
#[derive(Default)]
pub(super) struct Known {
    details: BTreeMap<RecordId, Details>,
    /// Told when a record is made or its token verified, and with its managers, but not by REST's
    /// lists.
    expiries: BTreeMap<RecordId, Timestamp>,
    /// Records whose tokens this process has handed out.
    pub(super) handed_out: BTreeSet<RecordId>,
}

#[derive(Clone)]
struct Details {
    read_at: Timestamp,
    description: String,
    installation: Option<Installation>,
    settings: RecordSettings,
    owner: Option<Owner>,
    created_at: Option<Timestamp>,
    token_expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Listed {
    id: u64,
    description: Option<String>,
    paused: Option<bool>,
}

#[derive(Deserialize)]
struct Row {
    description: Option<String>,
    maintenance_note: Option<String>,
    tag_list: Vec<String>,
    run_untagged: bool,
    access_level: String,
    maximum_timeout: Option<u64>,
    #[serde(default)]
    paused: bool,
    runner_type: String,
    #[serde(default)]
    groups: Vec<OwnerGroup>,
    #[serde(default)]
    projects: Vec<OwnerProject>,
    created_at: Option<Timestamp>,
    token_expires_at: Option<Timestamp>,
}

impl HttpGitlab {
    pub(super) async fn read_records(
        &self,
        installation: &Installation,
    ) -> Result<Vec<Record>, GitlabError> {
        let now = self.wire.now();
        let listed = self.list_records().await?;
        let due = self.records.with(|known| known.due(&listed, now));
        for id in due {
            match self.read_details(id).await {
                Ok(details) => self.records.with(|known| known.keep(id, details)),
                Err(GitlabError::NotFound { .. }) => self.records.with(|known| known.forget(id)),
                Err(error) => return Err(error),
            }
        }
        let told = self.records.with(|known| known.told(&listed));
        told.into_iter().map(|told| record(told, installation, now)).collect()
    }

    /// All runners this token may administer whose description names a variant of ours.
    async fn list_records(&self) -> Result<Vec<(Variant, Listed)>, GitlabError> {
        let all = Call::get("GET /runners/all", "/runners/all").query("per_page=100");
        let own = Call::get("GET /runners", "/runners").query("per_page=100");
        // An administrator without the scope `admin_mode`, where that mode is on, gets a 403, too.
        let pages = if self.proof().await?.server.administrator {
            match self.wire.pages(all, LIST_PAGES_MAX).await {
                Err(GitlabError::Forbidden { .. }) => self.wire.pages(own, LIST_PAGES_MAX).await,
                told => told,
            }
        } else {
            self.wire.pages(own, LIST_PAGES_MAX).await
        };
        let Pages { items, more, .. }: Pages<Listed> = pages?;
        if more {
            return Err(GitlabError::Rejected {
                attempt: "a look at all runners".to_owned(),
                message: format!("there are more than {}", LIST_PAGES_MAX * 100),
            });
        }
        let ours = |row: Listed| {
            let variant = mark::variant(&self.settings.instance, row.description.as_deref()?)?;
            Some((variant, row))
        };
        // A runner that is made meanwhile moves another one to the next page, where it is told again.
        let mut seen = BTreeSet::new();
        Ok(items.into_iter().filter(|row| seen.insert(row.id)).filter_map(ours).collect())
    }

    async fn read_details(&self, id: RecordId) -> Result<Details, GitlabError> {
        let call = Call::get("GET /runners/:id", format!("/runners/{id}"))
            .attempt(format!("see runner {id}"))
            .object(format!("runner {id}"));
        let row: Row = self.wire.json(&call).await?;
        let mut tags = row.tag_list;
        tags.sort();
        Ok(Details {
            read_at: self.wire.now(),
            description: row.description.unwrap_or_default(),
            installation: row.maintenance_note.as_deref().and_then(mark::installation),
            settings: RecordSettings {
                tags,
                run_untagged: row.run_untagged,
                access: match row.access_level.as_str() {
                    "ref_protected" => Access::RefProtected,
                    _ => Access::NotProtected,
                },
                maximum_timeout: row.maximum_timeout.map(Duration::from_secs),
                paused: row.paused,
            },
            owner: owner(&row.runner_type, &row.groups, &row.projects),
            created_at: row.created_at.map(|at| self.wire.ours(at)),
            token_expires_at: row.token_expires_at.map(|at| self.wire.ours(at)),
        })
    }
}

/// One listed record, and all that is known of it.
struct Told {
    id: RecordId,
    variant: Variant,
    details: Details,
}

impl Known {
    /// The records whose details are to be read now; forgets those that are not listed any more.
    fn due(&mut self, listed: &[(Variant, Listed)], now: Timestamp) -> Vec<RecordId> {
        let ids: BTreeSet<RecordId> = listed.iter().map(|(_, row)| RecordId(row.id)).collect();
        self.details.retain(|id, _| ids.contains(id));
        let renamed = |row: &Listed| {
            let known = self.details.get(&RecordId(row.id));
            known.is_none_or(|known| row.description.as_deref() != Some(&known.description))
        };
        let missing = listed.iter().map(|(_, row)| row).filter(|row| renamed(row));
        let mut due: Vec<RecordId> = missing.map(|row| RecordId(row.id)).collect();
        let mut old: Vec<(Timestamp, RecordId)> = self
            .details
            .iter()
            .filter(|(_, known)| older(now, known.read_at, DETAILS_AGE_MAX))
            .map(|(&id, known)| (known.read_at, id))
            .filter(|(_, id)| !due.contains(id))
            .collect();
        old.sort_unstable();
        due.extend(old.into_iter().map(|(_, id)| id).take(REFRESHED_MAX));
        due
    }

    fn told(&self, listed: &[(Variant, Listed)]) -> Vec<Told> {
        let known = |(variant, row): &(Variant, Listed)| {
            let id = RecordId(row.id);
            let mut details = self.details.get(&id)?.clone();
            details.settings.paused = row.paused.unwrap_or(details.settings.paused);
            let expiry = self.expiries.get(&id).copied();
            details.token_expires_at = details.token_expires_at.or(expiry);
            Some(Told { id, variant: variant.clone(), details })
        };
        listed.iter().filter_map(known).collect()
    }

    fn keep(&mut self, id: RecordId, details: Details) {
        self.details.insert(id, details);
    }

    pub(super) fn token_expires(&mut self, id: RecordId, at: Option<Timestamp>) {
        match at {
            Some(at) => drop(self.expiries.insert(id, at)),
            None => drop(self.expiries.remove(&id)),
        }
    }

    /// Has the details read again at the next look, after an own write.
    pub(super) fn changed(&mut self, id: RecordId) {
        self.details.remove(&id);
    }

    pub(super) fn forget(&mut self, id: RecordId) {
        self.expiries.remove(&id);
        self.handed_out.remove(&id);
        self.details.remove(&id);
    }
}

fn record(told: Told, installation: &Installation, now: Timestamp) -> Result<Record, GitlabError> {
    let Told { id, variant, details } = told;
    let ours = details.installation.as_ref() == Some(installation);
    let owner = match details.owner {
        Some(owner) => owner,
        None if ours => {
            return Err(GitlabError::Forbidden {
                attempt: format!("see the group or project of runner {id}"),
                hint: "make its user an Owner of that group, or a Maintainer of that project"
                    .to_owned(),
            });
        }
        // Nothing is done with a foreign record, so its owner decides nothing.
        None => Owner::Instance,
    };
    Ok(Record {
        id,
        variant,
        origin: if ours { Origin::Ours } else { Origin::Foreign },
        settings: details.settings,
        owner,
        created_at: details.created_at,
        token_expires_at: details.token_expires_at,
        token: Token::Lost,
        managers: Observed::Unknown { since: now, error: Arc::from("not asked yet"), last: None },
    })
}
