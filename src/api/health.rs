//! `GET /health`: for supervisors, which must not restart AutoGit because GitLab is away, and with
//! `?strict=1` for uptime checks, which want to know that it is.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::extract::Checked;
use crate::duration::signed;
use crate::view::{View, words};

/// The longest that one tick may take beyond the poll interval: each of its calls has a timeout of
/// a minute at most, and they run side by side. A loop that is silent for longer hangs.
const TICK_MAX: SignedDuration = SignedDuration::from_mins(5);

/// How well AutoGit is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HealthOutput {
    /// The instance's name.
    pub instance: String,
    /// AutoGit's version.
    pub version: &'static str,
    /// `ok`; `starting` before the first look is over; `degraded` when something cannot be read, an
    /// action hangs or a newer spec was refused; `stuck` when the loop no longer ticks.
    pub status: &'static str,
    /// The sources that could not be read.
    pub stale: Vec<String>,
    /// Actions that have no answer for long; everything else goes on.
    pub hanging: Vec<String>,
    /// The spec's file as it is now passes.
    pub spec_valid: bool,
    /// Seconds since the last look; none before the first.
    pub last_look_secs: Option<i64>,
    /// Requests since the start whose bearer token was refused.
    pub refused_bearers: u64,
    /// Webhooks since the start that were refused.
    pub refused_webhooks: u64,
    /// AutoGit's clock, in UTC: what all other instants are to be compared with.
    pub now: String,
    /// When it started, in UTC.
    pub started_at: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Strictness {
    strict: Option<String>,
}

impl Strictness {
    fn is_on(&self) -> bool {
        matches!(self.strict.as_deref(), Some("" | "1" | "true"))
    }
}

impl Api {
    /// How well AutoGit is now.
    pub fn health(&self) -> HealthOutput {
        let instance = self.spec().instance.to_string();
        let mut health = of(instance, self.view().as_deref(), self.clock.now(), self.started_at);
        (health.refused_bearers, health.refused_webhooks) = self.refusals.counts();
        health
    }
}

impl HealthOutput {
    /// The loop no longer ticks: only a new start helps.
    pub fn is_stuck(&self) -> bool {
        self.status == "stuck"
    }
}

pub(super) async fn health(
    State(api): State<Api>,
    Checked(Query(strictness)): Checked<Query<Strictness>>,
) -> Response {
    let health = api.health();
    let fine = match health.status {
        "ok" => true,
        "stuck" => false,
        _ => !strictness.is_on() || (health.stale.is_empty() && health.last_look_secs.is_some()),
    };
    let status = if fine { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health)).into_response()
}

fn of(
    instance: String,
    view: Option<&View>,
    now: Timestamp,
    started_at: Timestamp,
) -> HealthOutput {
    let version = env!("CARGO_PKG_VERSION");
    let (at, began) = (words::instant(now), words::instant(started_at));
    let Some(view) = view else {
        let hangs = now.duration_since(started_at) > TICK_MAX;
        let status = if hangs { "stuck" } else { "starting" };
        return HealthOutput {
            instance,
            version,
            status,
            stale: Vec::new(),
            hanging: Vec::new(),
            spec_valid: true,
            last_look_secs: None,
            refused_bearers: 0,
            refused_webhooks: 0,
            now: at,
            started_at: began,
        };
    };
    let age = now.duration_since(view.world.now);
    let interval = signed(view.world.spec.gitlab.poll_interval);
    let stale = view.unknown_sources();
    let spec_valid = view.spec.pending_fault.is_none();
    let hanging = view.hanging(now);
    let status = if age > interval.saturating_add(TICK_MAX) {
        "stuck"
    } else if stale.is_empty() && hanging.is_empty() && spec_valid {
        "ok"
    } else {
        "degraded"
    };
    let last_look_secs = Some(age.as_secs().max(0));
    HealthOutput {
        instance,
        version,
        status,
        stale,
        hanging,
        spec_valid,
        last_look_secs,
        refused_bearers: 0,
        refused_webhooks: 0,
        now: at,
        started_at: began,
    }
}
