//! `autogit init` as whoever sets it up by a script sees it: what lies where afterwards, and what is
//! said where it cannot be.

use std::os::unix::fs::PermissionsExt;
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};

use autogit::sandbox::gitlab::AccessLevel;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use jiff::Timestamp;

use crate::cli::binary::{Folder, code, out, talk};
use crate::cli::served::{Served, shown};

const LEAST: &[&str] = &["read_api", "create_runner", "manage_runner", "self_rotate"];

/// Runs `autogit init` where no engine answers.
fn init(folder: &Folder, served: &Served, token: &str, more: &[&str]) -> Output {
    let mut words = vec!["init", "--unattended", "--runner-url", "http://gitlab.lan"];
    words.extend(if more.contains(&"--wait") { &[][..] } else { &["--wait", "0s"] });
    words.extend(more);
    let variables =
        [("GITLAB_URL", served.url.as_str()), ("GITLAB_TOKEN", token), ("DOCKER_HOST", NOWHERE)];
    folder.autogit(&words, &variables)
}

const NOWHERE: &str = "tcp://127.0.0.1:1";

/// Each file with its rights and its text, in order, but for what depends on whether this folder is in
/// a repository.
fn files(folder: &Folder) -> Vec<(String, u32, String)> {
    let entries = std::fs::read_dir(folder.path()).unwrap().flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| entry.path().is_file() && entry.file_name() != ".gitignore")
        .map(|entry| {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
            let text = std::fs::read_to_string(entry.path()).unwrap();
            (entry.file_name().to_string_lossy().into_owned(), mode, text)
        })
        .collect();
    files.sort();
    files
}

fn names(folder: &Folder) -> Vec<String> {
    files(folder).into_iter().map(|(name, ..)| name).collect()
}

fn text(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.path().join(name)).unwrap()
}

#[test]
fn a_first_run_writes_what_check_finds_fine_and_a_second_changes_nothing() {
    let served = Served::new();
    let token = served.token(LEAST);
    let folder = Folder::new("init-first");
    let first = init(&folder, &served, &token, &[]);
    assert_eq!(code(&first), 0, "{}", talk(&first));
    let written = files(&folder);
    let modes: Vec<_> =
        written.iter().map(|(name, mode, _)| (name.as_str(), mode & 0o077)).collect();
    let shared = modes[1].1;
    assert_eq!(
        modes,
        [(".env.gitlab", 0), ("autogit.schema.json", shared), ("autogit.yaml", shared)]
    );
    insta::assert_snapshot!("init_spec", text(&folder, "autogit.yaml"));
    let secrets = format!("GITLAB_URL={}\nGITLAB_TOKEN={token}\n", served.url);
    assert!(text(&folder, ".env.gitlab").ends_with(&secrets));
    let said = format!("{}{}", out(&first), talk(&first));
    assert!(!said.contains(&token) && said.contains("Docker does not answer"), "{said}");
    assert!(said.contains("made      .env.gitlab") && said.contains("autogit run "), "{said}");

    // The credentials beside the file are read by themselves.
    let checked = folder.autogit(&["check"], &[]);
    assert_eq!((code(&checked), out(&checked).as_str()), (0, "autogit.yaml is fine\n"));
    let words = ["init", "--unattended"];
    let second = folder.autogit(&words, &[("DOCKER_HOST", NOWHERE)]);
    assert_eq!(code(&second), 0, "{}", talk(&second));
    assert!(out(&second).contains("as it was autogit.yaml"), "{}", out(&second));
    assert_eq!(files(&folder), written);
}

#[test]
fn what_a_second_run_finds_wrong_it_puts_right_and_no_more() {
    let served = Served::new();
    let old = served.token(LEAST);
    let folder = Folder::new("init-second");
    assert_eq!(code(&init(&folder, &served, &old, &[])), 0);
    let env = folder.path().join(".env.gitlab");
    std::fs::set_permissions(&env, std::fs::Permissions::from_mode(0o644)).unwrap();
    let own = text(&folder, "autogit.yaml").replace("tags: [docker]", "tags: [mine]");
    let folder = folder.write("autogit.yaml", &own);
    served.gitlab.revoke_token(&old.clone().into());
    let new = served.token(LEAST);
    let variables = [("GITLAB_TOKEN", new.as_str())];
    let refused = folder.autogit(&["init", "--unattended"], &[]);
    assert!(talk(&refused).contains("The token that is there: GitLab refuses it"));
    assert_eq!(code(&refused), 2);
    let folder = folder.write("new", &new);
    let second = folder.autogit(&["init", "--unattended", "--token-file", "new"], &[]);
    assert_eq!(code(&second), 0, "{}", talk(&second));
    assert!(text(&folder, ".env.gitlab").contains(&new));
    assert_eq!(env.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(out(&second).contains("others could read it (mode 0644)"), "{}", out(&second));
    assert_eq!(text(&folder, "autogit.yaml"), own);
    assert_eq!(code(&folder.autogit(&["check"], &variables)), 0);
}

#[test]
fn a_file_with_secrets_that_stays_keeps_its_rights_and_they_are_told() {
    let served = Served::new();
    let token = served.token(LEAST);
    let folder = Folder::new("init-rights");
    assert_eq!(code(&init(&folder, &served, &token, &[])), 0);
    let env = folder.path().join(".env.gitlab");
    std::fs::set_permissions(&env, std::fs::Permissions::from_mode(0o640)).unwrap();
    let second = folder.autogit(&["init", "--unattended"], &[]);
    let said = out(&second);
    assert!(
        said.contains("as it was .env.gitlab\n          others may read it (mode 0640)"),
        "{said}"
    );
    assert_eq!(env.metadata().unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn what_a_rotation_left_beside_a_token_stays_there() {
    let served = Served::new();
    let old = served.token(LEAST);
    let folder = Folder::new("init-left");
    assert_eq!(code(&init(&folder, &served, &old, &[])), 0);
    let left = "GITLAB_TOKEN=the-only-valid-one\n";
    let folder = folder.write("..env.gitlab.autogit-new", left);
    served.gitlab.revoke_token(&old.into());
    let folder = folder.write("new", &served.token(LEAST));
    let words = ["init", "--unattended", "--token-file", "new", "--wait", "0s"];
    let words = [&words[..], &["--runner-url", "http://gitlab.lan"]].concat();
    for words in [&words[..], &[&words[..], &["--force"]].concat()] {
        let variables = [("GITLAB_URL", served.url.as_str()), ("DOCKER_HOST", NOWHERE)];
        let refused = folder.autogit(words, &variables);
        assert_eq!(code(&refused), 1, "{refused:?}");
        assert!(talk(&refused).contains("may hold the token that is valid"), "{}", talk(&refused));
        assert_eq!(text(&folder, "..env.gitlab.autogit-new"), left);
    }
}

#[test]
fn a_token_that_does_not_do_is_told_with_what_it_lacks_and_nothing_is_written() {
    let served = Served::new();
    let folder = Folder::new("init-token");
    let narrow = served.token(&["read_api"]);
    let user = served.gitlab.add_user("nobody");
    let powerless = shown(&served.gitlab.new_token(user, &["api"], None));
    let root = served.gitlab.add_administrator("admin");
    let past: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    let expired = shown(&served.gitlab.new_token(root, LEAST, Some(past)));
    let cases = [
        (narrow.as_str(), "`create_runner`, to make runners"),
        (&narrow, "`manage_runner`, to change and delete runners"),
        (&powerless, "a role of `nobody` that makes runners"),
        (&expired, "Token is expired"),
        ("glpat-wrong", "GitLab refuses it (401 Unauthorized)"),
    ];
    for (token, why) in cases {
        let refused = init(&folder, &served, token, &[]);
        let said = talk(&refused);
        assert_eq!(code(&refused), 1, "{said}");
        assert!(said.contains(why), "{why}: {said}");
        assert!(said.contains("hint: make one at http") && !said.contains(token), "{said}");
    }
    assert_eq!(names(&folder), Vec::<String>::new());
}

#[test]
fn an_owner_serves_a_group_and_a_maintainer_a_project() {
    let served = Served::new();
    served.gitlab.add_project("team/app");
    served.gitlab.add_project("other/site");
    let user = served.gitlab.add_user("ann");
    served.gitlab.add_member(user, "team", AccessLevel::Owner);
    let token = shown(&served.gitlab.new_token(user, LEAST, None));
    let folder = Folder::new("init-group");
    let group = init(&folder, &served, &token, &[]);
    assert_eq!(code(&group), 0, "{}", talk(&group));
    let spec = text(&folder, "autogit.yaml");
    assert!(spec.contains("queue_source: projects\n  groups: [team]\n"), "{spec}");
    assert!(spec.contains("scope: {group: team}"), "{spec}");
    assert!(out(&group).contains("This token does without the whole queue"), "{}", out(&group));

    served.gitlab.add_member(user, "other/site", AccessLevel::Maintainer);
    let folder = Folder::new("init-project");
    let open = init(&folder, &served, &token, &[]);
    assert_eq!(code(&open), 2);
    assert!(talk(&open).contains("group team\n  project other/site"), "{}", talk(&open));
    assert!(talk(&open).contains("hint: set `--group PATH` or `--project PATH`"));
    let project = init(&folder, &served, &token, &["--project", "other/site"]);
    assert_eq!(code(&project), 0, "{}", talk(&project));
    assert!(text(&folder, "autogit.yaml").contains("scope: {project: other/site}"));
    let other = init(&Folder::new("init-other"), &served, &token, &["--group", "other"]);
    assert!(talk(&other).contains("`ann` is no Owner of group `other`"), "{}", talk(&other));
}

#[test]
fn a_gitlab_that_starts_is_waited_for() {
    static REFUSALS: AtomicU32 = AtomicU32::new(2);
    let served = Served::behind(|router| {
        router.layer(from_fn(|request: Request, next: Next| async move {
            let left = REFUSALS.load(Ordering::Relaxed);
            if left == 0 {
                return next.run(request).await;
            }
            REFUSALS.store(left - 1, Ordering::Relaxed);
            (StatusCode::BAD_GATEWAY, "<html>").into_response()
        }))
    });
    let token = served.token(LEAST);
    let folder = Folder::new("init-starting");
    let given_up = init(&folder, &served, &token, &[]);
    assert_eq!(code(&given_up), 1);
    assert!(talk(&given_up).contains("does not answer: it answers 502"), "{}", talk(&given_up));
    assert_eq!(names(&folder), Vec::<String>::new());
    let waited = init(&folder, &served, &token, &["--wait", "1m"]);
    assert_eq!(code(&waited), 0, "{}", talk(&waited));
    assert!(talk(&waited).contains("a start takes minutes"), "{}", talk(&waited));
}

#[test]
fn where_gitlab_sends_everybody_is_named_and_no_token_goes_there() {
    let served = Served::behind(|router| {
        router.layer(from_fn(|request: Request, _: Next| async move {
            let path = request.uri().path().to_owned();
            let to = format!("https://gitlab.invalid{path}");
            (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to)]).into_response()
        }))
    });
    let folder = Folder::new("init-moved");
    let moved = init(&folder, &served, "glpat-x", &[]);
    assert_eq!(code(&moved), 1);
    assert!(talk(&moved).contains("hint: set `--url https://gitlab.invalid`"), "{}", talk(&moved));
}

#[test]
fn a_certificate_is_trusted_by_its_fingerprint_alone() {
    let served = Served::new();
    let token = served.token(LEAST);
    let (url, fingerprint) = served.by_tls();
    let folder = Folder::new("init-tls");
    let by_tls = |more: &[&str]| init(&folder, &served, &token, &[&["--url", &url], more].concat());
    for more in [&[][..], &["--fingerprint", "AB:CD"]] {
        let refused = by_tls(more);
        assert_eq!(code(&refused), 1);
        assert!(talk(&refused).contains(&format!("fingerprint:\n  {fingerprint}")));
        assert!(talk(&refused).contains("hint: `--fingerprint SHA256`"), "{}", talk(&refused));
    }
    assert_eq!(names(&folder), Vec::<String>::new());
    let pinned = by_tls(&["--fingerprint", &fingerprint.to_lowercase()]);
    assert_eq!(code(&pinned), 0, "{}", talk(&pinned));
    assert!(text(&folder, "autogit.yaml").contains("  ca_file: gitlab-ca.pem\n"));
    assert!(text(&folder, "gitlab-ca.pem").starts_with("-----BEGIN CERTIFICATE-----\n"));
    let again = folder.autogit(&["init", "--unattended"], &[]);
    assert_eq!(code(&again), 0, "{}", talk(&again));
}

#[test]
fn a_folder_that_cannot_be_written_is_told_before_gitlab_is_asked() {
    let served = Served::new();
    let token = served.token(LEAST);
    let folder = Folder::new("init-nowhere");
    let refused = init(&folder, &served, &token, &["-c", "missing/autogit.yaml"]);
    assert_eq!(code(&refused), 1);
    assert!(talk(&refused).contains("`missing/autogit.yaml` cannot be written"));
    assert!(served.gitlab.requests().is_empty());
}

#[test]
fn a_spec_that_says_something_else_stays_unless_it_is_forced() {
    let served = Served::new();
    let token = served.token(LEAST);
    let other = "gitlab: {url: 'https://git.lan', token: glpat-other}\npools: {x: {tags: [x]}}\n";
    let folder = Folder::new("init-differs").write("autogit.yaml", other);
    let refused = init(&folder, &served, &token, &[]);
    assert_eq!(code(&refused), 2);
    assert!(talk(&refused).contains("`autogit.yaml` is of another GitLab, https://git.lan"));
    assert_eq!(text(&folder, "autogit.yaml"), other);
    let forced = init(&folder, &served, &token, &["--force"]);
    assert_eq!(code(&forced), 0, "{}", talk(&forced));
    assert_eq!(text(&folder, "autogit.yaml.old"), other);
    assert!(out(&forced).contains("replaced  autogit.yaml, as it was in autogit.yaml.old"));

    let folder = Folder::new("init-faulty").write("autogit.yaml", "pools: {\n");
    let refused = init(&folder, &served, &token, &[]);
    assert_eq!(code(&refused), 2);
    assert!(talk(&refused).contains("hint: `--force` puts a new file"), "{}", talk(&refused));
}

#[test]
fn a_spec_that_lacks_credentials_alone_gets_them() {
    let served = Served::new();
    let token = served.token(LEAST);
    let spec = "gitlab:\n  url: ${GITLAB_URL:-http://autogit-git-server:3000}\n  token: ${GITLAB_TOKEN}\n  \
                runner_url: http://gitlab.lan\npools: {linux: {tags: [docker]}}\n";
    let folder = Folder::new("init-lacks").write("autogit.yaml", spec);
    let folder = folder.write("token", &token);
    let words = ["init", "--unattended", "--url", &served.url, "--token-file", "token"];
    let filled = folder.autogit(&words, &[("DOCKER_HOST", NOWHERE)]);
    assert_eq!(code(&filled), 0, "{}", talk(&filled));
    assert_eq!(text(&folder, "autogit.yaml"), spec);
    assert!(text(&folder, ".env.gitlab").contains(&token));
    assert_eq!(code(&folder.autogit(&["check"], &[])), 0);
}

#[test]
fn a_repository_never_takes_up_the_credentials() {
    let served = Served::new();
    let token = served.token(LEAST);
    let folder = Folder::new("init-git").write(".gitignore", "target\n");
    std::fs::create_dir(folder.path().join(".git")).unwrap();
    let done = init(&folder, &served, &token, &[]);
    assert_eq!(code(&done), 0, "{}", talk(&done));
    let ignored = text(&folder, ".gitignore");
    assert_eq!(ignored, "target\n.env.gitlab\n.env.runner\n.autogit_login_info\n");
}

#[test]
fn a_webhook_is_made_once_with_a_secret_of_its_own_or_told_how() {
    let served = Served::new();
    served.gitlab.add_project("team/app");
    let user = served.gitlab.add_user("ann");
    served.gitlab.add_member(user, "team", AccessLevel::Owner);
    let token = shown(&served.gitlab.new_token(user, &["api"], None));
    let folder = Folder::new("init-hook");
    let more = ["--external-url", "http://autogit.lan:1"];
    let made = init(&folder, &served, &token, &more);
    assert_eq!(code(&made), 0, "{}", talk(&made));
    // GitLab without Premium has no group hooks.
    let line = "made      webhook of project `team/app`; no AutoGit answers there yet";
    assert!(out(&made).contains(line), "{}", out(&made));
    assert!(text(&folder, "autogit.yaml").contains("  external_url: http://autogit.lan:1\n"));
    let env = text(&folder, ".env.gitlab");
    let secret = env.trim_end().rsplit_once("GITLAB_WEBHOOK_SECRET=").unwrap().1.to_owned();
    assert_eq!(secret.len(), 48);
    let again = folder.autogit(&["init", "--unattended"], &[]);
    assert!(out(&again).contains("as it was webhook of project `team/app`"), "{}", out(&again));
    assert_eq!(served.asked("POST /api/v4/projects/{id}/hooks"), 1);

    let least = served.token(LEAST);
    let told = init(&Folder::new("init-hand"), &served, &least, &more);
    assert_eq!(code(&told), 0, "{}", talk(&told));
    assert!(
        out(&told).contains("The webhook was not made: that takes a token with the scope `api`")
    );
    assert!(out(&told).contains("URL http://autogit.lan:1/webhook/gitlab"), "{}", out(&told));
}

#[test]
fn nobody_is_asked_where_there_is_no_terminal() {
    let folder = Folder::new("init-pipe");
    let refused = folder.autogit(&["init"], &[]);
    assert_eq!(code(&refused), 2);
    assert!(talk(&refused).contains("hint: `--unattended` takes flags"), "{}", talk(&refused));
    let open = folder.autogit(&["init", "--unattended"], &[("DOCKER_HOST", NOWHERE)]);
    assert_eq!(code(&open), 2);
    assert!(talk(&open).contains("hint: set `GITLAB_URL` or `--url`"), "{}", talk(&open));
}
