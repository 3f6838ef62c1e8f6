//! What a check found.

use std::fmt;
use std::path::PathBuf;

use super::check::Check;
use crate::spec::{Arch, HostName};

/// How it stands with one check. Unknown is never ok.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it has to be.
    Ok,
    /// AutoGit works, with a drawback.
    Warning,
    /// It could not be found out.
    Unknown,
    /// AutoGit does not work, or not for some pools.
    Failed,
}

impl Verdict {
    /// All.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Warning, Self::Unknown, Self::Failed];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Unknown => "not known",
            Self::Failed => "failed",
        }
    }
}

/// What may be done about a finding without asking: it takes nothing away and is what AutoGit, or
/// anybody careful, would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Make the runners' network, as the loop would.
    MakeNetwork {
        /// Where.
        host: HostName,
    },
    /// Pull a runner's image.
    PullImage {
        /// Where.
        host: HostName,
        /// Which.
        image: String,
        /// For which architecture.
        arch: Arch,
    },
    /// Take the rights of others from a file or folder of ours.
    CloseToOthers {
        /// Which.
        path: PathBuf,
        /// Its mode from then on.
        mode: u32,
    },
    /// Make a project's webhook.
    MakeWebhook {
        /// The project.
        project: String,
    },
}

/// What it does, after "to".
impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeNetwork { host } => write!(f, "make the runners' network on {host}"),
            Self::PullImage { host, image, .. } => write!(f, "pull `{image}` on {host}"),
            Self::CloseToOthers { path, mode } => {
                write!(f, "set the mode of `{}` to {mode:04o}", path.display())
            }
            Self::MakeWebhook { project } => write!(f, "make the webhook of `{project}`"),
        }
    }
}

/// What a check found about one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// The host, pool, file or project that it is about; none where there is but one.
    pub about: Option<String>,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// The check that failed first, so that this one could not be made.
    pub behind: Option<Check>,
    /// What `--fix` does about it.
    pub fix: Option<Fix>,
}

impl Finding {
    /// It is as it has to be.
    pub(super) fn ok(check: Check, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, found.into())
    }

    /// It has a drawback.
    pub(super) fn warning(check: Check, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warning, found.into())
    }

    /// It stands in the way.
    pub(super) fn failed(check: Check, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Failed, found.into())
    }

    /// It could not be found out, for that reason.
    pub(super) fn unknown(check: Check, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Unknown, found.into())
    }

    /// It stands in the way, in words that are shown whole.
    pub(super) fn all_of(check: Check, found: String) -> Self {
        Self { found, remedy: None, ..Self::failed(check, "") }
    }

    /// It could not be asked, for something before it failed.
    pub(super) fn behind(check: Check, first: Check, found: impl Into<String>) -> Self {
        let remedy = format!("correct `{}` first", first.name());
        Self { behind: Some(first), ..Self::unknown(check, found).remedy(remedy) }
    }

    /// `found` may end with a hint on a line of its own, as errors do.
    fn new(check: Check, verdict: Verdict, found: String) -> Self {
        let (found, remedy) = match found.split_once("\nhint: ") {
            Some((found, hint)) => (found.to_owned(), Some(hint.to_owned())),
            None => (found, None),
        };
        Self { check, about: None, verdict, found, remedy, behind: None, fix: None }
    }

    /// What it is about.
    pub(super) fn about(mut self, about: &impl ToString) -> Self {
        self.about = Some(about.to_string());
        self
    }

    /// What to do about it; where that is said already, it stays.
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy.get_or_insert_with(|| remedy.into());
        self
    }

    /// What `--fix` does about it.
    pub(super) fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }
}
