//! How much there was to do over the last hour: a fresh page shows it, too.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

use crate::lock::locked;
use crate::view::{Load, TrendOutput, TrendPointOutput, View};

/// Seconds that one point stands for: two or three pixels of a picture.
const STEP_SECS: i64 = 15;

/// How far back it goes: 241 points at most, the step that has just begun among them.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The last hour in steps; clones share it. The loop adds to it and never waits.
#[derive(Debug, Clone, Default)]
pub struct Trend {
    /// Each step's begin with the most that was seen since.
    points: Arc<Mutex<VecDeque<(Timestamp, Load)>>>,
}

impl Trend {
    /// Adds what a look saw.
    pub fn add(&self, view: &View) {
        let (now, load) = (view.world.now, view.load());
        let begin = Timestamp::from_second(now.as_second().div_euclid(STEP_SECS) * STEP_SECS);
        let begin = begin.unwrap_or(now);
        self.with(|points| {
            // A clock that was set back makes a new present of the past.
            points.retain(|(at, _)| *at <= begin && begin.duration_since(*at) <= HOUR);
            match points.back_mut() {
                Some((at, most)) if *at == begin => *most = most.most(load),
                Some(_) | None => points.push_back((begin, load)),
            }
        });
    }

    /// The last hour.
    pub fn output(&self) -> TrendOutput {
        let points = self.with(|points| {
            points.iter().map(|(at, load)| TrendPointOutput::new(*at, *load)).collect()
        });
        TrendOutput { step_secs: STEP_SECS, points }
    }

    fn with<T>(&self, act: impl FnOnce(&mut VecDeque<(Timestamp, Load)>) -> T) -> T {
        act(&mut locked(&self.points))
    }
}
