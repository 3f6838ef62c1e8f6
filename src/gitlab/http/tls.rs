//! TLS to GitLab: what is trusted beside the authorities, and why a connection did not come about.

use std::error::Error;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
};

/// Whose certificates are trusted as themselves, whoever signed them.
#[derive(Debug)]
enum Trusted {
    /// The very certificates that the operator put into `gitlab.ca_file`.
    ///
    /// What `openssl req -x509` makes is an authority's own certificate, and no authority may be a
    /// server to the usual check.
    Pinned(Vec<CertificateDer<'static>>),
    /// Anyone's, to see what is shown.
    Anyone,
}

/// Checks that a server has the key of its certificate, and that this one is trusted.
#[derive(Debug)]
struct Verifier {
    trusted: Trusted,
    provider: Arc<CryptoProvider>,
}

/// A configuration by which only the certificates of that bundle are trusted.
pub(super) fn pinned(pem: &[u8]) -> Option<ClientConfig> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    let mut config = trusting(Trusted::Pinned(certificates))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(config)
}

/// A configuration by which any certificate is taken: for looking at it, and for nothing else.
pub(super) fn taking_any() -> Option<ClientConfig> {
    trusting(Trusted::Anyone)
}

fn trusting(trusted: Trusted) -> Option<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier { trusted, provider: Arc::clone(&provider) };
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().ok()?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Some(builder.with_no_client_auth())
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let certificates = match &self.trusted {
            Trusted::Pinned(certificates) => certificates,
            Trusted::Anyone => return Ok(ServerCertVerified::assertion()),
        };
        if !certificates.iter().any(|known| known == end_entity) {
            return Err(CertificateError::UnknownIssuer.into());
        }
        match verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name) {
            // Many such certificates name no host but in their subject.
            Err(TlsError::InvalidCertificate(CertificateError::NotValidForNameContext {
                presented,
                ..
            })) if presented.is_empty() => {}
            named => named?,
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

type Cause<'a> = &'a (dyn Error + 'static);

/// An error and what caused it, the innermost last.
pub(super) fn causes<'a>(error: Cause<'a>) -> Vec<Cause<'a>> {
    // What an I/O error carries is not its source, which is that one's source already.
    let next = |cause: Cause<'a>| match cause.downcast_ref::<std::io::Error>() {
        Some(error) => error.get_ref().map(|carried| carried as Cause<'a>),
        None => cause.source(),
    };
    std::iter::successors(Some(error), |cause| next(*cause)).collect()
}

/// The certificate was refused for what may not count for one that is trusted as itself. Times do.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls's other errors, now and later, are no matter of a certificate"
)]
pub(super) fn may_be_pinned(error: &TlsError) -> bool {
    match error {
        TlsError::InvalidCertificate(error) => !matches!(
            error,
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        ),
        _ => false,
    }
}

/// Why a TLS connection did not come about, and what to do.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls's other errors, now and later, are told in its own words"
)]
pub(super) fn explained(error: &TlsError) -> String {
    match error {
        TlsError::InvalidCertificate(error) => of_certificate(error),
        TlsError::InvalidMessage(_) => "it does not speak TLS\n\
            hint: use `http://` in `gitlab.url`, or the port at which GitLab speaks https"
            .to_owned(),
        other => other.to_string(),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls's other errors, now and later, are told in its own words"
)]
fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is not signed by an authority that is trusted here\n\
             hint: set `gitlab.ca_file` to the authority that signed it, or to that certificate"
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired\nhint: renew GitLab's certificate".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet\nhint: compare the clocks of both machines".to_owned()
        }
        CertificateError::NotValidForName => "its certificate names another host\n\
            hint: use a name in `gitlab.url` that is in the certificate's subjectAltName"
            .to_owned(),
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "its certificate is for {}\n\
             hint: use one of these names in `gitlab.url`, or put this one into its subjectAltName",
            if presented.is_empty() { "no name".to_owned() } else { presented.join(", ") }
        ),
        other => format!(
            "its certificate is not accepted: {other}\n\
             hint: put that very certificate into `gitlab.ca_file`, or one that is signed properly \
             onto the server"
        ),
    }
}
