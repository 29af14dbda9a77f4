//! The code in the picture: a clip's id and a frame's number with their checksum, as 44 big blocks of luma.
//!
//! All places are in units of 1/48 of the picture's width and 1/27 of its height (squares, at 16:9), so the code
//! survives any scaling, stretched or not:
//!
//! ```text
//!  0..1    a bright border on all four sides: it tells where the picture is between black bars
//!  1..2    a dark ring inside it: with the border it tells that nothing was cropped
//!  2..8    two rows of 11 blocks: the checksum and the first six bits of the id
//!  9..18   for people: the id, the number, a moving dot; the flash at the right
//! 19..25   two rows of 11 blocks: the last two bits of the id and the number
//! ```
//!
//! The checksum stands above and the number below, so a picture torn between two frames is unreadable, not wrong.

use std::{fmt, str::FromStr};

/// Units across the picture.
pub const UNITS_ACROSS: f64 = 48.0;
/// Units down the picture.
pub const UNITS_DOWN: f64 = 27.0;
/// A block's width in units.
pub const BLOCK_WIDTH: f64 = 4.0;
/// A block's height in units.
pub const BLOCK_HEIGHT: f64 = 3.0;
/// Blocks in the picture.
pub const BLOCKS: usize = 44;
/// The flash: left, top, right, bottom in units.
pub const FLASH: [f64; 4] = [37.0, 9.0, 46.0, 18.0];
/// The number of an image's only frame.
pub const STILL: u32 = (1 << 20) - 1;
/// How many frames a clip may have.
pub const MOST_FRAMES: u32 = STILL;

const BLOCKS_ACROSS: usize = 11;
const NUMBER_BITS: u32 = 20;
/// Luma from here up counts as bright while the border is looked for.
const BRIGHT: u8 = 110;
/// Luma up to here is black, with room for coding noise.
const BLACK: u8 = 28;
/// The least difference between bright and dark that can be read.
const LEAST_CONTRAST: i32 = 60;
/// Where along a side the border and the ring are looked at.
const FIDUCIALS: [f64; 8] = [0.04, 0.15, 0.28, 0.42, 0.58, 0.72, 0.85, 0.96];

/// Frames or vblanks a second, as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The fraction's upper half.
    pub numerator: u32,
    /// The fraction's lower half.
    pub denominator: u32,
}

impl Rate {
    /// A whole number of hertz.
    pub const fn hertz(hertz: u32) -> Self {
        Self {
            numerator: hertz,
            denominator: 1,
        }
    }

    /// The rate in hertz.
    pub fn as_hertz(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    /// The first sample at 48 kHz that does not lie before frame `count`.
    pub fn sample(self, count: u64) -> u64 {
        (count * u64::from(self.denominator) * 48_000).div_ceil(u64::from(self.numerator))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1 => write!(f, "{}", self.numerator),
            denominator => write!(f, "{}/{denominator}", self.numerator),
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    /// Reads `25` or `30000/1001`, between 1 and 1000 hertz.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("\"{text}\" is not a rate: write 25 or 30000/1001");
        let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
        let rate = Self {
            numerator: numerator.parse().map_err(|_| bad())?,
            denominator: denominator.parse().map_err(|_| bad())?,
        };
        match rate.denominator > 0 && (1.0..=1000.0).contains(&rate.as_hertz()) {
            true => Ok(rate),
            false => Err(bad()),
        }
    }
}

/// What one frame says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The clip.
    pub id: u8,
    /// The frame, counted from 0; [`STILL`] for an image.
    pub number: u32,
    /// Whether the flash is on.
    pub lit: bool,
}

/// What was seen on a capture's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// A counted frame.
    Frame(Mark),
    /// Nothing but black.
    Black,
    /// Something else, or a damaged, cropped or torn frame.
    Unreadable,
}

/// One plane of luma.
#[derive(Clone, Copy)]
pub struct Luma<'a> {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// The pixels, row by row, without gaps.
    pub pixels: &'a [u8],
}

/// The 44 bits of a frame, the block at the upper left first.
pub fn bits(id: u8, number: u32) -> [bool; BLOCKS] {
    let number = number & STILL;
    let word =
        u64::from(checksum(id, number)) << 28 | u64::from(id) << NUMBER_BITS | u64::from(number);
    std::array::from_fn(|block| word >> (BLOCKS - 1 - block) & 1 == 1)
}

/// The id and the number in 44 bits, if the checksum agrees.
pub fn parse(bits: [bool; BLOCKS]) -> Option<(u8, u32)> {
    let word = bits
        .iter()
        .fold(0u64, |word, bit| word << 1 | u64::from(*bit));
    let (id, number) = ((word >> NUMBER_BITS) as u8, word as u32 & STILL);
    (word >> 28 == u64::from(checksum(id, number))).then_some((id, number))
}

/// A block's upper left corner in units.
pub fn block_corner(block: usize) -> (f64, f64) {
    let (row, column) = (block / BLOCKS_ACROSS, block % BLOCKS_ACROSS);
    let top = if row < 2 { 2.0 } else { 13.0 };
    (
        2.0 + BLOCK_WIDTH * column as f64,
        top + BLOCK_HEIGHT * row as f64,
    )
}

/// CRC-16/CCITT-FALSE.
fn checksum(id: u8, number: u32) -> u16 {
    let [_, high, middle, low] = number.to_be_bytes();
    [id, high, middle, low].iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 {
                shifted
            } else {
                shifted ^ 0x1021
            }
        })
    })
}

/// Where the picture lies in a capture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Area {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Area {
    /// The luma at a place in units; the nearest pixel.
    fn at(&self, luma: Luma<'_>, x: f64, y: f64) -> i32 {
        let column = (self.left + x / UNITS_ACROSS * self.width) as usize;
        let row = (self.top + y / UNITS_DOWN * self.height) as usize;
        let index = row.min(luma.height - 1) * luma.width + column.min(luma.width - 1);
        i32::from(luma.pixels[index])
    }
}

/// What dark and bright are in this picture.
#[derive(Clone, Copy)]
struct Levels {
    dark: i32,
    bright: i32,
}

impl Levels {
    /// Whether a patch is bright; nothing where it is neither, or not of one piece.
    fn patch(
        self,
        area: &Area,
        luma: Luma<'_>,
        left: f64,
        top: f64,
        w: f64,
        h: f64,
    ) -> Option<bool> {
        let middle = (self.dark + self.bright) / 2;
        let (mut sum, mut above) = (0, 0);
        for y in [0.3, 0.5, 0.7] {
            for x in [0.3, 0.5, 0.7] {
                let level = area.at(luma, left + w * x, top + h * y);
                sum += level;
                above += i32::from(level > middle);
            }
        }
        let clear = (sum / 9 - middle).abs() * 20 >= (self.bright - self.dark) * 3;
        match above {
            7.. if clear => Some(true),
            ..=2 if clear => Some(false),
            _ => None,
        }
    }
}

/// Reads one capture's frames; remembers where the last picture was.
#[derive(Default)]
pub struct Eye {
    area: Option<Area>,
    bright_in_column: Vec<u32>,
}

impl Eye {
    /// What the frame shows.
    pub fn look(&mut self, luma: Luma<'_>) -> Sight {
        if luma.width * luma.height == 0 || luma.pixels.len() < luma.width * luma.height {
            return Sight::Unreadable;
        }
        if let Some(mark) = self.area.and_then(|area| read(&area, luma)) {
            return Sight::Frame(mark);
        }
        let area = self.find(luma);
        match area.and_then(|area| read(&area, luma)) {
            Some(mark) => {
                self.area = area;
                Sight::Frame(mark)
            }
            None if area.is_none() && is_black(luma) => Sight::Black,
            None => Sight::Unreadable,
        }
    }

    /// Looks for the picture: the box around all rows and columns with much that is bright.
    fn find(&mut self, luma: Luma<'_>) -> Option<Area> {
        self.bright_in_column.clear();
        self.bright_in_column.resize(luma.width, 0);
        let (mut first, mut last) = (None, 0);
        for (y, row) in luma
            .pixels
            .chunks_exact(luma.width)
            .take(luma.height)
            .enumerate()
        {
            let mut bright_in_row = 0;
            for (count, level) in self.bright_in_column.iter_mut().zip(row) {
                let bright = u32::from(*level >= BRIGHT);
                *count += bright;
                bright_in_row += bright as usize;
            }
            if bright_in_row * 8 > luma.width {
                first.get_or_insert(y);
                last = y;
            }
        }
        let top = first?;
        let much = |count: &u32| *count as usize * 8 > luma.height;
        let left = self.bright_in_column.iter().position(much)?;
        let right = self.bright_in_column.iter().rposition(much)?;
        Some(Area {
            left: left as f64,
            top: top as f64,
            width: (right + 1 - left) as f64,
            height: (last + 1 - top) as f64,
        })
    }
}

fn read(area: &Area, luma: Luma<'_>) -> Option<Mark> {
    let levels = frame_levels(area, luma)?;
    let mut bits = [false; BLOCKS];
    for (block, bit) in bits.iter_mut().enumerate() {
        let (left, top) = block_corner(block);
        *bit = levels.patch(area, luma, left, top, BLOCK_WIDTH, BLOCK_HEIGHT)?;
    }
    let (id, number) = parse(bits)?;
    let [left, top, right, bottom] = FLASH;
    let lit = levels.patch(area, luma, left, top, right - left, bottom - top)?;
    Some(Mark { id, number, lit })
}

/// The levels of the border and the ring, if both are whole on all four sides.
fn frame_levels(area: &Area, luma: Luma<'_>) -> Option<Levels> {
    let (mut bright, mut darkest_bright, mut dark, mut brightest_dark) = (0, 255, 0, 0);
    for along in FIDUCIALS {
        // The ring's points stay off its corners, where the border crosses.
        let (x, y) = (
            2.0 + along * (UNITS_ACROSS - 4.0),
            2.0 + along * (UNITS_DOWN - 4.0),
        );
        for (depth, ring) in [(0.5, false), (1.5, true)] {
            for (x, y) in [
                (x, depth),
                (x, UNITS_DOWN - depth),
                (depth, y),
                (UNITS_ACROSS - depth, y),
            ] {
                let level = area.at(luma, x, y);
                if ring {
                    dark += level;
                    brightest_dark = brightest_dark.max(level);
                } else {
                    bright += level;
                    darkest_bright = darkest_bright.min(level);
                }
            }
        }
    }
    let points = 4 * FIDUCIALS.len() as i32;
    let levels = Levels {
        dark: dark / points,
        bright: bright / points,
    };
    let middle = (levels.dark + levels.bright) / 2;
    (levels.bright - levels.dark >= LEAST_CONTRAST
        && darkest_bright > middle
        && brightest_dark < middle)
        .then_some(levels)
}

/// All but one pixel in a thousand are black.
fn is_black(luma: Luma<'_>) -> bool {
    let other = luma.pixels.iter().filter(|level| **level > BLACK).count();
    other * 1000 <= luma.pixels.len()
}
