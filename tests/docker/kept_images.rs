//! Images that are kept ready, on a real engine that pulls from a registry of the test's own.

use std::sync::{Arc, Mutex};

use autogit::engine::Engine as _;
use autogit::spec::{Arch, InstanceName};
use autogit::world::{ImageKey, ImageState, KeptImage, WorkloadId};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptions, CreateImageOptions, RemoveImageOptions};
use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::docker::{Bench, on_engine};

const AT: Timestamp = Timestamp::constant(1_700_000_000, 0);
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// The end of an archive, and so an empty one.
const LAYER: [u8; 1024] = [0; 1024];

/// A registry with one image, by the Distribution Specification. An engine asks an address of the
/// loopback range without TLS.
struct Registry {
    config: Arc<Mutex<Vec<u8>>>,
    image: String,
}

impl Registry {
    async fn serve(arch: Arch) -> Self {
        let config = Arc::new(Mutex::new(Vec::new()));
        let routes = Router::new()
            .route("/v2/", get(|| async { "{}" }))
            .route("/v2/app/manifests/{reference}", get(manifest))
            .route("/v2/app/blobs/{digest}", get(blob))
            .with_state(Arc::clone(&config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let image = format!("{}/app:1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let registry = Self { config, image };
        registry.publish(arch, "first");
        registry
    }

    /// Another image under the same name.
    fn publish(&self, arch: Arch, label: &str) {
        let config = json!({
            "architecture": arch.as_str(), "os": "linux", "config": {"Labels": {"is": label}},
            "rootfs": {"type": "layers", "diff_ids": [digest(&LAYER)]},
        });
        *self.config.lock().unwrap() = config.to_string().into_bytes();
    }
}

fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold("sha256:".to_owned(), |hex, byte| hex + &format!("{byte:02x}"))
}

async fn manifest(State(config): State<Arc<Mutex<Vec<u8>>>>) -> Response {
    let config = config.lock().unwrap().clone();
    let blob = |kind: &str, bytes: &[u8]| -> Value {
        let media = format!("application/vnd.docker.{kind}");
        json!({"mediaType": media, "size": bytes.len(), "digest": digest(bytes)})
    };
    let layers = [blob("image.rootfs.diff.tar.gzip", &LAYER)];
    let config = blob("container.image.v1+json", &config);
    let text =
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    let text = text.to_string();
    let its_digest = digest(text.as_bytes());
    let name = HeaderName::from_static("docker-content-digest");
    ([(header::CONTENT_TYPE, MANIFEST.to_owned()), (name, its_digest)], text).into_response()
}

async fn blob(State(config): State<Arc<Mutex<Vec<u8>>>>, Path(asked): Path<String>) -> Response {
    let config = config.lock().unwrap().clone();
    let blobs = [config, LAYER.to_vec()];
    let found = blobs.into_iter().find(|blob| digest(blob) == asked);
    found.map_or_else(|| StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response)
}

/// The id of what an engine has under that name.
async fn id_of(bench: &Bench, name: &str) -> Option<String> {
    bench.docker.inspect_image(name).await.ok().map(|image| image.id.unwrap())
}

fn mark(registry: &Registry, pulled_at: Timestamp, found: bool) -> KeptImage {
    KeptImage { image: ImageKey::of(&registry.image), pulled_at, found }
}

#[tokio::test]
async fn an_image_is_as_new_as_its_registry_has_it_and_goes_without_a_trace() {
    on_engine(async |bench| {
        let Bench { engine, instance, arch, .. } = &*bench;
        let registry = Registry::serve(*arch).await;
        let image = registry.image.as_str();
        assert_eq!(engine.kept_images(instance).await.unwrap(), []);

        engine.keep_image(instance, image, *arch, AT).await.unwrap();
        assert_eq!(engine.image(image, *arch).await.unwrap(), ImageState::Here);
        let old = mark(&registry, AT, false);
        assert_eq!(engine.kept_images(instance).await.unwrap(), std::slice::from_ref(&old));
        let old_id = id_of(&bench, image).await.unwrap();

        registry.publish(*arch, "second");
        let later = AT + SignedDuration::from_hours(24);
        engine.keep_image(instance, image, *arch, later).await.unwrap();
        let new = mark(&registry, later, false);
        assert_eq!(engine.kept_images(instance).await.unwrap(), [old.clone(), new.clone()]);
        let id = id_of(&bench, image).await.unwrap();
        assert_ne!(id, old_id);

        assert!(engine.remove_mark(instance, &old).await.unwrap());
        assert_eq!(id_of(&bench, &old_id).await, None);
        assert_eq!(id_of(&bench, image).await.as_ref(), Some(&id));

        assert!(engine.forget_reference(instance, &new).await.unwrap());
        assert!(!engine.forget_reference(instance, &new).await.unwrap());
        assert_eq!(engine.image(image, *arch).await.unwrap(), ImageState::Absent);
        let body = ContainerCreateBody {
            image: Some(id.clone()),
            cmd: Some(vec!["none".to_owned()]),
            ..ContainerCreateBody::default()
        };
        let container = bench.docker.create_container(None::<CreateContainerOptions>, body).await;
        let container = container.unwrap().id;
        assert!(!engine.remove_mark(instance, &new).await.unwrap(), "a container has it");
        engine.remove_container(&WorkloadId::from_observed(&container)).await.unwrap();
        assert!(engine.remove_mark(instance, &new).await.unwrap());
        assert!(engine.remove_mark(instance, &new).await.unwrap());
        assert_eq!(id_of(&bench, &id).await, None);
        assert_eq!(engine.kept_images(instance).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn an_image_that_was_there_before_stays_when_it_is_kept_no_more() {
    on_engine(async |bench| {
        let Bench { engine, instance, arch, .. } = &*bench;
        let registry = Registry::serve(*arch).await;
        let image = registry.image.as_str();
        let by_hand = CreateImageOptions {
            from_image: Some(image.to_owned()),
            ..CreateImageOptions::default()
        };
        let pulled = bench.docker.create_image(Some(by_hand), None, None);
        pulled.try_collect::<Vec<_>>().await.unwrap();

        engine.keep_image(instance, image, *arch, AT).await.unwrap();
        let found = mark(&registry, AT, true);
        assert_eq!(engine.kept_images(instance).await.unwrap(), std::slice::from_ref(&found));
        assert!(engine.remove_mark(instance, &found).await.unwrap());
        assert_eq!(engine.image(image, *arch).await.unwrap(), ImageState::Here);
        bench.docker.remove_image(image, None::<RemoveImageOptions>, None).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_image_that_another_instance_keeps_stays_with_that_one() {
    on_engine(async |bench| {
        let Bench { engine, instance, arch, .. } = &*bench;
        let other = InstanceName::new(&format!("{instance}-b")).unwrap();
        let registry = Registry::serve(*arch).await;
        let image = registry.image.as_str();
        engine.keep_image(instance, image, *arch, AT).await.unwrap();
        engine.keep_image(&other, image, *arch, AT).await.unwrap();
        let (ours, others) = (mark(&registry, AT, false), mark(&registry, AT, true));
        assert_eq!(engine.kept_images(instance).await.unwrap(), std::slice::from_ref(&ours));
        assert_eq!(engine.kept_images(&other).await.unwrap(), std::slice::from_ref(&others));

        assert!(!engine.forget_reference(instance, &ours).await.unwrap());
        assert!(engine.remove_mark(instance, &ours).await.unwrap());
        assert_eq!(engine.image(image, *arch).await.unwrap(), ImageState::Here);
        assert!(engine.remove_mark(&other, &others).await.unwrap());
        bench.docker.remove_image(image, None::<RemoveImageOptions>, None).await.unwrap();
    })
    .await;
}
