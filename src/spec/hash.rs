//! A short name for what a file says.

use std::fmt;

use ring::hmac;
use secrecy::ExposeSecret;
use serde_json::Value;
use sha2::Sha256;

use super::Credential;

/// A digest of all that a file says, secrets too: never shown as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(value: &Value) -> Self {
        Self(<Sha256 as sha2::Digest>::digest(value.to_string()).into())
    }

    /// Twelve hex digits, which nobody can compute who does not know the token.
    pub fn keyed(&self, token: &Credential) -> String {
        let key = token.value().map_or("", |token| token.expose_secret());
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        short(hmac::sign(&key, &self.0).as_ref())
    }

    /// Twelve hex digits, for whoever wrote the file and has all that went into it.
    pub fn bare(&self) -> String {
        short(&self.0)
    }
}

fn short(bytes: &[u8]) -> String {
    hex(bytes.iter().take(6))
}

/// Two digits a byte.
pub(crate) fn hex<'b>(bytes: impl Iterator<Item = &'b u8>) -> String {
    bytes.fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Not a byte of it.
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digest").finish_non_exhaustive()
    }
}
