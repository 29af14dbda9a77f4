//! Switching a television by CEC, in virtual time: against one that obeys, sleeps, is deaf, dumb or unplugged.

use musebox::domain::{
    protocol::{Power, TvPower},
    tv::{Heard, Say, TRIES, Tv},
    units::MediaTime,
};
use proptest::prelude::*;

/// A television. It takes `wakes` to get from one state to the other, ignores the first `deaf` commands and the first
/// `dumb` questions.
#[derive(Clone, Debug)]
struct Set {
    on: bool,
    changed: MediaTime,
    wakes: MediaTime,
    deaf: u32,
    dumb: u32,
    said: Vec<Say>,
}

impl Set {
    fn new(on: bool) -> Self {
        Self {
            on,
            changed: MediaTime::from_seconds(-100),
            wakes: MediaTime::ZERO,
            deaf: 0,
            dumb: 0,
            said: Vec::new(),
        }
    }

    fn take(&mut self, now: MediaTime, say: Say) -> Option<Heard> {
        self.said.push(say);
        match say {
            Say::GiveDevicePowerStatus if self.dumb > 0 => {
                self.dumb -= 1;
                Some(Heard::Nothing)
            }
            Say::GiveDevicePowerStatus if now - self.changed < self.wakes => Some(Heard::OnItsWay),
            Say::GiveDevicePowerStatus if self.on => Some(Heard::On),
            Say::GiveDevicePowerStatus => Some(Heard::Standby),
            Say::ActiveSource => None,
            Say::ImageViewOn | Say::Standby if self.deaf > 0 => {
                self.deaf -= 1;
                None
            }
            Say::ImageViewOn | Say::Standby => {
                let on = say == Say::ImageViewOn;
                if on != self.on {
                    self.on = on;
                    self.changed = now;
                }
                None
            }
        }
    }

    fn commands(&self) -> usize {
        let is_command = |say: &&Say| matches!(say, Say::ImageViewOn | Say::Standby);
        self.said.iter().filter(is_command).count()
    }
}

/// Lets both talk from `from` on for so long.
fn talk(tv: &mut Tv, set: &mut Set, from: MediaTime, seconds: i64) -> MediaTime {
    let end = from + MediaTime::from_seconds(seconds);
    let mut now = from;
    let mut said = 0;
    while tv.due() <= end {
        now = now.max(tv.due());
        while let Some(say) = tv.say(now) {
            said += 1;
            assert!(said < 1000, "it never stops talking");
            if let Some(heard) = set.take(now, say) {
                tv.hear(now, heard);
            }
        }
        assert!(tv.due() > now, "it neither talks nor waits");
    }
    end
}

fn reached() -> Tv {
    let mut tv = Tv::default();
    tv.reach(MediaTime::ZERO, true);
    tv
}

#[test]
fn it_is_switched_on_made_to_show_us_and_asked() {
    let (mut tv, mut set) = (reached(), Set::new(false));
    set.wakes = MediaTime::from_seconds(9);
    tv.want(MediaTime::ZERO, Power::On);
    talk(&mut tv, &mut set, MediaTime::ZERO, 20);
    assert_eq!(tv.power(), TvPower::On);
    assert_eq!(set.said[..2], [Say::ImageViewOn, Say::ActiveSource]);
    assert_eq!(set.commands(), 1, "{:?}", set.said);
}

#[test]
fn one_that_does_not_listen_is_told_again_and_then_left_alone() {
    let (mut tv, mut set) = (reached(), Set::new(false));
    set.deaf = 3;
    tv.want(MediaTime::ZERO, Power::On);
    let now = talk(&mut tv, &mut set, MediaTime::ZERO, 120);
    assert_eq!((tv.power(), set.commands()), (TvPower::On, 4));

    set.deaf = 1000;
    tv.want(now, Power::Off);
    talk(&mut tv, &mut set, now, 600);
    assert_eq!(
        (tv.power(), set.commands()),
        (TvPower::On, 4 + TRIES as usize)
    );
}

#[test]
fn one_that_never_answers_is_unknown() {
    let (mut tv, mut set) = (reached(), Set::new(true));
    set.dumb = 1000;
    tv.want(MediaTime::ZERO, Power::On);
    let now = talk(&mut tv, &mut set, MediaTime::ZERO, 300);
    assert_eq!(tv.power(), TvPower::Unknown);
    assert_eq!(set.commands(), TRIES as usize);
    set.dumb = 0;
    talk(&mut tv, &mut set, now, 61);
    assert_eq!(tv.power(), TvPower::On, "it is asked again later");
}

#[test]
fn a_person_s_remote_control_wins_and_is_seen() {
    let (mut tv, mut set) = (reached(), Set::new(false));
    tv.want(MediaTime::ZERO, Power::On);
    let now = talk(&mut tv, &mut set, MediaTime::ZERO, 30);
    set.on = false;
    talk(&mut tv, &mut set, now, 180);
    assert_eq!((tv.power(), set.commands()), (TvPower::Standby, 1));
}

#[test]
fn who_is_to_be_dark_does_not_claim_the_picture() {
    let (mut tv, mut set) = (reached(), Set::new(true));
    tv.want(MediaTime::ZERO, Power::Off);
    let now = talk(&mut tv, &mut set, MediaTime::ZERO, 30);
    tv.hear(now, Heard::RequestActiveSource);
    assert_ne!(tv.say(now), Some(Say::ActiveSource));
    tv.want(now, Power::On);
    let now = talk(&mut tv, &mut set, now, 30);
    tv.hear(now, Heard::RequestActiveSource);
    assert_eq!(tv.say(now), Some(Say::ActiveSource));
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Deed {
    Want(bool),
    Reach(bool),
    Press,
    Ask,
    Deaf(u32),
    Dumb(u32),
    Time(i64),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        any::<bool>().prop_map(Deed::Want),
        any::<bool>().prop_map(Deed::Reach),
        Just(Deed::Press),
        Just(Deed::Ask),
        (0..4u32).prop_map(Deed::Deaf),
        (0..4u32).prop_map(Deed::Dumb),
        (0..100i64).prop_map(Deed::Time),
    ]
}

proptest! {
    /// Whatever has happened: who cannot be reached is told nothing and is unknown, no wish is said more often than
    /// agreed, and once all listen and answer again, a new wish comes true.
    #[test]
    fn a_wish_comes_true_whatever_was_before(deeds in prop::collection::vec(deed(), 0..40), wish: bool) {
        let (mut tv, mut set) = (Tv::default(), Set::new(false));
        let (mut now, mut reachable) = (MediaTime::ZERO, false);
        for deed in deeds {
            let before = set.commands();
            match deed {
                Deed::Want(on) => tv.want(now, if on { Power::On } else { Power::Off }),
                Deed::Reach(there) => {
                    reachable = there;
                    tv.reach(now, there);
                }
                Deed::Press => set.on = !set.on,
                Deed::Ask => tv.hear(now, Heard::RequestActiveSource),
                Deed::Deaf(times) => set.deaf = times,
                Deed::Dumb(times) => set.dumb = times,
                Deed::Time(seconds) => now = talk(&mut tv, &mut set, now, seconds),
            }
            prop_assert!(set.commands() - before <= TRIES as usize);
            if !reachable {
                prop_assert_eq!((tv.power(), tv.due()), (TvPower::Unknown, MediaTime::MAX));
            }
        }
        tv.reach(now, true);
        (set.deaf, set.dumb) = (2, 1);
        tv.want(now, if wish { Power::On } else { Power::Off });
        talk(&mut tv, &mut set, now, 120);
        prop_assert_eq!(set.on, wish);
        prop_assert_eq!(tv.power(), if wish { TvPower::On } else { TvPower::Standby });
    }
}
