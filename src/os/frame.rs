//! One picture in memory: where its planes lie, and who keeps them alive.
//!
//! A frame may lie in the process's memory, in a decoder's dma-buf, or in both at once. Whoever shows it asks for
//! what it can use; dropping the frame gives the memory back to its owner.

use std::{
    any::Any,
    os::fd::BorrowedFd,
    sync::{Arc, Mutex, PoisonError},
};

use crate::domain::units::Size;

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
    /// Bytes from one row to the next, for each plane.
    pub strides: [usize; 3],
    backing: Box<dyn Backing>,
    prepared: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
}

/// Makes frames ready for a display, on the thread that made them.
pub trait Prepare: Send + Sync {
    /// Does what can be done before a frame is due on head `head`, and leaves it with [`Frame::set_prepared`].
    fn prepare(&self, head: usize, frame: &Frame);
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
            strides,
            backing,
            prepared: Mutex::new(None),
        }
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
