//! How a record says whose it is: `autogit/<instance>/<pool>-<arch>` in its description, and
//! `autogit installation=<mark>,<mark>` in its maintenance note, with the marks of the hosts' engines
//! (of one only, as the first versions wrote it). People may add words to the note.

use std::collections::BTreeSet;

use crate::spec::{Arch, InstanceName, PoolName};
use crate::world::{Mark, Variant};

const PROGRAM: &str = "autogit";
const KEY: &str = "installation=";

/// The description of this variant's record.
pub(super) fn description(instance: &InstanceName, variant: &Variant) -> String {
    let Variant { pool, arch } = variant;
    format!("{PROGRAM}/{instance}/{pool}-{arch}")
}

/// The variant that a description names, if it is under this instance's name.
pub(super) fn variant(instance: &InstanceName, description: &str) -> Option<Variant> {
    let rest = description.strip_prefix(PROGRAM)?.strip_prefix('/')?;
    let rest = rest.strip_prefix(instance.as_str())?.strip_prefix('/')?;
    let (pool, arch) = rest.rsplit_once('-')?;
    let arch = Arch::parse(arch).filter(|parsed| parsed.as_str() == arch)?;
    Some(Variant::new(&PoolName::new(pool).ok()?, arch))
}

/// The instance under whose name a description is, whichever it is.
pub(super) fn instance(description: &str) -> Option<&str> {
    let rest = description.strip_prefix(PROGRAM)?.strip_prefix('/')?;
    Some(rest.split_once('/').map_or(rest, |(instance, _)| instance))
}

/// The maintenance note of a record with these marks.
pub(super) fn note(marks: &BTreeSet<Mark>) -> String {
    format!("{PROGRAM} {}", word_of(marks))
}

/// The marks that a maintenance note has.
pub(super) fn marks(note: &str) -> BTreeSet<Mark> {
    let marks = word(note).and_then(|word| word.strip_prefix(KEY)).unwrap_or_default();
    marks.split(',').filter(|mark| !mark.is_empty()).map(Mark::from_observed).collect()
}

/// The note with these marks in place of those that it has, and all other words as they are.
pub(super) fn with_marks(text: &str, marks: &BTreeSet<Mark>) -> String {
    match word(text) {
        Some(word) => text.replacen(word, &word_of(marks), 1),
        None if text.trim().is_empty() => note(marks),
        None => format!("{text}\n{}", note(marks)),
    }
}

fn word(note: &str) -> Option<&str> {
    let mut words = note.split_whitespace();
    words.find(|word| *word == PROGRAM)?;
    words.find(|word| word.starts_with(KEY))
}

fn word_of(marks: &BTreeSet<Mark>) -> String {
    let marks: Vec<&str> = marks.iter().map(Mark::as_str).collect();
    format!("{KEY}{}", marks.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_as_it_was_written() {
        let instance = InstanceName::new("team-a").unwrap();
        let linux = Variant::new(&PoolName::new("linux-big").unwrap(), Arch::Armv7);
        assert_eq!(description(&instance, &linux), "autogit/team-a/linux-big-armv7");
        assert_eq!(variant(&instance, "autogit/team-a/linux-big-armv7"), Some(linux));
        for all in [of(&["abc"]), of(&["abc", "xyz"])] {
            assert_eq!(marks(&note(&all)), all);
        }
        assert_eq!(note(&of(&["xyz", "abc"])), "autogit installation=abc,xyz");
        assert_eq!(marks("do not touch: autogit installation=abc (ann)"), of(&["abc"]));
    }

    /// Those of the first versions have one mark.
    #[test]
    fn a_note_gets_other_marks_and_keeps_its_words() {
        let both = of(&["abc", "xyz"]);
        let rewritten = with_marks("do not touch:\nautogit  installation=abc (ann)", &both);
        let expected = "do not touch:\nautogit  installation=abc,xyz (ann)";
        assert_eq!(rewritten, expected);
        assert_eq!(with_marks(expected, &of(&["xyz"])), expected.replace("abc,", ""));
        assert_eq!(with_marks(" ", &both), note(&both));
        assert_eq!(with_marks("ann's", &both), "ann's\nautogit installation=abc,xyz");
    }

    fn of(marks: &[&str]) -> BTreeSet<Mark> {
        marks.iter().copied().map(Mark::from_observed).collect()
    }

    #[test]
    fn what_is_not_ours_has_no_mark() {
        let instance = InstanceName::standard();
        for description in [
            "autogit/other/linux-amd64",
            "autogit/autogit/linux",
            "autogit/autogit/linux-x86_64",
            "my autogit/autogit/linux-amd64",
            "autogit/autogit-2/linux-amd64",
        ] {
            assert_eq!(variant(&instance, description), None, "{description}");
        }
        for note in ["installation=abc", "", "autogit", "autogit installation="] {
            assert!(marks(note).is_empty(), "{note}");
        }
    }
}
