//! Certificates, made for one test.

use autogit::spec::TlsSpec;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};

use crate::hosts::own_engine;
use crate::hosts::require::Folder;

/// Who signs.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a certificate is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use {
    /// The test's own engine, by its first address and no name.
    Engine,
    /// AutoGit.
    Client,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate, in PEM.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate and its key, in PEM, that ends with this year.
    pub(crate) fn signs(&self, purpose: Use, last_year: i32) -> (String, String) {
        let (names, usage) = match purpose {
            Use::Engine => (vec![own_engine::address(false)], ExtendedKeyUsagePurpose::ServerAuth),
            Use::Client => (Vec::new(), ExtendedKeyUsagePurpose::ClientAuth),
        };
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, format!("{purpose:?}"));
        params.extended_key_usages = vec![usage];
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(last_year, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// Puts what a client is given into the folder.
pub(crate) fn write(folder: &Folder, ca: &str, pair: &(String, String)) -> TlsSpec {
    TlsSpec {
        ca: folder.write("client-ca.pem", ca).into(),
        cert: folder.write("client-cert.pem", &pair.0).into(),
        key: folder.write("client-key.pem", &pair.1).into(),
    }
}
