//! Laws of all plans, over worlds at random.

use std::collections::BTreeSet;

use autogit::plan::{Rule, plan};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestRunner};

use crate::plan::laws::{check, check_rest};
use crate::plan::settle::settle_with;
use crate::plan::worlds::{plots, turned};

/// The same cases in every run: a failure is seen by whoever looks next.
const SEED: RngSeed = RngSeed::Fixed(1);

/// Else the laws would hold of nothing.
#[test]
fn worlds_at_random_meet_every_rule_and_every_hold() {
    let mut runner = TestRunner::deterministic();
    let (mut rules, mut holds) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..2_000 {
        let world = plots().new_tree(&mut runner).unwrap().current().world();
        let plan = plan(&world);
        rules.extend(plan.decisions.iter().map(|decision| decision.rule));
        holds.extend(plan.held_jobs.iter().map(|held| held.hold.as_str()));
        holds.extend(plan.held_runners.iter().map(|held| held.hold.as_str()));
    }
    assert_eq!(rules, BTreeSet::from(Rule::ALL));
    let readme = include_str!("../../../README.md");
    let undocumented: Vec<_> =
        holds.iter().filter(|word| !readme.contains(&format!("| `{word}` |"))).collect();
    assert!(undocumented.is_empty(), "README.md says nothing of {undocumented:?}");
    let holds: Vec<&str> = holds.into_iter().collect();
    assert_eq!(
        holds.join(" "),
        "backing-off busy cooling-down disk-full draining ending foreign-record host-budget image-pull \
         in-doubt in-turn needed no-image no-network no-pool-matches other-runner paused pool-at-max \
         protected reaping scope \
         start-rate starting unclaimed unseen warm"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: SEED, ..ProptestConfig::default() })]

    #[test]
    fn every_plan_keeps_the_laws(plot in plots()) {
        let world = plot.world();
        check(&world, &plan(&world));
    }

    #[test]
    fn equal_worlds_get_equal_plans(plot in plots(), by in 1..5_usize) {
        let world = plot.world();
        let planned = format!("{:?}", plan(&world));
        prop_assert_eq!(&planned, &format!("{:?}", plan(&plot.world())));
        prop_assert_eq!(&planned, &format!("{:?}", plan(&turned(&world, by))));
    }

    /// Within the number of looks that `settle_with` argues, and by the laws at each of them.
    #[test]
    fn carrying_plans_out_comes_to_an_end(plot in plots()) {
        let (_, rest) = settle_with(&plot.world(), check);
        check_rest(&rest);
    }
}
