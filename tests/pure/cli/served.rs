//! A simulated GitLab on a port, for the binary to ask.

use std::net::TcpListener;

use autogit::clock::Clock;
use autogit::sandbox::gitlab::SimulatedGitlab;
use axum::Router;
use secrecy::{ExposeSecret, SecretString};

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
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
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
