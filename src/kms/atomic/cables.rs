//! Cables that are plugged and pulled, and modes that are set anew.

use drm::control::Device as _;

use crate::kms::{
    DisplayEvent,
    atomic::{KmsAtomic, head::Light, modeset, route},
};

impl KmsAtomic {
    /// The head's mode is to be set anew by the next commit, for which the presenter is asked.
    pub(super) fn relight(&mut self, number: usize) {
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
    pub(super) fn describe(&mut self, number: usize) {
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

    /// Looks at the cables.
    pub(super) fn probe(&mut self) {
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
    pub(super) fn route(&mut self, number: usize) {
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
}
