//! Secrets: made at random, kept as hashes.
//!
//! What is given out once (session cookies, API tokens, device tokens, set-up links) has 256 random bits, so its plain
//! SHA-256 is enough to recognise it. Passwords are chosen by people and get argon2id.

use argon2::{
    Argon2,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString},
};
use sha2::{Digest, Sha256};

use crate::domain::hex;

/// The shortest password that is taken, in characters.
pub const SHORTEST_PASSWORD: usize = 10;
/// The longest one.
pub const LONGEST_PASSWORD: usize = 1024;

/// Random bytes from the system.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

/// A new secret: 64 hexadecimal digits.
pub fn secret() -> String {
    hex::write(&random::<32>())
}

/// A new id: 26 hexadecimal digits, long enough never to come twice.
pub fn id() -> String {
    hex::write(&random::<13>())
}

/// What is kept of a secret.
pub fn hash(secret: &str) -> String {
    hex::write(&Sha256::digest(secret.as_bytes()))
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub fn same(one: &str, other: &str) -> bool {
    let differ = one.bytes().zip(other.bytes());
    one.len() == other.len() && differ.fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// What is kept of a password: argon2id with the crate's default cost. Takes tens of milliseconds of a processor.
pub fn hash_password(password: &str) -> String {
    let salt = SaltString::encode_b64(&random::<16>()).expect("16 bytes make a salt");
    Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .expect("the default cost is valid")
        .to_string()
}

/// Whether a password is the one that was hashed.
pub fn verify_password(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_recognised_and_another_is_not() {
        let hash = hash_password("correct horse");
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(verify_password("correct horse", &hash));
        assert!(!verify_password("correct house", &hash));
        assert!(!verify_password("correct horse", "nonsense"));
    }

    #[test]
    fn secrets_are_the_same_or_not() {
        assert!(same("ab", "ab") && !same("ab", "ac") && !same("ab", "abc"));
        assert_ne!(secret(), secret());
    }
}
