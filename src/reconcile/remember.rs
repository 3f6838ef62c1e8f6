//! What the outcomes of one tick mean for the next ones.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::images::ImageFailure;
use crate::apply::{ApplyError, Effect, Outcome};
use crate::engine::EngineError;
use crate::gitlab::ErrorKind;
use crate::plan::{Action, Rule};
use crate::world::{Backoff, Cause, ContainerState, Memory, Runner, Variant, World};

/// A runner that ends with an error this soon after its start never did anything useful.
const SHORT_LIFE: SignedDuration = SignedDuration::from_mins(2);

/// How long a slot is left alone whose name someone else's container has.
const NAME_TAKEN: SignedDuration = SignedDuration::from_mins(10);

/// Brings the memory up to what was done.
pub(super) fn outcomes(memory: &mut Memory, outcomes: &[Outcome], now: Timestamp) {
    for outcome in outcomes {
        match &outcome.result {
            Ok(effect) => done(memory, outcome, effect, now),
            Err(error) => failed(memory, outcome, error, now),
        }
    }
}

fn done(memory: &mut Memory, outcome: &Outcome, effect: &Effect, now: Timestamp) {
    match (&outcome.decision.action, effect) {
        (Action::Start { .. }, Effect::Started(_)) => memory.starts.push(now),
        (Action::Drain { id, variant, .. }, Effect::Done) => {
            memory.draining.insert(id.clone(), now);
            if outcome.decision.rule == Rule::DrainFailed {
                let error = outcome.decision.facts.to_string().into();
                back_off(memory, variant, Cause::Runner, error, now);
            }
        }
        (Action::Reap { runner, .. }, Effect::Done) => {
            if let Some(error) = early_end(runner) {
                back_off(memory, &runner.variant, Cause::Runner, error, now);
            }
        }
        (Action::CreateRecord { variant }, Effect::Recorded(_)) => {
            memory.backoffs.retain(|of, backoff| of != variant || backoff.cause != Cause::Record);
        }
        _ => {}
    }
}

fn failed(memory: &mut Memory, outcome: &Outcome, error: &ApplyError, now: Timestamp) {
    let words = || Arc::from(error.to_string());
    match &outcome.decision.action {
        Action::Start { host, runner, variant, .. } => {
            // Every attempt counts, or a broken image would become a storm.
            memory.starts.push(now);
            if error.in_doubt() {
                memory.in_doubt.insert(runner.clone(), (host.clone(), now));
            }
            let slot_taken = matches!(
                error,
                ApplyError::Engine(EngineError::NameTaken { .. }) | ApplyError::SlotTaken(_)
            );
            // An engine that is away shows as such at the next look, and a record that is missing
            // as its own decision: coming back from either needs no pause.
            let elsewhere = matches!(error, ApplyError::NoRecord(_))
                || (error.kind() == ErrorKind::Unreachable && !error.in_doubt());
            if slot_taken {
                let until = now.saturating_add(NAME_TAKEN).unwrap_or(Timestamp::MAX);
                memory.taken.insert(runner.clone(), until);
            } else if !elsewhere {
                back_off(memory, variant, Cause::Start, words(), now);
            }
        }
        Action::CreateRecord { variant } => back_off(memory, variant, Cause::Record, words(), now),
        Action::CreateNetwork { .. }
        | Action::UpdateRecord { .. }
        | Action::DeleteRecord { .. }
        | Action::Drain { .. }
        | Action::Reap { .. }
        | Action::Sweep { .. } => {}
    }
}

/// Images that could not be had: the variants that need them pause.
pub(super) fn image_failures(memory: &mut Memory, world: &World, failures: Vec<ImageFailure>) {
    for failure in failures {
        for (variant, pool) in world.variants() {
            let affected =
                pool.runner_image == failure.request.image && variant.arch == failure.request.arch;
            if affected {
                back_off(
                    memory,
                    &variant,
                    Cause::Start,
                    failure.error.to_string().into(),
                    world.now,
                );
            }
        }
    }
}

fn back_off(memory: &mut Memory, variant: &Variant, cause: Cause, error: Arc<str>, now: Timestamp) {
    let backoff = Backoff::after(memory.backoffs.get(variant), variant, cause, error, now);
    memory.backoffs.insert(variant.clone(), backoff);
}

/// What a runner that ended with an error, early and without a job, says of its variant.
fn early_end(runner: &Runner) -> Option<Arc<str>> {
    let ContainerState::Exited { code, finished_at, oom_killed } = runner.state else {
        return None;
    };
    let idle = runner.log.as_ref().is_none_or(|log| log.received.is_none());
    let early = finished_at.duration_since(runner.created_at) < SHORT_LIFE;
    let why = if oom_killed { ", out of memory" } else { "" };
    (code != 0 && idle && early)
        .then(|| format!("its runner exited {code}{why}; see its log above").into())
}
