//! GStreamer's buffers as frames, without a copy.

use std::{
    os::fd::{BorrowedFd, RawFd},
    sync::OnceLock,
};

use gstreamer as gst;
use gstreamer_allocators as gst_allocators;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use crate::{
    domain::units::Size,
    os::frame::{Backing, Frame, LINEAR, PixelFormat, fourcc},
};

/// The feature of caps whose buffers are dma-bufs.
const DMA_BUF: &str = "memory:DMABuf";

/// The format of caps whose layout is told by the kernel's names.
const DMA_DRM: &str = "DMA_DRM";

/// The colorimetries that are taken as BT.709: they differ in transfer function and primaries only, which no display of
/// ours tells apart.
fn colours() -> gst::List {
    gst::List::new(["bt709", "2:3:0:0", "2:3:5:0", "2:3:0:1", "2:3:7:1"])
}

/// The caps of frames that displays take: 4:2:0, eight bits, BT.709. Everything else is converted before.
pub fn accepted_caps() -> gst::Caps {
    let formats = gst::List::new(["I420", "NV12"]);
    let raw = || {
        gst::Structure::builder("video/x-raw")
            .field("format", formats.clone())
            .field("colorimetry", colours())
            .build()
    };
    let mut caps = gst::Caps::new_empty();
    let caps_mut = caps.make_mut();
    caps_mut.append_structure_full(raw(), Some(gst::CapsFeatures::new([DMA_BUF])));
    caps_mut.append_structure(raw());
    caps
}

/// The caps of frames that are lent in a decoder's own memory, in one of these layouts: fourcc and modifier, as the
/// display takes them. GStreamer has such caps since 1.24.
pub fn lent_caps(layouts: &[(u32, u64)]) -> gst::Caps {
    let layouts = layouts
        .iter()
        .map(|(fourcc, modifier)| name(*fourcc, *modifier));
    gst::Caps::builder("video/x-raw")
        .features([DMA_BUF])
        .field("format", DMA_DRM)
        .field("drm-format", gst::List::new(layouts))
        .field("colorimetry", colours())
        .build()
}

/// A layout as GStreamer writes it: `NV12`, or `NV12:0x0100000000000002` in a tiling.
fn name(fourcc: u32, modifier: u64) -> String {
    let letters = fourcc.to_le_bytes();
    let letters = String::from_utf8_lossy(&letters);
    match modifier {
        LINEAR => letters.into_owned(),
        modifier => format!("{letters}:0x{modifier:016x}"),
    }
}

/// The layout of this name, if it is of a format of ours.
fn layout(name: &str) -> Option<(PixelFormat, u64)> {
    let (letters, modifier) = match name.split_once(':') {
        Some((letters, modifier)) => {
            let digits = modifier.strip_prefix("0x")?;
            (letters, u64::from_str_radix(digits, 16).ok()?)
        }
        None => (name, LINEAR),
    };
    let letters = fourcc(letters.as_bytes().try_into().ok()?);
    let known = [PixelFormat::Yu12, PixelFormat::Nv12].into_iter();
    let format = known
        .into_iter()
        .find(|format| format.fourcc() == letters)?;
    Some((format, modifier))
}

/// Wraps a decoded sample. The decoder's memory is kept, and given back when the frame is dropped.
pub fn frame(sample: &gst::SampleRef) -> Result<Frame, String> {
    let caps = sample.caps().ok_or("a frame came without caps")?;
    let buffer = sample
        .buffer_owned()
        .ok_or("a frame came without a buffer")?;
    let described = caps.structure(0).ok_or("a frame came with empty caps")?;
    if described.get::<&str>("format") == Ok(DMA_DRM) {
        return lent(described, buffer);
    }
    let info = gst_video::VideoInfo::from_caps(caps)
        .map_err(|err| format!("a frame's caps are unusable: {err}"))?;
    let format = match info.format() {
        gst_video::VideoFormat::I420 => PixelFormat::Yu12,
        gst_video::VideoFormat::Nv12 => PixelFormat::Nv12,
        other => {
            return Err(format!(
                "a frame came as {}, which was not asked for",
                other.to_str()
            ));
        }
    };
    let size = Size::new(info.width(), info.height());
    let video = gst_video::VideoFrame::from_buffer_readable(buffer, &info)
        .map_err(|_| "a frame's memory cannot be read".to_owned())?;
    let strides = strides(video.plane_stride())?;
    let aspect = aspect(size, info.par());
    Ok(Frame::new(
        size,
        aspect,
        format,
        strides,
        Box::new(Mapped(video)),
    ))
}

/// Wraps a frame in a layout of the kernel's, which is not mapped unless somebody wants to read it.
fn lent(described: &gst::StructureRef, buffer: gst::Buffer) -> Result<Frame, String> {
    let unusable = |what: &str| format!("a frame's caps are unusable: {what} in {described}");
    let side = |field: &str| {
        let side = described.get::<i32>(field).ok();
        side.and_then(|side| u32::try_from(side).ok())
            .ok_or_else(|| unusable(field))
    };
    let size = Size::new(side("width")?, side("height")?);
    let name = described.get::<&str>("drm-format");
    let (format, modifier) = name
        .ok()
        .and_then(layout)
        .ok_or_else(|| unusable("drm-format"))?;
    let pixels = described.get::<gst::Fraction>("pixel-aspect-ratio");
    let pixels = pixels.unwrap_or(gst::Fraction::new(1, 1));
    let plain = match format {
        PixelFormat::Yu12 => gst_video::VideoFormat::I420,
        PixelFormat::Nv12 | PixelFormat::Abgr8888 => gst_video::VideoFormat::Nv12,
    };
    let info = gst_video::VideoInfo::builder(plain, size.width, size.height)
        .build()
        .map_err(|err| unusable(&err.to_string()))?;
    let (offsets, strides) = match buffer.meta::<gst_video::VideoMeta>() {
        Some(meta) => (meta.offset().to_vec(), strides(meta.stride())?),
        None if modifier == LINEAR => (info.offset().to_vec(), strides(info.stride())?),
        None => return Err(unusable("no word of its planes beside the layout")),
    };
    let lent = Lent {
        buffer,
        info,
        offsets,
        readable: modifier == LINEAR,
        mapped: OnceLock::new(),
    };
    let aspect = aspect(size, pixels);
    Ok(Frame::new(size, aspect, format, strides, Box::new(lent)).tiled(modifier))
}

/// The shape in which a picture of such pixels is meant to be seen.
fn aspect(size: Size, pixels: gst::Fraction) -> Size {
    let shape = |length: u32, part: i32| length.saturating_mul(part.max(1).unsigned_abs());
    Size::new(
        shape(size.width, pixels.numer()),
        shape(size.height, pixels.denom()),
    )
}

fn strides(given: &[i32]) -> Result<[usize; 3], String> {
    let mut strides = [0; 3];
    for (stride, given) in strides.iter_mut().zip(given) {
        *stride =
            usize::try_from(*given).map_err(|_| "a frame is stored upside down".to_owned())?;
    }
    Ok(strides)
}

/// A frame that the process reads.
struct Mapped(gst_video::VideoFrame<gst_video::video_frame::Readable>);

impl Backing for Mapped {
    fn plane(&self, number: usize) -> Option<&[u8]> {
        self.0.plane_data(u32::try_from(number).ok()?).ok()
    }

    fn dma_buf(&self, number: usize) -> Option<(BorrowedFd<'_>, u64)> {
        dma_buf(self.0.buffer(), *self.0.plane_offset().get(number)?)
    }
}

/// A frame that hardware reads, and the process only where it must.
struct Lent {
    buffer: gst::Buffer,
    info: gst_video::VideoInfo,
    offsets: Vec<usize>,
    readable: bool,
    mapped: OnceLock<Option<Mapped>>,
}

impl Backing for Lent {
    fn plane(&self, number: usize) -> Option<&[u8]> {
        let map = || {
            let buffer = self.buffer.clone();
            let video = gst_video::VideoFrame::from_buffer_readable(buffer, &self.info);
            video.ok().map(Mapped)
        };
        match self.readable {
            true => self.mapped.get_or_init(map).as_ref()?.plane(number),
            false => None,
        }
    }

    fn dma_buf(&self, number: usize) -> Option<(BorrowedFd<'_>, u64)> {
        dma_buf(&self.buffer, *self.offsets.get(number)?)
    }
}

/// The dma-buf that holds this byte of a buffer, and the byte's place in it.
fn dma_buf(buffer: &gst::BufferRef, offset: usize) -> Option<(BorrowedFd<'_>, u64)> {
    let (range, skip) = buffer.find_memory(offset..offset + 1)?;
    let memory = buffer.peek_memory(range.start);
    // What is before the memory's own beginning is in the dma-buf, too.
    let skip = memory.offset() + skip;
    let memory = memory.downcast_memory_ref::<gst_allocators::DmaBufMemory>()?;
    let fd: RawFd = memory.fd();
    // SAFETY: the memory owns the descriptor, and the buffer that is borrowed keeps the memory alive.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    Some((fd, skip as u64))
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, AsRawFd};

    use gst_allocators::prelude::*;
    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::*;

    /// A picture of 16x16 in NV12 as a decoder exports it, in memory that passes for a dma-buf; answers the descriptor.
    fn buffer() -> (gst::Buffer, RawFd) {
        gst::init().expect("GStreamer");
        let size = 384;
        let memory = memfd_create("frame", MFdFlags::MFD_CLOEXEC).expect("a memfd");
        let bytes: Vec<u8> = (0..size).map(|byte| (byte % 251) as u8).collect();
        nix::unistd::write(memory.as_fd(), &bytes).expect("room");
        let number = memory.as_raw_fd();
        let allocator = gst_allocators::DmaBufAllocator::new();
        // SAFETY: the descriptor is handed over to the memory, which closes it.
        let memory = unsafe { allocator.alloc_dmabuf(memory, size) }.expect("a memory");
        let mut buffer = gst::Buffer::new();
        buffer.get_mut().expect("unshared").append_memory(memory);
        (buffer, number)
    }

    const LUMA: usize = 256;

    /// A frame of that picture under caps of this format, and the picture's descriptor.
    fn of(caps: &[(&str, &str)], meta: Option<&[i32; 2]>) -> (Result<Frame, String>, RawFd) {
        let (mut buffer, number) = buffer();
        if let Some(strides) = meta {
            gst_video::VideoMeta::add_full(
                buffer.get_mut().expect("unshared"),
                gst_video::VideoFrameFlags::empty(),
                gst_video::VideoFormat::Nv12,
                16,
                16,
                &[0, LUMA],
                strides,
            )
            .expect("a meta");
        }
        let mut structure = gst::Structure::builder("video/x-raw")
            .field("width", 16)
            .field("height", 16)
            .field("framerate", gst::Fraction::new(25, 1));
        for (field, value) in caps {
            structure = structure.field(*field, *value);
        }
        let mut caps = gst::Caps::new_empty();
        let features = Some(gst::CapsFeatures::new([DMA_BUF]));
        caps.make_mut()
            .append_structure_full(structure.build(), features);
        let sample = gst::Sample::builder().caps(&caps).buffer(&buffer).build();
        drop(buffer);
        (frame(&sample), number)
    }

    #[test]
    fn a_decoder_s_dma_buf_goes_through_to_the_display_without_a_copy() {
        let plain: &[_] = &[("format", "NV12")];
        let lent: &[_] = &[("format", DMA_DRM), ("drm-format", "NV12")];
        for (caps, meta) in [(plain, None), (lent, None), (lent, Some(&[16, 16]))] {
            let (frame, number) = of(caps, meta);
            let frame = frame.expect("a frame");
            assert_eq!(
                (frame.format, frame.modifier, frame.strides),
                (PixelFormat::Nv12, LINEAR, [16, 16, 0])
            );
            for (plane, offset) in [(0, 0), (1, LUMA as u64)] {
                let (fd, at) = frame.dma_buf(plane).expect("a dma-buf");
                assert_eq!((fd.as_raw_fd(), at), (number, offset));
            }
            assert!(frame.dma_buf(2).is_none());
            let row = frame.plane(1).expect("it can be read");
            assert_eq!(row[0], (LUMA % 251) as u8);
        }
    }

    #[test]
    fn a_tiling_is_passed_on_and_nobody_reads_it() {
        let tiled: &[_] = &[
            ("format", DMA_DRM),
            ("drm-format", "NV12:0x0700000000000004"),
        ];
        let (frame, _) = of(tiled, Some(&[16, 16]));
        let frame = frame.expect("a frame");
        assert_eq!(frame.modifier, 0x0700_0000_0000_0004);
        assert!(frame.dma_buf(1).is_some());
        assert!(frame.plane(0).is_none());
        let (frame, _) = of(tiled, None);
        assert!(frame.expect_err("no planes").contains("planes"));
    }

    #[test]
    fn layouts_have_the_names_that_gstreamer_gives_them() {
        gst::init().expect("GStreamer");
        let nv12 = PixelFormat::Nv12.fourcc();
        for (modifier, text) in [
            (LINEAR, "NV12"),
            (0x0100_0000_0000_0002, "NV12:0x0100000000000002"),
        ] {
            assert_eq!(name(nv12, modifier), text);
            assert_eq!(layout(text), Some((PixelFormat::Nv12, modifier)));
        }
        for text in ["", "NV", "NV12:", "NV12:7", "AB24", "NV12:0xg"] {
            assert_eq!(layout(text), None, "{text}");
        }
        let caps = lent_caps(&[(nv12, LINEAR)]);
        assert!(
            caps.to_string().contains("drm-format=(string){ NV12 }"),
            "{caps}"
        );
    }
}
