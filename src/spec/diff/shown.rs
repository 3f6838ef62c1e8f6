//! Values as the file would say them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::spec::{
    Arch, BudgetSpec, Gpu, GpuBudget, GpuSpec, InstanceName, PoolName, Resources, Schedule, Scope,
    ServedPools, TlsSpec, Warm,
};

/// A value in the file's own words.
pub(in crate::spec) trait Shown {
    fn shown(&self) -> String;
}

pub(super) fn listed(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
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
as_displayed!(bool, u32, i32, String, InstanceName, PoolName, Arch, SocketAddr);

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "none".to_owned(), Shown::shown)
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn shown(&self) -> String {
        listed(self.iter().map(Shown::shown))
    }
}

impl Shown for Duration {
    fn shown(&self) -> String {
        humantime::format_duration(*self).to_string()
    }
}

impl Shown for PathBuf {
    fn shown(&self) -> String {
        self.display().to_string()
    }
}

impl Shown for TlsSpec {
    fn shown(&self) -> String {
        let Self { ca, cert, key } = self;
        mapping([("ca", ca), ("cert", cert), ("key", key)].map(|(key, it)| (key, Some(it.shown()))))
    }
}

impl Shown for ServedPools {
    fn shown(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::These(pools) => pools.shown(),
        }
    }
}

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
            Self::Scheduled(Schedule { base, entries }) => {
                let entries = listed(entries.iter().map(ToString::to_string));
                format!("{{base: {base}, schedule: {entries}}}")
            }
        }
    }
}

impl Shown for BudgetSpec {
    fn shown(&self) -> String {
        mapping([
            ("runners", self.runners.map(|runners| runners.to_string())),
            ("cpus", self.cpus.map(|cpus| cpus.to_string())),
            ("memory", self.memory.map(bytes)),
            ("disk", self.disk.map(bytes)),
            ("disk_free", self.disk_free.map(bytes)),
            ("gpus", (self.gpus != GpuBudget::Auto).then(|| self.gpus.shown())),
        ])
    }
}

impl Shown for GpuBudget {
    fn shown(&self) -> String {
        match self {
            Self::Auto => "auto".to_owned(),
            Self::AtMost(most) => most.to_string(),
            Self::These(gpus) => gpus.shown(),
        }
    }
}

impl Shown for Gpu {
    fn shown(&self) -> String {
        let Self { vendor, id, devices } = self;
        let by_devices = !devices.is_empty();
        mapping([
            ("vendor", Some(vendor.shown())),
            ("id", (!by_devices).then(|| id.clone())),
            ("devices", by_devices.then(|| devices.shown())),
        ])
    }
}

impl Shown for GpuSpec {
    fn shown(&self) -> String {
        let Self { vendor, count } = self;
        mapping([("vendor", Some(vendor.shown())), ("count", Some(count.to_string()))])
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
