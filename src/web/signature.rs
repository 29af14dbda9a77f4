//! Signatures of links (HMAC-SHA-256, RFC 2104).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::hex;

/// The signature over some words and an end.
pub fn sign(key: &[u8], words: &[&str], exp: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    for word in words {
        // The length keeps "ab", "c" from being "a", "bc".
        mac.update(&(word.len() as u64).to_be_bytes());
        mac.update(word.as_bytes());
    }
    mac.update(&exp.to_be_bytes());
    hex::write(&mac.finalize().into_bytes())
}
