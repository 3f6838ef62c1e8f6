//! Values as the file would say them.

use std::fmt::Display;
use std::time::Duration;

use crate::spec::{
    BudgetSpec, Cache, InstanceName, JobNetwork, LostJobs, PullPolicy, QueueSource, Resources,
    Scope, Unmatched, Warm,
};

/// A value in the file's own words.
pub(super) trait Shown {
    fn shown(&self) -> String;
}

pub(super) fn listed<T: Display>(items: &[T]) -> String {
    let words: Vec<String> = items.iter().map(ToString::to_string).collect();
    format!("[{}]", words.join(", "))
}

pub(super) fn optional<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

pub(super) fn span(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

fn bytes(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let whole = UNITS.iter().find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{bytes}B"), |(name, unit)| format!("{}{name}", bytes / unit))
}

/// `{a: 1, b: 2}` of what is given.
fn mapping<const N: usize>(fields: [(&str, Option<String>); N]) -> String {
    let given = fields.into_iter().filter_map(|(key, value)| Some(format!("{key}: {}", value?)));
    format!("{{{}}}", given.collect::<Vec<_>>().join(", "))
}

macro_rules! as_displayed {
    ($($displayed:ty),*) => {
        $(impl Shown for $displayed {
            fn shown(&self) -> String {
                self.to_string()
            }
        })*
    };
}
as_displayed!(bool, u32, i32, String, InstanceName);

impl Shown for Scope {
    fn shown(&self) -> String {
        match self {
            Self::Instance => "instance".to_owned(),
            Self::Group(path) => format!("{{group: {path}}}"),
            Self::Project(path) => format!("{{project: {path}}}"),
        }
    }
}

impl Shown for Warm {
    fn shown(&self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::PerArch(counts) => {
                let counts = counts.iter().map(|(arch, count)| format!("{arch}: {count}"));
                format!("{{{}}}", counts.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl Shown for PullPolicy {
    fn shown(&self) -> String {
        self.as_str().to_owned()
    }
}

impl Shown for Cache {
    fn shown(&self) -> String {
        match self {
            Self::Keep => "keep".to_owned(),
            Self::Discard => "discard".to_owned(),
        }
    }
}

impl Shown for LostJobs {
    fn shown(&self) -> String {
        match self {
            Self::Report => "report".to_owned(),
            Self::Retry => "retry".to_owned(),
        }
    }
}

impl Shown for JobNetwork {
    fn shown(&self) -> String {
        let word = match self {
            Self::Auto => "auto",
            Self::PerJob => "per-job",
            Self::Shared => "shared",
            Self::Host => "host",
        };
        word.to_owned()
    }
}

impl Shown for QueueSource {
    fn shown(&self) -> String {
        let word = match self {
            Self::Auto => "auto",
            Self::Instance => "instance",
            Self::Projects => "projects",
        };
        word.to_owned()
    }
}

impl Shown for Unmatched {
    fn shown(&self) -> String {
        let word = match self {
            Self::Warn => "warn",
            Self::Ignore => "ignore",
        };
        word.to_owned()
    }
}

impl Shown for BudgetSpec {
    fn shown(&self) -> String {
        mapping([
            ("runners", self.runners.map(|runners| runners.to_string())),
            ("cpus", self.cpus.map(|cpus| cpus.to_string())),
            ("memory", self.memory.map(bytes)),
        ])
    }
}

impl Shown for Resources {
    fn shown(&self) -> String {
        let services = self.services.as_ref().map(|services| {
            mapping([
                ("max", Some(services.max.to_string())),
                ("cpus", services.cpus.map(|cpus| cpus.to_string())),
                ("memory", services.memory.map(bytes)),
            ])
        });
        mapping([
            ("cpus", self.cpus.map(|cpus| cpus.to_string())),
            ("memory", self.memory.map(bytes)),
            ("services", services),
        ])
    }
}
