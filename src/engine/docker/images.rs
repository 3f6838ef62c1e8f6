//! Runner images: looked up, and pulled as their policy says.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::query_parameters::CreateImageOptions;
use futures_util::future::{BoxFuture, Shared};
use futures_util::{FutureExt as _, StreamExt as _};

use super::client::{Client, READ_LIMIT};
use super::failure::Failure;
use super::registry;
use crate::engine::{EngineError, ImageRequest};
use crate::lock::locked;
use crate::spec::{Arch, PullPolicy};
use crate::world::ImageState;

/// gitlab-runner's image has 100 MB; a slow line takes minutes for that.
const PULL_LIMIT: Duration = Duration::from_mins(15);

type Pull = Shared<BoxFuture<'static, Result<(), EngineError>>>;

/// The pulls that are under way: whoever asks for the same image waits for the same pull.
#[derive(Debug)]
pub(super) struct Pulls {
    /// Docker's own `config.json`; read at each pull, for `docker login` changes it.
    config: Option<PathBuf>,
    running: Mutex<BTreeMap<ImageRequest, Pull>>,
}

impl Pulls {
    pub(super) fn new(config: Option<PathBuf>) -> Self {
        Self { config, running: Mutex::new(BTreeMap::new()) }
    }

    /// Sees to it that the image is on the host.
    pub(super) async fn ensure(
        &self,
        client: &Arc<Client>,
        request: &ImageRequest,
    ) -> Result<(), EngineError> {
        let present = state(client, &request.image, request.arch).await?;
        match (request.policy, present) {
            (PullPolicy::IfNotPresent | PullPolicy::Never, ImageState::Here) => Ok(()),
            (PullPolicy::Never, absent) => {
                Err(no_image(request, never_pulled(absent, request.arch)))
            }
            (PullPolicy::IfNotPresent, _) => Ok(self.pull_once(client, request).await?),
            (PullPolicy::Always, present) => {
                match (self.pull_once(client, request).await, present) {
                    (Err(error), ImageState::Here)
                        if !matches!(error, EngineError::NoImage { .. }) =>
                    {
                        tracing::warn!(image = request.image, %error, "not pulled; what is there is used");
                        Ok(())
                    }
                    (pulled, _) => pulled,
                }
            }
        }
    }

    /// Pulls, whatever is there.
    pub(super) async fn pull_once(
        &self,
        client: &Arc<Client>,
        request: &ImageRequest,
    ) -> Result<(), EngineError> {
        let pull = {
            let mut running = locked(&self.running);
            let start =
                || pull(Arc::clone(client), request.clone(), self.config.clone()).boxed().shared();
            running.entry(request.clone()).or_insert_with(start).clone()
        };
        let pulled = pull.await;
        let mut running = locked(&self.running);
        if running.get(request).is_some_and(|pull| pull.peek().is_some()) {
            running.remove(request);
        }
        pulled
    }
}

fn never_pulled(absent: ImageState, wanted: Arch) -> String {
    match absent {
        ImageState::OtherArch(arch) => format!("it is on the host for {arch}, not for {wanted}"),
        ImageState::Here | ImageState::Absent => {
            "it is not on the host, and `pull_policy` is `never`".to_owned()
        }
    }
}

/// Whether the image is on the host.
pub(super) async fn state(
    client: &Client,
    image: &str,
    wanted: Arch,
) -> Result<ImageState, EngineError> {
    let shown = client.call("show an image", READ_LIMIT, |docker| async move {
        docker.inspect_image(image).await
    });
    match shown.await {
        Ok(shown) => Ok(match shown.architecture.as_deref().and_then(Arch::parse) {
            Some(arch) if arch != wanted => ImageState::OtherArch(arch),
            _ => ImageState::Here,
        }),
        Err(failure) if failure.status() == Some(404) => Ok(ImageState::Absent),
        Err(failure) => Err(failure.into()),
    }
}

/// How long a credential helper may take: one that waits for a person is not waited for.
const HELPER_LIMIT: Duration = Duration::from_secs(20);

/// The credentials for the registry of `image`; or why there are none that should be.
async fn credentials(config: String, image: &str) -> Result<Option<DockerCredentials>, String> {
    let registry = registry::registry_of(image).to_owned();
    let asked = tokio::task::spawn_blocking(move || registry::credentials(&config, &registry));
    match tokio::time::timeout(HELPER_LIMIT, asked).await {
        Ok(Ok(told)) => told,
        Ok(Err(_)) => Err("Docker's credential helper could not be asked".to_owned()),
        Err(_) => Err("Docker's credential helper did not answer in time".to_owned()),
    }
}

async fn pull(
    client: Arc<Client>,
    request: ImageRequest,
    config: Option<PathBuf>,
) -> Result<(), EngineError> {
    let config = match config {
        Some(path) => tokio::fs::read_to_string(path).await.unwrap_or_default(),
        None => String::new(),
    };
    let (credentials, without) = match credentials(config, &request.image).await {
        Ok(credentials) => (credentials, None),
        Err(why) => (None, Some(why)),
    };
    let options = CreateImageOptions {
        from_image: Some(registry::with_tag(&request.image)),
        platform: request.arch.platform().to_owned(),
        ..CreateImageOptions::default()
    };
    tracing::info!(image = request.image, arch = %request.arch, "pulling");
    let attempt = format!("pull `{}`", request.image);
    let pulled = client.call(&attempt, PULL_LIMIT, |docker| async move {
        let mut progress = std::pin::pin!(docker.create_image(Some(options), None, credentials));
        while let Some(step) = progress.next().await.transpose()? {
            tracing::trace!(status = step.status, "pulling");
        }
        Ok(())
    });
    pulled.await.map_err(|failure| not_pulled(failure, &request, without.as_deref()))?;
    tracing::info!(image = request.image, arch = %request.arch, "pulled");
    Ok(())
}

/// A registry that answers no is the operator's matter; one that does not answer is not.
fn not_pulled(failure: Failure, request: &ImageRequest, without: Option<&str>) -> EngineError {
    let explained = |problem: &str| match without {
        None => problem.to_owned(),
        Some(why) => format!("{problem} (asked for without credentials: {why})"),
    };
    if let Some((400..=499, no)) = failure.answer() {
        return no_image(request, explained(no));
    }
    match failure.into() {
        EngineError::Refused { attempt, problem } => {
            EngineError::Refused { attempt, problem: explained(&problem) }
        }
        error @ (EngineError::Unreachable { .. }
        | EngineError::TimedOut { .. }
        | EngineError::NameTaken { .. }
        | EngineError::Running { .. }
        | EngineError::BeingRemoved { .. }
        | EngineError::NoImage { .. }
        | EngineError::NotFound { .. }) => error,
    }
}

fn no_image(request: &ImageRequest, problem: String) -> EngineError {
    EngineError::NoImage { image: request.image.clone(), problem }
}
