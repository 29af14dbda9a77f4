//! The card's objects and their properties: connectors, CRTCs and planes, looked up by name once.

use std::{collections::HashMap, io, num::NonZeroU32};

use drm::control::{Device as _, ResourceHandle, connector, crtc, plane, property};

use crate::{
    domain::{
        fit::Rect,
        units::{Mode, Rate, Size},
    },
    kms::{
        atomic::{card::Card, readback::rect},
        formats::Formats,
    },
};

/// The properties of an object, by name: their numbers and their values when they were read.
struct Properties(HashMap<String, (u32, u64)>);

impl Properties {
    fn read<T: ResourceHandle>(card: &Card, object: T) -> io::Result<Self> {
        let set = card.get_properties(object)?;
        let mut found = HashMap::new();
        for (handle, value) in &set {
            let info = card.get_property(*handle)?;
            let name = info.name().to_string_lossy().into_owned();
            found.insert(name, (u32::from(*handle), *value));
        }
        Ok(Self(found))
    }

    fn find(&self, name: &str) -> Option<u32> {
        self.0.get(name).map(|(number, _)| *number)
    }

    fn value(&self, name: &str) -> Option<u64> {
        self.0.get(name).map(|(_, value)| *value)
    }

    fn need(&self, name: &str) -> io::Result<u32> {
        let missing = || {
            let message = format!("the driver has no property {name}");
            io::Error::new(io::ErrorKind::Unsupported, message)
        };
        self.find(name).ok_or_else(missing)
    }
}

/// A connector: where a cable goes in.
#[derive(Clone, Debug)]
pub struct Connector {
    /// The object's number.
    pub id: u32,
    /// As in `HDMI-A-1`.
    pub name: String,
    /// The screen on the cable, if there is one.
    pub screen: Option<Screen>,
    /// The CRTCs that can drive it, as a mask of their places.
    pub crtcs: u32,
    /// The property `CRTC_ID`.
    pub crtc_id: u32,
    /// The CRTC that drove it when it was read; 0 if none did.
    pub driven_by: u64,
    /// The property `link-status`, where the driver has it.
    pub link_status: Option<u32>,
    /// What that said when it was read.
    pub link: Link,
}

/// Whether a connector's link carries a picture. Where it fails, the kernel tells of a cable that was moved and leaves the
/// screen dark until a commit sets the mode and [`LINK_GOOD`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// It does, as far as the driver knows.
    Good,
    /// It has failed.
    Bad,
}

/// `DRM_MODE_LINK_STATUS_GOOD` and `DRM_MODE_LINK_STATUS_BAD`.
pub const LINK_GOOD: u64 = 0;
const LINK_BAD: u64 = 1;

/// What hangs on a connector.
#[derive(Clone, Debug, PartialEq)]
pub struct Screen {
    /// Its modes, the driver's preferred one first, otherwise as the kernel sorts them.
    pub modes: Vec<drm::control::Mode>,
    /// Its EDID; empty where there is none.
    pub edid: Vec<u8>,
}

impl Connector {
    fn read(card: &Card, handle: connector::Handle) -> io::Result<Self> {
        let info = card.get_connector(handle, true)?;
        let properties = Properties::read(card, handle)?;
        let mut crtcs = 0;
        let resources = card.resource_handles()?;
        for encoder in info.encoders() {
            let filter = card.get_encoder(*encoder)?.possible_crtcs();
            for able in resources.filter_crtcs(filter) {
                let place = resources.crtcs().iter().position(|crtc| *crtc == able);
                crtcs |= place.map_or(0, |place| 1 << place);
            }
        }
        let connected = info.state() == connector::State::Connected && !info.modes().is_empty();
        let screen = connected.then(|| {
            let edid = properties.value("EDID").filter(|blob| *blob != 0);
            let mut modes = info.modes().to_vec();
            modes.sort_by_key(|mode| {
                !mode
                    .mode_type()
                    .contains(drm::control::ModeTypeFlags::PREFERRED)
            });
            Screen {
                modes,
                edid: edid
                    .and_then(|blob| card.get_property_blob(blob).ok())
                    .unwrap_or_default(),
            }
        });
        Ok(Self {
            id: handle.into(),
            name: info.to_string(),
            screen,
            crtcs,
            crtc_id: properties.need("CRTC_ID")?,
            driven_by: properties.value("CRTC_ID").unwrap_or(0),
            link_status: properties.find("link-status"),
            link: match properties.value("link-status") {
                Some(LINK_BAD) => Link::Bad,
                Some(_) | None => Link::Good,
            },
        })
    }

    /// Reads all of them, and asks every cable, which may take its time.
    pub fn read_all(card: &Card) -> io::Result<Vec<Self>> {
        let resources = card.resource_handles()?;
        let handles = resources.connectors().iter();
        handles.map(|handle| Self::read(card, *handle)).collect()
    }
}

/// A CRTC: what makes the vblanks.
#[derive(Clone, Debug)]
pub struct Crtc {
    /// The object's number.
    pub id: u32,
    /// Its place among the card's CRTCs.
    pub index: u32,
    /// The property `ACTIVE`.
    pub active: u32,
    /// The property `MODE_ID`.
    pub mode_id: u32,
    /// The property `BACKGROUND_COLOR`, where the driver has it.
    pub background: Option<u32>,
}

impl Crtc {
    fn read(card: &Card, handle: crtc::Handle, index: u32) -> io::Result<Self> {
        let properties = Properties::read(card, handle)?;
        Ok(Self {
            id: handle.into(),
            index,
            active: properties.need("ACTIVE")?,
            mode_id: properties.need("MODE_ID")?,
            background: properties.find("BACKGROUND_COLOR"),
        })
    }
}

/// What a plane is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The CRTC's own.
    Primary,
    /// Above or below it.
    Overlay,
    /// For a pointer; left alone.
    Cursor,
}

/// A plane: what scans out a framebuffer.
#[derive(Clone, Debug)]
pub struct Plane {
    /// The object's number.
    pub id: u32,
    /// What it is for.
    pub kind: Kind,
    /// The CRTCs that can show it, as a mask of their places.
    pub crtcs: u32,
    /// What it can scan out.
    pub formats: Formats,
    /// Its properties.
    pub properties: PlaneProperties,
}

/// How near to the viewer a plane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zpos {
    /// The property's number.
    pub property: u32,
    /// Where the plane is.
    pub value: u64,
    /// The highest place that it may be given; nothing where it cannot be moved.
    pub most: Option<u64>,
}

/// The numbers of a plane's properties.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)] // They are the kernel's names in lower case.
pub struct PlaneProperties {
    pub fb_id: u32,
    pub crtc_id: u32,
    pub src: [u32; 4],
    pub crtc: [u32; 4],
    pub alpha: Option<u32>,
    pub zpos: Option<Zpos>,
    pub color_encoding: Option<(u32, u64)>,
    pub color_range: Option<(u32, u64)>,
}

impl Plane {
    fn read(card: &Card, handle: plane::Handle) -> io::Result<Self> {
        let info = card.get_plane(handle)?;
        let properties = Properties::read(card, handle)?;
        let kind = match properties.value("type") {
            Some(1) => Kind::Primary,
            Some(2) => Kind::Cursor,
            _ => Kind::Overlay,
        };
        let formats = properties
            .value("IN_FORMATS")
            .filter(|blob| *blob != 0 && card.has_modifiers())
            .and_then(|blob| card.get_property_blob(blob).ok())
            .and_then(|blob| Formats::from_blob(&blob))
            .unwrap_or_else(|| Formats::without_modifiers(info.formats()));
        let resources = card.resource_handles()?;
        let able = resources.filter_crtcs(info.possible_crtcs());
        let crtcs = resources
            .crtcs()
            .iter()
            .enumerate()
            .filter(|(_, crtc)| able.contains(crtc))
            .fold(0, |mask, (place, _)| mask | 1 << place);
        let choice = |name: &str, wanted: &str| enumerated(card, &properties, name, wanted);
        Ok(Self {
            id: handle.into(),
            kind,
            crtcs,
            formats,
            properties: PlaneProperties {
                fb_id: properties.need("FB_ID")?,
                crtc_id: properties.need("CRTC_ID")?,
                src: [
                    properties.need("SRC_X")?,
                    properties.need("SRC_Y")?,
                    properties.need("SRC_W")?,
                    properties.need("SRC_H")?,
                ],
                crtc: [
                    properties.need("CRTC_X")?,
                    properties.need("CRTC_Y")?,
                    properties.need("CRTC_W")?,
                    properties.need("CRTC_H")?,
                ],
                alpha: properties.find("alpha"),
                zpos: zpos(card, &properties),
                color_encoding: choice("COLOR_ENCODING", "ITU-R BT.709 YCbCr"),
                color_range: choice("COLOR_RANGE", "YCbCr limited range"),
            },
        })
    }
}

/// Where a plane is now: the part of its framebuffer that is seen, in whole pixels, where it is on the screen, and how
/// near to the viewer, if the driver tells.
pub(super) fn values_of(
    card: &Card,
    handle: plane::Handle,
    plane: &Plane,
) -> io::Result<(Rect, Rect, Option<u64>)> {
    let set = card.get_properties(handle)?;
    let value = |number: u32| {
        let found = set.iter().find(|(handle, _)| u32::from(**handle) == number);
        found.map_or(0, |(_, value)| *value)
    };
    // SRC_* are 16.16 fixed point numbers.
    let source = plane.properties.src.map(|number| value(number) >> 16);
    let target = rect(plane.properties.crtc.map(value));
    let zpos = plane.properties.zpos.map(|zpos| value(zpos.property));
    Ok((rect(source), target, zpos))
}

/// The place of a plane among those above each other.
fn zpos(card: &Card, properties: &Properties) -> Option<Zpos> {
    let number = properties.find("zpos")?;
    let value = properties.value("zpos")?;
    let info = card.get_property(property::Handle::from(NonZeroU32::new(number)?));
    let info = info.ok()?;
    let most = match info.value_type() {
        property::ValueType::UnsignedRange(_, most) if info.mutable() => Some(*most),
        _ => None,
    };
    Some(Zpos {
        property: number,
        value,
        most,
    })
}

/// A property and the value that has this name in it.
fn enumerated(
    card: &Card,
    properties: &Properties,
    name: &str,
    wanted: &str,
) -> Option<(u32, u64)> {
    let number = properties.find(name)?;
    let handle = property::Handle::from(NonZeroU32::new(number)?);
    let info = card.get_property(handle).ok()?;
    let property::ValueType::Enum(values) = info.value_type() else {
        return None;
    };
    let (_, values) = values.values();
    let value = values
        .iter()
        .find(|value| value.name().to_string_lossy() == wanted)?;
    Some((number, value.value()))
}

/// All objects of a card.
pub struct Objects {
    /// The connectors, in the kernel's order.
    pub connectors: Vec<Connector>,
    /// The CRTCs, by their places.
    pub crtcs: Vec<Crtc>,
    /// The planes, primaries first.
    pub planes: Vec<Plane>,
}

impl Objects {
    /// Reads them all, and asks every cable.
    pub fn read(card: &Card) -> io::Result<Self> {
        let resources = card.resource_handles()?;
        let connectors = Connector::read_all(card)?;
        let crtcs = resources
            .crtcs()
            .iter()
            .zip(0..)
            .map(|(handle, index)| Crtc::read(card, *handle, index))
            .collect::<io::Result<_>>()?;
        let mut planes = card
            .plane_handles()?
            .into_iter()
            .map(|handle| Plane::read(card, handle))
            .collect::<io::Result<Vec<_>>>()?;
        planes.sort_by_key(|plane| plane.kind);
        Ok(Self {
            connectors,
            crtcs,
            planes,
        })
    }
}

/// The size and exact rate of a kernel mode: pixel clock over the pixels of a whole frame with its blanking.
pub fn mode_of(mode: &drm::control::Mode) -> Mode {
    let size = Size::new(mode.size().0.into(), mode.size().1.into());
    let (total, lines) = (u64::from(mode.hsync().2), u64::from(mode.vsync().2));
    let flags = mode.flags();
    let mut clock = u64::from(mode.clock()) * 1000;
    let mut pixels = total * lines;
    if flags.contains(drm::control::ModeFlags::INTERLACE) {
        clock *= 2;
    }
    if flags.contains(drm::control::ModeFlags::DBLSCAN) {
        pixels *= 2;
    }
    let divisor = greatest_common_divisor(clock, pixels).max(1);
    let part = |value: u64| u32::try_from(value / divisor).unwrap_or(u32::MAX);
    let rate = Rate::new(part(clock), part(pixels));
    Mode {
        size,
        rate: rate.unwrap_or(Rate::hertz(mode.vrefresh())),
    }
}

fn greatest_common_divisor(one: u64, other: u64) -> u64 {
    match other {
        0 => one,
        _ => greatest_common_divisor(other, one % other),
    }
}
