//! Draws the sample media: three abstract works and a quiet tone, the first thing that anybody sees and hears of
//! musebox.
//!
//! `render tide|mobile` writes a YUV4MPEG2 video, `render dunes` a PPM picture, `render tone` a WAV file, each to
//! standard output. A single file without dependencies, so that plain `rustc` builds it in seconds. Time enters only
//! as a phase that returns to its start, so that the last frame flows into the first.

use std::{
    env,
    io::{self, BufWriter, Write},
    process::ExitCode,
    sync::mpsc,
    thread,
};

const WIDTH: usize = 1280;
const HEIGHT: usize = 720;
const SECONDS: usize = 8;

fn main() -> ExitCode {
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let work = env::args().nth(1).unwrap_or_default();
    let done = match work.as_str() {
        "tide" => film(&mut out, 30, tide),
        "mobile" => film(&mut out, 60, mobile),
        "dunes" => still(&mut out, 1920, 1080, dunes),
        "tone" => tone(&mut out),
        _ => {
            eprintln!("usage: render tide|mobile|dunes|tone");
            return ExitCode::from(2);
        }
    };
    match done.and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("render {work}: {err}");
            ExitCode::FAILURE
        }
    }
}

// Small mathematics.

type Colour = [f32; 3];

/// The sine of `turns` full turns; within 0.001, smooth, and much faster than the exact one.
#[inline(always)]
fn wave(turns: f32) -> f32 {
    // Adding and taking away 1.5 * 2^23 rounds to the nearest whole number.
    let x = turns - ((turns + 12_582_912.0) - 12_582_912.0);
    let y = 8.0 * x - 16.0 * x * x.abs();
    0.775 * y + 0.225 * y * y.abs()
}

fn smooth(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

fn mix(a: Colour, b: Colour, t: f32) -> Colour {
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * t)
}

fn scale(a: Colour, factor: f32) -> Colour {
    a.map(|v| v * factor)
}

/// A colour as designers write it, in linear light.
fn rgb(hex: u32) -> Colour {
    [16, 8, 0].map(|shift| ((hex >> shift & 255) as f32 / 255.0).powf(2.2))
}

/// A smooth way through colours (a quadratic B-spline): 0 is the first, 1 the last.
fn blend(colours: &[Colour], place: f32) -> Colour {
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

/// A number between 0 and 1 that looks random and is not.
fn hash(x: u32, y: u32, seed: u32) -> f32 {
    let mut h =
        x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77) ^ seed.wrapping_mul(0xc2b2_ae3d);
    h = (h ^ h >> 15).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ h >> 12).wrapping_mul(0x297a_2d39);
    (h ^ h >> 15) as f32 / u32::MAX as f32
}

/// From linear light to the values that displays take, by a table.
struct Gamma(Vec<f32>);

impl Gamma {
    const STEPS: usize = 8192;

    fn new() -> Self {
        // The table is by the square root, which spends its steps where the curve is steep.
        let entry = |i| (i as f32 / Self::STEPS as f32).powf(2.0 / 2.2);
        Gamma((0..=Self::STEPS).map(entry).collect())
    }

    #[inline(always)]
    fn encode(&self, linear: f32) -> f32 {
        self.0[(linear.clamp(0.0, 1.0).sqrt() * Self::STEPS as f32) as usize]
    }
}

// Tide: folds of silk that a slow current moves.

fn tide(phase: f32, frame: &mut [Colour]) {
    let turn = |times: f32, shift: f32| wave(times * phase + shift);
    // The height of the cloth and a second, broader field for its colour.
    let mut height = vec![0.0_f32; frame.len()];
    let mut hue = vec![0.0_f32; frame.len()];
    let sway = [
        turn(1.0, 0.0),
        turn(1.0, 0.25),
        turn(1.0, 0.6),
        turn(1.0, 0.85),
    ];
    for y in 0..HEIGHT {
        let v0 = (y as f32 - HEIGHT as f32 / 2.0) / HEIGHT as f32;
        for x in 0..WIDTH {
            let u0 = (x as f32 - WIDTH as f32 / 2.0) / HEIGHT as f32;
            // Seen at an angle, so that no fold is level.
            let (mut u, mut v) = (0.92 * u0 + 0.38 * v0, 0.92 * v0 - 0.38 * u0);
            u += 0.19 * wave(0.62 * v + 0.10 + 0.11 * sway[0]);
            v += 0.16 * wave(0.55 * u + 0.30 + 0.12 * sway[1]);
            u += 0.11 * wave(1.30 * v + 0.70 + 0.14 * sway[2]);
            v += 0.10 * wave(1.05 * u + 0.20 + 0.15 * sway[3]);
            u += 0.045 * wave(2.60 * v + 0.45 + 0.20 * sway[1]);
            v += 0.040 * wave(2.30 * u + 0.90 + 0.20 * sway[0]);
            let folds = wave(1.55 * v + 0.35 * u - phase)
                + 0.45 * wave(3.1 * v - 0.8 * u + 0.3 + 0.25 * sway[2])
                + 0.16 * wave(6.3 * v + 1.1 * u + 0.6 - phase);
            height[y * WIDTH + x] = folds;
            hue[y * WIDTH + x] = 0.5
                + 0.36 * wave(0.42 * u - 0.5 * v + 0.08 + 0.10 * sway[3])
                + 0.20 * wave(0.9 * v + 0.55 + 0.1 * sway[0]);
        }
    }
    let deep = rgb(0x0b1030);
    let ramp = [
        rgb(0x12235c),
        rgb(0x1c5f7e),
        rgb(0xb9506a),
        rgb(0xf08a5b),
        rgb(0xf7cf9a),
    ];
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let at = y * WIDTH + x;
            let right = height[y * WIDTH + (x + 1).min(WIDTH - 1)]
                - height[y * WIDTH + x.saturating_sub(1)];
            let below = height[(y + 1).min(HEIGHT - 1) * WIDTH + x]
                - height[y.saturating_sub(1) * WIDTH + x];
            let edge_x = if x == 0 || x == WIDTH - 1 { 2.0 } else { 1.0 };
            let edge_y = if y == 0 || y == HEIGHT - 1 { 2.0 } else { 1.0 };
            let (dx, dy) = (right * edge_x * 26.0, below * edge_y * 26.0);
            let length = (1.0 + dx * dx + dy * dy).sqrt();
            // Light from above left, and its gloss along the folds.
            let facing = (0.42 * -dx + 0.66 * -dy + 0.62) / length;
            let light = smooth(-0.75, 1.0, facing);
            let gloss = smooth(0.80, 1.02, facing);
            let place = (hue[at] + 0.10 * height[at]).clamp(0.0, 0.999) * 4.0;
            let step = place as usize;
            let base = mix(
                ramp[step],
                ramp[step + 1],
                smooth(0.0, 1.0, place - step as f32),
            );
            let mut colour = mix(deep, base, 0.10 + 0.90 * light);
            for (channel, shine) in colour.iter_mut().zip([1.0, 0.86, 0.72]) {
                *channel *= 0.42 + (0.75 + 0.9 * gloss) * light;
                *channel += 0.07 * gloss * shine;
            }
            frame[at] = scale(colour, corner_light(x, y, 0.55));
        }
    }
}

/// A gentle fall of light towards the corners.
fn corner_light(x: usize, y: usize, depth: f32) -> f32 {
    let u = (x as f32 + 0.5) / WIDTH as f32 - 0.5;
    let v = (y as f32 + 0.5) / HEIGHT as f32 - 0.5;
    1.0 - depth * smooth(0.12, 0.62, u * u + v * v)
}

// Mobile: sheets of coloured glass that turn about each other before a lit wall.

struct Disc {
    /// Centre and radius, in heights of the picture.
    at: [f32; 2],
    radius: f32,
    /// The inner radius of a ring; 0 for a full disc.
    hole: f32,
    /// What the glass lets through.
    glass: Colour,
    /// How far before the wall it hangs: the higher, the wider and softer its shadow.
    lift: f32,
    /// The direction of the cut of a half disc, as a unit vector.
    cut: Option<[f32; 2]>,
}

fn mobile(phase: f32, frame: &mut [Colour]) {
    let discs = mobile_discs(phase);
    let (top, bottom) = (rgb(0xf6efe2), rgb(0xd9c9b4));
    let lamp = [
        -0.34 + 0.05 * wave(phase),
        -0.22 + 0.03 * wave(phase + 0.25),
    ];
    for (y, row) in frame.chunks_exact_mut(WIDTH).enumerate() {
        let v = (y as f32 + 0.5 - HEIGHT as f32 / 2.0) / HEIGHT as f32;
        let lv = v - lamp[1];
        for (x, colour) in row.iter_mut().enumerate() {
            let lu = across(x) - lamp[0];
            *colour = mix(top, bottom, smooth(0.0, 1.5, lu * lu + lv * lv));
        }
        let near = || discs.iter().filter(|disc| disc.reaches(v));
        for disc in near() {
            // Shadows fall to the lower right, and the light that comes through the glass tints them.
            let (right, below, blur) = (0.55 * disc.lift, 0.85 * disc.lift, disc.blur());
            for x in disc.span(right, blur) {
                let shade = disc.coverage(across(x) - right, v - below, blur);
                for (channel, glass) in row[x].iter_mut().zip(disc.glass) {
                    *channel *= 1.0 - shade * (0.46 - 0.32 * glass);
                }
            }
        }
        for disc in near() {
            let edge = 0.5 / HEIGHT as f32;
            for x in disc.span(0.0, edge) {
                let cover = disc.coverage(across(x), v, edge);
                let (du, dv) = (across(x) - disc.at[0], v - disc.at[1]);
                // A breath of light over each sheet, from the lamp's side.
                let sheen = 1.0 + 0.16 * ((-du - dv) / disc.radius).clamp(-1.0, 1.0);
                for (channel, glass) in row[x].iter_mut().zip(disc.glass) {
                    *channel *= 1.0 + cover * (glass * sheen - 1.0);
                }
            }
        }
        for (x, colour) in row.iter_mut().enumerate() {
            *colour = scale(*colour, corner_light(x, y, 0.28));
        }
    }
}

/// How far right of the middle a pixel's centre is, in heights of the picture.
#[inline(always)]
fn across(x: usize) -> f32 {
    (x as f32 + 0.5 - WIDTH as f32 / 2.0) / HEIGHT as f32
}

fn mobile_discs(phase: f32) -> Vec<Disc> {
    // The whole mobile turns once a loop about a point left of the middle; the parts sway on their own wires.
    let arm = |length: f32, shift: f32, squeeze: f32| {
        let (s, c) = (wave(phase + shift), wave(phase + shift + 0.25));
        [length * c, squeeze * length * s]
    };
    let sway = |amount: f32, shift: f32| amount * wave(phase + shift);
    let disc = |at: [f32; 2], radius, glass, lift| Disc {
        at,
        radius,
        hole: 0.0,
        glass: rgb(glass),
        lift,
        cut: None,
    };
    let plus = |a: [f32; 2], b: [f32; 2]| [a[0] + b[0], a[1] + b[1]];
    let heart = [-0.10 + sway(0.02, 0.1), 0.01 + sway(0.015, 0.4)];
    let red = plus(heart, arm(0.13, 0.05, 0.8));
    let blue = plus(heart, arm(0.30, 0.47, 0.55));
    let ochre = plus([0.42, 0.13], arm(0.11, 0.30, 1.0));
    let rose = plus([-0.52, -0.16], arm(0.09, 0.80, 1.0));
    let turn = phase + 0.12;
    vec![
        disc(rose, 0.155, 0xf6c6b6, 0.020),
        disc(blue, 0.225, 0x4483c8, 0.034),
        disc(red, 0.290, 0xf0654a, 0.050),
        Disc {
            cut: Some([wave(turn + 0.25), wave(turn)]),
            ..disc([0.46 + sway(0.012, 0.6), -0.17], 0.185, 0x3a948a, 0.042)
        },
        disc(ochre, 0.120, 0xf6c04c, 0.028),
        Disc {
            hole: 0.236,
            ..disc(
                plus([0.30, 0.17], arm(0.035, 0.55, 1.0)),
                0.250,
                0x24314f,
                0.060,
            )
        },
        disc(plus(red, arm(0.36, 0.62, 0.9)), 0.042, 0x24314f, 0.055),
        disc(plus(blue, arm(0.30, 0.20, 0.9)), 0.026, 0xe5573c, 0.046),
        Disc {
            hole: 0.078,
            ..disc(
                plus([-0.56, 0.25], arm(0.05, 0.15, 1.0)),
                0.088,
                0x8b6a3c,
                0.030,
            )
        },
    ]
}

impl Disc {
    /// How far the edge of the shadow is softened.
    fn blur(&self) -> f32 {
        0.42 * self.lift + 0.004
    }

    /// Whether the shape or its shadow touches a row.
    fn reaches(&self, v: f32) -> bool {
        let from = self.at[1] - self.radius - self.blur();
        (from..=self.at[1] + self.radius + 0.85 * self.lift + self.blur()).contains(&v)
    }

    /// The pixels of a row that the shape, moved to the right, can touch.
    fn span(&self, right: f32, blur: f32) -> std::ops::Range<usize> {
        let middle = (self.at[0] + right) * HEIGHT as f32 + WIDTH as f32 / 2.0;
        let reach = (self.radius + blur) * HEIGHT as f32;
        (middle - reach).max(0.0) as usize..((middle + reach + 1.0).max(0.0) as usize).min(WIDTH)
    }

    /// How much of a point the shape covers, its edge softened over `blur` to both sides.
    #[inline(always)]
    fn coverage(&self, u: f32, v: f32, blur: f32) -> f32 {
        let (du, dv) = (u - self.at[0], v - self.at[1]);
        let square = du * du + dv * dv;
        let reach = self.radius + blur;
        if square > reach * reach {
            return 0.0;
        }
        let distance = square.sqrt();
        let mut inside = self.radius - distance;
        if self.hole > 0.0 {
            inside = inside.min(distance - self.hole);
        }
        if let Some([cu, cv]) = self.cut {
            inside = inside.min(du * cu + dv * cv);
        }
        smooth(-blur, blur, inside)
    }
}

// Dunes: ridges behind ridges in the last light.

fn dunes(width: usize, height: usize) -> Vec<Colour> {
    let sky = [
        rgb(0x2b2f5e),
        rgb(0x6d5488),
        rgb(0xd98c86),
        rgb(0xf7c79a),
        rgb(0xfbe3bd),
    ];
    let far = rgb(0xe9a98c);
    let near = rgb(0x1d1733);
    let lit = rgb(0xf6a26a);
    let sun = [0.30_f32, -0.045];
    const RIDGES: usize = 8;
    let ridge = |n: usize, u: f32| {
        let n_ = n as f32;
        let seat = 0.020 + 0.062 * n_ + 0.0028 * n_ * n_;
        let tall = 0.030 + 0.012 * n_;
        let long = 1.05 - 0.085 * n_;
        let shift = 0.37 * n_ + 0.13 * (n_ * 2.0).sin();
        let skew = u + 0.16 * long.recip() * 0.4 * wave(u * long * 0.9 + shift);
        seat - tall * wave(skew * long + shift)
            - 0.42 * tall * wave(skew * 2.3 * long + 1.7 * shift)
            - 0.10 * tall * wave(skew * 5.9 * long + 3.1 * shift)
    };
    let mut picture = Vec::with_capacity(width * height);
    for y in 0..height {
        let v = (y as f32 + 0.5) / height as f32 - 0.5;
        for x in 0..width {
            let u = (x as f32 + 0.5 - width as f32 / 2.0) / height as f32;
            let mut colour = blend(&sky, (v + 0.5) / 0.56);
            let from_sun = ((u - sun[0]).powi(2) + (v - sun[1]).powi(2)).sqrt();
            let halo = (-from_sun * 5.2).exp() * 0.55 + (-from_sun * 1.6).exp() * 0.16;
            for (channel, warm) in colour.iter_mut().zip([1.0, 0.72, 0.46]) {
                *channel += halo * warm;
            }
            let disc = smooth(0.0012, -0.0012, from_sun - 0.088);
            colour = mix(colour, rgb(0xfff3dc), disc);
            for n in 0..RIDGES {
                let crest = ridge(n, u);
                let below = v - crest;
                let cover = smooth(-0.0007, 0.0007, below);
                if cover <= 0.0 {
                    continue;
                }
                let depth = n as f32 / (RIDGES - 1) as f32;
                // The edge between light and shade runs down each dune at a slant.
                let foot = u - 0.75 * below;
                let slope = (ridge(n, foot + 0.004) - ridge(n, foot - 0.004)) / 0.008;
                let mut sand = mix(far, near, depth.powf(0.62));
                // The side that faces the sun glows along the crest; the foot of each ridge lies in haze.
                let side = ((sun[0] - u) * 3.0).clamp(-1.0, 1.0);
                let toward = smooth(-0.26, 0.34, slope * side + 0.05);
                let glow = (-below / (0.045 + 0.09 * depth)).exp() * toward;
                let near_sun = (-(u - sun[0]).abs() * 0.9).exp();
                sand = mix(sand, lit, 0.62 * glow * near_sun * (1.0 - 0.35 * depth));
                let rim = (-below / 0.0035).exp() * toward * near_sun;
                sand = mix(sand, rgb(0xffe2b8), 0.40 * rim * (1.0 - 0.5 * depth));
                let ripple =
                    wave(below * (150.0 - 74.0 * depth) + 0.9 * wave(u * 1.7 + n as f32) + u * 3.0);
                sand = scale(
                    sand,
                    1.0 + 0.035 * ripple * (0.35 + depth) * smooth(0.0, 0.04, below),
                );
                let haze = smooth(0.0, 0.16, below) * (1.0 - depth).powf(1.2) * 0.62;
                sand = mix(sand, mix(rgb(0xf2b79b), rgb(0x8f6a92), depth), haze);
                colour = mix(colour, sand, cover);
            }
            let corner = u * u * 0.32 + v * v;
            let grain =
                1.0 + 0.035 * (hash(x as u32, y as u32, 7) + hash(x as u32, y as u32, 11) - 1.0);
            picture.push(scale(
                colour,
                (1.0 - 0.38 * smooth(0.10, 0.62, corner)) * grain,
            ));
        }
    }
    picture
}

// Out into the formats that ffmpeg reads.

/// Writes a loop of [`SECONDS`], drawn on all cores, as YUV4MPEG2 in BT.709 and limited range.
fn film(out: &mut impl Write, rate: usize, draw: fn(f32, &mut [Colour])) -> io::Result<()> {
    writeln!(
        out,
        "YUV4MPEG2 W{WIDTH} H{HEIGHT} F{rate}:1 Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED"
    )?;
    let frames = SECONDS * rate;
    let workers = thread::available_parallelism().map_or(1, |count| count.get());
    let printer = Printer::new();
    thread::scope(|scope| {
        // Worker n draws every frame whose number leaves n; each is one frame ahead of the writer.
        let lanes: Vec<_> = (0..workers)
            .map(|worker| {
                let (send, lane) = mpsc::sync_channel(1);
                let printer = &printer;
                scope.spawn(move || {
                    let mut frame = vec![[0.0; 3]; WIDTH * HEIGHT];
                    for number in (worker..frames).step_by(workers) {
                        draw(number as f32 / frames as f32, &mut frame);
                        if send.send(printer.print(&frame)).is_err() {
                            return;
                        }
                    }
                });
                lane
            })
            .collect();
        for number in 0..frames {
            let yuv = lanes[number % workers].recv().map_err(io::Error::other)?;
            out.write_all(b"FRAME\n")?;
            out.write_all(&yuv)?;
        }
        Ok(())
    })
}

/// What turns light into 8-bit values. Each is dithered, so that the long gradients do not fall into bands.
struct Printer {
    gamma: Gamma,
    luma: Vec<f32>,
    chroma: [Vec<f32>; 2],
}

impl Printer {
    fn new() -> Self {
        let noise = |width: u32, height: u32, seed| {
            let at = |y: u32| (0..width).map(move |x| hash(x, y, seed));
            (0..height).flat_map(at).collect()
        };
        let (width, height) = (WIDTH as u32, HEIGHT as u32);
        Self {
            gamma: Gamma::new(),
            luma: noise(width, height, 1),
            chroma: [2, 3].map(|seed| noise(width / 2, height / 2, seed)),
        }
    }

    /// 4:2:0 with chroma sited left, as MPEG-2 and H.264 have it by default.
    fn print(&self, frame: &[Colour]) -> Vec<u8> {
        let mut yuv = Vec::with_capacity(WIDTH * HEIGHT * 3 / 2);
        let mut planes = [(); 2].map(|()| Vec::with_capacity(WIDTH * HEIGHT));
        for (colour, noise) in frame.iter().zip(&self.luma) {
            let [r, g, b] = colour.map(|channel| self.gamma.encode(channel));
            let luma = 0.2126 * r + 0.7152 * g + 0.0722 * b;
            planes[0].push((b - luma) / 1.8556);
            planes[1].push((r - luma) / 1.5748);
            yuv.push((16.0 + 219.0 * luma + noise) as u8);
        }
        for (plane, noise) in planes.iter().zip(&self.chroma) {
            let rows = plane.chunks_exact(2 * WIDTH);
            for (rows, noise) in rows.zip(noise.chunks_exact(WIDTH / 2)) {
                let column = |x: usize| rows[x] + rows[WIDTH + x];
                for (half, noise) in noise.iter().enumerate() {
                    let x = 2 * half;
                    let sum = column(x.saturating_sub(1)) + 2.0 * column(x) + column(x + 1);
                    yuv.push((128.0 + 28.0 * sum + noise) as u8);
                }
            }
        }
        yuv
    }
}

fn still(
    out: &mut impl Write,
    width: usize,
    height: usize,
    draw: fn(usize, usize) -> Vec<Colour>,
) -> io::Result<()> {
    write!(out, "P6\n{width} {height}\n255\n")?;
    let gamma = Gamma::new();
    for (at, colour) in draw(width, height).into_iter().enumerate() {
        let dither = hash(at as u32, 0, 5);
        out.write_all(
            &colour.map(|channel| (255.0 * gamma.encode(channel) + dither).min(255.0) as u8),
        )?;
    }
    Ok(())
}

/// A quiet open chord whose partials swell and wander between left and right. Every frequency and every swell is a
/// whole number of turns a loop, so the end meets the beginning.
fn tone(out: &mut impl Write) -> io::Result<()> {
    const RATE: usize = 48_000;
    let samples = RATE * SECONDS;
    let bytes = (samples * 4) as u32;
    out.write_all(b"RIFF")?;
    out.write_all(&(36 + bytes).to_le_bytes())?;
    out.write_all(b"WAVEfmt \x10\0\0\0\x01\0\x02\0")?;
    out.write_all(&(RATE as u32).to_le_bytes())?;
    out.write_all(&(RATE as u32 * 4).to_le_bytes())?;
    out.write_all(b"\x04\0\x10\0data")?;
    out.write_all(&bytes.to_le_bytes())?;
    // Turns a loop, loudness, the swell's turns a loop, the swell's shift.
    let partials: [(f64, f64, f64, f64); 9] = [
        (880.0, 0.30, 1.0, 0.00),
        (881.0, 0.20, 1.0, 0.50),
        (1318.0, 0.22, 1.0, 0.30),
        (1760.0, 0.16, 2.0, 0.10),
        (1761.0, 0.12, 1.0, 0.75),
        (2217.0, 0.11, 1.0, 0.55),
        (2637.0, 0.09, 2.0, 0.60),
        (3951.0, 0.045, 1.0, 0.20),
        (5274.0, 0.022, 2.0, 0.85),
    ];
    for sample in 0..samples {
        let at = sample as f64 / samples as f64;
        let sine = |turns: f64| (std::f64::consts::TAU * turns.fract()).sin();
        let (mut left, mut right) = (0.0, 0.0);
        for (turns, loudness, swell, shift) in partials {
            let level = loudness * (0.55 + 0.45 * sine(swell * at + shift)).powi(2);
            let side = 0.5 + 0.35 * sine(at + 2.0 * shift);
            let value = level * sine(turns * at);
            left += value * (1.0 - side).sqrt();
            right += value * side.sqrt();
        }
        for value in [left, right] {
            out.write_all(&((value * 0.16 * 32767.0).round() as i16).to_le_bytes())?;
        }
    }
    Ok(())
}
