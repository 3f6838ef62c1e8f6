//! Ids and slots as JSON has them: plain numbers.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::world::{JobId, RecordId, Slot};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $schema:literal, $of:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(rename = $schema)]
        pub struct $name(pub $inner);

        impl From<$of> for $name {
            fn from($of(number): $of) -> Self {
                Self(number)
            }
        }

        impl From<$name> for $of {
            fn from($name(number): $name) -> Self {
                Self(number)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// GitLab's id of a record (its runner).
    RecordIdOutput, "RecordId", RecordId(u64)
);
number!(
    /// GitLab's id of a job.
    JobIdOutput, "JobId", JobId(u64)
);
number!(
    /// A number of a variant, unique over all hosts; a runner fills one.
    SlotOutput, "Slot", Slot(u32)
);
