//! The kernel's display: atomic commits on a card of the Direct Rendering Manager.
//!
//! [`KmsAtomic`] belongs to the presenter, which makes every commit through it. The [`Importer`] is shared with the
//! threads that make frames. A head without a screen, without light or without master goes on in the void: its vblanks
//! come from the clock, and nothing is committed.

mod cables;
mod card;
mod framebuffer;
mod head;
mod hotplug;
mod import;
mod ladder;
mod objects;
mod opening;
mod power;
mod readback;
mod ready;
mod request;
mod route;
mod time;

use std::{
    collections::VecDeque,
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use drm::Device as _;
use nix::errno::Errno;

use self::{
    card::Card,
    head::{Head, Latch, Light},
    hotplug::Cables,
    import::{ALLOW_MODESET, View, only_layer},
    objects::{LINK_GOOD, Objects},
    ready::{Ready, put, turn_off},
    request::Request,
    route::Route,
};
pub use self::{
    import::{Copies, Importer},
    opening::OpenError,
    route::Wish,
};
use crate::{
    domain::{
        fit::Fit,
        units::{MediaTime, Mode},
    },
    kms::{
        CommitError, DisplayEvent,
        scene::{Reject, Scene},
    },
    os::clock,
};

/// `DRM_MODE_PAGE_FLIP_EVENT`.
const FLIP_EVENT: u32 = 0x01;
/// `DRM_MODE_ATOMIC_NONBLOCK`.
const NONBLOCK: u32 = 0x0200;
/// How often lost mastership is asked for again.
const MASTER_RETRY: MediaTime = MediaTime::from_millis(500);

/// What is asked of the kernel's display.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The device node; nothing is the first card with a screen.
    pub card: Option<PathBuf>,
    /// What is asked of each head.
    pub heads: Vec<Wish>,
}

/// Who may commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mastery {
    /// We.
    Ours,
    /// Another program; it is asked for again at this time.
    Lost {
        /// When.
        retry_at: MediaTime,
    },
    /// Nobody asks for it while another console is in front.
    GivenAway,
}

impl Mastery {
    fn is_ours(self) -> bool {
        self == Mastery::Ours
    }

    fn retry_at(self) -> Option<MediaTime> {
        match self {
            Mastery::Lost { retry_at } => Some(retry_at),
            Mastery::Ours | Mastery::GivenAway => None,
        }
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
    retired: Vec<Scene>,
    cables: Option<Cables>,
    mastery: Mastery,
    lost: bool,
    /// Whether time has begun: it does when the presenter first waits.
    begun: bool,
    /// When it woke last.
    woken: MediaTime,
}

impl KmsAtomic {
    /// Opens the card and finds a way for every head. Nothing is on the screen yet.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let (card, objects) = opening::open_card(options.card.as_deref())?;
        // Who was never master cannot become it later without rights: the card has to be opened anew. Root is authenticated
        // where another program is master, too, and so has to ask; others may ask only since Linux 5.8.
        let is_root = nix::unistd::geteuid().is_root();
        let is_master = card.authenticated().unwrap_or(false)
            && (!is_root || card.acquire_master_lock().is_ok());
        if !is_master {
            let path = card.path().display().to_string();
            return Err(OpenError::Taken { path });
        }
        let card = Arc::new(card);
        let now = clock::monotonic();
        let heads: Vec<Head> = options
            .heads
            .iter()
            .map(|wish| Head::void(wish.clone(), now))
            .collect();
        let views = heads
            .iter()
            .map(|head| View::new(head.mode.size, 0, Vec::new()))
            .collect();
        let importer = Importer::new(card.clone(), objects.planes.clone(), views);
        let cables = Cables::watch(card.clone())
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
            cables,
            woken: now,
            mastery: Mastery::Ours,
            lost: false,
            begun: false,
        };
        log::info!(
            "display {} ({})",
            display.card.path().display(),
            display.card.driver()
        );
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
        only_layer(scene)
            .map(drop)
            .ok_or(Reject::TooManyLayers(scene.layers.len()))
    }

    pub(super) fn commit(&mut self, head: usize, scene: Scene) -> Result<(), CommitError> {
        if self.lost {
            return Err(CommitError::Lost);
        }
        let master = self.mastery.is_ours();
        let now = clock::monotonic();
        let state = self.heads.get(head).ok_or(Reject::Device)?;
        if state.pending.is_some() {
            return Err(CommitError::Busy);
        }
        if !state.is_driven(master) {
            self.heads[head].pending = Some(Latch {
                scene,
                ready: None,
                since: now,
            });
            self.heads[head].flipped = true;
            return Ok(());
        }
        let layer = only_layer(&scene).ok_or(Reject::TooManyLayers(scene.layers.len()))?;
        let mut ready = self.importer.ready(head, layer);
        // Down the ladder until the card takes it.
        let error = loop {
            let tried = match ready {
                Ok(tried) => tried,
                Err(err) => break err,
            };
            match self.push(head, &tried) {
                Ok(()) => {
                    self.heads[head].taken(scene, tried, clock::monotonic());
                    return Ok(());
                }
                Err(err) if is_of_the_picture(&err) => {
                    match self.importer.lower(head, layer, &tried) {
                        Some(next) => ready = next,
                        None => break err,
                    }
                }
                Err(err) => break err,
            }
        };
        let fault = self.fault(head, &error, now);
        match self.mastery.is_ours() {
            true => Err(fault),
            // Into the void.
            false => self.commit(head, scene),
        }
    }

    /// What follows from a commit that failed. Afterwards the card may be another program's.
    fn fault(&mut self, head: usize, error: &io::Error, now: MediaTime) -> CommitError {
        match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
            Errno::EBUSY => CommitError::Busy,
            Errno::EACCES | Errno::EPERM => {
                self.lose_master(now);
                CommitError::Busy
            }
            Errno::ENODEV => {
                self.lost = true;
                CommitError::Lost
            }
            _ => {
                log::warn!(err = error.to_string().as_str(); "the card refused a picture");
                self.heads[head].refusals.add(now);
                Reject::Device.into()
            }
        }
    }

    /// Commits again what has stood for a while, in the time between two vblanks that the presenter left free.
    fn renew(&mut self, head: usize, now: MediaTime) {
        let master = self.mastery.is_ours();
        let Some(Latch { scene, ready, .. }) = self.heads[head].worn(master, now) else {
            return;
        };
        let (scene, Some(ready)) = (scene.clone(), ready.clone()) else {
            return;
        };
        match self.push(head, &ready) {
            Ok(()) => self.heads[head].taken(scene, ready, now),
            Err(err) => {
                self.fault(head, &err, now);
            }
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
            for (object, property, value) in &state.modeset {
                request.set(*object, *property, *value);
            }
        }
        let background = argb(state.background);
        request.set_if(route.crtc.id, route.crtc.background, background);
        for place in &route.planes {
            let plane = self.importer.plane(*place);
            match ready.on(*place) {
                Some(placed) => put(request, plane, route.crtc.id, &placed),
                None if dark || state.may_show_on(*place) => turn_off(request, plane),
                None => {}
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

    fn lose_master(&mut self, now: MediaTime) {
        if self.mastery.is_ours() {
            log::warn!(
                "another program has the display: playing into the void until it gives it back"
            );
        }
        let retry_at = now + MASTER_RETRY;
        self.mastery = Mastery::Lost { retry_at };
    }

    pub(super) fn latched(&self, head: usize) -> Option<Scene> {
        let shown = self.heads.get(head)?.shown.as_ref()?;
        Some(shown.scene.clone())
    }

    pub(super) fn woken(&self) -> MediaTime {
        self.woken
    }

    pub(super) fn take_retired(&mut self) -> Option<Scene> {
        self.retired.pop()
    }

    pub(super) fn is_estimated(&self) -> bool {
        let counts = |head: &Head| head.counted || head.route.is_none();
        !self.heads.iter().all(counts)
    }

    /// Whether a head has a screen.
    pub(super) fn is_connected(&self, head: usize) -> bool {
        let route = self.heads.get(head).and_then(|head| head.route.as_ref());
        route.is_some_and(|route| route.connector.screen.is_some())
    }

    /// The card's device node.
    pub fn path(&self) -> &Path {
        self.card.path()
    }
}

/// Whether another picture could help: this one is in a form that the card does not take now, be it for its memory's
/// bandwidth (`ENOSPC`) or for a limit that it tells by `EINVAL` or `ERANGE`.
fn is_of_the_picture(error: &io::Error) -> bool {
    let number = Errno::from_raw(error.raw_os_error().unwrap_or(0));
    matches!(number, Errno::EINVAL | Errno::ERANGE | Errno::ENOSPC)
}

/// The properties that give a CRTC its mode and its connector, and take from it what a console, a firmware or another
/// program has left there: other connectors, and planes that are nobody's. `others` are the other heads' routes.
fn modeset<'a>(
    objects: &Objects,
    route: &Route,
    blob: u64,
    others: impl Iterator<Item = &'a Route> + Clone,
) -> Vec<(u32, u32, u64)> {
    let (own, crtc) = (&route.connector, &route.crtc);
    let mut properties = vec![(own.id, own.crtc_id, crtc.id.into())];
    // A link that has failed is trained anew.
    properties.extend(own.link_status.map(|link| (own.id, link, LINK_GOOD)));
    properties.push((crtc.id, crtc.mode_id, blob));
    properties.push((crtc.id, crtc.active, 1));
    for left in &objects.connectors {
        let is_theirs = others.clone().any(|other| other.connector.id == left.id);
        if left.driven_by == u64::from(crtc.id) && left.id != own.id && !is_theirs {
            properties.push((left.id, left.crtc_id, 0));
        }
    }
    for (place, plane) in objects.planes.iter().enumerate() {
        let is_ours = route.planes.contains(&place);
        let is_theirs = others.clone().any(|other| other.planes.contains(&place));
        if plane.crtcs & (1 << crtc.index) != 0 && !is_ours && !is_theirs {
            properties.push((plane.id, plane.properties.fb_id, 0));
            properties.push((plane.id, plane.properties.crtc_id, 0));
        }
    }
    properties
}

/// A colour as `BACKGROUND_COLOR` takes it: 16 bits each for alpha, red, green and blue.
fn argb(colour: [u8; 3]) -> u64 {
    let wide = colour.map(|part| u64::from(part) * 0x101);
    0xffff << 48 | wide[0] << 32 | wide[1] << 16 | wide[2]
}
