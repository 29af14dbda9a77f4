//! Pairing a box with a house: the code on the screen, the number that both sides compare, and what keys sign.
//!
//! Deliberately absent: random numbers, keys and signatures themselves; whoever calls brings bytes and takes bytes.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};
use thiserror::Error;

/// The letters of a code: no vowels, so that no words come about (RFC 8628, section 6.1).
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a code.
const LETTERS: usize = 8;
/// Bytes below this are as many for every letter: 12 times 20.
const FAIR: u8 = 240;

/// The code that a box shows and a person enters, written `BCDF-GHJK`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PairingCode([u8; LETTERS]);

/// A text that is no code.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("this is no pairing code: enter the eight letters that the screen shows, as in BCDF-GHJK")]
pub struct BadPairingCode;

impl PairingCode {
    /// A code from random bytes, or nothing where they do not suffice: every letter is equally likely, so a byte in
    /// sixteen is passed over. 32 bytes suffice but once in 10^17 times.
    pub fn from_random(bytes: &[u8]) -> Option<Self> {
        let mut fair = bytes.iter().filter(|byte| **byte < FAIR);
        let mut letters = [0; LETTERS];
        for letter in &mut letters {
            *letter = ALPHABET[usize::from(fair.next()? % 20)];
        }
        Some(Self(letters))
    }
}

impl fmt::Display for PairingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, letter) in self.0.iter().enumerate() {
            if index == LETTERS / 2 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(*letter))?;
        }
        Ok(())
    }
}

impl fmt::Debug for PairingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A code is a secret while it lives, and logs are not.
        f.write_str("PairingCode(..)")
    }
}

impl FromStr for PairingCode {
    type Err = BadPairingCode;

    /// Reads a code as people type it: in any case, with or without spaces and hyphens.
    fn from_str(text: &str) -> Result<Self, BadPairingCode> {
        let mut letters = [0; LETTERS];
        let mut places = letters.iter_mut();
        for character in text.chars() {
            // Telephones make dashes of two hyphens.
            if character.is_whitespace()
                || "-\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}".contains(character)
            {
                continue;
            }
            let letter =
                u8::try_from(character.to_ascii_uppercase()).map_err(|_| BadPairingCode)?;
            match (ALPHABET.contains(&letter), places.next()) {
                (true, Some(place)) => *place = letter,
                (true, None) | (false, _) => return Err(BadPairingCode),
            }
        }
        match places.next() {
            None => Ok(Self(letters)),
            Some(_) => Err(BadPairingCode),
        }
    }
}

/// The number that a person compares on both screens, written `123 456`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CheckNumber(u32);

/// What two sides of a pairing know when both have shown their nonces.
#[derive(Clone, Copy, Debug)]
pub struct Pairing<'a> {
    /// The box's Ed25519 public key.
    pub device_key: &'a [u8; 32],
    /// The house's Ed25519 public key.
    pub server_key: &'a [u8; 32],
    /// The SHA-256 of the public key (SPKI) of the TLS certificate that the box saw; nothing without TLS.
    pub spki_sha256: Option<&'a [u8; 32]>,
    /// The box's nonce, to which it committed before it saw the house's.
    pub box_nonce: &'a [u8; 32],
    /// The house's nonce.
    pub server_nonce: &'a [u8; 32],
}

impl Pairing<'_> {
    /// The check number: somebody in the middle has another key, and so cannot have the same on both sides but by
    /// luck, once in a million.
    pub fn check_number(&self) -> CheckNumber {
        let mut hash = Sha256::new();
        hash.update(b"musebox check 1\0");
        hash.update(self.device_key);
        hash.update(self.server_key);
        hash.update(self.spki_sha256.map_or(&[][..], |spki| spki));
        hash.update(self.box_nonce);
        hash.update(self.server_nonce);
        let digest: [u8; 32] = hash.finalize().into();
        let first = digest.iter().take(8);
        let number = first.fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        CheckNumber((number % 1_000_000) as u32)
    }
}

impl fmt::Display for CheckNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} {:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// What a box sends before it shows its nonce.
pub fn commitment(box_nonce: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(box_nonce).into()
}

/// The bytes that a box signs with its key for a token.
pub fn token_challenge(server_nonce: &[u8; 32], box_nonce: &[u8; 32]) -> Vec<u8> {
    [b"musebox token 1\0", &server_nonce[..], &box_nonce[..]].concat()
}

/// The bytes that a house signs with its key, so that a box knows it again.
pub fn house_proof(box_nonce: &[u8; 32], server_nonce: &[u8; 32]) -> Vec<u8> {
    [b"musebox house 1\0", &box_nonce[..], &server_nonce[..]].concat()
}

/// The bytes that a house signs with its key when it says that this box is not, or no longer, its own: whoever else
/// answers at its address cannot say so.
pub fn parting_proof(box_nonce: &[u8; 32], device_key: &[u8; 32]) -> Vec<u8> {
    [b"musebox parts 1\0", &box_nonce[..], &device_key[..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_back_however_it_is_typed() {
        let code =
            PairingCode::from_random(&[0, 1, 255, 240, 19, 20, 239, 7, 8, 9]).expect("bytes");
        assert_eq!(code.to_string(), "BCZB-ZKLM");
        for text in ["BCZB-ZKLM", "bczbzklm", " b c z b – zk lm\n", "BCZB—ZKLM"] {
            assert_eq!(text.parse(), Ok(code), "{text}");
        }
        for text in [
            "",
            "BCZB-ZKL",
            "BCZB-ZKLMM",
            "BCZB-ZKLA",
            "BCZB-ZKL0",
            "BCZB_ZKLM",
            "ÉCZBZKLM",
        ] {
            assert_eq!(text.parse::<PairingCode>(), Err(BadPairingCode), "{text}");
        }
        assert_eq!(PairingCode::from_random(&[255; 32]), None);
        assert_eq!(PairingCode::from_random(&[0; 7]), None);
        assert!(!format!("{code:?}").contains("BCZB"));
    }

    #[test]
    fn the_check_number_depends_on_everything() {
        let (a, b, c, d, e) = ([1; 32], [2; 32], [3; 32], [4; 32], [5; 32]);
        let pairing = Pairing {
            device_key: &a,
            server_key: &b,
            spki_sha256: Some(&c),
            box_nonce: &d,
            server_nonce: &e,
        };
        let number = pairing.check_number();
        let others = [
            Pairing {
                device_key: &b,
                ..pairing
            },
            Pairing {
                server_key: &a,
                ..pairing
            },
            Pairing {
                spki_sha256: None,
                ..pairing
            },
            Pairing {
                box_nonce: &e,
                ..pairing
            },
            Pairing {
                server_nonce: &d,
                ..pairing
            },
        ];
        for other in others {
            assert_ne!(other.check_number(), number, "{other:?}");
        }
        assert_eq!(CheckNumber(7).to_string(), "000 007");
        assert_eq!(CheckNumber(999_999).to_string(), "999 999");
    }

    #[test]
    fn what_is_signed_for_one_thing_is_never_good_for_another() {
        let (a, b) = ([1; 32], [2; 32]);
        assert_ne!(token_challenge(&a, &b), house_proof(&a, &b));
        assert_eq!(token_challenge(&a, &b).len(), 16 + 64);
        assert_eq!(house_proof(&b, &a)[16..48], b);
        assert_ne!(commitment(&a), commitment(&b));
    }
}
