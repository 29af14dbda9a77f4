//! The presenter: the one thread that commits to the display.
//!
//! At every vblank it plans the next one from the mailboxes and the programme, commits, and tells the app what became
//! true when the picture is really on the screen. It never opens, closes or decodes anything.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        mpsc::{Receiver, Sender},
    },
};

use crate::{
    domain::{
        fit::Fit,
        ids::{LoadId, ScreenIndex, SlotId},
        pacing::{Await, News, Next, Patience, Plan, Traits},
        sequencer::Cue,
        units::MediaTime,
    },
    kms::{Display, DisplayEvent, scene::Scene},
    os::{clock, doorbell::Doorbell, feed::Feed, frame::Frame},
    player::{
        gauges::Gauges,
        head::{Garbage, Head},
        mixer::Mixer,
    },
};

/// In lockstep, display time stands still for so long before what is awaited counts as stalled.
const STALL: MediaTime = MediaTime::from_seconds(10);

/// What the app tells the presenter.
pub enum Order {
    /// A slot is ready.
    Attach {
        /// The slot's screen.
        screen: ScreenIndex,
        /// Which of the two.
        slot: SlotId,
        /// The opening.
        load: LoadId,
        /// Its frames and sound.
        feed: Arc<Feed>,
        /// What it can do.
        traits: Traits,
    },
    /// Forget what a slot holds.
    Detach {
        /// The slot's screen.
        screen: ScreenIndex,
        /// The opening.
        load: LoadId,
    },
    /// Show a slot.
    Show {
        /// The slot's screen.
        screen: ScreenIndex,
        /// The opening.
        load: LoadId,
        /// When.
        cue: Cue,
        /// For how long, if known.
        length: Option<MediaTime>,
    },
    /// Show what is shown again, in place.
    Replay {
        /// The screen.
        screen: ScreenIndex,
        /// When.
        cue: Cue,
        /// For how long, if known.
        length: Option<MediaTime>,
    },
    /// Hold the last frame at the end.
    Hold(ScreenIndex),
    /// Take back what was cued.
    Uncue(ScreenIndex),
    /// An opening's real length.
    EndKnown(ScreenIndex, LoadId, MediaTime),
    /// An opening will send no more frames.
    Failed(ScreenIndex, LoadId),
    /// Show a card.
    Card(ScreenIndex, Arc<Frame>),
    /// Stand still.
    Pause,
    /// Go on.
    Resume,
    /// End at this time.
    Finish(MediaTime),
    /// Send [`Notice::Wake`] at this time.
    WakeAt(Option<MediaTime>),
    /// Whether a first picture is expected any moment.
    Expect(ScreenIndex, bool),
    /// How pictures are laid onto the screen from now on.
    Fit(Fit),
    /// Loudness from 0 to 1 of all sound.
    Volume(f32),
    /// What is on the screen now?
    Screenshot(ScreenIndex, Sender<Option<Arc<Scene>>>),
    /// End as soon as possible.
    Quit,
}

/// What the presenter tells the app.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Something became true on a screen.
    News(ScreenIndex, News),
    /// The time asked for has come.
    Wake,
    /// What was awaited for so long that it counts as stalled.
    Stalled(ScreenIndex, Option<LoadId>),
    /// The screen was plugged in or unplugged.
    Connected(bool),
    /// The display refused a picture.
    Refused(ScreenIndex, String),
    /// Playback is over: the reason is a planned end.
    Finished,
    /// The display or the capture failed for good.
    Broken(String),
}

/// What the presenter is made with.
pub struct Settings {
    /// Wait for what is due, or go on.
    pub patience: Patience,
    /// End after so much display time from the first item's first frame.
    pub duration: Option<MediaTime>,
    /// How pictures are laid onto the screen.
    pub fit: Fit,
    /// What is seen where no picture is.
    pub background: [u8; 3],
}

/// The presenter, before and while it runs.
pub struct Presenter {
    display: Display,
    bell: Doorbell,
    orders: Receiver<Order>,
    notices: Box<dyn Fn(Notice) + Send>,
    garbage: Sender<Garbage>,
    gauges: Arc<Gauges>,
    settings: Settings,
    mixer: Mixer,
    heads: Vec<Head>,
    /// What became true with the commit that is pending.
    news: VecDeque<(ScreenIndex, News)>,
    sequence: u64,
    /// When the first item's first frame was on the screen.
    began: Option<MediaTime>,
    wake: Option<MediaTime>,
    quit: bool,
    finished: bool,
}

impl Presenter {
    /// A presenter that has not begun.
    #[expect(
        clippy::too_many_arguments,
        reason = "it is made in one place, from parts that have nothing in common"
    )]
    pub fn new(
        display: Display,
        bell: Doorbell,
        orders: Receiver<Order>,
        notices: Box<dyn Fn(Notice) + Send>,
        garbage: Sender<Garbage>,
        gauges: Arc<Gauges>,
        settings: Settings,
        mixer: Mixer,
    ) -> Self {
        let heads = display
            .modes()
            .iter()
            .map(|mode| Head::new(*mode, settings.fit, settings.background))
            .collect();
        Self {
            display,
            bell,
            orders,
            notices,
            garbage,
            gauges,
            settings,
            mixer,
            heads,
            news: VecDeque::with_capacity(64),
            sequence: 0,
            began: None,
            wake: None,
            quit: false,
            finished: false,
        }
    }

    /// Presents until the end, and gives the display back for its capture to be finished.
    pub fn run(mut self) -> (Display, Mixer) {
        while !self.quit {
            self.take_orders();
            if !self.plan() || self.finished {
                break;
            }
            if self.idles() && self.settings.patience == Patience::Wait {
                // Nothing is due: display time then goes by as real time does.
                self.sleep(self.heads[0].period());
            }
            self.await_vblank();
        }
        if self.finished {
            (self.notices)(Notice::Finished);
        }
        (self.display, self.mixer)
    }

    /// The time of the vblank that is planned.
    fn next_vblank(&self) -> MediaTime {
        self.heads[0].mode.rate.tick(self.sequence as i64 + 1)
    }

    /// Plans the next vblank on all heads and commits. Tells whether to go on.
    fn plan(&mut self) -> bool {
        let vblank = self.next_vblank();
        let from = self
            .began
            .or_else(|| self.settings.duration.map(|_| MediaTime::ZERO));
        if let (Some(duration), Some(from)) = (self.settings.duration, from)
            && vblank + self.heads[0].period().half() > from + duration
        {
            self.finished = true;
            return true;
        }
        let mut waited: Option<MediaTime> = None;
        for screen in 0..self.heads.len() {
            loop {
                let over = waited.is_some_and(|since| clock::monotonic() - since >= STALL);
                let patience = if over {
                    Patience::GoOn
                } else {
                    self.settings.patience
                };
                let garbage = &self.garbage;
                let waste = |frame| drop(garbage.send(Garbage::Frame(frame)));
                match self.heads[screen].plan(vblank, patience, waste) {
                    Ok(plan) => {
                        self.finished |= plan.finished;
                        self.carry_out(screen, &plan);
                        break;
                    }
                    Err(awaited) => self.wait_for(screen, awaited, &mut waited),
                }
                if self.quit {
                    return false;
                }
            }
        }
        self.mix(vblank);
        if self.finished {
            return true;
        }
        for screen in 0..self.heads.len() {
            self.commit(screen);
        }
        true
    }

    /// Waits a little for what is due; says so to the app when it has waited too long.
    fn wait_for(&mut self, screen: usize, awaited: Await, waited: &mut Option<MediaTime>) {
        let now = clock::monotonic();
        let since = *waited.get_or_insert_with(|| {
            self.gauges.waits_begin();
            now
        });
        let left = STALL - (now - since);
        self.bell.wait(Some(left.max(MediaTime::from_millis(1))));
        self.take_orders();
        let now = clock::monotonic();
        self.gauges.waiting(now - since);
        if now - since >= STALL {
            let load = match awaited {
                Await::Frame(_, load) => Some(load),
                Await::Cue => None,
            };
            (self.notices)(Notice::Stalled(ScreenIndex(screen), load));
        }
    }

    fn carry_out(&mut self, screen: usize, plan: &Plan) {
        if let Some((_, load, round)) = plan.restart {
            self.heads[screen].restart(load, round);
        }
        for news in plan.news() {
            self.news.push_back((ScreenIndex(screen), news));
        }
        self.gauges.add(|counters| {
            counters.dropped += u64::from(plan.dropped);
            counters.late += u64::from(plan.late);
            counters.starved += u64::from(plan.starved);
        });
        let garbage = &self.garbage;
        self.heads[screen].take_frames(plan, |frame| drop(garbage.send(Garbage::Frame(frame))));
    }

    /// Mixes the sound up to the planned vblank: what sounds until then is settled now.
    fn mix(&mut self, vblank: MediaTime) {
        let mut since = None;
        while self.settings.patience == Patience::Wait
            && !self.mixer.is_covered(&self.heads, vblank)
            && !self.quit
        {
            let now = clock::monotonic();
            if now - *since.get_or_insert(now) >= STALL {
                break;
            }
            self.bell.wait(Some(MediaTime::from_millis(100)));
            self.take_orders();
        }
        self.mixer.mix(&self.heads, vblank);
    }

    fn commit(&mut self, screen: usize) {
        let Some(scene) = self.heads[screen].take_scene() else {
            return;
        };
        let is_new = self.heads[screen].shape_changed(&scene);
        let result = match is_new {
            true => self
                .display
                .test(screen, &scene)
                .map_err(crate::kms::CommitError::from),
            false => Ok(()),
        };
        if let Err(err) = result.and_then(|()| self.display.commit(screen, scene)) {
            (self.notices)(Notice::Refused(ScreenIndex(screen), err.to_string()));
        }
    }

    fn await_vblank(&mut self) {
        loop {
            match self.display.wait(&self.bell) {
                DisplayEvent::Vblank { sequence, time } => return self.vblank(sequence, time),
                DisplayEvent::Bell => {
                    self.take_orders();
                    if self.quit {
                        return;
                    }
                }
                DisplayEvent::Connected(connected) => (self.notices)(Notice::Connected(connected)),
                DisplayEvent::Lost => {
                    (self.notices)(Notice::Broken("the display is gone".to_owned()));
                    self.quit = true;
                    return;
                }
            }
        }
    }

    /// A vblank came: what was committed is on the screen.
    fn vblank(&mut self, sequence: u64, time: MediaTime) {
        let steps = sequence - self.sequence;
        self.sequence = sequence;
        self.gauges.at(time);
        for head in &mut self.heads {
            let (presented, repeated) = head.latched(steps);
            self.gauges.add(|counters| {
                counters.presented += u64::from(presented);
                counters.repeated += repeated;
            });
        }
        self.gauges
            .add(|counters| counters.missed_vblanks += steps - 1);
        while let Some(scene) = self.display.take_retired() {
            let _ = self.garbage.send(Garbage::Scene(scene));
        }
        while let Some((screen, news)) = self.news.pop_front() {
            if self.began.is_none() && matches!(news, News::Shown { .. }) {
                // The picture was latched at the first of the steps.
                let first = self.heads[0].mode.rate.tick((sequence - steps) as i64 + 1);
                self.began = Some(first);
                self.mixer.begin(first, clock::monotonic() - time);
            }
            (self.notices)(Notice::News(screen, news));
        }
        if self.wake.is_some_and(|wake| wake <= time) {
            self.wake = None;
            (self.notices)(Notice::Wake);
        }
        if self.display.capture_failed() {
            (self.notices)(Notice::Broken("the capture cannot be written".to_owned()));
            self.quit = true;
        }
    }

    /// Whether no item moves on any screen.
    fn idles(&self) -> bool {
        self.heads.iter().all(Head::idles)
    }

    /// Lets real time go by, taking orders meanwhile.
    fn sleep(&mut self, time: MediaTime) {
        let until = clock::monotonic() + time;
        loop {
            let left = until - clock::monotonic();
            if left <= MediaTime::ZERO || self.quit || !self.idles() {
                return;
            }
            self.bell.wait(Some(left));
            self.take_orders();
        }
    }

    fn take_orders(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            self.take_order(order);
        }
    }

    fn take_order(&mut self, order: Order) {
        let now = self.next_vblank();
        match order {
            Order::Attach {
                screen,
                slot,
                load,
                feed,
                traits,
            } => self.heads[screen.0].attach(slot, load, feed, traits),
            Order::Detach { screen, load } => self.heads[screen.0].detach(load),
            Order::Show {
                screen,
                load,
                cue,
                length,
            } => self.heads[screen.0].show(load, cue, length),
            Order::Replay {
                screen,
                cue,
                length,
            } => self.heads[screen.0]
                .programme
                .cue(Next::Replay { length }, cue),
            Order::Hold(screen) => self.heads[screen.0].programme.cue(Next::Hold, Cue::Now),
            Order::Uncue(screen) => self.heads[screen.0].programme.uncue(),
            Order::EndKnown(screen, load, length) => {
                self.heads[screen.0].programme.end_known(load, length)
            }
            Order::Failed(screen, load) => self.heads[screen.0].programme.failed(load),
            Order::Card(screen, frame) => self.heads[screen.0].card(frame),
            Order::Pause => self.heads.iter_mut().for_each(|head| head.pause(now)),
            Order::Resume => self
                .heads
                .iter_mut()
                .for_each(|head| head.programme.resume(now)),
            Order::Finish(at) => self
                .heads
                .iter_mut()
                .for_each(|head| head.programme.cue(Next::Finish, Cue::At(at))),
            Order::WakeAt(at) => self.wake = at,
            Order::Expect(screen, expecting) => self.heads[screen.0].expecting = expecting,
            Order::Fit(fit) => self.heads.iter_mut().for_each(|head| head.fit = fit),
            Order::Volume(volume) => self.mixer.set_volume(volume),
            Order::Screenshot(screen, reply) => drop(reply.send(self.display.latched(screen.0))),
            Order::Quit => self.quit = true,
        }
    }
}
