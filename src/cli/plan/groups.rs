//! Decisions that say the same of several runners, put together.

use std::collections::BTreeMap;

use crate::view::{DecisionOutput, PlanOutput, SlotOutput};

/// Decisions of one action and rule on one variant and host; at least one.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    /// The one that speaks for the group.
    pub(crate) first: &'a DecisionOutput,
    /// All of them.
    pub(crate) decisions: Vec<&'a DecisionOutput>,
}

impl<'a> Group<'a> {
    pub(crate) fn of(first: &'a DecisionOutput) -> Self {
        Self { first, decisions: vec![first] }
    }

    /// The numbers behind it, of the first where they differ.
    pub(crate) fn why(&self) -> String {
        let first = self.first;
        let same = self.decisions.iter().all(|decision| decision.facts == first.facts);
        if same {
            first.why.clone()
        } else {
            format!("{}; and {} more like it", first.why, self.decisions.len() - 1)
        }
    }

    pub(crate) fn slots(&self) -> Vec<SlotOutput> {
        self.decisions.iter().filter_map(|decision| decision.slot).collect()
    }
}

/// The plan's decisions in their order, those of one kind together.
pub(crate) fn groups(plan: &PlanOutput) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known = BTreeMap::new();
    for one in &plan.decisions {
        // A start says why its host was taken, which may be another reason for each.
        let why = (one.action == "start").then_some(&one.why);
        let key = (&one.action, &one.rule, &one.pool, &one.arch, &one.host, why);
        let index = *known.entry(key).or_insert(groups.len());
        match groups.get_mut(index) {
            Some(group) => group.decisions.push(one),
            None => groups.push(Group::of(one)),
        }
    }
    groups
}

/// `slot 1`, `slots 0-2, 5`
pub(crate) fn slot_ranges(slots: &[SlotOutput]) -> String {
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
        let slots = [5, 0, 2, 1].map(SlotOutput);
        assert_eq!(slot_ranges(&slots), "slots 0-2, 5");
        assert_eq!(slot_ranges(&[SlotOutput(7)]), "slot 7");
    }
}
