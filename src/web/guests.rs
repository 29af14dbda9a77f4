//! Whoever is connected to a house: its boxes, and the pages and programs that look on.
//!
//! A guest has a mailbox for words, and a signal by which it hears how it stands. The mailbox has an end, the signal
//! has none: whoever is slow loses words, but learns that it did.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, mpsc, watch};

use crate::domain::{
    ids::Revision,
    protocol::sync::{CommandFrame, Frame},
};

/// How many words may wait for one guest.
const MAILBOX: usize = 64;

/// Who is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guest {
    /// The box of a screen.
    Box(String),
    /// A page or a program, by its name.
    Page(String),
}

/// A word for one guest.
#[derive(Clone, Debug)]
pub enum Word {
    /// A command for a box. Boxed, since a mailbox has room for 32 words from its first on.
    Command(Box<CommandFrame>),
    /// What a screen has said, for pages.
    Tell(Frame),
    /// A page was too slow for some of what screens have said: it is told what each has said last.
    Lost,
}

/// How a guest stands. No guest is so slow that a change of it is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Whether the guest may be here is to be looked at again.
    Doubted,
    /// The box was put out, or its screen is another box's now.
    Ousted,
    /// The same box has come in again: this connection is a dead one that nobody had noticed.
    Replaced,
    /// The house is gone.
    Homeless,
}

/// How a guest stands, for the guest to hear. It is smaller than a `watch` channel, and there is one for each box.
#[derive(Debug)]
pub struct Signal {
    standing: Mutex<Standing>,
    changed: Notify,
}

impl Signal {
    /// At first the guest is doubted.
    fn new() -> Arc<Self> {
        let signal = Self {
            standing: Mutex::new(Standing::Doubted),
            changed: Notify::new(),
        };
        signal.changed.notify_one();
        Arc::new(signal)
    }

    /// Who must leave is not let off by a doubt.
    fn raise(&self, standing: Standing) {
        let mut now = locked(&self.standing);
        if *now == Standing::Doubted {
            *now = standing;
        }
        self.changed.notify_one();
    }

    /// Waits until the standing is to be looked at; answers it.
    pub async fn changed(&self) -> Standing {
        self.changed.notified().await;
        *locked(&self.standing)
    }
}

struct Door {
    guest: Guest,
    mailbox: mpsc::Sender<Word>,
    /// Whether a word did not fit into the mailbox.
    lost: bool,
    signal: Arc<Signal>,
}

impl Door {
    fn is_of(&self, screen: &str) -> bool {
        matches!(&self.guest, Guest::Box(own) if own == screen)
    }

    fn is_page(&self) -> bool {
        matches!(self.guest, Guest::Page(_))
    }
}

/// All guests of a house.
#[derive(Default)]
pub struct Guests {
    doors: Mutex<HashMap<u64, Door>>,
    next: AtomicU64,
}

/// A guest's place; it is left when this is dropped.
pub struct Place {
    /// What it is told.
    pub words: Words,
    /// How it stands; at first it is doubted, since its right may have gone while it came in.
    pub signal: Arc<Signal>,
    /// The house's revision, as it changes.
    pub revision: watch::Receiver<Revision>,
}

/// The words for a guest.
pub struct Words {
    guests: Arc<Guests>,
    number: u64,
    mailbox: mpsc::Receiver<Word>,
}

impl Words {
    /// Waits for the next word. [`Word::Lost`] comes after those that were still in time.
    pub async fn next(&mut self) -> Option<Word> {
        if self.mailbox.is_empty() && self.guests.has_lost(self.number) {
            return Some(Word::Lost);
        }
        self.mailbox.recv().await
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        locked(&self.guests.doors).remove(&self.number);
    }
}

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(|broken| broken.into_inner())
}

impl Guests {
    /// Lets a guest in, who is told of the house's revision.
    pub fn enter(self: &Arc<Self>, guest: Guest, revision: watch::Receiver<Revision>) -> Place {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, mailbox) = mpsc::channel(MAILBOX);
        let signal = Signal::new();
        if let Guest::Box(screen) = &guest {
            // A box has one connection.
            self.stand(Standing::Replaced, |door| door.is_of(screen));
        }
        let door = Door {
            guest,
            mailbox: sender,
            lost: false,
            signal: Arc::clone(&signal),
        };
        locked(&self.doors).insert(number, door);
        Place {
            words: Words {
                guests: Arc::clone(self),
                number,
                mailbox,
            },
            signal,
            revision,
        }
    }

    /// How many boxes and pages are here.
    pub fn count(&self) -> (usize, usize) {
        let doors = locked(&self.doors);
        let pages = doors.values().filter(|door| door.is_page()).count();
        (doors.len() - pages, pages)
    }

    /// Whether a screen's box is here.
    pub fn has_box(&self, screen: &str) -> bool {
        locked(&self.doors).values().any(|door| door.is_of(screen))
    }

    /// Whether pages are here.
    pub fn has_pages(&self) -> bool {
        locked(&self.doors).values().any(Door::is_page)
    }

    /// The house is gone: everybody leaves.
    pub fn close(&self) {
        self.stand(Standing::Homeless, |_| true);
    }

    /// Whether everybody may still be here is looked at again.
    pub fn doubt_all(&self) {
        self.stand(Standing::Doubted, |_| true);
    }

    /// Whether pages and programs may still be here is looked at again.
    pub fn doubt_pages(&self) {
        self.stand(Standing::Doubted, Door::is_page);
    }

    /// The box of a screen has to go.
    pub fn oust(&self, screen: &str) {
        self.stand(Standing::Ousted, |door| door.is_of(screen));
    }

    fn stand(&self, standing: Standing, whose: impl Fn(&Door) -> bool) {
        for door in locked(&self.doors).values().filter(|door| whose(door)) {
            door.signal.raise(standing);
        }
    }

    /// Passes a command on to a screen's box; whether that is here and has room for it.
    pub fn tell_box(&self, screen: &str, command: CommandFrame) -> bool {
        let doors = locked(&self.doors);
        let of_screen = doors.iter().filter(|(_, door)| door.is_of(screen));
        // The newest is the one that lives.
        let door = of_screen.max_by_key(|(number, _)| **number);
        door.is_some_and(|(_, door)| {
            door.mailbox
                .try_send(Word::Command(Box::new(command)))
                .is_ok()
        })
    }

    /// Passes on to pages what a screen has said.
    pub fn tell_pages(&self, frame: &Frame) {
        // The doors are locked from the try to the note: a page looks for that with its mailbox not yet empty.
        for door in locked(&self.doors).values_mut() {
            if door.is_page() && door.mailbox.try_send(Word::Tell(frame.clone())).is_err() {
                door.lost = true;
            }
        }
    }

    fn has_lost(&self, number: u64) -> bool {
        let mut doors = locked(&self.doors);
        let door = doors.get_mut(&number);
        door.is_some_and(|door| std::mem::take(&mut door.lost))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use serde_json::json;

    use super::*;
    use crate::domain::protocol::sync::Message;

    fn frame() -> Frame {
        let report = json!({"type": "reported", "screen": "s", "online": false});
        let message: Message = serde_json::from_value(report).expect("a message");
        Frame::from(&message)
    }

    #[test]
    fn a_page_that_was_too_slow_learns_it_after_what_was_still_in_time() {
        let guests = Arc::new(Guests::default());
        let (_revision, revision) = watch::channel(Revision(1));
        let mut slow = guests.enter(Guest::Page("slow".to_owned()), revision.clone());
        let mut next = || slow.words.next().now_or_never().flatten();
        for _ in 0..2 {
            for _ in 0..MAILBOX {
                guests.tell_pages(&frame());
            }
            for _ in 0..MAILBOX {
                assert!(matches!(next(), Some(Word::Tell(_))));
            }
            assert!(next().is_none(), "nothing was lost");
            for _ in 0..MAILBOX + 2 {
                guests.tell_pages(&frame());
            }
            for _ in 0..MAILBOX {
                assert!(matches!(next(), Some(Word::Tell(_))));
            }
            assert!(matches!(next(), Some(Word::Lost)));
            assert!(next().is_none(), "it is told once");
        }
    }

    #[test]
    fn a_box_has_one_connection_and_no_words_for_pages() {
        let guests = Arc::new(Guests::default());
        let (_revision, revision) = watch::channel(Revision(1));
        let foyer = || guests.enter(Guest::Box("s".to_owned()), revision.clone());
        let (old, mut new) = (foyer(), foyer());
        assert_eq!(
            old.signal.changed().now_or_never(),
            Some(Standing::Replaced)
        );
        assert_eq!(guests.count(), (2, 0));
        drop(old);
        assert!(guests.has_box("s") && !guests.has_pages());
        guests.tell_pages(&frame());
        assert!(new.words.next().now_or_never().is_none());
        drop(new);
        assert_eq!(guests.count(), (0, 0));
    }
}
