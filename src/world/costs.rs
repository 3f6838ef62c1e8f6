//! What a runner costs its host: what it was made with, whatever its pool asks for by now.

use super::{Look, Memory, Runner, RunnerView, SetAside};
use crate::spec::Cost;

impl Look {
    /// What the runner costs as long as its container is there. One whose container does not say
    /// what it was made with costs the most that its pool asked for since it is known: what it was
    /// made with may be that of the spec before.
    pub fn cost_of(&self, runner: &Runner) -> Cost {
        let told = runner.cost.clone();
        told.unwrap_or_else(|| {
            let noted = self.memory.runners.get(&runner.id).and_then(|it| it.cost.clone());
            noted.unwrap_or_default().larger(&self.asked_for(runner))
        })
    }

    /// The same of a container that cannot be read.
    pub fn cost_of_aside(&self, aside: &SetAside) -> Cost {
        let told = aside.cost.clone();
        told.unwrap_or_else(|| {
            let by_label = aside.variant.as_ref().map(|variant| &variant.pool);
            let by_name = aside.name.of_slot(&self.spec.instance).map(|(variant, _)| variant.pool);
            let pool = by_label.and_then(|pool| self.spec.pool(pool));
            let pool = pool.or_else(|| self.spec.pool(&by_name?));
            pool.map(Cost::of).unwrap_or_default()
        })
    }

    /// What its pool asks for now.
    fn asked_for(&self, runner: &Runner) -> Cost {
        self.spec.pool(&runner.variant.pool).map(Cost::of).unwrap_or_default()
    }
}

/// Remembers what the pools of those asked for whose containers do not say what they were made with.
pub(super) fn note_costs(look: &Look, views: &[RunnerView<'_>], memory: &mut Memory) {
    for RunnerView { runner, .. } in views.iter().filter(|view| view.runner.cost.is_none()) {
        memory.runner_mut(&runner.id).cost = Some(look.cost_of(runner));
    }
}
