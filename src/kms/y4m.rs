//! YUV4MPEG2 writing: the capture format that every tool reads.
//!
//! Format: the yuv4mpeg(5) manual page of mjpegtools. `C420mpeg2` is 4:2:0 with chroma sited as MPEG-2 does;
//! `XCOLORRANGE=LIMITED` is ffmpeg's extension.

use std::io::{self, Write};

use crate::{domain::units::Mode, kms::compose::Canvas};

/// Writes pictures of one mode.
pub struct Y4mWriter<W> {
    output: W,
}

impl<W: Write> Y4mWriter<W> {
    /// Writes the stream's header.
    pub fn new(mut output: W, mode: Mode) -> io::Result<Self> {
        let (size, rate) = (mode.size, mode.rate);
        let rate = format!("{}:{}", rate.numerator(), rate.denominator());
        writeln!(
            output,
            "YUV4MPEG2 W{} H{} F{rate} Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED",
            size.width, size.height
        )?;
        Ok(Self { output })
    }

    /// Writes one picture.
    pub fn write(&mut self, canvas: &Canvas) -> io::Result<()> {
        self.output.write_all(b"FRAME\n")?;
        self.output.write_all(canvas.bytes())
    }

    /// Writes out what is still buffered.
    pub fn finish(mut self) -> io::Result<()> {
        self.output.flush()
    }
}
