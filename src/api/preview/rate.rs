//! How often candidates are planned: a preview is the one thing that asks for a whole plan, and
//! the one place where a stranger compares what they wrote with what is in force.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

use crate::lock::locked;

/// Time from one preview to the next, in the long run: pipelines of merge requests are far slower.
const EACH: SignedDuration = SignedDuration::from_secs(3);

/// Previews that may come at once.
const AT_ONCE: i32 = 20;

/// The previews of late, as the time at which all of them are paid for.
#[derive(Debug, Default)]
pub(in crate::api) struct Rate(Mutex<Option<Timestamp>>);

impl Rate {
    /// Takes a preview; or says for how long there is none.
    pub(super) fn take(&self, now: Timestamp) -> Result<(), SignedDuration> {
        let mut paid = locked(&self.0);
        let most = EACH * AT_ONCE;
        // A clock that was set back must not lock anybody out.
        let owed = paid.map_or(SignedDuration::ZERO, |paid| paid.duration_since(now));
        let owed = owed.clamp(SignedDuration::ZERO, most);
        let more = owed + EACH;
        *paid = now.checked_add(if more > most { owed } else { more }).ok();
        if more > most { Err(more - most) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_served_and_then_one_after_the_other() {
        let (rate, start) = (Rate::default(), Timestamp::UNIX_EPOCH);
        for _ in 0..AT_ONCE {
            assert_eq!(rate.take(start), Ok(()));
        }
        assert_eq!(rate.take(start), Err(EACH));
        assert_eq!(rate.take(start + EACH), Ok(()));
        assert!(rate.take(start + EACH).is_err());
        // The clock is set back by a day.
        assert!(rate.take(start - SignedDuration::from_hours(24)).is_err());
        assert_eq!(rate.take(start - SignedDuration::from_hours(24) + EACH), Ok(()));
    }
}
