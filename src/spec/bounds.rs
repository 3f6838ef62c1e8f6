//! Limits on what a file may grow to once `defaults` are in every pool: a megabyte of hostile text
//! must cost neither memory without end nor minutes.

use super::fault::Code;
use super::node::Node;
use super::report::{Finding, Report};

/// Pools are compared with each other, so their number counts twice; the largest installation has
/// some dozens.
const POOLS_MAX: usize = 1000;

/// Values of `defaults`, in all pools together.
const INHERITED_MAX: usize = 100_000;

/// Their text; a hundred pools may share the certificates of a hundred authorities.
const INHERITED_BYTES_MAX: usize = 16 << 20;

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
    let inherited = defaults.value.size().times(count);
    let message = if inherited.nodes > INHERITED_MAX {
        format!("`defaults` gives all pools together more than {INHERITED_MAX} values")
    } else if inherited.bytes > INHERITED_BYTES_MAX {
        let mib = INHERITED_BYTES_MAX >> 20;
        format!("`defaults` gives all pools together more than {mib} MiB")
    } else {
        return;
    };
    report.add(defaults.key_span, Finding::error(Code::TooLarge, message));
}
