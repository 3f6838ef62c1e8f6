//! Limits on what a file may grow to once `defaults` are in every pool: a megabyte of hostile text
//! must cost neither memory without end nor minutes.

use super::fault::Code;
use super::node::{Kind, Node};
use super::report::{Finding, Report};

/// Pools are compared with each other, so their number counts twice; the largest installation has
/// some dozens.
const POOLS_MAX: usize = 1000;

/// Values of `defaults`, in all pools together.
const INHERITED_MAX: usize = 100_000;

/// Adds a fault if the tree would grow beyond the limits.
pub(super) fn check(root: &Node, report: &mut Report<'_>) {
    let Some(pools) = root.entry("pools") else { return };
    let count = pools.value.entries().len();
    if count > POOLS_MAX {
        let message = format!("`pools` has more than {POOLS_MAX} of them");
        report.add(pools.key_span, Finding::error(Code::TooLarge, message));
        return;
    }
    let Some(defaults) = root.entry("defaults") else { return };
    if size(&defaults.value).saturating_mul(count) > INHERITED_MAX {
        let message =
            format!("`defaults` gives all pools together more than {INHERITED_MAX} values");
        report.add(defaults.key_span, Finding::error(Code::TooLarge, message));
    }
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar(_) | Kind::Unknown => 1,
        Kind::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|entry| size(&entry.value)).sum::<usize>(),
    }
}
