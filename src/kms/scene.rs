//! Scenes: what is on a screen at one vblank.

use std::sync::Arc;

use arrayvec::ArrayVec;
use thiserror::Error;

use crate::{domain::fit::Rect, os::frame::Frame};

/// The most layers that a scene may have.
pub const MAX_LAYERS: usize = 4;

/// An opaque layer's alpha.
pub const OPAQUE: u16 = u16::MAX;

/// One frame in its place.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The display's plane that carries it.
    pub plane: u32,
    /// The picture.
    pub frame: Arc<Frame>,
    /// The part of the picture that is seen, in its pixels.
    pub source: Rect,
    /// Where it is on the screen.
    pub target: Rect,
    /// 0 is invisible, [`OPAQUE`] hides what is below.
    pub alpha: u16,
    /// Higher is nearer to the viewer.
    pub z: u8,
}

/// What is on a screen. A clone shares the frames and allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The layers, lowest first.
    pub layers: ArrayVec<Layer, MAX_LAYERS>,
    /// What is seen where no layer is: red, green, blue.
    pub background: [u8; 3],
    /// Whether it shows media rather than a card.
    pub content: Content,
}

/// What a scene shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// The idle card or another card of the box's own.
    #[default]
    Card,
    /// An item of the playlist.
    Item,
}

/// Why a display cannot show a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Reject {
    /// More layers than the display has planes.
    #[error("{0} layers are too many")]
    TooManyLayers(usize),
    /// A layer reaches outside the screen or its picture.
    #[error("a layer lies outside the screen or its picture")]
    OutOfBounds,
    /// The display cannot blend.
    #[error("the display cannot blend layers")]
    Alpha,
    /// The device says no.
    #[error("the device refused it")]
    Device,
}
