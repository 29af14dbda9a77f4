//! The key that a box is known by: Ed25519, made at the first start, never sent.

use std::{io, path::Path};

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use thiserror::Error;

use crate::{
    net::hex,
    os::durable::{self, Readers},
};

const FILE: &str = "device.key";

/// Why there is no key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("the device key in {folder}: {source}")]
    File {
        /// The folder.
        folder: String,
        /// Why.
        source: io::Error,
    },
    /// The kernel gives no random numbers.
    #[error("no random numbers for a device key: {0}")]
    Random(getrandom::Error),
}

/// A box's key.
#[derive(Clone)]
pub struct DeviceKey(SigningKey);

impl std::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceKey({})", self.public_hex())
    }
}

impl DeviceKey {
    /// The key of this folder; made, and kept with mode 0600, if there is none. A damaged one is set aside.
    pub fn open(folder: &Path) -> Result<Self, KeyError> {
        let path = folder.join(FILE);
        let file = |source| KeyError::File {
            folder: folder.display().to_string(),
            source,
        };
        if let Some(bytes) = durable::read(&path).map_err(file)? {
            if let Some(key) = std::str::from_utf8(&bytes).ok().and_then(Self::read) {
                return Ok(key);
            }
            let aside = durable::set_aside(&path).map_err(file)?;
            log::warn!(
                "the device key is damaged: it is now {}, and a new one is made; the box has to be paired again",
                aside.display()
            );
        }
        let key = Self(SigningKey::from_bytes(&random().map_err(KeyError::Random)?));
        durable::make_folder(folder).map_err(file)?;
        durable::write(&path, key.written().as_bytes(), Readers::Owner).map_err(file)?;
        Ok(key)
    }

    /// The public half, 64 hexadecimal digits.
    pub fn public_hex(&self) -> String {
        hex::write(self.0.verifying_key().as_bytes())
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs; 64 bytes.
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }

    /// Two lines: the secret half and the public one, by which damage shows.
    fn written(&self) -> String {
        format!("{}\n{}\n", hex::write(self.0.as_bytes()), self.public_hex())
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let key = Self(SigningKey::from_bytes(&hex::read(lines.next()?)?));
        (lines.next()? == key.public_hex()).then_some(key)
    }
}

/// Whether a signature is that of this key over these bytes; strictly, so that there is one signature for each.
pub fn is_signed(public: &[u8; 32], bytes: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(public).is_ok_and(|key| {
        let signature = Signature::from_bytes(signature);
        key.verify_strict(bytes, &signature).is_ok()
    })
}

/// 32 random bytes.
pub fn random() -> Result<[u8; 32], getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state");
        let key = DeviceKey::open(&state).expect("a key");
        let again = DeviceKey::open(&state).expect("the key");
        assert_eq!(key.public(), again.public());
        let mode = fs::metadata(state.join(FILE))
            .expect("a file")
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        assert!(!format!("{key:?}").contains(&hex::write(key.0.as_bytes())));
    }

    #[test]
    fn a_damaged_key_is_set_aside_and_made_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = DeviceKey::open(folder.path()).expect("a key");
        let path = folder.path().join(FILE);
        let whole = fs::read_to_string(&path).expect("text");
        for damage in [
            whole[..40].to_owned(),
            whole.replacen(&whole[..1], "z", 1),
            String::new(),
        ] {
            fs::write(&path, damage).expect("written");
            let other = DeviceKey::open(folder.path()).expect("a new key");
            assert_ne!(other.public(), first.public());
        }
        assert!(folder.path().join("device.key.damaged-3").exists());
    }

    #[test]
    fn signatures_are_checked() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = DeviceKey::open(folder.path()).expect("a key");
        let mut signature = key.sign(b"these bytes");
        assert!(is_signed(&key.public(), b"these bytes", &signature));
        assert!(!is_signed(&key.public(), b"other bytes", &signature));
        signature[3] ^= 1;
        assert!(!is_signed(&key.public(), b"these bytes", &signature));
    }
}
