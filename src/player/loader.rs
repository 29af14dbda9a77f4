//! Opens items: images here, everything else in GStreamer.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use crate::{
    domain::{
        ids::{LoadId, ScreenIndex},
        pacing::{FrameKey, Traits},
        playlist::{Item, MediaKind},
        sequencer::{Failure, FailureKind, Media, Replayable},
        units::{MediaTime, Mode, Size},
    },
    gst::{self, DecoderOptions, Opening, Slot, SlotNews, Source},
    os::{
        doorbell::Doorbell,
        feed::{Feed, Target, TimedFrame},
        frame::{Frame, Prepare},
    },
    picture,
};

/// What an item was opened as. Dropping it closes it, without waiting.
pub enum Loaded {
    /// A medium that moves.
    Slot(Slot),
    /// An image.
    Image(Arc<Feed>),
}

impl Loaded {
    /// Its frames and sound.
    pub fn feed(&self) -> &Arc<Feed> {
        match self {
            Loaded::Slot(slot) => slot.feed(),
            Loaded::Image(feed) => feed,
        }
    }
}

/// The size that covers every screen: no image needs to be larger.
pub fn largest(modes: &[Mode]) -> Size {
    let sizes = modes.iter().map(|mode| mode.size);
    sizes.fold(Size::new(1, 1), |one, other| {
        Size::new(one.width.max(other.width), one.height.max(other.height))
    })
}

/// How to open items.
#[derive(Clone)]
pub struct Loader {
    /// Rings when a frame arrives.
    pub bell: Doorbell,
    /// How decoders are chosen.
    pub decoders: DecoderOptions,
    /// The size of the largest screen, see [`largest`]: larger images are made smaller.
    pub screen: Size,
    /// What makes frames ready to be shown, if the display needs that.
    pub display: Option<Arc<dyn Prepare>>,
}

impl Loader {
    fn feed(&self, screen: ScreenIndex) -> Arc<Feed> {
        let target = self.display.clone().map(|display| Target {
            display,
            head: screen.0,
        });
        Arc::new(Feed::new(self.bell.clone(), target))
    }

    /// Opens an item for a screen. News come from a thread of its own.
    pub fn open(
        &self,
        screen: ScreenIndex,
        load: LoadId,
        item: &Arc<Item>,
        report: impl Fn(SlotNews) + Send + 'static,
    ) -> std::io::Result<Loaded> {
        let source = source(&item.src);
        match item.kind() {
            MediaKind::Image => self
                .open_image(screen, load, item.clone(), source, report)
                .map(Loaded::Image),
            MediaKind::Video => {
                let check = match (&source, &item.sha256) {
                    (Source::File(path), Some(sha256)) => Some((path.clone(), sha256.clone())),
                    (Source::File(_) | Source::Uri(_), _) => None,
                };
                let check = check.map(|(path, sha256)| move || verify(&path, &sha256));
                let opening = Opening {
                    load,
                    source,
                    cap: item.duration,
                    decoders: self.decoders.clone(),
                };
                gst::open(opening, self.feed(screen), check, report).map(Loaded::Slot)
            }
        }
    }

    fn open_image(
        &self,
        screen: ScreenIndex,
        load: LoadId,
        item: Arc<Item>,
        source: Source,
        report: impl Fn(SlotNews) + Send + 'static,
    ) -> std::io::Result<Arc<Feed>> {
        let feed = self.feed(screen);
        let (target, screen) = (feed.clone(), self.screen);
        std::thread::Builder::new()
            .name(format!("image-{load}"))
            .spawn(move || {
                report(match decode_image(&item, &source, screen) {
                    Ok(frame) => {
                        let key = FrameKey {
                            round: 0,
                            pts: MediaTime::ZERO,
                            duration: MediaTime::ZERO,
                        };
                        let _ = target.post(TimedFrame {
                            key,
                            frame: Arc::new(frame),
                        });
                        target.frames.end();
                        target.sound.end();
                        let traits = Traits {
                            still: true,
                            in_place: true,
                        };
                        let decoder = "image".to_owned();
                        SlotNews::Ready {
                            media: Media::Still,
                            replayable: Replayable::InPlace,
                            traits,
                            decoder,
                        }
                    }
                    Err(failure) => SlotNews::Failed(failure),
                });
            })?;
        Ok(feed)
    }
}

/// Where an item's `src` points.
pub fn source(src: &str) -> Source {
    match src.split_once("://") {
        Some(("file", _)) => match gstreamer::glib::filename_from_uri(src) {
            Ok((path, _)) => Source::File(path),
            Err(_) => Source::Uri(src.to_owned()),
        },
        Some(_) => Source::Uri(src.to_owned()),
        None => Source::File(PathBuf::from(src)),
    }
}

fn decode_image(item: &Item, source: &Source, screen: Size) -> Result<Frame, Failure> {
    let fail = |kind, message: String| Failure {
        kind,
        message: format!("{}: {message}", item.src),
    };
    let bytes = match source {
        Source::File(path) => {
            if let Some(sha256) = &item.sha256 {
                verify(path, sha256)?;
            }
            std::fs::read(path).map_err(|err| fail(FailureKind::Missing, err.to_string()))?
        }
        Source::Uri(uri) => gst::fetch(uri).map_err(|message| Failure {
            kind: FailureKind::Network,
            message,
        })?,
    };
    let fitted = picture::image::decode_within(&bytes, picture::Limits::default(), screen)
        .map_err(|err| fail(err.kind(), err.to_string()))?;
    let size = fitted.size;
    Frame::from_rgba(size, fitted.rgba)
        .ok_or_else(|| fail(FailureKind::Corrupt, "the picture is incomplete".to_owned()))
}

/// Fails if the file's SHA-256 is another.
fn verify(path: &Path, wanted: &str) -> Result<(), Failure> {
    let unreadable = |err: std::io::Error| Failure {
        kind: FailureKind::Missing,
        message: format!("{}: {err}", path.display()),
    };
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).map_err(unreadable)? {
            0 => break,
            length => digest.update(&buffer[..length]),
        }
    }
    let found: String = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    match found.eq_ignore_ascii_case(wanted) {
        true => Ok(()),
        false => {
            let message = format!(
                "{}: its SHA-256 is {found}, the playlist says {wanted}",
                path.display()
            );
            Err(Failure {
                kind: FailureKind::Hash,
                message,
            })
        }
    }
}
