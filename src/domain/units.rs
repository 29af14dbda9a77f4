//! Quantities with their units: media time, rates, picture sizes, display modes.

use std::{
    fmt,
    ops::{Add, AddAssign, Neg, Sub, SubAssign},
    str::FromStr,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use thiserror::Error;

const NANOS: i128 = 1_000_000_000;

/// A point or a length of time in nanoseconds. It may be negative: samples before an edit list's start are.
///
/// The same type serves the display clock, whose zero is the first vblank of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(i64);

impl MediaTime {
    /// No time at all.
    pub const ZERO: MediaTime = MediaTime(0);
    /// Later than everything.
    pub const MAX: MediaTime = MediaTime(i64::MAX);

    /// A time of `nanos` nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// A time of `millis` milliseconds; saturates.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// A time of `seconds` seconds; saturates.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// `value` ticks of which `timescale` make a second, rounded to the nearest nanosecond; saturates.
    /// A timescale of 0 counts as 1.
    pub fn from_scale(value: i64, timescale: u32) -> Self {
        let scale = i128::from(timescale.max(1));
        Self::saturate(
            (i128::from(value) * NANOS + (scale / 2) * i128::from(value.signum())) / scale,
        )
    }

    /// The time in nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The time in milliseconds, with fractions.
    pub fn millis(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The time in whole milliseconds, rounded down.
    pub const fn whole_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The time in seconds, with fractions.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Half of the time.
    pub const fn half(self) -> Self {
        Self(self.0 / 2)
    }

    /// `count` times the time; saturates.
    pub fn times(self, count: i64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// How many samples at `rate` hertz lie before this time, rounded to the nearest.
    pub fn samples(self, rate: u32) -> i64 {
        let product = i128::from(self.0) * i128::from(rate);
        (product + NANOS / 2).div_euclid(NANOS) as i64
    }

    /// The time as a [`Duration`]; negative times are zero.
    pub fn duration(self) -> Duration {
        Duration::from_nanos(self.0.max(0).unsigned_abs())
    }

    fn saturate(nanos: i128) -> Self {
        Self(nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }
}

impl From<Duration> for MediaTime {
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl Add for MediaTime {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for MediaTime {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for MediaTime {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for MediaTime {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Neg for MediaTime {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.seconds())
    }
}

/// A frequency in hertz as a fraction, as in 60000/1001.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    numerator: u32,
    denominator: u32,
}

impl Rate {
    /// `numerator / denominator` hertz, or nothing where either is 0.
    pub const fn new(numerator: u32, denominator: u32) -> Option<Self> {
        match numerator == 0 || denominator == 0 {
            true => None,
            false => Some(Self {
                numerator,
                denominator,
            }),
        }
    }

    /// `hertz` whole hertz, at least 1.
    pub const fn hertz(hertz: u32) -> Self {
        Self {
            numerator: if hertz == 0 { 1 } else { hertz },
            denominator: 1,
        }
    }

    /// The fraction's upper half.
    pub const fn numerator(self) -> u32 {
        self.numerator
    }

    /// The fraction's lower half.
    pub const fn denominator(self) -> u32 {
        self.denominator
    }

    /// When tick `count` falls, counted from tick 0 at time 0; exact to the nanosecond for ever.
    pub fn tick(self, count: i64) -> MediaTime {
        let numerator = i128::from(self.numerator);
        let product = i128::from(count) * i128::from(self.denominator) * NANOS;
        MediaTime::saturate((product + numerator / 2).div_euclid(numerator))
    }

    /// The length of one tick, rounded to the nearest nanosecond.
    pub fn period(self) -> MediaTime {
        self.tick(1)
    }

    /// The rate in hertz.
    pub fn as_hertz(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1 => write!(f, "{}", self.numerator),
            1001 => write!(f, "{}/1001", self.numerator),
            // Of a mode's pixel clock: more than three places nobody reads.
            _ => {
                let hertz = format!("{:.3}", self.as_hertz());
                f.write_str(hertz.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }
}

/// A text that is not a display mode or a rate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadMode {
    /// The text has another form.
    #[error(
        "\"{0}\" is not a display mode: write WIDTHxHEIGHT@RATE, as in 1920x1080@60 or 1280x720@59.94"
    )]
    Form(String),
    /// The rate is no number between 1 and 1000 hertz.
    #[error("\"{0}\" is not a rate: write hertz between 1 and 1000, as in 60, 59.94 or 60000/1001")]
    Rate(String),
    /// The size is odd or out of bounds.
    #[error("{width}x{height} is not a picture size: both must be even and between 16 and 16384")]
    Size {
        /// The width asked for, in pixels.
        width: u32,
        /// The height asked for, in pixels.
        height: u32,
    },
}

impl FromStr for Rate {
    type Err = BadMode;

    /// Reads `60`, `59.94` (the NTSC rates 23.976, 29.97, 47.952, 59.94 and 119.88 mean their exact n/1001) or `60000/1001`.
    fn from_str(text: &str) -> Result<Self, BadMode> {
        let bad = || BadMode::Rate(text.to_owned());
        let rate = match text.split_once('/') {
            Some((numerator, denominator)) => Rate::new(
                numerator.parse().map_err(|_| bad())?,
                denominator.parse().map_err(|_| bad())?,
            )
            .ok_or_else(bad)?,
            None => {
                let hertz: f64 = text.parse().map_err(|_| bad())?;
                if !(1.0..=1000.0).contains(&hertz) {
                    return Err(bad());
                }
                let ntsc = (hertz * 1.001).round();
                match hertz.fract() != 0.0 && (ntsc / 1.001 - hertz).abs() < 0.005 {
                    true => Rate {
                        numerator: ntsc as u32 * 1000,
                        denominator: 1001,
                    },
                    false => match hertz.fract() == 0.0 {
                        true => Rate::hertz(hertz as u32),
                        false => Rate {
                            numerator: (hertz * 1000.0).round() as u32,
                            denominator: 1000,
                        },
                    },
                }
            }
        };
        match (1.0..=1000.0).contains(&rate.as_hertz()) {
            true => Ok(rate),
            false => Err(bad()),
        }
    }
}

/// The size of a picture in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Size {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Size {
    /// A size of `width` by `height` pixels.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// What a display shows: an even size and a rate, written `1920x1080@60`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mode {
    /// The visible pixels.
    pub size: Size,
    /// Vblanks a second.
    pub rate: Rate,
}

impl Mode {
    /// A mode of even size between 16 and 16384 pixels a side.
    pub fn new(size: Size, rate: Rate) -> Result<Self, BadMode> {
        let fits = |side: u32| side.is_multiple_of(2) && (16..=16384).contains(&side);
        match fits(size.width) && fits(size.height) {
            true => Ok(Self { size, rate }),
            false => Err(BadMode::Size {
                width: size.width,
                height: size.height,
            }),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.size, self.rate)
    }
}

impl FromStr for Mode {
    type Err = BadMode;

    fn from_str(text: &str) -> Result<Self, BadMode> {
        let bad = || BadMode::Form(text.to_owned());
        let (size, rate) = text.split_once('@').ok_or_else(bad)?;
        let (width, height) = size.split_once('x').ok_or_else(bad)?;
        let size = Size::new(
            width.parse().map_err(|_| bad())?,
            height.parse().map_err(|_| bad())?,
        );
        Mode::new(size, rate.parse()?)
    }
}

impl Serialize for Mode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_do_not_drift_in_a_year() {
        let rate: Rate = "59.94".parse().expect("an NTSC rate");
        assert_eq!((rate.numerator(), rate.denominator()), (60000, 1001));
        // 60,000 ticks last exactly 1,001 seconds.
        let times = 366 * 24 * 3600 / 1001;
        let end = MediaTime::from_seconds(times * 1001);
        assert_eq!(rate.tick(times * 60_000), end);
    }

    #[test]
    fn rates_and_modes_read_as_written() {
        for (text, rate) in [
            ("60", (60, 1)),
            ("60000/1001", (60000, 1001)),
            ("23.976", (24000, 1001)),
            ("47.952", (48000, 1001)),
            ("29.97", (30000, 1001)),
            ("12.5", (12500, 1000)),
        ] {
            let parsed: Rate = text.parse().expect(text);
            assert_eq!((parsed.numerator(), parsed.denominator()), rate, "{text}");
        }
        assert_eq!(
            "1920x1080@60".parse::<Mode>().expect("a mode").to_string(),
            "1920x1080@60"
        );
        for text in [
            "",
            "1920x1080",
            "1920@60",
            "1921x1080@60",
            "8x8@60",
            "1920x1080@0",
            "1920x1080@60/0",
            "axb@c",
            "1920x1080@nan",
        ] {
            assert!(text.parse::<Mode>().is_err(), "{text}");
        }
    }

    #[test]
    fn scaled_times_round_to_the_nearest_nanosecond() {
        assert_eq!(MediaTime::from_scale(1, 3).nanos(), 333_333_333);
        assert_eq!(MediaTime::from_scale(2, 3).nanos(), 666_666_667);
        assert_eq!(MediaTime::from_scale(-2, 3).nanos(), -666_666_667);
        assert_eq!(MediaTime::from_scale(i64::MAX, 1), MediaTime::MAX);
        assert_eq!(MediaTime::from_seconds(2).samples(48_000), 96_000);
    }
}
