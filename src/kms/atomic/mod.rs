//! The kernel's display: atomic commits on a card of the Direct Rendering Manager.
//!
//! [`KmsAtomic`] belongs to the presenter, which makes every commit through it. The [`Importer`] is shared with the
//! threads that make frames. A head without a screen, without light or without master goes on in the void: its vblanks
//! come from the clock, and nothing is committed.

mod card;
mod framebuffer;
mod hotplug;
mod import;
mod objects;
mod request;
mod route;

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use drm::{Device as _, control::Device as _};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};
use thiserror::Error;

use self::{
    card::Card,
    hotplug::Hotplug,
    import::{ALLOW_MODESET, Ready, View, only_layer, put, turn_off},
    objects::Objects,
    request::Request,
    route::Route,
};
pub use self::{
    import::{Copies, Importer},
    route::Wish,
};
use crate::{
    domain::{
        fit::Fit,
        units::{MediaTime, Mode, Rate, Size},
    },
    kms::{
        CommitError, DisplayEvent,
        scene::{MAX_LAYERS, Reject, Scene},
        vblanks::Vblanks,
    },
    os::{clock, doorbell::Doorbell},
};

/// `DRM_MODE_PAGE_FLIP_EVENT`.
const FLIP_EVENT: u32 = 0x01;
/// `DRM_MODE_ATOMIC_NONBLOCK`.
const NONBLOCK: u32 = 0x0200;
/// `_DRM_VBLANK_RELATIVE | _DRM_VBLANK_EVENT`, and where the CRTC's place goes.
const VBLANK_EVENT: u32 = 0x0400_0001;
const VBLANK_CRTC_SHIFT: u32 = 1;

/// A flip that has not come for so long never will.
const FLIP_TIMEOUT: MediaTime = MediaTime::from_millis(500);

/// So many flips in a row that never came: the driver is lost.
const HOPELESS: u32 = 3;

/// How long cables must be still before they are looked at.
const DEBOUNCE: MediaTime = MediaTime::from_millis(500);

/// How often lost mastership is asked for again.
const MASTER_RETRY: MediaTime = MediaTime::from_millis(500);

/// The mode of the void.
const VOID: Mode = Mode {
    size: Size::new(1920, 1080),
    rate: Rate::hertz(60),
};

/// Why the kernel's display cannot be had.
#[derive(Debug, Error)]
pub enum OpenError {
    /// There is no card at all.
    #[error("there is no display controller (/dev/dri/card*)")]
    NoCard,
    /// A card cannot be used.
    #[error("{path} cannot be used: {source}{advice}")]
    Card {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
        /// What to do.
        advice: &'static str,
    },
}

/// What is asked of the kernel's display.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The device node; nothing is the first card with a screen.
    pub card: Option<PathBuf>,
    /// What is asked of each head.
    pub heads: Vec<Wish>,
}

/// Whether a head is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Light {
    /// The next commit sets the mode.
    Dark,
    /// It shows what is committed.
    Lit,
    /// It is switched off on purpose.
    Off,
}

/// A scene on its way or on the screen, and what keeps its pictures.
struct Latch {
    scene: Arc<Scene>,
    /// Kept until the scene is no longer on the screen.
    _ready: Option<Arc<Ready>>,
    since: MediaTime,
}

struct Head {
    wish: Wish,
    route: Option<Route>,
    /// The mode's property blob.
    blob: u64,
    mode: Mode,
    light: Light,
    vblanks: Vblanks,
    /// Whether the kernel counts vblanks.
    counted: bool,
    /// Whether the flip on its way is the first of a mode.
    settling: bool,
    /// Flips in a row that came with a vblank known before.
    frozen: u32,
    /// Whether a vblank event is on its way.
    armed: bool,
    pending: Option<Latch>,
    /// Whether the pending flip is done; then only the vblank is awaited.
    flipped: bool,
    shown: Option<Latch>,
    failures: u32,
    background: [u8; 3],
}

impl Head {
    fn void(wish: Wish, now: MediaTime) -> Self {
        let mode = wish.mode.unwrap_or(VOID);
        Self {
            wish,
            route: None,
            blob: 0,
            mode,
            light: Light::Dark,
            vblanks: Vblanks::new(mode.rate, now),
            counted: true,
            settling: false,
            frozen: 0,
            armed: false,
            pending: None,
            flipped: false,
            shown: None,
            failures: 0,
            background: [0; 3],
        }
    }

    /// Whether what is committed goes to the kernel.
    fn is_driven(&self, master: bool) -> bool {
        master && self.route.is_some() && self.light != Light::Off
    }

    /// Whether its vblanks come from the clock.
    fn is_timed(&self, master: bool) -> bool {
        !self.is_driven(master) || !self.counted || self.light != Light::Lit
    }
}

/// A card that is driven by atomic commits.
pub struct KmsAtomic {
    card: Arc<Card>,
    objects: Objects,
    importer: Arc<Importer>,
    heads: Vec<Head>,
    modes: Vec<Mode>,
    request: Request,
    events: VecDeque<DisplayEvent>,
    retired: Vec<Arc<Scene>>,
    hotplug: Option<Hotplug>,
    /// When the cables are to be looked at.
    probe_at: Option<MediaTime>,
    /// When mastership is to be asked for, once it is lost.
    master_at: Option<MediaTime>,
    lost: bool,
    /// Whether time has begun: it does when the presenter first waits.
    begun: bool,
}

impl KmsAtomic {
    /// Opens the card and finds a way for every head. Nothing is on the screen yet.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let (card, objects) = open_card(options.card.as_deref())?;
        let card = Arc::new(card);
        let now = clock::monotonic();
        let heads: Vec<Head> = options
            .heads
            .into_iter()
            .map(|wish| Head::void(wish, now))
            .collect();
        let views = heads
            .iter()
            .map(|head| View::new(head.mode.size, 0, Vec::new()))
            .collect();
        let importer = Importer::new(card.clone(), objects.planes.clone(), views);
        let hotplug = Hotplug::open()
            .inspect_err(
                |err| log::warn!(err = err.to_string().as_str(); "cables cannot be watched"),
            )
            .ok();
        let mut display = Self {
            modes: heads.iter().map(|head| head.mode).collect(),
            card,
            objects,
            importer: Arc::new(importer),
            heads,
            request: Request::new(),
            events: VecDeque::with_capacity(64),
            retired: Vec::with_capacity(16),
            hotplug,
            probe_at: None,
            master_at: None,
            lost: false,
            begun: false,
        };
        log::info!(
            "display {} ({})",
            display.card.path().display(),
            display.card.driver()
        );
        if !display.card.authenticated().unwrap_or(false) {
            display.lose_master(now);
        }
        for head in 0..display.heads.len() {
            display.route(head);
        }
        display.events.clear();
        Ok(display)
    }

    /// What makes frames ready for it.
    pub fn importer(&self) -> Arc<Importer> {
        self.importer.clone()
    }

    /// What the heads show.
    pub fn modes(&self) -> &[Mode] {
        &self.modes
    }

    /// The kernel driver's name.
    pub fn driver(&self) -> &str {
        self.card.driver()
    }

    /// How pictures are laid onto a head.
    pub fn set_layout(&mut self, head: usize, fit: Fit, background: [u8; 3]) {
        if let Some(head) = self.heads.get_mut(head) {
            head.background = background;
        }
        self.importer.change(head, |view| {
            view.fit = fit;
            view.background = background;
        });
    }

    pub(super) fn test(&self, _head: usize, scene: &Scene) -> Result<(), Reject> {
        // What the planes can do is asked when a frame is made ready, before it is due.
        match scene.layers.len() {
            count if count > MAX_LAYERS => Err(Reject::TooManyLayers(count)),
            _ => Ok(()),
        }
    }

    pub(super) fn commit(&mut self, head: usize, scene: Arc<Scene>) -> Result<(), CommitError> {
        if self.lost {
            return Err(CommitError::Lost);
        }
        let master = self.master_at.is_none();
        let now = clock::monotonic();
        let state = self.heads.get(head).ok_or(Reject::Device)?;
        if state.pending.is_some() {
            return Err(CommitError::Busy);
        }
        if !state.is_driven(master) {
            self.heads[head].pending = Some(Latch {
                scene,
                _ready: None,
                since: now,
            });
            self.heads[head].flipped = true;
            return Ok(());
        }
        let layer = only_layer(&scene).ok_or(Reject::TooManyLayers(scene.layers.len()))?;
        let ready = self.importer.ready(head, layer).map_err(|err| {
            log::warn!(err = err.to_string().as_str(); "a frame cannot be made ready");
            Reject::Device
        })?;
        match self.push(head, &ready) {
            Ok(()) => {
                let state = &mut self.heads[head];
                state.flipped = false;
                state.pending = Some(Latch {
                    scene,
                    _ready: Some(ready),
                    since: now,
                });
                Ok(())
            }
            Err(err) => match Errno::from_raw(err.raw_os_error().unwrap_or(0)) {
                Errno::EBUSY => Err(CommitError::Busy),
                Errno::EACCES | Errno::EPERM => {
                    self.lose_master(now);
                    self.commit(head, scene)
                }
                Errno::ENODEV => {
                    self.lost = true;
                    Err(CommitError::Lost)
                }
                _ => {
                    log::warn!(err = err.to_string().as_str(); "the card refused a commit");
                    Err(Reject::Device.into())
                }
            },
        }
    }

    /// Gives a picture to the kernel, with the mode if the head is dark.
    fn push(&mut self, head: usize, ready: &Ready) -> io::Result<()> {
        let state = &mut self.heads[head];
        let Some(route) = &state.route else {
            return Ok(());
        };
        let request = &mut self.request;
        request.clear();
        let dark = state.light == Light::Dark;
        if dark {
            for (object, property, value) in modeset(route, state.blob) {
                request.set(object, property, value);
            }
        }
        let background = argb(state.background);
        request.set_if(route.crtc.id, route.crtc.background, background);
        for place in &route.planes {
            let plane = self.importer.plane(*place);
            if *place == ready.plane {
                put(request, plane, route.crtc.id, ready);
            } else if dark || state.shown.is_none() {
                turn_off(request, plane);
            }
        }
        if !dark {
            return request.commit(self.card.as_fd(), NONBLOCK | FLIP_EVENT);
        }
        request.commit(self.card.as_fd(), ALLOW_MODESET | FLIP_EVENT)?;
        state.light = Light::Lit;
        state.armed = false;
        state.settling = true;
        self.importer.change(head, |view| {
            view.modeset.clear();
            view.forget();
        });
        log::info!("{} shows {}", route.connector.name, state.mode);
        Ok(())
    }

    pub(super) fn wait(&mut self, bell: &Doorbell) -> DisplayEvent {
        if !std::mem::replace(&mut self.begun, true) {
            let now = clock::monotonic();
            for head in &mut self.heads {
                head.vblanks = Vblanks::new(head.mode.rate, now);
            }
        }
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            if self.lost {
                return DisplayEvent::Lost;
            }
            self.arm();
            let until = self.deadline();
            let now = clock::monotonic();
            let left = (until - now).max(MediaTime::ZERO);
            let (card, rang, cables) = self.poll(bell, left);
            if card && let Err(err) = self.take_events() {
                log::error!(err = err.to_string().as_str(); "the card tells nothing any more");
                self.lost = true;
            }
            let now = clock::monotonic();
            if cables && self.hotplug.as_mut().is_some_and(Hotplug::take) {
                self.probe_at = Some(now + DEBOUNCE);
            }
            self.take_time(now);
            if rang {
                self.events.push_back(DisplayEvent::Bell);
            }
        }
    }

    /// Asks for the next vblank of every head that has no flip on its way.
    fn arm(&mut self) {
        let master = self.master_at.is_none();
        for (number, head) in self.heads.iter_mut().enumerate() {
            if head.is_timed(master) || head.pending.is_some() || head.armed {
                continue;
            }
            let Some(route) = &head.route else { continue };
            let kind = VBLANK_EVENT | (route.crtc.index << VBLANK_CRTC_SHIFT);
            match drm_ffi::wait_vblank(self.card.as_fd(), kind, 1, number) {
                Ok(_) => head.armed = true,
                Err(err) => {
                    log::info!(err = err.to_string().as_str(); "the driver counts no vblanks: they are estimated");
                    head.counted = false;
                }
            }
        }
    }

    /// When something has to be done even if nothing happens.
    fn deadline(&self) -> MediaTime {
        let master = self.master_at.is_none();
        let heads = self.heads.iter().map(|head| {
            if head.is_timed(master) {
                head.vblanks.due()
            } else if let Some(pending) = &head.pending {
                pending.since + FLIP_TIMEOUT
            } else {
                head.vblanks.last() + FLIP_TIMEOUT
            }
        });
        heads
            .chain(self.probe_at)
            .chain(self.master_at)
            .min()
            .unwrap_or(MediaTime::ZERO)
    }

    /// Waits; tells whether the card, the bell and the cables have something to say.
    fn poll(&self, bell: &Doorbell, left: MediaTime) -> (bool, bool, bool) {
        let nothing = bell.as_fd();
        let cables: BorrowedFd<'_> = self.hotplug.as_ref().map_or(nothing, AsFd::as_fd);
        let mut fds = [
            PollFd::new(self.card.as_fd(), PollFlags::POLLIN),
            PollFd::new(bell.as_fd(), PollFlags::POLLIN),
            PollFd::new(cables, PollFlags::POLLIN),
        ];
        let fds = match self.hotplug {
            Some(_) => &mut fds[..],
            None => &mut fds[..2],
        };
        let timeout = TimeSpec::from_duration(left.duration());
        if ppoll(fds, Some(timeout), None).is_err() {
            return (false, false, false);
        }
        let any = |place: usize| fds.get(place).is_some_and(|fd| fd.any() == Some(true));
        let (card, rang, cables) = (any(0), any(1), any(2));
        (card, rang && bell.answer(), cables)
    }

    /// Reads what the card tells.
    fn take_events(&mut self) -> io::Result<()> {
        let events = match self.card.receive_events() {
            Ok(events) => events,
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(err) => return Err(err),
        };
        for event in events {
            match event {
                drm::control::Event::PageFlip(flip) => {
                    let crtc = u32::from(flip.crtc);
                    let head = self.heads.iter().position(|head| {
                        let route = head.route.as_ref();
                        route.is_some_and(|route| route.crtc.id == crtc)
                    });
                    if let Some(head) = head {
                        self.flipped(head, flip.frame, MediaTime::from(flip.duration));
                    }
                }
                drm::control::Event::Vblank(vblank) => {
                    if let Some(head) = self.heads.get_mut(vblank.user_data) {
                        head.armed = false;
                        let steps = head.vblanks.kernel(vblank.frame, vblank.time.into());
                        if steps > 0 && head.pending.is_none() {
                            head.frozen = 0;
                            self.tick(vblank.user_data);
                        }
                    }
                }
                drm::control::Event::Unknown(_) => {}
            }
        }
        Ok(())
    }

    /// A flip is done.
    fn flipped(&mut self, number: usize, sequence: u32, time: MediaTime) {
        let head = &mut self.heads[number];
        if head.pending.is_none() {
            return;
        }
        head.failures = 0;
        if !head.counted {
            head.flipped = true;
            return;
        }
        let steps = match (std::mem::take(&mut head.settling), time) {
            (true, _) => head.vblanks.begin(clock::monotonic()),
            (false, MediaTime::ZERO) => 0,
            (false, time) => head.vblanks.kernel(sequence, time),
        };
        if steps > 0 {
            head.frozen = 0;
            self.latch(number);
            self.tick(number);
            return;
        }
        head.frozen += 1;
        head.flipped = true;
        if head.frozen >= 2 {
            log::info!("the driver's vblanks do not count: they are estimated");
            head.counted = false;
        } else {
            self.latch(number);
        }
    }

    /// What was committed is on the screen.
    fn latch(&mut self, number: usize) {
        let head = &mut self.heads[number];
        head.flipped = false;
        if let Some(latch) = head.pending.take() {
            self.retired
                .extend(head.shown.replace(latch).map(|latch| latch.scene));
        }
    }

    fn tick(&mut self, number: usize) {
        let head = &self.heads[number];
        self.events.push_back(DisplayEvent::Vblank {
            head: number,
            sequence: head.vblanks.count(),
            stamp: head.vblanks.last(),
            lit: head.is_driven(self.master_at.is_none()) && head.light == Light::Lit,
        });
    }

    /// What is due by the clock.
    fn take_time(&mut self, now: MediaTime) {
        let master = self.master_at.is_none();
        for number in 0..self.heads.len() {
            let head = &mut self.heads[number];
            if head.is_timed(master) {
                if head.vblanks.timer(now) > 0 {
                    if head.flipped || !head.is_driven(master) {
                        self.latch(number);
                    }
                    self.tick(number);
                }
                continue;
            }
            let waited = head.pending.as_ref().map(|pending| pending.since);
            if now - waited.unwrap_or(head.vblanks.last()) >= FLIP_TIMEOUT {
                self.recover(number, now);
            }
        }
        if self.probe_at.is_some_and(|at| at <= now) {
            self.probe_at = None;
            self.probe();
        }
        if self.master_at.is_some_and(|at| at <= now) {
            self.master_at = Some(now + MASTER_RETRY);
            if self.card.acquire_master_lock().is_ok() {
                self.master_at = None;
                log::info!("the display is ours again");
                (0..self.heads.len()).for_each(|head| self.relight(head));
            }
        }
    }

    /// A flip or vblank never came: the mode is set anew, with the picture that was on its way.
    fn recover(&mut self, number: usize, now: MediaTime) {
        let head = &mut self.heads[number];
        head.failures += 1;
        log::warn!(times = head.failures; "a flip never came: the mode is set anew");
        if head.failures >= HOPELESS {
            self.lost = true;
            return;
        }
        head.pending = None;
        head.flipped = false;
        head.armed = false;
        head.vblanks.timer(now);
        self.relight(number);
        self.tick(number);
    }

    /// The head's mode is to be set anew by the next commit, for which the presenter is asked.
    fn relight(&mut self, number: usize) {
        let head = &mut self.heads[number];
        if head.route.is_none() || head.light == Light::Off {
            return;
        }
        head.light = Light::Dark;
        head.vblanks.interrupt();
        if let Some(pending) = head.pending.take() {
            self.retired.push(pending.scene);
        }
        self.describe(number);
        self.events.push_back(DisplayEvent::Connected {
            head: number,
            mode: Some(self.heads[number].mode),
        });
    }

    /// Tells the importer what the head is now.
    fn describe(&mut self, number: usize) {
        let head = &self.heads[number];
        let Some(route) = &head.route else { return };
        let (size, blob) = (head.mode.size, head.blob);
        self.importer.change(number, |view| {
            view.screen = size;
            view.crtc = route.crtc.id;
            view.paints = route.crtc.background.is_some();
            view.planes = route.planes.clone();
            view.modeset = modeset(route, blob).to_vec();
            view.forget();
        });
    }

    fn lose_master(&mut self, now: MediaTime) {
        if self.master_at.is_none() {
            log::warn!(
                "another program has the display: playing into the void until it gives it back"
            );
        }
        self.master_at = Some(now + MASTER_RETRY);
    }

    /// Looks at the cables.
    fn probe(&mut self) {
        for connector in &mut self.objects.connectors {
            match connector.reread(&self.card) {
                Ok(now) => *connector = now,
                Err(err) => {
                    log::warn!(err = err.to_string().as_str(); "{} cannot be asked", connector.name)
                }
            }
        }
        for number in 0..self.heads.len() {
            let Some(route) = &self.heads[number].route else {
                self.route(number);
                continue;
            };
            let connectors = &self.objects.connectors;
            let now = connectors.iter().find(|one| one.id == route.connector.id);
            let now = now.and_then(|connector| connector.screen.clone());
            let had = &route.connector.screen;
            match (had.is_some(), now.is_some()) {
                (true, false) => {
                    log::info!("{} is unplugged", route.connector.name);
                    if let Some(route) = &mut self.heads[number].route {
                        route.connector.screen = None;
                    }
                    self.events.push_back(DisplayEvent::Connected {
                        head: number,
                        mode: None,
                    });
                }
                (false, true) => self.route(number),
                (true, true) if *had != now => self.route(number),
                _ => {}
            }
        }
    }

    /// Finds a way for a head, whatever it had before.
    fn route(&mut self, number: usize) {
        let taken: Vec<(u32, u32)> = self
            .heads
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != number)
            .filter_map(|(_, head)| head.route.as_ref())
            .map(|route| (route.connector.id, route.crtc.id))
            .collect();
        let Some((route, fault)) = route::find(&self.objects, &self.heads[number].wish, &taken)
        else {
            log::info!(head = number; "no screen is connected: playing into the void");
            return;
        };
        if let Some(fault) = fault {
            log::warn!("{fault}; {} is used", route.mode());
        }
        let blob = self.card.create_property_blob(&route.kernel_mode);
        let Ok(drm::control::property::Value::Blob(blob)) = blob else {
            log::error!("the card takes no modes");
            return;
        };
        let head = &mut self.heads[number];
        if head.blob != 0 {
            let _ = self.card.destroy_property_blob(head.blob);
        }
        head.blob = blob;
        head.mode = route.mode();
        head.counted = true;
        head.frozen = 0;
        head.vblanks.set_rate(head.mode.rate);
        self.modes[number] = head.mode;
        head.route = Some(route);
        self.relight(number);
    }

    pub(super) fn latched(&self, head: usize) -> Option<Arc<Scene>> {
        let shown = self.heads.get(head)?.shown.as_ref()?;
        Some(shown.scene.clone())
    }

    pub(super) fn take_retired(&mut self) -> Option<Arc<Scene>> {
        self.retired.pop()
    }

    pub(super) fn is_estimated(&self) -> bool {
        let master = self.master_at.is_none();
        self.heads.iter().any(|head| head.is_timed(master))
    }
}

/// The properties that give a CRTC its mode and its connector.
fn modeset(route: &Route, blob: u64) -> [(u32, u32, u64); 3] {
    let (connector, crtc) = (&route.connector, &route.crtc);
    [
        (connector.id, connector.crtc_id, crtc.id.into()),
        (crtc.id, crtc.mode_id, blob),
        (crtc.id, crtc.active, 1),
    ]
}

/// A colour as `BACKGROUND_COLOR` takes it: 16 bits each for alpha, red, green and blue.
fn argb(colour: [u8; 3]) -> u64 {
    let wide = colour.map(|part| u64::from(part) * 0x101);
    0xffff << 48 | wide[0] << 32 | wide[1] << 16 | wide[2]
}

/// The card that is asked for, or the first with a screen, or the first at all.
fn open_card(path: Option<&Path>) -> Result<(Card, Objects), OpenError> {
    let open = |path: &Path| {
        let opened = Card::open(path).and_then(|card| {
            let objects = Objects::read(&card)?;
            Ok((card, objects))
        });
        opened.map_err(|source| OpenError::Card {
            path: path.display().to_string(),
            advice: advice(&source),
            source,
        })
    };
    if let Some(path) = path {
        return open(path);
    }
    let (mut dark, mut error) = (None, OpenError::NoCard);
    for path in Card::paths() {
        match open(&path) {
            Ok(found) if found.1.connectors.iter().any(|one| one.screen.is_some()) => {
                return Ok(found);
            }
            Ok(found) => dark = dark.or(Some(found)),
            Err(err) => error = err,
        }
    }
    dark.ok_or(error)
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; be in the group video, or root",
        io::ErrorKind::NotFound => "; see ls /dev/dri for the cards there are",
        _ => "",
    }
}
