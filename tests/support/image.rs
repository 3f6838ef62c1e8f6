//! The images that the tests on a real Docker Engine run: a runner, and what its jobs run in.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use super::skipped::note_skipped;

/// Names under which the engine has the images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Images {
    /// Answers to gitlab-runner's command line, as the newest version does.
    pub(crate) runner: String,
    /// As the oldest that AutoGit takes.
    pub(crate) oldest: String,
    /// Has `/bin/sh` and busybox's applets.
    pub(crate) job: String,
}

/// The images, built if they are not there yet; nothing where no engine answers, and the test is
/// to return then: that it was skipped has been noted.
///
/// With `AUTOGIT_REQUIRE_DOCKER=1` a silent engine fails the test instead. That the images cannot
/// be built fails it always.
pub(crate) fn ensure() -> Option<Images> {
    static IMAGES: OnceLock<Result<Images, String>> = OnceLock::new();
    match IMAGES.get_or_init(|| ask_engine().map(|()| build())) {
        Ok(images) => Some(images.clone()),
        Err(silence) => {
            let required = std::env::var_os("AUTOGIT_REQUIRE_DOCKER");
            assert!(
                required.as_deref() != Some(OsStr::new("1")),
                "a Docker Engine is required, but none answers: {silence}"
            );
            note_skipped(silence);
            None
        }
    }
}

fn ask_engine() -> Result<(), String> {
    match Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(fault) => Err(format!("cannot run `docker`: {fault}")),
    }
}

fn build() -> Images {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runner/build-image");
    let output = Command::new(script).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the test images cannot be built:\n{said}");
    let names = String::from_utf8(output.stdout).unwrap();
    let mut names = names.lines().map(str::to_owned);
    let mut next = || names.next().unwrap();
    Images { runner: next(), oldest: next(), job: next() }
}
