//! A frame as framebuffers on planes, ready for a commit, and how that is written into one.

use std::sync::Arc;

use crate::{
    domain::{fit::Rect, units::Size},
    kms::{
        atomic::{
            framebuffer::{Framebuffer, Pooled},
            ladder::{Rung, Standing},
            objects::Plane,
            request::Request,
        },
        scene::OPAQUE,
    },
};

/// A frame as a framebuffer, ready for a commit.
pub struct Ready {
    pub(super) head: usize,
    /// Where the frame was to be when it was made ready.
    pub(super) asked: (Rect, Rect),
    /// The circumstances under which it was made ready.
    pub(super) generation: u64,
    pub(super) rung: Rung,
    pub(super) source: Rect,
    pub(super) target: Rect,
    pub(super) held: Held,
    /// What lies beneath, and how the plane comes to stand above it.
    pub(super) under: Option<(Arc<Backdrop>, Standing)>,
}

/// Who keeps a framebuffer.
pub(super) enum Held {
    Imported(Arc<Framebuffer>),
    Copied(Pooled),
}

/// A plane that shows nothing but the background.
pub(super) struct Backdrop {
    /// The plane's place.
    pub(super) plane: usize,
    pub(super) size: Size,
    pub(super) colour: [u8; 3],
    pub(super) held: Pooled,
}

/// What one plane shows.
pub(super) struct Placed<'a> {
    framebuffer: &'a Framebuffer,
    source: Rect,
    target: Rect,
    /// The property that raises it, and its value.
    raised: Option<(u32, u64)>,
}

impl Ready {
    /// What a plane shows of it, by the plane's place.
    pub(super) fn on(&self, plane: usize) -> Option<Placed<'_>> {
        if plane == self.rung.plane {
            let raised = match self.under {
                Some((_, Standing::Raised(property, value))) => Some((property, value)),
                Some((_, Standing::Above | Standing::Below)) | None => None,
            };
            return Some(Placed {
                framebuffer: self.framebuffer()?,
                source: self.source,
                target: self.target,
                raised,
            });
        }
        let (backdrop, _) = self
            .under
            .as_ref()
            .filter(|(under, _)| under.plane == plane)?;
        let whole = Rect::whole(backdrop.size);
        Some(Placed {
            framebuffer: backdrop.held.framebuffer()?,
            source: whole,
            target: whole,
            raised: None,
        })
    }

    /// The frame's framebuffer.
    fn framebuffer(&self) -> Option<&Framebuffer> {
        match &self.held {
            Held::Imported(framebuffer) => Some(framebuffer),
            Held::Copied(pooled) => pooled.framebuffer(),
        }
    }

    /// Leaves it on the screen, whatever becomes of us.
    pub(super) fn abandon(&self) {
        let under = self.under.as_ref();
        let under = under.and_then(|(backdrop, _)| backdrop.held.framebuffer());
        self.framebuffer()
            .into_iter()
            .chain(under)
            .for_each(Framebuffer::abandon);
    }
}

/// Puts a framebuffer onto a plane.
pub(super) fn put(request: &mut Request, plane: &Plane, crtc: u32, placed: &Placed<'_>) {
    let properties = &plane.properties;
    request.set(plane.id, properties.fb_id, placed.framebuffer.id.into());
    request.set(plane.id, properties.crtc_id, crtc.into());
    let sides = |rect: Rect| [rect.x, rect.y, rect.width, rect.height].map(u64::from);
    for (property, side) in properties.src.into_iter().zip(sides(placed.source)) {
        // SRC_* are 16.16 fixed point numbers.
        request.set(plane.id, property, side << 16);
    }
    for (property, side) in properties.crtc.into_iter().zip(sides(placed.target)) {
        request.set(plane.id, property, side);
    }
    request.set_if(plane.id, properties.alpha, OPAQUE.into());
    for (property, value) in [
        properties.color_encoding,
        properties.color_range,
        placed.raised,
    ]
    .into_iter()
    .flatten()
    {
        request.set(plane.id, property, value);
    }
}

/// Turns a plane off.
pub(super) fn turn_off(request: &mut Request, plane: &Plane) {
    request.set(plane.id, plane.properties.fb_id, 0);
    request.set(plane.id, plane.properties.crtc_id, 0);
}
