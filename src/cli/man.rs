//! `autogit man`: the manual page of AutoGit, or those of all commands in a folder.

use std::process::ExitCode;

use clap::Command;
use clap_mangen::Man;

use super::arguments::Manual;
use super::command_line;
use super::shell::{say, say_bytes};
use crate::operate::{Failure, replace_file};

pub(super) fn man(arguments: &Manual) -> Result<ExitCode, Failure> {
    let mut whole = command_line();
    whole.build();
    let Some(folder) = &arguments.into else {
        say_bytes(&page(whole)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut pages = Vec::new();
    collect(whole, "autogit", &mut pages)?;
    for (name, page) in &pages {
        let path = folder.join(format!("{name}.1"));
        replace_file(&path, &String::from_utf8_lossy(page)).map_err(|error| {
            Failure::Failed(format!("`{}` cannot be written: {error}", path.display()))
        })?;
    }
    say(&format!("wrote {} pages to {}\n", pages.len(), folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn page(command: Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let rendered = Man::new(command).render(&mut page);
    rendered.map_err(|error| Failure::Failed(format!("a manual page cannot be made: {error}")))?;
    Ok(page)
}

/// The page of a command under its name, as in `autogit-token-rotate`, and those below it.
fn collect(
    command: Command,
    name: &str,
    pages: &mut Vec<(String, Vec<u8>)>,
) -> Result<(), Failure> {
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set());
    for below in shown.filter(|below| below.get_name() != "help") {
        collect(below.clone(), &format!("{name}-{}", below.get_name()), pages)?;
    }
    pages.push((name.to_owned(), page(command.display_name(name.to_owned()))?));
    Ok(())
}
