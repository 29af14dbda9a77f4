//! What a capture should show: the playlist, how often, and how much may be amiss.

use std::str::FromStr;

use super::pattern::{MOST_FRAMES, Rate, STILL};

/// How long an item is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// A clip.
    Frames {
        /// How many of its frames are shown: all, or as many as a duration leaves.
        count: u32,
        /// Its rate.
        rate: Rate,
    },
    /// An image.
    Still {
        /// How long it stands.
        ms: u32,
    },
}

/// Whether an item's flashes come with beeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beeps {
    /// They do.
    Sounding,
    /// The clip was made without sound.
    Mute,
}

/// One item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Item {
    /// The clip's or image's id.
    pub id: u8,
    /// Its length.
    pub length: Length,
    /// Its sound.
    pub beeps: Beeps,
}

impl Item {
    /// How many vblanks it lasts.
    pub fn vblanks(&self, display: Rate) -> f64 {
        match self.length {
            Length::Frames { count, rate } => {
                f64::from(count) * display.as_hertz() / rate.as_hertz()
            }
            Length::Still { ms } => f64::from(ms) * display.as_hertz() / 1000.0,
        }
    }

    /// How many different pictures it has.
    pub fn pictures(&self) -> u32 {
        match self.length {
            Length::Frames { count, .. } => count,
            Length::Still { .. } => 1,
        }
    }

    /// Whether the number can be one of this item's.
    pub fn is_still(&self) -> bool {
        matches!(self.length, Length::Still { .. })
    }

    /// Whether a mark with this id and number belongs to the item.
    pub fn matches(&self, id: u8, number: u32) -> bool {
        self.id == id && self.is_still() == (number == STILL)
    }
}

/// What may be amiss and still passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// By how many vblanks an item may begin beside the nearest one.
    pub boundary: u64,
    /// By how many vblanks, on average, the last third of the rounds may begin later or earlier than the first.
    pub growth: f64,
    /// Vblanks of too much for a frame, in sum.
    pub repeated: u64,
    /// How far a beep may be from its flash.
    pub offset_ms: f64,
    /// How far sound and picture may drift apart over the whole capture.
    pub drift_ms: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            boundary: 1,
            growth: 0.5,
            repeated: 0,
            offset_ms: 25.0,
            drift_ms: 1.0,
        }
    }
}

/// What a capture should show. Without items, everything is reported and only what is wrong in itself is a fault.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// The playlist, in order.
    pub items: Vec<Item>,
    /// How often it is shown; without, the capture may end anywhere.
    pub rounds: Option<u64>,
    /// What may be amiss.
    pub limits: Limits,
}

impl FromStr for Expect {
    type Err = String;

    /// Reads `1:50:25,2:still:2000,3:60:30000/1001:mute`: clips as id, frames and rate, images with milliseconds.
    fn from_str(text: &str) -> Result<Self, String> {
        let items = text.split(',').map(item).collect::<Result<_, _>>()?;
        Ok(Self {
            items,
            ..Self::default()
        })
    }
}

fn item(text: &str) -> Result<Item, String> {
    let bad = |why: &str| {
        format!(
            "\"{text}\" is not an item ({why}): write ID:FRAMES:RATE[:mute] or ID:still:MILLISECONDS"
        )
    };
    let mut words = text.trim().split(':');
    let mut next = || words.next().unwrap_or_default();
    let (id, second, third, fourth) = (next(), next(), next(), next());
    if words.next().is_some() {
        return Err(bad("too many words"));
    }
    let length = match second {
        "still" => Length::Still {
            ms: third
                .parse()
                .ok()
                .filter(|ms| *ms > 0)
                .ok_or_else(|| bad("its time"))?,
        },
        count => Length::Frames {
            count: count
                .parse()
                .ok()
                .filter(|count| (1..=MOST_FRAMES).contains(count))
                .ok_or_else(|| bad("its frames"))?,
            rate: third.parse()?,
        },
    };
    Ok(Item {
        id: id
            .parse()
            .map_err(|_| bad("its id is no number up to 255"))?,
        length,
        beeps: match fourth {
            "" => Beeps::Sounding,
            "mute" => Beeps::Mute,
            _ => return Err(bad("its last word")),
        },
    })
}
