//! A simulated GitLab on a port, for the binary to ask.

use std::net::TcpListener;
use std::sync::Arc;

use autogit::clock::Clock;
use autogit::sandbox::gitlab::SimulatedGitlab;
use axum::Router;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

/// A GitLab that serves until the test ends.
pub(crate) struct Served {
    pub(crate) gitlab: SimulatedGitlab,
    pub(crate) url: String,
}

impl Served {
    pub(crate) fn new() -> Self {
        Self::behind(|router| router)
    }

    /// The same, with something in front of it.
    pub(crate) fn behind(front: impl FnOnce(Router) -> Router) -> Self {
        let gitlab = SimulatedGitlab::new(Clock::system(), 1);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        listener.set_nonblocking(true).unwrap();
        gitlab.set_external_url(&url);
        let router = front(gitlab.router());
        alone(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
        Self { gitlab, url }
    }

    /// An administrator's token with these scopes.
    pub(crate) fn token(&self, scopes: &[&str]) -> String {
        let user = self.gitlab.add_administrator("root");
        shown(&self.gitlab.new_token(user, scopes, None))
    }

    /// How often that route was asked for.
    pub(crate) fn asked(&self, route: &str) -> u64 {
        self.gitlab.requests().get(route).copied().unwrap_or_default()
    }
}

pub(crate) fn shown(secret: &SecretString) -> String {
    secret.expose_secret().to_owned()
}

impl Served {
    /// The same server over TLS, by a certificate that nobody signed, and its fingerprint.
    pub(crate) fn by_tls(&self) -> (String, String) {
        let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let digest = Sha256::digest(pair.cert.der());
        let fingerprint: Vec<_> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pair.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![pair.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let plain = self.url.trim_start_matches("http://").to_owned();
        alone(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, plain) = (acceptor.clone(), plain.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let Ok(mut behind) = tokio::net::TcpStream::connect(plain).await else {
                        return;
                    };
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut behind).await;
                });
            }
        });
        (format!("https://localhost:{port}"), fingerprint.join(":"))
    }
}

/// Serves on a thread of its own as long as the test's process lives.
fn alone(serving: impl Future<Output = ()> + Send + 'static) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(serving);
    });
}
