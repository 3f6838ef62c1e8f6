//! Where the log goes and how it reads.

use tracing_subscriber::EnvFilter;

use super::arguments::LogFormat;
use super::shell::Shell;

/// Writes the log to stderr from now on. `AUTOGIT_LOG` sets what is logged, as in `debug` or
/// `warn,autogit::apply=debug`.
pub(super) fn start(shell: &Shell, format: Option<LogFormat>, level: &str) {
    let wanted = shell.variable("AUTOGIT_LOG");
    // A filter that cannot be read is no reason not to keep the runners.
    let filter = EnvFilter::try_new(wanted.as_deref().unwrap_or(level));
    let filter = filter.unwrap_or_else(|_| EnvFilter::new(level));
    let supervised = || if shell.is_supervised() { LogFormat::Json } else { LogFormat::Human };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    // A second subscriber in one process is a test's, and as good.
    let _ = match format.unwrap_or_else(supervised) {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Human => builder.with_ansi(shell.colours_talk()).try_init(),
    };
}
