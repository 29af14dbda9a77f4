//! What comes by itself: the card's events, the clock's, and what never came.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use drm::{Device as _, control::Device as _};
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};

use crate::{
    domain::units::MediaTime,
    kms::{
        DisplayEvent,
        atomic::{
            KmsAtomic, MASTER_RETRY, Mastery,
            head::{Latch, Light},
            hotplug::Cables,
        },
        vblanks::Vblanks,
    },
    os::{clock, doorbell::Doorbell},
};

/// `_DRM_VBLANK_RELATIVE | _DRM_VBLANK_EVENT`, and where the CRTC's place goes.
const VBLANK_EVENT: u32 = 0x0400_0001;
const VBLANK_CRTC_SHIFT: u32 = 1;

/// A flip that has not come for so long never will.
const FLIP_TIMEOUT: MediaTime = MediaTime::from_millis(500);

/// So many flips in a row that never came: the driver is lost.
const HOPELESS: u32 = 3;

/// Who has something to say.
#[derive(Clone, Copy, Debug, Default)]
struct Woken {
    card: bool,
    bell: bool,
    cables: bool,
}

impl KmsAtomic {
    pub(in crate::kms) fn wait(&mut self, bell: &Doorbell) -> DisplayEvent {
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
            self.renew_all();
            self.arm();
            if !self.events.is_empty() {
                continue;
            }
            let until = self.deadline();
            let now = clock::monotonic();
            let left = (until - now).max(MediaTime::ZERO);
            let woken = self.poll(bell, left);
            self.woken = clock::monotonic();
            if woken.card
                && let Err(err) = self.take_events()
            {
                log::error!(err = err.to_string().as_str(); "the card tells nothing any more");
                self.lost = true;
            }
            if woken.cables
                && let Some(connectors) = self.cables.as_ref().and_then(Cables::take)
            {
                self.rewire(connectors);
            }
            // What took its time just now is nobody's delay: flips that came meanwhile are not read yet.
            self.take_time(self.woken);
            if woken.bell {
                self.events.push_back(DisplayEvent::Bell);
            }
        }
    }

    /// Commits again what has stood for long on heads that have just had a vblank: their next commit of another picture
    /// comes after the next one, and finds none pending.
    fn renew_all(&mut self) {
        let now = clock::monotonic();
        for number in 0..self.heads.len() {
            if std::mem::take(&mut self.heads[number].ticked) {
                self.renew(number, now);
            }
        }
    }

    /// Asks for the next vblank of every head that has no flip on its way.
    fn arm(&mut self) {
        for number in 0..self.heads.len() {
            let master = self.mastery.is_ours();
            let head = &mut self.heads[number];
            if head.is_timed(master) || head.pending.is_some() || head.armed {
                continue;
            }
            let Some(route) = &head.route else { continue };
            let kind = VBLANK_EVENT | (route.crtc.index << VBLANK_CRTC_SHIFT);
            match drm_ffi::wait_vblank(self.card.as_fd(), kind, 1, number) {
                Ok(_) => head.armed = true,
                Err(err) if head.vblanks.is_kernel_s() => {
                    let name = route.connector.name.as_str();
                    log::warn!(err = err.to_string().as_str(); "{name} has no vblanks any more: the mode is set anew");
                    self.relight(number);
                }
                Err(err) => {
                    log::info!(err = err.to_string().as_str(); "the driver counts no vblanks: they are estimated");
                    head.counted = false;
                }
            }
        }
    }

    /// When something has to be done even if nothing happens.
    fn deadline(&self) -> MediaTime {
        let master = self.mastery.is_ours();
        let heads = self.heads.iter().map(|head| {
            if head.is_timed(master) {
                let lost = head.flip_awaited(master).map(|since| since + FLIP_TIMEOUT);
                lost.unwrap_or(MediaTime::MAX).min(head.vblanks.due())
            } else if let Some(pending) = &head.pending {
                pending.since + FLIP_TIMEOUT
            } else {
                head.vblanks.last() + FLIP_TIMEOUT
            }
        });
        let pauses = self.heads.iter().filter_map(|head| head.refusals.until());
        heads
            .chain(pauses)
            .chain(self.mastery.retry_at())
            .min()
            .unwrap_or(MediaTime::ZERO)
    }

    /// Waits; tells who has something to say.
    fn poll(&self, bell: &Doorbell, left: MediaTime) -> Woken {
        let nothing = bell.as_fd();
        let cables: BorrowedFd<'_> = self.cables.as_ref().map_or(nothing, AsFd::as_fd);
        let mut fds = [
            PollFd::new(self.card.as_fd(), PollFlags::POLLIN),
            PollFd::new(bell.as_fd(), PollFlags::POLLIN),
            PollFd::new(cables, PollFlags::POLLIN),
        ];
        let fds = match self.cables {
            Some(_) => &mut fds[..],
            None => &mut fds[..2],
        };
        let timeout = TimeSpec::from_duration(left.duration());
        if ppoll(fds, Some(timeout), None).is_err() {
            return Woken::default();
        }
        let any = |place: usize| fds.get(place).is_some_and(|fd| fd.any() == Some(true));
        Woken {
            card: any(0),
            bell: any(1) && bell.answer(),
            cables: any(2),
        }
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
        // A flip from before the head went dark is none of what it has now.
        let awaits = |pending: &Latch| pending.ready.is_some();
        if !head.pending.as_ref().is_some_and(awaits) {
            return;
        }
        head.failures = 0;
        if !head.counted {
            head.flipped = true;
            return;
        }
        let steps = match (head.settling, time) {
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
    pub(super) fn latch(&mut self, number: usize) {
        let head = &mut self.heads[number];
        head.flipped = false;
        let Some(latch) = head.pending.take() else {
            return;
        };
        let is_real = latch.ready.is_some();
        let before = head.shown.replace(latch);
        // In the void the kernel goes on showing the last real picture.
        let was_real = |before: &Latch| before.ready.is_some();
        match is_real || !before.as_ref().is_some_and(was_real) {
            true => {
                let stood = head.standing.take_if(|_| is_real);
                let gone = [before, stood].into_iter().flatten();
                self.retired.extend(gone.map(|latch| latch.scene));
            }
            false => head.standing = before,
        }
    }

    fn tick(&mut self, number: usize) {
        let head = &mut self.heads[number];
        head.ticked = true;
        // The time that setting a mode took was dark.
        let settling = std::mem::take(&mut head.settling);
        let driven = head.is_driven(self.mastery.is_ours());
        self.events.push_back(DisplayEvent::Vblank {
            head: number,
            sequence: head.vblanks.count(),
            stamp: head.vblanks.last(),
            lit: driven && head.light == Light::Lit && !settling,
        });
    }

    /// What is due by the clock.
    fn take_time(&mut self, now: MediaTime) {
        let master = self.mastery.is_ours();
        for number in 0..self.heads.len() {
            let head = &mut self.heads[number];
            if head.refusals.until().is_some_and(|until| until <= now) {
                head.refusals.end_pause();
                log::info!(head = number; "the mode is set anew, since the card refused pictures");
                self.relight(number);
            }
            let head = &mut self.heads[number];
            if head
                .flip_awaited(master)
                .is_some_and(|since| now - since >= FLIP_TIMEOUT)
            {
                self.recover(number, now);
                continue;
            }
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
            if head.pending.is_none() && now - head.vblanks.last() >= FLIP_TIMEOUT {
                self.recover(number, now);
            }
        }
        if self.mastery.retry_at().is_some_and(|at| at <= now) {
            let retry_at = now + MASTER_RETRY;
            self.mastery = Mastery::Lost { retry_at };
            if self.card.acquire_master_lock().is_ok() {
                self.mastery = Mastery::Ours;
                log::info!("the display is ours again");
                self.cables.iter().for_each(Cables::ask);
                for number in 0..self.heads.len() {
                    self.heads[number].refusals.clear();
                    match self.heads[number].light {
                        // What another program shows goes dark as ours did.
                        Light::Off => self.darken(number),
                        Light::Dark | Light::Lit => self.relight(number),
                    }
                }
            }
        }
    }

    /// A flip or vblank never came: the mode is set anew, with the picture that was on its way, which counts as shown.
    fn recover(&mut self, number: usize, now: MediaTime) {
        let head = &mut self.heads[number];
        head.failures += 1;
        log::warn!(times = head.failures; "a flip never came: the mode is set anew");
        if head.failures >= HOPELESS {
            self.lost = true;
            return;
        }
        head.vblanks.timer(now);
        self.relight(number);
        self.tick(number);
    }
}
