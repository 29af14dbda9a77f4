//! One picture in memory: where its planes lie, and who keeps them alive.
//!
//! A frame may lie in the process's memory, in a decoder's dma-buf, or in both at once. Whoever shows it asks for
//! what it can use; dropping the frame gives the memory back to its owner.

use std::{
    any::Any,
    io,
    os::fd::BorrowedFd,
    sync::{Arc, Mutex, PoisonError},
};

use crate::domain::units::Size;

/// The modifier of rows one after the other: `DRM_FORMAT_MOD_LINEAR`.
pub const LINEAR: u64 = 0;

/// A DRM fourcc code from its four letters.
pub const fn fourcc(letters: [u8; 4]) -> u32 {
    u32::from_le_bytes(letters)
}

/// How the pixels of a frame are stored, named by the kernel's DRM fourcc codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// `YU12`: planes Y, U and V, chroma halved both ways, 8 bits, BT.709 limited range.
    Yu12,
    /// `NV12`: plane Y and plane UV, chroma halved both ways, 8 bits, BT.709 limited range.
    Nv12,
    /// `AB24`: one plane, bytes R, G, B, A in this order, sRGB.
    Abgr8888,
}

impl PixelFormat {
    /// The kernel's code.
    pub fn fourcc(self) -> u32 {
        fourcc(match self {
            PixelFormat::Yu12 => *b"YU12",
            PixelFormat::Nv12 => *b"NV12",
            PixelFormat::Abgr8888 => *b"AB24",
        })
    }

    /// How many planes a frame has.
    pub fn planes(self) -> usize {
        match self {
            PixelFormat::Yu12 => 3,
            PixelFormat::Nv12 => 2,
            PixelFormat::Abgr8888 => 1,
        }
    }
}

/// Where a frame's pixels are.
pub trait Backing: Send + Sync {
    /// The bytes of plane `number` from its first row on, if the process can read them.
    fn plane(&self, number: usize) -> Option<&[u8]>;

    /// The dma-buf that holds plane `number`, and the plane's offset in it, if there is one.
    fn dma_buf(&self, number: usize) -> Option<(BorrowedFd<'_>, u64)> {
        let _ = number;
        None
    }
}

/// One picture.
pub struct Frame {
    /// The visible pixels.
    pub size: Size,
    /// The shape in which it is meant to be seen; other than `size` where pixels are not square.
    pub aspect: Size,
    /// How pixels are stored.
    pub format: PixelFormat,
    /// In which tiling: [`LINEAR`] where rows lie one after the other, else a modifier of the kernel's
    /// (`drm_fourcc.h`) that says how, and nobody but hardware can read it.
    pub modifier: u64,
    /// Bytes from one row to the next, for each plane.
    pub strides: [usize; 3],
    backing: Box<dyn Backing>,
    prepared: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
}

/// How a frame comes to the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The display reads the memory in which it was made.
    Lent,
    /// By a copy, or not at all.
    Copied,
}

/// Makes frames ready for a display, on the thread that made them.
pub trait Prepare: Send + Sync {
    /// Does what can be done before a frame is due on head `head`, and leaves it with [`Frame::set_prepared`].
    ///
    /// Tells how the frame comes to the screen. Fails if it can never be shown.
    fn prepare(&self, head: usize, frame: &Frame) -> io::Result<Way>;

    /// Forgets what it keeps for frames that may not come again, since a medium was closed.
    fn tidy(&self);
}

impl Frame {
    /// A frame on some backing. Every plane that the backing lets the process read must hold all its rows.
    pub fn new(
        size: Size,
        aspect: Size,
        format: PixelFormat,
        strides: [usize; 3],
        backing: Box<dyn Backing>,
    ) -> Self {
        Self {
            size,
            aspect,
            format,
            modifier: LINEAR,
            strides,
            backing,
            prepared: Mutex::new(None),
        }
    }

    /// The same in a tiling.
    pub fn tiled(self, modifier: u64) -> Self {
        Self { modifier, ..self }
    }

    /// A frame of RGBA bytes (row-major, no padding).
    ///
    /// Nothing if `pixels` is not `4 * width * height` bytes long.
    pub fn from_rgba(size: Size, pixels: Vec<u8>) -> Option<Self> {
        let stride = 4 * size.width as usize;
        (pixels.len() == stride * size.height as usize).then(|| {
            Self::new(
                size,
                size,
                PixelFormat::Abgr8888,
                [stride, 0, 0],
                Box::new(Bytes(pixels)),
            )
        })
    }

    /// What a display has prepared, if it is of this kind.
    pub fn prepared<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        prepared.clone()?.downcast().ok()
    }

    /// Leaves with the frame what a display has prepared, instead of what was there.
    pub fn set_prepared(&self, prepared: Arc<dyn Any + Send + Sync>) {
        *self.prepared.lock().unwrap_or_else(PoisonError::into_inner) = Some(prepared);
    }

    /// The rows of plane `number`, if the process can read them.
    pub fn plane(&self, number: usize) -> Option<&[u8]> {
        self.backing.plane(number)
    }

    /// The dma-buf of plane `number` and the plane's offset in it, if it lies in one.
    pub fn dma_buf(&self, number: usize) -> Option<(BorrowedFd<'_>, u64)> {
        self.backing.dma_buf(number)
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({} {:?})", self.size, self.format)
    }
}

struct Bytes(Vec<u8>);

impl Backing for Bytes {
    fn plane(&self, number: usize) -> Option<&[u8]> {
        (number == 0).then_some(&self.0)
    }
}
