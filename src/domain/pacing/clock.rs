//! The display clock of one head: its vblanks as times.

use crate::domain::units::{MediaTime, Rate};

/// How far display and content may be apart to be locked: 0.2 %, which nobody sees or hears, takes 59.94 for 60.
const LOCK: f64 = 0.002;

/// The rate at which display time goes while frames of this length are shown, so that each stands a whole number of
/// vblanks: the display's own, or one that is at most 0.2 % off where that makes the lengths divide.
///
/// The length is one of a constant rate of whole hertz, or 1000/1001 of that; others are not locked.
pub fn locked(display: Rate, frame: MediaTime) -> Rate {
    let frames = |rate: &Rate| (rate.period() - frame).nanos().abs() <= 1;
    let hertz = (1e9 / frame.nanos().max(1) as f64).round();
    if !(1.0..=240.0).contains(&hertz) {
        return display;
    }
    let hertz = hertz as u32;
    let ntsc = Rate::new(hertz * 1000, 1001);
    let Some(content) = [Some(Rate::hertz(hertz)), ntsc]
        .into_iter()
        .flatten()
        .find(frames)
    else {
        return display;
    };
    let vblanks = (display.as_hertz() / content.as_hertz()).round().max(1.0);
    let wanted = content.as_hertz() * vblanks;
    match (wanted / display.as_hertz() - 1.0).abs() <= LOCK {
        true => Rate::new(content.numerator() * vblanks as u32, content.denominator())
            .unwrap_or(display),
        false => display,
    }
}

/// Display time goes by vblanks: each is one period of the mode later than the one before, whatever the real clock says.
///
/// All heads of a display share one time. The first head's vblanks make it; the others' clocks are kept within half a
/// period of it by [`DisplayClock::align`].
#[derive(Clone, Debug)]
pub struct DisplayClock {
    rate: Rate,
    /// The time of vblank `since`.
    base: MediaTime,
    since: u64,
    sequence: u64,
}

impl DisplayClock {
    /// Vblank 0 is at time 0.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            base: MediaTime::ZERO,
            since: 0,
            sequence: 0,
        }
    }

    /// The number of the last vblank.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The time of a vblank.
    fn at(&self, sequence: u64) -> MediaTime {
        self.base + self.rate.tick(sequence as i64 - self.since as i64)
    }

    /// The time of the last vblank.
    pub fn now(&self) -> MediaTime {
        self.at(self.sequence)
    }

    /// The time of the next vblank.
    pub fn next(&self) -> MediaTime {
        self.at(self.sequence + 1)
    }

    /// The time of the vblank `steps` before the next.
    pub fn before_next(&self, steps: u64) -> MediaTime {
        self.at(self.sequence + 1 - steps.min(self.sequence + 1))
    }

    /// The rate at which display time goes.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// The time from one vblank to the next.
    pub fn period(&self) -> MediaTime {
        self.rate.period()
    }

    /// A vblank came; tells how many there were since the last that was told.
    pub fn latch(&mut self, sequence: u64) -> u64 {
        let steps = sequence.saturating_sub(self.sequence);
        self.sequence += steps;
        steps
    }

    /// Another mode, or other content: from the last vblank on, time goes by at this rate.
    pub fn set_rate(&mut self, rate: Rate) {
        if rate == self.rate {
            return;
        }
        self.base = self.now();
        self.since = self.sequence;
        self.rate = rate;
    }

    /// Shifts the clock if it has come away from `expected`, the time that it should be, by more than half a period.
    pub fn align(&mut self, expected: MediaTime) {
        let away = expected - self.now();
        if away.nanos().abs() > self.period().half().nanos() {
            self.base += away;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vblanks_are_exact_for_days_and_go_on_through_a_change_of_mode() {
        let rate = Rate::new(60_000, 1001).expect("a rate");
        let mut clock = DisplayClock::new(rate);
        assert_eq!(clock.latch(60_000 * 3600), 60_000 * 3600);
        assert_eq!(clock.now(), MediaTime::from_seconds(1001 * 3600));
        clock.set_rate(Rate::hertz(50));
        assert_eq!(clock.now(), MediaTime::from_seconds(1001 * 3600));
        assert_eq!(clock.next() - clock.now(), MediaTime::from_millis(20));
        assert_eq!(clock.latch(60_000 * 3600 + 3), 3);
        assert_eq!(
            clock.before_next(3),
            MediaTime::from_seconds(1001 * 3600) + MediaTime::from_millis(20)
        );
        assert_eq!(clock.latch(7), 0);
    }

    #[test]
    fn display_and_content_are_locked_where_nobody_sees_it() {
        let at = |display: (u32, u32), nanos: i64| {
            let display = Rate::new(display.0, display.1).expect("a rate");
            locked(display, MediaTime::from_nanos(nanos)).to_string()
        };
        let vesa = (1_258_750, 21_000); // 640x480 with a pixel clock of 25.175 MHz: 59.9405 Hz.
        assert_eq!(at(vesa, 33_333_333), "60");
        assert_eq!(at(vesa, 16_683_333), "60000/1001");
        assert_eq!(at((60, 1), 33_366_667), "60000/1001");
        assert_eq!(at((60, 1), 41_708_333), "60");
        assert_eq!(at((60, 1), 40_000_000), "60");
        assert_eq!(at((50, 1), 40_000_000), "50");
        assert_eq!(at((24_000, 1001), 41_666_667), "24");
        assert_eq!(at((30, 1), 16_666_667), "30");
        assert_eq!(at((60, 1), 33_000_000), "60");
        assert_eq!(at((60, 1), 0), "60");
    }

    #[test]
    fn another_head_s_clock_stays_within_half_a_period() {
        let mut clock = DisplayClock::new(Rate::hertz(50));
        clock.latch(10);
        clock.align(MediaTime::from_millis(209));
        assert_eq!(clock.now(), MediaTime::from_millis(200));
        clock.align(MediaTime::from_millis(189));
        assert_eq!(clock.now(), MediaTime::from_millis(189));
        assert_eq!(clock.next(), MediaTime::from_millis(209));
    }
}
