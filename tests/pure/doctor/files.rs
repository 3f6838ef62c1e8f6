//! Files, folders, the API's address and the webhook.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use autogit::gitlab::GitlabError;
use autogit::gitlab::inspection::{Delivery, HookSeen};
use autogit::operate::doctor::{Check, Finding, Fix, Hooks, Verdict, judgement};
use autogit::source::InstanceLock;

use super::{Case, check, spec};

/// A folder of the running test.
fn folder(name: &str) -> PathBuf {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default().replace("::", "-");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{name}"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn with_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn folders() -> Vec<Case> {
    let cache = folder("cache-open");
    with_mode(&cache, 0o700);
    let inside = cache.join("autogit");
    fs::create_dir(&inside).unwrap();
    with_mode(&inside, 0o755);
    fs::write(inside.join("record-7"), "glrt-x").unwrap();
    with_mode(&inside.join("record-7"), 0o644);
    let file = folder("cache-file").join("cache");
    fs::write(&file, "").unwrap();
    let nowhere = file.join("below-a-file");
    let locks = vec![nowhere.clone()];
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let cases = cases! {
        "open": judgement::token_cache(Some(&cache))
            => TokenCache Warning ["record-7`: others may use it (mode 0644)", "chmod 600"];
        "open": judgement::token_cache(Some(&cache))
            => TokenCache Warning ["/autogit`: others may use it (mode 0755)", "chmod 700"];
        "a file": judgement::token_cache(Some(&file))
            => TokenCache Failed ["is no folder"];
        "nowhere": judgement::token_cache(Some(&nowhere))
            => TokenCache Failed ["a folder that this user may write"];
        "none": judgement::token_cache(None)
            => TokenCache Ok ["none"];
        "no lock": vec![judgement::lock(&spec("", ""), &locks).0]
            => Lock Failed ["no folder for the lock", "XDG_RUNTIME_DIR"];
        "port taken": vec![judgement::api(listen, false, false)]
            => Api Failed ["cannot be had", "`api.listen`"];
        "standard port taken": vec![judgement::api(listen, true, false)]
            => Api Warning ["without its API"];
    };
    drop(taken);
    cases
}

/// A cache in a folder of others, as in `/var/lib`: `--fix` would lock them out.
#[test]
fn only_what_autogit_laid_out_is_closed_to_others() {
    let above = folder("shared");
    for (path, text) in [("postgres/base", "x"), ("autogit/record-7", "glrt-x"), ("file", "")] {
        let path = above.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        with_mode(&path, 0o644);
        with_mode(path.parent().unwrap(), 0o755);
    }
    let findings = judgement::token_cache(Some(&above));
    let closed: Vec<_> = findings
        .into_iter()
        .filter_map(|finding| match finding.fix? {
            Fix::CloseToOthers { path, mode } => {
                Some((path.strip_prefix(&above).unwrap().display().to_string(), mode))
            }
            fix @ (Fix::MakeNetwork { .. } | Fix::PullImage { .. } | Fix::MakeWebhook { .. }) => {
                panic!("{fix}")
            }
        })
        .collect();
    let ours = [("autogit/record-7".to_owned(), 0o600), ("autogit".to_owned(), 0o700)];
    assert_eq!(closed, ours);
}

const HOOKED: &str = ", webhook_secret: 0123456789-abcdef-0123456789, projects: [team/app]";

fn hook() -> HookSeen {
    HookSeen {
        id: 7,
        url: "https://ci.example/webhook/gitlab".to_owned(),
        job_events: true,
        disabled_until: None,
        alert_status: Some("executable".to_owned()),
        last_delivery: Some(Some(Delivery { status: "200".to_owned(), at: None })),
    }
}

fn hooks(told: Result<Vec<HookSeen>, GitlabError>) -> Vec<Finding> {
    let mut spec = spec(HOOKED, "");
    spec.api.external_url = Some("https://ci.example/".to_owned());
    judgement::webhook(&spec, &Hooks::from([("team/app".to_owned(), told)]))
}

fn hook_with(change: impl FnOnce(&mut HookSeen)) -> Vec<Finding> {
    let mut hook = hook();
    change(&mut hook);
    hooks(Ok(vec![hook]))
}

fn modes() -> Vec<Case> {
    use autogit::operate::doctor::judgement::modes;
    use autogit::source::Origin;

    let folder = folder("modes");
    let (text, env) = (folder.join("autogit.yaml"), folder.join("autogit.env"));
    let written = "gitlab: {url: 'http://git.lan', token: glpat-x}\npools: {a: {tags: [x]}}\n";
    fs::write(&text, written).unwrap();
    fs::write(&env, "A=b\n").unwrap();
    with_mode(&text, 0o640);
    with_mode(&env, 0o644);
    let origin = Origin::File(text);
    let findings = || modes(&origin, written, std::slice::from_ref(&env), &[]);
    let case = |words| Case {
        what: "modes",
        findings: findings(),
        check: Check::FileModes,
        verdict: Verdict::Warning,
        words,
    };
    vec![
        case(&[
            "autogit.yaml`: others may read it: the spec, which has a secret in it (mode 0640)",
            "chmod 600",
        ]),
        case(&["autogit.env`: others may read it: `--env-file` (mode 0644)", "chmod 600"]),
    ]
}

fn webhooks() -> Vec<Case> {
    let forbidden = GitlabError::Forbidden {
        attempt: "list webhooks".to_owned(),
        hint: Some("be a Maintainer".to_owned()),
    };
    let delivered = |status: &str| {
        let delivery = Delivery { status: status.to_owned(), at: None };
        hook_with(|hook| hook.last_delivery = Some(Some(delivery)))
    };
    cases! {
        "none declared": judgement::webhook(&spec("", ""), &Hooks::new())
            => Webhook Ok ["every 10s"];
        "no address": judgement::webhook(&spec(HOOKED, ""), &Hooks::new())
            => Webhook Unknown ["`api.external_url`", "/webhook/gitlab"];
        "no hook": hooks(Ok(vec![]))
            => Webhook Warning ["team/app: it has no webhook to https://ci.example/webhook/gitlab", "--fix"];
        "no jobs": hook_with(|hook| hook.job_events = false)
            => Webhook Warning ["`Job events`"];
        "disabled": hook_with(|hook| hook.alert_status = Some("disabled".to_owned()))
            => Webhook Failed ["stopped delivering", "Recent events"];
        "refused": delivered("401")
            => Webhook Failed ["answered with 401", "`webhook_secret`"];
        "no answer": delivered("internal error")
            => Webhook Failed ["internal error"];
        "fine": delivered("200")
            => Webhook Ok ["delivered"];
        "never": hook_with(|hook| hook.last_delivery = Some(None))
            => Webhook Unknown ["never delivered", "`Test`"];
        "not told": hook_with(|hook| hook.last_delivery = None)
            => Webhook Unknown ["does not tell", "`Test`"];
        "no right": hooks(Err(forbidden))
            => Webhook Unknown ["may not list webhooks", "Maintainer"];
    }
}

pub(super) fn cases() -> Vec<Case> {
    [folders(), modes(), webhooks()].into_iter().flatten().collect()
}

#[test]
fn what_files_and_hooks_tell_is_judged() {
    check(&cases());
}

#[test]
fn a_lock_that_is_held_is_an_autogit_that_runs() {
    let folder = folder("lock-held");
    let spec = spec("", "");
    let held = InstanceLock::acquire(&spec.instance, std::slice::from_ref(&folder)).unwrap();
    let (finding, runs) = judgement::lock(&spec, std::slice::from_ref(&folder));
    assert!(runs && finding.verdict == Verdict::Ok, "{finding:?}");
    assert!(finding.found.contains(&std::process::id().to_string()), "{finding:?}");
    drop(held);
    let (finding, runs) = judgement::lock(&spec, &[folder]);
    assert!(!runs && finding.verdict == Verdict::Ok, "{finding:?}");
}

#[test]
fn a_webhook_that_lacks_is_made_where_the_spec_says_how() {
    let fixes = hooks(Ok(vec![])).into_iter().filter_map(|finding| finding.fix);
    assert_eq!(fixes.collect::<Vec<_>>(), [Fix::MakeWebhook { project: "team/app".to_owned() }]);
}
