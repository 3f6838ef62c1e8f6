//! The transport of the field: reqwest over rustls.
//!
//! It follows no redirect (the adapter decides, and only within one origin), bounds each answer in
//! time and size, and keeps connections for reuse.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Certificate, Client, ClientBuilder, redirect};

use super::tls;
use crate::gitlab::{Transport, TransportError};

/// How long making a connection may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one request may take; GitLab itself ends a GraphQL query after 30 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an answer of this machine may take before it counts as none.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest answer read; a page of 100 jobs or projects has less than 1 MiB.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Sends requests to a real server.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    client: Client,
    /// Trusts the certificates in `ca_file` as themselves, where the usual check refuses them.
    pinned: Option<Client>,
    /// The last connection came about that way.
    prefers_pinned: Arc<AtomicBool>,
    /// The proxy that is used, as the environment names it.
    proxy: Option<String>,
    timeout: Duration,
    answer_bytes_max: usize,
}

impl HttpTransport {
    /// A transport to the server at `url` that trusts the system's authorities and those in
    /// `ca_pem`, a bundle in PEM.
    pub fn new(url: &str, ca_pem: Option<&[u8]>) -> Result<Self, TransportError> {
        let authorities = match ca_pem {
            Some(pem) => authorities(pem)?,
            None => Vec::new(),
        };
        // Plain http needs no authorities, and a minimal image may have none to load.
        let mut transport = if url.starts_with("http://") {
            Self::built(builder().tls_certs_only(authorities), REQUEST_TIMEOUT)?
        } else {
            Self::built(builder().tls_certs_merge(authorities), REQUEST_TIMEOUT)?
        };
        if let Some(config) = ca_pem.and_then(tls::pinned) {
            let pinned = builder().tls_backend_preconfigured(config);
            transport.pinned = Some(Self::built(pinned, REQUEST_TIMEOUT)?.client);
        }
        transport.proxy = proxy_to(url);
        if let Some(proxy) = &transport.proxy {
            tracing::info!(%proxy, "GitLab is asked through the proxy that the environment names");
        }
        Ok(transport)
    }

    /// A transport to servers of this machine, by plain http and through no proxy.
    pub fn direct() -> Result<Self, TransportError> {
        Self::built(builder().no_proxy().tls_certs_only([]), LOCAL_TIMEOUT)
    }

    fn built(builder: ClientBuilder, timeout: Duration) -> Result<Self, TransportError> {
        let client = builder.timeout(timeout).build();
        let client = client.map_err(|error| TransportError::Unreachable(said(&error)))?;
        Ok(Self {
            client,
            pinned: None,
            prefers_pinned: Arc::default(),
            proxy: None,
            timeout,
            answer_bytes_max: ANSWER_BYTES_MAX,
        })
    }

    fn failure(&self, error: reqwest::Error) -> TransportError {
        if error.is_timeout() && !error.is_connect() {
            return TransportError::TimedOut(self.timeout);
        }
        let said = said(&error.without_url());
        TransportError::Unreachable(match &self.proxy {
            Some(proxy) => through(proxy, &said),
            None => said,
        })
    }

    /// Sends by the way that worked last. A handshake that one of them refuses sent nothing yet, so
    /// the other one is tried.
    async fn execute(&self, request: reqwest::Request) -> reqwest::Result<reqwest::Response> {
        let Some(pinned) = &self.pinned else { return self.client.execute(request).await };
        let prefers_pinned = self.prefers_pinned.load(Ordering::Relaxed);
        let (first, second) =
            if prefers_pinned { (pinned, &self.client) } else { (&self.client, pinned) };
        let Some(again) = request.try_clone() else { return first.execute(request).await };
        let refused = match first.execute(request).await {
            Err(error) if tls_error(&error).is_some_and(tls::may_be_pinned) => error,
            answer => return answer,
        };
        let answer = second.execute(again).await;
        match &answer {
            // The usual check knows best why it refuses.
            Err(error) if !prefers_pinned && is_unknown(error) => Err(refused),
            Err(_) => answer,
            Ok(_) => {
                self.prefers_pinned.store(!prefers_pinned, Ordering::Relaxed);
                answer
            }
        }
    }
}

/// The proxy on the way to `url`, without its credentials.
pub(super) fn proxy_to(url: &str) -> Option<String> {
    let proxy = Matcher::from_system().intercept(&url.parse().ok()?)?;
    let (uri, host) = (proxy.uri(), proxy.uri().host()?);
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{host}{port}", uri.scheme_str().unwrap_or("http")))
}

/// The words of a failure, with the proxy named before the hint.
fn through(proxy: &str, said: &str) -> String {
    let (said, hint) = said.split_once('\n').map_or((said, ""), |(said, hint)| (said, hint));
    let hint = if hint.is_empty() {
        "hint: the proxy is the one of `HTTPS_PROXY` or `HTTP_PROXY`; name GitLab in `NO_PROXY` to \
         use none"
    } else {
        hint
    };
    format!("{said} (through the proxy {proxy})\n{hint}")
}

fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    tls::causes(error).into_iter().find_map(|cause| cause.downcast_ref::<rustls::Error>())
}

/// The certificate is none of those in `ca_file`.
fn is_unknown(error: &reqwest::Error) -> bool {
    let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    tls_error(error).is_some_and(|error| *error == unknown)
}

/// What all clients have in common.
fn builder() -> ClientBuilder {
    // Fails where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("autogit/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirect::Policy::none())
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(
        &self,
        request: ::http::Request<Bytes>,
    ) -> Result<::http::Response<Bytes>, TransportError> {
        let request = reqwest::Request::try_from(request).map_err(|error| self.failure(error))?;
        let mut response = self.execute(request).await.map_err(|error| self.failure(error))?;
        let mut body = BytesMut::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.failure(error))? {
            if body.len().saturating_add(part.len()) > self.answer_bytes_max {
                return Err(TransportError::TooLong(self.answer_bytes_max));
            }
            body.extend_from_slice(&part);
        }
        let mut answer = ::http::Response::new(body.freeze());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

fn authorities(pem: &[u8]) -> Result<Vec<Certificate>, TransportError> {
    let bundle = Certificate::from_pem_bundle(pem).map_err(|error| {
        TransportError::Unreachable(format!("`gitlab.ca_file`: {}", said(&error)))
    })?;
    if bundle.is_empty() {
        let problem = "`gitlab.ca_file` holds no certificate in PEM".to_owned();
        return Err(TransportError::Unreachable(problem));
    }
    Ok(bundle)
}

/// The innermost cause, which names what went wrong; reqwest's own words only say where.
fn said(error: &reqwest::Error) -> String {
    if let Some(error) = tls_error(error) {
        return tls::explained(error);
    }
    let causes = tls::causes(error);
    let cause = causes.last().map_or_else(|| error.to_string(), ToString::to_string);
    // A server of TLS answers a plain request with an alert.
    if cause.contains("invalid HTTP version") {
        return format!(
            "its answer is no HTTP ({cause})\nhint: where that port speaks TLS, use `https://` in \
             `gitlab.url`"
        );
    }
    cause
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::Router;
    use axum::routing::get;

    use super::*;

    async fn serving(router: Router) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    fn request(address: SocketAddr, path: &str) -> ::http::Request<Bytes> {
        ::http::Request::get(format!("http://{address}{path}")).body(Bytes::new()).unwrap()
    }

    #[tokio::test]
    async fn an_answer_that_is_too_long_is_refused() {
        let address = serving(Router::new().route("/", get(|| async { "x".repeat(100) }))).await;
        let mut transport = HttpTransport::new("http://localhost", None).unwrap();
        transport.answer_bytes_max = 10;
        let error = transport.send(request(address, "/")).await.unwrap_err();
        assert!(matches!(error, TransportError::TooLong(10)));
        transport.answer_bytes_max = 100;
        assert_eq!(transport.send(request(address, "/")).await.unwrap().body().len(), 100);
    }

    #[tokio::test]
    async fn a_redirect_is_handed_on_and_not_followed() {
        let router = Router::new()
            .route("/", get(|| async { axum::response::Redirect::temporary("/elsewhere") }));
        let address = serving(router).await;
        let transport = HttpTransport::new("http://localhost", None).unwrap();
        let answer = transport.send(request(address, "/")).await.unwrap();
        assert_eq!(answer.status(), 307);
    }

    #[tokio::test]
    async fn a_closed_port_is_unreachable() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let transport = HttpTransport::new("http://localhost", None).unwrap();
        let error = transport.send(request(address, "/")).await.unwrap_err();
        assert!(matches!(error, TransportError::Unreachable(_)), "{error:?}");
    }

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        let error = HttpTransport::new("https://gitlab.test", Some(b"nothing")).unwrap_err();
        assert!(error.to_string().contains("ca_file"), "{error}");
    }
}
