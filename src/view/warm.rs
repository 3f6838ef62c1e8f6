//! How many idle runners a schedule keeps now, and the plan as it would be at another time.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AsOf, PlanOutput, View, words};
use crate::plan::plan;
use crate::spec::{Pool, Warm};

/// Why a schedule keeps that many idle runners now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WarmNowOutput {
    /// What says so: `base`, or an entry of the schedule by its place, as in `entry 1`.
    pub by: String,
    /// The entry as the file has it; none where `base` says so.
    pub entry: Option<String>,
    /// Until when, in UTC; none where it stays for weeks.
    pub until: Option<String>,
    /// How many are kept after that.
    pub then: Option<u32>,
}

impl WarmNowOutput {
    /// Of a pool with a schedule, at that time.
    pub(crate) fn of(pool: &Pool, at: Timestamp) -> Option<Self> {
        let Warm::Scheduled(schedule) = &pool.warm else { return None };
        let place = schedule.entry(at);
        let next = schedule.next(at);
        Some(Self {
            by: place.map_or_else(|| "base".to_owned(), |place| format!("entry {}", place + 1)),
            entry: place.and_then(|place| schedule.entries.get(place)).map(ToString::to_string),
            until: next.map(|(until, _)| words::instant(until)),
            then: next.map(|(_, number)| number),
        })
    }

    /// `warm 2 by entry 1 of its schedule until 2026-10-23T16:00:00Z, then 0`
    pub(crate) fn in_words(&self, warm: u32) -> String {
        let Self { by, until, then, .. } = self;
        let until = until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
        let then = then.map(|then| format!(", then {then}")).unwrap_or_default();
        format!("warm {warm} by {by} of its schedule{until}{then}")
    }
}

impl View {
    /// The plan as it would be were it that time for the pools' schedules, and for nothing else.
    ///
    /// How long a runner is idle and a job waits is as it was seen: nobody knows which jobs come
    /// until then, and were those that wait now to wait for hours, GitLab would have dropped them.
    #[must_use]
    pub(crate) fn scheduled_for(&self, at: Timestamp) -> Self {
        let world = self.world.changed(|look| {
            for pool in &mut Arc::make_mut(&mut look.spec).pools {
                if let Warm::Scheduled(schedule) = &pool.warm {
                    pool.warm = Warm::Count(schedule.number(at));
                }
            }
        });
        Self { plan: Arc::new(plan(&world)), world: Arc::new(world), ..self.clone() }
    }
}

impl AsOf<'_> {
    /// The plan as JSON, as it would be were it that time for the pools' schedules.
    pub(crate) fn plan_output_at(&self, at: Timestamp) -> PlanOutput {
        let then = self.scheduled_for(at);
        PlanOutput {
            schedules_at: Some(words::instant(at)),
            ..then.as_of(self.now()).plan_output()
        }
    }
}
