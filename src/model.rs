//! What becomes of a world when plans are carried out: a model of GitLab, the engines and the
//! runners in which every call succeeds, nobody else acts, and each thing takes as long as it is
//! told to. It settles how many looks a plan needs until nothing is left to do, and what a spec
//! would have done with the jobs of another day.
//!
//! It is driven by events: a runner's process has one thing at most that it does next, at a known
//! time, and nothing is computed for the time in between. No clock and no randomness: equal worlds,
//! plans and durations give equal worlds.
//!
//! What cannot be read stays so, and nothing happens there. Where a person paused a container, it
//! goes on all the same.

mod actions;
mod process;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::plan::{Action, Plan};
use crate::world::{
    Absence, Job, JobId, Look, Memory, Observed, Question, World, note_observed, questions,
};
use process::{Process, ProcessId};

/// How long what happens takes.
#[derive(Debug, Clone, Copy)]
pub struct Durations {
    /// From the start of a runner's container to its first contact with GitLab.
    pub start: SignedDuration,
    /// Until a runner that may take a waiting job has it.
    pub pick_up: SignedDuration,
    /// A job that was not given with a duration of its own; of a job that a runner has from the
    /// beginning, what is left of it.
    pub job: SignedDuration,
    /// Until a runner without a job exits when it was asked to. One with a job exits as that ends.
    pub drain: SignedDuration,
}

/// A world that goes on, with what the process remembers of it.
#[derive(Debug)]
pub struct Model {
    /// What was seen last.
    world: World,
    /// What there is.
    look: Look,
    /// For the next look.
    memory: Memory,
    durations: Durations,
    processes: BTreeMap<ProcessId, Process>,
    /// Jobs that come yet, by when.
    coming: BTreeMap<(Timestamp, JobId), Job>,
    /// Jobs with a duration of their own.
    lasting: BTreeMap<JobId, SignedDuration>,
    taken: BTreeMap<JobId, Timestamp>,
    /// The last number that was given to something new.
    newest: u64,
}

/// What happens next; of two at one time, the first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    JobComes(JobId),
    Process(ProcessId),
}

impl Model {
    /// A model that begins with this world.
    pub fn new(world: World, durations: Durations) -> Self {
        let (look, memory) = (Look::clone(&world), world.next_memory());
        let ids = world.records.last().into_iter().flatten().map(|record| record.id.0);
        let newest = ids.max().unwrap_or_default();
        let processes = process::processes(&look, &memory, &durations);
        let (coming, lasting, taken) = <_>::default();
        Self { world, look, memory, durations, processes, coming, lasting, taken, newest }
    }

    /// The world as the last look showed it.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// A job comes into the queue when it is queued, now at the earliest, and runs for as long once a
    /// runner takes it.
    pub fn expect(&mut self, job: Job, lasting: SignedDuration) {
        self.lasting.insert(job.id, lasting);
        self.coming.insert((job.queued_at.max(self.look.now), job.id), job);
    }

    /// When a runner took the job.
    pub fn taken_at(&self, job: JobId) -> Option<Timestamp> {
        self.taken.get(&job).copied()
    }

    /// Carries the plan out. What takes time goes on in [`Self::advance`].
    pub fn apply(&mut self, plan: &Plan) {
        let actions = plan.decisions.iter().map(|decision| &decision.action);
        // A runner starts with the record that the same plan makes.
        let (first, then): (Vec<_>, Vec<_>) =
            actions.partition(|action| matches!(action, Action::CreateRecord { .. }));
        first.into_iter().chain(then).for_each(|action| self.act(action));
    }

    /// Lets so much time pass, and looks.
    pub fn advance(&mut self, by: SignedDuration) {
        let until = later(self.look.now, by);
        loop {
            self.let_pick_up();
            let Some((at, event)) = self.next().filter(|(at, _)| *at <= until) else { break };
            self.look.now = at;
            match event {
                Event::JobComes(id) => self.come(id),
                Event::Process(id) => self.step(&id),
            }
        }
        self.look.now = until;
        self.see();
    }

    fn next(&self) -> Option<(Timestamp, Event)> {
        let job = self.coming.keys().next().map(|(at, id)| (*at, Event::JobComes(*id)));
        let steps = self.processes.iter().filter_map(|(id, process)| {
            process.next.map(|(at, _)| (at, Event::Process(id.clone())))
        });
        steps.chain(job).min()
    }

    fn come(&mut self, id: JobId) {
        let job = self.coming.remove(&(self.look.now, id));
        if let (Some(job), Observed::Known { value: queue, .. }) = (job, &mut self.look.queue) {
            queue.jobs.push(job);
            queue.jobs.sort_by_key(|job| (job.queued_at, job.id));
        }
    }

    /// What could be read is read again.
    fn see(&mut self) {
        let Look { now, queue, records, hosts, .. } = &mut self.look;
        read_again(queue, *now);
        read_again(records, *now);
        for host in hosts.values_mut() {
            read_again(&mut host.state, *now);
        }
        self.tell_contacts();
        // A pull that the process was about when the model began is over, and all else came to nothing.
        for deed in std::mem::take(&mut self.memory.under_way).into_keys() {
            match deed.pull() {
                Some((host, image, false)) => self.pull(host, image),
                Some((host, image, true)) => self.keep_image(host, image),
                None => {}
            }
        }
        self.memory.asked.clear();
        deny_missing(&mut self.look);
        self.look.memory = std::mem::take(&mut self.memory);
        note_observed(&mut self.look);
        self.world = World::of(self.look.clone());
        self.memory = self.world.next_memory();
    }
}

fn read_again<T>(observed: &mut Observed<T>, now: Timestamp) {
    if let Observed::Known { at, .. } = observed {
        *at = now;
    }
}

/// Lets every engine that is known say that it has none of the runners which its list lacks.
pub fn deny_missing(look: &mut Look) {
    for (host, questions) in questions(look) {
        let answers = questions.into_iter().map(|Question { system_id, name }| {
            (system_id, name.map_or(Absence::Nameless, |name| Absence::Gone { name }))
        });
        if let Some(host) = look.hosts.get_mut(&host)
            && let Observed::Known { value: state, .. } = &mut host.state
        {
            state.missing = answers.collect();
        }
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}
