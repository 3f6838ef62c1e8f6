//! Another machine's clock, judged against ours.

use jiff::SignedDuration;

use super::check::Check;
use super::finding::Finding;
use crate::plan::brief;

/// AutoGit corrects for differences, but certificates, tokens and signatures of webhooks do not.
const MATTERS: SignedDuration = SignedDuration::from_secs(30);
/// Less is the way of the answer.
const SHOWS: SignedDuration = SignedDuration::from_secs(2);

/// `whose` clock is that far ahead of ours.
pub(super) fn judge(check: Check, whose: &str, ahead: SignedDuration) -> Finding {
    let off = ahead.abs();
    if off < SHOWS {
        return Finding::ok(check, format!("{whose} agrees with this machine's"));
    }
    let side = if ahead.is_negative() { "behind" } else { "ahead of" };
    let found = format!("{whose} is {} {side} this machine's", brief(off));
    if off < MATTERS {
        return Finding::ok(check, format!("{found}; AutoGit corrects for that"));
    }
    Finding::warning(
        check,
        format!(
            "{found}; AutoGit corrects for that, and certificates, tokens \
        and webhooks do not"
        ),
    )
    .remedy("set both clocks by NTP (`timedatectl set-ntp true`)")
}
