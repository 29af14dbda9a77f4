//! Which screen plays on which connector, by which CRTC and planes, in which mode.

use crate::{
    domain::units::Mode,
    kms::atomic::objects::{Connector, Crtc, Kind, Objects, mode_of},
};

/// What the configuration asks of one head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The connector's name, as in `HDMI-A-1`; nothing is any that has a screen.
    pub connector: Option<String>,
    /// The mode; nothing is the one that the screen prefers.
    pub mode: Option<Mode>,
}

/// A way through the card to a screen.
#[derive(Clone, Debug)]
pub struct Route {
    /// Where the cable goes in.
    pub connector: Connector,
    /// What makes its vblanks.
    pub crtc: Crtc,
    /// The places of its planes, the primary first.
    pub planes: Vec<usize>,
    /// The mode in the kernel's form.
    pub kernel_mode: drm::control::Mode,
}

impl Route {
    /// The mode.
    pub fn mode(&self) -> Mode {
        mode_of(&self.kernel_mode)
    }
}

/// How far a mode's rate may be from the one asked for, in hertz: 59.94 is not 60.
const TOLERANCE: f64 = 0.03;

/// A mode that a screen has not; its modes are told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{connector} has no mode {wanted}; it has {has}")]
pub struct NoSuchMode {
    connector: String,
    wanted: String,
    has: String,
}

/// The mode that is wished for, or the preferred one.
pub fn choose_mode(
    connector: &str,
    modes: &[drm::control::Mode],
    wish: Option<Mode>,
) -> Result<drm::control::Mode, NoSuchMode> {
    let away = |mode: &drm::control::Mode, wish: Mode| {
        (mode_of(mode).rate.as_hertz() - wish.rate.as_hertz()).abs()
    };
    let found = match wish {
        None => modes.first(),
        Some(wish) => modes
            .iter()
            .filter(|mode| mode_of(mode).size == wish.size && away(mode, wish) <= TOLERANCE)
            .min_by(|one, other| away(one, wish).total_cmp(&away(other, wish))),
    };
    found.copied().ok_or_else(|| NoSuchMode {
        connector: connector.to_owned(),
        wanted: wish.map_or_else(|| "at all".to_owned(), |mode| mode.to_string()),
        has: modes
            .iter()
            .map(|mode| mode_of(mode).to_string())
            .collect::<Vec<_>>()
            .join(", "),
    })
}

/// Finds a way for a head; `taken` are the connectors and CRTCs that others have.
///
/// A mode that the screen has not is no reason to stay dark: the preferred one is taken, and the fault is told.
pub fn find(
    objects: &Objects,
    wish: &Wish,
    taken: &[(u32, u32)],
) -> Option<(Route, Option<NoSuchMode>)> {
    let free = |connector: &&Connector| taken.iter().all(|(other, _)| *other != connector.id);
    let wished = |connector: &&Connector| {
        let name = wish.connector.as_ref();
        name.is_none_or(|name| *name == connector.name)
    };
    for connector in objects.connectors.iter().filter(free).filter(wished) {
        let Some(screen) = &connector.screen else {
            continue;
        };
        let able = |crtc: &&Crtc| {
            connector.crtcs & (1 << crtc.index) != 0
                && taken.iter().all(|(_, other)| *other != crtc.id)
        };
        let Some(crtc) = objects.crtcs.iter().find(able) else {
            continue;
        };
        let (kernel_mode, fault) = match choose_mode(&connector.name, &screen.modes, wish.mode) {
            Ok(mode) => (mode, None),
            Err(fault) => (
                choose_mode(&connector.name, &screen.modes, None).ok()?,
                Some(fault),
            ),
        };
        let route = Route {
            connector: connector.clone(),
            crtc: crtc.clone(),
            planes: planes_of(objects, crtc),
            kernel_mode,
        };
        return Some((route, fault));
    }
    None
}

/// The planes that a CRTC has for itself: its primary, and overlays that no earlier CRTC could use.
fn planes_of(objects: &Objects, crtc: &Crtc) -> Vec<usize> {
    let own = |mask: u32| mask & (1 << crtc.index) != 0;
    let first = |mask: u32| mask.trailing_zeros() == crtc.index;
    let places = |kind: Kind| {
        let planes = objects.planes.iter().enumerate();
        planes.filter(move |(_, plane)| plane.kind == kind && own(plane.crtcs))
    };
    let mut planes: Vec<usize> = places(Kind::Primary)
        .filter(|(_, plane)| first(plane.crtcs))
        .chain(places(Kind::Primary))
        .map(|(place, _)| place)
        .take(1)
        .collect();
    planes.extend(
        places(Kind::Overlay)
            .filter(|(_, plane)| first(plane.crtcs))
            .map(|(place, _)| place),
    );
    planes
}
