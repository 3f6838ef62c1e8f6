use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use autogit::source::{Environment, LoadError, Loaded, Origin, Warning, load};
use autogit::spec::Credential;
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::source::certificates;
use crate::source::folder::{Folder, SPEC};
use crate::support::now::outcome_of;

const CREDENTIALS: &str = "\
gitlab:
  url: https://gitlab.example.com
  token_file: secrets/token
  ca_file: secrets/ca.pem
api:
  token_file: secrets/api
pools:
  linux:
    tags: [docker]
    runner_token_file: secrets/runner
";

fn loaded(path: &Path) -> Result<Loaded, LoadError> {
    loaded_with(path, &Environment::default())
}

fn loaded_with(path: &Path, environment: &Environment) -> Result<Loaded, LoadError> {
    outcome_of(load(&Origin::File(path.to_owned()), environment, Timestamp::UNIX_EPOCH))
}

fn secret(credential: &Credential) -> &str {
    match credential {
        Credential::Value(secret) => secret.expose_secret(),
        Credential::File(path) => panic!("`{}` was not read", path.display()),
    }
}

/// A folder with a spec that names four files, and those files as given.
fn with_files(files: [(&str, &str); 4]) -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("secrets")).unwrap();
    for (name, text) in files {
        let path = folder.write(&format!("secrets/{name}"), text);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder.write("autogit.yaml", CREDENTIALS);
    folder
}

#[test]
fn credential_files_are_read_beside_the_spec_without_their_last_line_break() {
    let (ca, _) = certificates::pair();
    let folder = with_files([
        ("token", "glpat-2\n"),
        ("ca.pem", &ca),
        ("api", "with space\r\n"),
        ("runner", "glrt-1"),
    ]);
    let found = loaded(&folder.path("autogit.yaml")).unwrap();
    assert_eq!(secret(&found.spec.gitlab.token), "glpat-2");
    assert_eq!(secret(found.spec.api.token.as_ref().unwrap()), "with space");
    assert_eq!(secret(found.spec.pools[0].runner_token.as_ref().unwrap()), "glrt-1");
    assert_eq!(found.ca.as_deref(), Some(ca.as_bytes()));
    assert!(!found.warnings.iter().any(|it| matches!(it, Warning::Exposed { .. })));
    let printed = format!("{found:?}");
    assert!(!printed.contains("glpat-2") && !printed.contains("glrt-1"), "{printed}");
}

#[test]
fn all_files_that_cannot_be_used_are_named_with_their_fields() {
    let folder =
        with_files([("token", "\n"), ("ca.pem", ""), ("api", "one\ntwo\n"), ("runner", "x")]);
    std::fs::remove_file(folder.path("secrets/runner")).unwrap();
    let error = loaded(&folder.path("autogit.yaml")).unwrap_err();
    let secrets = folder.path("secrets");
    let secrets = secrets.display();
    let expected = format!(
        "gitlab.token_file: `{secrets}/token` is empty\n\
         api.token_file: `{secrets}/api` holds more than one line\n\
         hint: it must hold the secret and nothing else\n\
         pools.linux.runner_token_file: `{secrets}/runner` does not exist\n\
         gitlab.ca_file: `{secrets}/ca.pem` is empty"
    );
    assert_eq!(error.to_string(), expected);
}

/// The file goes into every runner's container.
#[test]
fn an_authoritys_file_with_a_key_beside_is_refused() {
    let (cert, key) = certificates::pair();
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    for key in [&key, &encrypted] {
        let both = format!("{cert}{key}");
        let folder = with_files([
            ("token", "glpat-2"),
            ("ca.pem", &both),
            ("api", "api-token"),
            ("runner", "glrt-1"),
        ]);
        let error = loaded(&folder.path("autogit.yaml")).unwrap_err().to_string();
        let said =
            "holds a private key, and every runner would get it\nhint: leave the certificates";
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_secret_in_the_place_of_its_files_path_is_not_told() {
    for written in ["hunter2", "${HUNTER}", "glpat-hunter2", "./hunter2", "/hunter2", "a/hunter2"] {
        let folder = Folder::new();
        let spec = SPEC.replace("token: glpat-1", &format!("token_file: {written}"));
        let path = folder.write("autogit.yaml", &spec);
        // Longer than a file's name may be.
        let variable = ("HUNTER".to_owned(), "x".repeat(300) + "hunter2");
        let environment = Environment::new(BTreeMap::from([variable]), Vec::new());
        let error = loaded_with(&path, &environment).unwrap_err();
        for told in [error.to_string(), error.in_words()] {
            assert!(told.starts_with("gitlab.token_file: `…` does not exist"), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
    let key = "hosts: {local: {docker: 'tcp://a:1', tls: {ca: a, cert: b, key: '-----BEGIN x'}}}\n";
    let folder = Folder::new();
    let path = folder.write("autogit.yaml", &(SPEC.to_owned() + key));
    let told = loaded(&path).unwrap_err().to_string();
    assert!(told.contains("hosts.local.tls.key: `…` does not exist"), "{told}");
    assert!(told.contains("/a` does not exist") && !told.contains("BEGIN"), "{told}");
}

#[test]
fn a_secret_that_others_may_read_is_warned_of() {
    let (ca, _) = certificates::pair();
    let folder = with_files([("token", "a"), ("ca.pem", &ca), ("api", "c"), ("runner", "glrt-d")]);
    let path = folder.path("secrets/api");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let found = loaded(&folder.path("autogit.yaml")).unwrap();
    let warnings: Vec<_> = found
        .warnings
        .iter()
        .filter(|it| matches!(it, Warning::Exposed { .. }))
        .map(ToString::to_string)
        .collect();
    let path = path.display();
    let expected = format!(
        "api.token_file: `{path}` may be read by others (mode 0640)\nhint: chmod 600 {path}"
    );
    assert_eq!(warnings, [expected]);
}

#[test]
fn paths_that_stay_paths_are_beside_the_spec_too() {
    let folder = Folder::new();
    let hosts = "\
hosts:
  rack:
    docker: tcp://rack:2376
    tls: {ca: ca.pem, cert: CERT, key: key.pem}
pools:";
    let cert = folder.path("cert.pem");
    let hosts = hosts.replace("CERT", cert.to_str().unwrap());
    certificates::write(&folder);
    let spec = SPEC.replace("pools:", &format!("  token_cache: cache\n{hosts}"));
    let found = loaded(&folder.write("autogit.yaml", &spec)).unwrap();
    assert_eq!(found.spec.gitlab.token_cache, Some(folder.path("cache")));
    let tls = found.spec.hosts.values().find_map(|host| host.tls.clone()).unwrap();
    let expected = [folder.path("ca.pem"), cert, folder.path("key.pem")];
    assert_eq!([tls.ca, tls.cert, tls.key], expected);
}

#[test]
fn a_warning_about_the_spec_says_where_and_what_to_do() {
    let folder = Folder::new();
    let path = folder.write("autogit.yaml", &format!("{SPEC}    job: {{privileged: true}}\n"));
    let found = loaded(&path).unwrap();
    let warnings: Vec<_> = found.warnings.iter().map(ToString::to_string).collect();
    let place = format!("{}:7:", path.display());
    assert!(warnings[0].starts_with(&place) && warnings[0].contains("\nhint: "), "{warnings:?}");
}

#[test]
fn a_linked_spec_finds_its_files_beside_the_link() {
    let (ca, _) = certificates::pair();
    let folder = with_files([("token", "a"), ("ca.pem", &ca), ("api", "c"), ("runner", "glrt-d")]);
    std::fs::create_dir(folder.path("..data")).unwrap();
    std::fs::rename(folder.path("autogit.yaml"), folder.path("..data/autogit.yaml")).unwrap();
    symlink("..data/autogit.yaml", folder.path("autogit.yaml")).unwrap();
    assert_eq!(secret(&loaded(&folder.path("autogit.yaml")).unwrap().spec.gitlab.token), "a");
}

#[test]
fn faults_of_the_text_and_of_the_files_that_it_names_are_told_together() {
    let folder = Folder::new();
    let faulty = SPEC.replace("token: glpat-1", "token_file: secret\n  ca_file: ca.pem");
    let faulty = faulty.replace("tags: [docker]", "tags: [docker]\n    warm: 9");
    let error = loaded(&folder.write("autogit.yaml", &faulty)).unwrap_err();
    let words = error.in_words();
    for part in ["`warm` is …", "gitlab.token_file: `…` does", "gitlab.ca_file: `ca.pem` does"]
    {
        assert!(words.contains(part), "{part} is not in {words}");
    }
    // Where files lie is nothing for those who see the page.
    assert!(!words.contains("/ca.pem") && error.to_string().contains("/ca.pem"), "{words}");
}

#[test]
fn variables_come_from_env_files() {
    let folder = Folder::new();
    let path = folder.write("autogit.yaml", &SPEC.replace("glpat-1", "${TOKEN}"));
    let env_file = folder.write(".env", "TOKEN=glpat-3");
    let environment = Environment::new(BTreeMap::new(), vec![env_file]);
    let found = loaded_with(&path, &environment).unwrap();
    assert_eq!(secret(&found.spec.gitlab.token), "glpat-3");
    assert!(matches!(loaded(&path), Err(LoadError::Spec(_))));
}

fn check_unusable(path: &Path, expected: &str) {
    let error = loaded(path).unwrap_err();
    assert_eq!(error.to_string(), format!("the spec `{}` {expected}", path.display()));
}

#[test]
fn a_file_that_is_no_spec_is_refused_in_words() {
    let folder = Folder::new();
    let missing = "does not exist\nhint: write one as README shows, or name another by `--config`";
    check_unusable(&folder.path("autogit.yaml"), missing);
    check_unusable(&folder.path(""), "is no regular file");
    let path = folder.path("autogit.yaml");
    std::fs::write(&path, b"gitlab:\n  url: \xff\n").unwrap();
    check_unusable(&path, "is not UTF-8 (line 2)\nhint: save it as UTF-8");
    File::create(&path).unwrap().set_len((4 << 20) + 1).unwrap();
    check_unusable(&path, "is larger than 4 MiB");
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_replaced_behind_its_mount_is_refused() {
    let folder = Folder::new();
    let path = folder.write("autogit.yaml", SPEC);
    let open = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    // As behind a mount, this path goes on leading to a file that has no name any more.
    let path = format!("/proc/self/fd/{}", open.as_raw_fd());
    let expected = "was replaced behind its mount, and only the old one is seen\n\
        hint: mount the folder instead";
    check_unusable(Path::new(&path), expected);
}

#[test]
fn a_secret_that_nobody_can_mean_is_refused_wherever_it_comes_from() {
    let written = |token: &str| {
        let folder = Folder::new();
        folder.write("token", token);
        let file = SPEC.replace("token: glpat-1", "token_file: token");
        let by_file = loaded(&folder.write("autogit.yaml", &file)).map(|_| ());
        let by_variable = folder.write("autogit.yaml", &SPEC.replace("glpat-1", "${TOKEN}"));
        let variables = BTreeMap::from([("TOKEN".to_owned(), token.to_owned())]);
        let environment = Environment::new(variables, Vec::new());
        let by_variable = loaded_with(&by_variable, &environment).map(|_| ());
        [by_file, by_variable].map(|result| result.err().map(|error| error.to_string()))
    };
    assert_eq!(written("glpat-1\n"), [None, None]);
    for (token, why) in [
        ("glpat-1 ", "has a blank at its edge"),
        ("glpat-1\nglpat-2\n", "holds more than one line"),
        ("\u{feff}glpat-1", "begins with a byte order mark"),
        ("'glpat-1'", "is in quotes"),
        ("glrt-1", "is a runner's token"),
    ] {
        for told in written(token) {
            let told = told.unwrap_or_else(|| panic!("{token:?} passes"));
            assert!(told.contains(why) && !told.contains("glpat-"), "{token:?}: {told}");
        }
    }
}

#[test]
fn certificates_that_no_connection_can_use_are_named() {
    let folder = Folder::new();
    certificates::write(&folder);
    let hosts = "  ca_file: authority.pem
hosts:
  rack:
    docker: tcp://rack:2376
    tls: {ca: ca.pem, cert: cert.pem, key: key.pem}
pools:";
    let spec = folder.write("autogit.yaml", &SPEC.replace("pools:", hosts));
    let told = || loaded(&spec).map(|_| ()).unwrap_err().to_string();
    // As `openssl x509 -outform der` writes it.
    folder.write("authority.pem", "0\u{3}\u{1}\u{1}");
    assert!(told().starts_with("gitlab.ca_file: "), "{}", told());
    assert!(told().contains("holds no certificate in PEM form"), "{}", told());
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    folder.write("authority.pem", nonsense);
    assert!(told().contains("holds no certificate in PEM form"), "{}", told());
    let good = certificates::pair().0;
    for bad in [nonsense, "-----BEGIN CERTIFICATE-----\n"] {
        folder.write("authority.pem", &format!("{good}{bad}"));
        assert!(told().starts_with("gitlab.ca_file: "), "{}", told());
        assert!(!told().contains('['), "{}", told());
    }
    folder.write("authority.pem", &good);
    assert!(loaded(&spec).is_ok());
    folder.write("key.pem", &certificates::pair().1);
    assert!(told().starts_with("hosts.rack.tls.key: "), "{}", told());
    folder.write("key.pem", "");
    folder.write("ca.pem", nonsense);
    let told = told();
    assert!(
        told.contains("hosts.rack.tls.ca: ") && told.contains("hosts.rack.tls.key: "),
        "{told}"
    );
}

/// What a load says of the API's tokens, from files and from the spec itself.
fn said_of_tokens(api: &str, files: &[(&str, &str)]) -> (Option<String>, Vec<String>) {
    let folder = Folder::new();
    for (name, text) in files {
        let path = folder.write(name, text);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let path = folder.write("autogit.yaml", &format!("{SPEC}api:\n{api}"));
    let shown = |text: String| text.replace(&folder.path("").display().to_string(), "");
    match loaded(&path) {
        Ok(found) => {
            let warnings = found.warnings.iter().map(|warning| shown(warning.to_string()));
            (None, warnings.collect())
        }
        Err(error) => (Some(shown(error.to_string())), Vec::new()),
    }
}

#[test]
fn two_tokens_of_the_api_are_never_the_same_wherever_they_come_from() {
    let (one, other) = ("0123456789-of-one\n", "0123456789-of-another\n");
    let files = "  token_file: act\n  read_token_file: read\n  plan_token_file: plan\n";
    let three = |read, plan| said_of_tokens(files, &[("act", one), ("read", read), ("plan", plan)]);
    assert_eq!(three(other, "0123456789-of-a-third"), (None, vec![]));
    let hint = "hint: give each a value of its own: they tell what their holders may do";
    let said = |field, file, other| {
        format!("api.{field}_file: `{file}` holds the same token as `api.{other}`\n{hint}")
    };
    let read = said("read_token", "read", "token_file");
    let plan = said("plan_token", "plan", "token_file");
    assert_eq!(three(one, other).0, Some(read.clone()));
    assert_eq!(three("0123456789-of-one", one).0, Some(format!("{read}\n{plan}")));
    assert_eq!(three(other, other).0, Some(said("plan_token", "plan", "read_token_file")));
    let mixed = |api| said_of_tokens(api, &[("act", one)]).0;
    assert_eq!(
        mixed("  token_file: act\n  read_token: 0123456789-of-one\n"),
        Some(said("token", "act", "read_token"))
    );
}

#[test]
fn a_token_in_a_file_that_may_be_guessed_is_warned_of() {
    let (error, warnings) = said_of_tokens("  token_file: act\n", &[("act", "changeme")]);
    let expected = "api.token_file: what `act` holds is shorter than 16 characters, and so may be \
                    guessed\nhint: make one up by `openssl rand -hex 32`";
    assert_eq!((error, warnings), (None, vec![expected.to_owned()]));
}

#[test]
fn a_signing_key_in_a_file_is_one() {
    let folder = Folder::new();
    let spec = SPEC.replace("pools:", "  webhook_secret_file: hook\npools:");
    let path = folder.write("autogit.yaml", &spec);
    folder.write("hook", "whsec_MDEyMzQ1Njc4OWFiY2RlZg==");
    assert!(loaded(&path).is_ok());
    folder.write("hook", "whsec_not-base64");
    let error = loaded(&path).unwrap_err().to_string();
    assert!(error.contains("begins with `whsec_` and is no signing key"), "{error}");
}
