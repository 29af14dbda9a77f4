//! Captures made without a player: each vblank shows exactly what a test wants.

use crate::counted::{
    draw::{Artist, Picture, flashes},
    expect::{Expect, Item, Length},
    judge::judge,
    pattern::{Rate, STILL},
    report::Verdict,
    sound::{beep, write_wav},
    y4m::{write_frame, write_header},
};

const WIDTH: usize = 128;
const HEIGHT: usize = 72;

/// What one vblank shows.
#[derive(Clone, PartialEq)]
pub enum Shot {
    /// A frame of an item.
    Frame { id: u8, number: u32 },
    /// A picture of the test's own.
    Other(Picture),
}

/// A capture in the making.
pub struct Stage {
    pub display: Rate,
    pub expect: Expect,
    pub shots: Vec<Shot>,
}

impl Stage {
    /// What a perfect player would show.
    pub fn new(spec: &str, rounds: u64, display: Rate) -> Self {
        let mut expect: Expect = spec.parse().expect("a playlist");
        expect.rounds = Some(rounds);
        let mut shots = Vec::new();
        let mut begin = 0.0_f64;
        for _ in 0..rounds {
            for item in &expect.items {
                let share = item.vblanks(display) / f64::from(item.pictures());
                for picture in 0..item.pictures() {
                    let number = if item.is_still() { STILL } else { picture };
                    let id = item.id;
                    let end = (begin + f64::from(picture + 1) * share).round() as usize;
                    shots.resize(end.max(shots.len()), Shot::Frame { id, number });
                }
                begin += item.vblanks(display);
            }
        }
        Self {
            display,
            expect,
            shots,
        }
    }

    /// The first vblank of a frame, in the given showing of its item.
    pub fn place(&self, id: u8, number: u32, showing: usize) -> usize {
        let wanted = Shot::Frame { id, number };
        let is_first = |place: &usize| {
            self.shots[*place] == wanted && (*place == 0 || self.shots[place - 1] != wanted)
        };
        let mut places = (0..self.shots.len()).filter(is_first);
        places.nth(showing).expect("the frame is shown so often")
    }

    /// Draws one shot.
    pub fn draw(&self, shot: &Shot) -> Picture {
        match shot {
            Shot::Frame { id, number } => self.artist(*id).frame(*number),
            Shot::Other(picture) => picture.clone(),
        }
    }

    fn artist(&self, id: u8) -> Artist {
        let (rate, frames) = match self
            .expect
            .items
            .iter()
            .find(|item| item.id == id)
            .map(|item| item.length)
        {
            Some(Length::Frames { count, rate }) => (rate, count),
            Some(Length::Still { .. }) | None => (Rate::hertz(25), 50),
        };
        Artist::new(id, WIDTH, HEIGHT, rate, frames).expect("a good size")
    }

    /// The capture's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_header(&mut bytes, WIDTH, HEIGHT, self.display).expect("memory takes all");
        let mut drawn: Option<(&Shot, Picture)> = None;
        for shot in &self.shots {
            if drawn.as_ref().is_none_or(|(last, _)| *last != shot) {
                drawn = Some((shot, self.draw(shot)));
            }
            if let Some((_, picture)) = &drawn {
                write_frame(&mut bytes, picture).expect("memory takes all");
            }
        }
        bytes
    }

    /// When a perfect player's beeps begin, in samples.
    pub fn beeps(&self) -> Vec<u64> {
        let rate = |item: &Item| match item.length {
            Length::Frames { count, rate } => Some((count, rate)),
            Length::Still { .. } => None,
        };
        let one_hertz = Rate::hertz(1);
        let (mut begin, mut beeps) = (0.0, Vec::new());
        for _ in 0..self.expect.rounds.unwrap_or(1) {
            for item in &self.expect.items {
                if let Some((count, rate)) = rate(item) {
                    let times =
                        flashes(rate, count).map(|number| f64::from(number) / rate.as_hertz());
                    beeps.extend(times.map(|time| ((begin + time) * 48_000.0).round() as u64));
                }
                begin += item.vblanks(one_hertz);
            }
        }
        beeps
    }

    /// How many samples the sound of a perfect player has.
    pub fn samples(&self) -> usize {
        (self.shots.len() as f64 / self.display.as_hertz() * 48_000.0).round() as usize
    }

    /// A WAV file with beeps at these samples.
    pub fn wav(&self, beeps: &[u64]) -> Vec<u8> {
        let mut samples = vec![0; self.samples()];
        for start in beeps {
            beep(&mut samples, *start);
        }
        let mut wav = Vec::new();
        write_wav(&mut wav, &samples, 2).expect("memory takes all");
        wav
    }

    pub fn judge(&self) -> Verdict {
        judge(self.bytes().as_slice(), None, &self.expect).expect("a capture")
    }

    pub fn judge_with(&self, wav: &[u8]) -> Verdict {
        judge(self.bytes().as_slice(), Some(&mut &wav[..]), &self.expect)
            .expect("a capture with sound")
    }
}
