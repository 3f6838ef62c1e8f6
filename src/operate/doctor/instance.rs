//! This instance, and what is beside it, as a look sees it.

use super::check::Check;
use super::finding::Finding;
use crate::plan::Action;
use crate::view::View;

/// Where GitLab does not answer, there is no look.
const NO_LOOK: &str = "it takes a look at GitLab";

/// What stands in the way of the work, beyond what other checks say.
pub fn notices(view: Result<&View, Check>) -> Vec<Finding> {
    let check = Check::Notices;
    let view = match view {
        Ok(view) => view,
        Err(first) => return vec![Finding::behind(check, first, NO_LOOK)],
    };
    let spec = &view.world.spec;
    let scopes = |line: &&String| !line.starts_with("the token may not ");
    let notices = view.notices.iter().filter(scopes).cloned().chain(view.warnings());
    let unread = view.unread_lines();
    let mut findings: Vec<Finding> =
        notices.chain(unread).map(|line| Finding::warning(check, line)).collect();
    let unknown = view.world.records.known().is_none()
        || view.world.hosts.values().any(|host| host.state.known().is_none());
    if findings.is_empty() && unknown {
        findings.push(
            Finding::unknown(check, "not all of GitLab and the engines could be read")
                .remedy("correct what failed above first"),
        );
    } else if findings.is_empty() {
        let found = format!("nothing is in the way of instance `{}`", spec.instance);
        findings.push(Finding::ok(check, found));
    }
    findings
}

/// What is left of runners that are gone; the loop removes it.
pub fn leftovers(view: Result<&View, Check>) -> Finding {
    let check = Check::Leftovers;
    let view = match view {
        Ok(view) => view,
        Err(first) => return Finding::behind(check, first, NO_LOOK),
    };
    let left = view.plan.decisions.iter().filter(|one| match &one.action {
        Action::Sweep { .. } | Action::Reap { .. } => true,
        Action::Start { .. }
        | Action::Drain { .. }
        | Action::CreateRecord { .. }
        | Action::UpdateRecord { .. }
        | Action::DeleteRecord { .. }
        | Action::VerifyToken { .. }
        | Action::CreateNetwork { .. }
        | Action::PullImage { .. }
        | Action::KeepImage { .. } => false,
    });
    let silent = view.world.hosts.iter().filter(|(_, host)| host.state.known().is_none());
    let silent: Vec<&str> = silent.map(|(name, _)| name.as_str()).collect();
    match left.count() {
        0 if silent.is_empty() => Finding::ok(check, "nothing is left over"),
        0 => {
            let found = format!("{} could not be read", silent.join(", "));
            Finding::behind(check, Check::Engine, found)
        }
        1 => Finding::ok(
            check,
            "1 thing is left over; `autogit run` removes it (`autogit plan` lists it)",
        ),
        count => Finding::ok(
            check,
            format!(
                "{count} things are left over; `autogit run` removes them (`autogit plan` lists them)"
            ),
        ),
    }
}
