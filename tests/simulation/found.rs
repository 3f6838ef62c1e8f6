//! Histories that broke a promise once, by what they found.

use crate::history::happen;
use crate::knobs::Knobs;

/// What strikes since these were found, left out so that each remains the history that it was.
const LATER: [&str; 5] =
    ["gitlab-drips", "removal-hangs", "runner-paused", "runner-deaf", "queue-flooded"];

macro_rules! found {
    ($($name:ident: $seed:literal,)*) => {
        $(
            #[test]
            fn $name() {
                let outcome = happen(&Knobs::of($seed).without(&LATER.into()));
                let lines = || outcome.lines.join("\n");
                assert!(outcome.broken.is_none(), "{}\n{:?}", lines(), outcome.broken);
            }
        )*
    };
}

found! {
    a_runner_works_off_a_queue_for_longer_than_any_wait: 10784,
    a_disabled_pool_has_two_records_whose_tokens_are_lost: 10925,
    a_new_process_starts_while_a_host_was_never_seen: 11146,
    a_runner_takes_the_slot_of_a_dead_ones_network: 11683,
    a_container_that_was_never_started_has_the_token: 12210,
    a_token_ends_that_another_process_made: 15694,
    one_of_two_takes_the_others_new_record_for_lost: 20446,
    a_container_was_made_and_neither_started_nor_removed: 23949,
    one_of_two_reaps_while_the_other_fills_the_slot_again: 321_115,
    a_slot_is_in_doubt_on_one_host_and_filled_on_another: 318_138,
    a_runner_makes_contact_during_a_look: 308_203,
    a_job_is_cancelled_while_its_end_cannot_be_reported: 318_940,
    a_list_lacks_a_runner_while_a_record_is_made: 1_000_805,
    a_hosts_clock_is_set_back_after_a_start: 1_002_170,
    a_log_alone_tells_of_a_job_while_gitlab_cannot_be_asked: 2_005_359,
    a_renamed_runner_ended_and_another_has_its_slot: 4_005_973,
    a_new_process_starts_beside_what_a_crash_left: 42_002_946,
    neither_list_of_a_host_tells_of_a_runner_while_a_record_is_made: 6_053_339,
}
