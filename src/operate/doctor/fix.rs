//! Puts right what is safe: it takes nothing away, and is what AutoGit or anybody careful would do.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::finding::Fix;
use super::webhook;
use crate::engine::ImageRequest;
use crate::gitlab::setup::{HookPlace, SetupGitlab};
use crate::observe::Ports;
use crate::spec::{Credential, PullPolicy, Spec};

/// What was done, or why not.
#[derive(Debug)]
pub struct Done {
    /// What.
    pub fix: Fix,
    /// Why it came to nothing, if it did.
    pub result: Result<(), String>,
}

/// Does it.
pub(super) async fn carry_out(
    fix: Fix,
    spec: &Spec,
    ports: &Ports,
    gitlab: &Arc<dyn SetupGitlab>,
) -> Done {
    let result = match &fix {
        Fix::MakeNetwork { host } => match ports.engines.get(host) {
            Some(engine) => {
                let made = engine.create_network(&spec.network, &spec.instance).await;
                made.map_err(|error| error.to_string())
            }
            None => Err(no_host()),
        },
        Fix::PullImage { host, image, arch } => match ports.engines.get(host) {
            Some(engine) => {
                let policy = PullPolicy::IfNotPresent;
                let request = ImageRequest { image: image.clone(), arch: *arch, policy };
                engine.ensure_image(&request).await.map_err(|error| error.to_string())
            }
            None => Err(no_host()),
        },
        Fix::CloseToOthers { path, mode } => {
            let changed = std::fs::set_permissions(path, Permissions::from_mode(*mode));
            changed.map_err(|error| format!("`{}`: {error}", path.display()))
        }
        Fix::MakeWebhook { project } => make_webhook(project, spec, gitlab).await,
    };
    Done { fix, result }
}

fn no_host() -> String {
    "its host is not declared".to_owned()
}

async fn make_webhook(
    project: &str,
    spec: &Spec,
    gitlab: &Arc<dyn SetupGitlab>,
) -> Result<(), String> {
    let secret = spec.gitlab.webhook_secret.as_ref().and_then(Credential::value);
    let (Some(secret), Some(address)) = (secret, webhook::address(spec)) else {
        return Err("the spec names no address or secret for it".to_owned());
    };
    let place = HookPlace::Project(project.to_owned());
    let made = gitlab.create_hook(&place, &address, secret).await;
    made.map(|_| ()).map_err(|error| error.to_string())
}
