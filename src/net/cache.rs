//! The last environment, kept on disk: a box plays from it before any network is up.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::{
    domain::{
        house::{Environment, EnvironmentError, Reading, canonical},
        ids::{DocumentHash, Epoch, HouseScreenId, Revision},
        session::Held,
    },
    os::durable::{self, Readers},
};

const FILE: &str = "environment.json";

/// An environment that is whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The document with its revision.
    pub held: Held,
    /// What the house calls this box.
    pub screen: HouseScreenId,
    /// The document, as far as it is understood.
    pub environment: Arc<Environment>,
    /// What is not understood, and was left out.
    pub left_out: Vec<EnvironmentError>,
}

/// So much of what is left out is named in one line of the log.
const NAMED: usize = 5;

impl Kept {
    /// Reads what a house sent.
    pub fn read(held: Held, screen: HouseScreenId) -> Result<Self, EnvironmentError> {
        let Reading {
            environment,
            left_out,
        } = Reading::of(&held.document)?;
        Ok(Self {
            held,
            screen,
            environment: Arc::new(environment),
            left_out,
        })
    }

    /// Whether the box's screen is in it.
    pub fn has_screen(&self) -> bool {
        self.environment.screens.contains_key(&self.screen)
    }

    /// What is left out of this environment and was not left out of the one before, for the log; nothing where there
    /// is no news.
    pub fn newly_left_out(&self, before: Option<&Kept>) -> Option<String> {
        let before = before.map(|kept| kept.left_out.iter().collect::<HashSet<_>>());
        let before = before.unwrap_or_default();
        let mut news = self.left_out.iter().filter(|part| !before.contains(part));
        let named = news.by_ref().take(NAMED);
        let named = named.map(|part| format!("{}: {}", part.key, part.message));
        let text = named.collect::<Vec<_>>().join("; ");
        match (text.is_empty(), news.count()) {
            (true, _) => None,
            (false, 0) => Some(text),
            (false, more) => Some(format!("{text}; and {more} more")),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Written<D> {
    epoch: Epoch,
    rev: Revision,
    sha256: DocumentHash,
    screen: HouseScreenId,
    document: D,
}

/// Why a file holds no environment.
#[derive(Debug, Error)]
enum Damage {
    #[error(transparent)]
    Form(#[from] serde_json::Error),
    #[error("its hash is not that of its document")]
    Hash,
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
}

/// The file.
#[derive(Clone, Debug)]
pub struct Cache {
    path: PathBuf,
}

impl Cache {
    /// The file of this state folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE),
        }
    }

    /// The environment that is kept. A damaged file is set aside, as if there were none.
    pub fn read(&self) -> io::Result<Option<Kept>> {
        let Some(bytes) = durable::read(&self.path)? else {
            return Ok(None);
        };
        match parse(&bytes) {
            Ok(kept) => Ok(Some(kept)),
            Err(damage) => {
                let aside = durable::set_aside(&self.path)?;
                log::warn!(
                    err = damage.to_string().as_str();
                    "the kept environment is damaged: it is now {}, and the house is asked for another",
                    aside.display()
                );
                Ok(None)
            }
        }
    }

    /// Keeps an environment instead of the one before.
    pub fn write(&self, kept: &Kept) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            durable::make_folder(folder)?;
        }
        let written = Written {
            epoch: kept.held.epoch.clone(),
            rev: kept.held.rev,
            sha256: canonical::sha256(&kept.held.document),
            screen: kept.screen.clone(),
            document: &*kept.held.document,
        };
        let text = serde_json::to_vec(&written).map_err(io::Error::other)?;
        durable::write(&self.path, &text, Readers::Owner)
    }

    /// Keeps none.
    pub fn forget(&self) -> io::Result<()> {
        durable::remove(&self.path)
    }
}

fn parse(bytes: &[u8]) -> Result<Kept, Damage> {
    let written: Written<Value> = serde_json::from_slice(bytes)?;
    if canonical::sha256(&written.document) != written.sha256 {
        return Err(Damage::Hash);
    }
    let held = Held {
        epoch: written.epoch,
        rev: written.rev,
        document: Arc::new(written.document),
    };
    Ok(Kept::read(held, written.screen)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    fn kept(name: &str) -> Kept {
        let document = json!({"house": {"id": "h1", "rev": 7, "name": name}});
        let held = Held {
            epoch: Epoch::new("e1"),
            rev: Revision(7),
            document: Arc::new(document),
        };
        Kept::read(held, HouseScreenId::new("s1")).expect("an environment")
    }

    #[test]
    fn what_is_kept_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(&folder.path().join("state"));
        assert_eq!(cache.read().expect("read"), None);
        for name in ["Gallery", "Galerie für Wände"] {
            cache.write(&kept(name)).expect("written");
            assert_eq!(cache.read().expect("read"), Some(kept(name)));
        }
        cache.forget().expect("forgotten");
        assert_eq!(cache.read().expect("read"), None);
    }

    #[test]
    fn what_is_not_understood_is_kept_as_it_was_sent() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(folder.path());
        let mut kept = kept("Gallery");
        let mut document = Value::clone(&kept.held.document);
        document["house"]["fit"] = json!("zoom");
        document["items"] =
            json!({"i1": {"kind": "scene", "angle": 90.5}, "i2": {"kind": "image"}});
        kept.held.document = Arc::new(document);
        let kept = Kept::read(kept.held, kept.screen).expect("an environment");
        assert_eq!(kept.environment.items.len(), 1);
        cache.write(&kept).expect("written");
        let again = cache.read().expect("read").expect("an environment");
        assert_eq!(again, kept);
        assert_eq!(again.held.document["items"]["i1"]["angle"], 90.5);
        assert_eq!(
            canonical::sha256(&again.held.document),
            canonical::sha256(&kept.held.document)
        );
    }

    #[test]
    fn what_is_left_out_is_news_once() {
        let with = |kinds: &[&str]| {
            let mut kept = kept("Gallery");
            let mut document = Value::clone(&kept.held.document);
            for (number, kind) in kinds.iter().enumerate() {
                document["items"][format!("i{number}")] = json!({"kind": kind});
            }
            kept.held.document = Arc::new(document);
            Kept::read(kept.held, kept.screen).expect("an environment")
        };
        let plain = with(&["image"]);
        assert_eq!(plain.newly_left_out(None), None);
        let one = with(&["image", "scene"]);
        let told = one.newly_left_out(Some(&plain)).expect("news");
        assert!(
            told.starts_with("items.i1.kind: unknown variant `scene`"),
            "{told}"
        );
        assert_eq!(one.newly_left_out(Some(&one)), None);
        let two = with(&["image", "scene", "smell"]);
        let told = two.newly_left_out(Some(&one)).expect("news");
        assert!(
            told.starts_with("items.i2.kind") && !told.contains("i1"),
            "{told}"
        );
        let told = with(&["scene"; 9]).newly_left_out(None).expect("news");
        assert!(told.ends_with("; and 4 more"), "{told}");
    }

    #[test]
    fn damage_of_any_kind_is_found_and_set_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(folder.path());
        cache.write(&kept("Gallery")).expect("written");
        let whole = fs::read_to_string(&cache.path).expect("text");
        let damages = [
            whole[..whole.len() / 2].to_owned(),
            whole.replace("Gallery", "Gallerx"),
            whole.replace("\"house\"", "\"horse\""),
            "\0".repeat(4096),
            String::new(),
        ];
        for (number, damage) in (1..).zip(damages) {
            fs::write(&cache.path, damage).expect("written");
            assert_eq!(cache.read().expect("read"), None, "damage {number}");
            let aside = folder
                .path()
                .join(format!("environment.json.damaged-{number}"));
            assert!(aside.exists(), "damage {number}");
        }
    }
}
