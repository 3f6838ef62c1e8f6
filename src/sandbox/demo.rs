//! The demo: a spec of its own, a GitLab with a few projects, and jobs that arrive over half a
//! minute, and then one by one.

use std::time::Duration;

use secrecy::SecretString;

use super::gitlab::{NewJob, SimulatedGitlab};
use super::rng::Rng;
use crate::world::{JobId, ProjectId};

/// The spec that `autogit sandbox` runs with: short cooldowns, so that zero is reached while one
/// watches. Each pool shows one thing: demand, warm runners, and a `max` that holds.
pub const SPEC: &str = include_str!("demo.yaml");

/// Jobs that arrive in one demo.
const JOBS: u64 = 14;

/// The time over which they arrive.
const SPREAD: Duration = Duration::from_secs(20);

/// The least time between two jobs of the steady load: its runners come to rest in between.
const PAUSE: Duration = Duration::from_secs(6);

/// How many milliseconds more it may be.
const PAUSE_SPREAD: u64 = 12_000;

/// How long GitLab holds a poll without news: an operator may set that, and a demo wants its idle
/// runners to notice soon that they are drained.
const POLL_HELD_FOR: Duration = Duration::from_secs(5);

/// The tags that a demo job may ask for; all of them are offered by a pool.
const WANTS: [&[&str]; 4] = [&["docker"], &["docker"], &["docs"], &["build", "docker"]];

/// The simulated GitLab with its people, projects and tokens.
#[derive(Debug, Clone)]
pub struct Demo {
    /// The server.
    pub gitlab: SimulatedGitlab,
    /// An administrator's token with all that AutoGit needs.
    pub token: SecretString,
    projects: Vec<ProjectId>,
}

/// A job of the demo, and when it arrives.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// How long after the start.
    pub after: Duration,
    /// The job.
    pub job: NewJob,
}

/// Jobs that arrive one by one, without end.
#[derive(Debug)]
pub struct Steady {
    demo: Demo,
    rng: Rng,
    number: u64,
    image: Option<String>,
}

impl Demo {
    /// Sets up `gitlab` for a demo.
    pub fn new(gitlab: SimulatedGitlab) -> Self {
        gitlab.hold_polls_for(POLL_HELD_FOR);
        let root = gitlab.add_administrator("root");
        let token = gitlab.new_token(root, &["api"], None);
        for group in ["team", "infra"] {
            gitlab.add_group(group);
        }
        let projects =
            ["team/app", "team/site", "infra/images"].map(|path| gitlab.add_project(path));
        Self { gitlab, token, projects: projects.into() }
    }

    /// The jobs of a demo of that seed, in the order of their arrival. `image` is what they name.
    pub fn load(&self, seed: u64, image: Option<&str>) -> Vec<Arrival> {
        let mut rng = Rng::new(seed);
        let mut arrivals: Vec<Arrival> =
            (0..JOBS).filter_map(|number| self.arrival(&mut rng, number, image)).collect();
        arrivals.sort_by_key(|arrival| arrival.after);
        arrivals
    }

    fn arrival(&self, rng: &mut Rng, number: u64, image: Option<&str>) -> Option<Arrival> {
        let mut job = NewJob::new(*rng.pick(&self.projects)?);
        job.name = format!("{} {}", rng.pick(&["test", "lint", "build", "docs"])?, number + 1);
        job.image = image.map(str::to_owned);
        job.duration = Duration::from_millis(2_000 + rng.below(6_000));
        job.fails = rng.below(7) == 0;
        job = job.tagged(rng.pick(&WANTS)?);
        job.script = script(&job);
        let spread = u64::try_from(SPREAD.as_millis()).unwrap_or(u64::MAX);
        Some(Arrival { after: Duration::from_millis(rng.below(spread)), job })
    }

    /// Jobs that go on to arrive after those, so that there is something to watch.
    pub fn steady(&self, seed: u64, image: Option<&str>) -> Steady {
        let rng = Rng::new(seed.wrapping_add(1));
        Steady { demo: self.clone(), rng, number: JOBS, image: image.map(str::to_owned) }
    }

    /// Queues a job now.
    pub fn queue(&self, job: NewJob) -> JobId {
        self.gitlab.add_job(job)
    }
}

impl Iterator for Steady {
    type Item = Arrival;

    /// The next job, and how long it comes after the one before.
    fn next(&mut self) -> Option<Arrival> {
        let arrival = self.demo.arrival(&mut self.rng, self.number, self.image.as_deref())?;
        self.number += 1;
        let after = PAUSE + Duration::from_millis(self.rng.below(PAUSE_SPREAD));
        Some(Arrival { after, ..arrival })
    }
}

/// What a real runner runs; a simulated one only waits.
fn script(job: &NewJob) -> Vec<String> {
    let wait = format!("sleep {}", job.duration.as_secs().max(1));
    let end = if job.fails { "exit 1" } else { "echo done" };
    vec![format!("echo {}", job.name), wait, end.to_owned()]
}
