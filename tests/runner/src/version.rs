//! Which gitlab-runner this program stands in for, and how that one names what jobs leave.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// The variable that an image sets to the version it stands in for.
const VARIABLE: &str = "STANDS_IN_FOR";

/// A version of gitlab-runner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    const NEWEST: Self = Self { major: 19, minor: 4 };

    /// The one that the image says, else the newest.
    pub fn of_image() -> Self {
        std::env::var(VARIABLE).ok().and_then(|text| Self::parse(&text)).unwrap_or(Self::NEWEST)
    }

    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }

    /// Volumes carry the label `reusable`; before, only their names tell.
    pub fn labels_reusable(self) -> bool {
        self >= Self { major: 19, minor: 2 }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.0", self.major, self.minor)
    }
}

/// Sixteen hexadecimal digits over `parts`. gitlab-runner's own are MD5; any will do that are the
/// same in each process of this program.
pub fn hex(parts: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
