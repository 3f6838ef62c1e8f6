//! What a look shows, and what is said of it.

use autogit::operate::doctor::{Check, Finding, judgement};
use autogit::view::View;
use autogit::world::RunnerLog;

use super::{Case, check};
use crate::support::world::{Doing, Fixture};

fn fixture() -> Fixture {
    Fixture::new().pool("linux", "docker", |_| {})
}

fn reach(view: &View) -> Vec<Finding> {
    judgement::gitlab_from_runners(&view.world.spec, Ok(view))
}

/// A runner that makes no contact, and what its log says of that.
fn without_contact(words: &str) -> View {
    let log = RunnerLog { poll_failure: Some(words.into()), ..RunnerLog::default() };
    fixture().runner("linux", 0, "local", Doing::Starting(20)).logged(log).view()
}

pub(super) fn cases() -> Vec<Case> {
    let noticed = || {
        let mut view = fixture().view();
        view.notices.push("instance `old` has records 7 of our hosts\nhint: if this AutoGit was called so before, …".to_owned());
        judgement::notices(Ok(&view))
    };
    let lost = || fixture().lose_host("local", 41, "connect timed out").view();
    let no_look = || vec![judgement::leftovers(Err(Check::Token))];
    let contact = || fixture().runner("linux", 0, "local", Doing::Idle(9)).view();
    let exited = || fixture().runner("linux", 0, "local", Doing::Exited(0, 9)).view();
    cases! {
        "noticed": noticed()
            => Notices Warning ["instance `old`", "hint: if this AutoGit"];
        "unread": judgement::notices(Ok(&lost()))
            => Notices Unknown ["not all"];
        "nothing": judgement::notices(Ok(&fixture().view()))
            => Notices Ok ["nothing is in the way"];
        "no look": judgement::notices(Err(Check::Token))
            => Notices Unknown ["correct `token` first"];
        "no look": no_look()
            => Leftovers Unknown ["correct `token` first"];
        "unread": vec![judgement::leftovers(Ok(&lost()))]
            => Leftovers Unknown ["local could not be read"];
        "left over": vec![judgement::leftovers(Ok(&exited()))]
            => Leftovers Ok ["1 thing is left over"];
        "contact": reach(&contact())
            => GitlabFromRunners Ok ["local: `autogit-runner-linux-amd64-0` is in contact"];
        "no runner": reach(&fixture().view())
            => GitlabFromRunners Unknown ["docker run --rm --network autogit-network"];
        "no contact": reach(&without_contact("dial tcp: lookup gitlab on 127.0.0.11:53: no such host"))
            => GitlabFromRunners Failed ["no such host", "`gitlab.runner_url`"];
    }
}

#[test]
fn what_a_look_shows_is_judged() {
    check(&cases());
}
