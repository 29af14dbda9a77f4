//! One head of the display: what its screen's programme shows, and the frames it takes for it.

use std::{
    collections::VecDeque,
    iter,
    sync::{Arc, mpsc::SyncSender},
};

use crate::{
    domain::{
        counters::Standing,
        fit::{self, Fit},
        ids::{LoadId, SlotId},
        pacing::{
            self, Await, DisplayClock, FrameKey, News, Next, Patience, Plan, Programme, Queue,
            Traits,
        },
        sequencer::Cue,
        units::{MediaTime, Mode, Size},
    },
    kms::scene::{Content, Layer, OPAQUE, Scene},
    os::{
        feed::{FRAME_DEPTH, Feed},
        frame::{Frame, PixelFormat},
    },
};

/// What is no longer needed, to be dropped by a thread that has time.
pub enum Garbage {
    /// A frame that was shown, or never will be.
    Frame(Arc<Frame>),
    /// A feed that was closed.
    Feed(Arc<Feed>),
}

/// Where garbage goes.
#[derive(Clone, Debug)]
pub struct Waste(SyncSender<Garbage>);

impl Waste {
    /// To whoever drops it.
    pub fn new(reaper: SyncSender<Garbage>) -> Self {
        Self(reaper)
    }

    /// Throws something away. Where nobody has time for it, it is dropped here.
    pub fn throw(&self, garbage: Garbage) {
        let _ = self.0.try_send(garbage);
    }

    /// Throws a frame away.
    pub fn frame(&self, frame: Arc<Frame>) {
        self.throw(Garbage::Frame(frame));
    }

    /// Throws a scene's frames away.
    pub fn scene(&self, scene: Scene) {
        scene
            .layers
            .into_iter()
            .for_each(|layer| self.frame(layer.frame));
    }
}

/// An opening that can be shown.
struct Attached {
    slot: SlotId,
    load: LoadId,
    feed: Arc<Feed>,
    traits: Traits,
}

/// Whether a scene came too early for its display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// It did not.
    No,
    /// It is not on the screen with the next vblank.
    ForVblank,
    /// It may be committed now.
    ForCommit,
}

/// What came onto the screen with a vblank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// A new frame of an item.
    Frame,
    /// What else was planned, if anything was.
    AsPlanned,
    /// Not what was planned.
    Nothing,
}

/// What a vblank brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latched {
    /// What came onto the screen.
    pub came: Came,
    /// Whether the frame came later than planned.
    pub late: bool,
    /// How many vblanks a frame stood too long.
    pub repeated: u64,
}

/// The state of one head.
pub struct Head {
    /// What it shows.
    pub mode: Mode,
    /// Its vblanks as times.
    pub clock: DisplayClock,
    /// When its last vblank was, on the monotonic clock.
    pub stamp: MediaTime,
    /// What becomes true with the commit that is pending.
    pub news: VecDeque<News>,
    /// How pictures are laid onto it.
    fit: Fit,
    /// What is shown and what follows.
    pub programme: Programme,
    /// Whether a first picture is expected any moment.
    pub expecting: bool,
    background: [u8; 3],
    waste: Waste,
    /// Whether display time may be locked to the content's rate.
    locks: bool,
    /// One a slot, and those that were replaced and still sound.
    attached: Vec<Attached>,
    /// What is to be committed.
    scene: Option<Scene>,
    /// The frame of that scene, when it is an item's.
    upcoming: Option<Standing>,
    /// Whether that scene had to wait for another vblank than the one that it was planned for.
    waiting: Waiting,
    /// Whether its frame was late already when it was planned.
    late: bool,
    standing: Standing,
    /// Frames that were dropped for a vblank that is not planned yet.
    superseded: u32,
    shape: Option<(Size, Size, PixelFormat, Fit, Content)>,
    /// A card that lies over everything, and what would be seen without it.
    overlay: Option<Arc<Frame>>,
    beneath: Option<(Arc<Frame>, Content)>,
}

impl Head {
    /// A head that shows nothing yet.
    pub fn new(mode: Mode, fit: Fit, background: [u8; 3], locks: bool, waste: Waste) -> Self {
        Self {
            mode,
            clock: DisplayClock::new(mode.rate),
            stamp: MediaTime::ZERO,
            news: VecDeque::with_capacity(16),
            fit,
            programme: Programme::default(),
            expecting: false,
            background,
            waste,
            locks,
            attached: Vec::with_capacity(8),
            scene: None,
            upcoming: None,
            waiting: Waiting::No,
            late: false,
            standing: Standing::default(),
            superseded: 0,
            shape: None,
            overlay: None,
            beneath: None,
        }
    }

    /// An opening can be shown from now on.
    pub fn attach(&mut self, slot: SlotId, load: LoadId, feed: Arc<Feed>, traits: Traits) {
        self.attached.push(Attached {
            slot,
            load,
            feed,
            traits,
        });
    }

    /// An opening can no longer be shown.
    pub fn detach(&mut self, load: LoadId) {
        for gone in self
            .attached
            .extract_if(.., |attached| attached.load == load)
        {
            self.waste.throw(Garbage::Feed(gone.feed));
        }
    }

    /// Cues an opening; one that is not attached is ignored, since it was closed meanwhile.
    pub fn show(&mut self, load: LoadId, cue: Cue, length: Option<MediaTime>) {
        if let Some(attached) = self.attached.iter().find(|attached| attached.load == load) {
            let next = Next::Show {
                slot: attached.slot,
                load,
                traits: attached.traits,
                length,
            };
            self.programme.cue(next, cue);
        }
    }

    /// Asks a source to begin anew.
    pub fn restart(&mut self, load: LoadId, round: u64) {
        if let Some(feed) = self.feed(load) {
            feed.restart(round);
        }
    }

    /// Stands still on the frame that is shown.
    pub fn pause(&mut self) {
        self.standing.rest();
        self.programme.pause(self.clock.next());
    }

    /// Goes on.
    pub fn resume(&mut self) {
        self.programme.resume(self.clock.next());
    }

    /// Shows a card of the head's size instead of items.
    pub fn card(&mut self, frame: Arc<Frame>) {
        self.programme.clear();
        self.standing.rest();
        self.replace(frame, Content::Card, None);
    }

    /// Lays a card over everything, or takes it away. `shown` is what is on the screen now.
    pub fn lay_over(&mut self, overlay: Option<Arc<Frame>>, shown: Option<Scene>) {
        if self.overlay.is_none() && overlay.is_none() {
            shown.into_iter().for_each(|scene| self.waste.scene(scene));
            return;
        }
        if self.overlay.is_none() {
            let scene = self.scene.as_ref().or(shown.as_ref());
            self.beneath = scene.and_then(|scene| {
                let layer = scene.layers.first()?;
                Some((layer.frame.clone(), scene.content))
            });
        }
        let upcoming = self.upcoming.take();
        self.overlay = overlay;
        if let Some((frame, content)) = self.beneath.take().or_else(|| {
            let card = self.overlay.clone()?;
            Some((card, Content::Card))
        }) {
            self.replace(frame, content, upcoming);
        }
        if let Some(scene) = shown {
            self.waste.scene(scene);
        }
    }

    /// The feed of an opening.
    pub fn feed(&self, load: LoadId) -> Option<&Arc<Feed>> {
        self.attached
            .iter()
            .find(|attached| attached.load == load)
            .map(|attached| &attached.feed)
    }

    /// Whether no item moves here and none is awaited.
    pub fn idles(&self) -> bool {
        let waits = self.expecting && self.programme.is_exhausted();
        !waits
            && (self.programme.is_paused() || self.programme.is_exhausted())
            && self.programme.next().is_none()
    }

    /// Decides what the vblank shows.
    pub fn plan(&mut self, vblank: MediaTime, patience: Patience) -> Result<Plan, Await> {
        let mut keys = [[FrameKey {
            round: 0,
            pts: MediaTime::ZERO,
            duration: MediaTime::ZERO,
        }; FRAME_DEPTH]; 2];
        let mut waiting = [(0, true); 2];
        for slot in SlotId::BOTH {
            let Some(feed) = self.wanted(slot) else {
                continue;
            };
            let look = |keys: &mut [FrameKey; FRAME_DEPTH]| {
                feed.frames.look(|frames, ended| {
                    let count = frames
                        .iter()
                        .zip(keys)
                        .map(|(frame, key)| *key = frame.key)
                        .count();
                    (count, ended)
                })
            };
            let keys = &mut keys[slot.index()];
            let mut found = look(keys);
            let stale = self.programme.stale(slot, &keys[..found.0]);
            if stale > 0 {
                (0..stale)
                    .filter_map(|_| feed.frames.take())
                    .for_each(|frame| self.waste.frame(frame.frame));
                found = look(keys);
            }
            waiting[slot.index()] = found;
        }
        let queue = |slot: SlotId| {
            let (count, ended) = waiting[slot.index()];
            Queue {
                frames: &keys[slot.index()][..count],
                ended,
            }
        };
        let queues = [queue(SlotId::A), queue(SlotId::B)];
        if patience == Patience::Wait
            && self.expecting
            && !self.programme.is_paused()
            && self.programme.is_exhausted()
            && self.programme.next().is_none()
        {
            return Err(Await::Cue);
        }
        let planned = self
            .programme
            .plan(vblank, self.clock.period(), queues, patience);
        if let Err(Await::Frame(slot, load)) = planned
            && waiting[slot.index()].0 == FRAME_DEPTH
            && let Some(feed) = self.feed(load)
        {
            // All that fit are due, and more are awaited: the older ones make room, never to be shown.
            let superseded = (1..FRAME_DEPTH).filter_map(|_| feed.frames.take());
            let count = superseded
                .map(|frame| self.waste.frame(frame.frame))
                .count();
            self.superseded += count as u32;
        }
        let mut plan = planned?;
        plan.dropped += std::mem::take(&mut self.superseded);
        if let Some((slot, number)) = plan.show
            && self.locks
            && let Some(key) = keys[slot.index()].get(number)
        {
            self.clock
                .set_rate(pacing::locked(self.mode.rate, key.duration));
        }
        Ok(plan)
    }

    /// The feed of a slot that the programme shows or has cued.
    fn wanted(&self, slot: SlotId) -> Option<&Arc<Feed>> {
        let cued = match self.programme.next() {
            Some((
                Next::Show {
                    slot: cued, load, ..
                },
                _,
            )) if *cued == slot => Some(*load),
            Some(_) | None => None,
        };
        let shown = self
            .programme
            .current()
            .filter(|showing| showing.slot == slot)
            .map(|showing| showing.load);
        self.feed(cued.or(shown)?)
    }

    /// Takes the plan's frames out of the mailboxes.
    pub fn take_frames(&mut self, plan: &Plan) {
        if plan.show.is_some() {
            self.late = plan.late;
        }
        for slot in SlotId::BOTH {
            let shown = plan
                .show
                .filter(|(shown, _)| *shown == slot)
                .map(|(_, number)| number);
            let still = self
                .programme
                .current()
                .is_some_and(|showing| showing.slot == slot && showing.is_still());
            let Some(feed) = self.source(slot).cloned() else {
                continue;
            };
            if still && shown.is_some() {
                let frame = feed
                    .frames
                    .look(|frames, _| frames.front().map(|frame| frame.frame.clone()));
                if let Some(frame) = frame {
                    let standing = self.standing_of(None);
                    self.replace(frame, Content::Item, Some(standing));
                }
                continue;
            }
            for number in 0..plan.take[slot.index()] {
                let Some(frame) = feed.frames.take() else {
                    break;
                };
                match shown == Some(number) {
                    true => {
                        let standing = self.standing_of(Some(frame.key));
                        self.replace(frame.frame, Content::Item, Some(standing));
                    }
                    false => self.waste.frame(frame.frame),
                }
            }
        }
    }

    /// How long a frame of the showing may stand; a still's is as long as the showing.
    fn standing_of(&self, key: Option<FrameKey>) -> Standing {
        let Some(showing) = self.programme.current() else {
            return Standing::default();
        };
        let (vblank, rate) = (self.clock.next(), self.clock.rate());
        match key {
            Some(key) => Standing::begin(showing.target(key) - vblank, Some(key.duration), rate),
            None => Standing::begin(showing.start - vblank, showing.length, rate),
        }
    }

    /// The feed from which a slot's planned frames come, after the plan was made.
    fn source(&self, slot: SlotId) -> Option<&Arc<Feed>> {
        let shown = self
            .programme
            .current()
            .filter(|showing| showing.slot == slot)
            .map(|showing| showing.load);
        match shown {
            Some(load) => self.feed(load),
            None => self
                .attached
                .iter()
                .rev()
                .find(|attached| attached.slot == slot)
                .map(|attached| &attached.feed),
        }
    }

    /// Another scene is to be committed, whatever was.
    fn replace(&mut self, frame: Arc<Frame>, content: Content, standing: Option<Standing>) {
        let (frame, content) = match &self.overlay {
            Some(overlay) => {
                if let Some((before, _)) = self.beneath.replace((frame, content)) {
                    self.waste.frame(before);
                }
                (overlay.clone(), Content::Card)
            }
            None => (frame, content),
        };
        let scene = self.lay(frame, content);
        if let Some(never) = self.scene.replace(scene) {
            self.waste.scene(never);
            self.superseded += u32::from(self.upcoming.is_some());
        }
        self.upcoming = standing;
        self.waiting = Waiting::No;
    }

    fn lay(&self, frame: Arc<Frame>, content: Content) -> Scene {
        let fit = match content {
            Content::Item => self.fit,
            Content::Card => Fit::Contain,
        };
        let (source, target) = fit::lay(frame.size, frame.aspect, self.mode.size, fit);
        let layer = Layer {
            plane: 0,
            frame,
            source,
            target,
            alpha: OPAQUE,
            z: 0,
        };
        Scene {
            layers: iter::once(layer).collect(),
            background: self.background,
            content,
        }
    }

    /// The scene to commit, if it is new.
    pub fn take_scene(&mut self) -> Option<Scene> {
        self.scene.take()
    }

    /// A scene could not be committed yet: it is kept for the next vblank.
    pub fn keep(&mut self, scene: Scene) {
        self.scene = Some(scene);
        self.waiting = Waiting::ForVblank;
    }

    /// A scene cannot be committed at all: what was there stays on the screen.
    pub fn forgo(&mut self) {
        self.upcoming = None;
        self.waiting = Waiting::No;
    }

    /// Another mode, and what is on the screen laid onto it anew.
    pub fn set_mode(&mut self, mode: Mode, shown: Option<&Scene>) {
        if mode.rate != self.mode.rate {
            self.clock.set_rate(mode.rate);
        }
        self.mode = mode;
        self.lay_anew(shown);
    }

    /// Another fit or background, and what is on the screen laid out by it.
    pub fn set_layout(&mut self, fit: Fit, background: [u8; 3], shown: Option<&Scene>) {
        if (self.fit, self.background) != (fit, background) {
            (self.fit, self.background) = (fit, background);
            self.lay_anew(shown);
        }
    }

    /// Lays what waits, or else what is on the screen.
    fn lay_anew(&mut self, shown: Option<&Scene>) {
        let waiting = self.scene.take();
        if let Some(scene) = waiting.as_ref().or(shown)
            && let Some(layer) = scene.layers.first()
        {
            self.scene = Some(self.lay(layer.frame.clone(), scene.content));
        }
    }

    /// Whether the scene has another shape than the one before, so that the display must be asked.
    pub fn shape_changed(&mut self, scene: &Scene) -> bool {
        let shape = scene.layers.first().map(|layer| {
            let frame = &layer.frame;
            (
                frame.size,
                frame.aspect,
                frame.format,
                self.fit,
                scene.content,
            )
        });
        let changed = shape != self.shape;
        self.shape = shape;
        changed
    }

    /// So many vblanks came.
    pub fn latched(&mut self, vblanks: u64) -> Latched {
        let mut latched = Latched {
            came: Came::Nothing,
            late: false,
            repeated: 0,
        };
        match self.waiting {
            Waiting::ForVblank => self.waiting = Waiting::ForCommit,
            Waiting::ForCommit | Waiting::No => {
                latched.came = Came::AsPlanned;
                if let Some(standing) = self.upcoming.take() {
                    latched.came = Came::Frame;
                    latched.late = self.waiting == Waiting::ForCommit && !self.late;
                    self.standing = standing;
                }
                self.waiting = Waiting::No;
            }
        }
        if self.programme.is_exhausted() || self.programme.is_paused() {
            self.standing.rest();
        }
        latched.repeated = self.standing.stood(vblanks);
        latched
    }
}
