//! Lists that GitLab reads from a copy of its database that lags behind.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use http::Response;
use jiff::{SignedDuration, Timestamp};

use crate::chaos::{Chaos, Kind};

/// What each list told when it began to lag, and until when it does.
#[derive(Default)]
pub(crate) struct Lags(Mutex<BTreeMap<String, Lag>>);

struct Lag {
    told: Response<Bytes>,
    until: Timestamp,
}

impl Lags {
    /// What a list tells in place of that answer, if it lags.
    pub(crate) fn told(
        &self,
        chaos: &Chaos,
        now: Timestamp,
        asked: &str,
        answer: &Response<Bytes>,
    ) -> Option<Response<Bytes>> {
        if !chaos.may_strike(Kind::ListLags) {
            return None;
        }
        let mut lags = self.0.lock().unwrap();
        let fresh = || Lag { told: answer.clone(), until: Timestamp::MIN };
        let lag = lags.entry(asked.to_owned()).or_insert_with(fresh);
        if lag.until <= now {
            if !chaos.strikes(Kind::ListLags) {
                *lag = fresh();
                return None;
            }
            let seconds = 5 + i64::try_from(chaos.below(Kind::ListLags, 25)).unwrap();
            lag.until = now + SignedDuration::from_secs(seconds);
        }
        Some(lag.told.clone())
    }
}
