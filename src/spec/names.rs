//! Names that an operator gives, each a proof of its own validity.

use std::fmt;
use std::sync::Arc;

/// Why a word cannot be a name. The word is left to whoever may show it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no valid {what}: use lower-case letters, digits and `-`, starting with a letter or digit, at most {longest} characters"
)]
pub struct NameError {
    what: &'static str,
    longest: usize,
}

fn checked(word: &str, what: &'static str, longest: usize) -> Result<Arc<str>, NameError> {
    let first_fits = word.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let all_fit = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if first_fits && all_fit && word.len() <= longest && !word.ends_with('-') {
        Ok(word.into())
    } else {
        Err(NameError { what, longest })
    }
}

/// A type of its own for one kind of word; what makes one is left to its module.
macro_rules! word_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(::std::sync::Arc<str>);

        impl $name {
            /// The word itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}
pub(crate) use word_type;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $longest:literal) => {
        word_type!($(#[$doc])* $name);

        impl $name {
            /// Checks and takes `word`.
            pub fn new(word: &str) -> Result<Self, NameError> {
                checked(word, $what, $longest).map(Self)
            }
        }
    };
}

name!(
    /// A pool's name.
    PoolName, "pool name", 40
);
name!(
    /// A host's name.
    HostName, "host name", 40
);
name!(
    /// An instance's name.
    InstanceName, "instance name", 32
);

impl InstanceName {
    /// The instance of a file that names none.
    pub fn standard() -> Self {
        Self("autogit".into())
    }
}

/// A processor architecture, in GitLab Runner's and Docker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arch {
    /// `amd64`
    Amd64,
    /// `arm64`
    Arm64,
    /// `arm/v7`
    Armv7,
    /// `riscv64`
    Riscv64,
    /// `s390x`
    S390x,
    /// `ppc64le`
    Ppc64le,
}

impl Arch {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 6] =
        [Self::Amd64, Self::Arm64, Self::Armv7, Self::Riscv64, Self::S390x, Self::Ppc64le];

    /// The word in names, tags and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Armv7 => "armv7",
            Self::Riscv64 => "riscv64",
            Self::S390x => "s390x",
            Self::Ppc64le => "ppc64le",
        }
    }

    /// Docker's platform, as in `linux/arm/v7`.
    pub fn platform(self) -> &'static str {
        match self {
            Self::Amd64 => "linux/amd64",
            Self::Arm64 => "linux/arm64",
            Self::Armv7 => "linux/arm/v7",
            Self::Riscv64 => "linux/riscv64",
            Self::S390x => "linux/s390x",
            Self::Ppc64le => "linux/ppc64le",
        }
    }

    /// Reads the spec's, Docker's and the kernel's words.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "amd64" | "x86_64" => Some(Self::Amd64),
            "arm64" | "aarch64" => Some(Self::Arm64),
            "armv7" | "arm/v7" | "armv7l" | "arm" => Some(Self::Armv7),
            "riscv64" => Some(Self::Riscv64),
            "s390x" => Some(Self::S390x),
            "ppc64le" => Some(Self::Ppc64le),
            _ => None,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
