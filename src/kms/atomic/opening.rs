//! The card that is taken, and why one cannot be had.

use std::{io, path::Path};

use thiserror::Error;

use crate::kms::atomic::{card::Card, objects::Objects};

/// Why the kernel's display cannot be had.
#[derive(Debug, Error)]
pub enum OpenError {
    /// There is no card at all.
    #[error("there is no display controller (/dev/dri/card*)")]
    NoCard,
    /// Somebody else draws on it.
    #[error(
        "{path}: another program is its master (a desktop, a splash screen, another player): end it first"
    )]
    Taken {
        /// Which.
        path: String,
    },
    /// A card cannot be used.
    #[error("{path} cannot be used: {source}{advice}")]
    Card {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
        /// What to do.
        advice: &'static str,
    },
}

/// The card that is asked for, or the first with a screen, or the first at all.
pub(super) fn open_card(path: Option<&Path>) -> Result<(Card, Objects), OpenError> {
    let open = |path: &Path| {
        let opened = Card::open(path).and_then(|card| {
            let objects = Objects::read(&card)?;
            Ok((card, objects))
        });
        opened.map_err(|source| OpenError::Card {
            path: path.display().to_string(),
            advice: advice(&source),
            source,
        })
    };
    if let Some(path) = path {
        return open(path);
    }
    let (mut dark, mut error) = (None, OpenError::NoCard);
    for path in Card::paths() {
        match open(&path) {
            Ok(found) if found.1.connectors.iter().any(|one| one.screen.is_some()) => {
                return Ok(found);
            }
            Ok(found) => dark = dark.or(Some(found)),
            Err(err) => error = err,
        }
    }
    dark.ok_or(error)
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; be in the group video, or root",
        io::ErrorKind::NotFound => "; see ls /dev/dri for the cards there are",
        _ => "",
    }
}
