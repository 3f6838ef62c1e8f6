//! `autogit token`: GitLab's token, replaced.

use std::process::ExitCode;

use super::arguments::{Token, TokenCommand};
use super::shell::{Shell, say, talk};
use crate::error_policy::EXIT_FAILED;
use crate::operate::{Adapters, Failure, Rotated, rotate};

pub(super) async fn token(
    arguments: Token,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let TokenCommand::Rotate(arguments) = arguments.what;
    let place = arguments.spec.place(shell);
    let rotated = rotate(&place, arguments.expires_in, shell, adapters).await?;
    say(&in_words(&rotated))?;
    let Some(error) = &rotated.refused else { return Ok(ExitCode::SUCCESS) };
    talk(&format!("warning: the new token was asked for a try, and was not taken: {error}"));
    Ok(ExitCode::from(EXIT_FAILED))
}

fn in_words(rotated: &Rotated) -> String {
    let ends = match rotated.ends_on {
        Some(day) if day < rotated.asked => {
            format!(
                "ends on {day}: GitLab gave it no more time, though {} was asked for",
                rotated.asked
            )
        }
        Some(day) => format!("ends on {day}"),
        None => "does not end".to_owned(),
    };
    format!(
        "GitLab's token in `{}` is replaced; the new one {ends}\n\
         An AutoGit that runs reads the file within seconds. A look in between may be refused: it \
         changes nothing, and no runner or job notices.\n",
        rotated.file.display()
    )
}
