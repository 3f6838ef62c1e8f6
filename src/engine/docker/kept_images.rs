//! Images that are kept ready: marks beside them, which are tags in a repository of our own.

use std::sync::Arc;

use bollard::query_parameters::{ListImagesOptions, RemoveImageOptions, TagImageOptions};
use jiff::Timestamp;

use super::client::{CHANGE_LIMIT, Client, READ_LIMIT};
use super::images::{self, Pulls};
use crate::engine::{EngineError, ImageRequest};
use crate::spec::InstanceName;
use crate::world::{ImageKey, ImageState, KeptImage, MARKS};

/// The marks of `instance`.
pub(super) async fn list(
    client: &Client,
    instance: &InstanceName,
) -> Result<Vec<KeptImage>, EngineError> {
    let filters = [("reference".to_owned(), vec![MARKS.to_owned()])].into();
    let listed = client.call("list images", READ_LIMIT, |docker| async move {
        let options = ListImagesOptions { filters: Some(filters), ..ListImagesOptions::default() };
        docker.list_images(Some(options)).await
    });
    let names = listed.await?.into_iter().flat_map(|image| image.repo_tags);
    let mut marks: Vec<KeptImage> = names.filter_map(|name| mark_in(instance, &name)).collect();
    marks.sort_unstable();
    Ok(marks)
}

/// Podman puts a registry before a name.
fn mark_tag(name: &str) -> Option<&str> {
    let (repository, tag) = name.rsplit_once(':')?;
    (repository.rsplit('/').next() == Some(MARKS)).then_some(tag)
}

fn mark_in(instance: &InstanceName, name: &str) -> Option<KeptImage> {
    KeptImage::of_tag(instance, mark_tag(name)?)
}

fn name_of(instance: &InstanceName, mark: &KeptImage) -> String {
    format!("{MARKS}:{}", mark.tag(instance))
}

/// Pulls the image and marks it. A process that ends between the two leaves an image which it then
/// finds: that one stays on the host.
pub(super) async fn keep(
    client: &Arc<Client>,
    pulls: &Pulls,
    instance: &InstanceName,
    request: &ImageRequest,
    at: Timestamp,
) -> Result<(), EngineError> {
    let key = ImageKey::of(&request.image);
    let before = images::state(client, &request.image, request.arch).await?;
    let marks = list(client, instance).await?;
    let found = match (KeptImage::newest(&marks, &key), before) {
        (_, ImageState::Absent) => false,
        (Some(last), ImageState::Here | ImageState::OtherArch(_)) => last.found,
        (None, ImageState::Here | ImageState::OtherArch(_)) => true,
    };
    pulls.pull_once(client, request).await?;
    let mark = KeptImage { image: key, pulled_at: at, found };
    let options = TagImageOptions { repo: Some(MARKS.into()), tag: Some(mark.tag(instance)) };
    let image = request.image.clone();
    let tagged = client.call("mark an image", CHANGE_LIMIT, |docker| async move {
        docker.tag_image(&image, Some(options)).await
    });
    tagged.await.map_err(EngineError::from)
}

/// The names of a marked image, if it is there.
struct Names {
    tags: Vec<String>,
    digests: Vec<String>,
}

async fn names(client: &Client, mark: &str) -> Result<Option<Names>, EngineError> {
    let mark = mark.to_owned();
    let shown = client.call("show an image", READ_LIMIT, |docker| async move {
        docker.inspect_image(&mark).await
    });
    match shown.await {
        Ok(shown) => Ok(Some(Names {
            tags: shown.repo_tags.unwrap_or_default(),
            digests: shown.repo_digests.unwrap_or_default(),
        })),
        Err(failure) if failure.status() == Some(404) => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// Takes the reference from the image.
pub(super) async fn forget_reference(
    client: &Client,
    instance: &InstanceName,
    mark: &KeptImage,
) -> Result<bool, EngineError> {
    let Some(Names { tags, digests }) = names(client, &name_of(instance, mark)).await? else {
        return Ok(false);
    };
    let key = format!(".{}.", mark.image);
    let is_anothers = |name: &String| {
        mark_in(instance, name).is_none() && mark_tag(name).is_some_and(|tag| tag.contains(&key))
    };
    if tags.iter().any(is_anothers) {
        return Ok(false);
    }
    let mut forgot = false;
    for name in tags.iter().chain(&digests).filter(|name| ImageKey::of(name) == mark.image) {
        forgot |= remove(client, name).await?;
    }
    Ok(forgot)
}

/// Takes the mark from the image, and with its last name the image.
pub(super) async fn remove_mark(
    client: &Client,
    instance: &InstanceName,
    mark: &KeptImage,
) -> Result<bool, EngineError> {
    let name = name_of(instance, mark);
    let Some(Names { tags, digests }) = names(client, &name).await? else { return Ok(true) };
    // What a newer pull left of an older one: only its digest tells of it, and would keep it for ever.
    if let [_] = tags.as_slice() {
        for digest in &digests {
            remove(client, digest).await?;
        }
    }
    remove(client, &name).await
}

/// Takes a name from its image; `false`: it is the last one, and a container has the image.
async fn remove(client: &Client, name: &str) -> Result<bool, EngineError> {
    let image = name.to_owned();
    let removed = client.call("remove an image", CHANGE_LIMIT, |docker| async move {
        docker.remove_image(&image, None::<RemoveImageOptions>, None).await
    });
    match removed.await {
        Ok(_) => Ok(true),
        Err(failure) if failure.status() == Some(404) => Ok(true),
        Err(failure) if failure.status() == Some(409) => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}
