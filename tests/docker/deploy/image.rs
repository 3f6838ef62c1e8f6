//! The image's last stage, made without a registry around the program that is tested, and run as the
//! compose files run it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use secrecy::ExposeSecret as _;

use crate::end_to_end::harness::{Harness, until, with_harness};
use crate::end_to_end::trap::SOCKET;

const DOCKERFILE: &str = include_str!("../../../examples/deploy/Dockerfile");

/// Whoever runs compose.
const USER: u32 = 12_345;

/// An image and a container of one test; both go with it.
struct Deployed {
    name: String,
}

impl Drop for Deployed {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", "--volumes", &self.name]);
        let _ = docker(&["rmi", "--force", &self.name]);
    }
}

fn docker(arguments: &[&str]) -> Output {
    Command::new("docker").args(arguments).output().unwrap()
}

fn said(arguments: &[&str]) -> String {
    let output = docker(arguments);
    assert!(output.status.success(), "docker {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Lays below `image` what the stage that compiles does, with the program's libraries, for it is not
/// static here.
fn lay(image: &Path) {
    let program = env!("CARGO_BIN_EXE_autogit");
    let libraries = String::from_utf8(Command::new("ldd").arg(program).output().unwrap().stdout);
    let libraries = libraries.unwrap();
    let libraries = libraries.split_whitespace().filter(|word| word.starts_with('/'));
    for library in libraries {
        let there = image.join(library.trim_start_matches('/'));
        fs::create_dir_all(there.parent().unwrap()).unwrap();
        fs::copy(library, there).unwrap();
    }
    for folder in ["etc/ssl/certs", "etc/autogit", "var/lib/autogit", "tmp"] {
        fs::create_dir_all(image.join(folder)).unwrap();
    }
    for folder in ["var/lib/autogit", "tmp"] {
        fs::set_permissions(image.join(folder), fs::Permissions::from_mode(0o1777)).unwrap();
    }
    let stripped = Command::new("strip").arg("-o").arg(image.join("autogit")).arg(program).status();
    if !stripped.is_ok_and(|status| status.success()) {
        fs::copy(program, image.join("autogit")).unwrap();
    }
}

/// Builds the image's last stage.
fn build(name: &str, folder: &Path) {
    lay(&folder.join("image"));
    let (_, last) = DOCKERFILE.split_once("\nFROM scratch\n").unwrap();
    let last = last.replace("COPY --from=build /image /", "COPY image /");
    fs::write(folder.join("Dockerfile"), format!("FROM scratch\n{last}")).unwrap();
    said(&["build", "--quiet", "--tag", name, folder.to_str().unwrap()]);
}

/// The configuration's folder and the secrets', as compose mounts them.
fn folders(harness: &Harness) -> (PathBuf, PathBuf) {
    let (config, secrets) = (harness.folder.join("config"), harness.folder.join("secrets"));
    for folder in [&config, &secrets] {
        fs::create_dir_all(folder).unwrap();
    }
    let token = secrets.join("gitlab_token");
    fs::write(&token, harness.token.expose_secret()).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::chown(&token, Some(USER), None).unwrap();
    (config, secrets)
}

/// Saves the spec in the mounted folder, by a rename.
fn save(harness: &Harness, config: &Path, pools: &str) {
    harness.save_with("poll_interval: 1s\ntoken_cache: /var/lib/autogit", pools);
    let text = fs::read_to_string(harness.spec_file()).unwrap();
    let text = text.replace("token: ${GITLAB_TOKEN}", "token_file: /run/secrets/gitlab_token");
    let text = text.replace("listen: '127.0.0.1:0'", "listen: '127.0.0.1:8080'");
    let beside = config.join("saving");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, config.join("autogit.yaml")).unwrap();
}

fn start(deployed: &Deployed, config: &Path, secrets: &Path) {
    let group = fs::metadata(SOCKET).unwrap().gid();
    let mount = |from: &Path, to: &str| format!("--volume={}:{to}:ro", from.display());
    said(&[
        "run",
        "--detach",
        "--name",
        &deployed.name,
        &format!("--user={USER}:{group}"),
        "--read-only",
        "--tmpfs=/tmp",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--health-interval=1s",
        &mount(config, "/etc/autogit"),
        &mount(secrets, "/run/secrets"),
        "--volume=/var/run/docker.sock:/var/run/docker.sock",
        "--volume=/var/lib/autogit",
        &deployed.name,
    ]);
}

#[tokio::test]
async fn the_image_runs_jobs_as_nobody_with_a_read_only_root_and_says_that_it_is_well() {
    with_harness(async |harness| {
        let name = format!("{}-deployed", harness.instance);
        let deployed = Deployed { name: name.clone() };
        build(&name, &harness.folder);
        let user = said(&["image", "inspect", "--format", "{{.Config.User}}", &name]);
        assert_eq!(user, "65532:65532");

        let (config, secrets) = folders(&harness);
        save(&harness, &config, "linux: {tags: [docker]}");
        start(&deployed, &config, &secrets);
        let job = harness.queue_gated(&["docker"], "open");
        harness.until_begun(job).await;
        until("the container is healthy", async || {
            let health = ["inspect", "--format", "{{.State.Health.Status}}", &name];
            (said(&health) == "healthy").then_some(())
        })
        .await;
        let told = said(&["exec", &name, "/autogit", "status"]);
        assert!(told.starts_with("AutoGit ") && told.contains("1 busy"), "{told}");
        harness.gates.open("open");
        harness.until_succeeded(job).await;

        // The folder is mounted, so a file that was renamed into it counts at once.
        save(&harness, &config, "{}");
        harness.until_not_even_the_network_is_left().await;
        said(&["stop", "--time=30", &name]);
        let code = said(&["inspect", "--format", "{{.State.ExitCode}}", &name]);
        let log = docker(&["logs", &name]);
        assert_eq!(code, "0", "{log:?}");
    })
    .await;
}
