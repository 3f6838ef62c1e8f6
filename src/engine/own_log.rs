//! A runner's own log, line by line, for the operator. It is read on request and never by the loop,
//! so it is no part of [`super::Engine`].

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::mpsc::Sender;

use super::EngineError;
use crate::world::WorkloadId;

/// An engine that tells what its containers write.
#[async_trait]
pub trait OwnLog: Debug + Send + Sync {
    /// Sends what the container wrote, oldest first, and where it is `followed` what it writes until
    /// it ends; ends as well when nobody listens any more.
    ///
    /// Guarantees: each line is sent once and whole, also where the engine begins a new file for the
    /// log or hangs up meanwhile.
    /// Errors: [`EngineError::NotFound`] if there is no such container.
    async fn own_log(
        &self,
        id: &WorkloadId,
        part: LogPart,
        into: Sender<LogLine>,
    ) -> Result<(), EngineError>;
}

/// Which part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPart {
    /// Of what was written so far, the last so many lines; `None`: all.
    pub last: Option<usize>,
    /// And all that is written from now on.
    pub followed: bool,
}

/// One line of a log, as it was written, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written, by our clock.
    pub at: Timestamp,
    /// Its text.
    pub text: String,
}
