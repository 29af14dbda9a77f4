//! What a box remembers of its house: the file `link.json`.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        config::HouseUrl,
        ids::{HouseId, HouseScreenId},
    },
    net::hex,
    os::durable::{self, Readers},
};

const FILE: &str = "link.json";

/// A house that a box belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Where it is.
    pub url: HouseUrl,
    /// The address that the configuration named then; another one counts from when it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configured: Option<HouseUrl>,
    /// Its id.
    pub house: HouseId,
    /// What it calls the box.
    pub screen: HouseScreenId,
    /// Its public key (Ed25519), as it was when the box was paired.
    #[serde(with = "digits")]
    pub server_key: [u8; 32],
    /// What its certificate was then; nothing without TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
}

/// What a house's certificate was when a box was paired with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The SHA-256 of its SubjectPublicKeyInfo.
    #[serde(with = "digits")]
    pub spki: [u8; 32],
    /// Who vouched for it.
    pub issuer: Issuer,
}

/// Who vouches for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Issuer {
    /// One of the machine's certificate authorities: another certificate of theirs will do as well.
    Authority,
    /// Nobody but the people who compared the check number: only this key will do.
    Own,
}

/// Why a box no longer belongs to a house, or never did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parting {
    /// The house said no.
    Refused,
    /// The house took the box off its list.
    Revoked,
    /// Somebody at the box ended it.
    Unpaired,
}

/// How a box stands to houses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Tie {
    /// It never belonged to one.
    #[default]
    Never,
    /// Somebody at the box wants it to belong to this one.
    Asked {
        /// Where it is.
        url: HouseUrl,
        /// The house that it belongs to until that one has said yes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Box<Link>>,
    },
    /// It belongs to one.
    Linked(Link),
    /// It belonged, or wanted to belong, to this one. Nothing is tried again until somebody says so.
    Parted {
        /// Where it is.
        url: HouseUrl,
        /// Why.
        why: Parting,
    },
}

impl Tie {
    /// The house that the box belongs to, also while it asks another one.
    pub fn link(&self) -> Option<&Link> {
        match self {
            Tie::Linked(link) => Some(link),
            Tie::Asked { before, .. } => before.as_deref(),
            Tie::Never | Tie::Parted { .. } => None,
        }
    }
}

/// The file.
#[derive(Clone, Debug)]
pub struct LinkFile {
    path: PathBuf,
}

impl LinkFile {
    /// The file of this state folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE),
        }
    }

    /// What it says. A damaged file is set aside; then the box has to be paired again.
    pub fn read(&self) -> io::Result<Tie> {
        let Some(bytes) = durable::read(&self.path)? else {
            return Ok(Tie::Never);
        };
        match serde_json::from_slice(&bytes) {
            Ok(tie) => Ok(tie),
            Err(err) => {
                let aside = durable::set_aside(&self.path)?;
                log::warn!(
                    err = err.to_string().as_str();
                    "what the box remembers of its house is damaged: it is now {}, and the box has to be paired again",
                    aside.display()
                );
                Ok(Tie::Never)
            }
        }
    }

    /// Replaces what it says.
    pub fn write(&self, tie: &Tie) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            durable::make_folder(folder)?;
        }
        let mut text = serde_json::to_vec_pretty(tie).map_err(io::Error::other)?;
        text.push(b'\n');
        durable::write(&self.path, &text, Readers::Owner)
    }
}

/// 32 bytes as hexadecimal digits.
mod digits {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::hex;

    pub fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::write(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::read(&text).ok_or_else(|| de::Error::custom("these are not 64 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn link() -> Link {
        Link {
            url: "https://gallery.example".parse().expect("an address"),
            configured: None,
            house: HouseId::new("h1"),
            screen: HouseScreenId::new("s1"),
            server_key: [7; 32],
            certificate: Some(Certificate {
                spki: [9; 32],
                issuer: Issuer::Own,
            }),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = LinkFile::new(&folder.path().join("state"));
        assert_eq!(file.read().expect("read"), Tie::Never);
        let parted = Tie::Parted {
            url: link().url,
            why: Parting::Revoked,
        };
        let asked = |before| Tie::Asked {
            url: "https://other.example".parse().expect("an address"),
            before,
        };
        let asked = [asked(None), asked(Some(Box::new(link())))];
        for tie in [Tie::Linked(link()), parted, Tie::Never]
            .into_iter()
            .chain(asked)
        {
            file.write(&tie).expect("written");
            assert_eq!(file.read().expect("read"), tie);
        }
    }

    #[test]
    fn a_damaged_file_is_set_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = LinkFile::new(folder.path());
        file.write(&Tie::Linked(link())).expect("written");
        let text = fs::read_to_string(&file.path).expect("text");
        fs::write(&file.path, &text[..text.len() / 2]).expect("written");
        assert_eq!(file.read().expect("read"), Tie::Never);
        assert!(folder.path().join("link.json.damaged-1").exists());
    }
}
