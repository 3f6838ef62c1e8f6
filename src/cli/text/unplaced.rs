//! Managers that GitLab knows and no declared host accounts for, as lines.

use crate::view::{UnplacedOutput, words};

/// Managers that are named of each record; the others are counted.
const NAMED_MAX: usize = 3;

/// For each record, who uses it and who that may be.
pub(crate) fn lines(unplaced: &[UnplacedOutput]) -> Vec<String> {
    let mut lines = Vec::new();
    for same in unplaced.chunk_by(|one, other| one.record == other.record && one.why == other.why) {
        let Some(first) = same.first() else { continue };
        let managers = words::count(same.len(), "manager");
        let of = format!("record {} of {}/{}", first.record, first.pool, first.arch);
        lines.push(format!("{managers} of {of}: {}", words::plain(&first.why)));
        lines.extend(same.iter().take(NAMED_MAX).map(|one| format!("  {}", named(one))));
        let more = same.len().saturating_sub(NAMED_MAX);
        lines.extend((more > 0).then(|| format!("  and {more} more")));
    }
    lines
}

/// `r_0a1b2c3d4e5f, 18.6.2 at 10.0.0.7, last contact 2m ago`
fn named(one: &UnplacedOutput) -> String {
    let caller = match (&one.version, &one.address) {
        (Some(version), Some(address)) => format!(", {version} at {address}"),
        (Some(version), None) => format!(", {version}"),
        (None, Some(address)) => format!(", at {address}"),
        (None, None) => String::new(),
    };
    let contact = match &one.contact {
        Some(ago) => format!(", last contact {ago} ago"),
        None => String::new(),
    };
    words::plain(&format!("{}{caller}{contact}", one.system_id)).into_owned()
}
