//! GStreamer's buffers as frames, without a copy.

use std::os::fd::{BorrowedFd, RawFd};

use gstreamer as gst;
use gstreamer_allocators as gst_allocators;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use crate::{
    domain::units::Size,
    os::frame::{Backing, Frame, PixelFormat},
};

/// The caps of frames that displays take: 4:2:0, eight bits, BT.709. Everything else is converted before.
///
/// The colorimetries differ in transfer function and primaries only, which no display of ours tells apart.
pub fn accepted_caps() -> gst::Caps {
    let colours = gst::List::new(["bt709", "2:3:0:0", "2:3:5:0", "2:3:0:1", "2:3:7:1"]);
    let formats = gst::List::new(["I420", "NV12"]);
    let raw = |features: Option<gst::CapsFeatures>| {
        let structure = gst::Structure::builder("video/x-raw")
            .field("format", formats.clone())
            .field("colorimetry", colours.clone())
            .build();
        (structure, features)
    };
    let mut caps = gst::Caps::new_empty();
    let caps_mut = caps.make_mut();
    let (structure, _) = raw(None);
    caps_mut.append_structure_full(structure, Some(gst::CapsFeatures::new(["memory:DMABuf"])));
    caps_mut.append_structure(raw(None).0);
    caps
}

/// Wraps a decoded sample. The decoder's memory is kept, and given back when the frame is dropped.
pub fn frame(sample: &gst::SampleRef) -> Result<Frame, String> {
    let caps = sample.caps().ok_or("a frame came without caps")?;
    let info = gst_video::VideoInfo::from_caps(caps)
        .map_err(|err| format!("a frame's caps are unusable: {err}"))?;
    let buffer = sample
        .buffer_owned()
        .ok_or("a frame came without a buffer")?;
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
    let par = info.par();
    let shape = |length: u32, part: i32| length.saturating_mul(part.max(1).unsigned_abs());
    let aspect = Size::new(
        shape(size.width, par.numer()),
        shape(size.height, par.denom()),
    );
    let video = gst_video::VideoFrame::from_buffer_readable(buffer, &info)
        .map_err(|_| "a frame's memory cannot be read".to_owned())?;
    let mut strides = [0; 3];
    for (stride, given) in strides.iter_mut().zip(video.plane_stride()) {
        *stride =
            usize::try_from(*given).map_err(|_| "a frame is stored upside down".to_owned())?;
    }
    Ok(Frame::new(
        size,
        aspect,
        format,
        strides,
        Box::new(Mapped(video)),
    ))
}

struct Mapped(gst_video::VideoFrame<gst_video::video_frame::Readable>);

impl Backing for Mapped {
    fn plane(&self, number: usize) -> Option<&[u8]> {
        self.0.plane_data(u32::try_from(number).ok()?).ok()
    }

    fn dma_buf(&self, number: usize) -> Option<(BorrowedFd<'_>, u64)> {
        let offset = *self.0.plane_offset().get(number)?;
        let (range, skip) = self.0.buffer().find_memory(offset..offset + 1)?;
        let memory = self.0.buffer().peek_memory(range.start);
        let memory = memory.downcast_memory_ref::<gst_allocators::DmaBufMemory>()?;
        let fd: RawFd = memory.fd();
        // SAFETY: the memory owns the descriptor, and the frame that `self` borrows keeps the memory alive.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        Some((fd, skip as u64))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, AsRawFd};

    use gst_allocators::prelude::*;
    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::*;

    #[test]
    fn a_decoder_s_dma_buf_goes_through_to_the_display_without_a_copy() {
        gst::init().expect("GStreamer");
        // A picture of 16x16 in NV12 as a decoder exports it, in memory that passes for a dma-buf.
        let (size, luma) = (384, 256);
        let memory = memfd_create("frame", MFdFlags::MFD_CLOEXEC).expect("a memfd");
        let bytes: Vec<u8> = (0..size).map(|byte| (byte % 251) as u8).collect();
        nix::unistd::write(memory.as_fd(), &bytes).expect("room");
        let number = memory.as_raw_fd();
        let allocator = gst_allocators::DmaBufAllocator::new();
        // SAFETY: the descriptor is handed over to the memory, which closes it.
        let memory = unsafe { allocator.alloc_dmabuf(memory, size) }.expect("a memory");
        let mut buffer = gst::Buffer::new();
        buffer.get_mut().expect("unshared").append_memory(memory);
        let caps = gst::Caps::builder("video/x-raw")
            .features(["memory:DMABuf"])
            .field("format", "NV12")
            .field("width", 16)
            .field("height", 16)
            .field("framerate", gst::Fraction::new(25, 1))
            .build();
        let sample = gst::Sample::builder().caps(&caps).buffer(&buffer).build();
        drop(buffer);

        let frame = frame(&sample).expect("a frame");
        drop(sample);
        assert_eq!(frame.format, PixelFormat::Nv12);
        for (plane, offset) in [(0, 0), (1, luma as u64)] {
            let (fd, at) = frame.dma_buf(plane).expect("a dma-buf");
            assert_eq!((fd.as_raw_fd(), at), (number, offset));
        }
        assert!(frame.dma_buf(2).is_none());
        assert_eq!(
            frame.plane(1).expect("it can be read")[0],
            (luma % 251) as u8
        );
    }
}
