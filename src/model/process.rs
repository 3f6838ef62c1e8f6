//! What a runner's process does, and when: contact, jobs one after the other, exit.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Durations, Model, later};
use crate::spec::HostName;
use crate::world::{
    ContainerId, ContainerState, Job, JobContainer, JobObjects, Look, Manager, Memory, Observed,
    Runner, RunnerName, Variant, WorkloadId,
};

/// Which process: of two that do something at one time, the first by host and name.
pub(super) type ProcessId = (HostName, RunnerName, WorkloadId);

/// The process of a container that runs.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) variant: Variant,
    /// GitLab has heard of it.
    pub(super) in_contact: bool,
    /// What it does next, and when; none: it waits for a job.
    pub(super) next: Option<(Timestamp, Step)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Contact,
    PickUp,
    EndJob,
    Exit,
}

/// The processes of the runners that run in a world.
pub(super) fn processes(
    look: &Look,
    memory: &Memory,
    durations: &Durations,
) -> BTreeMap<ProcessId, Process> {
    let mut processes = BTreeMap::new();
    for (host, state) in &look.hosts {
        let Some(state) = state.state.known() else { continue };
        for runner in &state.runners {
            if !matches!(runner.state, ContainerState::Running { .. }) {
                continue;
            }
            let at = |by| later(look.now, by);
            let leaves = is_asked(memory, runner) || is_used_up(look, runner);
            let in_contact = has_row(look, runner);
            let next = match () {
                () if has_job(&state.jobs, runner) => Some((at(durations.job), Step::EndJob)),
                () if leaves => Some((at(durations.drain), Step::Exit)),
                () if in_contact => None,
                () => Some((at(durations.start), Step::Contact)),
            };
            let id = (host.clone(), runner.name.clone(), runner.id.clone());
            processes.insert(id, Process { variant: runner.variant.clone(), in_contact, next });
        }
    }
    processes
}

impl Model {
    /// Each runner that waits picks up a job in a while, if there is one for it.
    pub(super) fn let_pick_up(&mut self) {
        let jobs = self.look.queue.known().map_or(&[][..], |queue| &queue.jobs);
        let free = self.processes.values_mut().filter(|process| process.next.is_none());
        let mut free = free.peekable();
        if jobs.is_empty() || free.peek().is_none() {
            return;
        }
        let mut offers = self.look.offers();
        offers.retain(|offer| jobs.iter().any(|job| offer.fits(job).is_ok()));
        let at = later(self.look.now, self.durations.pick_up);
        for process in free {
            if offers.iter().any(|offer| offer.variant == process.variant) {
                process.next = Some((at, Step::PickUp));
            }
        }
    }

    /// The process does what it was to do next.
    pub(super) fn step(&mut self, id: &ProcessId) {
        let Some(process) = self.processes.get_mut(id) else { return };
        let next = match process.next.take().map(|(_, step)| step) {
            Some(Step::Contact) => {
                process.in_contact = true;
                None
            }
            Some(Step::PickUp) => self.pick_up(id),
            Some(Step::EndJob) => self.end_job(id),
            Some(Step::Exit) => {
                self.exit(id);
                None
            }
            None => None,
        };
        if let Some(process) = self.processes.get_mut(id) {
            process.next = next.map(|(by, step)| (later(self.look.now, by), step));
        }
    }

    /// The process was asked to exit.
    pub(super) fn ask(&mut self, id: &ProcessId) {
        let at = later(self.look.now, self.durations.drain);
        self.memory.runner_mut(&id.2).draining = Some(self.look.now);
        if let Some(process) = self.processes.get_mut(id)
            && !matches!(process.next, Some((_, Step::EndJob)))
        {
            process.next = Some((at, Step::Exit));
        }
    }

    fn pick_up(&mut self, id: &ProcessId) -> Option<(SignedDuration, Step)> {
        let variant = &self.processes.get(id)?.variant;
        let job = take(&mut self.look, variant)?;
        let now = self.look.now;
        let (runner, objects) = runner(&mut self.look, id)?;
        let log = runner.log.get_or_insert_default();
        (log.received, log.works) = (Some((job.id, now)), true);
        objects.containers.push(JobContainer {
            id: ContainerId::from_observed(&format!("job-{}", job.id)),
            system_id: runner.system_id.clone(),
            job: Some(job.id),
            job_url: None,
            project: Some(job.project),
            runner: Some(runner.name.clone()),
            kind: "build".to_owned(),
            running: true,
        });
        self.taken.insert(job.id, now);
        let lasting = self.lasting.remove(&job.id);
        Some((lasting.unwrap_or(self.durations.job), Step::EndJob))
    }

    fn end_job(&mut self, id: &ProcessId) -> Option<(SignedDuration, Step)> {
        let now = self.look.now;
        let (runner, objects) = runner(&mut self.look, id)?;
        let of_job = objects.containers.iter().position(|one| is_of(one, runner));
        of_job.map(|index| objects.containers.remove(index));
        let log = runner.log.get_or_insert_default();
        (log.ended, log.works) = (Some(now), false);
        log.jobs_ended = log.jobs_ended.saturating_add(1);
        let (runner, has_another) = (runner.clone(), has_job(objects, runner));
        if is_asked(&self.memory, &runner) || is_used_up(&self.look, &runner) {
            self.exit(id);
            return None;
        }
        has_another.then_some((self.durations.job, Step::EndJob))
    }

    fn exit(&mut self, id: &ProcessId) {
        let finished_at = self.look.now;
        if let Some((runner, _)) = runner(&mut self.look, id) {
            runner.state = ContainerState::Exited { code: 0, finished_at, oom_killed: false };
        }
        self.processes.remove(id);
    }

    /// GitLab heard just now of each process that is in contact.
    pub(super) fn tell_contacts(&mut self) {
        let contacted_at = Some(self.look.now);
        let Observed::Known { value: records, .. } = &mut self.look.records else { return };
        for (id, process) in self.processes.iter().filter(|(_, process)| process.in_contact) {
            let host = self.look.hosts.get(&id.0).and_then(|host| host.state.known());
            let mut runners = host.into_iter().flat_map(|state| &state.runners);
            let Some(runner) = runners.find(|runner| runner.id == id.2) else { continue };
            let record = records.iter_mut().find(|record| record.id == runner.record);
            let rows = record.map(|record| &mut record.managers);
            let Some(Observed::Known { value: rows, .. }) = rows else { continue };
            let busy = matches!(process.next, Some((_, Step::EndJob)));
            let system_id = runner.system_id.clone();
            rows.retain(|row| row.system_id != system_id);
            rows.push(Manager { system_id, contacted_at, busy, job: None, caller: None });
        }
    }
}

/// The runner of a process, with what jobs made on its host.
fn runner<'a>(look: &'a mut Look, id: &ProcessId) -> Option<(&'a mut Runner, &'a mut JobObjects)> {
    let (host, _, container) = id;
    let Observed::Known { value: state, .. } = &mut look.hosts.get_mut(host)?.state else {
        return None;
    };
    let runner = state.runners.iter_mut().find(|runner| runner.id == *container)?;
    Some((runner, &mut state.jobs))
}

/// The oldest job that the variant may take, which is in the queue no more.
fn take(look: &mut Look, variant: &Variant) -> Option<Job> {
    let offer = look.offers().into_iter().find(|offer| offer.variant == *variant)?;
    let index = look.queue.known()?.jobs.iter().position(|job| offer.fits(job).is_ok())?;
    look.queue.last_mut().map(|queue| queue.jobs.remove(index))
}

fn is_of(container: &JobContainer, runner: &Runner) -> bool {
    container.running && container.system_id == runner.system_id
}

/// By a container, or by its log alone.
fn has_job(objects: &JobObjects, runner: &Runner) -> bool {
    let works = runner.log.as_ref().is_some_and(|log| log.works);
    works || objects.containers.iter().any(|container| is_of(container, runner))
}

/// Its process was asked to exit, and not one before it in the same container.
fn is_asked(memory: &Memory, runner: &Runner) -> bool {
    let ContainerState::Running { started_at } = runner.state else { return false };
    let asked_at = memory.runners.get(&runner.id).and_then(|remembered| remembered.draining);
    asked_at.is_some_and(|at| started_at <= at)
}

fn is_used_up(look: &Look, runner: &Runner) -> bool {
    look.spec.pool(&runner.variant.pool).is_some_and(|pool| runner.is_used_up(pool))
}

fn has_row(look: &Look, runner: &Runner) -> bool {
    let mut records = look.records.last().into_iter().flatten();
    let record = records.find(|record| record.id == runner.record);
    let mut rows = record.and_then(|record| record.managers.last()).into_iter().flatten();
    rows.any(|row| row.system_id == runner.system_id)
}
