//! A job's trace and its state, as GitLab is told of them while the job runs.

use std::time::Duration;

use super::client::{Client, Heard};
use super::job::Job;

/// How often at least a job's state is told, beside its trace.
const STATE_INTERVAL: Duration = Duration::from_secs(30);

/// What a job wrote, and how much of it GitLab has.
#[derive(Debug, Default)]
pub(super) struct Trace {
    text: String,
    sent: usize,
    since_state: Option<Duration>,
}

impl Trace {
    /// Adds a line.
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Its length in bytes.
    pub(super) fn size(&self) -> usize {
        self.text.len()
    }

    /// Tells GitLab what is new after another `passed`: now and then the job's state, else text.
    pub(super) async fn beat(&mut self, client: &Client, job: &Job, passed: Duration) -> Heard {
        match self.since_state {
            Some(since) if since + passed < STATE_INTERVAL => {
                self.since_state = Some(since + passed);
                self.send(client, job).await
            }
            _ => {
                self.since_state = Some(Duration::ZERO);
                client.update(job, "running", None, self.size()).await
            }
        }
    }

    /// Sends the text that GitLab does not have yet.
    pub(super) async fn send(&mut self, client: &Client, job: &Job) -> Heard {
        let pending = self.text.get(self.sent..).unwrap_or_default();
        if pending.is_empty() {
            return Heard::Taken(None);
        }
        let heard = client.append_trace(job, self.sent, pending).await;
        match heard {
            Heard::Taken(_) => self.sent = self.text.len(),
            Heard::Offset(offset) => self.sent = offset.min(self.text.len()),
            Heard::Cancelled | Heard::Unwanted | Heard::Unanswered => {}
        }
        heard
    }
}
