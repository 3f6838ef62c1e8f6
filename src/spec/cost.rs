//! What one runner costs its host's budget.

use std::fmt;

use super::{GpuIds, Pool, Resources};

/// Cpus in whole thousandths, so that sums are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cpus(u64);

const THOUSAND: f64 = 1000.0;

/// No decimal of a spec is meant more exactly than that: `0.1` is not exact as a number.
const INEXACT: f64 = 1e-6;

impl Cpus {
    /// So many thousandths.
    pub const fn of_thousandths(thousandths: u64) -> Self {
        Self(thousandths)
    }

    /// So many whole ones.
    pub fn of_count(count: u32) -> Self {
        Self(1000).times(count)
    }

    /// That many, or the next thousandth above: what something costs.
    pub fn at_least(decimal: f64) -> Self {
        Self::whole((decimal * THOUSAND - INEXACT).ceil())
    }

    /// That many, or the next thousandth below: what there is.
    pub fn at_most(decimal: f64) -> Self {
        Self::whole((decimal * THOUSAND + INEXACT).floor())
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and a spec has no negative cpus"
    )]
    fn whole(thousandths: f64) -> Self {
        Self(thousandths as u64)
    }

    /// How many thousandths.
    pub fn thousandths(self) -> u64 {
        self.0
    }

    /// For output.
    #[expect(clippy::cast_precision_loss, reason = "no machine has 2^52 thousandths")]
    pub fn decimal(self) -> f64 {
        self.0 as f64 / THOUSAND
    }

    /// Both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Without these; none where there are not so many.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// So many times.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(count.into()))
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decimal().fmt(f)
    }
}

/// What one runner has of its host: what it costs the budget. A runner container's labels say what
/// it was made with, and that is what it costs for as long as its container is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost {
    /// Cpus of its job and the job's services.
    pub cpus: Cpus,
    /// Memory of its job and the job's services in bytes.
    pub memory: u64,
    /// The GPUs of its job: nobody else has them.
    pub gpus: GpuIds,
}

impl Cost {
    /// What a new runner of the pool costs, but for the GPUs that it will get. A pool without `resources` costs a runner only.
    pub fn of(pool: &Pool) -> Self {
        pool.resources.as_ref().map(Self::of_resources).unwrap_or_default()
    }

    /// The job's share, and those of all the services that it may have.
    pub(super) fn of_resources(resources: &Resources) -> Self {
        let services = resources.services.as_ref();
        let count = services.map_or(0, |services| services.max);
        let cpus = |decimal: Option<f64>| decimal.map(Cpus::at_least).unwrap_or_default();
        let each = cpus(services.and_then(|services| services.cpus));
        let each_memory = services.and_then(|services| services.memory).unwrap_or(0);
        Self {
            cpus: cpus(resources.cpus).plus(each.times(count)),
            memory: resources
                .memory
                .unwrap_or(0)
                .saturating_add(each_memory.saturating_mul(count.into())),
            gpus: GpuIds::default(),
        }
    }

    /// Both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            cpus: self.cpus.plus(other.cpus),
            memory: self.memory.saturating_add(other.memory),
            gpus: self.gpus.plus(&other.gpus),
        }
    }

    /// Without the other.
    #[must_use]
    pub fn less(&self, other: &Self) -> Self {
        Self {
            cpus: self.cpus.less(other.cpus),
            memory: self.memory.saturating_sub(other.memory),
            gpus: self.gpus.less(&other.gpus),
        }
    }

    /// Of each kind as much as the larger of both; of GPUs, which are not alike, what both have.
    #[must_use]
    pub fn larger(&self, other: &Self) -> Self {
        Self {
            cpus: self.cpus.max(other.cpus),
            memory: self.memory.max(other.memory),
            gpus: self.gpus.plus(&other.gpus.less(&self.gpus)),
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cpus and {} MiB", self.cpus, self.memory >> 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_whole_thousandths_that_sum_up_exactly() {
        for decimal in [0.1, 0.3, 0.7, 1.1, 2.3, 64.0] {
            assert_eq!(Cpus::at_least(decimal), Cpus::at_most(decimal), "{decimal}");
        }
        let tenths = (0..10).fold(Cpus::default(), |sum, _| sum.plus(Cpus::at_least(0.1)));
        assert_eq!(tenths, Cpus::at_most(1.0));
        assert_eq!(Cpus::at_least(0.0001).thousandths(), 1);
        assert_eq!((Cpus::at_least(0.3334), Cpus::at_most(0.3336)), (Cpus(334), Cpus(333)));
        assert_eq!(
            [Cpus(1500), Cpus(250), Cpus(4000)].map(|it| it.to_string()),
            ["1.5", "0.25", "4"]
        );
    }
}
