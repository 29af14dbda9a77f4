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

/// What the other heads have or are to have: nobody takes it from them.
#[derive(Clone, Debug, Default)]
pub struct Others<'a> {
    routes: Vec<&'a Route>,
    /// The connectors that they ask for by name, with or without a screen.
    named: Vec<&'a str>,
    /// Whether there are heads that have no way yet, and may be given one.
    wait: bool,
}

impl<'a> FromIterator<(&'a Wish, Option<&'a Route>)> for Others<'a> {
    /// From what each head wishes and its route, or nothing where it has none.
    fn from_iter<I: IntoIterator<Item = (&'a Wish, Option<&'a Route>)>>(heads: I) -> Self {
        let mut others = Self::default();
        for (wish, route) in heads {
            others.named.extend(wish.connector.as_deref());
            match route {
                Some(route) => others.routes.push(route),
                None => others.wait = true,
            }
        }
        others
    }
}

impl Others<'_> {
    fn have_connector(&self, id: u32) -> bool {
        self.routes.iter().any(|route| route.connector.id == id)
    }

    fn ask_for(&self, name: &str) -> bool {
        self.named.contains(&name)
    }

    fn have_crtc(&self, id: u32) -> bool {
        self.routes.iter().any(|route| route.crtc.id == id)
    }

    fn have_plane(&self, place: usize) -> bool {
        self.routes
            .iter()
            .any(|route| route.planes.contains(&place))
    }

    /// The CRTCs that other heads drive or may come to drive, as a mask of their places.
    fn crtcs(&self) -> u32 {
        let driven = self.routes.iter().map(|route| 1 << route.crtc.index);
        match self.wait {
            true => u32::MAX,
            false => driven.fold(0, |mask, crtc: u32| mask | crtc),
        }
    }
}

/// A connector that the card does not have; those that it has are told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the card has no connector {wanted}; it has {has}: write one of them as screen.connector")]
pub struct NoSuchConnector {
    wanted: String,
    has: String,
}

/// Whether the card has the connector that is wished for.
pub fn check_connector(objects: &Objects, wish: &Wish) -> Result<(), NoSuchConnector> {
    let names = || objects.connectors.iter().map(|one| one.name.as_str());
    match &wish.connector {
        Some(wanted) if !names().any(|name| name == wanted) => Err(NoSuchConnector {
            wanted: wanted.clone(),
            has: names().collect::<Vec<_>>().join(", "),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Finds a way for a head; `current` is the connector that it has and keeps if there is a screen.
///
/// A mode that the screen has not is no reason to stay dark: the preferred one is taken, and the fault is told.
pub fn find(
    objects: &Objects,
    wish: &Wish,
    current: Option<u32>,
    others: &Others<'_>,
) -> Option<(Route, Option<NoSuchMode>)> {
    let free = |connector: &&Connector| !others.have_connector(connector.id);
    let wished = |connector: &&Connector| match &wish.connector {
        Some(name) => *name == connector.name,
        None => !others.ask_for(&connector.name),
    };
    let mut connectors: Vec<&Connector> = objects
        .connectors
        .iter()
        .filter(free)
        .filter(wished)
        .collect();
    connectors.sort_by_key(|connector| Some(connector.id) != current);
    for connector in connectors {
        let Some(screen) = &connector.screen else {
            continue;
        };
        let able =
            |crtc: &&Crtc| connector.crtcs & (1 << crtc.index) != 0 && !others.have_crtc(crtc.id);
        // The CRTC that drives it already costs the least: often nothing needs to go dark.
        let drives = |crtc: &&Crtc| u64::from(crtc.id) == connector.driven_by;
        let mut crtcs = objects.crtcs.iter().filter(able);
        let Some(crtc) = crtcs.clone().find(drives).or_else(|| crtcs.next()) else {
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
            planes: planes_of(objects, crtc, others),
            kernel_mode,
        };
        return Some((route, fault));
    }
    None
}

/// The planes that a CRTC has for itself: its primary, and overlays that no earlier CRTC of a head could use.
fn planes_of(objects: &Objects, crtc: &Crtc, others: &Others<'_>) -> Vec<usize> {
    let in_use = others.crtcs() | 1 << crtc.index;
    let own = |mask: u32| mask & (1 << crtc.index) != 0;
    let first = |mask: u32| (mask & in_use).trailing_zeros() == crtc.index;
    let places = |kind: Kind| {
        let planes = objects.planes.iter().enumerate();
        let free = planes.filter(|(place, _)| !others.have_plane(*place));
        free.filter(move |(_, plane)| plane.kind == kind && own(plane.crtcs))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::{
        atomic::objects::{Link, Plane, PlaneProperties, Screen},
        formats::Formats,
    };

    /// A mode of the kernel's: 40 MHz over so many pixels a frame.
    fn mode(width: u16, height: u16, clock: u32, total: (u16, u16)) -> drm::control::Mode {
        drm_ffi::drm_mode_modeinfo {
            clock,
            hdisplay: width,
            htotal: total.0,
            vdisplay: height,
            vtotal: total.1,
            ..Default::default()
        }
        .into()
    }

    /// 1280x720 at 60, 59.94 and 50 Hz, then 640x480.
    fn modes() -> Vec<drm::control::Mode> {
        vec![
            mode(1280, 720, 74_250, (1650, 750)),
            mode(1280, 720, 74_176, (1650, 750)),
            mode(1280, 720, 74_250, (1980, 750)),
            mode(640, 480, 25_175, (800, 525)),
        ]
    }

    fn wish(text: &str) -> Option<Mode> {
        Some(text.parse().expect("a mode"))
    }

    #[test]
    fn a_rate_is_taken_for_what_it_says() {
        let modes = modes();
        let chosen = |text: &str| {
            let found = choose_mode("HDMI-A-1", &modes, wish(text)).expect("it has it");
            modes.iter().position(|mode| *mode == found)
        };
        assert_eq!(chosen("1280x720@60"), Some(0));
        assert_eq!(chosen("1280x720@59.94"), Some(1));
        assert_eq!(chosen("1280x720@50"), Some(2));
        let preferred = choose_mode("HDMI-A-1", &modes, None).expect("it has modes");
        assert_eq!(preferred, modes[0]);
        let missing = choose_mode("HDMI-A-1", &modes, wish("1920x1080@60"));
        let told = missing.expect_err("it has it not").to_string();
        assert!(
            told.contains("HDMI-A-1") && told.contains("640x480@59.94"),
            "{told}"
        );
    }

    /// Two CRTCs, and connectors that either can drive; each with a screen or not.
    fn objects(screens: &[bool]) -> Objects {
        let connector = |(number, screen): (u32, &bool)| Connector {
            id: 10 + number,
            name: format!("HDMI-A-{}", number + 1),
            screen: screen.then(|| Screen {
                modes: modes(),
                edid: Vec::new(),
            }),
            crtcs: 0b11,
            crtc_id: 1,
            driven_by: 0,
            link_status: None,
            link: Link::Good,
        };
        let crtc = |index: u32| Crtc {
            id: 20 + index,
            index,
            active: 1,
            mode_id: 2,
            background: None,
        };
        let plane = |(id, kind, crtcs)| Plane {
            id,
            kind,
            crtcs,
            formats: Formats::default(),
            properties: PlaneProperties::default(),
        };
        Objects {
            connectors: (0..).zip(screens).map(connector).collect(),
            crtcs: vec![crtc(0), crtc(1)],
            planes: [
                (30, Kind::Primary, 0b01),
                (31, Kind::Primary, 0b10),
                (32, Kind::Overlay, 0b11),
                (33, Kind::Cursor, 0b01),
            ]
            .map(plane)
            .into(),
        }
    }

    #[test]
    fn a_head_keeps_its_socket_and_takes_another_when_the_cable_is_there() {
        let found = |screens: &[bool], current| {
            let objects = objects(screens);
            let found = find(&objects, &ANY, current, &Others::default());
            found.map(|(route, _)| route.connector.name)
        };
        assert_eq!(found(&[true, true], None).as_deref(), Some("HDMI-A-1"));
        assert_eq!(found(&[true, true], Some(11)).as_deref(), Some("HDMI-A-2"));
        assert_eq!(found(&[true, false], Some(11)).as_deref(), Some("HDMI-A-1"));
        assert_eq!(found(&[false, false], Some(11)), None);
    }

    static ANY: Wish = Wish {
        connector: None,
        mode: None,
    };

    /// Another head has this way.
    fn beside(route: &Route) -> Others<'_> {
        [(&ANY, Some(route))].into_iter().collect()
    }

    #[test]
    fn a_connector_that_another_head_names_is_left_to_it() {
        let named = Wish {
            connector: Some("HDMI-A-1".to_owned()),
            mode: None,
        };
        let another: Others<'_> = [(&named, None)].into_iter().collect();
        let found = |screens: &[bool]| {
            let found = find(&objects(screens), &ANY, None, &another);
            found.map(|(route, _)| route.connector.name)
        };
        assert_eq!(found(&[true, true]).as_deref(), Some("HDMI-A-2"));
        // Its screen may be switched on later.
        assert_eq!(found(&[false, true]).as_deref(), Some("HDMI-A-2"));
        assert_eq!(found(&[true, false]), None);
    }

    #[test]
    fn a_connector_that_the_card_has_not_is_told_with_those_that_it_has() {
        let objects = objects(&[false, true]);
        let wish = |name: &str| Wish {
            connector: Some(name.to_owned()),
            mode: None,
        };
        assert_eq!(check_connector(&objects, &ANY), Ok(()));
        assert_eq!(check_connector(&objects, &wish("HDMI-A-1")), Ok(()));
        let fault = check_connector(&objects, &wish("HDMI-1")).expect_err("there is none");
        assert_eq!(
            fault.to_string(),
            "the card has no connector HDMI-1; it has HDMI-A-1, HDMI-A-2: write one of them as screen.connector"
        );
    }

    #[test]
    fn heads_have_crtcs_and_overlays_of_their_own_and_nobody_takes_a_cursor() {
        let mut objects = objects(&[true, true]);
        let alone = Others::default();
        let another_waits: Others<'_> = [(&ANY, None)].into_iter().collect();
        let (first, _) = find(&objects, &ANY, None, &another_waits).expect("a way");
        let (second, _) = find(&objects, &ANY, None, &beside(&first)).expect("a way");
        assert_eq!((first.crtc.id, second.crtc.id), (20, 21));
        assert_eq!((first.planes, second.planes), (vec![0, 2], vec![1]));
        // The CRTC that drives the screen already is preferred. What it shares with one that nobody needs is its own.
        objects.connectors[0].driven_by = 21;
        let (only, _) = find(&objects, &ANY, None, &alone).expect("a way");
        assert_eq!((only.crtc.id, only.planes.clone()), (21, vec![1, 2]));
        // Whoever comes later takes nothing away.
        let (later, _) = find(&objects, &ANY, None, &beside(&only)).expect("a way");
        assert_eq!((later.crtc.id, later.planes), (20, vec![0]));
        // Who may still come is waited for.
        let (first, _) = find(&objects, &ANY, None, &another_waits).expect("a way");
        let (second, _) = find(&objects, &ANY, None, &beside(&first)).expect("a way");
        assert_eq!((first.planes.clone(), second.planes), (vec![1], vec![0, 2]));
    }

    #[test]
    fn a_mode_that_a_screen_has_not_is_told_and_the_preferred_one_taken() {
        let objects = objects(&[true]);
        let asked = Wish {
            connector: Some("HDMI-A-1".to_owned()),
            mode: wish("3840x2160@60"),
        };
        let (route, fault) = find(&objects, &asked, None, &Others::default()).expect("a way");
        assert_eq!(route.mode().to_string(), "1280x720@60");
        assert!(fault.is_some());
        let elsewhere = Wish {
            connector: Some("DP-1".to_owned()),
            mode: None,
        };
        assert!(find(&objects, &elsewhere, None, &Others::default()).is_none());
    }
}
