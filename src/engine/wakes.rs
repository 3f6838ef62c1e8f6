//! What an engine's events are for: the loop looks before its time.

use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use crate::lock::locked;
use crate::spec::InstanceName;
use crate::world::{Prefixes, SystemId};

/// Where events are told, and which containers' are.
#[derive(Debug, Clone)]
pub struct Wakes {
    /// The instance whose runners' containers are heard.
    pub instance: InstanceName,
    /// What the system ids of its runners start with, as far as that is known: containers of all other
    /// jobs are no concern of ours.
    pub prefixes: Arc<Mutex<Prefixes>>,
    /// Something happened to a runner's container.
    pub runners: mpsc::Sender<()>,
    /// Something happened to a job's container.
    pub jobs: mpsc::Sender<()>,
}

impl Wakes {
    /// Events of that instance's containers; those of jobs once a prefix is known.
    pub fn new(instance: &InstanceName, runners: mpsc::Sender<()>, jobs: mpsc::Sender<()>) -> Self {
        Self { instance: instance.clone(), prefixes: Arc::default(), runners, jobs }
    }

    /// A container of that instance changed; `None`: of an instance that is not known.
    pub(crate) fn runner_changed(&self, instance: Option<&str>) {
        if instance == Some(self.instance.as_str()) {
            send(&self.runners);
        }
    }

    /// A container of a job changed that the runner with that system id has.
    pub(crate) fn job_changed(&self, system_id: &str) {
        if self.is_ours(system_id) {
            send(&self.jobs);
        }
    }

    /// It is a runner's of this instance, as far as a prefix is known.
    pub(crate) fn is_ours(&self, system_id: &str) -> bool {
        locked(&self.prefixes).has(&SystemId::from_observed(system_id))
    }

    /// What happened meanwhile was not told.
    pub(crate) fn missed(&self) {
        send(&self.runners);
    }

    /// Until nobody listens any more.
    pub(crate) async fn closed(&self) {
        self.runners.closed().await;
    }
}

/// A wake that waits already stands for this one too.
fn send(wake: &mpsc::Sender<()>) {
    let _ = wake.try_send(());
}
