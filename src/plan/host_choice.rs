//! Why a runner goes to its host.

use std::fmt;

use crate::spec::{Arch, HostName};

/// Why a runner goes to its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostChoice {
    /// The host.
    pub host: HostName,
    /// Why this one.
    pub reason: HostReason,
    /// Jobs are emulated there: its own architecture.
    pub emulated_on: Option<Arch>,
}

/// Why a host was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostReason {
    /// No other host takes the pool at this architecture, or it is the only one.
    OnlyHost,
    /// The others have no room, or cannot be read.
    OnlyRoom,
    /// A slot's clone and caches are there, for the next runner in it.
    Caches,
    /// It has room for more of these runners than any other.
    MostRoom {
        /// Runners that are there without this plan.
        runners: u32,
        /// How many it may have.
        most: u32,
    },
}

impl HostReason {
    /// The word for it in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnlyHost => "only-host",
            Self::OnlyRoom => "only-room",
            Self::Caches => "caches",
            Self::MostRoom { .. } => "most-room",
        }
    }
}

/// Behind other words; the only host there is needs none.
impl fmt::Display for HostChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        match self.reason {
            HostReason::OnlyHost => {}
            HostReason::OnlyRoom => write!(f, "; {host}: the only one with room")?,
            HostReason::Caches => write!(f, "; {host}: its caches are there")?,
            HostReason::MostRoom { runners, most } => {
                write!(f, "; {host}: most room, {runners} of {most} runners")?;
            }
        }
        match self.emulated_on {
            None => Ok(()),
            Some(arch) => write!(f, "; {host} is {arch}: jobs will be emulated"),
        }
    }
}
