//! The television behind a screen, as HDMI-CEC sees it: switched on and off by messages, confirmed by asking.
//!
//! A television may not listen, not answer, or take ten seconds to wake. So a command is said, its outcome asked for,
//! and the command said again a few times; after that the television is left alone, since a person may have switched it
//! by its own remote control. What is not known is called unknown. Messages and times are those of HDMI 1.4b, CEC
//! supplement, sections 13.1 (one touch play), 13.3 (standby) and 13.14 (power status). Pure: times come in as
//! arguments.

use crate::domain::{
    protocol::{Power, TvPower},
    units::MediaTime,
};

/// How often a command is said before the television is left alone.
pub const TRIES: u32 = 5;

/// How long after a command its outcome is asked for.
const SETTLING: MediaTime = MediaTime::from_seconds(2);

/// How long a television may say that it is on its way.
const PATIENCE: MediaTime = MediaTime::from_seconds(20);

/// How often it is asked at rest.
const REST: MediaTime = MediaTime::from_seconds(60);

/// What is said to the television.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// Switch on, and show a picture.
    ImageViewOn,
    /// To all: the picture comes from here.
    ActiveSource,
    /// Switch off.
    Standby,
    /// Are you on?
    GiveDevicePowerStatus,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is on.
    On,
    /// It is in standby.
    Standby,
    /// It is on its way from one to the other.
    OnItsWay,
    /// No answer to the question, or nobody took the message.
    Nothing,
    /// It asks all who is showing the picture.
    RequestActiveSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// There is no way to a television.
    Away,
    /// A command is due.
    Command { tries: u32 },
    /// The second half of switching on.
    Activate { tries: u32 },
    /// The outcome is to be asked for.
    Confirm { tries: u32, until: MediaTime },
    /// Nothing is wanted that is not so, or it was tried often enough.
    Rest,
}

/// The state of one television.
#[derive(Clone, Debug)]
pub struct Tv {
    wanted: Option<Power>,
    power: TvPower,
    step: Step,
    due: MediaTime,
    /// To be said before anything else.
    answer: Option<Say>,
}

impl Default for Tv {
    fn default() -> Self {
        Self {
            wanted: None,
            power: TvPower::Unknown,
            step: Step::Away,
            due: MediaTime::MAX,
            answer: None,
        }
    }
}

impl Tv {
    /// What is known of it.
    pub fn power(&self) -> TvPower {
        self.power
    }

    /// Switch it on or off.
    ///
    /// What is under way already goes on as it is; at rest, the same wish is tried again.
    pub fn want(&mut self, now: MediaTime, power: Power) {
        let same = self.wanted.replace(power) == Some(power);
        match self.step {
            Step::Away => {}
            Step::Command { .. } | Step::Activate { .. } | Step::Confirm { .. } if same => {}
            _ => self.go(Step::Command { tries: 0 }, now),
        }
    }

    /// A way to a television is there, or gone.
    pub fn reach(&mut self, now: MediaTime, reachable: bool) {
        self.power = TvPower::Unknown;
        self.answer = None;
        match (reachable, self.wanted) {
            (false, _) => self.go(Step::Away, MediaTime::MAX),
            (true, Some(Power::On)) => self.go(Step::Command { tries: 0 }, now),
            // One that somebody has just connected is not switched off.
            (true, Some(Power::Off) | None) => self.go(Step::Rest, now),
        }
    }

    /// When [`Tv::say`] is to be called again.
    pub fn due(&self) -> MediaTime {
        match self.answer {
            Some(_) => MediaTime::ZERO,
            None => self.due,
        }
    }

    /// What is to be said now. A question's outcome, and a command that nobody took, is told by [`Tv::hear`].
    pub fn say(&mut self, now: MediaTime) -> Option<Say> {
        if let Some(answer) = self.answer.take() {
            return Some(answer);
        }
        if now < self.due {
            return None;
        }
        let confirm = |tries| Step::Confirm {
            tries,
            until: now + PATIENCE,
        };
        match (self.step, self.wanted) {
            (Step::Away, _) => None,
            (Step::Command { tries }, Some(Power::On)) => {
                self.go(Step::Activate { tries }, now);
                Some(Say::ImageViewOn)
            }
            (Step::Activate { tries }, Some(Power::On)) => {
                self.go(confirm(tries), now + SETTLING);
                Some(Say::ActiveSource)
            }
            (Step::Command { tries }, Some(Power::Off)) => {
                self.go(confirm(tries), now + SETTLING);
                Some(Say::Standby)
            }
            (Step::Confirm { .. }, _) => {
                self.due = now + SETTLING;
                Some(Say::GiveDevicePowerStatus)
            }
            (Step::Rest | Step::Command { .. } | Step::Activate { .. }, _) => {
                self.go(Step::Rest, now + REST);
                Some(Say::GiveDevicePowerStatus)
            }
        }
    }

    /// The television has answered, or not.
    pub fn hear(&mut self, now: MediaTime, heard: Heard) {
        if self.step == Step::Away {
            return;
        }
        let power = match heard {
            Heard::RequestActiveSource => {
                // Only who shows a picture answers; one that is to be dark does not wake it.
                self.answer = (self.wanted == Some(Power::On)).then_some(Say::ActiveSource);
                return;
            }
            Heard::On => TvPower::On,
            Heard::Standby => TvPower::Standby,
            Heard::OnItsWay => self.power,
            Heard::Nothing => TvPower::Unknown,
        };
        self.power = power;
        let Step::Confirm { tries, until } = self.step else {
            return;
        };
        let wanted = match self.wanted {
            Some(Power::On) => TvPower::On,
            Some(Power::Off) | None => TvPower::Standby,
        };
        if heard == Heard::OnItsWay && now < until {
            return;
        }
        if power == wanted || tries + 1 >= TRIES {
            self.go(Step::Rest, now + REST);
        } else {
            let pause = SETTLING.times(1 << tries);
            self.go(Step::Command { tries: tries + 1 }, now + pause);
        }
    }

    fn go(&mut self, step: Step, due: MediaTime) {
        self.step = step;
        self.due = due;
    }
}
