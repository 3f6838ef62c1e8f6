//! The labels on runner containers, written and read. They hold no secret.

use std::collections::BTreeMap;

use crate::engine::NewRunner;
use crate::spec::{Arch, InstanceName, PoolName};
use crate::world::{RecordId, Slot, SpecHash, SystemId, Variant};

/// Whose a container or network is.
pub(super) const INSTANCE: &str = "io.autogit.instance";
pub(super) const SYSTEM_ID: &str = "io.autogit.system-id";
const POOL: &str = "io.autogit.pool";
const ARCH: &str = "io.autogit.arch";
const SLOT: &str = "io.autogit.slot";
const RECORD: &str = "io.autogit.record";
const SPEC: &str = "io.autogit.spec";
const SCHEMA: &str = "io.autogit.schema";

/// How these labels are to be read; a container with another number is not ours to read.
const SCHEMA_NOW: &str = "1";

/// Labels as the engine lists them.
pub(super) type Labels = BTreeMap<String, String>;

/// What a runner container's labels say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) variant: Variant,
    pub(super) slot: Slot,
    pub(super) system_id: SystemId,
    pub(super) record: RecordId,
    pub(super) spec: SpecHash,
}

/// The filter for what belongs to `instance`.
pub(super) fn of_instance(instance: &InstanceName) -> String {
    format!("{INSTANCE}={instance}")
}

/// The labels of a new runner container.
pub(super) fn of_runner(runner: &NewRunner) -> Labels {
    let Variant { pool, arch } = &runner.variant;
    [
        (INSTANCE, runner.instance.to_string()),
        (POOL, pool.to_string()),
        (ARCH, arch.to_string()),
        (SLOT, runner.slot.to_string()),
        (SYSTEM_ID, runner.system_id.to_string()),
        (RECORD, runner.record.to_string()),
        (SPEC, runner.spec.to_string()),
        (SCHEMA, SCHEMA_NOW.to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// Reads a runner container's labels; the error is the label that cannot be read.
pub(super) fn read(labels: &Labels) -> Result<Marks, &'static str> {
    let label = |key: &'static str| labels.get(key).map(String::as_str).ok_or(key);
    if label(SCHEMA)? != SCHEMA_NOW {
        return Err(SCHEMA);
    }
    let pool = PoolName::new(label(POOL)?).map_err(|_| POOL)?;
    let arch = Arch::parse(label(ARCH)?).ok_or(ARCH)?;
    Ok(Marks {
        variant: Variant::new(&pool, arch),
        slot: Slot(label(SLOT)?.parse().map_err(|_| SLOT)?),
        system_id: SystemId::from_observed(label(SYSTEM_ID)?),
        record: RecordId(label(RECORD)?.parse().map_err(|_| RECORD)?),
        spec: SpecHash::from_observed(label(SPEC)?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::world::RunnerName;

    fn runner() -> NewRunner {
        let instance = InstanceName::standard();
        let variant = Variant::new(&PoolName::new("linux").unwrap(), Arch::Armv7);
        NewRunner {
            name: RunnerName::new(&instance, &variant, Slot(3)),
            instance,
            variant,
            slot: Slot(3),
            system_id: SystemId::from_observed("r_abcdefghijkl"),
            record: RecordId(17),
            spec: SpecHash::of(&["x"]),
            image: "image".to_owned(),
            network: "network".to_owned(),
            jobs_max: 0,
            config: "token = \"glrt-secret\"".into(),
            ca: None,
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let runner = runner();
        let marks = read(&of_runner(&runner)).unwrap();
        assert_eq!(marks.variant, runner.variant);
        assert_eq!((marks.slot, marks.record), (runner.slot, runner.record));
        assert_eq!((marks.system_id, marks.spec), (runner.system_id, runner.spec));
    }

    #[test]
    fn a_label_that_is_missing_or_wrong_is_named() {
        let labels = of_runner(&runner());
        for key in labels.keys().filter(|key| *key != INSTANCE) {
            let mut lacking = labels.clone();
            lacking.remove(key);
            assert_eq!(read(&lacking).unwrap_err(), key);
        }
        for (key, value) in [(SLOT, "-1"), (RECORD, "x"), (ARCH, "z80"), (POOL, "A"), (SCHEMA, "2")]
        {
            let mut wrong = labels.clone();
            wrong.insert(key.to_owned(), value.to_owned());
            assert_eq!(read(&wrong).unwrap_err(), key);
        }
    }

    proptest! {
        #[test]
        fn any_labels_are_read_or_one_of_ours_is_named(
            values in proptest::collection::btree_map(
                proptest::sample::select(&[SCHEMA, POOL, ARCH, SLOT, RECORD, SYSTEM_ID, SPEC][..]),
                prop_oneof![any::<String>(), any::<i128>().prop_map(|number| number.to_string())],
                0..7,
            )
        ) {
            let mut labels = of_runner(&runner());
            labels.extend(values.into_iter().map(|(key, value)| (key.to_owned(), value)));
            match read(&labels) {
                Ok(marks) => {
                    prop_assert_eq!(labels[SLOT].parse(), Ok(marks.slot.0));
                    prop_assert_eq!(labels[POOL].as_str(), marks.variant.pool.as_str());
                }
                Err(label) => prop_assert!(label.starts_with("io.autogit."), "{}", label),
            }
        }
    }
}
