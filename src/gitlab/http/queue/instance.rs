//! The whole instance's queue, for an administrator: one GraphQL request per hundred jobs.
//!
//! For anyone else the same query answers an empty list and no error, so emptiness only counts
//! with a fresh proof of the right to see.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::HttpGitlab;
use super::super::graphql::{Backward, Connection, Gid, Reply, whole};
use super::super::probe::Proof;
use super::super::wire::readable;
use super::walk::Place;
use super::{PAGES_MAX, Pending, Read, first_line, numbered};
use crate::gitlab::GitlabError;
use crate::world::{JobId, ProjectId, RecordId};

/// Requests of a look of a long queue that go to what our own records may take.
const COMPATIBLE_MAX: usize = 4;
/// Records asked for in one of them: each costs about 30 of GitLab's 250 points of complexity.
const RECORDS_PER_REQUEST: usize = 6;
const NODE: &str = "id name tags queuedAt createdAt refName createdByTag project{id fullPath}";
const ATTEMPT: &str = "read the instance's pending jobs";

type Backwards = Connection<Value, Backward>;

#[derive(Deserialize)]
struct Data {
    jobs: Option<Backwards>,
}

/// A job. Its id, and when it was made, may be null since 18.x.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    id: Gid,
    name: Option<String>,
    tags: Vec<String>,
    queued_at: Option<Timestamp>,
    created_at: Option<Timestamp>,
    ref_name: Option<String>,
    created_by_tag: Option<bool>,
    project: Option<Project>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Project {
    id: Gid,
    full_path: String,
}

/// A page of the queue.
struct Page {
    jobs: Vec<Pending>,
    /// The cursor of the next newer page; none: it is the last.
    before: Option<String>,
    /// What is said of jobs on it that cannot be read.
    odd: Option<Arc<str>>,
}

impl HttpGitlab {
    /// The pending jobs, as far as this look and those before it came.
    pub(super) async fn read_instance(&self, proof: &Proof) -> Result<Read, GitlabError> {
        let Page { jobs, before, odd } = self.page(None).await?;
        let mut set_aside: Vec<Arc<str>> = odd.into_iter().collect();
        let (behind, stopped) =
            self.walk.with(|walk| (walk.take(JobId(0), jobs, before), walk.stopped.take()));
        let mut left = PAGES_MAX - 1;
        if stopped.is_some() {
            left -= self.read_compatible(proof, &mut set_aside).await?;
        }
        let stopped = self.walk_on(behind, stopped, left, &mut set_aside).await?;
        let (now, more) = (self.wire.now(), stopped.is_some());
        let (jobs, round) = self.walk.with(|walk| {
            walk.stop(stopped, now);
            (walk.jobs().clone(), walk.round)
        });
        if jobs.is_empty() {
            self.confirm_administrator(proof).await?;
        }
        Ok(Read { jobs, more, set_aside, round })
    }

    /// Reads `left` pages on from where the last look stopped, and at the end on from `behind` the
    /// oldest page. Tells where it stopped; none: all were read.
    async fn walk_on(
        &self,
        behind: Option<Place>,
        stopped: Option<Place>,
        left: usize,
        set_aside: &mut Vec<Arc<str>>,
    ) -> Result<Option<Place>, GitlabError> {
        let after = |place: &Place| behind.as_ref().is_some_and(|it| place.passed > it.passed);
        let resumed = stopped.filter(after);
        let mut place = resumed.clone().or_else(|| behind.clone());
        // The job from which this look went on, once it came round to the oldest again.
        let mut round_to = None;
        for _ in 0..left {
            let Some(at) = place.take() else { break };
            let Page { jobs, before, odd } = match self.page(Some(&at.before)).await {
                Ok(page) => page,
                Err(error) if error.is_odd() => {
                    let after = at.passed;
                    set_aside.push(format!("jobs after {after}: {}", first_line(&error)).into());
                    return Ok(Some(at));
                }
                Err(error) => {
                    let now = self.wire.now();
                    self.walk.with(|walk| walk.stop(Some(at), now));
                    return Err(error);
                }
            };
            set_aside.extend(odd);
            let now = self.wire.now();
            place = self.walk.with(|walk| {
                let next = walk.take(at.passed, jobs, before);
                if next.is_none() {
                    walk.came_round(now);
                }
                next
            });
            match (&place, &resumed, round_to) {
                (None, Some(resumed), None) => {
                    round_to = Some(resumed.passed);
                    place.clone_from(&behind);
                }
                (Some(at), _, Some(round_to)) if at.passed >= round_to => place = None,
                _ => {}
            }
        }
        Ok(place)
    }

    /// A hundred jobs. The list is newest first, so its end is read first, backwards.
    async fn page(&self, before: Option<&str>) -> Result<Page, GitlabError> {
        let query = format!(
            "query($before:String){{ jobs(statuses:[PENDING], last:100, before:$before){{ \
             pageInfo{{hasPreviousPage startCursor}} nodes{{ {NODE} }} }} }}"
        );
        let variables = json!({ "before": before });
        let mut reply: Reply<Data> = self.wire.reply(ATTEMPT, &query, variables).await?;
        let odd = Odd::of(&mut reply, "jobs");
        let Some(connection) = whole(ATTEMPT, reply)?.jobs else {
            return Err(unseen());
        };
        Ok(self.page_of(connection, &odd))
    }

    /// What our records may take, by GitLab's own matching (18.1 and newer): a flood of jobs that
    /// they may not take hides none of it. Tells how many requests it took.
    async fn read_compatible(
        &self,
        proof: &Proof,
        set_aside: &mut Vec<Arc<str>>,
    ) -> Result<usize, GitlabError> {
        if !proof.compatible {
            return Ok(0);
        }
        let served = self.records.with(|known| known.served.clone());
        let most = COMPATIBLE_MAX * RECORDS_PER_REQUEST;
        let rotation = self.walk.with(|walk| walk.rotation(&served, most));
        let mut requests = 0;
        for records in rotation.chunks(RECORDS_PER_REQUEST) {
            requests += 1;
            let query = compatible_query(records);
            match self.wire.reply(ATTEMPT, &query, Value::Null).await {
                // An experiment of GitLab's: where it is not offered, the walk alone has to do.
                Ok(Reply { data: None, .. }) => {
                    self.proof.with(|proof| proof.iter_mut().for_each(|it| it.compatible = false));
                    break;
                }
                Ok(reply) => self.take_compatible(records, reply, set_aside),
                Err(error) if error.is_odd() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(requests)
    }

    fn take_compatible(
        &self,
        records: &[RecordId],
        mut reply: Reply<BTreeMap<String, Value>>,
        set_aside: &mut Vec<Arc<str>>,
    ) {
        for id in records {
            let alias = format!("r{id}");
            let odd = Odd::of(&mut reply, &alias);
            let refused = reply.errors.iter().any(|fault| fault.field() == Some(&alias));
            let told = reply.data.as_mut().and_then(|data| data.remove(&alias));
            let told = told.and_then(|told| serde_json::from_value::<Backwards>(told).ok());
            let Some(connection) = told.filter(|_| !refused) else { continue };
            let Page { jobs, before, odd } = self.page_of(connection, &odd);
            set_aside.extend(odd);
            self.walk.with(|walk| walk.take_compatible(*id, jobs, before.is_some()));
        }
    }

    fn page_of(&self, connection: Backwards, odd: &Odd) -> Page {
        let Connection { page_info, nodes } = connection;
        let nodes = nodes.into_iter().enumerate();
        let whole = nodes.filter(|(index, _)| !odd.nodes.contains(index)).map(|(_, node)| node);
        let (nodes, unreadable) = readable::<Node>(whole.collect());
        // A job whose project is being deleted has none, and will never be picked up.
        let jobs = nodes.into_iter().filter_map(|node| self.pending(node)).collect();
        let count = unreadable.saturating_add(odd.nodes.len());
        let why = odd.message.as_deref().unwrap_or("GitLab does not tell their id or tags");
        let odd = (count > 0).then(|| format!("{}: {why}", numbered(count, "pending job")).into());
        let before = page_info.start_cursor.filter(|_| page_info.has_previous_page);
        Page { jobs, before, odd }
    }

    fn pending(&self, node: Node) -> Option<Pending> {
        let project = node.project?;
        let id = JobId(node.id.0);
        let told = node.queued_at.or(node.created_at).map(|at| self.wire.ours(at));
        // Where GitLab does not say since when it waits: since it was seen.
        let seen = || self.walk.with(|walk| walk.jobs().get(&id).map(|job| job.queued_at));
        Some(Pending {
            id,
            name: node.name.unwrap_or_default(),
            project: ProjectId(project.id.0),
            project_path: project.full_path.into(),
            tags: node.tags,
            queued_at: told.or_else(seen).unwrap_or_else(|| self.wire.now()),
            ref_name: node.ref_name.unwrap_or_default(),
            of_tag: node.created_by_tag.unwrap_or(false),
        })
    }
}

/// What each of these records may take.
fn compatible_query(records: &[RecordId]) -> String {
    let mut query = String::from("query{ ");
    for id in records {
        // Writing to a string cannot fail.
        let _ = write!(
            query,
            "r{id}:jobs(statuses:[PENDING], \
             compatibleRunnerId:\"gid://gitlab/Ci::Runner/{id}\", last:100){{ \
             pageInfo{{hasPreviousPage startCursor}} nodes{{ {NODE} }} }} "
        );
    }
    query.push('}');
    query
}

/// Nodes of a connection that errors are about.
struct Odd {
    nodes: BTreeSet<usize>,
    message: Option<String>,
}

impl Odd {
    /// Takes the errors about single nodes of `field` out of a reply: they do not hide the rest.
    fn of<T>(reply: &mut Reply<T>, field: &str) -> Self {
        let mut odd = Self { nodes: BTreeSet::new(), message: None };
        reply.errors.retain(|fault| {
            let Some(index) = fault.node_of(field) else { return true };
            odd.nodes.insert(index);
            odd.message.get_or_insert_with(|| fault.words());
            false
        });
        odd
    }
}

fn unseen() -> GitlabError {
    GitlabError::Forbidden {
        attempt: ATTEMPT.to_owned(),
        hint: Some(
            "use an administrator's token, or set `gitlab.queue_source: projects`".to_owned(),
        ),
    }
}
