//! How far the server's clock is from ours, by the `Date` of its answers.

use jiff::{SignedDuration, Timestamp};

/// `Date` tells whole seconds and an answer takes time: less than this is no difference.
const NOISE: SignedDuration = SignedDuration::from_secs(2);
/// A difference from the estimate that is a set clock, not noise.
const JUMP: SignedDuration = SignedDuration::from_secs(10);
/// The part of a new sample that enters the estimate.
const SMOOTHING: i32 = 8;

/// The server's clock minus ours.
#[derive(Debug, Default)]
pub(super) struct Skew {
    estimate: Option<SignedDuration>,
}

impl Skew {
    /// Takes the `Date` of an answer to a request that was sent and answered at these times.
    pub(super) fn sample(&mut self, date: Timestamp, sent: Timestamp, answered: Timestamp) {
        let halfway = answered.duration_since(sent) / 2;
        let ours = sent.saturating_add(halfway).unwrap_or(sent);
        // `Date` is cut to the second, so half a second later is the better guess.
        let sample = date.duration_since(ours).saturating_add(SignedDuration::from_millis(500));
        let smoothed = self.estimate.map(|estimate| {
            let off = sample.saturating_sub(estimate);
            if off.abs() > JUMP { sample } else { estimate.saturating_add(off / SMOOTHING) }
        });
        self.estimate = Some(smoothed.unwrap_or(sample));
    }

    /// The difference, where an answer told it.
    pub(super) fn told(&self) -> Option<SignedDuration> {
        self.estimate.map(|_| self.difference())
    }

    /// The difference, where it is more than noise.
    fn difference(&self) -> SignedDuration {
        self.estimate.filter(|estimate| estimate.abs() >= NOISE).unwrap_or(SignedDuration::ZERO)
    }

    /// A time of the server by our clock.
    pub(super) fn ours(&self, theirs: Timestamp) -> Timestamp {
        theirs.saturating_sub(self.difference()).unwrap_or(theirs)
    }

    /// Our time by the server's clock.
    pub(super) fn theirs(&self, ours: Timestamp) -> Timestamp {
        ours.saturating_add(self.difference()).unwrap_or(ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

    #[test]
    fn a_server_an_hour_ahead_is_corrected_and_one_in_step_is_left_alone() {
        let hour = SignedDuration::from_hours(1);
        let mut skew = Skew::default();
        skew.sample(NOW, NOW, NOW + SignedDuration::from_secs(1));
        assert_eq!(skew.ours(NOW), NOW);
        skew.sample(NOW + hour, NOW, NOW + SignedDuration::from_secs(1));
        assert_eq!(skew.ours(NOW + hour), NOW);
        assert_eq!(skew.theirs(NOW), NOW + hour);
    }
}
