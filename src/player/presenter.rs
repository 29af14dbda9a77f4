//! The presenter: the one thread that commits to the display.
//!
//! At every vblank it plans the next one from the mailboxes and the programme, commits, and tells the app what became
//! true when the picture is really on the screen. It never opens, closes or decodes anything. The service manager's
//! watchdog lives from its loop.

use std::sync::{
    Arc,
    mpsc::{Receiver, Sender, SyncSender},
};

use crate::{
    domain::{
        config::OnExit,
        fit::Fit,
        ids::{LoadId, ScreenIndex, SlotId},
        pacing::{Await, News, Next, Patience, Plan, Traits},
        protocol::Power,
        sequencer::Cue,
        units::{MediaTime, Mode},
    },
    kms::{
        CommitError, Display, DisplayEvent,
        scene::{Reject, Scene},
    },
    os::{
        clock, console::Console, doorbell::Doorbell, feed::Feed, frame::Frame, realtime,
        supervisor::Supervisor,
    },
    player::{
        gauges::Gauges,
        head::{Came, Head, Waste},
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
    /// Lay a card of the screen's size over whatever is shown, or take it away; what plays goes on beneath.
    Overlay(ScreenIndex, Option<Arc<Frame>>),
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
    /// How pictures are laid onto the screen from now on, and the colour beside them.
    Layout {
        /// How pictures of another shape are laid.
        fit: Fit,
        /// Red, green and blue.
        background: [u8; 3],
    },
    /// Loudness from 0 to 1 of all sound.
    Volume(f32),
    /// What is on the screen now?
    Screenshot(ScreenIndex, Sender<Option<Scene>>),
    /// Switch all screens on or off.
    Power(Power),
    /// Somebody wants to see another text console.
    ConsoleLeaves,
    /// Our text console is in front again.
    ConsoleReturns,
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
    /// A screen went away, or came with a mode.
    Connected(ScreenIndex, Option<Mode>),
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
    /// What stays on the screen at the end.
    pub on_exit: OnExit,
}

/// Who else has to do with the presenter's thread.
#[derive(Default)]
pub struct Surroundings {
    /// The service manager.
    pub supervisor: Supervisor,
    /// The text console that is ours.
    pub console: Option<Console>,
}

/// The presenter, before and while it runs.
pub struct Presenter {
    display: Display,
    bell: Doorbell,
    orders: Receiver<Order>,
    notices: SyncSender<Notice>,
    waste: Waste,
    gauges: Arc<Gauges>,
    settings: Settings,
    mixer: Mixer,
    supervisor: Supervisor,
    console: Option<Console>,
    heads: Vec<Head>,
    /// Whether the service manager knows that we play.
    up: bool,
    /// When the first item's first frame was on the screen.
    began: Option<MediaTime>,
    wake: Option<MediaTime>,
    /// How often an opening came or went.
    openings: u64,
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
        notices: SyncSender<Notice>,
        waste: Waste,
        gauges: Arc<Gauges>,
        settings: Settings,
        mixer: Mixer,
        surroundings: Surroundings,
    ) -> Self {
        let heads = display
            .modes()
            .iter()
            .map(|mode| {
                Head::new(
                    *mode,
                    settings.fit,
                    settings.background,
                    display.is_locked(),
                    waste.clone(),
                )
            })
            .collect();
        Self {
            display,
            bell,
            orders,
            notices,
            waste,
            gauges,
            settings,
            mixer,
            supervisor: surroundings.supervisor,
            console: surroundings.console,
            heads,
            up: false,
            began: None,
            wake: None,
            openings: 0,
            quit: false,
            finished: false,
        }
    }

    /// Presents until the end, and gives the display back for its capture to be finished.
    pub fn run(mut self) -> (Display, Mixer) {
        if matches!(self.display, Display::Kms(_)) {
            let granted = realtime::ask();
            log::info!(real_time = granted.scheduled, locked = granted.locked; "the presenter begins");
        }
        for screen in 0..self.heads.len() {
            let (fit, background) = (self.settings.fit, self.settings.background);
            self.display.set_layout(screen, fit, background);
        }
        self.take_orders();
        (0..self.heads.len()).for_each(|screen| self.plan(screen));
        while !self.quit && !self.finished {
            let event = self.display.wait(&self.bell);
            self.supervisor.beat(clock::monotonic());
            match event {
                DisplayEvent::Vblank {
                    head,
                    sequence,
                    stamp,
                    lit,
                } => {
                    if !std::mem::replace(&mut self.up, true) {
                        self.supervisor.ready();
                    }
                    self.vblank(head, sequence, stamp, lit);
                    self.take_orders();
                    self.plan(head);
                }
                DisplayEvent::Bell => self.take_orders(),
                DisplayEvent::Connected { head, mode } => self.connected(head, mode),
                DisplayEvent::Lost => {
                    self.tell(Notice::Broken("the display is gone".to_owned()));
                    self.quit = true;
                }
            }
        }
        self.display.finish(self.settings.on_exit);
        if self.finished {
            self.tell(Notice::Finished);
        }
        (self.display, self.mixer)
    }

    /// Tells the app; there is always room, or it has long been stuck.
    fn tell(&self, notice: Notice) {
        let _ = self.notices.send(notice);
    }

    /// Plans the next vblank of a head and commits.
    fn plan(&mut self, screen: usize) {
        if self.quit || self.is_over(screen) {
            return;
        }
        let vblank = self.heads[screen].clock.next();
        let mut waited: Option<MediaTime> = None;
        loop {
            let over = waited.is_some_and(|since| clock::monotonic() - since >= STALL);
            let patience = if over {
                Patience::GoOn
            } else {
                self.settings.patience
            };
            match self.heads[screen].plan(vblank, patience) {
                Ok(plan) => {
                    self.finished |= plan.finished;
                    self.carry_out(screen, &plan);
                    break;
                }
                Err(awaited) => self.wait_for(screen, awaited, &mut waited),
            }
            if self.quit {
                return;
            }
        }
        let is_last = screen + 1 == self.heads.len();
        if is_last {
            self.mix(self.heads[0].clock.next());
        }
        if self.finished {
            return;
        }
        self.commit(screen);
        if is_last && self.settings.patience == Patience::Wait && self.idles() {
            // Nothing is due: display time then goes by as real time does.
            self.sleep(self.heads[0].clock.period());
        }
    }

    /// Whether the time that was asked for is over with the next vblank.
    fn is_over(&mut self, screen: usize) -> bool {
        let from = self
            .began
            .or_else(|| self.settings.duration.map(|_| MediaTime::ZERO));
        if let (Some(duration), Some(from)) = (self.settings.duration, from)
            && screen == 0
        {
            let clock = &self.heads[0].clock;
            self.finished |= clock.next() + clock.period().half() > from + duration;
        }
        self.finished
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
        let openings = self.openings;
        self.take_orders();
        let now = clock::monotonic();
        self.gauges.waiting(now - since);
        if self.openings != openings {
            // It goes on: what failed makes way for what follows, which has its own time.
            *waited = Some(now);
            return;
        }
        if now - since >= STALL {
            let load = match awaited {
                Await::Frame(_, load) => Some(load),
                Await::Cue => None,
            };
            self.tell(Notice::Stalled(ScreenIndex(screen), load));
        }
    }

    fn carry_out(&mut self, screen: usize, plan: &Plan) {
        if let Some((_, load, round)) = plan.restart {
            self.heads[screen].restart(load, round);
        }
        for news in plan.news() {
            self.heads[screen].news.push_back(news);
        }
        self.gauges.add(|counters| {
            counters.dropped += u64::from(plan.dropped);
            counters.late += u64::from(plan.late);
            counters.starved += u64::from(plan.starved);
        });
        self.heads[screen].take_frames(plan);
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
        match result.and_then(|()| self.display.commit(screen, scene.clone())) {
            Ok(()) => self
                .gauges
                .committed(clock::monotonic() - self.display.woken()),
            // The next vblank brings another try, unless it brings another picture.
            Err(CommitError::Busy) => self.heads[screen].keep(scene),
            Err(err @ CommitError::Refused(Reject::Device)) => {
                self.heads[screen].keep(scene);
                self.tell(Notice::Refused(ScreenIndex(screen), err.to_string()));
            }
            Err(err) => {
                self.waste.scene(scene);
                self.heads[screen].forgo();
                self.tell(Notice::Refused(ScreenIndex(screen), err.to_string()));
            }
        }
    }

    /// A screen went away, or came with a mode: then what it showed is laid and committed anew.
    fn connected(&mut self, screen: usize, mode: Option<Mode>) {
        if let Some(mode) = mode {
            let shown = self.display.latched(screen);
            self.heads[screen].set_mode(mode, shown.as_ref());
        }
        self.tell(Notice::Connected(ScreenIndex(screen), mode));
    }

    /// A vblank came: what was committed is on the screen.
    fn vblank(&mut self, screen: usize, sequence: u64, stamp: MediaTime, lit: bool) {
        let steps = self.heads[screen].clock.latch(sequence);
        let time = self.align(screen, stamp);
        let latched = self.heads[screen].latched(steps);
        self.gauges.add(|counters| {
            counters.presented += u64::from(latched.came == Came::Frame);
            counters.late += u64::from(latched.late);
            counters.repeated += latched.repeated;
            if lit {
                counters.missed_vblanks += steps.saturating_sub(1);
            }
        });
        while let Some(scene) = self.display.take_retired() {
            self.waste.scene(scene);
        }
        while latched.came != Came::Nothing
            && let Some(news) = self.heads[screen].news.pop_front()
        {
            if self.began.is_none() && matches!(news, News::Shown { .. }) {
                // The picture was latched at the first of the steps.
                let first = self.heads[screen].clock.before_next(steps);
                self.began = Some(first);
                self.mixer.begin(first, stamp - time);
            }
            self.tell(Notice::News(ScreenIndex(screen), news));
        }
        if screen > 0 {
            return;
        }
        self.gauges.at(time);
        self.gauges.set_estimated(self.display.is_estimated());
        if self.wake.is_some_and(|wake| wake <= time) {
            self.wake = None;
            self.tell(Notice::Wake);
        }
        if self.display.capture_failed() {
            self.tell(Notice::Broken("the capture cannot be written".to_owned()));
            self.quit = true;
        }
    }

    /// The time of a head's last vblank, whose clock is kept with the first head's.
    fn align(&mut self, screen: usize, stamp: MediaTime) -> MediaTime {
        self.heads[screen].stamp = stamp;
        let expected = self.heads[0].clock.now() + (stamp - self.heads[0].stamp);
        let clock = &mut self.heads[screen].clock;
        clock.align(expected);
        clock.now()
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
        match order {
            Order::Attach {
                screen,
                slot,
                load,
                feed,
                traits,
            } => {
                self.openings += 1;
                self.heads[screen.0].attach(slot, load, feed, traits);
            }
            Order::Detach { screen, load } => {
                self.openings += 1;
                self.heads[screen.0].detach(load);
            }
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
            Order::Overlay(screen, frame) => {
                let shown = self.display.latched(screen.0);
                self.heads[screen.0].lay_over(frame, shown);
            }
            Order::Pause => self.heads.iter_mut().for_each(Head::pause),
            Order::Resume => self.heads.iter_mut().for_each(Head::resume),
            Order::Finish(at) => self
                .heads
                .iter_mut()
                .for_each(|head| head.programme.cue(Next::Finish, Cue::At(at))),
            Order::WakeAt(at) => self.wake = at,
            Order::Expect(screen, expecting) => self.heads[screen.0].expecting = expecting,
            Order::Layout { fit, background } => {
                for (screen, head) in self.heads.iter_mut().enumerate() {
                    self.display.set_layout(screen, fit, background);
                    let shown = self.display.latched(screen);
                    head.set_layout(fit, background, shown.as_ref());
                }
            }
            Order::Volume(volume) => self.mixer.set_volume(volume),
            Order::Screenshot(screen, reply) => drop(reply.send(self.display.latched(screen.0))),
            Order::Power(power) => self.display.set_power(power),
            Order::ConsoleLeaves => {
                self.display.leave();
                self.console.iter().for_each(Console::left);
            }
            Order::ConsoleReturns => {
                self.console.iter().for_each(Console::returned);
                self.display.come_back();
            }
            Order::Quit => self.quit = true,
        }
    }
}
