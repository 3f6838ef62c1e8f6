//! Where GitLab's token was read from, for who replaces it there.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;

use super::environment::Environment;
use super::load::Loaded;
use super::remote::{BYTES_MAX, TOKEN, TOKEN_FILE};
use super::{env_file, file};

/// Where GitLab's token stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// In a file of its own: the whole of it.
    File(PathBuf),
    /// In a line of an env file.
    Line {
        /// The env file.
        file: PathBuf,
        /// The variable.
        variable: String,
    },
    /// In a variable of this process.
    Process {
        /// The variable.
        variable: String,
    },
    /// In the spec itself, alone or among other text.
    Spec,
}

impl TokenPlace {
    /// The file that holds it, where there is one beside the spec.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) | Self::Line { file, .. } => Some(file),
            Self::Process { .. } | Self::Spec => None,
        }
    }

    /// What is put into the one is in the other. Links lead to their file, and a second name of a file
    /// is another one: what takes its place takes one name.
    fn is_same(&self, other: &Self) -> bool {
        let at = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        match (self, other) {
            (Self::File(one), Self::File(other)) => at(one) == at(other),
            (
                Self::Line { file, variable },
                Self::Line { file: other, variable: other_variable },
            ) => at(file) == at(other) && variable == other_variable,
            (one, other) => one == other,
        }
    }
}

/// In words: `` `/etc/autogit/token` ``.
impl fmt::Display for TokenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "`{}`", file.display()),
            Self::Line { file, variable } => write!(f, "`{variable}` in `{}`", file.display()),
            Self::Process { variable } => write!(f, "the variable `{variable}` of this process"),
            Self::Spec => f.write_str("the spec"),
        }
    }
}

impl Loaded {
    /// Where this spec's token was read from; `environment` is what it was loaded with.
    pub fn token_place(&self, environment: &Environment) -> TokenPlace {
        if let Some(file) = &self.token_file {
            return TokenPlace::File(file.clone());
        }
        let written = self.written.at("/gitlab/token");
        let Some(variable) = written.and_then(|value| alone(&value.text, &value.names)) else {
            return TokenPlace::Spec;
        };
        match holder(environment, &variable) {
            Some(place) => place,
            None if self.commit.is_some() && variable == TOKEN => {
                let file = environment.variables().ok().and_then(|known| known.known(TOKEN_FILE));
                file.map_or(TokenPlace::Spec, |file| TokenPlace::File(file.into()))
            }
            // The default that the spec itself gives.
            None => TokenPlace::Spec,
        }
    }

    /// Another place that has the same token and that AutoGit reads, too: `GITLAB_TOKEN`, or the file of
    /// `GITLAB_TOKEN_FILE`. They read a spec at GitLab and serve commands, whatever the spec says.
    pub fn token_copy(&self, environment: &Environment, place: &TokenPlace) -> Option<TokenPlace> {
        let token = self.spec.gitlab.token.value()?;
        let is_it = |text: &str| text.trim() == token.expose_secret();
        let variables = environment.variables().ok()?;
        let variable = variables.known(TOKEN).filter(|value| is_it(value));
        let variable = variable.and_then(|_| holder(environment, TOKEN));
        let file = variables.known(TOKEN_FILE).map(PathBuf::from);
        let file =
            file.filter(|file| file::text(file, BYTES_MAX).is_ok_and(|(text, _)| is_it(&text)));
        let found = [variable, file.map(TokenPlace::File)].into_iter().flatten();
        let mut others = found.filter(|found| !found.is_same(place));
        others.next()
    }
}

/// What gives that variable: the process, or the last env file that has it.
fn holder(environment: &Environment, variable: &str) -> Option<TokenPlace> {
    let variable = variable.to_owned();
    if environment.own(&variable).is_some() {
        return Some(TokenPlace::Process { variable });
    }
    let holds = |file: &&PathBuf| {
        env_file::read(file).is_ok_and(|variables| variables.contains_key(&variable))
    };
    let file = environment.files().iter().rev().find(holds)?;
    Some(TokenPlace::Line { file: file.clone(), variable })
}

/// The variable, if the text is that and nothing else.
fn alone(text: &str, names: &[String]) -> Option<String> {
    let [name] = names else { return None };
    let inside = text.trim().strip_prefix("${")?.strip_suffix('}')?;
    let rest = inside.strip_prefix(name.as_str())?;
    (rest.is_empty() || rest.starts_with(":-") && !rest.contains(['$', '}'])).then(|| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_where_a_variable_is_all_of_it() {
        let named = |text: &str| alone(text, &["T".to_owned()]);
        assert_eq!(named("${T}").as_deref(), Some("T"));
        assert_eq!(named("${T:-}").as_deref(), Some("T"));
        assert_eq!(named("glpat-${T}"), None);
        assert_eq!(named("${T}${T}"), None);
        assert_eq!(alone("${T}", &["T".to_owned(), "U".to_owned()]), None);
    }
}
