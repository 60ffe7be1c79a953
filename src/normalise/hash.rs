//! Keyed digests: what lets us say "the same again" for years without keeping what was said.
//!
//! Each tenant has a key of its own, derived from one master secret, so that equal digests of two tenants mean nothing.
//! Values are hashed before redaction, in memory only.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes kept of a digest.
pub(super) const DIGEST_BYTES: usize = 16;

/// The master secret of an installation, from which each tenant's key is derived.
#[derive(Clone)]
pub struct Secrets(Hmac<Sha256>);

impl Secrets {
    /// Takes the master secret; any length will do, 32 random bytes are right.
    pub fn new(master: &[u8]) -> Self {
        Self(keyed(master))
    }

    /// Returns the key of one tenant.
    pub(crate) fn tenant_key(&self, tenant: &str) -> TenantKey {
        let mut mac = self.0.clone();
        mac.update(b"outspan tenant key\0");
        mac.update(tenant.as_bytes());
        TenantKey(keyed(&mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(hidden)")
    }
}

/// The key of one tenant.
#[derive(Clone)]
pub(crate) struct TenantKey(Hmac<Sha256>);

impl TenantKey {
    /// Returns the digest of `parts` for one purpose; where one part ends matters.
    pub(crate) fn digest(&self, purpose: &str, parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
        let mut mac = self.0.clone();
        mac.update(purpose.as_bytes());
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        let mut digest = [0; DIGEST_BYTES];
        digest.copy_from_slice(&mac.finalize().into_bytes()[..DIGEST_BYTES]);
        digest
    }

    /// Returns the digest of one text as lower-case hex.
    pub(crate) fn text(&self, purpose: &str, text: &str) -> String {
        hex::encode(self.digest(purpose, &[text.as_bytes()]))
    }
}

impl fmt::Debug for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantKey(hidden)")
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_of_two_tenants_have_different_digests() {
        let secrets = Secrets::new(b"master");
        let digest = |tenant: &str| secrets.tenant_key(tenant).text("args", "{}");
        assert_eq!(digest("a"), digest("a"));
        assert_ne!(digest("a"), digest("b"));
        assert_eq!(digest("a").len(), 2 * DIGEST_BYTES);
    }

    #[test]
    fn purpose_master_and_borders_of_parts_matter() {
        let key = Secrets::new(b"master").tenant_key("a");
        assert_ne!(key.text("args", "{}"), key.text("result", "{}"));
        assert_ne!(
            key.digest("x", &[b"ab", b"c"]),
            key.digest("x", &[b"a", b"bc"])
        );
        let other = Secrets::new(b"another").tenant_key("a");
        assert_ne!(key.text("args", "{}"), other.text("args", "{}"));
    }

    #[test]
    fn a_key_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secrets::new(b"hunter2")), "Secrets(hidden)");
    }
}
