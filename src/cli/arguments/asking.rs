//! The command line of who is asked.

use std::path::PathBuf;

use clap::Args;

use crate::operate::{About, Asking, Failure, Question, SpecPlace};

/// Who is asked.
#[derive(Debug, Args)]
pub(in crate::cli) struct AskingArguments {
    /// Look at GitLab and Docker directly, even if a running AutoGit could answer
    #[arg(long, conflicts_with = "server")]
    direct: bool,
    #[command(flatten)]
    server: ServerArguments,
}

/// Which AutoGit is asked, where it is not the one that runs here.
#[derive(Debug, Args)]
pub(in crate::cli) struct ServerArguments {
    /// Ask the AutoGit at this address instead of the one that runs here
    #[arg(long, value_name = "URL", value_parser = server)]
    server: Option<String>,
    /// A file with the token that the AutoGit at that address takes; else the file's own
    #[arg(long, value_name = "FILE", requires = "server")]
    token_file: Option<PathBuf>,
}

impl AskingArguments {
    /// What the command asks for, of the spec at `place`.
    pub(in crate::cli) fn question(
        &self,
        place: SpecPlace,
        about: About,
    ) -> Result<Question, Failure> {
        Ok(Question { place, asking: self.asking()?, about })
    }

    /// Who is asked, with the token that the command line names.
    pub(in crate::cli) fn asking(&self) -> Result<Asking, Failure> {
        Ok(Asking { direct: self.direct, ..self.server.asking()? })
    }
}

impl ServerArguments {
    /// Who is asked, with the token that the command line names.
    pub(in crate::cli) fn asking(&self) -> Result<Asking, Failure> {
        let token = self.token_file.as_ref().map(|path| crate::source::read(path)).transpose();
        let token = token
            .map_err(|error| Failure::Usage(format!("error: the token cannot be read: {error}")))?
            .map(|text| text.trim().to_owned().into());
        Ok(Asking { direct: false, server: self.server.clone(), token })
    }
}

/// `127.0.0.1:8080` is as good as an address with its scheme.
pub(super) fn server(word: &str) -> Result<String, String> {
    let url = if word.contains("://") { word.to_owned() } else { format!("http://{word}") };
    let known = url.starts_with("http://") || url.starts_with("https://");
    if known { Ok(url) } else { Err("not an http address".to_owned()) }
}
