//! The `gitlab` section.

use std::path::PathBuf;
use std::time::Duration;

use super::Change::{InPlace, Runners};
use super::Kind::Field;
use super::Pushed::{Allowed, ByVariable, Freely, InFolder, OwnGitlab};
use super::Secrecy::{OfTheFile, Secret};
use super::section;
use crate::spec::{Credential, QueueSource, Unmatched};

section! {
    /// How GitLab is reached.
    RawGitlab;
    /// The `gitlab` section.
    GitlabSpec {
        /// What `ca_file` holds, as PEM, once it is read.
        pub ca: Option<String>,
    }

    /// GitLab's base URL.
    #[schemars(required)]
    url: String => String, Field(OfTheFile, Runners, OwnGitlab);
    /// API token: `read_api` for the queue; `create_runner` and `manage_runner` unless every pool
    /// has a `runner_token`.
    token: String => Credential, Field(Secret, InPlace, ByVariable);
    /// File that holds the API token.
    token_file: String, Field(Secret, InPlace, InFolder);
    /// Legacy registration token, for servers that still take it.
    registration_token: String => Option<Credential>, Field(Secret, InPlace, ByVariable);
    /// File that holds the legacy registration token.
    registration_token_file: String, Field(Secret, InPlace, InFolder);
    /// Folder in which runner tokens are kept over restarts. Losing it costs caches only.
    token_cache: String => Option<PathBuf>,
        Field(OfTheFile, InPlace, Allowed("AutoGit writes runner tokens to it"));
    /// Time between two looks at the queue, from 1s to 5m. Default: 10s.
    #[schemars(extend("format" = "time-span"))]
    poll_interval: String => Duration, Field(OfTheFile, InPlace, Freely);
    /// How the queue is read: `instance` needs an administrator's token, `projects` does not, `auto`
    /// takes what the token allows. Default: auto.
    queue_source: QueueSource => QueueSource, Field(OfTheFile, InPlace, Freely);
    /// What is said of jobs that no pool may take: `warn`, unless another runner of GitLab that is
    /// online may take them; `ignore`: they are for runners that the token does not see. Default:
    /// warn.
    unmatched: Unmatched => Unmatched, Field(OfTheFile, InPlace, Freely);
    /// Full paths or ids of groups to which the queue is limited. Default: all the token may see.
    groups: Vec<String> => Vec<String>, Field(OfTheFile, InPlace, Freely);
    /// Full paths or ids of projects to which the queue is limited. Default: all the token may see.
    projects: Vec<String> => Vec<String>, Field(OfTheFile, InPlace, Freely);
    /// What runners use to reach GitLab. Default: `url`.
    runner_url: String => String, Field(OfTheFile, Runners, OwnGitlab);
    /// What jobs clone from. Default: what GitLab says.
    clone_url: String => Option<String>, Field(OfTheFile, Runners, OwnGitlab);
    /// A certificate authority to trust beside the system's.
    ca_file: String => Option<PathBuf>, Field(OfTheFile, Runners, InFolder);
    /// The webhook's secret: a plain token or `whsec_…`.
    webhook_secret: String => Option<Credential>, Field(Secret, InPlace, ByVariable);
    /// File that holds the webhook's secret.
    webhook_secret_file: String, Field(Secret, InPlace, InFolder);
}

impl GitlabSpec {
    /// A page is one of this GitLab, by any of the addresses under which it is reached.
    pub fn has(&self, page: &str) -> bool {
        let addresses = [Some(&self.url), Some(&self.runner_url), self.clone_url.as_ref()];
        addresses.into_iter().flatten().any(|address| {
            let path = page.strip_prefix(address.trim_end_matches('/'));
            path.is_some_and(|path| path.starts_with('/'))
        })
    }
}
