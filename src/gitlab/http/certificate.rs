//! The certificate that a server shows, for who decides whether to trust it.

use std::sync::Arc;
use std::time::Duration;

use ::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use sha2::{Digest as _, Sha256};

use super::tls;
use crate::gitlab::setup::Certificate;

/// How long a connection and its handshake may take together.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Letters of a line of PEM.
const LINE: usize = 64;

/// The certificate of the server at `url`; `None`: it shows none. Nothing is sent but the handshake,
/// in which the server proves that it has the certificate's key.
pub(super) async fn shown(url: &str) -> Option<Certificate> {
    let uri: Uri = url.parse().ok()?;
    if uri.scheme_str() != Some("https") {
        return None;
    }
    let name = uri.host()?.trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(443);
    let der = tokio::time::timeout(TIMEOUT, handshake(&name, port)).await.ok()??;
    Some(Certificate { pem: pem(&der), fingerprint: fingerprint(&der) })
}

async fn handshake(name: &str, port: u16) -> Option<Vec<u8>> {
    let stream = tokio::net::TcpStream::connect((name, port)).await.ok()?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(tls::taking_any()?));
    let server = ServerName::try_from(name.to_owned()).ok()?;
    let stream = connector.connect(server, stream).await.ok()?;
    Some(stream.get_ref().1.peer_certificates()?.first()?.to_vec())
}

fn fingerprint(der: &[u8]) -> String {
    let hex: Vec<String> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    hex.join(":")
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len())
        .step_by(LINE)
        .filter_map(|at| text.get(at..text.len().min(at + LINE)))
        .collect();
    let body = lines.join("\n");
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_has_lines_of_64_letters_and_a_fingerprint_is_that_of_openssl() {
        let text = pem(&[7; 100]);
        let longest = text.lines().filter(|line| !line.starts_with('-')).map(str::len).max();
        assert_eq!((longest, text.lines().count()), (Some(64), 5));
        assert!(fingerprint(b"").starts_with("E3:B0:C4:42:98:FC"));
    }
}
