//! Whether a catalogue from the network may be trusted: it is signed by who may sign it, or it is the one that was pinned.

use crate::remote_error::RemoteError;
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest, Sha256};

/// What vouches for a catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogueTrust {
    /// A detached Ed25519 signature over the catalogue's bytes, by the holder of this public key (64 hex digits).
    PublicKey(String),
    /// The catalogue's own SHA-256 (64 hex digits).
    Sha256(String),
}

/// Checks a catalogue before anything reads it. `signature` is what lies beside it: 64 bytes, or 128 hex digits.
pub fn verify_catalogue(catalogue: &[u8], signature: Option<&[u8]>, trust: &CatalogueTrust) -> Result<(), RemoteError> {
    let untrusted = |problem| RemoteError::CatalogueUntrusted { problem };
    match trust {
        CatalogueTrust::PublicKey(key) => {
            let key: [u8; 32] = from_hex(key).ok_or(untrusted("the key to check it with is not a key"))?;
            let signature = signature.ok_or(untrusted("it is not signed"))?;
            let signature: [u8; 64] = match signature.try_into() {
                Ok(bytes) => bytes,
                Err(_) => std::str::from_utf8(signature)
                    .ok()
                    .and_then(|text| from_hex(text.trim()))
                    .ok_or(untrusted("its signature is not one"))?,
            };
            let key = UnparsedPublicKey::new(&ED25519, key);
            key.verify(catalogue, &signature).map_err(|_| untrusted("it is not signed by who may sign it"))
        }
        CatalogueTrust::Sha256(pinned) => {
            let pinned: [u8; 32] = from_hex(pinned).ok_or(untrusted("the hash to check it with is not a hash"))?;
            if <[u8; 32]>::from(Sha256::digest(catalogue)) == pinned {
                Ok(())
            } else {
                Err(untrusted("it is not the one that was pinned"))
            }
        }
    }
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
