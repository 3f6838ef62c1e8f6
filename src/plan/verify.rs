//! `verify-token`: GitLab is asked whether it takes each pool's own `runner_token`, which leaves a
//! row at GitLab for a moment. Until it did, nothing starts with it.

use super::draft::Draft;
use super::{Action, Facts, Rule};
use crate::world::{Cause, Origin};

pub(super) fn verify_tokens(draft: &mut Draft<'_>) {
    let world = draft.world();
    let Some(records) = world.records.known().filter(|_| !world.marks().is_empty()) else {
        return;
    };
    for (variant, pool) in world.variants() {
        let is_taken = records
            .iter()
            .any(|record| record.origin == Origin::Given && record.variant == variant);
        let rests = world.backoff(&variant).is_some_and(|one| one.cause == Cause::Record);
        if pool.runner_token.is_some() && !is_taken && !rests {
            draft.decide(Action::VerifyToken { variant }, Rule::VerifyToken, Facts::Unverified);
        }
    }
}
