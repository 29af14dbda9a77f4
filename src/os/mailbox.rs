//! A mailbox between a producer that blocks when it is full and a consumer that never waits.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::os::doorbell::Doorbell;

/// The mailbox was closed: the producer should stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// A bounded queue. The producer's [`Mailbox::post`] blocks while it is full; the consumer is woken by a doorbell.
pub struct Mailbox<T> {
    state: Mutex<State<T>>,
    space: Condvar,
    depth: usize,
    bell: Doorbell,
}

struct State<T> {
    queue: VecDeque<T>,
    posted: u64,
    ended: bool,
    flushing: bool,
    closed: bool,
}

impl<T> State<T> {
    /// Whether nothing is taken in any more, for now or for good.
    fn refuses(&self) -> bool {
        self.flushing || self.closed
    }
}

impl<T> Mailbox<T> {
    /// An empty mailbox for at most `depth` letters, which rings `bell` at each.
    pub fn new(depth: usize, bell: Doorbell) -> Self {
        let state = State {
            queue: VecDeque::with_capacity(depth),
            posted: 0,
            ended: false,
            flushing: false,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            space: Condvar::new(),
            depth,
            bell,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a letter in, waiting for room; returns how many were ever posted.
    pub fn post(&self, letter: T) -> Result<u64, Closed> {
        let mut state = self.lock();
        while state.queue.len() >= self.depth && !state.refuses() {
            state = self
                .space
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.refuses() {
            return Err(Closed);
        }
        state.queue.push_back(letter);
        state.posted += 1;
        let posted = state.posted;
        drop(state);
        self.bell.ring();
        Ok(posted)
    }

    /// Waits for room, but no longer than `patience`; says whether the next letter will go in at once.
    pub fn wait_for_room(&self, patience: Duration) -> bool {
        let state = self.lock();
        let is_full = |state: &mut State<T>| state.queue.len() >= self.depth && !state.refuses();
        let waited = self
            .space
            .wait_timeout_while(state, patience, is_full)
            .unwrap_or_else(PoisonError::into_inner);
        !waited.1.timed_out()
    }

    /// How many letters were ever posted, and how many of them are still there.
    pub fn count(&self) -> (u64, usize) {
        let state = self.lock();
        (state.posted, state.queue.len())
    }

    /// Says that no more letters will come.
    pub fn end(&self) {
        self.lock().ended = true;
        self.bell.ring();
    }

    /// Ends the producer's wait and empties the mailbox: nothing is taken in until [`Mailbox::begin_anew`].
    pub fn flush(&self) {
        let mut state = self.lock();
        state.flushing = true;
        let letters = std::mem::take(&mut state.queue);
        drop(state);
        self.space.notify_all();
        drop(letters);
    }

    /// As if nothing had been posted: another producer begins.
    pub fn begin_anew(&self) {
        let mut state = self.lock();
        state.flushing = false;
        state.ended = state.closed;
        let letters = std::mem::take(&mut state.queue);
        drop(state);
        drop(letters);
    }

    /// Ends the producer's wait for good, and empties the mailbox.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let letters = std::mem::take(&mut state.queue);
        drop(state);
        self.space.notify_all();
        self.bell.ring();
        drop(letters);
    }

    /// Shows the consumer what waits, oldest first, and whether no more will come.
    pub fn look<R>(&self, look: impl FnOnce(&VecDeque<T>, bool) -> R) -> R {
        let state = self.lock();
        look(&state.queue, state.ended)
    }

    /// Takes the oldest letter out.
    pub fn take(&self) -> Option<T> {
        let letter = self.lock().queue.pop_front();
        self.space.notify_one();
        letter
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    fn mailbox(depth: usize) -> Arc<Mailbox<u32>> {
        Arc::new(Mailbox::new(depth, Doorbell::new().expect("an eventfd")))
    }

    #[test]
    fn letters_come_out_in_order_and_none_is_lost_when_it_is_full() {
        let mailbox = mailbox(3);
        let producer = thread::spawn({
            let mailbox = mailbox.clone();
            move || (0..1000).try_for_each(|letter| mailbox.post(letter).map(drop))
        });
        let mut received = Vec::new();
        while received.len() < 1000 {
            match mailbox.take() {
                Some(letter) => received.push(letter),
                None => drop(mailbox.bell.wait(None)),
            }
        }
        assert_eq!(received, (0..1000).collect::<Vec<_>>());
        assert_eq!(producer.join().expect("no panic"), Ok(()));
    }

    #[test]
    fn a_producer_can_ask_for_room_before_it_posts() {
        let mailbox = mailbox(1);
        assert!(mailbox.wait_for_room(Duration::ZERO));
        assert_eq!(mailbox.post(1), Ok(1));
        assert!(!mailbox.wait_for_room(Duration::from_millis(1)));
        assert_eq!(mailbox.count(), (1, 1));
        let waiting = thread::spawn({
            let mailbox = mailbox.clone();
            move || mailbox.wait_for_room(Duration::from_secs(60))
        });
        assert_eq!(mailbox.take(), Some(1));
        assert!(waiting.join().expect("no panic"));
        assert_eq!(mailbox.count(), (1, 0));
    }

    #[test]
    fn closing_frees_a_blocked_producer() {
        let mailbox = mailbox(1);
        assert_eq!(mailbox.post(1), Ok(1));
        let producer = thread::spawn({
            let mailbox = mailbox.clone();
            move || mailbox.post(2)
        });
        mailbox.close();
        assert_eq!(producer.join().expect("no panic"), Err(Closed));
        assert_eq!(mailbox.take(), None);
    }

    #[test]
    fn another_producer_begins_with_an_empty_mailbox() {
        let mailbox = Arc::new(Mailbox::new(1, Doorbell::new().expect("an eventfd")));
        mailbox.post(1).expect("room");
        let blocked = std::thread::spawn({
            let mailbox = mailbox.clone();
            move || mailbox.post(2)
        });
        mailbox.end();
        mailbox.flush();
        assert_eq!(blocked.join().expect("no panic"), Err(Closed));
        assert_eq!(mailbox.post(3), Err(Closed));
        mailbox.begin_anew();
        assert_eq!(mailbox.take(), None);
        assert!(!mailbox.look(|_, ended| ended));
        mailbox.post(4).expect("room");
        assert_eq!(mailbox.take(), Some(4));
    }
}
