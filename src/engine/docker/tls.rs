//! TLS with certificates on both sides, as `dockerd --tlsverify` asks for it.
//!
//! Only the operator's authority is trusted, no public one. The files are read for each new
//! connection, so that renewed certificates count without a restart.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use http::Uri;
use jiff::Timestamp;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, ClientConfig, Error as TlsError, RootCertStore};
use tokio_rustls::TlsConnector;

use super::raw::Wire;
use super::transport::{self, Way};
use crate::spec::TlsSpec;

/// A client for the host and port `address`.
pub(super) fn over_tls(address: &str, tls: &TlsSpec) -> Result<(Docker, Wire), Error> {
    // A second installation of the same provider is refused, and is no fault.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tls = Arc::new(tls.clone());
    transport::over(address, move |uri| connect(uri, Arc::clone(&tls)))
}

async fn connect(uri: Uri, tls: Arc<TlsSpec>) -> io::Result<Way> {
    let config = Files::read(&tls)?.config(&tls)?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let stream = transport::tcp(uri).await?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    Ok(Way::new(stream))
}

/// What the operator's files hold.
struct Files {
    authorities: RootCertStore,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Files {
    fn read(tls: &TlsSpec) -> io::Result<Self> {
        let mut authorities = RootCertStore::empty();
        for certificate in certificates(&tls.ca, "tls.ca")? {
            authorities.add(certificate).map_err(|error| unusable(&tls.ca, "tls.ca", &error))?;
        }
        let chain = certificates(&tls.cert, "tls.cert")?;
        let key = PrivateKeyDer::from_pem_file(&tls.key)
            .map_err(|error| unusable(&tls.key, "tls.key", &cause(&error)))?;
        Ok(Self { authorities, chain, key })
    }

    fn config(self, tls: &TlsSpec) -> io::Result<ClientConfig> {
        let builder = ClientConfig::builder().with_root_certificates(self.authorities);
        builder.with_client_auth_cert(self.chain, self.key).map_err(|error| {
            let (cert, key) = (tls.cert.display(), tls.key.display());
            io::Error::other(format!(
                "`{cert}` and `{key}` do not match ({error})\n\
                 hint: `tls.key` has to be the key that the certificate in `tls.cert` was made with"
            ))
        })
    }
}

fn certificates(path: &Path, field: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => {
            Err(unusable(path, field, &"it holds no certificate in PEM form"))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(unusable(path, field, &cause(&error))),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other errors, now and later, are told in its own words"
)]
fn cause(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "it holds no key in PEM form".to_owned(),
        other => other.to_string(),
    }
}

fn unusable(path: &Path, field: &str, why: &dyn std::fmt::Display) -> io::Error {
    let path = path.display();
    io::Error::other(format!(
        "`{path}` cannot be used: {why}\nhint: correct `{field}` of this host"
    ))
}

/// Why a TLS connection did not come about, and what to do.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls's other errors, now and later, are told in its own words"
)]
pub(super) fn explained(error: &TlsError, tls: &TlsSpec, now: Timestamp) -> String {
    match error {
        TlsError::InvalidCertificate(theirs) => of_engine(theirs, tls),
        TlsError::AlertReceived(alert) => of_ours(tls, now).unwrap_or_else(|| {
            let cert = tls.cert.display();
            format!(
                "it refuses the certificate in `{cert}` ({alert:?})\n\
                 hint: `tls.cert` has to be signed by the authority that the engine trusts \
                 (`--tlscacert`), for use by clients"
            )
        }),
        TlsError::InvalidMessage(_) => "it does not speak TLS\n\
            hint: start that engine with `--tlsverify`; without it, everyone who reaches it controls its host"
            .to_owned(),
        other => other.to_string(),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls's other errors, now and later, are told in its own words"
)]
fn of_engine(error: &CertificateError, tls: &TlsSpec) -> String {
    let ca = tls.ca.display();
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "its certificate is not signed by the authority in `{ca}`\n\
             hint: set `tls.ca` of this host to the authority that signed the engine's certificate"
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired\nhint: renew the engine's certificate, and start it again"
                .to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet\nhint: compare the clocks of both machines".to_owned()
        }
        CertificateError::NotValidForName => "its certificate names another host\n\
            hint: use a name in `docker` that is in the certificate's subjectAltName"
            .to_owned(),
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "its certificate is for {}\n\
             hint: use one of these names in `docker`, or put this one into its subjectAltName",
            if presented.is_empty() { "no name".to_owned() } else { presented.join(", ") }
        ),
        other => format!("its certificate is not accepted: {other}"),
    }
}

/// Engines say little of why they refuse a certificate; what its own authority makes of ours does.
fn of_ours(tls: &TlsSpec, now: Timestamp) -> Option<String> {
    let now = Duration::from_secs(now.as_second().unsigned_abs());
    let now = UnixTime::since_unix_epoch(now);
    let Files { authorities, chain, .. } = Files::read(tls).ok()?;
    let verifier = WebPkiClientVerifier::builder(authorities.into()).build().ok()?;
    let (first, rest) = chain.split_first()?;
    let refused = verifier.verify_client_cert(first, rest, now).err()?;
    let (ca, cert) = (tls.ca.display(), tls.cert.display());
    let TlsError::InvalidCertificate(refused) = refused else { return None };
    if matches!(refused, CertificateError::Expired | CertificateError::ExpiredContext { .. }) {
        let hint = "renew it; it is read again for each connection";
        return Some(format!("the certificate in `{cert}` has expired\nhint: {hint}"));
    }
    (refused == CertificateError::UnknownIssuer).then(|| {
        format!(
            "it refuses the certificate in `{cert}`, which the authority in `{ca}` did not \
             sign\nhint: set `tls.cert` of this host to a certificate of the authority that the \
             engine trusts (`--tlscacert`)"
        )
    })
}
