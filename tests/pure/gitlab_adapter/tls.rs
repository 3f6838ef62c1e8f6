//! The transport of the field over TLS: what is trusted, and the words where it is not.

use std::sync::Arc;

use autogit::clock::Clock;
use autogit::gitlab::http::{GitlabSettings, HttpGitlab, HttpTransport};
use autogit::gitlab::inspection::{Inspection as _, Reach};
use autogit::gitlab::{Transport, TransportError};
use bytes::Bytes;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::gitlab_adapter::fake::settings;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

/// A server that answers everything alike; without a certificate it speaks no TLS.
async fn serving(pair: Option<(&Certificate, &KeyPair)>) -> u16 {
    let acceptor = pair.map(|(certificate, key)| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut asked = [0; 1024];
                let Some(acceptor) = acceptor else {
                    let _ = stream.read(&mut asked).await;
                    let _ = stream.write_all(ANSWER).await;
                    return;
                };
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(ANSWER).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    port
}

async fn ask(scheme: &str, port: u16, ca: &str) -> Result<u16, String> {
    let url = format!("{scheme}://localhost:{port}");
    let transport = HttpTransport::new(&url, Some(ca.as_bytes())).unwrap();
    let mut status = 0;
    for _ in 0..2 {
        let request = http::Request::get(format!("{url}/")).body(Bytes::new()).unwrap();
        let answer = transport.send(request).await;
        status = answer.map_err(|error: TransportError| error.to_string())?.status().as_u16();
    }
    Ok(status)
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = params(&[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// As `openssl req -x509` makes it, with and without a name: an authority of its own.
fn self_signed(names: &[&str], last_year: i32) -> (Certificate, KeyPair) {
    let mut params = params(names);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(last_year, 12, 31);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap(), key)
}

#[tokio::test]
async fn a_certificate_in_the_ca_file_is_trusted_as_itself() {
    for names in [vec!["localhost"], vec![]] {
        let (certificate, key) = self_signed(&names, 2100);
        let port = serving(Some((&certificate, &key))).await;
        let bundle = format!("{}{}", authority().pem(), certificate.pem());
        assert_eq!(ask("https", port, &bundle).await, Ok(200), "{names:?}");
        let error = ask("https", port, &authority().pem()).await.unwrap_err();
        assert!(error.contains("hint: "), "{error}");
    }
}

#[tokio::test]
async fn a_refused_certificate_is_told_with_what_to_do() {
    let authority = authority();
    let signed = |names: &[&str], last_year| {
        let mut params = params(names);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(last_year, 12, 31);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &authority).unwrap(), key)
    };
    let other = self::authority();
    for ((certificate, key), ca, words) in [
        (signed(&["localhost"], 2100), &other, "not signed by an authority that is trusted"),
        (signed(&["localhost"], 2020), &authority, "has expired"),
        (signed(&["elsewhere.test"], 2100), &authority, "is for"),
        (self_signed(&["localhost"], 2020), &other, "has expired"),
    ] {
        let port = serving(Some((&certificate, &key))).await;
        let error = ask("https", port, &ca.pem()).await.unwrap_err();
        assert!(error.contains(words) && error.contains("hint: "), "{words}: {error}");
    }
    let (certificate, key) = signed(&["localhost"], 2100);
    let port = serving(Some((&certificate, &key))).await;
    assert_eq!(ask("https", port, &authority.pem()).await, Ok(200));
}

#[tokio::test]
async fn the_wrong_scheme_is_told_with_the_right_one() {
    let port = serving(None).await;
    let error = ask("https", port, &authority().pem()).await.unwrap_err();
    assert!(error.contains("does not speak TLS") && error.contains("`http://`"), "{error}");
    let (certificate, key) = self_signed(&["localhost"], 2100);
    let port = serving(Some((&certificate, &key))).await;
    let error = ask("http", port, &authority().pem()).await.unwrap_err();
    assert!(error.contains("`https://`"), "{error}");
}

async fn reach_of(url: String) -> Option<Reach> {
    let other = authority();
    let transport = HttpTransport::new(&url, Some(other.pem().as_bytes())).unwrap();
    let settings = GitlabSettings { url, ..settings() };
    let gitlab = HttpGitlab::new(settings, Arc::new(transport), Clock::system());
    let seen = gitlab.inspect().await;
    assert!(seen.version.is_err() && seen.user.is_err() && seen.token.is_err(), "{seen:?}");
    seen.reach
}

#[tokio::test]
async fn how_far_the_way_goes_is_told_with_the_fingerprint_of_what_is_shown() {
    let (certificate, key) = self_signed(&["localhost"], 2099);
    let port = serving(Some((&certificate, &key))).await;
    let digest = Sha256::digest(certificate.der());
    let print: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    let way = reach_of(format!("https://localhost:{port}")).await;
    assert_eq!(way, Some(Reach::Open { fingerprint: Some(print.join(":")) }));

    let way = reach_of("https://127.0.0.1:1".to_owned()).await;
    let Some(Reach::Closed { addresses, .. }) = way else { panic!("{way:?}") };
    assert_eq!(addresses, ["127.0.0.1:1"]);
}
