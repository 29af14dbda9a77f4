//! What the kernel really scans out, read back from its own framebuffers.

use std::{io, num::NonZeroU32, sync::Arc};

use arrayvec::ArrayVec;
use drm::control::{Device as _, plane};

use crate::{
    domain::{fit::Rect, units::Size},
    kms::{
        atomic::{
            framebuffer::{Layout, read_dma_buf},
            import::Importer,
            objects::{Plane, values_of},
        },
        formats::{self, XRGB8888},
        scene::{Content, Layer, OPAQUE, Scene},
    },
    os::frame::{Backing, Frame, PixelFormat},
};

/// How often a picture is read again that was replaced while it was read.
const TRIES: usize = 4;

/// The bytes of a frame's planes.
struct Planes(Vec<Vec<u8>>);

impl Backing for Planes {
    fn plane(&self, number: usize) -> Option<&[u8]> {
        self.0.get(number).map(Vec::as_slice)
    }
}

impl Importer {
    /// The planes of a head as the kernel has them, copied; lowest first.
    ///
    /// Only the card's master may look. Fails for framebuffers in a tiling that the CPU cannot read.
    pub fn scanned_out(&self, head: usize) -> io::Result<Scene> {
        let (places, background) = self.looks(head);
        let mut layers = ArrayVec::new();
        for (z, place) in (0..).zip(places) {
            if let Some(layer) = self.scanned_plane(self.plane(place), z)? {
                let too_many = |_| io::Error::other("more planes are lit than a scene has layers");
                layers.try_push(layer).map_err(too_many)?;
            }
        }
        layers.sort_by_key(|layer: &Layer| layer.z);
        match layers.is_empty() {
            true => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the screen is dark",
            )),
            false => Ok(Scene {
                layers,
                background,
                content: Content::Item,
            }),
        }
    }

    fn scanned_plane(&self, plane: &Plane, z: u8) -> io::Result<Option<Layer>> {
        let handle = NonZeroU32::new(plane.id).map(plane::Handle::from);
        let handle = handle.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let shown = || io::Result::Ok(self.card().get_plane(handle)?.framebuffer());
        let mut found = None;
        for _ in 0..TRIES {
            let Some(framebuffer) = shown()? else {
                return Ok(None);
            };
            let info = self.card().get_planar_framebuffer(framebuffer);
            let info = info.map_err(io::Error::other)?;
            let sides = values_of(self.card(), handle, plane)?;
            let size = Size::new(info.size().0, info.size().1);
            let layout = Layout {
                size,
                format: info.pixel_format() as u32,
                modifier: info.modifier().map_or(formats::LINEAR, u64::from),
                pitches: info.pitches(),
                offsets: info.offsets(),
            };
            let buffers = info.buffers().map(|buffer| buffer.map_or(0, u32::from));
            let bytes = read_dma_buf(self.card(), buffers, &layout);
            found = Some((frame(&layout, bytes?)?, sides));
            if shown()? == Some(framebuffer) {
                break;
            }
        }
        Ok(found.map(|(frame, (source, target, zpos))| Layer {
            plane: plane.id,
            frame: Arc::new(frame),
            source,
            target,
            alpha: OPAQUE,
            z: zpos.and_then(|zpos| zpos.try_into().ok()).unwrap_or(z),
        }))
    }
}

/// Bytes in a layout as a frame.
fn frame(layout: &Layout, mut planes: Vec<Vec<u8>>) -> io::Result<Frame> {
    let unknown = || {
        let message = "the CPU cannot read this framebuffer's format";
        io::Error::new(io::ErrorKind::Unsupported, message)
    };
    if layout.modifier != formats::LINEAR {
        return Err(unknown());
    }
    let format = match layout.format {
        XRGB8888 => PixelFormat::Abgr8888,
        format if format == formats::of(PixelFormat::Yu12) => PixelFormat::Yu12,
        format if format == formats::of(PixelFormat::Nv12) => PixelFormat::Nv12,
        _ => return Err(unknown()),
    };
    if format == PixelFormat::Abgr8888 {
        for pixel in planes
            .iter_mut()
            .flat_map(|plane| plane.chunks_exact_mut(4))
        {
            pixel.swap(0, 2);
            pixel[3] = u8::MAX;
        }
    }
    let strides = [0, 1, 2].map(|plane| layout.pitches[plane] as usize);
    Ok(Frame::new(
        layout.size,
        layout.size,
        format,
        strides,
        Box::new(Planes(planes)),
    ))
}

/// A rectangle of a plane's properties: x, y, width, height.
pub(super) fn rect(sides: [u64; 4]) -> Rect {
    let [x, y, width, height] = sides.map(|side| u32::try_from(side).unwrap_or(0));
    Rect {
        x,
        y,
        width,
        height,
    }
}
