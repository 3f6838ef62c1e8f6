//! How a record says whose it is: `autogit/<instance>/<pool>-<arch>` in its description, and
//! `autogit installation=<id>` in its maintenance note. People may add words to the note.

use crate::spec::{Arch, InstanceName, PoolName};
use crate::world::{Installation, Variant};

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

/// Whether a description is under the name of any instance.
pub(super) fn is_named(description: &str) -> bool {
    description.strip_prefix(PROGRAM).is_some_and(|rest| rest.starts_with('/'))
}

/// The maintenance note of this installation's records.
pub(super) fn note(installation: &Installation) -> String {
    format!("{PROGRAM} {KEY}{installation}")
}

/// The installation that a maintenance note names.
pub(super) fn installation(note: &str) -> Option<Installation> {
    let mut words = note.split_whitespace();
    words.find(|word| *word == PROGRAM)?;
    words.find_map(|word| word.strip_prefix(KEY)).map(Installation::from_observed)
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
        let home = Installation::from_observed("abc");
        assert_eq!(installation(&note(&home)), Some(home.clone()));
        assert_eq!(installation("do not touch: autogit installation=abc (ann)"), Some(home));
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
        assert_eq!(installation("installation=abc"), None);
        assert_eq!(installation(""), None);
    }
}
