//! Which gitlab-runner is simulated: what differs from one to the next, as far as it shows.

use std::fmt;

use crate::spec::runner_version;
use crate::world::SystemId;

use super::footprint::digest;

/// A version of gitlab-runner, as its image's tag names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    /// The newest that is known here.
    pub const NEWEST: Self = Self { major: 19, minor: 4 };

    /// A version by its first two numbers.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// That of an image; the newest where its tag names none.
    pub fn of_image(image: &str) -> Self {
        runner_version(image).map_or(Self::NEWEST, |(major, minor)| Self { major, minor })
    }

    /// Objects of jobs carry `runner.system_id` (executors/docker/internal/labels/labels.go, 18.4).
    pub(super) fn labels_system_id(self) -> bool {
        self >= Self { major: 18, minor: 4 }
    }

    /// Volumes carry `reusable` (19.2); before, their names alone tell.
    pub(super) fn labels_reusable(self) -> bool {
        self >= Self { major: 19, minor: 2 }
    }

    /// `run-single` takes the system id that lies beside its config: seen with 18.6.2, where 17.4.2
    /// made a new one at each start.
    fn keeps_system_id(self) -> bool {
        self >= Self { major: 18, minor: 0 }
    }

    /// The id in the file, else one of gitlab-runner's own making. `start` differs at each start.
    pub(super) fn system_id(self, id: &SystemId, start: &[&str]) -> SystemId {
        let rest = id.as_str().strip_prefix("r_").or_else(|| id.as_str().strip_prefix("s_"));
        let valid = rest.is_some_and(|rest| {
            rest.len() == 12 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        if valid && self.keeps_system_id() {
            return id.clone();
        }
        let random: String = digest(start).chars().take(12).collect();
        SystemId::from_observed(&format!("r_{random}"))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.0", self.major, self.minor)
    }
}
