//! A volume that a job made, and what becomes of it.
//!
//! gitlab-runner tells a volume's kind by a label from 19.2 on, and before that by its name alone
//! (executors/docker/internal/volumes/manager.go).

use super::SystemId;

/// A volume that a job made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobVolume {
    /// Its name.
    pub name: String,
    /// The runner whose job made it.
    pub system_id: SystemId,
    /// What it is for.
    pub kind: VolumeKind,
}

/// What a job's volume is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeKind {
    /// Clone or cache, which the slot's next job finds again.
    Reusable,
    /// The job's alone: a living runner removes it itself.
    Temporary,
    /// Neither is told, so nobody of us may say what it holds: it stays, and is in nobody's way.
    Other,
}

impl VolumeKind {
    /// Whether such a volume goes with its runner, which is dead.
    pub fn goes(self, keeps_cache: bool) -> bool {
        match self {
            Self::Reusable => !keeps_cache,
            Self::Temporary => true,
            Self::Other => false,
        }
    }

    /// By gitlab-runner's label `reusable` where it is there, else by the volume's name.
    pub fn of(name: &str, reusable: Option<&str>) -> Self {
        match reusable {
            Some("true") => Self::Reusable,
            Some("false") => Self::Temporary,
            Some(_) | None => Self::by_name(name).unwrap_or(Self::Other),
        }
    }

    /// `runner-<32 hex>-cache-<hash>` and
    /// `runner-<token>-project-<id>-concurrent-<number>-<16 hex>-cache-<hash>`, both also with
    /// `-protected` behind it.
    fn by_name(name: &str) -> Option<Self> {
        let name = name.strip_suffix("-protected").unwrap_or(name);
        let (stem, hash) = name.strip_prefix("runner-")?.rsplit_once("-cache-")?;
        if hash.is_empty() || !is_hex(hash) {
            return None;
        }
        if stem.len() == 32 && is_hex(stem) {
            return Some(Self::Reusable);
        }
        let (stem, random) = stem.rsplit_once('-')?;
        let (stem, concurrent) = stem.rsplit_once("-concurrent-")?;
        let (token, project) = stem.rsplit_once("-project-")?;
        let own = random.len() == 16 && is_hex(random) && !token.is_empty();
        (own && is_number(concurrent) && is_number(project)).then_some(Self::Temporary)
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::VolumeKind::{Other, Reusable, Temporary};
    use super::*;

    const REUSABLE: &str =
        "runner-0f1e2d3c4b5a69788796a5b4c3d2e1f0-cache-3c3f060a0374fc8bc39395164f415a70";
    const TEMPORARY: &str = "runner-t1_a-Bc9x-project-42-concurrent-0-0123456789abcdef-cache-3c3f060a0374fc8bc39395164f415a70";

    #[test]
    fn the_name_tells_the_kind_where_no_label_does() {
        for (name, kind) in [(REUSABLE, Reusable), (TEMPORARY, Temporary)] {
            assert_eq!(VolumeKind::of(name, None), kind, "{name}");
            assert_eq!(VolumeKind::of(&format!("{name}-protected"), None), kind, "{name}");
            assert_eq!(VolumeKind::of(name, Some("")), kind, "{name}");
        }
        // A token may look like the rest of the name.
        let odd = "runner--project-1-project-2-concurrent-3-0123456789abcdef-cache-aa";
        assert_eq!(VolumeKind::of(odd, None), Temporary);
    }

    #[test]
    fn the_label_counts_more_than_the_name() {
        assert_eq!(VolumeKind::of(REUSABLE, Some("false")), Temporary);
        assert_eq!(VolumeKind::of(TEMPORARY, Some("true")), Reusable);
        assert_eq!(VolumeKind::of("data", Some("true")), Reusable);
    }

    #[test]
    fn what_neither_label_nor_name_tell_is_left_alone() {
        for name in [
            "data",
            "runner-cache",
            "runner-0f1e2d3c4b5a69788796a5b4c3d2e1f0-cache-",
            "runner-0f1e2d3c4b5a69788796a5b4c3d2e1f0-cache-/builds",
            "runner-0f1e2d3c4b5a69788796a5b4c3d2e1f-cache-aa",
            "runner-0F1E2D3C4B5A69788796A5B4C3D2E1F0-cache-aa",
            "my-runner-0f1e2d3c4b5a69788796a5b4c3d2e1f0-cache-aa",
            "runner-abcdefghi-project-x-concurrent-0-0123456789abcdef-cache-aa",
            "runner-abcdefghi-project-1-concurrent--0123456789abcdef-cache-aa",
            "runner-abcdefghi-project-1-concurrent-0-0123456789abcde-cache-aa",
            "runner--project-1-concurrent-0-0123456789abcdef-cache-aa",
        ] {
            assert_eq!(VolumeKind::of(name, None), Other, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_name_has_a_kind(name in "(runner-)?[0-9a-f-]{0,40}(-project-|-cache-|-concurrent-|\\PC){0,4}") {
            let _ = VolumeKind::of(&name, None);
        }
    }
}
