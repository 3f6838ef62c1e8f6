//! Certificates made for a test.

use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::source::folder::Folder;

/// A certificate in PEM form, each time another one, and its key.
pub(crate) fn pair() -> (String, String) {
    let made = generate_simple_self_signed(["git.example.com".to_owned()]).unwrap();
    let CertifiedKey { cert, signing_key } = made;
    (cert.pem(), signing_key.serialize_pem())
}

/// `ca.pem`, `cert.pem` and `key.pem`, which go together.
pub(crate) fn write(folder: &Folder) {
    let (cert, key) = pair();
    folder.write("ca.pem", &cert);
    folder.write("cert.pem", &cert);
    folder.write("key.pem", &key);
}
