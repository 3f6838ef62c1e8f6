//! Fields that take one of several words.

use super::diff::Shown;

macro_rules! choice {
    (
        $(#[$about:meta])*
        $name:ident {
            $($(#[$doc:meta])* $variant:ident = $word:literal,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// The word of the file.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl Shown for $name {
            fn shown(&self) -> String {
                self.as_str().to_owned()
            }
        }

        /// Without what the variants mean: a list of words is what a fault quotes.
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": [$($word),*] })
            }
        }
    };
}

choice! {
    /// How the queue is read.
    QueueSource {
        /// By GraphQL for an administrator's token, else by projects.
        Auto = "auto",
        /// The instance's queue by GraphQL; needs an administrator's token.
        Instance = "instance",
        /// Project by project.
        Projects = "projects",
    }
}

choice! {
    /// What is said of jobs that no pool may take and no other runner is seen for.
    Unmatched {
        /// They are a fault of the file or of the jobs.
        Warn = "warn",
        /// They are for runners that AutoGit does not see.
        Ignore = "ignore",
    }
}

choice! {
    /// When an image is pulled.
    PullPolicy {
        /// Before each start.
        Always = "always",
        /// When the host lacks it.
        IfNotPresent = "if-not-present",
        /// Never: it must be there.
        Never = "never",
    }
}

choice! {
    /// What happens to clone and cache volumes.
    Cache {
        /// They survive in the slot.
        Keep = "keep",
        /// They are removed after each job.
        Discard = "discard",
    }
}

choice! {
    /// What happens to a job whose runner died.
    LostJobs {
        /// It is reported.
        Report = "report",
        /// It is reported, cancelled and retried.
        Retry = "retry",
    }
}

choice! {
    /// A maker of GPUs.
    Vendor {
        /// NVIDIA.
        Nvidia = "nvidia",
        /// AMD.
        Amd = "amd",
        /// Intel.
        Intel = "intel",
    }
}

choice! {
    /// The network of job containers.
    JobNetwork {
        /// Per job, unless the clone host resolves only on the shared network.
        Auto = "auto",
        /// One per job.
        PerJob = "per-job",
        /// The runners' own.
        Shared = "shared",
        /// The host's.
        Host = "host",
    }
}
