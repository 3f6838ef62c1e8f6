//! Names and numbers that AutoGit gives or reads, each parsed once at the edge.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use ring::hmac;
use sha2::{Digest, Sha256};

use crate::spec::{Arch, InstanceName, PoolName, word_type};

/// One pool at one architecture: the unit that is scaled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Variant {
    /// The pool.
    pub pool: PoolName,
    /// The architecture.
    pub arch: Arch,
}

impl Variant {
    /// The variant of `pool` at `arch`.
    pub fn new(pool: &PoolName, arch: Arch) -> Self {
        Self { pool: pool.clone(), arch }
    }
}

impl fmt::Display for Variant {
    /// `linux/amd64`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pool, self.arch)
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// GitLab's id of a record (its runner).
    RecordId, u64
);
number!(
    /// GitLab's id of a job.
    JobId, u64
);
number!(
    /// GitLab's id of a project.
    ProjectId, u64
);
number!(
    /// GitLab's id of a group.
    GroupId, u64
);
number!(
    /// A number of a variant, unique over all hosts; a runner fills one.
    Slot, u32
);

macro_rules! word {
    ($(#[$doc:meta])* $name:ident) => {
        word_type!($(#[$doc])* $name);

        impl $name {
            /// Takes the word as an adapter read it.
            pub fn from_observed(word: &str) -> Self {
                Self(word.into())
            }
        }
    };
}

word!(
    /// A runner's name, which is also its container's.
    RunnerName
);
word!(
    /// gitlab-runner's name for a manager: `r_` and twelve letters or digits.
    SystemId
);
/// The hash of all that needs a new container when it changes, in the form that the container's
/// label `schema` tells. Hashes of two forms say nothing about each other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpecHash {
    form: HashForm,
    hash: Arc<str>,
}

/// What a [`SpecHash`] is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashForm {
    /// A bare hash of what Rust printed of the spec: that of the first versions.
    First,
    /// Of what the container gets, keyed with its engine's id: whoever may only read labels can
    /// prove no guess at a secret by it.
    Keyed,
}
word!(
    /// A short hash of an Engine ID: what is known by the engine that it is of.
    Mark
);

word!(
    /// An engine's own id, by which a host is known however it is reached.
    EngineId
);
word!(
    /// What an engine calls a runner: for Docker it is its container's id. Runners are acted on by
    /// it only.
    WorkloadId
);
word!(
    /// A container's own id.
    ContainerId
);

impl From<ContainerId> for WorkloadId {
    /// Where a runner is a container.
    fn from(id: ContainerId) -> Self {
        Self(id.0)
    }
}

impl Borrow<str> for ContainerId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Above any id that GitLab gives, and still exact in JSON's numbers.
const UNTOLD: u64 = 1 << 52;

impl RecordId {
    /// Stands in for the id behind an operator's token where the server does not tell it (older
    /// ones): the same for the same token, and another one for another.
    pub fn untold(token: &str) -> Self {
        let digest = Sha256::digest(token.as_bytes());
        let number = digest.iter().take(6).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Self(UNTOLD + number)
    }

    /// GitLab told it.
    pub fn is_told(self) -> bool {
        self.0 < UNTOLD
    }
}

impl RunnerName {
    /// `autogit-runner-<pool>-<arch>-<slot>`, with the instance where it is not the standard one.
    pub fn new(instance: &InstanceName, variant: &Variant, slot: Slot) -> Self {
        let Variant { pool, arch } = variant;
        if *instance == InstanceName::standard() {
            Self(format!("autogit-runner-{pool}-{arch}-{slot}").into())
        } else {
            Self(format!("autogit-runner-{instance}-{pool}-{arch}-{slot}").into())
        }
    }

    /// The variant and the slot that [`RunnerName::new`] made it of.
    pub fn of_slot(&self, instance: &InstanceName) -> Option<(Variant, Slot)> {
        let (rest, slot) = self.as_str().rsplit_once('-')?;
        let (rest, arch) = rest.rsplit_once('-')?;
        let pools = rest.strip_prefix("autogit-runner-")?;
        let standard = *instance == InstanceName::standard();
        let within = |name| pools.strip_prefix(name)?.strip_prefix('-');
        let pool = if standard { pools } else { within(instance.as_str())? };
        let variant = Variant::new(&PoolName::new(pool).ok()?, Arch::parse(arch)?);
        let slot = Slot(slot.parse().ok()?);
        (Self::new(instance, &variant, slot) == *self).then_some((variant, slot))
    }
}

impl SystemId {
    /// `r_`, five characters of (instance, mark of the engine), seven of (engine, variant, slot).
    pub fn new(instance: &InstanceName, engine: &EngineId, variant: &Variant, slot: Slot) -> Self {
        let prefix = Self::prefix(instance, &engine.mark());
        Self(format!("{prefix}{}", Self::rest(engine, variant, slot)).into())
    }

    /// What all system ids of one instance on one engine start with.
    pub fn prefix(instance: &InstanceName, mark: &Mark) -> String {
        format!("r_{}", short_hash(&[instance.as_str(), mark.as_str()], 5))
    }

    /// What follows the prefix. In an id of an older version the prefix may be another engine's.
    pub(super) fn rest(engine: &EngineId, variant: &Variant, slot: Slot) -> String {
        let Variant { pool, arch } = variant;
        short_hash(&[engine.as_str(), pool.as_str(), arch.as_str(), &slot.to_string()], 7)
    }

    /// The system id that AutoGit itself uses to keep a record in contact; never a slot's.
    pub fn keeper(instance: &InstanceName, mark: &Mark, variant: &Variant) -> Self {
        let prefix = Self::prefix(instance, mark);
        Self(format!("{prefix}{}", Self::rest_of_keeper(variant)).into())
    }

    /// It may be one of [`SystemId::new`], of whatever engine: gitlab-runner's own begin otherwise, or
    /// have capitals or other digits.
    pub(super) fn may_be_of_autogit(&self) -> bool {
        let rest = self.as_str().strip_prefix("r_");
        rest.is_some_and(|rest| rest.len() == 12 && rest.bytes().all(|it| ALPHABET.contains(&it)))
    }

    /// What follows the prefix in [`SystemId::keeper`].
    pub(super) fn rest_of_keeper(variant: &Variant) -> String {
        short_hash(&["keeper", variant.pool.as_str(), variant.arch.as_str()], 7)
    }
}

impl SpecHash {
    /// The hash on a container that this version made.
    pub fn from_observed(word: &str) -> Self {
        Self { form: HashForm::Keyed, hash: word.into() }
    }

    /// The hash on a container whose label `schema` says `schema`; `None`: not ours to read.
    pub fn labelled(schema: &str, word: &str) -> Option<Self> {
        let form = match schema {
            "1" => HashForm::First,
            "2" => HashForm::Keyed,
            _ => return None,
        };
        Some(Self { form, hash: word.into() })
    }

    /// What the label `schema` has to say beside this hash.
    pub fn schema(&self) -> &'static str {
        match self.form {
            HashForm::First => "1",
            HashForm::Keyed => "2",
        }
    }

    /// The hash of `parts`, which say all that a container on `engine` gets.
    pub fn keyed(engine: &EngineId, parts: &[&str]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, engine.as_str().as_bytes());
        let mut signed = hmac::Context::with_key(&key);
        for part in parts {
            // The lengths, so that no two lists of parts agree.
            signed.update(&(part.len() as u64).to_be_bytes());
            signed.update(part.as_bytes());
        }
        Self::from_observed(&in_letters(signed.sign().as_ref(), 20))
    }

    /// The hash of `parts` as the first versions made it.
    pub fn first_form(parts: &[&str]) -> Self {
        Self { form: HashForm::First, hash: short_hash(parts, 12).into() }
    }

    /// What it is made of.
    pub fn form(&self) -> HashForm {
        self.form
    }

    /// The word itself.
    pub fn as_str(&self) -> &str {
        &self.hash
    }
}

impl fmt::Display for SpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hash)
    }
}

impl fmt::Debug for SpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.hash, f)
    }
}

impl EngineId {
    /// The engine's mark.
    pub fn mark(&self) -> Mark {
        Mark(short_hash(&[self.as_str()], 8).into())
    }
}

/// The first `length` characters of a hash over `parts`, in lower-case letters and digits.
///
/// Parts are separated by a byte that none of them can hold, so that no two lists of parts agree.
fn short_hash(parts: &[&str], length: usize) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    in_letters(&hasher.finalize(), length)
}

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// One lower-case letter or digit for each of the first bytes.
fn in_letters(bytes: &[u8], length: usize) -> String {
    bytes
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte & 31)))
        .take(length)
        .map(|&b| char::from(b))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Living runners, caches and rows at GitLab have these names: they never change.
    #[test]
    fn system_ids_stay_byte_for_byte_what_they_were() {
        let instance = InstanceName::standard();
        let engine = EngineId::from_observed("7XKJ:NQPA:7VLO:OWNE:6YQM:EQXF:VX3T:KKLX:ZB5N:2UYF");
        let linux = Variant::new(&PoolName::new("linux").unwrap(), Arch::Amd64);
        let id = SystemId::new(&instance, &engine, &linux, Slot(0));
        assert_eq!((engine.mark().as_str(), id.as_str()), ("kkxyc4vi", "r_gmn6iadjsqds"));
        let keeper = SystemId::keeper(&instance, &engine.mark(), &linux);
        assert_eq!(keeper.as_str(), "r_gmn6ims2bvtr");
    }

    #[test]
    fn each_operators_token_has_a_record_of_its_own_where_none_is_told() {
        let [one, other] = ["glrt-one", "glrt-other"].map(RecordId::untold);
        assert_ne!(one, other);
        assert_eq!(one, RecordId::untold("glrt-one"));
        assert!(!one.is_told() && !other.is_told() && RecordId(17).is_told());
        assert!(one.0 < 1 << 53, "not exact as a JSON number");
    }
}
