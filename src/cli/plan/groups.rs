//! Decisions that say the same of several runners, put together.

use std::collections::BTreeMap;

use crate::plan::{Action, Decision, Rule};
use crate::spec::HostName;
use crate::view::View;
use crate::world::{ContainerId, Slot, Variant};

/// Decisions of one action and rule on one variant and host.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) decisions: Vec<&'a Decision>,
    pub(crate) slots: Vec<Slot>,
}

impl<'a> Group<'a> {
    /// The decision that speaks for the group.
    pub(crate) fn first(&self) -> Option<&'a Decision> {
        self.decisions.first().copied()
    }

    /// The numbers behind it, of the first where they differ.
    pub(crate) fn why(&self) -> String {
        let Some(first) = self.first() else { return String::new() };
        let same = self.decisions.iter().all(|decision| decision.facts == first.facts);
        if same {
            first.facts.to_string()
        } else {
            format!("{}; and {} more like it", first.facts, self.decisions.len() - 1)
        }
    }
}

/// The plan's decisions in their order, those of one kind together.
pub(crate) fn groups(view: &View) -> Vec<Group<'_>> {
    type Key<'k> = (&'static str, Rule, Option<&'k Variant>, Option<&'k HostName>);
    let slots = slots(view);
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known: BTreeMap<Key<'_>, usize> = BTreeMap::new();
    for decision in &view.plan.decisions {
        let action = &decision.action;
        let key = (action.as_str(), decision.rule, action.variant(), action.host());
        let index = *known.entry(key).or_insert_with(|| {
            groups.push(Group { decisions: Vec::new(), slots: Vec::new() });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(index) {
            group.decisions.push(decision);
            group.slots.extend(slot(action, &slots));
        }
    }
    groups
}

fn slots(view: &View) -> BTreeMap<&ContainerId, Slot> {
    let states = view.world.hosts.values().filter_map(|host| host.state.last());
    states.flat_map(|state| &state.runners).map(|runner| (&runner.id, runner.slot)).collect()
}

fn slot(action: &Action, slots: &BTreeMap<&ContainerId, Slot>) -> Option<Slot> {
    match action {
        Action::Start { slot, .. } => Some(*slot),
        Action::Drain { id, .. } => slots.get(id).copied(),
        Action::Reap { runner, .. } => Some(runner.slot),
        Action::CreateNetwork { .. }
        | Action::CreateRecord { .. }
        | Action::UpdateRecord { .. }
        | Action::DeleteRecord { .. }
        | Action::Sweep { .. } => None,
    }
}

/// `slot 1`, `slots 0-2, 5`
pub(crate) fn slot_ranges(slots: &[Slot]) -> String {
    let mut numbers: Vec<u32> = slots.iter().map(|slot| slot.0).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let words = ranges.iter().map(|(first, last)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    });
    let words = words.collect::<Vec<_>>().join(", ");
    if slots.len() == 1 { format!("slot {words}") } else { format!("slots {words}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_slots_are_one_range() {
        let slots = [5, 0, 2, 1].map(Slot);
        assert_eq!(slot_ranges(&slots), "slots 0-2, 5");
        assert_eq!(slot_ranges(&[Slot(7)]), "slot 7");
    }
}
