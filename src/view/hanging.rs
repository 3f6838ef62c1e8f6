//! What AutoGit began and has no answer to for long: the rest goes on meanwhile.

use jiff::{SignedDuration, Timestamp};

use super::{AsOf, View};
use crate::plan::brief;
use crate::world::{Deed, Leftover, WorkloadId};

/// What takes longer than this hangs: each call to an engine or to GitLab but the pull of an image is
/// given up after a minute at most.
const HANGS_AFTER: SignedDuration = SignedDuration::from_secs(90);

/// A pull of an image that takes longer than this is worth a word.
const PULL_HANGS_AFTER: SignedDuration = SignedDuration::from_mins(5);

impl AsOf<'_> {
    /// What stands in the way of the work, and what hangs.
    pub(crate) fn notices(&self) -> Vec<String> {
        let hanging = self.hanging(self.now()).into_iter();
        let hanging = hanging.map(|what| format!("no answer yet to {what}"));
        self.notices.iter().cloned().chain(hanging).collect()
    }
}

impl View {
    /// Each action that hangs at `now`, and since when.
    pub fn hanging(&self, now: Timestamp) -> Vec<String> {
        let under_way = self.world.memory.under_way.iter();
        let long = under_way.filter_map(|(deed, since)| {
            let lasts = now.duration_since(*since);
            let hangs_after = if deed.pull().is_some() { PULL_HANGS_AFTER } else { HANGS_AFTER };
            (lasts >= hangs_after).then(|| format!("{}, for {}", self.words_of(deed), brief(lasts)))
        });
        long.collect()
    }

    fn words_of(&self, deed: &Deed) -> String {
        match deed {
            Deed::VerifyToken(variant) => format!("verifying the `runner_token` of `{variant}`"),
            Deed::MakeRecord(variant) => format!("making a record for `{variant}`"),
            Deed::ChangeRecord(record) => format!("changing record {record}"),
            Deed::MakeNetwork(host) => format!("making the runners' network on {host}"),
            Deed::PullImage { host, image } | Deed::KeepImage { host, image } => {
                format!("pulling `{image}` on {host}")
            }
            Deed::Start { host, runner, .. } => format!("starting `{runner}` on {host}"),
            Deed::Drain(id) => format!("asking {} to exit", self.name_of(id)),
            Deed::Reap(id) => format!("cleaning up after {}", self.name_of(id)),
            Deed::Remove(leftover) => match leftover {
                Leftover::JobContainer(host, _) => format!("removing a job's container on {host}"),
                Leftover::JobVolume(host, name) => format!("removing volume `{name}` on {host}"),
                Leftover::JobNetwork(host, _) => format!("removing a job's network on {host}"),
                Leftover::Network(host, _) => format!("removing the runners' network on {host}"),
                Leftover::KeptImage(host, _) => {
                    format!("removing an image that was kept ready on {host}")
                }
                Leftover::Manager(record, system_id) => {
                    format!("removing manager {system_id} of record {record}")
                }
                Leftover::Record(record) => format!("removing record {record}"),
            },
        }
    }

    fn name_of(&self, id: &WorkloadId) -> String {
        let hosts = self.world.hosts.iter();
        let mut runners = hosts.flat_map(|(host, seen)| {
            let runners = seen.state.last().into_iter().flat_map(|state| &state.runners);
            runners.map(move |runner| (host, runner))
        });
        match runners.find(|(_, runner)| runner.id == *id) {
            Some((host, runner)) => format!("`{}` on {host}", runner.name),
            None => format!("container {}", id.as_str().get(..12).unwrap_or(id.as_str())),
        }
    }
}
