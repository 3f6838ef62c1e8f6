//! The `autogit` binary: asks the process what the library must not ask.

use std::ffi::OsString;
use std::process::ExitCode;

use autogit::adapters::ADAPTERS;
use autogit::cli::Shell;

fn main() -> ExitCode {
    let utf8 = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let shell = Shell::new(std::env::vars_os().filter_map(utf8).collect(), std::env::temp_dir());
    autogit::cli::main(std::env::args_os(), &shell, ADAPTERS)
}
