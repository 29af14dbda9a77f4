//! How a picture is laid onto a screen of another shape.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::units::Size;

/// What to do where picture and screen differ in shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// The whole picture, with bars where it does not reach.
    #[default]
    Contain,
    /// The whole screen, with the picture's overhang cut off.
    Cover,
    /// The whole picture on the whole screen, out of shape if need be.
    Stretch,
}

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// Pixels from the left.
    pub x: u32,
    /// Pixels from the top.
    pub y: u32,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Rect {
    /// The whole of a picture.
    pub const fn whole(size: Size) -> Self {
        Self {
            x: 0,
            y: 0,
            width: size.width,
            height: size.height,
        }
    }
}

/// Which part of the picture goes onto which part of the screen.
///
/// `aspect` is the shape of the picture as it is meant to be seen: its width and height times the shape of its pixels.
/// Both rectangles have even corners and sizes, so that they fall on whole chroma samples; neither is ever empty.
pub fn lay(picture: Size, aspect: Size, screen: Size, fit: Fit) -> (Rect, Rect) {
    let (pw, ph) = (
        u64::from(aspect.width.max(1)),
        u64::from(aspect.height.max(1)),
    );
    let (sw, sh) = (u64::from(screen.width), u64::from(screen.height));
    let wider = pw * sh > ph * sw;
    match fit {
        Fit::Stretch => (Rect::whole(picture), Rect::whole(screen)),
        Fit::Contain => {
            let (width, height) = match wider {
                true => (sw, sw * ph / pw),
                false => (sh * pw / ph, sh),
            };
            (Rect::whole(picture), centred(width, height, screen))
        }
        Fit::Cover => {
            // The part of the picture that has the screen's shape, in the picture's own pixels.
            let (width, height) = (u64::from(picture.width), u64::from(picture.height));
            let part = match wider {
                true => (width * sw * ph / (sh * pw), height),
                false => (width, height * sh * pw / (sw * ph)),
            };
            (centred(part.0, part.1, picture), Rect::whole(screen))
        }
    }
}

/// An even rectangle of about this size in the middle of `outer`.
fn centred(width: u64, height: u64, outer: Size) -> Rect {
    let even = |inner: u64, outer: u32| {
        let inner = u32::try_from((inner + 1) & !1)
            .unwrap_or(u32::MAX)
            .max(2)
            .min(outer);
        (((outer - inner) / 2) & !1, inner)
    };
    let ((x, width), (y, height)) = (even(width, outer.width), even(height, outer.height));
    Rect {
        x,
        y,
        width,
        height,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HD: Size = Size::new(1920, 1080);

    fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
        Rect {
            x,
            y,
            width,
            height,
        }
    }

    #[test]
    fn a_picture_of_the_same_shape_fills_the_screen_in_every_fit() {
        let small = Size::new(640, 360);
        for fit in [Fit::Contain, Fit::Cover, Fit::Stretch] {
            assert_eq!(
                lay(small, small, HD, fit),
                (Rect::whole(small), Rect::whole(HD))
            );
        }
    }

    #[test]
    fn contain_adds_bars() {
        let square = Size::new(500, 500);
        assert_eq!(
            lay(square, square, HD, Fit::Contain).1,
            rect(420, 0, 1080, 1080)
        );
        let wide = Size::new(2000, 500);
        assert_eq!(lay(wide, wide, HD, Fit::Contain).1, rect(0, 300, 1920, 480));
    }

    #[test]
    fn cover_cuts_the_overhang() {
        let square = Size::new(500, 500);
        assert_eq!(
            lay(square, square, HD, Fit::Cover),
            (rect(0, 108, 500, 282), Rect::whole(HD))
        );
        let wide = Size::new(2000, 500);
        assert_eq!(lay(wide, wide, HD, Fit::Cover).0, rect(556, 0, 888, 500));
    }

    #[test]
    fn odd_pixels_count_by_their_shape() {
        let (_, screen) = lay(Size::new(720, 576), Size::new(1024, 576), HD, Fit::Contain);
        assert_eq!(screen, rect(0, 0, 1920, 1080));
    }

    #[test]
    fn the_most_extreme_shapes_keep_two_pixels() {
        for size in [Size::new(1, 16384), Size::new(16384, 1), Size::new(1, 1)] {
            for fit in [Fit::Contain, Fit::Cover, Fit::Stretch] {
                let (source, target) = lay(size, size, HD, fit);
                assert!(
                    source.width > 0 && source.height > 0 && target.width > 1 && target.height > 1,
                    "{size} {fit:?}"
                );
                assert!(
                    source.x + source.width <= size.width
                        && source.y + source.height <= size.height
                );
            }
        }
    }
}
