//! The laws, over what is drawn at random.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::edges::seams::{gitlab, interpolation, spec, webhook};
use crate::edges::texts::{any_text, changed_spec, value};

/// The same cases in every run: a failure is seen by whoever looks next.
const SEED: proptest::test_runner::RngSeed = proptest::test_runner::RngSeed::Fixed(1);

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, rng_seed: SEED, ..ProptestConfig::default() }
}

#[test]
fn a_file_that_is_one_unknown_variable_has_a_fault() {
    spec::check("${UNSET}", "");
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn no_text_read_as_a_spec_panics_or_tells_a_secret(text in any_text(), value in value()) {
        spec::check(&text, &value);
    }

    #[test]
    fn no_changed_spec_panics_or_tells_a_secret(text in changed_spec(), value in value()) {
        spec::check(&text, &value);
    }

}

proptest! {
    #![proptest_config(cases(24))]

    /// Each value is put in some fifteen places.
    #[test]
    fn no_value_of_a_variable_adds_structure(value in value()) {
        interpolation::check(&value);
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn no_answer_of_gitlab_panics_or_is_asked_for_without_end(
        data in vec(prop_oneof![2 => Just(0), 1 => any::<u8>()], 0..1500)
    ) {
        gitlab::check(&data);
    }

    #[test]
    fn no_webhook_gets_in_without_the_secret_or_panics(data in vec(any::<u8>(), 0..600)) {
        webhook::check(&data);
    }

    #[test]
    fn each_fault_of_an_env_file_is_at_one_of_its_lines(text in any_text()) {
        if let Err(faults) = autogit::source::parse_env_file(&text) {
            let lines = text.lines().count();
            prop_assert!(faults.iter().all(|fault| (1..=lines).contains(&fault.line)));
        }
    }

    #[test]
    fn an_env_file_gives_back_what_single_quotes_hold(value in "[^'\r\n]{0,40}") {
        let read = autogit::source::parse_env_file(&format!("A='{value}'\n")).unwrap();
        prop_assert_eq!(&read["A"], &value);
    }
}
