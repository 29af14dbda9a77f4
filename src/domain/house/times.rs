//! When something is on: weekly windows and ranges of dates, by the clock on the house's wall.
//!
//! Deliberately absent: time zones. Who asks brings the local time.

use std::{fmt, str::FromStr};

use jiff::civil::{Date, DateTime, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// A time of day in whole minutes, from `00:00` to `24:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(u16);

/// A text that is no time of day.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{0}\" is no time of day: write hours and minutes, as in 08:30, up to 24:00")]
pub struct BadTimeOfDay(String);

impl TimeOfDay {
    /// The end of the day.
    pub const MIDNIGHT: TimeOfDay = TimeOfDay(24 * 60);

    /// Minutes since the day began.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl FromStr for TimeOfDay {
    type Err = BadTimeOfDay;

    fn from_str(text: &str) -> Result<Self, BadTimeOfDay> {
        let minutes = match text.as_bytes() {
            [
                h @ b'0'..=b'9',
                i @ b'0'..=b'9',
                b':',
                m @ b'0'..=b'5',
                n @ b'0'..=b'9',
            ] => {
                let two = |a: &u8, b: &u8| u16::from(a - b'0') * 10 + u16::from(b - b'0');
                two(h, i) * 60 + two(m, n)
            }
            _ => u16::MAX,
        };
        match minutes <= Self::MIDNIGHT.0 {
            true => Ok(Self(minutes)),
            false => Err(BadTimeOfDay(text.to_owned())),
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// A date, written `2026-12-24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilDate(pub Date);

/// A text that is no date.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{0}\" is no date: write year, month and day, as in 2026-12-24")]
pub struct BadDate(String);

impl FromStr for CivilDate {
    type Err = BadDate;

    fn from_str(text: &str) -> Result<Self, BadDate> {
        let bad = || BadDate(text.to_owned());
        let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let mut parts = text.split('-');
        let (Some(year), Some(month), Some(day), None, true) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            plain,
        ) else {
            return Err(bad());
        };
        let (Ok(year), Ok(month), Ok(day), 4) =
            (year.parse(), month.parse(), day.parse(), year.len())
        else {
            return Err(bad());
        };
        Date::new(year, month, day).map(Self).map_err(|_| bad())
    }
}

impl fmt::Display for CivilDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(date) = self;
        write!(
            f,
            "{:04}-{:02}-{:02}",
            date.year(),
            date.month(),
            date.day()
        )
    }
}

/// Reads and writes a type as text, with a pattern for the schema.
macro_rules! as_text {
    ($name:ident, $description:literal, $pattern:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"description": $description, "type": "string", "pattern": $pattern})
            }
        }
    };
}

as_text!(
    TimeOfDay,
    "A time of day, from 00:00 to 24:00.",
    "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
);
as_text!(
    CivilDate,
    "A date: year, month, day.",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
);

/// A day of the week.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl From<jiff::civil::Weekday> for Weekday {
    fn from(day: jiff::civil::Weekday) -> Self {
        match day {
            jiff::civil::Weekday::Monday => Weekday::Mon,
            jiff::civil::Weekday::Tuesday => Weekday::Tue,
            jiff::civil::Weekday::Wednesday => Weekday::Wed,
            jiff::civil::Weekday::Thursday => Weekday::Thu,
            jiff::civil::Weekday::Friday => Weekday::Fri,
            jiff::civil::Weekday::Saturday => Weekday::Sat,
            jiff::civil::Weekday::Sunday => Weekday::Sun,
        }
    }
}

/// A window of the week. It belongs to the days on which it begins: where `to` is not after `from`, it runs past
/// midnight into the next day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// The days on which it begins.
    pub days: Vec<Weekday>,
    /// When it begins.
    pub from: TimeOfDay,
    /// When it ends; this minute is no longer in it.
    pub to: TimeOfDay,
}

/// When a playlist is scheduled. The dates are those on which a window begins; without windows, whole days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Schedule {
    /// Which of several schedules wins: the highest.
    #[serde(default)]
    pub priority: i32,
    /// The first date; without it, since ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_date: Option<CivilDate>,
    /// The last date; without it, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_date: Option<CivilDate>,
    /// The windows of the week; none means always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
}

/// So many days ahead every window of a week has begun and ended.
const A_WEEK_AND_A_DAY: i32 = 8;

impl Schedule {
    /// A schedule of these windows, for ever.
    pub fn weekly(windows: Vec<Window>) -> Self {
        Self {
            windows,
            ..Self::default()
        }
    }

    /// Whether it is on at this local time.
    pub fn is_on(&self, at: DateTime) -> bool {
        let yesterday = days_from(at.date(), -1);
        [Some(at.date()), yesterday]
            .into_iter()
            .flatten()
            .any(|day| self.spans(day).any(|(from, to)| from <= at && at < to))
    }

    /// When after this local time it next goes on or off, if ever.
    pub fn next_change(&self, after: DateTime) -> Option<DateTime> {
        let on = self.is_on(after);
        let today = after.date();
        // Within a week of now, or of the first date, everything has gone on and off that ever does, but for the end
        // of the last date.
        let first = self.from_date.map_or(today, |date| date.0.max(today));
        let last = self.to_date.map(|date| date.0);
        let days = (-1..=A_WEEK_AND_A_DAY)
            .flat_map(|ahead| [days_from(today, ahead), days_from(first, ahead)])
            .chain((-1..=1).map(|ahead| last.and_then(|last| days_from(last, ahead))))
            .flatten();
        let mut times: Vec<DateTime> = days
            .flat_map(|day| self.spans(day).flat_map(|(from, to)| [from, to]))
            .filter(|time| *time > after)
            .collect();
        times.sort_unstable();
        times.into_iter().find(|time| self.is_on(*time) != on)
    }

    /// What begins on this day: from when to when.
    fn spans(&self, day: Date) -> impl Iterator<Item = (DateTime, DateTime)> + '_ {
        let dated = self.from_date.is_none_or(|from| from.0 <= day)
            && self.to_date.is_none_or(|to| day <= to.0);
        let weekday = Weekday::from(day.weekday());
        let whole = self.windows.is_empty();
        let next = days_from(day, 1).unwrap_or(Date::MAX);
        let midnight = Time::midnight();
        let windows = self
            .windows
            .iter()
            .filter(move |window| window.days.contains(&weekday))
            .map(move |window| {
                let to = match window.to > window.from {
                    true => at(day, window.to),
                    false => at(next, window.to),
                };
                (at(day, window.from), to)
            });
        whole
            .then(|| (day.to_datetime(midnight), next.to_datetime(midnight)))
            .into_iter()
            .chain(windows)
            .filter(move |_| dated)
    }
}

/// A time of a day; `24:00` is the next day's beginning.
fn at(day: Date, time: TimeOfDay) -> DateTime {
    let (day, minutes) = match time < TimeOfDay::MIDNIGHT {
        true => (day, time.0),
        false => (days_from(day, 1).unwrap_or(Date::MAX), 0),
    };
    // Hours are below 24 and minutes below 60 here.
    day.at((minutes / 60) as i8, (minutes % 60) as i8, 0, 0)
}

/// The day so many days later; nothing beyond the calendar.
fn days_from(day: Date, days: i32) -> Option<Date> {
    day.checked_add(jiff::Span::new().days(days)).ok()
}
