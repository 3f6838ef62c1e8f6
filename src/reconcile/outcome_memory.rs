//! What the outcomes of one tick mean for the next ones.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::apply::{ApplyError, Effect, Outcome};
use crate::error_policy::Pause;
use crate::plan::{Action, Plan, Rule};
use crate::spec::{Arch, Cost, HostName, Spec};
use crate::world::{Backoff, Cause, FailedStart, InDoubt, Memory, Variant, early_end, pools_on};

/// How long a slot is left alone whose name someone else's container has.
const NAME_TAKEN: SignedDuration = SignedDuration::from_mins(10);

/// What the plan itself shows. A slot that is tried again has nothing to do with the start that failed
/// before. A runner that ended at once pauses its variant while it is cleaned up after, however long
/// that takes, and once. To be noted before the efforts are.
pub(super) fn begun(memory: &mut Memory, plan: &Plan, now: Timestamp) {
    let backoffs = memory.backoffs.clone();
    for action in plan.decisions.iter().map(|decision| &decision.action) {
        if let Action::Start { host, runner, .. } = action {
            // A container that is seen from now on may be of this start, not of one that failed.
            let slot = (host.clone(), runner.clone());
            memory.shown.remove(&slot);
            let before = memory.starts.iter_mut().filter(|start| start.of.as_ref() == Some(&slot));
            before.for_each(|start| start.of = None);
        }
        if let Action::Reap { runner, .. } = action
            && let Some(error) = early_end(runner)
            && !memory.is_repeated(&action.deed(), None)
        {
            let before = backoffs.get(&runner.variant);
            let failure = Failure { cause: Cause::Runner, error, before };
            back_off(memory, &runner.variant, failure, now);
        }
    }
}

/// Brings the memory up to what was done.
pub(super) fn outcomes(memory: &mut Memory, outcomes: &[Outcome], spec: &Spec, now: Timestamp) {
    memory.note_time(now);
    for outcome in outcomes {
        match &outcome.result {
            Ok(effect) => done(memory, outcome, effect, now),
            Err(error) => failed(memory, outcome, error, spec, now),
        }
    }
}

fn done(memory: &mut Memory, outcome: &Outcome, effect: &Effect, now: Timestamp) {
    match (&outcome.decision.action, effect) {
        (Action::Start { host, runner, cost, .. }, Effect::Started(id)) => {
            memory.runner_mut(id).made = Some(now);
            memory.shown.remove(&(host.clone(), runner.clone()));
            // It counts also where its host is not seen again soon.
            memory.in_doubt.insert(runner.clone(), in_doubt(host, cost, now));
        }
        (Action::Drain { id, variant, .. }, Effect::Done) => {
            memory.runner_mut(id).draining = Some(now);
            if outcome.decision.rule == Rule::DrainFailed {
                let error = outcome.decision.facts.to_string().into();
                let cause = outcome.decision.facts.cause_of_failure();
                let before = outcome.seen.memory.backoffs.get(variant);
                back_off(memory, variant, Failure { cause, error, before }, now);
            }
        }
        (Action::Reap { runner, lost_job, .. }, Effect::Done) => {
            memory.runner_mut(&runner.id).at_work = None;
            // What a list lacked and shows later is of a job that was told.
            memory.over.extend(lost_job.as_ref().map(|job| job.id));
        }
        (Action::CreateNetwork { host }, Effect::Done) => drop(memory.networks.remove(host)),
        (Action::KeepImage { host, image, .. }, Effect::Done) => {
            drop(memory.unkept.remove(&(host.clone(), image.clone())));
        }
        (Action::VerifyToken { variant }, Effect::Verified { .. }) => has_record(memory, variant),
        (Action::CreateRecord { variant }, Effect::Recorded(id)) => {
            memory.own_records.answered(variant, Some(*id), now);
            has_record(memory, variant);
        }
        (Action::CreateRecord { variant }, _) => {
            memory.own_records.answered(variant, None, now);
        }
        _ => {}
    }
}

fn in_doubt(host: &HostName, cost: &Cost, at: Timestamp) -> InDoubt {
    InDoubt { host: host.clone(), at, cost: cost.clone() }
}

/// The variant got a record: what stood in the way of one is over.
fn has_record(memory: &mut Memory, variant: &Variant) {
    memory.backoffs.retain(|of, backoff| of != variant || backoff.cause != Cause::Record);
}

fn failed(memory: &mut Memory, outcome: &Outcome, error: &ApplyError, spec: &Spec, now: Timestamp) {
    let backoffs = &outcome.seen.memory.backoffs;
    let words = || Arc::from(error.to_string());
    let pause = error.pause(&outcome.decision.action);
    match &outcome.decision.action {
        Action::Start { host, runner, variant, cost, .. } => {
            // Every attempt counts, or a broken image would become a storm, and once: a look may
            // have seen the container that it made.
            let slot = (host.clone(), runner.clone());
            if !memory.shown.remove(&slot) {
                memory.starts.push(FailedStart { at: now, of: Some(slot) });
            }
            if error.in_doubt() {
                memory.in_doubt.insert(runner.clone(), in_doubt(host, cost, now));
            }
            match pause {
                Pause::Nothing => {}
                Pause::Slot => {
                    let until = now.saturating_add(NAME_TAKEN).unwrap_or(Timestamp::MAX);
                    memory.taken.insert(runner.clone(), until);
                }
                Pause::BackOff => {
                    let before = backoffs.get(variant);
                    let failure = Failure { cause: Cause::Start, error: words(), before };
                    back_off(memory, variant, failure, now);
                }
            }
        }
        // All that need it, by the spec of now.
        Action::PullImage { host, image, arch } => {
            for variant in need_image(spec, host, image, *arch) {
                if pause == Pause::BackOff {
                    let before = backoffs.get(&variant);
                    let failure = Failure { cause: Cause::Start, error: words(), before };
                    back_off(memory, &variant, failure, now);
                }
            }
        }
        Action::KeepImage { host, image, .. } if pause == Pause::BackOff => {
            note_unkept(memory, host, image, words(), now);
        }
        action @ (Action::VerifyToken { variant } | Action::CreateRecord { variant }) => {
            // What came of a request without an answer shows later.
            if matches!(action, Action::CreateRecord { .. }) && error.is_final() {
                memory.own_records.answered(variant, None, now);
            }
            if pause == Pause::BackOff {
                let before = backoffs.get(variant);
                let failure = Failure { cause: Cause::Record, error: words(), before };
                back_off(memory, variant, failure, now);
            }
        }
        Action::CreateNetwork { host } if pause == Pause::BackOff => {
            let previous = memory.networks.get(host);
            let backoff = Backoff::after(previous, host, Cause::Network, words(), now);
            memory.networks.insert(host.clone(), backoff);
        }
        Action::KeepImage { .. }
        | Action::CreateNetwork { .. }
        | Action::UpdateRecord { .. }
        | Action::DeleteRecord { .. }
        | Action::Drain { .. }
        | Action::Reap { .. }
        | Action::Sweep { .. } => {}
    }
}

fn note_unkept(memory: &mut Memory, host: &HostName, image: &str, error: Arc<str>, now: Timestamp) {
    let of = (host.clone(), image.to_owned());
    let backoff = Backoff::after(memory.unkept.get(&of), &image, Cause::Image, error, now);
    memory.unkept.insert(of, backoff);
}

/// The variants whose runners have that image on the host, those that are emulated there, too.
fn need_image(spec: &Spec, host: &HostName, image: &str, arch: Arch) -> Vec<Variant> {
    let pools = pools_on(spec, host, arch).filter(|pool| pool.runner_image == image);
    let variants = pools.flat_map(|pool| {
        let emulated = pool.architectures.iter().copied();
        let emulated = emulated.filter(move |other| pool.emulate && *other != arch);
        emulated.chain([arch]).map(|arch| Variant::new(&pool.name, arch))
    });
    variants.collect()
}

/// A failure of a variant.
struct Failure<'a> {
    cause: Cause,
    error: Arc<str>,
    /// The pause that stood when it was decided to do what failed, so that what was decided together
    /// and fails is one failure in a row.
    before: Option<&'a Backoff>,
}

fn back_off(memory: &mut Memory, variant: &Variant, failure: Failure<'_>, now: Timestamp) {
    let Failure { cause, error, before } = failure;
    let backoff = Backoff::after(before, variant, cause, error, now);
    let stands = memory.backoffs.get(variant).is_some_and(|stands| {
        stands.cause == cause && stands.failures > backoff.failures && stands.until > now
    });
    if !stands {
        memory.backoffs.insert(variant.clone(), backoff);
    }
}
