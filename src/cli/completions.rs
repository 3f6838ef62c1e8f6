//! `autogit completions`: what a shell completes after `autogit`, printed or put where it looks.

use std::path::PathBuf;
use std::process::ExitCode;

use clap_complete::{Shell as Kind, generate};

use super::arguments::{Completions, CompletionsCommand};
use super::command_line;
use super::shell::{Shell, say, say_bytes};
use crate::operate::{Failure, replace_file};

pub(super) fn completions(arguments: &Completions, shell: &Shell) -> Result<ExitCode, Failure> {
    match (&arguments.what, arguments.shell) {
        (Some(CompletionsCommand::Install(install)), _) => {
            let kind = match install.shell {
                Some(kind) => kind,
                None => login_shell(shell)?,
            };
            say(&install_for(kind, shell)?)?;
        }
        (None, Some(kind)) => say_bytes(&script(kind))?,
        // The command line asks for one of them.
        (None, None) => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn script(kind: Kind) -> Vec<u8> {
    let mut script = Vec::new();
    generate(kind, &mut command_line(), "autogit", &mut script);
    script
}

/// The shell that `SHELL` names.
fn login_shell(shell: &Shell) -> Result<Kind, Failure> {
    shell.variable("SHELL").and_then(Kind::from_shell_path).ok_or_else(|| {
        Failure::Usage(
            "error: which shell is used here is not known: `SHELL` names none that is supported\n\
             hint: name it, as in `autogit completions install bash`"
                .to_owned(),
        )
    })
}

/// A file that a shell reads by itself, and what else it takes.
struct Home {
    path: PathBuf,
    then: &'static str,
}

/// Writes the script, and says where and what comes next.
fn install_for(kind: Kind, shell: &Shell) -> Result<String, Failure> {
    let Home { path, then } = home(kind, shell)?;
    let text = String::from_utf8_lossy(&script(kind)).into_owned();
    replace_file(&path, &text).map_err(|error| {
        Failure::Failed(format!(
            "the completions cannot be written to `{}`: {error}\n\
             hint: `autogit completions {kind}` prints them",
            path.display()
        ))
    })?;
    Ok(format!("wrote {}\n{then}\n", path.display()))
}

/// Where each shell looks: the folder of bash-completion 2, fish's own, and for zsh, which has none
/// of a user, the one that its guides name.
#[expect(clippy::wildcard_enum_match_arm, reason = "shells that clap may add have no folder here")]
fn home(kind: Kind, shell: &Shell) -> Result<Home, Failure> {
    let below_home = |variable: &str, otherwise: &str| {
        let named = shell.variable(variable).map(PathBuf::from);
        named.or_else(|| Some(PathBuf::from(shell.variable("HOME")?).join(otherwise)))
    };
    let (folder, file, then) = match kind {
        Kind::Bash => (
            below_home("XDG_DATA_HOME", ".local/share"),
            "bash-completion/completions/autogit",
            "It counts in a new shell, if the package bash-completion is installed.",
        ),
        Kind::Fish => (
            below_home("XDG_CONFIG_HOME", ".config"),
            "fish/completions/autogit.fish",
            "It counts in a new shell.",
        ),
        Kind::Zsh => (
            below_home("ZDOTDIR", ""),
            ".zfunc/_autogit",
            "It counts in a new shell, if .zshrc has this before any `compinit`:\n  \
             fpath=(${ZDOTDIR:-~}/.zfunc $fpath); autoload -Uz compinit; compinit",
        ),
        other => {
            return Err(Failure::Usage(format!(
                "error: {other} has no folder of a user's completions\n\
                 hint: `autogit completions {other}` prints them: read them in its profile"
            )));
        }
    };
    let folder = folder.ok_or_else(|| {
        Failure::Usage(format!(
            "error: where completions belong is not known: `HOME` is not set\n\
             hint: `autogit completions {kind}` prints them"
        ))
    })?;
    Ok(Home { path: folder.join(file), then })
}
