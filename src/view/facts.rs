//! The numbers behind a decision as JSON.

use serde::Serialize;
use serde_json::Value;

use crate::plan::{Facts, HostChoice, HostReason};
use crate::spec::Arch;

/// Durations are whole seconds.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
enum FactsOutput<'a> {
    Record {
        reason: String,
    },
    Unverified,
    Drift {
        settings: &'a [&'static str],
    },
    ImageMissing {
        image: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        found: Option<&'static str>,
    },
    ImageKept {
        image: &'a str,
        why: String,
    },
    Exited {
        code: i64,
        ago: i64,
        oom_killed: bool,
    },
    Unstarted,
    Vanished {
        ago: i64,
    },
    Asked {
        busy: bool,
    },
    Orphan {
        reason: &'static str,
        busy: bool,
    },
    NoContact {
        running: i64,
        startup_timeout: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        trouble: Option<String>,
    },
    Unfit {
        unfit: String,
    },
    Demand {
        pending: u32,
        idle: u32,
        starting: u32,
        start: u32,
        max: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        placed: Option<PlacedOutput<'a>>,
    },
    Warm {
        warm: u32,
        spare: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        placed: Option<PlacedOutput<'a>>,
    },
    Idle {
        idle: i64,
        cooldown: u64,
        warm: u32,
    },
    Room {
        idle: i64,
        variant: String,
    },
    Urgent {
        variant: String,
        dropped_in: i64,
        busy: bool,
    },
    OverMax {
        live: u32,
        max: u32,
        busy: bool,
    },
    Changed {
        busy: bool,
    },
    NetworkMissing {
        network: &'a str,
    },
    Leftover {
        what: &'a str,
    },
    DiskRoom {
        volume: &'a str,
        bytes: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        unused: Option<i64>,
        used: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        most: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        free: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        least: Option<u64>,
    },
}

/// Why a runner goes to its host.
#[derive(Serialize)]
struct PlacedOutput<'a> {
    host: &'a str,
    /// `only-host`, `only-room`, `caches` or `most-room`.
    why: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    runners: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    most: Option<u32>,
    /// The host's own architecture, where that emulates jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    emulated_on: Option<&'static str>,
}

impl<'a> PlacedOutput<'a> {
    fn of(choice: &'a HostChoice) -> Self {
        let (runners, most) = match choice.reason {
            HostReason::MostRoom { runners, most } => (Some(runners), Some(most)),
            HostReason::OnlyHost | HostReason::OnlyRoom | HostReason::Caches => (None, None),
        };
        let emulated_on = choice.emulated_on.map(Arch::as_str);
        Self { host: choice.host.as_str(), why: choice.reason.as_str(), runners, most, emulated_on }
    }
}

pub(super) fn facts(facts: &Facts) -> Value {
    serde_json::to_value(FactsOutput::from(facts)).unwrap_or_default()
}

impl<'a> From<&'a Facts> for FactsOutput<'a> {
    fn from(facts: &'a Facts) -> Self {
        match *facts {
            Facts::Record { reason } => Self::Record { reason: reason.to_string() },
            Facts::Unverified => Self::Unverified,
            Facts::Drift { ref settings } => Self::Drift { settings },
            Facts::ImageMissing { ref image, found } => {
                Self::ImageMissing { image, found: found.map(Arch::as_str) }
            }
            Facts::ImageKept { ref image, why } => Self::ImageKept { image, why: why.to_string() },
            Facts::Exited { code, ago, oom_killed } => {
                Self::Exited { code, ago: ago.as_secs(), oom_killed }
            }
            Facts::Unstarted => Self::Unstarted,
            Facts::Vanished { ago } => Self::Vanished { ago: ago.as_secs() },
            Facts::Asked { busy } => Self::Asked { busy },
            Facts::Orphan { reason, busy } => Self::Orphan { reason, busy },
            Facts::NoContact { running, startup_timeout, ref trouble } => Self::NoContact {
                running: running.as_secs(),
                startup_timeout: startup_timeout.as_secs(),
                trouble: trouble.as_ref().map(ToString::to_string),
            },
            Facts::Unfit { ref unfit } => Self::Unfit { unfit: unfit.to_string() },
            Facts::Demand { pending, idle, starting, start, max, ref choice } => {
                let placed = choice.as_ref().map(PlacedOutput::of);
                Self::Demand { pending, idle, starting, start, max, placed }
            }
            Facts::Warm { warm, spare, ref choice } => {
                Self::Warm { warm, spare, placed: choice.as_ref().map(PlacedOutput::of) }
            }
            Facts::Idle { idle, cooldown, warm } => {
                Self::Idle { idle: idle.as_secs(), cooldown: cooldown.as_secs(), warm }
            }
            Facts::Room { idle, ref variant } => {
                Self::Room { idle: idle.as_secs(), variant: variant.to_string() }
            }
            Facts::Urgent { ref variant, dropped_in, busy } => Self::Urgent {
                variant: variant.to_string(),
                dropped_in: dropped_in.as_secs(),
                busy,
            },
            Facts::OverMax { live, max, busy } => Self::OverMax { live, max, busy },
            Facts::Changed { busy } => Self::Changed { busy },
            Facts::NetworkMissing { ref network } => Self::NetworkMissing { network },
            Facts::Leftover { ref what } => Self::Leftover { what },
            Facts::DiskRoom { ref volume, bytes, unused, disk } => Self::DiskRoom {
                volume,
                bytes,
                unused: unused.map(|unused| unused.as_secs()),
                used: disk.used,
                most: disk.most,
                free: disk.free,
                least: disk.least,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::duration::signed;
    use crate::plan::{KeptImageReason, RecordReason};
    use crate::spec::{Arch, HostName, PoolName};
    use crate::world::{DiskRoom, Unfit, Variant};

    /// One line per kind.
    const PUBLISHED: &str = r#"
{"kind":"record","reason":"it has none"}
{"kind":"unverified"}
{"kind":"drift","settings":["tags","protected"]}
{"kind":"image-missing","image":"runner:1","found":"arm64"}
{"kind":"image-kept","image":"alpine:3","why":"was pulled 1h00m ago"}
{"kind":"exited","code":137,"ago":60,"oom_killed":true}
{"kind":"unstarted"}
{"kind":"vanished","ago":60}
{"kind":"asked","busy":true}
{"kind":"orphan","reason":"its pool is gone","busy":true}
{"kind":"no-contact","running":3600,"startup_timeout":60}
{"kind":"unfit","unfit":"its gitlab-runner is 15.11.0, which is too old; hint: set `runner_image` to an official gitlab-runner, 18.4 or newer"}
{"kind":"demand","pending":5,"idle":1,"starting":2,"start":3,"max":4,"placed":{"host":"rack","why":"most-room","runners":3,"most":8}}
{"kind":"warm","warm":2,"spare":1,"placed":{"host":"rack","why":"caches","emulated_on":"amd64"}}
{"kind":"idle","idle":60,"cooldown":60,"warm":1}
{"kind":"room","idle":60,"variant":"linux/arm64"}
{"kind":"urgent","variant":"linux/arm64","dropped_in":3600,"busy":true}
{"kind":"over-max","live":3,"max":2,"busy":true}
{"kind":"changed","busy":true}
{"kind":"network-missing","network":"autogit-runners"}
{"kind":"leftover","what":"a volume"}
{"kind":"disk-room","volume":"cache-1","bytes":7,"unused":3600,"used":9,"most":10,"free":3}
"#;

    #[test]
    fn the_json_of_each_kind_is_the_published_one() {
        let variant = Variant::new(&PoolName::new("linux").unwrap(), Arch::Arm64);
        let (minute, hour) = (Duration::from_mins(1), Duration::from_hours(1));
        let [mins, hours] = [minute, hour].map(signed);
        let (busy, idle) = (true, mins);
        let host = || HostName::new("rack").unwrap();
        let most = HostReason::MostRoom { runners: 3, most: 8 };
        let most = Some(HostChoice { host: host(), reason: most, emulated_on: None });
        let caches = Some(HostChoice {
            host: host(),
            reason: HostReason::Caches,
            emulated_on: Some(Arch::Amd64),
        });
        let all = [
            Facts::Record { reason: RecordReason::Missing },
            Facts::Unverified,
            Facts::Drift { settings: vec!["tags", "protected"] },
            Facts::ImageMissing { image: "runner:1".to_owned(), found: Some(Arch::Arm64) },
            Facts::ImageKept { image: "alpine:3".to_owned(), why: KeptImageReason::Old(hours) },
            Facts::Exited { code: 137, ago: mins, oom_killed: true },
            Facts::Unstarted,
            Facts::Vanished { ago: mins },
            Facts::Asked { busy },
            Facts::Orphan { reason: "its pool is gone", busy },
            Facts::NoContact { running: hours, startup_timeout: minute, trouble: None },
            Facts::Unfit { unfit: Unfit::TooOld { version: "15.11.0".into() } },
            Facts::Demand { pending: 5, idle: 1, starting: 2, start: 3, max: 4, choice: most },
            Facts::Warm { warm: 2, spare: 1, choice: caches },
            Facts::Idle { idle, cooldown: minute, warm: 1 },
            Facts::Room { idle, variant: variant.clone() },
            Facts::Urgent { variant, dropped_in: hours, busy },
            Facts::OverMax { live: 3, max: 2, busy },
            Facts::Changed { busy },
            Facts::NetworkMissing { network: "autogit-runners".to_owned() },
            Facts::Leftover { what: "a volume".to_owned() },
            Facts::DiskRoom {
                volume: "cache-1".to_owned(),
                bytes: 7,
                unused: Some(hours),
                disk: DiskRoom { used: 9, most: Some(10), free: Some(3), least: None },
            },
        ];
        let told = all.map(|one| facts(&one).to_string()).join("\n");
        assert_eq!(told, PUBLISHED.trim());
    }
}
