//! Cables that are plugged and pulled, and modes that are set anew.

use std::os::fd::AsFd;

use drm::control::Device as _;

use crate::kms::{
    DisplayEvent,
    atomic::{
        KmsAtomic,
        head::Light,
        import::ALLOW_MODESET,
        modeset,
        objects::{Connector, Link, Screen},
        ready::turn_off,
        route::{self, Others, Route},
    },
};

/// What a moved cable means for a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// Nothing.
    None,
    /// Its screen is gone.
    Gone,
    /// There may be another screen or another way to one.
    Other,
    /// The screen is there, and its link has failed: it is dark until its mode is set anew.
    Failed,
}

impl News {
    /// From the screen that there was, the one that there is now, and its link.
    fn of(had: Option<&Screen>, now: Option<&Screen>, link: Link) -> Self {
        match (had, now, link) {
            (Some(_), None, _) => News::Gone,
            (None, _, _) => News::Other,
            (Some(had), Some(now), _) if had != now => News::Other,
            (Some(_), Some(_), Link::Bad) => News::Failed,
            (Some(_), Some(_), Link::Good) => News::None,
        }
    }
}

impl KmsAtomic {
    /// The head's mode is to be set anew by the next commit, for which the presenter is asked. What is switched off on
    /// purpose stays dark; its screen is told of all the same.
    pub(super) fn relight(&mut self, number: usize) {
        let head = &mut self.heads[number];
        if head.route.is_none() {
            return;
        }
        if head.light != Light::Off {
            head.light = Light::Dark;
        }
        head.vblanks.interrupt();
        head.armed = false;
        // Another mode or another master may bring other vblanks.
        head.counted = true;
        head.frozen = 0;
        // What was on its way counts as shown: it is what is committed anew.
        self.latch(number);
        self.describe(number);
        if self.is_connected(number) {
            let mode = Some(self.heads[number].mode);
            // Before vblanks that are not told yet: what is planned for them must have the new size.
            let told = DisplayEvent::Connected { head: number, mode };
            self.events.push_front(told);
        }
    }

    /// Tells the importer what the head is now.
    pub(super) fn describe(&mut self, number: usize) {
        let head = &self.heads[number];
        let Some(route) = &head.route else { return };
        let size = head.mode.size;
        let others = self.heads.iter().enumerate();
        let others = others.filter(|(other, _)| *other != number);
        let others = others.filter_map(|(_, other)| other.route.as_ref());
        let modeset = modeset(&self.objects, route, head.blob, others);
        let crtc = route.crtc.id;
        let (paints, planes) = (route.crtc.background.is_some(), route.planes.clone());
        self.importer.change(number, |view| {
            view.screen = size;
            view.crtc = crtc;
            view.paints = paints;
            view.planes = planes;
            view.modeset = modeset.clone();
            view.forget();
        });
        self.heads[number].modeset = modeset;
    }

    /// The cables are now so.
    pub(super) fn rewire(&mut self, connectors: Vec<Connector>) {
        self.objects.connectors = connectors;
        for number in 0..self.heads.len() {
            let Some(route) = &self.heads[number].route else {
                self.route(number);
                continue;
            };
            let connectors = &self.objects.connectors;
            let now = connectors.iter().find(|one| one.id == route.connector.id);
            let screen = now.and_then(|connector| connector.screen.as_ref());
            let link = now.map_or(Link::Good, |connector| connector.link);
            match News::of(route.connector.screen.as_ref(), screen, link) {
                News::Gone => {
                    log::info!("{} is unplugged", route.connector.name);
                    if let Some(route) = &mut self.heads[number].route {
                        route.connector.screen = None;
                    }
                    self.events.push_back(DisplayEvent::Connected {
                        head: number,
                        mode: None,
                    });
                    // The cable may be in another socket now.
                    self.route(number);
                }
                News::Other => self.route(number),
                News::Failed => {
                    log::warn!(
                        "{} has lost its link: it is trained anew",
                        route.connector.name
                    );
                    self.relight(number);
                }
                News::None => {}
            }
        }
    }

    /// Turns off what a route drove: its connector, its CRTC and its planes.
    fn let_go(&mut self, route: &Route) {
        if !self.mastery.is_ours() {
            return;
        }
        let (connector, crtc) = (&route.connector, &route.crtc);
        self.request.clear();
        self.request.set(connector.id, connector.crtc_id, 0);
        self.request.set(crtc.id, crtc.active, 0);
        self.request.set(crtc.id, crtc.mode_id, 0);
        for place in &route.planes {
            turn_off(&mut self.request, self.importer.plane(*place));
        }
        if let Err(err) = self.request.commit(self.card.as_fd(), ALLOW_MODESET) {
            log::warn!(err = err.to_string().as_str(); "{} cannot be let go", connector.name);
        }
    }

    /// Finds a way for a head, whatever it had before.
    pub(super) fn route(&mut self, number: usize) {
        let others = self.heads.iter().enumerate();
        let others = others.filter(|(other, _)| *other != number);
        let others: Others<'_> = others
            .map(|(_, head)| (&head.wish, head.route.as_ref()))
            .collect();
        let head = &self.heads[number];
        let current = head.route.as_ref().map(|route| route.connector.id);
        let found = route::find(&self.objects, &head.wish, current, &others);
        let Some((route, fault)) = found else {
            if head.route.is_none() {
                match route::check_connector(&self.objects, &head.wish) {
                    Ok(()) => {
                        log::info!(head = number; "no screen is connected: playing into the void");
                    }
                    Err(fault) => {
                        log::warn!(head = number; "{fault}; playing into the void until then");
                    }
                }
            }
            return;
        };
        let left = self.heads[number].route.take();
        if let Some(left) = left.filter(|left| left.connector.id != route.connector.id) {
            self.let_go(&left);
        }
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
        head.refusals.clear();
        head.failures = 0;
        head.mode = route.mode();
        head.vblanks.set_rate(head.mode.rate);
        self.modes[number] = head.mode;
        head.route = Some(route);
        self.relight(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_whose_link_has_failed_is_as_before_and_yet_dark() {
        let screen = |edid: &[u8]| Screen {
            modes: Vec::new(),
            edid: edid.to_vec(),
        };
        let (one, other) = (screen(b"one"), screen(b"other"));
        let (one, other) = (Some(&one), Some(&other));
        assert_eq!(News::of(one, one, Link::Good), News::None);
        assert_eq!(News::of(one, one, Link::Bad), News::Failed);
        assert_eq!(News::of(one, other, Link::Bad), News::Other);
        assert_eq!(News::of(one, None, Link::Good), News::Gone);
        assert_eq!(News::of(None, one, Link::Good), News::Other);
        assert_eq!(News::of(None, None, Link::Good), News::Other);
    }
}
