//! From the durations of `std`, in which the spec is written, to those that times are apart by.

use std::time::Duration;

use jiff::SignedDuration;

/// The same duration; one that is too long for it, of 292 billion years, is cut.
pub(crate) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
