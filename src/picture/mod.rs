//! Still pictures in memory: image files decoded, cards set in type, pictures written out again.
//!
//! Every [`Picture`] is opaque 8-bit sRGB, whatever it was made from. Bytes come in, pixels go out. Deliberately
//! absent: files (but for the system's fonts, where a card needs letters that ours lack), the network, GStreamer and
//! the display.

pub mod card;
mod encode;
pub mod image;
mod jpeg;

use std::fmt;

use thiserror::Error;

use crate::domain::{sequencer::FailureKind, units::Size};

pub use encode::{encode_jpeg, encode_png};

/// A still picture: 8-bit sRGB with an opaque alpha (transparency is already laid on black), four bytes a pixel
/// in the order red, green, blue, alpha, row after row from the top without padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// The picture's size.
    pub size: Size,
    /// `size.width * size.height * 4` bytes.
    pub rgba: Vec<u8>,
}

impl Picture {
    /// The picture's size and bytes, once they are known to belong together.
    fn checked(&self) -> Result<(Size, &[u8]), PictureError> {
        match bytes_of(self.size, 4) == self.rgba.len() as u64 && !self.rgba.is_empty() {
            true => Ok((self.size, &self.rgba)),
            false => Err(PictureError::Inconsistent {
                size: self.size,
                bytes: self.rgba.len(),
            }),
        }
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}, {} bytes)", self.size, self.rgba.len())
    }
}

/// How much a picture may ask for before it is refused.
///
/// The defaults admit any camera's photo and refuse what would take a small box's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Pixels a side; 16,384.
    pub max_side: u32,
    /// Pixels in all; 134,217,728 (128 Mpixel).
    pub max_pixels: u64,
    /// Bytes of the decoded picture in the file's own form (an 8-bit colour photo takes 3 a pixel, a 16-bit one
    /// with alpha 8); 536,870,912 (512 MiB). The decoder's own buffers are kept to the same figure where it can.
    pub max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_side: 16_384,
            max_pixels: 128 << 20,
            max_bytes: 512 << 20,
        }
    }
}

impl Limits {
    /// Refuses a size, with the limit that it passes.
    fn admit(&self, size: Size, bytes_a_pixel: u64) -> Result<(), PictureError> {
        let pixels = u64::from(size.width) * u64::from(size.height);
        let limit = if size.width.max(size.height) > self.max_side {
            Limit::Side(self.max_side)
        } else if pixels > self.max_pixels {
            Limit::Pixels(self.max_pixels)
        } else if bytes_of(size, bytes_a_pixel) > self.max_bytes {
            Limit::Bytes(self.max_bytes)
        } else {
            return Ok(());
        };
        Err(PictureError::TooLarge { size, limit })
    }
}

/// A limit that a picture passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Pixels a side.
    Side(u32),
    /// Pixels in all.
    Pixels(u64),
    /// Bytes of memory.
    Bytes(u64),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Side(pixels) => write!(f, "{pixels} pixels a side"),
            Limit::Pixels(pixels) => write!(f, "{pixels} pixels in all"),
            Limit::Bytes(bytes) => write!(f, "{bytes} bytes of memory"),
        }
    }
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PictureError {
    /// There are no bytes at all.
    #[error("the picture is empty: 0 bytes")]
    Empty,
    /// The bytes are damaged, end too early or are no picture.
    #[error("the picture is damaged: {0}")]
    Corrupt(String),
    /// A picture, in a form that is not read here.
    #[error("the picture cannot be read: {0}")]
    Unsupported(String),
    /// The picture passes a limit. Nothing was allocated for it.
    #[error("the picture is too large: {size}, and {limit} are allowed")]
    TooLarge {
        /// The size that it claims.
        size: Size,
        /// The limit that it passes.
        limit: Limit,
    },
    /// A [`Picture`] was put together whose bytes are not as many as its size asks for.
    #[error("a picture of {size} cannot have {bytes} bytes")]
    Inconsistent {
        /// The size.
        size: Size,
        /// How many bytes there are.
        bytes: usize,
    },
    /// A library refused what it should have taken: an error of ours.
    #[error("the picture cannot be made: {0}")]
    Internal(String),
}

impl PictureError {
    /// The class of the fault, as it stands in reports.
    pub fn kind(&self) -> FailureKind {
        match self {
            PictureError::Empty | PictureError::Corrupt(_) => FailureKind::Corrupt,
            PictureError::Unsupported(_)
            | PictureError::TooLarge { .. }
            | PictureError::Inconsistent { .. }
            | PictureError::Internal(_) => FailureKind::Unsupported,
        }
    }
}

fn bytes_of(size: Size, bytes_a_pixel: u64) -> u64 {
    // Three factors below 2^32, 2^32 and 2^4 could pass 2^64 only as sizes that no caller lets through.
    (u64::from(size.width) * u64::from(size.height)).saturating_mul(bytes_a_pixel)
}
