//! Light and dark on purpose: switching screens off, giving the card to another console, and what stays at the end.

use std::os::fd::AsFd;

use drm::Device as _;

use crate::{
    domain::{config::OnExit, protocol::Power},
    kms::atomic::{
        KmsAtomic, Mastery,
        head::Light,
        import::ALLOW_MODESET,
        ready::{Ready, put, turn_off},
    },
    os::clock,
};

impl KmsAtomic {
    /// Switches all screens on or off. What is committed while they are off is latched by the clock.
    pub(in crate::kms) fn set_power(&mut self, power: Power) {
        for number in 0..self.heads.len() {
            match (power, self.heads[number].light) {
                (Power::Off, Light::Dark | Light::Lit) => self.switch_off(number),
                (Power::On, Light::Off) => {
                    self.heads[number].refusals.clear();
                    self.heads[number].light = Light::Dark;
                    self.relight(number);
                }
                (Power::Off, Light::Off) | (Power::On, Light::Dark | Light::Lit) => {}
            }
        }
    }

    /// Takes a head's signal away, whoever draws on it.
    pub(super) fn darken(&mut self, number: usize) {
        let Some(route) = &self.heads[number].route else {
            return;
        };
        self.request.clear();
        self.request.set(route.crtc.id, route.crtc.active, 0);
        if let Err(err) = self.request.commit(self.card.as_fd(), ALLOW_MODESET) {
            log::warn!(err = err.to_string().as_str(); "{} does not go dark", route.connector.name);
        }
    }

    fn switch_off(&mut self, number: usize) {
        if self.mastery.is_ours() {
            self.darken(number);
        }
        self.latch(number);
        let head = &mut self.heads[number];
        head.light = Light::Off;
        head.armed = false;
        head.vblanks.interrupt();
    }

    /// Another console comes to the front: the card is its own.
    pub(in crate::kms) fn leave(&mut self) {
        if let Err(err) = self.card.release_master_lock() {
            log::warn!(err = err.to_string().as_str(); "the card cannot be given away");
        }
        self.mastery = Mastery::GivenAway;
        log::info!("another console is in front: playing into the void");
    }

    /// Our console is in front again.
    pub(in crate::kms) fn come_back(&mut self) {
        let retry_at = clock::monotonic();
        self.mastery = Mastery::Lost { retry_at };
    }

    /// Leaves on the screens what is to stay there. The last picture outlives us where the kernel has CLOSEFB.
    pub(in crate::kms) fn finish(&mut self, on_exit: OnExit) {
        if !self.mastery.is_ours() {
            return;
        }
        if on_exit == OnExit::Last {
            let latches = self
                .heads
                .iter()
                .flat_map(|head| [&head.pending, &head.shown, &head.standing]);
            latches
                .flatten()
                .filter_map(|latch| latch.ready.as_deref())
                .for_each(Ready::abandon);
            return;
        }
        for number in 0..self.heads.len() {
            let head = &self.heads[number];
            let Some(route) = head.route.as_ref().filter(|_| head.light == Light::Lit) else {
                continue;
            };
            let Some(place) = route.planes.first() else {
                continue;
            };
            let black = self.importer.blank(number, *place, head.mode.size);
            let done = black.and_then(|black| {
                self.request.clear();
                for place in &route.planes {
                    let plane = self.importer.plane(*place);
                    match black.on(*place) {
                        Some(placed) => put(&mut self.request, plane, route.crtc.id, &placed),
                        None => turn_off(&mut self.request, plane),
                    }
                }
                // Without NONBLOCK it waits for the flip that is on its way.
                self.request.commit(self.card.as_fd(), ALLOW_MODESET)?;
                black.abandon();
                Ok(())
            });
            if let Err(err) = done {
                log::warn!(err = err.to_string().as_str(); "{} does not go black", route.connector.name);
            }
        }
    }
}
