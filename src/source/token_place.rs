//! Where GitLab's token was read from, for who replaces it there.

use std::path::{Path, PathBuf};

use super::env_file;
use super::environment::Environment;
use super::load::Loaded;
use super::remote::{TOKEN, TOKEN_FILE};

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
        if environment.own(&variable).is_some() {
            return TokenPlace::Process { variable };
        }
        let holds = |file: &&PathBuf| {
            env_file::read(file).is_ok_and(|variables| variables.contains_key(&variable))
        };
        match environment.files().iter().rev().find(holds) {
            Some(file) => TokenPlace::Line { file: file.clone(), variable },
            None if self.commit.is_some() && variable == TOKEN => {
                let file = environment.variables().ok().and_then(|known| known.known(TOKEN_FILE));
                file.map_or(TokenPlace::Spec, |file| TokenPlace::File(file.into()))
            }
            // The default that the spec itself gives.
            None => TokenPlace::Spec,
        }
    }
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
