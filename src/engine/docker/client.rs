//! The opened client, and the one way in which the engine is asked.

use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::endpoint::Endpoint;
use super::failure::Failure;
use super::info;
use super::raw::Wire;
use crate::clock::Clock;
use crate::engine::EngineError;
use crate::lock::locked;

/// What only reads: on a healthy engine milliseconds; a minute of patience would stall the loop.
pub(super) const READ_LIMIT: Duration = Duration::from_secs(20);
/// What changes something: creating and starting take seconds on a slow disk, and an answer that
/// is not awaited leaves a slot in doubt.
pub(super) const CHANGE_LIMIT: Duration = Duration::from_mins(1);

/// What the engine said of itself that other calls need.
#[expect(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    /// How far its clock is ahead of ours.
    pub(super) skew: SignedDuration,
    /// SELinux labels containers.
    pub(super) selinux: bool,
    /// Containers have user ids of their own.
    pub(super) user_namespaces: bool,
    /// It runs without root.
    pub(super) rootless: bool,
    /// It is Podman.
    pub(super) podman: bool,
}

impl Facts {
    /// A time of ours by the engine's clock.
    pub(super) fn theirs(&self, at: Timestamp) -> Timestamp {
        at.saturating_add(self.skew).unwrap_or(at)
    }

    /// A time of the engine by our clock.
    pub(super) fn ours(&self, at: Timestamp) -> Timestamp {
        at.saturating_sub(self.skew).unwrap_or(at)
    }
}

/// An engine's client, opened with the first call that finds it up.
#[derive(Debug)]
pub(super) struct Client {
    endpoint: Endpoint,
    clock: Clock,
    opened: OnceCell<(Docker, Wire)>,
    facts: Mutex<Option<Facts>>,
}

impl Client {
    pub(super) fn new(endpoint: Endpoint, clock: Clock) -> Self {
        Self { endpoint, clock, opened: OnceCell::new(), facts: Mutex::new(None) }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The engine's facts, as it last told them; asked for if it never did.
    pub(super) async fn facts(&self) -> Result<Facts, EngineError> {
        if let Some(facts) = self.known_facts() {
            return Ok(facts);
        }
        info::info(self).await?;
        Ok(self.known_facts().unwrap_or_default())
    }

    pub(super) fn known_facts(&self) -> Option<Facts> {
        *locked(&self.facts)
    }

    pub(super) fn learn(&self, facts: Facts) {
        *locked(&self.facts) = Some(facts);
    }

    /// The client. bollard 0.21 names no version in its requests, so each engine is spoken to in
    /// its newest, and may be upgraded meanwhile; that it tells one shows that it is an engine.
    pub(super) async fn docker(&self) -> Result<Docker, Failure> {
        Ok(self.opened().await?.0.clone())
    }

    async fn opened(&self) -> Result<&(Docker, Wire), Failure> {
        let attempt = "say its version";
        let opened = self.opened.get_or_try_init(|| async {
            let opened = self.endpoint.open().map_err(|error| self.failure(attempt, error))?;
            let (docker, wire) = opened;
            Ok((self.limited(attempt, READ_LIMIT, docker.negotiate_version()).await?, wire))
        });
        opened.await
    }

    /// Asks `GET path` and takes the answer as it is.
    pub(super) async fn get(
        &self,
        attempt: &str,
        limit: Duration,
        path: &str,
    ) -> Result<Value, Failure> {
        let (_, wire) = self.opened().await?;
        self.limited(attempt, limit, wire.get(path)).await
    }

    /// The engine's answer is none that Docker gives.
    pub(super) fn unreadable(attempt: &str) -> Failure {
        let (attempt, problem) = (attempt.to_owned(), "its answer is unreadable".to_owned());
        EngineError::Refused { attempt, problem }.into()
    }

    /// Asks the engine, for `limit` at most. `attempt` completes "Docker did not …".
    pub(super) async fn call<T, A, F>(
        &self,
        attempt: &str,
        limit: Duration,
        ask: A,
    ) -> Result<T, Failure>
    where
        A: FnOnce(Docker) -> F,
        F: Future<Output = Result<T, Error>>,
    {
        let docker = self.docker().await?;
        self.limited(attempt, limit, ask(docker)).await
    }

    async fn limited<T>(
        &self,
        attempt: &str,
        limit: Duration,
        asked: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(limit, asked).await {
            Ok(answer) => answer.map_err(|error| self.failure(attempt, error)),
            Err(_) => Err(EngineError::TimedOut { attempt: attempt.to_owned(), limit }.into()),
        }
    }

    pub(super) fn failure(&self, attempt: &str, error: Error) -> Failure {
        Failure::new(&self.endpoint, attempt, error, self.clock.now())
    }
}
