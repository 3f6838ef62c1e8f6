//! By which engines what is ours is known: their marks are in each record's maintenance note and, with
//! the instance, in front of each system id.
//!
//! A record is ours when it carries the mark of any declared host, so the first host in the file
//! decides nothing and hosts may come and go. What cannot be seen is unknown: the mark of a host that
//! was never reached may be any, and while a host cannot be read, no mark is taken for useless.

use std::collections::BTreeSet;

use super::leftovers::is_silent;
use crate::spec::{HostName, InstanceName};
use crate::world::{Look, Mark, Origin, Record, SystemId, Variant};

/// Marks in one note: GitLab takes 1024 characters, and people write there, too. One is enough to
/// know a record by.
const MARKS_MAX: usize = 64;

/// What our system ids start with: of each engine that has, or had, runners of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefixes(BTreeSet<String>);

impl Prefixes {
    /// Those of `instance` on the engines with these marks.
    pub fn new<'a>(instance: &InstanceName, marks: impl IntoIterator<Item = &'a Mark>) -> Self {
        Self(marks.into_iter().map(|mark| SystemId::prefix(instance, mark)).collect())
    }

    /// By its name, that is a runner of ours.
    pub fn has(&self, id: &SystemId) -> bool {
        self.rest(id).is_some()
    }

    /// What follows the prefix, if it is one of these.
    pub(super) fn rest<'a>(&self, id: &'a SystemId) -> Option<&'a str> {
        self.0.iter().find_map(|prefix| id.as_str().strip_prefix(prefix.as_str()))
    }
}

impl Look {
    /// The marks of the hosts' engines, as far as they were ever seen.
    pub fn marks(&self) -> BTreeSet<Mark> {
        self.hosts.values().filter_map(|host| Some(host.engine()?.id.mark())).collect()
    }

    /// A declared host whose mark is not known: it was not reached yet.
    pub fn host_without_mark(&self) -> Option<&HostName> {
        let mut names = self.spec.hosts.keys();
        names.find(|name| self.hosts.get(name).and_then(|host| host.engine()).is_none())
    }

    /// What our system ids start with: on the declared hosts, and where our records say that we were.
    /// A version that named all hosts' runners after the first one may have left some of that name.
    pub fn prefixes(&self) -> Prefixes {
        let noted = self.our_records().flat_map(|record| &record.settings.marks).cloned();
        let marks: BTreeSet<Mark> = self.marks().into_iter().chain(noted).collect();
        Prefixes::new(&self.spec.instance, &marks)
    }

    /// The name by which AutoGit itself asks GitLab about a record's token, once a host was reached.
    pub fn keeper(&self, variant: &Variant) -> Option<SystemId> {
        let mark = self.hosts.values().find_map(|host| host.engine())?.id.mark();
        Some(SystemId::keeper(&self.spec.instance, &mark, variant))
    }

    /// The marks that the record's note is to carry: those of the declared hosts, and those of former
    /// ones for as long as something of ours may be left there. A mark that is of no use is taken out,
    /// for its engine may come to be another installation's, which would take our records for its own.
    pub fn wanted_marks(&self, record: &Record) -> BTreeSet<Mark> {
        let declared = self.marks();
        let noted = record.settings.marks.difference(&declared);
        let kept = noted.filter(|mark| !self.is_of_no_use(mark)).cloned();
        declared.iter().cloned().chain(kept).take(MARKS_MAX).collect()
    }

    /// Nothing is named after that engine any more, as far as one sees: no runner of a declared host
    /// and nothing of its jobs, and no row of our records that is in contact. Containers on the engine
    /// itself cannot be seen; the runners among them that live have such rows.
    fn is_of_no_use(&self, mark: &Mark) -> bool {
        let prefix = SystemId::prefix(&self.spec.instance, mark);
        let named = |id: &SystemId| id.as_str().starts_with(&prefix);
        let unused_there = self.hosts.values().all(|host| {
            let Some(state) = host.state.known() else { return false };
            let jobs = &state.jobs;
            let mut of_jobs = (jobs.containers.iter().map(|it| &it.system_id))
                .chain(jobs.volumes.iter().map(|it| &it.system_id))
                .chain(jobs.networks.iter().map(|it| &it.system_id));
            !state.hides_a_holder() && !state.holders().any(named) && !of_jobs.any(named)
        });
        let no_rows = |record: &Record| {
            let rows = record.managers.known();
            rows.is_some_and(|rows| {
                rows.iter().all(|row| !named(&row.system_id) || is_silent(self, row))
            })
        };
        self.all_hosts_known() && unused_there && self.our_records().all(no_rows)
    }

    /// As they are, or were seen last.
    fn our_records(&self) -> impl Iterator<Item = &Record> {
        let records = self.records.last().into_iter().flatten();
        records.filter(|record| record.origin == Origin::Ours)
    }
}
