//! Certificates that the spec names: read and taken apart before the spec comes into force, because
//! a file that no connection can use would be found out by every look, and never by `check`.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, RootCertStore};

use super::error::NamedFileError;
use super::file::{FileError, FileProblem};
use super::load::Noted;
use crate::spec::{Spec, TlsSpec};

/// The bundle of all public authorities is a quarter of this.
const BYTES_MAX: u64 = 1 << 20;

/// What `gitlab.ca_file` holds.
pub(super) fn authority(spec: &Spec, noted: &mut Noted) -> Result<Option<Vec<u8>>, NamedFileError> {
    let Some(path) = &spec.gitlab.ca_file else { return Ok(None) };
    let field = "gitlab.ca_file";
    let pem = noted.bytes(path, BYTES_MAX);
    // Each has to be of use, for one that is not keeps the connection from being made. And nothing but
    // certificates: the file goes into the runners' containers, where jobs may come upon it.
    let pem = pem.and_then(|pem| {
        if String::from_utf8_lossy(&pem).contains("PRIVATE KEY-----") {
            return Err(FileProblem::KeyBeside.of(path));
        }
        authorities(path, &pem).map(|_| pem)
    });
    pem.map(Some).map_err(|error| NamedFileError { field: field.into(), error: error.shown() })
}

/// What cannot be used of the certificates of hosts.
pub(super) fn of_hosts(spec: &Spec, noted: &mut Noted) -> Vec<NamedFileError> {
    let mut errors = Vec::new();
    for (name, host) in &spec.hosts {
        let Some(tls) = &host.tls else { continue };
        errors.extend(of_host(tls, noted).into_iter().map(|(key, error)| NamedFileError {
            field: format!("hosts.{name}.tls.{key}"),
            error: error.shown(),
        }));
    }
    errors
}

fn of_host(tls: &TlsSpec, noted: &mut Noted) -> Vec<(&'static str, FileError)> {
    let mut read = |path: &Path| noted.bytes(path, BYTES_MAX);
    let ca = read(&tls.ca).and_then(|pem| authorities(&tls.ca, &pem));
    let chain = read(&tls.cert).and_then(|pem| certificates(&tls.cert, &pem));
    let key = read(&tls.key).and_then(|pem| {
        PrivateKeyDer::from_pem_slice(&pem).map_err(|_| FileProblem::NoKey.of(&tls.key))
    });
    match (ca, chain, key) {
        (Ok(ca), Ok(chain), Ok(key)) => {
            let pair = client(ca, chain, key);
            pair.err().map(|_| ("key", FileProblem::OtherKey.of(&tls.key))).into_iter().collect()
        }
        (ca, chain, key) => {
            let errors = [("ca", ca.err()), ("cert", chain.err()), ("key", key.err())];
            errors.into_iter().filter_map(|(key, error)| Some((key, error?))).collect()
        }
    }
}

fn client(
    ca: RootCertStore,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?.with_root_certificates(ca);
    builder.with_client_auth_cert(chain, key)
}

fn authorities(path: &Path, pem: &[u8]) -> Result<RootCertStore, FileError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path, pem)? {
        let added = store.add(certificate);
        added.map_err(|error| FileProblem::NoCertificate(error.to_string()).of(path))?;
    }
    Ok(store)
}

/// The certificates of a bundle. One of several may be of a kind that is never used; all may not.
fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let refused = |why: String| FileProblem::NoCertificate(why).of(path);
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found: Vec<CertificateDer<'static>> =
        found.map_err(|_| refused("a part of it has no end, or is no base64".to_owned()))?;
    let mut why = "there is none".to_owned();
    let usable = found.iter().any(|certificate| match ParsedCertificate::try_from(certificate) {
        Ok(_) => true,
        Err(error) => {
            why = error.to_string();
            false
        }
    });
    if usable { Ok(found) } else { Err(refused(why)) }
}
