//! The runners' way to GitLab.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use autogit::gitlab::{Transport, TransportError};
use autogit::sandbox::gitlab::{Down, RouterTransport, SimulatedGitlab};
use autogit::world::{SystemId, WorkloadId};
use bytes::Bytes;
use http::{Request, Response};

use crate::chaos::{Chaos, Kind};

/// Requests fail before they have any effect; an answer that was given always arrives, for a job
/// whose hand-over is lost is lost by GitLab and its runner alone.
#[derive(Debug, Clone)]
pub(crate) struct RunnerSide {
    pub(crate) gitlab: SimulatedGitlab,
    pub(crate) transport: RouterTransport,
    pub(crate) chaos: Arc<Chaos>,
    pub(crate) hung: Hung,
}

/// Runners whose process hangs: they never reach GitLab.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hung(Arc<Mutex<BTreeMap<SystemId, WorkloadId>>>);

impl Hung {
    pub(crate) fn insert(&self, system_id: SystemId, container: WorkloadId) {
        self.0.lock().unwrap().insert(system_id, container);
    }

    /// Forgets those whose container does not run any more.
    pub(crate) fn keep(&self, runs: impl Fn(&WorkloadId) -> bool) {
        self.0.lock().unwrap().retain(|_, container| runs(container));
    }

    fn speaks_for(&self, body: &[u8]) -> bool {
        let hung = self.0.lock().unwrap();
        let said = |id: &SystemId| {
            let id = id.as_str().as_bytes();
            body.windows(id.len()).any(|window| window == id)
        };
        !hung.is_empty() && hung.keys().any(said)
    }
}

#[async_trait]
impl Transport for RunnerSide {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        if self.chaos.strikes(Kind::RunnerCutOff) || self.hung.speaks_for(request.body()) {
            return Err(TransportError::Unreachable("connection reset".to_owned()));
        }
        // A runner takes any 200 for GitLab's word and would never report its job again.
        if matches!(self.gitlab.down(), Down::Html | Down::EmptyBody) {
            return Err(TransportError::Unreachable("connection refused".to_owned()));
        }
        self.transport.send(request).await
    }
}
