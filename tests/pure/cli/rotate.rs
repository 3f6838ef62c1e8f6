//! `autogit token rotate` against a simulated GitLab: what lies in which file afterwards.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Output;
use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;

use crate::cli::binary::{Folder, code, out, talk};
use crate::cli::served::Served;

const ROTATE: &str = "POST /api/v4/personal_access_tokens/self/rotate";

fn spec(token: &str) -> String {
    format!(
        "gitlab: {{url: '${{GITLAB_URL}}', runner_url: 'http://gitlab.lan', {token}}}\n\
         hosts: {{local: {{docker: 'tcp://127.0.0.1:1'}}}}\n\
         pools: {{linux: {{tags: [docker]}}}}\n"
    )
}

/// A folder whose token is a line of an env file.
fn with_env_file(test: &str, served: &Served, token: &str) -> Folder {
    let folder = Folder::new(&format!("rotate-{test}"));
    let env = format!("# mine\nGITLAB_URL={}\nexport GITLAB_TOKEN='{token}'\n", served.url);
    folder.write("autogit.yaml", &spec("token: '${GITLAB_TOKEN}'")).write("my.env", &env)
}

fn rotate(folder: &Folder) -> Output {
    folder.autogit(&["token", "rotate", "--env-file", "my.env"], &[])
}

fn read(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.path().join(name)).unwrap()
}

/// What lies in the folder beside the spec.
fn names(folder: &Folder) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path()).unwrap().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_new_token_lies_in_the_line_of_the_old_one_and_works() {
    let served = Served::new();
    let old = served.token(&["read_api", "create_runner", "manage_runner", "self_rotate"]);
    let folder = with_env_file("line", &served, &old);
    let file = folder.path().join("my.env");
    std::fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    let rotated = rotate(&folder);
    assert_eq!(code(&rotated), 0, "{}", talk(&rotated));
    assert!(out(&rotated).contains("token in `my.env` is replaced; the new one ends on 2"));
    let text = read(&folder, "my.env");
    let (before, new) = text.trim_end().rsplit_once('=').unwrap();
    assert_eq!(before, format!("# mine\nGITLAB_URL={}\nexport GITLAB_TOKEN", served.url));
    assert!(new.starts_with("glpat-") && new != old);
    assert!(!out(&rotated).contains(new) && !out(&rotated).contains(&old));
    // A group reads it as before: AutoGit may be in it.
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(
        (mode & 0o777, names(&folder)),
        (0o640, vec!["autogit.yaml".into(), "my.env".into()])
    );
    // The old one is gone, the new one is the next to go.
    assert_eq!((code(&rotate(&folder)), served.asked(ROTATE)), (0, 2));
}

#[test]
fn a_tokens_own_file_keeps_the_link_that_leads_to_it() {
    let served = Served::new();
    let old = served.token(&["api"]);
    let folder = Folder::new("rotate-file").write("autogit.yaml", &spec("token_file: token"));
    let folder = folder.write("secret", &format!("{old}\n"));
    let folder = folder.write("my.env", &format!("GITLAB_URL={}\n", served.url));
    symlink("secret", folder.path().join("token")).unwrap();
    let rotated = rotate(&folder);
    assert_eq!(code(&rotated), 0, "{}", talk(&rotated));
    assert!(folder.path().join("token").is_symlink());
    let new = read(&folder, "secret");
    assert!(new.starts_with("glpat-") && new.trim_end() != old);
}

#[test]
fn what_cannot_be_put_back_is_not_asked_for() {
    let served = Served::new();
    let token = served.token(&["api"]);
    let folder = with_env_file("process", &served, &token);
    let words = ["token", "rotate", "--env-file", "my.env"];
    let refused = folder.autogit(&words, &[("GITLAB_TOKEN", &token)]);
    assert_eq!(code(&refused), 1);
    assert!(talk(&refused).contains("the variable `GITLAB_TOKEN` of this process"));

    let folder = folder.write("autogit.yaml", &spec(&format!("token: {token}")));
    let refused = rotate(&folder);
    assert!(talk(&refused).contains("hint: keep it in `gitlab.token_file`"), "{}", talk(&refused));

    let folder = with_env_file("left", &served, &token).write(".my.env.autogit-new", "x");
    let refused = rotate(&folder);
    assert!(talk(&refused).contains("may hold the token that is valid"), "{}", talk(&refused));

    let narrow = served.token(&["read_api", "create_runner", "manage_runner"]);
    let folder = with_env_file("scopes", &served, &narrow);
    let refused = rotate(&folder);
    assert!(talk(&refused).contains("that takes the scope `self_rotate`"), "{}", talk(&refused));
    assert!(talk(&refused).contains("/-/user_settings/personal_access_tokens?name=autogit"));
    assert_eq!((code(&refused), served.asked(ROTATE)), (1, 0));
    assert!(!talk(&refused).contains(&narrow));
}

#[test]
fn of_two_copies_of_the_token_none_is_left_behind() {
    let served = Served::new();
    let token = served.token(&["api"]);
    let env = format!("GITLAB_URL={}\nGITLAB_TOKEN_FILE=copy\n", served.url);
    let folder = Folder::new("rotate-copies").write("autogit.yaml", &spec("token_file: token"));
    let folder = folder.write("token", &token).write("copy", &token).write("my.env", &env);
    let refused = rotate(&folder);
    let said = talk(&refused);
    assert!(
        said.contains("is in `token` and in `copy`") && said.contains("hint: let both"),
        "{said}"
    );
    let words = ["token", "rotate", "--env-file", "my.env"];
    let refused = folder.autogit(&words, &[("GITLAB_TOKEN", &token)]);
    assert!(talk(&refused).contains("hint: unset `GITLAB_TOKEN` here"), "{}", talk(&refused));
    assert_eq!((code(&refused), served.asked(ROTATE)), (1, 0));
    // One file by two names is rotated, and so is a token beside somebody else's.
    std::fs::remove_file(folder.path().join("copy")).unwrap();
    symlink("token", folder.path().join("copy")).unwrap();
    assert_eq!(code(&rotate(&folder)), 0);
    std::fs::remove_file(folder.path().join("copy")).unwrap();
    let folder = folder.write("copy", &served.token(&["api"]));
    assert_eq!((code(&rotate(&folder)), served.asked(ROTATE)), (0, 2));
}

#[test]
fn an_older_gitlab_is_asked_by_id_and_gives_what_it_gives() {
    let served = Served::new();
    let token = served.token(&["api"]);
    served.gitlab.set_version("16.3.0");
    let folder = with_env_file("older", &served, &token);
    let rotated = rotate(&folder);
    assert_eq!(code(&rotated), 0, "{}", talk(&rotated));
    assert!(out(&rotated).contains("GitLab gave it no more time, though"), "{}", out(&rotated));
    assert_eq!(served.asked(ROTATE), 0);
}

#[test]
fn a_rotation_whose_answer_is_lost_is_told_and_not_repeated() {
    // GitLab does it, and the proxy in front of it breaks down.
    let served = Served::behind(|router| {
        router.layer(from_fn(|request: Request, next: Next| async move {
            let rotates = request.uri().path().ends_with("/rotate");
            let answer = next.run(request).await;
            if rotates { StatusCode::BAD_GATEWAY.into_response() } else { answer }
        }))
    });
    let token = served.token(&["api"]);
    let folder = with_env_file("lost", &served, &token);
    let lost = rotate(&folder);
    assert_eq!((code(&lost), served.asked(ROTATE)), (1, 1));
    let said = talk(&lost);
    assert!(said.contains("its answer with the new one was lost"), "{said}");
    assert!(said.contains("hint: make a new one at http"), "{said}");
    assert!(read(&folder, "my.env").contains(&token), "the file is as it was");
    // What is asked first refuses a second try: no rotation with the old token reaches GitLab.
    assert_eq!((code(&rotate(&folder)), served.asked(ROTATE)), (1, 1));
}

#[test]
fn a_rotation_that_gitlab_never_saw_changes_nothing() {
    let served = Served::behind(|router| {
        router.layer(from_fn(|request: Request, next: Next| async move {
            let rotates = request.uri().path().ends_with("/rotate");
            if rotates { StatusCode::BAD_GATEWAY.into_response() } else { next.run(request).await }
        }))
    });
    let token = served.token(&["api"]);
    let folder = with_env_file("unseen", &served, &token);
    let failed = rotate(&folder);
    assert_eq!(code(&failed), 1);
    assert!(talk(&failed).contains("hint: the old token still works"), "{}", talk(&failed));
    assert!(read(&folder, "my.env").contains(&token));
    assert_eq!(names(&folder), ["autogit.yaml", "my.env"]);
}

/// GitLab would take a second rotation of the old token for theft, and revoke the new one.
#[test]
fn a_token_that_another_rotation_replaced_is_not_rotated_again() {
    let folder = Arc::new(OnceLock::<Folder>::new());
    let other = Arc::clone(&folder);
    // Another rotation begins and ends once the first one was told whose token it is.
    let told = Arc::new(OnceLock::new());
    let served = Served::behind(|router| {
        router.layer(from_fn(move |request: Request, next: Next| {
            let (other, told) = (Arc::clone(&other), Arc::clone(&told));
            async move {
                // What a rotation asks last before it begins.
                let is_last = request.uri().path().ends_with("/runners/all");
                let answer = next.run(request).await;
                if is_last && told.set(()).is_ok() {
                    let rotated = move || rotate(other.get().unwrap());
                    let rotated = tokio::task::spawn_blocking(rotated).await.unwrap();
                    assert_eq!(code(&rotated), 0, "{}", talk(&rotated));
                }
                answer
            }
        }))
    });
    let token = served.token(&["api"]);
    let folder = folder.get_or_init(|| with_env_file("twice", &served, &token));
    let second = rotate(folder);
    assert_eq!((code(&second), served.asked(ROTATE)), (1, 1), "{}", talk(&second));
    assert!(talk(&second).contains("was replaced meanwhile"), "{}", talk(&second));
    assert_eq!(names(folder), ["autogit.yaml", "my.env"]);
    assert_eq!(code(&rotate(folder)), 0, "the other one's token works");
}

#[test]
fn a_life_is_told_in_days_or_years() {
    let folder = Folder::new("rotate-life");
    let asked = |life: &str| folder.autogit(&["token", "rotate", "--expires-in", life], &[]);
    // Both are fine, and the spec is what lacks.
    assert!(talk(&asked("1y")).contains("does not exist"));
    assert!(talk(&asked("90d")).contains("does not exist"));
    assert_eq!((code(&asked("soon")), code(&asked("1h"))), (2, 2));
}
