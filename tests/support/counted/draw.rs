//! The picture of a counted frame: the code, and around it what a person likes to see.

use std::io::{self, Write};

use super::pattern::{
    BLOCK_HEIGHT, BLOCK_WIDTH, BLOCKS, FLASH, Luma, Rate, STILL, UNITS_ACROSS, UNITS_DOWN, bits,
    block_corner,
};

/// A clip has a flash where at least this much of it follows.
const ROOM_FOR_FLASH_MS: u64 = 200;
/// How long a flash lasts at least; whole frames.
const FLASH_MS: u64 = 50;

/// BT.709 in limited range.
#[derive(Clone, Copy)]
struct Colour {
    y: u8,
    u: u8,
    v: u8,
}

impl Colour {
    /// A grey with `strength` of a hue in it.
    fn tinted(y: u8, hue: f64, strength: f64) -> Self {
        Self {
            y,
            u: (128.0 + strength * hue.cos()).round() as u8,
            v: (128.0 + strength * hue.sin()).round() as u8,
        }
    }
}

/// A picture in 4:2:0.
#[derive(Clone, PartialEq)]
pub struct Picture {
    /// Pixels across; even.
    pub width: usize,
    /// Pixels down; even.
    pub height: usize,
    /// The luma plane.
    pub luma: Vec<u8>,
    /// The two chroma planes, each of half the width and height.
    pub chroma: [Vec<u8>; 2],
}

impl Picture {
    /// A black picture.
    pub fn black(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            luma: vec![16; width * height],
            chroma: [
                vec![128; width / 2 * (height / 2)],
                vec![128; width / 2 * (height / 2)],
            ],
        }
    }

    /// Its luma, to be looked at.
    pub fn as_luma(&self) -> Luma<'_> {
        Luma {
            width: self.width,
            height: self.height,
            pixels: &self.luma,
        }
    }

    /// Writes the planes one after the other.
    pub fn write_to(&self, output: &mut impl Write) -> io::Result<()> {
        output.write_all(&self.luma)?;
        output.write_all(&self.chroma[0])?;
        output.write_all(&self.chroma[1])
    }

    fn copy_from(&mut self, other: &Self) {
        self.luma.copy_from_slice(&other.luma);
        self.chroma[0].copy_from_slice(&other.chroma[0]);
        self.chroma[1].copy_from_slice(&other.chroma[1]);
    }

    /// Paints a shape, given by the signed distance of its edge from a place, all in pixels.
    fn paint(&mut self, bounds: [f64; 4], colour: Colour, distance: impl Fn(f64, f64) -> f64) {
        let mix = |old: u8, new: u8, cover: f64| {
            (f64::from(old) + (f64::from(new) - f64::from(old)) * cover).round() as u8
        };
        let whole = |from: f64, to: f64, end: usize| {
            (from.floor().max(0.0) as usize).min(end)..(to.ceil().max(0.0) as usize).min(end)
        };
        let [left, top, right, bottom] = bounds;
        for y in whole(top - 1.0, bottom + 1.0, self.height) {
            for x in whole(left - 1.0, right + 1.0, self.width) {
                let cover = (0.5 - distance(x as f64 + 0.5, y as f64 + 0.5)).clamp(0.0, 1.0);
                if cover > 0.0 {
                    let old = &mut self.luma[y * self.width + x];
                    *old = mix(*old, colour.y, cover);
                }
            }
        }
        let (across, down) = (self.width / 2, self.height / 2);
        for y in whole(top / 2.0 - 1.0, bottom / 2.0 + 1.0, down) {
            for x in whole(left / 2.0 - 1.0, right / 2.0 + 1.0, across) {
                // Chroma sits at the left pixel of each pair, between the two rows.
                let away = distance(2.0 * x as f64 + 0.5, 2.0 * y as f64 + 1.0);
                let cover = (0.5 - away / 2.0).clamp(0.0, 1.0);
                if cover > 0.0 {
                    let [u, v] = &mut self.chroma;
                    u[y * across + x] = mix(u[y * across + x], colour.u, cover);
                    v[y * across + x] = mix(v[y * across + x], colour.v, cover);
                }
            }
        }
    }
}

/// Draws the frames of one clip.
pub struct Artist {
    id: u8,
    rate: Rate,
    frames: u64,
    unit: (f64, f64),
    hue: f64,
    ground: Picture,
}

impl Artist {
    /// For clip `id` of `frames` frames, each `width` by `height` pixels; both must be even and at least 96 by 54.
    pub fn new(
        id: u8,
        width: usize,
        height: usize,
        rate: Rate,
        frames: u32,
    ) -> Result<Self, String> {
        if !width.is_multiple_of(2)
            || !height.is_multiple_of(2)
            || !(96..=16384).contains(&width)
            || !(54..=16384).contains(&height)
        {
            return Err(format!(
                "{width}x{height} is not a size: both must be even, at least 96x54 and at most 16384x16384"
            ));
        }
        let mut artist = Self {
            id,
            rate,
            frames: u64::from(frames),
            unit: (width as f64 / UNITS_ACROSS, height as f64 / UNITS_DOWN),
            hue: f64::from(id) * 2.399_963, // The golden angle: neighbours differ most.
            ground: Picture::black(width, height),
        };
        artist.draw_ground();
        Ok(artist)
    }

    /// Whether the flash is on in frame `number`: in the first frames from each whole second on, 50 ms or more.
    pub fn is_lit(&self, number: u32) -> bool {
        lit_since(self.rate, self.frames, number).is_some()
    }

    /// An empty picture to draw into.
    pub fn canvas(&self) -> Picture {
        self.ground.clone()
    }

    /// Frame `number` as a new picture.
    pub fn frame(&self, number: u32) -> Picture {
        let mut picture = self.canvas();
        self.draw(number, &mut picture);
        picture
    }

    /// Draws frame `number` (or [`STILL`]) over whatever the canvas held.
    pub fn draw(&self, number: u32, picture: &mut Picture) {
        picture.copy_from(&self.ground);
        let bright = Colour::tinted(208, self.hue, 8.0);
        for (block, bit) in bits(self.id, number).into_iter().enumerate() {
            if bit {
                self.tile(picture, block, bright);
            }
        }
        let white = Colour::tinted(228, self.hue, 3.0);
        for place in 0..6 {
            let digit = match number {
                STILL => None,
                number => Some(number / 10u32.pow(5 - place) % 10),
            };
            self.digit(
                picture,
                digit,
                [12.9 + 3.95 * f64::from(place), 9.3, 2.6, 5.7],
                0.62,
                white,
            );
        }
        if number != STILL {
            let (numerator, count) = (u64::from(self.rate.numerator), u64::from(number));
            let phase =
                (count * u64::from(self.rate.denominator) % numerator) as f64 / numerator as f64;
            let x = 13.2 + 21.8 * phase;
            let spot = Colour::tinted(200, self.hue, 30.0);
            self.panel(picture, [x - 0.7, 16.5, x + 0.7, 17.9], 0.7, spot);
            if self.is_lit(number) {
                self.panel(
                    picture,
                    FLASH,
                    0.6,
                    Colour {
                        y: 235,
                        u: 128,
                        v: 128,
                    },
                );
            }
        }
    }

    fn draw_ground(&mut self) {
        let mut ground = self.ground.clone();
        self.panel(
            &mut ground,
            [-1.0, -1.0, 49.0, 28.0],
            0.0,
            Colour::tinted(222, self.hue, 6.0),
        );
        self.panel(
            &mut ground,
            [1.0, 1.0, 47.0, 26.0],
            0.0,
            Colour::tinted(34, self.hue, 9.0),
        );
        for block in 0..BLOCKS {
            self.tile(&mut ground, block, Colour::tinted(46, self.hue, 12.0));
        }
        self.panel(
            &mut ground,
            [2.15, 9.0, 10.85, 18.0],
            0.6,
            Colour::tinted(104, self.hue, 44.0),
        );
        for place in 0..3 {
            let digit = u32::from(self.id) / 10u32.pow(2 - place) % 10;
            let x = 3.0 + 2.5 * f64::from(place);
            self.digit(
                &mut ground,
                Some(digit),
                [x, 11.4, 1.7, 4.2],
                0.42,
                Colour::tinted(232, self.hue, 3.0),
            );
        }
        self.panel(
            &mut ground,
            [12.5, 17.05, 35.7, 17.35],
            0.15,
            Colour::tinted(84, self.hue, 16.0),
        );
        self.panel(&mut ground, FLASH, 0.6, Colour::tinted(48, self.hue, 12.0));
        self.ground = ground;
    }

    fn tile(&self, picture: &mut Picture, block: usize, colour: Colour) {
        let (left, top) = block_corner(block);
        let bounds = [
            left + 0.15,
            top + 0.15,
            left + BLOCK_WIDTH - 0.15,
            top + BLOCK_HEIGHT - 0.15,
        ];
        self.panel(picture, bounds, 0.35, colour);
    }

    /// A rectangle with round corners, in units.
    fn panel(&self, picture: &mut Picture, bounds: [f64; 4], radius: f64, colour: Colour) {
        let (across, down) = self.unit;
        let [left, top, right, bottom] = bounds;
        let bounds = [left * across, top * down, right * across, bottom * down];
        let [left, top, right, bottom] = bounds;
        let radius = radius * across.min(down);
        let (middle_x, middle_y) = ((left + right) / 2.0, (top + bottom) / 2.0);
        let (half_x, half_y) = ((right - left) / 2.0 - radius, (bottom - top) / 2.0 - radius);
        picture.paint(bounds, colour, |x, y| {
            let (x, y) = ((x - middle_x).abs() - half_x, (y - middle_y).abs() - half_y);
            x.max(0.0).hypot(y.max(0.0)) + x.max(y).min(0.0) - radius
        });
    }

    /// A digit of seven strokes, or only the middle one, in a box given in units as left, top, width and height.
    fn digit(
        &self,
        picture: &mut Picture,
        digit: Option<u32>,
        place: [f64; 4],
        stroke: f64,
        colour: Colour,
    ) {
        const A: u8 = 1;
        const B: u8 = 2;
        const C: u8 = 4;
        const D: u8 = 8;
        const E: u8 = 16;
        const F: u8 = 32;
        const G: u8 = 64;
        const LIT: [u8; 10] = [
            A | B | C | D | E | F,
            B | C,
            A | B | D | E | G,
            A | B | C | D | G,
            B | C | F | G,
            A | C | D | F | G,
            A | C | D | E | F | G,
            A | B | C,
            A | B | C | D | E | F | G,
            A | B | C | D | F | G,
        ];
        let lit = digit.map_or(G, |digit| LIT[digit as usize % 10]);
        let (across, down) = self.unit;
        let [left, top, width, height] = place;
        let (left, right) = (left * across, (left + width) * across);
        let (top, bottom) = (top * down, (top + height) * down);
        let middle = (top + bottom) / 2.0;
        let radius = stroke * across.min(down) / 2.0;
        let strokes = [
            (A, left, top, right, top),
            (B, right, top, right, middle),
            (C, right, middle, right, bottom),
            (D, left, bottom, right, bottom),
            (E, left, middle, left, bottom),
            (F, left, top, left, middle),
            (G, left, middle, right, middle),
        ];
        let bounds = [left - radius, top - radius, right + radius, bottom + radius];
        picture.paint(bounds, colour, |x, y| {
            strokes
                .iter()
                .filter(|(name, ..)| lit & name != 0)
                .map(|(_, x1, y1, x2, y2)| {
                    // The strokes lie along the axes: the nearest place on one is a clamped one.
                    (x - x.clamp(*x1, *x2)).hypot(y - y.clamp(*y1, *y2)) - radius
                })
                .fold(f64::MAX, f64::min)
        });
    }
}

/// The first frames at or after each whole second of a clip: where flashes and beeps begin. The last ones are left
/// out where less than 200 ms of the clip follow, so that a loop does not join two beeps into one.
pub fn flashes(rate: Rate, frames: u32) -> impl Iterator<Item = u32> {
    let frames = u64::from(frames);
    (0..)
        .map(move |second| first_frame(rate, second))
        .take_while(move |number| *number == 0 && frames > 0 || has_room(rate, frames, *number))
        .map(|number| number as u32)
}

fn first_frame(rate: Rate, second: u64) -> u64 {
    (second * u64::from(rate.numerator)).div_ceil(u64::from(rate.denominator))
}

fn has_room(rate: Rate, frames: u64, number: u64) -> bool {
    let left = frames.saturating_sub(number) * u64::from(rate.denominator) * 1000;
    left >= ROOM_FOR_FLASH_MS * u64::from(rate.numerator)
}

/// The frame in which the flash went on that is still on in frame `number`.
fn lit_since(rate: Rate, frames: u64, number: u32) -> Option<u64> {
    let number = u64::from(number);
    let (numerator, denominator) = (u64::from(rate.numerator), u64::from(rate.denominator));
    let first = first_frame(rate, number * denominator / numerator);
    let begun = first <= number && (first == 0 || has_room(rate, frames, first));
    (begun && (number - first) * denominator * 1000 < FLASH_MS * numerator).then_some(first)
}
