//! `tcp://` with certificates, to an engine that demands them.

use autogit::engine::docker::{DockerEngine, DockerSettings};
use autogit::engine::{Engine as _, EngineError};
use autogit::spec::TlsSpec;

use crate::hosts::certificates::{self, Authority, Use};
use crate::hosts::life::lives;
use crate::hosts::own_engine::{self, OwnEngine};
use crate::hosts::require::Folder;
use crate::support::docker::{Bench, on_bench, settings};

/// Certificates that hold far longer than this test.
const FINE: i32 = 2999;
const LONG_AGO: i32 = 2001;

/// An engine that takes no client but its authority's.
struct Guarded {
    engine: OwnEngine,
    authority: Authority,
    address: String,
}

impl Guarded {
    /// With a certificate of its own that ends with that year.
    async fn start(last_year: i32) -> Option<Self> {
        let (folder, authority) = (Folder::new(), Authority::new("ours"));
        let (cert, key) = authority.signs(Use::Engine, last_year);
        let address = format!("tcp://{}:2376", own_engine::address(false));
        let ca = folder.write("ca.pem", &authority.pem());
        let (cert, key) = (folder.write("cert.pem", &cert), folder.write("key.pem", &key));
        let flags = ["--tlsverify", "--tlscacert", &ca, "--tlscert", &cert, "--tlskey", &key];
        let flags: Vec<&str> = flags.into_iter().chain(["--host", "tcp://0.0.0.0:2376"]).collect();
        let engine = OwnEngine::start(folder, &flags).await?;
        Some(Self { engine, authority, address })
    }

    fn client(&self) -> TlsSpec {
        let pair = self.authority.signs(Use::Client, FINE);
        certificates::write(&self.engine.folder, &self.authority.pem(), &pair)
    }

    fn settings(&self, tls: TlsSpec) -> DockerSettings {
        DockerSettings {
            tls: Some(tls),
            socket: Some(self.engine.socket()),
            ..settings(Some(&self.address))
        }
    }

    /// What AutoGit says of this engine with these settings.
    async fn refusal(&self, settings: DockerSettings) -> String {
        let error = DockerEngine::connect(settings).unwrap().info().await.unwrap_err();
        assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
        let told = error.to_string();
        assert!(told.contains(":2376"), "{told}");
        told
    }
}

#[track_caller]
fn says(told: &str, words: &[&str]) {
    for word in words.iter().chain(&["\nhint: "]) {
        assert!(told.contains(word), "`{word}` is not in: {told}");
    }
}

#[tokio::test]
async fn a_runner_is_started_watched_and_drained_over_tls() {
    let Some(guarded) = Guarded::start(FINE).await else { return };
    let settings = guarded.settings(guarded.client());
    let bench = Bench::at(settings, guarded.engine.docker()).await.unwrap();
    on_bench(bench, lives).await;
}

#[tokio::test]
async fn what_is_wrong_with_certificates_is_told_with_its_remedy() {
    let Some(guarded) = Guarded::start(FINE).await else { return };
    let (folder, stranger) = (&guarded.engine.folder, Authority::new("a stranger"));
    let ours = guarded.authority.pem();
    let with = async |ca: &str, pair: &(String, String)| {
        let tls = certificates::write(folder, ca, pair);
        guarded.refusal(guarded.settings(tls)).await
    };

    let fine = guarded.authority.signs(Use::Client, FINE);
    let told = with(&stranger.pem(), &fine).await;
    says(&told, &["is not signed by the authority in", "client-ca.pem", "set `tls.ca`"]);
    let told = with(&ours, &stranger.signs(Use::Client, FINE)).await;
    says(&told, &["refuses the certificate in", "client-cert.pem", "`--tlscacert`"]);
    let told = with(&ours, &guarded.authority.signs(Use::Engine, FINE)).await;
    says(&told, &["refuses the certificate in", "for use by clients"]);
    let told = with(&ours, &guarded.authority.signs(Use::Client, LONG_AGO)).await;
    says(&told, &["client-cert.pem` has expired", "renew it"]);
    let told = with(&ours, &(fine.0.clone(), stranger.signs(Use::Client, FINE).1)).await;
    says(&told, &["do not match", "`tls.key` has to be"]);
    let told = with("no PEM", &fine).await;
    says(&told, &["holds no certificate", "correct `tls.ca`"]);

    let absent = TlsSpec { key: "/nowhere/key.pem".into(), ..guarded.client() };
    let told = guarded.refusal(guarded.settings(absent)).await;
    says(&told, &["/nowhere/key.pem", "No such file", "correct `tls.key`"]);
    let mut unnamed = guarded.settings(guarded.client());
    unnamed.endpoint = Some(format!("tcp://{}:2376", own_engine::address(true)));
    let told = guarded.refusal(unnamed).await;
    says(&told, &["its certificate is for", &own_engine::address(false), "subjectAltName"]);
    let without = DockerSettings { tls: None, ..guarded.settings(guarded.client()) };
    let told = guarded.refusal(without).await;
    says(&told, &["speaks TLS only", "`tls: {ca, cert, key}`"]);
}

#[tokio::test]
async fn a_renewed_certificate_counts_without_a_restart() {
    let Some(guarded) = Guarded::start(FINE).await else { return };
    let (folder, ca) = (&guarded.engine.folder, guarded.authority.pem());
    let expired = guarded.authority.signs(Use::Client, LONG_AGO);
    let tls = certificates::write(folder, &ca, &expired);
    let engine = DockerEngine::connect(guarded.settings(tls)).unwrap();
    engine.info().await.unwrap_err();
    guarded.client();
    engine.info().await.unwrap();
}

#[tokio::test]
async fn an_engine_whose_own_certificate_expired_is_named_as_such() {
    let Some(guarded) = Guarded::start(LONG_AGO).await else { return };
    let told = guarded.refusal(guarded.settings(guarded.client())).await;
    says(&told, &["its certificate has expired", "renew the engine's certificate"]);
}

#[tokio::test]
async fn an_endpoint_without_tls_is_not_taken_for_one_with_it() {
    let folder = Folder::new();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new()).await });
    let authority = Authority::new("ours");
    let pair = authority.signs(Use::Client, FINE);
    let tls = Some(certificates::write(&folder, &authority.pem(), &pair));
    let engine = DockerEngine::connect(DockerSettings { tls, ..settings(Some(&address)) });
    let told = engine.unwrap().info().await.unwrap_err().to_string();
    says(&told, &[&address, "does not speak TLS", "`--tlsverify`"]);
}
