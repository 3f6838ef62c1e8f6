//! A failing history, made as short as it can be without passing.

use std::collections::BTreeSet;

use crate::invariants::Broken;

use crate::history::{Outcome, happen};
use crate::knobs::Knobs;

/// Histories that are tried at most.
const TRIES_MAX: u32 = 48;
/// Lines of the trace that are shown: its end is what matters.
const LINES_SHOWN: usize = 80;

/// What is left of a failing history.
pub(crate) struct Shortest {
    pub(crate) knobs: Knobs,
    left_out: BTreeSet<&'static str>,
    outcome: Outcome,
    broken: Broken,
}

/// Leaves out one kind of fault after the other, then ends the faults sooner and sooner, as long as
/// the same promise is broken.
pub(crate) fn shrink(knobs: &Knobs, outcome: Outcome, broken: Broken) -> Shortest {
    let mut found = Shortest { knobs: knobs.clone(), left_out: BTreeSet::new(), outcome, broken };
    let mut tries = 0;
    for word in knobs.words() {
        let mut left_out = found.left_out.clone();
        left_out.insert(word);
        let fewer = knobs.without(&left_out).lasting(found.knobs.fault_secs);
        if tries < TRIES_MAX && found.fails_as_well(&fewer, &mut tries) {
            found.left_out = left_out;
        }
    }
    while tries < TRIES_MAX && found.knobs.fault_secs > 4 {
        let shorter = found.knobs.lasting(found.knobs.fault_secs * 2 / 3);
        if !found.fails_as_well(&shorter, &mut tries) {
            break;
        }
    }
    found
}

impl Shortest {
    fn fails_as_well(&mut self, knobs: &Knobs, tries: &mut u32) -> bool {
        *tries += 1;
        let mut outcome = happen(knobs);
        let broken = outcome.broken.take();
        let same = broken.filter(|broken| broken.promise == self.broken.promise);
        let fails = same.is_some();
        if let Some(broken) = same {
            (self.knobs, self.outcome, self.broken) = (knobs.clone(), outcome, broken);
        }
        fails
    }

    /// The seed, the knobs, the end of the trace and the command that shows it again.
    pub(crate) fn told(&self) -> String {
        let Knobs { seed, fault_secs, .. } = self.knobs;
        let skipped = self.outcome.lines.len().saturating_sub(LINES_SHOWN);
        let lines = self.outcome.lines[skipped..].join("\n");
        let left_out: Vec<&str> = self.left_out.iter().copied().collect();
        let left_out = left_out.join(",");
        format!(
            "seed {seed} breaks a promise\n  {}\n  knobs: {:?}\n  after {skipped} lines:\n{lines}\n  \
             replay: AUTOGIT_SEED={seed} AUTOGIT_WITHOUT={left_out} AUTOGIT_FAULT_SECS={fault_secs} \
             cargo test --test simulation replay -- --nocapture",
            self.broken, self.knobs
        )
    }
}
