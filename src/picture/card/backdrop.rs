//! The light behind the words: a glowing opening in a dark wall.
//!
//! Painted here and not by the SVG renderer, because dark gradients in 8 bits fall into bands on a large screen
//! unless they are dithered.

use crate::domain::units::Size;

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

/// How much light there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// All is well.
    Open,
    /// Something is wrong.
    Dim,
}

type Colour = [f32; 3];

/// What a mood looks like, in linear light.
struct Palette {
    /// The opening's colours from its top to its foot.
    opening: [Colour; 4],
    /// What it throws on the wall close by and far off.
    near: Colour,
    far: Colour,
}

const WALL: Colour = [0.0042, 0.0042, 0.0056];

const OPEN: Palette = Palette {
    opening: [
        [0.92, 0.56, 0.33],
        [0.74, 0.24, 0.22],
        [0.33, 0.12, 0.30],
        [0.06, 0.06, 0.24],
    ],
    near: [0.046, 0.019, 0.026],
    far: [0.020, 0.0105, 0.0165],
};

const DIM: Palette = Palette {
    opening: [
        [0.085, 0.034, 0.018],
        [0.060, 0.020, 0.016],
        [0.030, 0.012, 0.018],
        [0.012, 0.009, 0.018],
    ],
    near: [0.010, 0.0045, 0.0040],
    far: [0.0050, 0.0030, 0.0034],
};

/// The wall with its opening, as opaque RGBA pixels.
pub(super) fn paint(size: Size, opening: Area, mood: Mood) -> Vec<u8> {
    let palette = match mood {
        Mood::Open => &OPEN,
        Mood::Dim => &DIM,
    };
    let encoder = Encoder::new();
    let reach = opening.height.max(1.0);
    let across = Profile::new(size.width, opening.left, opening.width, reach);
    let down = Profile::new(size.height, opening.top, opening.height, reach);
    let mut rgba = Vec::with_capacity(size.width as usize * size.height as usize * 4);
    for y in 0..size.height as usize {
        let place = (y as f32 - opening.top) / opening.height.max(1.0);
        let inside = blend(&palette.opening, place);
        for x in 0..size.width as usize {
            let mask = across.mask[x] * down.mask[y];
            let near = across.near[x] * down.near[y];
            let far = across.far[x] * down.far[y];
            // The opening is a little brighter in its middle.
            let lit = mask * (0.80 + 0.20 * across.rise[x]);
            let noise = noise(x as u32, y as u32);
            for channel in 0..3 {
                let light = WALL[channel]
                    + inside[channel] * lit
                    + palette.near[channel] * near * (1.0 - mask)
                    + palette.far[channel] * far;
                rgba.push(encoder.encode(light, noise));
            }
            rgba.push(255);
        }
    }
    rgba
}

/// How the light falls along one axis. The light of a point is the product of both axes' values.
struct Profile {
    mask: Vec<f32>,
    near: Vec<f32>,
    far: Vec<f32>,
    rise: Vec<f32>,
}

impl Profile {
    fn new(length: u32, start: f32, extent: f32, reach: f32) -> Self {
        let edge = 0.016 * reach;
        let of = |value: &dyn Fn(f32) -> f32| (0..length).map(|i| value(i as f32 + 0.5)).collect();
        // Below 0 inside, above 0 outside.
        let outside = |at: f32| (start - at).max(at - start - extent);
        let fall = |at: f32, width: f32| {
            let distance = outside(at).max(0.0) / (width * reach);
            (-(distance * distance) / (0.35 + distance)).exp()
        };
        Self {
            mask: of(&|at| smooth(edge, -edge, outside(at))),
            near: of(&|at| fall(at, 0.17)),
            far: of(&|at| fall(at, 0.55)),
            rise: of(&|at| {
                let middle = (at - start - extent / 2.0) / (extent / 2.0).max(1.0);
                1.0 - middle.abs().min(1.0).powi(2)
            }),
        }
    }
}

/// From linear light to sRGB, rounded with noise.
struct Encoder(Vec<f32>);

impl Encoder {
    const STEPS: usize = 4096;

    fn new() -> Self {
        // By the square root of the light, which spends the steps in the dark.
        let entry = |i| {
            let light = (i as f32 / Self::STEPS as f32).powi(2);
            match light <= 0.003_130_8 {
                true => 255.0 * 12.92 * light,
                false => 255.0 * (1.055 * light.powf(1.0 / 2.4) - 0.055),
            }
        };
        Self((0..=Self::STEPS).map(entry).collect())
    }

    /// `noise` lies in 0..1.
    fn encode(&self, light: f32, noise: f32) -> u8 {
        let step = light.clamp(0.0, 1.0).sqrt() * Self::STEPS as f32;
        let low = (step as usize).min(Self::STEPS - 1);
        let value = self.0[low] + (self.0[low + 1] - self.0[low]) * (step - low as f32);
        (value + noise).clamp(0.0, 255.0) as u8
    }
}

/// A smooth way through the colours (a quadratic B-spline), from 0 at the first to 1 at the last.
fn blend(colours: &[Colour; 4], place: f32) -> Colour {
    let last = colours.len() - 1;
    let at = place.clamp(0.0, 1.0) * last as f32;
    let middle = (at + 0.5) as usize;
    let t = at + 0.5 - middle as f32;
    let weights = [
        0.5 * (1.0 - t) * (1.0 - t),
        0.5 + t * (1.0 - t),
        0.5 * t * t,
    ];
    let around = [middle.saturating_sub(1), middle, (middle + 1).min(last)];
    let mut sum = [0.0; 3];
    for (weight, index) in weights.into_iter().zip(around) {
        for (channel, value) in sum.iter_mut().zip(colours[index]) {
            *channel += weight * value;
        }
    }
    sum
}

fn smooth(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A number in 0..1 for a pixel, always the same, without a visible pattern.
fn noise(x: u32, y: u32) -> f32 {
    let mut bits = x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77);
    bits = (bits ^ (bits >> 15)).wrapping_mul(0x2c1b_3c6d);
    bits = (bits ^ (bits >> 12)).wrapping_mul(0x297a_2d39);
    // 24 bits are what a float holds, so the result stays below 1.
    ((bits ^ (bits >> 15)) >> 8) as f32 / 16_777_216.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(320, 180);
    const OPENING: Area = Area {
        left: 200.0,
        top: 40.0,
        width: 75.0,
        height: 100.0,
    };

    fn brightness(rgba: &[u8], x: u32, y: u32) -> u32 {
        let at = (y * SIZE.width + x) as usize * 4;
        rgba[at..at + 3]
            .iter()
            .map(|&channel| u32::from(channel))
            .sum()
    }

    #[test]
    fn the_opening_glows_and_the_wall_is_never_quite_black() {
        for mood in [Mood::Open, Mood::Dim] {
            let rgba = paint(SIZE, OPENING, mood);
            assert_eq!(rgba.len(), 320 * 180 * 4);
            let [middle, beside, corner] =
                [(237, 60), (190, 60), (4, 170)].map(|(x, y)| brightness(&rgba, x, y));
            assert!(
                3 * middle > 4 * beside && beside > corner,
                "{middle} {beside} {corner}"
            );
            assert!(
                rgba.as_chunks::<4>()
                    .0
                    .iter()
                    .all(|p| p[0] > 0 && p[3] == 255)
            );
        }
        assert!(
            brightness(&paint(SIZE, OPENING, Mood::Open), 237, 60)
                > 2 * brightness(&paint(SIZE, OPENING, Mood::Dim), 237, 60)
        );
    }

    #[test]
    fn gradients_do_not_fall_into_bands() {
        // Along a row of a dark gradient, no value stands for long alone: neighbours are mixed.
        let size = Size::new(3840, 40);
        let opening = Area {
            left: 3000.0,
            top: 0.0,
            width: 300.0,
            height: 1200.0,
        };
        let rgba = paint(size, opening, Mood::Open);
        let row: Vec<u8> = rgba[..3000 * 4].iter().step_by(4).copied().collect();
        let longest = row.chunk_by(|a, b| a == b).map(<[u8]>::len).max();
        assert!(longest < Some(60), "{longest:?}");
    }

    #[test]
    fn any_size_and_opening_can_be_painted() {
        let nothing = Area {
            left: 0.0,
            top: 0.0,
            width: 0.0,
            height: 0.0,
        };
        for (width, height) in [(1, 1), (1, 300), (300, 1)] {
            let size = Size::new(width, height);
            assert_eq!(
                paint(size, nothing, Mood::Open).len() as u32,
                width * height * 4
            );
        }
    }
}
