//! The virtual display: vblanks without a screen.
//!
//! At real pace its vblanks fall on the monotonic clock and pass whether or not anybody is there, as a real screen's
//! do. In lockstep a vblank comes when it is waited for. What is on the screen at each vblank goes to the capture.
//! Faults are planned by vblank number, for tests.

use std::{collections::VecDeque, io::Write};

use crate::{
    domain::units::{MediaTime, Mode},
    kms::{
        CommitError, DisplayEvent,
        capture::{Capture, CaptureError},
        scene::{Content, Layer, MAX_LAYERS, OPAQUE, Reject, Scene},
    },
    os::{clock, doorbell::Doorbell},
};

/// What makes a vblank come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The clock.
    Real,
    /// Being waited for.
    Lockstep,
}

/// Something that goes wrong at a vblank.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This many vblanks pass with nobody there.
    Miss {
        /// How many.
        count: u64,
    },
    /// The next commit is refused.
    Refuse,
    /// The next commit comes while somebody else's is pending.
    Busy,
    /// The screen's cable is pulled, or put in again.
    Connected(bool),
    /// The device goes away for good.
    Lose,
    /// A layer that nobody asked for is on the screen from now on.
    Plant(Layer),
}

/// A display without a device. Head 0 is the one that is captured.
pub struct VirtualDisplay {
    modes: Vec<Mode>,
    heads: Vec<Head>,
    pace: Pace,
    /// When vblank 0 was, on the monotonic clock; set at the first wait.
    epoch: Option<MediaTime>,
    sequence: u64,
    capture: Option<Capture>,
    faults: Vec<(u64, Fault)>,
    refuse: bool,
    busy: bool,
    woken: MediaTime,
    lost: bool,
    planted: Option<Layer>,
    retired: Vec<Scene>,
    events: VecDeque<DisplayEvent>,
}

#[derive(Clone, Default)]
struct Head {
    pending: Option<Scene>,
    latched: Option<Scene>,
}

impl VirtualDisplay {
    /// A display with one head a mode; there must be at least one. All heads share the first mode's vblanks.
    pub fn new(modes: Vec<Mode>, pace: Pace) -> Self {
        let heads = vec![Head::default(); modes.len()];
        let (capture, epoch, planted) = (None, None, None);
        Self {
            modes,
            heads,
            pace,
            epoch,
            sequence: 0,
            capture,
            faults: Vec::new(),
            refuse: false,
            busy: false,
            woken: MediaTime::ZERO,
            lost: false,
            planted,
            retired: Vec::with_capacity(8),
            events: VecDeque::with_capacity(8),
        }
    }

    /// Writes head 0's picture at every vblank to `output`, from the first one that shows an item.
    pub fn with_capture(mut self, output: Box<dyn Write + Send>) -> std::io::Result<Self> {
        self.capture = Some(Capture::start(output, self.modes[0])?);
        Ok(self)
    }

    /// Plans faults, each with the number of the vblank before which it happens.
    pub fn with_faults(mut self, mut faults: Vec<(u64, Fault)>) -> Self {
        faults.sort_by_key(|(at, _)| *at);
        self.faults = faults;
        self
    }

    /// What the heads show.
    pub fn modes(&self) -> &[Mode] {
        &self.modes
    }

    /// Whether the capture has stopped early, because it failed.
    pub fn capture_failed(&self) -> bool {
        self.capture.as_ref().is_some_and(Capture::has_failed)
    }

    /// Ends the capture and writes out the rest; tells how many pictures were written.
    pub fn finish_capture(&mut self) -> Result<u64, CaptureError> {
        self.capture.take().map_or(Ok(0), Capture::finish)
    }

    pub(super) fn test(&self, head: usize, scene: &Scene) -> Result<(), Reject> {
        let screen = self.modes.get(head).ok_or(Reject::Device)?.size;
        if scene.layers.len() > MAX_LAYERS {
            return Err(Reject::TooManyLayers(scene.layers.len()));
        }
        for layer in &scene.layers {
            let (source, target, picture) = (layer.source, layer.target, layer.frame.size);
            let inside = |at: u32, length: u32, whole: u32| {
                length > 0 && at.checked_add(length).is_some_and(|end| end <= whole)
            };
            if !inside(source.x, source.width, picture.width)
                || !inside(source.y, source.height, picture.height)
                || !inside(target.x, target.width, screen.width)
                || !inside(target.y, target.height, screen.height)
            {
                return Err(Reject::OutOfBounds);
            }
            if layer.alpha != OPAQUE {
                return Err(Reject::Alpha);
            }
        }
        Ok(())
    }

    pub(super) fn commit(&mut self, head: usize, scene: Scene) -> Result<(), CommitError> {
        if self.lost {
            return Err(CommitError::Lost);
        }
        if std::mem::take(&mut self.busy) {
            return Err(CommitError::Busy);
        }
        if std::mem::take(&mut self.refuse) {
            return Err(Reject::Device.into());
        }
        self.test(head, &scene)?;
        let head = &mut self.heads[head];
        if head.pending.is_some() {
            return Err(CommitError::Busy);
        }
        head.pending = Some(scene);
        Ok(())
    }

    pub(super) fn wait(&mut self, bell: &Doorbell) -> DisplayEvent {
        if let Some(event) = self.events.pop_front() {
            return event;
        }
        if self.lost {
            return DisplayEvent::Lost;
        }
        let due = self.sequence + 1;
        let steps = self.steps(bell);
        self.woken = clock::monotonic();
        let mut steps = match steps {
            0 => return DisplayEvent::Bell,
            steps => steps,
        };
        while let Some((_, fault)) = self.faults.first().filter(|(at, _)| *at <= due) {
            let fault = fault.clone();
            self.faults.remove(0);
            match fault {
                Fault::Miss { count } => steps += count,
                Fault::Refuse => self.refuse = true,
                Fault::Busy => self.busy = true,
                Fault::Connected(connected) => {
                    let mode = connected.then_some(self.modes[0]);
                    return DisplayEvent::Connected { head: 0, mode };
                }
                Fault::Lose => {
                    self.lost = true;
                    return DisplayEvent::Lost;
                }
                Fault::Plant(layer) => self.planted = Some(layer),
            }
        }
        self.sequence += steps;
        self.latch(steps);
        let sequence = self.sequence;
        let stamp = match self.epoch {
            Some(epoch) => epoch + self.modes[0].rate.tick(sequence as i64),
            None => clock::monotonic(),
        };
        let vblank = |head| DisplayEvent::Vblank {
            head,
            sequence,
            stamp,
            lit: true,
        };
        self.events.extend((1..self.heads.len()).map(vblank));
        vblank(0)
    }

    pub(super) fn woken(&self) -> MediaTime {
        self.woken
    }

    pub(super) fn take_retired(&mut self) -> Option<Scene> {
        self.retired.pop()
    }

    pub(super) fn latched(&self, head: usize) -> Option<Scene> {
        self.heads.get(head)?.latched.clone()
    }

    /// How many vblanks have come; 0 if the bell rang first.
    fn steps(&mut self, bell: &Doorbell) -> u64 {
        if self.pace == Pace::Lockstep {
            return 1;
        }
        let rate = self.modes[0].rate;
        let epoch = *self.epoch.get_or_insert_with(clock::monotonic);
        let due = epoch + rate.tick(self.sequence as i64 + 1);
        let mut now = clock::monotonic();
        while now < due {
            if bell.wait(Some(due - now)) {
                return 0;
            }
            now = clock::monotonic();
        }
        let mut steps = 1;
        while epoch + rate.tick((self.sequence + steps) as i64 + 1) <= now {
            steps += 1;
        }
        steps
    }

    /// Puts what was committed onto the screen, for `steps` vblanks.
    fn latch(&mut self, steps: u64) {
        let is_new = self.heads[0].pending.is_some();
        for head in &mut self.heads {
            if let Some(mut scene) = head.pending.take() {
                if let Some(layer) = &self.planted {
                    scene.layers.push(layer.clone());
                }
                self.retired.extend(head.latched.replace(scene));
            }
        }
        if let (Some(capture), Some(scene)) = (&mut self.capture, &self.heads[0].latched)
            && (capture.has_begun() || scene.content == Content::Item)
        {
            capture.write(is_new.then_some(scene), steps);
        }
    }
}
