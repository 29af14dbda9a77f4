//! The ladder: in which ways a head could show a frame of some shape, best first. Pure; the kernel is asked elsewhere.

use crate::{
    domain::{fit::Rect, units::Size},
    kms::{
        atomic::objects::Plane,
        formats::{self, XRGB8888},
    },
    os::frame::{LINEAR, PixelFormat},
};

/// A step of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// The plane that shows the frame, by its place.
    pub plane: usize,
    /// What the plane gets of it.
    pub form: Form,
    /// The plane beneath it, by its place, that shows nothing but the background.
    pub under: Option<usize>,
}

/// What becomes of a frame on its way to a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The plane shows the frame as it is: a decoder's memory without a copy, or a copy of the frame as it is.
    Direct,
    // The GL composer comes here.
    /// Scaled and converted by the CPU to the size at which it is shown.
    Scaled {
        /// The plane's format.
        format: u32,
    },
    /// The whole screen drawn by the CPU.
    Whole {
        /// The plane's format.
        format: u32,
    },
}

/// What decides on the rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How pixels are stored.
    pub format: PixelFormat,
    /// In which tiling.
    pub modifier: u64,
    /// Whether it lies in memory that the card can scan out.
    pub in_dma_buf: bool,
    /// The frame's pixels.
    pub size: Size,
    /// The part of it that is seen.
    pub source: Rect,
    /// Where that is on the screen.
    pub target: Rect,
    /// Whether a background is seen that the CRTC does not paint by itself: it is always black.
    pub background: Background,
}

/// Who makes what is seen where no picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// Nobody need: it is not seen, or it is the CRTC's.
    Given,
    /// We.
    Ours,
}

/// What may be tried for a shape, best first. `own` are the places of the head's planes in `planes`, the primary first.
///
/// The last is the one that always works, but for a frame in a tiling: that only hardware can read.
pub fn candidates(shape: &Shape, own: &[usize], planes: &[Plane]) -> Vec<Rung> {
    let Some(primary) = own.first().copied() else {
        return Vec::new();
    };
    let format = match shape.format {
        PixelFormat::Abgr8888 => XRGB8888,
        format => formats::of(format),
    };
    let direct = own
        .iter()
        .filter(|place| takes(&planes[**place], format, shape.modifier))
        .map(|place| (*place, Form::Direct));
    let scaled = own.iter().map(|place| {
        let format = drawable(&planes[*place]);
        (*place, Form::Scaled { format })
    });
    let linear = shape.modifier == LINEAR;
    let forms: Vec<(usize, Form)> = direct.chain(scaled.filter(|_| linear)).collect();
    let alone = |(plane, form)| Rung {
        plane,
        form,
        under: None,
    };
    let over = |(plane, form): (usize, Form)| {
        let stands = planes[plane].over(&planes[primary]) != Standing::Below;
        (stands && plane != primary).then_some(Rung {
            plane,
            form,
            under: Some(primary),
        })
    };
    let whole = Rung {
        plane: primary,
        form: Form::Whole {
            format: drawable(&planes[primary]),
        },
        under: None,
    };
    let is_direct = |(_, form): &(usize, Form)| *form == Form::Direct;
    let (direct, scaled): (Vec<_>, Vec<_>) = forms.into_iter().partition(is_direct);
    let both = [direct, scaled].into_iter().flat_map(|forms| {
        let alone = match shape.background {
            Background::Given => forms.iter().copied().map(alone).collect(),
            Background::Ours => Vec::new(),
        };
        let over = forms.into_iter().filter_map(over);
        alone.into_iter().chain(over).collect::<Vec<_>>()
    });
    both.chain(linear.then_some(whole)).collect()
}

/// Whether a plane scans out a format in a tiling.
fn takes(plane: &Plane, format: u32, modifier: u64) -> bool {
    match modifier {
        LINEAR => plane.formats.has_linear(format),
        modifier => plane.formats.has(format, modifier),
    }
}

/// The format in which the CPU draws for a plane: what the composer has, or what every plane takes.
fn drawable(plane: &Plane) -> u32 {
    let yuv = formats::of(PixelFormat::Yu12);
    match plane.formats.has_linear(yuv) {
        true => yuv,
        false => XRGB8888,
    }
}

/// How a plane stands to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It covers it.
    Above,
    /// It covers it once this property has this value.
    Raised(u32, u64),
    /// It cannot cover it.
    Below,
}

impl Plane {
    /// How this plane stands to another one of the same CRTC.
    ///
    /// Where the driver tells no `zpos`, planes lie by their kinds: the primary at the bottom, then overlays.
    pub fn over(&self, other: &Plane) -> Standing {
        let above = |is: bool| match is {
            true => Standing::Above,
            false => Standing::Below,
        };
        match (self.properties.zpos, other.properties.zpos) {
            (Some(own), Some(other)) if own.value > other.value => Standing::Above,
            (Some(own), Some(other)) => match own.most {
                Some(most) if most > other.value => Standing::Raised(own.property, other.value + 1),
                Some(_) | None => Standing::Below,
            },
            (Some(_) | None, None) | (None, Some(_)) => above(self.kind > other.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::{
        atomic::objects::{Kind, PlaneProperties, Zpos},
        formats::Formats,
    };

    const NV12: u32 = formats::fourcc(*b"NV12");
    const YU12: u32 = formats::fourcc(*b"YU12");
    const TILED: u64 = 0x0700_0000_0000_0004;

    fn plane(kind: Kind, formats: &[u32], zpos: Option<(u64, Option<u64>)>) -> Plane {
        let zpos = zpos.map(|(value, most)| Zpos {
            property: 9,
            value,
            most,
        });
        Plane {
            id: 1,
            kind,
            crtcs: 1,
            formats: Formats::without_modifiers(formats),
            properties: PlaneProperties {
                zpos,
                ..PlaneProperties::default()
            },
        }
    }

    fn shape(background: Background) -> Shape {
        let size = Size::new(64, 36);
        Shape {
            format: PixelFormat::Nv12,
            modifier: LINEAR,
            in_dma_buf: true,
            size,
            source: Rect::whole(size),
            target: Rect::whole(size),
            background,
        }
    }

    fn rung(plane: usize, form: Form, under: Option<usize>) -> Rung {
        Rung { plane, form, under }
    }

    #[test]
    fn a_background_of_ours_lies_under_the_frame_where_a_plane_stands_above_the_primary() {
        let planes = [
            plane(Kind::Primary, &[XRGB8888, NV12, YU12], None),
            plane(Kind::Overlay, &[XRGB8888, NV12], None),
        ];
        let found = candidates(&shape(Background::Ours), &[0, 1], &planes);
        let expected = [
            rung(1, Form::Direct, Some(0)),
            rung(1, Form::Scaled { format: XRGB8888 }, Some(0)),
            rung(0, Form::Whole { format: YU12 }, None),
        ];
        assert_eq!(found, expected);
        let found = candidates(&shape(Background::Given), &[0, 1], &planes);
        assert_eq!(found[0], rung(0, Form::Direct, None));
        assert_eq!(found[1], rung(1, Form::Direct, None));
    }

    #[test]
    fn a_video_plane_below_the_primary_shows_frames_alone_but_over_nothing() {
        // As Amlogic's: the overlay takes video and lies under a primary of RGB.
        let planes = [
            plane(Kind::Primary, &[XRGB8888], Some((1, None))),
            plane(Kind::Overlay, &[NV12], Some((0, None))),
        ];
        let found = candidates(&shape(Background::Given), &[0, 1], &planes);
        assert_eq!(found[0], rung(1, Form::Direct, None));
        assert!(found.iter().all(|rung| rung.under.is_none()), "{found:?}");
        let found = candidates(&shape(Background::Ours), &[0, 1], &planes);
        assert_eq!(found, [rung(0, Form::Whole { format: XRGB8888 }, None)]);
    }

    #[test]
    fn an_overlay_is_raised_where_its_height_may_be_changed() {
        let primary = plane(Kind::Primary, &[XRGB8888], Some((3, None)));
        let low = plane(Kind::Overlay, &[NV12], Some((1, Some(7))));
        assert_eq!(low.over(&primary), Standing::Raised(9, 4));
        let stuck = plane(Kind::Overlay, &[NV12], Some((1, Some(3))));
        assert_eq!(stuck.over(&primary), Standing::Below);
        let high = plane(Kind::Overlay, &[NV12], Some((4, None)));
        assert_eq!(high.over(&primary), Standing::Above);
    }

    #[test]
    fn a_frame_in_a_tiling_is_shown_as_it_is_or_not_at_all() {
        let tiled = Shape {
            modifier: TILED,
            ..shape(Background::Given)
        };
        let linear = [plane(Kind::Primary, &[XRGB8888, NV12], None)];
        assert_eq!(candidates(&tiled, &[0], &linear), []);
        let mut able = linear[0].clone();
        able.formats = Formats::of_pairs(&[(NV12, TILED)]);
        let found = candidates(&tiled, &[0], &[able]);
        assert_eq!(found, [rung(0, Form::Direct, None)]);
    }
}
