//! The units: their lines, and what systemd says of them where it is installed.

use std::path::Path;
use std::process::Command;

use crate::cli::binary::Folder;
use crate::deploy::{find, read};
use crate::support::skipped::note_skipped;

const MACHINE: &str = "systemd/autogit.service";
const USER: &str = "systemd/user/autogit.service";
const PODMAN: &str = "podman/autogit.service";
const QUADLET: &str = "podman/autogit.container";

/// The values of a key, in order.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let lines = unit.lines().filter_map(|line| line.split_once('='));
    lines.filter(|(name, _)| *name == key).map(|(_, value)| value).collect()
}

/// Seconds, of a span in one unit.
fn seconds(span: &str) -> u64 {
    let span: std::time::Duration = humantime::parse_duration(span).unwrap();
    span.as_secs()
}

#[test]
fn a_loop_that_hangs_is_noticed_by_its_silence() {
    for file in [MACHINE, USER] {
        let unit = read(file);
        assert_eq!(values(&unit, "Type"), ["notify"], "{file}");
        // AutoGit speaks twice in this time.
        assert_eq!(values(&unit, "WatchdogSec"), ["1min"], "{file}");
        assert_eq!(values(&unit, "Restart"), ["always"], "{file}");
        // `GET /health` calls a start of five minutes stuck.
        assert!(seconds(values(&unit, "TimeoutStartSec")[0]) > 300, "{file}");
    }
    // Not every runtime passes a container's signs of life on; the health check reaches each.
    for file in [PODMAN, QUADLET] {
        let unit = read(file);
        let check = unit.contains(r#"["/autogit","health"]"#);
        assert!(check && unit.contains("--health-on-failure=kill"), "{file}");
        assert!(seconds(values(&unit, "TimeoutStartSec")[0]) > 300, "{file}");
    }
}

#[test]
fn a_refused_spec_is_not_started_again_and_again() {
    for file in [MACHINE, USER, PODMAN, QUADLET] {
        let unit = read(file);
        let code = autogit::error_policy::EXIT_USAGE.to_string();
        assert_eq!(values(&unit, "RestartPreventExitStatus"), [code.as_str()], "{file}");
    }
}

#[test]
fn no_unit_has_a_secret_and_the_machines_gets_its_token_from_systemd() {
    let unit = read(MACHINE);
    let credential = values(&unit, "LoadCredential")[0];
    assert_eq!(credential, "gitlab_token:/etc/autogit/credentials/gitlab_token");
    assert!(values(&unit, "Environment").contains(&"GITLAB_TOKEN_FILE=%d/gitlab_token"));
    assert!(values(&unit, "DynamicUser").contains(&"yes"));
    assert!(read("systemd/autogit.yaml").contains("token_file: ${GITLAB_TOKEN_FILE:-"));
    for file in [MACHINE, USER, PODMAN, QUADLET] {
        let text = read(file);
        assert!(!text.contains("GITLAB_TOKEN=") && !text.contains("glpat-"), "{file}");
    }
}

#[test]
fn podmans_units_publish_and_mount_the_same() {
    let (unit, quadlet) = (read(PODMAN), read(QUADLET));
    let option = |name: &str| -> Vec<String> {
        let words = unit.split_whitespace().filter_map(|word| word.strip_prefix("--"));
        words.filter_map(|word| word.strip_prefix(&format!("{name}="))).map(str::to_owned).collect()
    };
    assert_eq!(option("volume"), values(&quadlet, "Volume"));
    assert_eq!(option("publish"), values(&quadlet, "PublishPort"));
    assert_eq!(option("user"), values(&quadlet, "User"));
    assert!(unit.contains(&format!(" {}\n", values(&quadlet, "Image")[0])));
    let version = format!("autogit:{}", env!("CARGO_PKG_VERSION"));
    assert!(values(&quadlet, "Image")[0].ends_with(&version));
    for text in [&unit, &quadlet] {
        assert!(text.contains("\nRequires=podman.socket\n"));
    }
    // Where the container finds the socket is where the spec looks for it.
    let spec = crate::deploy::spec("podman/autogit.yaml");
    let socket = spec.hosts.values().next().unwrap().docker.clone().unwrap();
    let inside = socket.strip_prefix("unix://").unwrap();
    assert!(values(&quadlet, "Volume").iter().any(|volume| volume.ends_with(inside)), "{inside}");
}

/// The unit with a program that is here in place of the installed one.
fn with_own_program(folder: &Folder, file: &str) -> String {
    let own = env!("CARGO_BIN_EXE_autogit");
    let text = read(file);
    let text = ["/usr/bin/autogit", "%h/.local/bin/autogit", "/usr/bin/podman"]
        .iter()
        .fold(text, |text, program| text.replace(&format!("={program}"), &format!("={own}")));
    let name = file.replace('/', "-");
    std::fs::write(folder.path().join(&name), text).unwrap();
    folder.path().join(name).to_str().unwrap().to_owned()
}

/// Runs `systemd-analyze`; `None`: this machine has none.
fn analyze(folder: &Folder, arguments: &[&str]) -> Option<(bool, String)> {
    if find("systemd-analyze").is_none() {
        let required = std::env::var_os("AUTOGIT_REQUIRE_SYSTEMD");
        assert!(required.is_none_or(|value| value != "1"), "systemd-analyze is required");
        note_skipped("`systemd-analyze` is not installed");
        return None;
    }
    let mut command = Command::new("systemd-analyze");
    command.args(["--no-pager", "--man=no"]).args(arguments);
    let said = command.env("XDG_RUNTIME_DIR", folder.path()).output().unwrap();
    let text = [said.stdout, said.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    Some((said.status.success(), text))
}

#[test]
fn systemd_understands_each_line_of_them() {
    let folder = Folder::new("units");
    for (file, whose) in [(MACHINE, "--system"), (USER, "--user"), (PODMAN, "--user")] {
        let path = with_own_program(&folder, file);
        let said = analyze(&folder, &[whose, "--recursive-errors=no", "verify", &path]);
        let Some((fine, text)) = said else { return };
        let name = Path::new(&path).file_name().unwrap().to_str().unwrap();
        assert!(fine && !text.contains(name), "{file}: {text}");
    }
}

#[test]
fn systemd_finds_little_that_the_machines_unit_may_do_beside_its_work() {
    let folder = Folder::new("units-security");
    let path = with_own_program(&folder, MACHINE);
    let said = analyze(&folder, &["--offline=yes", "--threshold=20", "security", &path]);
    let Some((fine, text)) = said else { return };
    assert!(fine, "{text}");
}
