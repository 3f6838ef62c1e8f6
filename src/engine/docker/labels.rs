//! The labels on runner containers, written and read. They hold no secret.

use std::collections::BTreeMap;

use crate::engine::NewRunner;
use crate::spec::{Arch, Cost, Cpus, GpuIds, InstanceName, PoolName};
use crate::world::{RecordId, Slot, SpecHash, SystemId, Variant};

/// Whose a container or network is.
pub(super) const INSTANCE: &str = "io.autogit.instance";
pub(super) const SYSTEM_ID: &str = "io.autogit.system-id";
const POOL: &str = "io.autogit.pool";
const ARCH: &str = "io.autogit.arch";
const SLOT: &str = "io.autogit.slot";
const RECORD: &str = "io.autogit.record";
const CPUS: &str = "io.autogit.cpus";
const MEMORY: &str = "io.autogit.memory";
const GPUS: &str = "io.autogit.gpus";
const SPEC: &str = "io.autogit.spec";
const SCHEMA: &str = "io.autogit.schema";

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
    pub(super) cost: Option<Cost>,
}

/// What of a container's labels can be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MarksInPart {
    pub(super) variant: Option<Variant>,
    pub(super) slot: Option<Slot>,
    pub(super) system_id: Option<SystemId>,
    pub(super) record: Option<RecordId>,
    pub(super) cost: Option<Cost>,
}

/// The filter for what belongs to `instance`.
pub(super) fn of_instance(instance: &InstanceName) -> String {
    format!("{INSTANCE}={instance}")
}

/// The labels of a new runner container.
pub(super) fn of_runner(runner: &NewRunner) -> Labels {
    let Variant { pool, arch } = &runner.variant;
    let ours = [
        (INSTANCE, runner.instance.to_string()),
        (POOL, pool.to_string()),
        (ARCH, arch.to_string()),
        (SLOT, runner.slot.to_string()),
        (SYSTEM_ID, runner.system_id.to_string()),
        (RECORD, runner.record.to_string()),
        (CPUS, runner.cost.cpus.thousandths().to_string()),
        (MEMORY, runner.cost.memory.to_string()),
        (SPEC, runner.spec.to_string()),
        (SCHEMA, runner.spec.schema().to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value));
    let gpus = &runner.cost.gpus;
    let gpus = (!gpus.is_empty()).then(|| (GPUS.to_owned(), gpus.to_string()));
    // Ours last: nothing may make a runner look like another's.
    runner.labels.clone().into_iter().chain(ours).chain(gpus).collect()
}

/// Reads a runner container's labels; the error is the label that cannot be read.
pub(super) fn read(labels: &Labels) -> Result<Marks, &'static str> {
    let label = |key: &'static str| labels.get(key).map(String::as_str).ok_or(key);
    // A container with another number is not ours to read.
    let spec = SpecHash::labelled(label(SCHEMA)?, label(SPEC)?).ok_or(SCHEMA)?;
    let part = read_in_part(labels);
    gpus(labels).ok_or(GPUS)?;
    let of_variant =
        if label(POOL).is_ok_and(|pool| PoolName::new(pool).is_ok()) { ARCH } else { POOL };
    Ok(Marks {
        variant: part.variant.ok_or(of_variant)?,
        slot: part.slot.ok_or(SLOT)?,
        system_id: part.system_id.ok_or(SYSTEM_ID)?,
        record: part.record.ok_or(RECORD)?,
        spec,
        cost: part.cost,
    })
}

/// What labels that are not all to be read say all the same, also those of another schema: each of
/// them is at worst one that holds back more.
pub(super) fn read_in_part(labels: &Labels) -> MarksInPart {
    let label = |key: &'static str| labels.get(key).map(String::as_str);
    let pool = label(POOL).and_then(|pool| PoolName::new(pool).ok());
    let arch = label(ARCH).and_then(Arch::parse);
    MarksInPart {
        variant: pool.zip(arch).map(|(pool, arch)| Variant::new(&pool, arch)),
        slot: label(SLOT).and_then(|slot| slot.parse().ok()).map(Slot),
        system_id: label(SYSTEM_ID).filter(|id| is_system_id(id)).map(SystemId::from_observed),
        record: label(RECORD).and_then(|record| record.parse().ok()).map(RecordId),
        cost: cost(labels),
    }
}

/// What the container was made with: all of it or nothing, for a part would count too little.
fn cost(labels: &Labels) -> Option<Cost> {
    let number = |key: &'static str| labels.get(key)?.parse().ok();
    let (cpus, memory) = (Cpus::of_thousandths(number(CPUS)?), number(MEMORY)?);
    Some(Cost { cpus, memory, gpus: gpus(labels)? })
}

/// A container without the label has none.
fn gpus(labels: &Labels) -> Option<GpuIds> {
    labels.get(GPUS).map_or_else(|| Some(GpuIds::default()), |text| GpuIds::parse(text))
}

/// What gitlab-runner takes for a system id (18.6); any other it replaces.
fn is_system_id(word: &str) -> bool {
    let rest = word.strip_prefix("r_").or_else(|| word.strip_prefix("s_"));
    rest.is_some_and(|rest| {
        rest.len() == 12 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
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
            arch: Arch::Armv7,
            slot: Slot(3),
            system_id: SystemId::from_observed("r_abcdefghijkl"),
            record: RecordId(17),
            spec: SpecHash::from_observed("x"),
            cost: Cost {
                cpus: Cpus::of_thousandths(1500),
                memory: 1 << 32,
                gpus: GpuIds::parse("0,/dev/dri/renderD128").unwrap(),
            },
            image: "image".to_owned(),
            network: "network".to_owned(),
            jobs_max: 0,
            config: "token = \"glrt-secret\"".into(),
            environment: BTreeMap::new(),
            labels: Labels::from([("com.example.team".to_owned(), "a".to_owned())]),
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
        assert_eq!(marks.cost, Some(runner.cost));
    }

    #[test]
    fn a_label_that_is_missing_or_wrong_is_named() {
        let labels = of_runner(&runner());
        assert_eq!(labels["com.example.team"], "a");
        let ours = labels.keys().filter(|key| key.starts_with("io.autogit."));
        let older_versions_lack = [CPUS, MEMORY, GPUS];
        for key in
            ours.filter(|key| *key != INSTANCE && !older_versions_lack.contains(&key.as_str()))
        {
            let mut lacking = labels.clone();
            lacking.remove(key);
            assert_eq!(read(&lacking).unwrap_err(), key);
        }
        let wrong = [(SLOT, "-1"), (RECORD, "x"), (ARCH, "z80"), (POOL, "A"), (SCHEMA, "3")];
        // A GPU that cannot be told may be any of them: the container counts as one that has all.
        let gpus = [(GPUS, "0,,1"), (GPUS, ""), (GPUS, "all of them"), (GPUS, "../sda")];
        for (key, value) in wrong.into_iter().chain([(SYSTEM_ID, "r_short")]).chain(gpus) {
            let mut wrong = labels.clone();
            wrong.insert(key.to_owned(), value.to_owned());
            assert_eq!(read(&wrong).unwrap_err(), key);
        }
    }

    #[test]
    fn what_it_was_made_with_is_told_by_both_labels_or_not_at_all() {
        let labels = of_runner(&runner());
        assert_eq!(read(&labels).unwrap().cost, Some(runner().cost));
        for (key, value) in
            [(CPUS, None), (MEMORY, None), (CPUS, Some("1.5")), (MEMORY, Some("-1"))]
        {
            let mut other = labels.clone();
            other.remove(key);
            other.extend(value.map(|value| (key.to_owned(), value.to_owned())));
            assert_eq!(read(&other).unwrap().cost, None, "{key} {value:?}");
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
