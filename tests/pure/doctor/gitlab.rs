//! What GitLab and the token told, and what is said of it.

use std::collections::BTreeMap;
use std::time::Duration;

use autogit::gitlab::inspection::{Inspected, Reach, TokenSeen, UserSeen};
use autogit::gitlab::{GitlabError, Server, TransportError};
use autogit::operate::doctor::{Check, Finding, GitlabFacts, Verdict};
use autogit::spec::Scope;
use jiff::SignedDuration;

use super::{Case, check, spec};
use crate::support::world::NOW;

/// An administrator's token with the scope `api`, at a server that is well.
fn fine() -> GitlabFacts {
    let server = Server {
        version: "18.6.0".to_owned(),
        administrator: true,
        scopes: vec!["api".to_owned()],
        token_expires_at: None,
        user: "ann".to_owned(),
    };
    let user = UserSeen { id: 1, name: "ann".to_owned(), administrator: true, bot: false };
    let token = TokenSeen { name: None, scopes: server.scopes.clone(), ends_at: None };
    let inspected = Inspected {
        url: "https://gitlab.example".to_owned(),
        version: Ok(server.version.clone()),
        reach: None,
        token: Ok(Some(token)),
        user: Ok(user),
        all_runners: Ok(()),
        clock_ahead: Some(SignedDuration::ZERO),
    };
    let (places, roles) = (BTreeMap::new(), BTreeMap::new());
    GitlabFacts { inspected, probe: Ok(server), places, roles }
}

fn with(change: impl FnOnce(&mut GitlabFacts)) -> Vec<Finding> {
    with_spec(change, "", "")
}

fn with_spec(change: impl FnOnce(&mut GitlabFacts), rest: &str, pool: &str) -> Vec<Finding> {
    let mut facts = fine();
    change(&mut facts);
    facts.judge(&spec(rest, pool), NOW)
}

/// All that was asked came to nothing.
fn dead(facts: &mut GitlabFacts, error: &GitlabError, reach: Option<Reach>) {
    let inspected = &mut facts.inspected;
    (inspected.version, inspected.reach) = (Err(error.clone()), reach);
    (inspected.token, inspected.user) = (Err(error.clone()), Err(error.clone()));
    (inspected.all_runners, inspected.clock_ahead) = (Err(error.clone()), None);
    facts.probe = Err(error.clone());
}

fn unreachable(said: &str) -> GitlabError {
    let source = TransportError::Unreachable(said.to_owned());
    GitlabError::Unreachable { url: "https://gitlab.example".to_owned(), source }
}

fn way(what: &'static str, said: &str, way: Reach, words: &'static [&'static str]) -> Case {
    let findings = with(|facts| dead(facts, &unreachable(said), Some(way)));
    Case { what, findings, check: Check::Gitlab, verdict: Verdict::Failed, words }
}

fn answer(what: &'static str, error: &GitlabError, words: &'static [&'static str]) -> Case {
    let open = Reach::Open { fingerprint: None };
    let findings = with(|facts| dead(facts, error, Some(open)));
    Case { what, findings, check: Check::Gitlab, verdict: Verdict::Failed, words }
}

fn ways() -> Vec<Case> {
    let unresolved =
        Reach::Unresolved { name: "gitlab.example".to_owned(), problem: "unknown".to_owned() };
    let closed =
        Reach::Closed { addresses: vec!["10.0.0.7:443".to_owned()], problem: "refused".to_owned() };
    let shown = || Reach::Open { fingerprint: Some("AB:CD".to_owned()) };
    let not_gitlab = |problem: &str| GitlabError::NotGitlab {
        endpoint: "GET /metadata",
        problem: problem.to_owned(),
    };
    vec![
        way("no name", "x", unresolved, &["`gitlab.example` has no address", "`gitlab.url`"]),
        way("no answer", "x", closed, &["nothing answers at 10.0.0.7:443: refused", "firewall"]),
        way(
            "a proxy",
            "refused (through the proxy http://p:3128)\nhint: see NO_PROXY",
            Reach::Proxied { proxy: "http://p:3128".to_owned() },
            &["through the proxy http://p:3128", "hint: see NO_PROXY"],
        ),
        way(
            "self-signed",
            "its certificate is not signed by an authority that is trusted here\nhint: x",
            shown(),
            &[
                "SHA-256 of that certificate is AB:CD",
                "openssl s_client -connect gitlab.example:443",
                "`ca_file: gitlab.crt`",
            ],
        ),
        way(
            "as openssl makes it",
            "its certificate is not accepted: CaUsedAsEndEntity\nhint: x",
            shown(),
            &["openssl s_client -connect gitlab.example:443"],
        ),
        way(
            "expired",
            "its certificate has expired\nhint: renew GitLab's certificate",
            shown(),
            &["has expired", "AB:CD", "hint: renew"],
        ),
        answer(
            "it starts",
            &GitlabError::ServerFailed { status: 502, endpoint: "GET /metadata" },
            &["not ready, it answers 502", "some minutes"],
        ),
        answer(
            "https is forced",
            &not_gitlab(
                "it redirects to `https://gitlab.example`; set `gitlab.url` to GitLab's own address",
            ),
            &["redirects to `https://gitlab.example`", "check `gitlab.url`"],
        ),
        answer("a login page", &not_gitlab("it is a web page"), &["web page", "login page"]),
    ]
}

fn server() -> Vec<Case> {
    let clock = |seconds| {
        with(move |facts| {
            facts.inspected.clock_ahead = Some(SignedDuration::from_secs(seconds));
        })
    };
    let limited = GitlabError::Limited { retry_after: Duration::from_secs(9) };
    cases! {
        "old": with(|facts| facts.inspected.version = Ok("16.2.9-ee".to_owned()))
            => GitlabVersion Failed ["GitLab 16.2.9-ee", "16.3 is the oldest", "update"];
        "no number": with(|facts| facts.inspected.version = Ok("x".to_owned()))
            => GitlabVersion Failed ["GitLab x"];
        "limited": with(|facts| facts.inspected.version = Err(limited.clone()))
            => GitlabVersion Unknown ["try again"];
        "ahead": clock(125)
            => GitlabClock Warning ["2m05s ahead", "NTP"];
        "behind": clock(-125)
            => GitlabClock Warning ["behind"];
        "nearly": clock(9)
            => GitlabClock Ok ["corrects"];
        "no date": with(|facts| facts.inspected.clock_ahead = None)
            => GitlabClock Unknown ["not tell"];
    }
}

fn token(change: impl FnOnce(&mut TokenSeen)) -> Vec<Finding> {
    token_and_pool(change, "")
}

fn token_and_pool(change: impl FnOnce(&mut TokenSeen), pool: &str) -> Vec<Finding> {
    let change = |facts: &mut GitlabFacts| {
        let Ok(Some(token)) = &mut facts.inspected.token else { panic!("it has a row") };
        change(token);
    };
    with_spec(change, "", pool)
}

fn tokens() -> Vec<Case> {
    let refused = GitlabError::Unauthorized {
        endpoint: "GET /user",
        said: "401: Token was revoked".to_owned(),
    };
    let ends = |days: i64| {
        token(move |token| token.ends_at = Some(NOW + SignedDuration::from_hours(24 * days)))
    };
    let scopes = |scopes: &'static [&'static str], pool| {
        token_and_pool(
            |token| token.scopes = scopes.iter().map(ToString::to_string).collect(),
            pool,
        )
    };
    let without_row = || with(|facts| facts.inspected.token = Ok(None));
    cases! {
        "revoked": with(|facts| dead(facts, &refused, None))
            => Token Failed ["401: Token was revoked", "make a new one"];
        "fine-grained": scopes(&["granular"], "")
            => Token Warning ["fine-grained token of `ann`", "project by project"];
        "fine-grained": scopes(&["granular"], "")
            => TokenScopes Unknown ["permissions"];
        "no row": without_row()
            => TokenScopes Unknown ["does not tell"];
        "no row": without_row()
            => TokenEnd Unknown ["does not tell"];
        "ended": ends(-1)
            => TokenEnd Failed ["ended on 2026-01-01", "autogit token rotate"];
        "ends soon": ends(13)
            => TokenEnd Warning ["ends on 2026-01-15", "autogit token rotate"];
        "ends later": ends(15)
            => TokenEnd Ok ["2026-01-17"];
        "no reading": scopes(&["read_user"], "")
            => TokenScopes Failed ["`read_user`", "`read_api`"];
        "no making": scopes(&["read_api"], "")
            => TokenScopes Failed ["make records", "`create_runner` and `manage_runner`"];
        "own tokens": scopes(&["read_api"], ", runner_token: glrt-x")
            => TokenScopes Ok ["`read_api`"];
        "no retrying": scopes(&["read_api", "create_runner", "manage_runner"], ", lost_jobs: retry")
            => TokenScopes Warning ["may not retry", "`lost_jobs: report`"];
    }
}

fn rights() -> Vec<Case> {
    let plain = |facts: &mut GitlabFacts| {
        let Ok(user) = &mut facts.inspected.user else { panic!("there is a user") };
        user.administrator = false;
    };
    let forbidden =
        || GitlabError::Forbidden { attempt: "list all runners".to_owned(), hint: None };
    let in_group = |role: Result<Option<u8>, GitlabError>| {
        let change = move |facts: &mut GitlabFacts| {
            plain(facts);
            facts.roles.insert(Scope::Group("team".to_owned()), role);
        };
        with_spec(change, "", ", scope: {group: team}")
    };
    let in_project = |facts: &mut GitlabFacts| {
        plain(facts);
        facts.roles.insert(Scope::Project("team/app".to_owned()), Ok(Some(40)));
    };
    let unknown_group = |facts: &mut GitlabFacts| {
        let error = GitlabError::NotFound { object: "group `team`".to_owned() };
        facts.places.insert(Scope::Group("team".to_owned()), Err(error));
    };
    let probe = |error: GitlabError| with(|facts| facts.probe = Err(error));
    cases! {
        "no administrator": with(plain)
            => RunnerRights Failed ["`ann` is no administrator", "`scope: {group: …}`"];
        "admin mode": with(|facts| facts.inspected.all_runners = Err(forbidden()))
            => RunnerRights Failed ["Admin Mode", "`admin_mode`"];
        "unknown group": with_spec(unknown_group, "", ", scope: {group: team}")
            => RunnerRights Failed ["group `team`: GitLab knows no", "`scope`"];
        "owner": in_group(Ok(Some(50)))
            => RunnerRights Ok ["is an Owner"];
        "developer": in_group(Ok(Some(30)))
            => RunnerRights Failed ["is a Developer there", "Owner"];
        "no member": in_group(Ok(None))
            => RunnerRights Failed ["has no role there"];
        "not told": in_group(Err(unreachable("x")))
            => RunnerRights Unknown ["cannot be reached"];
        "maintainer": with_spec(in_project, "", ", scope: {project: team/app}")
            => RunnerRights Ok ["Maintainer"];
        "no queue": probe(forbidden())
            => Queue Failed ["may not list all runners"];
    }
}

pub(super) fn cases() -> Vec<Case> {
    [ways(), server(), tokens(), rights()].into_iter().flatten().map(with_remedies).collect()
}

/// GitLab's own refusals of a place may come without a hint; where they do, they have none here.
fn with_remedies(mut case: Case) -> Case {
    for finding in &mut case.findings {
        if finding.verdict == Verdict::Unknown && finding.found.contains("cannot be reached") {
            finding.remedy.get_or_insert_with(String::new);
        }
    }
    case
}

#[test]
fn what_gitlab_tells_is_judged() {
    check(&cases());
}

#[test]
fn all_is_fine_with_an_administrators_token() {
    let findings = with(|_| {});
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:#?}");
}

#[test]
fn nothing_is_fine_of_what_a_dead_gitlab_would_have_told() {
    for case in ways() {
        let fine = case.findings.iter().find(|finding| finding.verdict == Verdict::Ok);
        assert!(fine.is_none(), "{}: {fine:?}", case.what);
        let failed = case.findings.iter().filter(|finding| finding.verdict == Verdict::Failed);
        assert_eq!(failed.count(), 1, "{}: one cause is one failure", case.what);
    }
}
