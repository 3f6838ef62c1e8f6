//! The records under this instance's name.
//!
//! The list is read at each look; details are kept and read again little by little, so that a
//! look costs the same however many records there are. What the list lacks is asked for by its id:
//! a list is not the truth about one thing.

mod neighbours;
mod polls;
mod renamed;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::HttpGitlab;
use super::call::Call;
use super::mark;
use super::scope::{OwnerGroup, OwnerProject, owner};
use super::wire::Pages;
use crate::gitlab::{Claims, GitlabError};
use crate::world::{Access, Mark, Owner, Record, RecordId, RecordSettings, Variant};
use told::{Asked, Look};

/// Pages of a list of runners that are read. Beyond that an own record could be overlooked and
/// made a second time, so a longer list is an error.
const LIST_PAGES_MAX: usize = 50;
/// How old details may be before they are read again.
const DETAILS_AGE_MAX: Duration = Duration::from_mins(1);
/// Details that are read again at one look; missing ones are read beside.
const REFRESHED_MAX: usize = 2;
const LIST_HINT: &str = "the list takes an administrator's token, which has the scope `admin_mode` \
                         where Admin Mode is on";

/// What is known of records from earlier looks and own writes.
#[derive(Default)]
pub(super) struct Known {
    details: BTreeMap<RecordId, Details>,
    /// What became of the last question for those that are not simply listed and read.
    asked: BTreeMap<RecordId, Asked>,
    /// Told when a record is made or its token verified, and with its managers, but not by REST's
    /// lists. Whoever may not see it is told null, so a null takes nothing back.
    expiries: BTreeMap<RecordId, Timestamp>,
    /// When the polls of a record's runners were ended last.
    polls_ended: BTreeMap<RecordId, Timestamp>,
    /// Records that this process made, so that it has handed out their tokens, and when.
    pub(super) handed_out: BTreeMap<RecordId, Timestamp>,
    /// How often this process changed a record.
    changes: u64,
    /// Those whose runners take jobs.
    pub(super) served: BTreeSet<RecordId>,
    /// Rows of the last list that could not be read: each may be a record of ours.
    pub(super) odd_rows: usize,
    strangers: renamed::Strangers,
    neighbours: neighbours::Neighbours,
}

/// When the details were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// This process made the record, and GitLab did not show it yet.
    Never,
    /// Before an own write changed it.
    Before,
    /// Then.
    At(Timestamp),
}

#[derive(Clone)]
struct Details {
    read: Read,
    /// The variant that its description names.
    variant: Option<Variant>,
    description: String,
    /// The maintenance note, where it is shown.
    note: Option<String>,
    settings: RecordSettings,
    owner: Option<Owner>,
    /// By GitLab's clock: ours may be set meanwhile.
    created_at: Option<Timestamp>,
    token_expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Listed {
    id: u64,
    description: Option<String>,
    paused: Option<bool>,
    online: Option<bool>,
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
    /// The records under this instance's name, and those that `claims` names.
    pub(super) async fn read_records(&self, claims: &Claims) -> Result<Vec<Record>, GitlabError> {
        let now = self.wire.now();
        let listed = self.list_records().await?;
        let (look, due) = self.records.with(|known| {
            let look = known.look(listed, claims);
            let due = known.due(&look, now);
            (look, due)
        });
        self.ask_for_details(due, &look).await?;
        let mut told = self.records.with(|known| known.told(&look, now));
        for record in &mut told {
            record.created_at = record.created_at.map(|at| self.wire.ours(at));
        }
        Ok(told)
    }

    /// Reads the details of these. One that cannot be read is set aside and does not hide the rest.
    ///
    /// Errors: what is true of all of them.
    async fn ask_for_details(
        &self,
        due: Vec<RecordId>,
        look: &Look<'_>,
    ) -> Result<(), GitlabError> {
        let mut missing = Vec::new();
        for id in due {
            let changes = self.records.with(|known| known.changes);
            match self.read_details(id).await {
                Ok(details) => {
                    let unlisted = look.absent.contains(&id);
                    let at = self.wire.now();
                    self.records.with(|known| {
                        known.keep(id, details, at, unlisted);
                        // An own write that came between may have changed it.
                        if known.changes != changes {
                            known.read_again(id);
                        }
                    });
                }
                Err(GitlabError::NotFound { .. }) => missing.push(id),
                Err(error @ (GitlabError::Unauthorized { .. } | GitlabError::Limited { .. })) => {
                    return Err(error);
                }
                Err(error) => {
                    self.unread(id, &error);
                    // The rest is asked for at the next look: each may take as long to fail.
                    if error.is_late() {
                        break;
                    }
                }
            }
        }
        self.note_missing(missing).await;
        Ok(())
    }

    fn unread(&self, id: RecordId, error: &GitlabError) {
        let now = self.wire.now();
        self.records.with(|known| known.unread(id, now, error.to_string().into()));
    }

    /// GitLab knows none of these. What stands before it may answer 404 as well, so that counts
    /// only while GitLab says that it is itself.
    async fn note_missing(&self, missing: Vec<RecordId>) {
        if missing.is_empty() {
            return;
        }
        let itself = self.version().await;
        let now = self.wire.now();
        for id in missing {
            match &itself {
                Ok(_) => self.records.with(|known| known.missing(id, now)),
                Err(error) => self.unread(id, error),
            }
        }
    }

    /// All runners this token may administer whose description names a variant of ours.
    async fn list_records(&self) -> Result<Vec<(Variant, Listed)>, GitlabError> {
        let all = Call::get("GET /runners/all", "/runners/all")
            .query("per_page=100")
            .attempt("list all runners")
            .hint(LIST_HINT);
        let own = Call::get("GET /runners", "/runners").query("per_page=100");
        let pages = if self.proof().await?.server.administrator {
            match self.wire.pages(all, LIST_PAGES_MAX).await {
                // Nobody owns instance runners, so the other list would lack them all.
                Err(GitlabError::Forbidden { .. }) if !self.settings.instance_records => {
                    self.wire.pages(own, LIST_PAGES_MAX).await
                }
                told => told,
            }
        } else {
            self.wire.pages(own, LIST_PAGES_MAX).await
        };
        let Pages { items, more, odd, .. }: Pages<Listed> = pages?;
        if more {
            return Err(GitlabError::Rejected {
                attempt: "a look at all runners".to_owned(),
                message: format!("there are more than {}", LIST_PAGES_MAX * 100),
            });
        }
        self.records.with(|known| {
            known.odd_rows = odd;
            known.strangers.note(&items);
            known.neighbours.note(&self.settings.instance, &items);
        });
        let ours = |row: Listed| {
            let variant = mark::variant(&self.settings.instance, row.description.as_deref()?)?;
            Some((variant, row))
        };
        // A runner that is made meanwhile moves another one to the next page, where it is told again.
        let mut seen = BTreeSet::new();
        Ok(items.into_iter().filter(|row| seen.insert(row.id)).filter_map(ours).collect())
    }

    /// The note that the record gets for these marks; `None`: it has them. It is read anew, so that what
    /// a person just wrote beside them stays.
    pub(super) async fn changed_note(
        &self,
        id: RecordId,
        marks: &BTreeSet<Mark>,
    ) -> Result<Option<String>, GitlabError> {
        let known =
            self.records.with(|known| known.details.get(&id).map(|it| it.settings.marks.clone()));
        if known.is_none_or(|known| known == *marks) {
            return Ok(None);
        }
        let note = self.read_details(id).await?.note.unwrap_or_default();
        Ok(Some(mark::with_marks(&note, marks)))
    }

    async fn read_details(&self, id: RecordId) -> Result<Details, GitlabError> {
        let call = Call::get("GET /runners/:id", format!("/runners/{id}"))
            .attempt(format!("see runner {id}"))
            .object(format!("runner {id}"));
        let row: Row = self.wire.json(&call).await?;
        let description = row.description.unwrap_or_default();
        let mut tags = row.tag_list;
        tags.sort();
        Ok(Details {
            read: Read::At(self.wire.now()),
            variant: mark::variant(&self.settings.instance, &description),
            description,
            settings: RecordSettings {
                tags,
                run_untagged: row.run_untagged,
                access: match row.access_level.as_str() {
                    "ref_protected" => Access::RefProtected,
                    _ => Access::NotProtected,
                },
                maximum_timeout: row.maximum_timeout.map(Duration::from_secs),
                paused: row.paused,
                marks: row.maintenance_note.as_deref().map(mark::marks).unwrap_or_default(),
            },
            note: row.maintenance_note,
            owner: owner(&row.runner_type, &row.groups, &row.projects),
            created_at: row.created_at,
            token_expires_at: row.token_expires_at.map(|at| self.wire.ours(at)),
        })
    }
}
