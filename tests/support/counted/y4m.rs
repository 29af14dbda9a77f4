//! YUV4MPEG2 captures: a streaming reader of 4:2:0 video and a writer.

use std::{
    error::Error,
    fmt,
    io::{self, BufRead, BufReader, Read, Write},
};

use super::{
    draw::Picture,
    pattern::{Luma, Rate},
};

/// The longest header line that is read.
const LONGEST_LINE: u64 = 4096;
/// The most pixels a side.
const LARGEST_SIDE: usize = 16384;

/// Why a capture cannot be read.
#[derive(Debug)]
pub enum CaptureError {
    /// The stream's header is not that of a 4:2:0 YUV4MPEG2 stream.
    Header(String),
    /// A frame does not begin with FRAME.
    Frame(u64),
    /// The stream ends within a frame, after so many whole ones.
    Truncated(u64),
    /// Reading failed.
    Io(io::Error),
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(why) => write!(f, "not a YUV4MPEG2 4:2:0 stream: {why}"),
            Self::Frame(count) => write!(f, "no FRAME where frame {count} should begin"),
            Self::Truncated(count) => write!(f, "the stream ends within frame {count}"),
            Self::Io(error) => write!(f, "reading the capture: {error}"),
        }
    }
}

impl Error for CaptureError {}

impl From<io::Error> for CaptureError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads frames one by one into the same memory.
pub struct Reader<R> {
    input: BufReader<R>,
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Frames a second.
    pub rate: Rate,
    frame: Vec<u8>,
    count: u64,
}

impl<R: Read> Reader<R> {
    /// Reads the stream's header.
    pub fn new(input: R) -> Result<Self, CaptureError> {
        let bad = |why: &str| CaptureError::Header(why.to_owned());
        let mut input = BufReader::with_capacity(1 << 16, input);
        let line = line(&mut input)?.ok_or_else(|| bad("it is empty"))?;
        let mut words = line.split(' ');
        if words.next() != Some("YUV4MPEG2") {
            return Err(bad("it does not begin with YUV4MPEG2"));
        }
        let (mut width, mut height, mut rate) = (None, None, None);
        for word in words.filter(|word| !word.is_empty()) {
            let (name, value) = word.split_at_checked(1).ok_or_else(|| bad(word))?;
            match name {
                "W" => width = value.parse().ok(),
                "H" => height = value.parse().ok(),
                "F" => rate = value.replace(':', "/").parse().ok(),
                "C" if !["420", "420jpeg", "420mpeg2", "420paldv"].contains(&value) => {
                    return Err(bad(&format!("its colours are C{value}")));
                }
                _ => {} // Interlacing, aspect and extensions do not change where luma is.
            }
        }
        let side = |side: &usize| (1..=LARGEST_SIDE).contains(side);
        let width = width.filter(side).ok_or_else(|| bad("no usable width"))?;
        let height = height.filter(side).ok_or_else(|| bad("no usable height"))?;
        Ok(Self {
            input,
            width,
            height,
            rate: rate.ok_or_else(|| bad("no usable rate"))?,
            frame: vec![0; width * height + 2 * (width.div_ceil(2) * height.div_ceil(2))],
            count: 0,
        })
    }

    /// The next frame's luma, or nothing at the end.
    pub fn next_frame(&mut self) -> Result<Option<Luma<'_>>, CaptureError> {
        let Some(line) = line(&mut self.input)? else {
            return Ok(None);
        };
        if line != "FRAME" && !line.starts_with("FRAME ") {
            return Err(CaptureError::Frame(self.count));
        }
        self.input
            .read_exact(&mut self.frame)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => CaptureError::Truncated(self.count),
                _ => CaptureError::Io(error),
            })?;
        self.count += 1;
        Ok(Some(Luma {
            width: self.width,
            height: self.height,
            pixels: &self.frame[..self.width * self.height],
        }))
    }
}

/// A line without its end, or nothing at the end of the stream.
fn line(input: &mut impl BufRead) -> Result<Option<String>, CaptureError> {
    let mut line = Vec::new();
    input.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

/// Writes the header of a capture of pictures of this size.
pub fn write_header(
    output: &mut impl Write,
    width: usize,
    height: usize,
    rate: Rate,
) -> io::Result<()> {
    let Rate {
        numerator,
        denominator,
    } = rate;
    writeln!(
        output,
        "YUV4MPEG2 W{width} H{height} F{numerator}:{denominator} Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED"
    )
}

/// Writes one frame.
pub fn write_frame(output: &mut impl Write, picture: &Picture) -> io::Result<()> {
    output.write_all(b"FRAME\n")?;
    picture.write_to(output)
}
