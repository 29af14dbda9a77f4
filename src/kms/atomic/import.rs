//! From frames to framebuffers: the ladder of what a head can show, and the way each frame goes down it.
//!
//! It runs on the threads that make frames, so that the presenter finds them ready.

use std::{
    io,
    os::fd::AsFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use nix::sys::stat::fstat;

use crate::{
    domain::{
        fit::{self, Fit, Rect},
        units::Size,
    },
    kms::{
        atomic::{
            card::Card,
            framebuffer::{Framebuffer, Gem, Layout, Pool, Pooled},
            objects::Plane,
            request::Request,
        },
        compose::{Canvas, Composer},
        formats::{self, XRGB8888},
        scene::{Layer, OPAQUE, Scene},
    },
    os::frame::{Frame, PixelFormat, Prepare},
};

/// `DRM_MODE_ATOMIC_TEST_ONLY`.
const TEST_ONLY: u32 = 0x0100;
/// `DRM_MODE_ATOMIC_ALLOW_MODESET`.
pub(super) const ALLOW_MODESET: u32 = 0x0400;

/// How many imported framebuffers are remembered: more than any decoder has buffers.
const REMEMBERED: usize = 64;

/// The steps of the ladder, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// The plane shows the frame as it is: a decoder's memory without a copy, or a copy of the frame as it is.
    Direct {
        /// Which plane, by its place.
        plane: usize,
    },
    // The GL composer comes here.
    /// Scaled and converted by the CPU to the size at which it is shown.
    Scaled {
        /// Which plane, by its place.
        plane: usize,
        /// The plane's format.
        format: u32,
    },
    /// The whole screen drawn by the CPU.
    Whole {
        /// Which plane, by its place.
        plane: usize,
        /// The plane's format.
        format: u32,
    },
}

/// What decides on the rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    format: PixelFormat,
    in_dma_buf: bool,
    size: Size,
    source: Rect,
    target: Rect,
    /// The background is seen and is not black.
    painted: bool,
}

/// What a head is, as far as frames are concerned.
pub(super) struct View {
    /// The screen's size.
    pub screen: Size,
    /// How frames are laid onto it.
    pub fit: Fit,
    /// What is seen where no frame is.
    pub background: [u8; 3],
    /// The CRTC's number.
    pub crtc: u32,
    /// Whether the CRTC paints the background itself.
    pub paints: bool,
    /// The planes that are its own, by their places, the primary first.
    pub planes: Vec<usize>,
    /// Properties that a test needs as long as the head is dark: connector, mode, active.
    pub modeset: Vec<(u32, u32, u64)>,
    ladder: Vec<(Shape, Rung)>,
}

impl View {
    pub(super) fn new(screen: Size, crtc: u32, planes: Vec<usize>) -> Self {
        Self {
            screen,
            fit: Fit::default(),
            background: [0; 3],
            crtc,
            paints: false,
            planes,
            modeset: Vec::new(),
            ladder: Vec::new(),
        }
    }

    /// Other circumstances: every shape is to be tested anew.
    pub(super) fn forget(&mut self) {
        self.ladder.clear();
    }
}

/// A frame as a framebuffer, ready for a commit.
pub struct Ready {
    head: usize,
    /// Where the frame was to be when it was made ready.
    asked: (Rect, Rect),
    /// The plane's place.
    pub(super) plane: usize,
    pub(super) source: Rect,
    pub(super) target: Rect,
    held: Held,
}

enum Held {
    Imported(Arc<Framebuffer>),
    Copied(Pooled),
}

impl Ready {
    /// The framebuffer.
    pub fn framebuffer(&self) -> Option<&Framebuffer> {
        match &self.held {
            Held::Imported(framebuffer) => Some(framebuffer),
            Held::Copied(pooled) => pooled.framebuffer(),
        }
    }
}

/// Counts of how frames came to be framebuffers.
#[derive(Debug, Default)]
pub struct Copies {
    /// Frames shown from the decoder's own memory.
    pub imported: AtomicU64,
    /// Frames that were copied as they are.
    pub copied: AtomicU64,
    /// Frames that the CPU scaled or converted.
    pub composed: AtomicU64,
}

struct Scratch {
    composer: Composer,
    canvas: Canvas,
}

struct Imports {
    framebuffers: Vec<(u64, Layout, Arc<Framebuffer>)>,
    gems: Vec<(u32, Weak<Gem>)>,
}

/// Makes framebuffers of frames.
pub struct Importer {
    card: Arc<Card>,
    pool: Arc<Pool>,
    planes: Vec<Plane>,
    heads: Mutex<Vec<View>>,
    scratch: Mutex<Scratch>,
    imports: Mutex<Imports>,
    /// How often which way was taken.
    pub copies: Copies,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Importer {
    pub(super) fn new(card: Arc<Card>, planes: Vec<Plane>, heads: Vec<View>) -> Self {
        Self {
            pool: Pool::new(card.clone()),
            card,
            planes,
            heads: Mutex::new(heads),
            scratch: Mutex::new(Scratch {
                composer: Composer::default(),
                canvas: Canvas::new(Size::new(2, 2)),
            }),
            imports: Mutex::new(Imports {
                framebuffers: Vec::with_capacity(REMEMBERED + 1),
                gems: Vec::new(),
            }),
            copies: Copies::default(),
        }
    }

    /// A plane by its place.
    pub(super) fn plane(&self, place: usize) -> &Plane {
        &self.planes[place]
    }

    pub(super) fn card(&self) -> &Card {
        &self.card
    }

    /// The places of a head's planes, and its background.
    pub(super) fn looks(&self, head: usize) -> (Vec<usize>, [u8; 3]) {
        let heads = lock(&self.heads);
        let view = heads.get(head);
        view.map_or_else(Default::default, |view| {
            (view.planes.clone(), view.background)
        })
    }

    /// A black picture of a head's size.
    pub(super) fn blank(&self, head: usize, plane: usize, size: Size) -> io::Result<Ready> {
        let mut pooled = self.pool.take(size, XRGB8888)?;
        if let Some((_, bytes)) = pooled.bytes_mut() {
            bytes.fill(0);
        }
        let whole = Rect::whole(size);
        Ok(Ready {
            head,
            asked: (whole, whole),
            plane,
            source: whole,
            target: whole,
            held: Held::Copied(pooled),
        })
    }

    /// Changes what is known of a head.
    pub(super) fn change(&self, head: usize, change: impl FnOnce(&mut View)) {
        if let Some(view) = lock(&self.heads).get_mut(head) {
            change(view);
        }
    }

    /// The frame of a layer as a framebuffer of this head: as it was prepared, or made now.
    pub(super) fn ready(&self, head: usize, layer: &Layer) -> io::Result<Arc<Ready>> {
        let asked = (layer.source, layer.target);
        if let Some(ready) = layer.frame.prepared::<Ready>()
            && ready.head == head
            && ready.asked == asked
        {
            return Ok(ready);
        }
        self.make(head, &layer.frame, asked)
    }

    fn make(&self, head: usize, frame: &Frame, asked: (Rect, Rect)) -> io::Result<Arc<Ready>> {
        let rung = self.rung(head, frame, asked)?;
        let ready = Arc::new(self.by(rung, head, frame, asked)?);
        let count = match (rung, &ready.held) {
            (Rung::Direct { .. }, Held::Imported(_)) => &self.copies.imported,
            (Rung::Direct { .. }, Held::Copied(_)) => &self.copies.copied,
            (Rung::Scaled { .. } | Rung::Whole { .. }, _) => &self.copies.composed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        frame.set_prepared(ready.clone());
        Ok(ready)
    }

    /// The best rung for a shape, by test where it is new.
    fn rung(&self, head: usize, frame: &Frame, asked: (Rect, Rect)) -> io::Result<Rung> {
        let gone = || io::Error::new(io::ErrorKind::NotFound, "there is no such head");
        let (shape, planes, screen) = {
            let heads = lock(&self.heads);
            let view = heads.get(head).ok_or_else(gone)?;
            let shape = Shape {
                format: frame.format,
                in_dma_buf: frame.dma_buf(0).is_some(),
                size: frame.size,
                source: asked.0,
                target: asked.1,
                painted: view.background != [0; 3]
                    && !view.paints
                    && asked.1 != Rect::whole(view.screen),
            };
            if let Some((_, rung)) = view.ladder.iter().find(|(known, _)| *known == shape) {
                return Ok(*rung);
            }
            (shape, view.planes.clone(), view.screen)
        };
        let primary = *planes.first().ok_or_else(gone)?;
        let rung = self
            .candidates(&shape, &planes)
            .into_iter()
            .find(|rung| {
                self.by(*rung, head, frame, asked)
                    .and_then(|ready| self.test(head, &ready))
                    .is_ok()
            })
            .unwrap_or(Rung::Whole {
                plane: primary,
                format: self.drawable(primary),
            });
        log::info!(
            "{} {:?} to {} on {}: {rung:?}",
            frame.size,
            frame.format,
            Size::new(asked.1.width, asked.1.height),
            screen
        );
        self.change(head, |view| {
            if view.ladder.len() >= REMEMBERED {
                view.ladder.remove(0);
            }
            view.ladder.push((shape, rung));
        });
        Ok(rung)
    }

    fn candidates(&self, shape: &Shape, planes: &[usize]) -> Vec<Rung> {
        if shape.painted {
            return Vec::new();
        }
        let format = match shape.format {
            PixelFormat::Abgr8888 => XRGB8888,
            format => formats::of(format),
        };
        let able = |plane: &&usize| self.planes[**plane].formats.has_linear(format);
        let direct = planes.iter().filter(able);
        let direct = direct.map(|plane| Rung::Direct { plane: *plane });
        let scaled = planes.iter().map(|plane| Rung::Scaled {
            plane: *plane,
            format: self.drawable(*plane),
        });
        direct.chain(scaled).collect()
    }

    /// The format in which the CPU draws for a plane: what the composer has, or what every plane takes.
    fn drawable(&self, plane: usize) -> u32 {
        let yuv = formats::of(PixelFormat::Yu12);
        match self.planes[plane].formats.has_linear(yuv) {
            true => yuv,
            false => XRGB8888,
        }
    }

    fn by(&self, rung: Rung, head: usize, frame: &Frame, asked: (Rect, Rect)) -> io::Result<Ready> {
        let (plane, held, source, target) = match rung {
            Rung::Direct { plane } => {
                let held = match self.import(frame) {
                    Ok(framebuffer) => Held::Imported(framebuffer),
                    Err(_) => Held::Copied(self.copy(frame)?),
                };
                (plane, held, asked.0, asked.1)
            }
            Rung::Scaled { plane, format } => {
                let size = Size::new(asked.1.width, asked.1.height);
                let whole = Rect::whole(size);
                let held = self.compose(frame, asked.0, whole, size, [0; 3], format)?;
                (plane, Held::Copied(held), whole, asked.1)
            }
            Rung::Whole { plane, format } => {
                let (screen, background) = {
                    let heads = lock(&self.heads);
                    (heads[head].screen, heads[head].background)
                };
                let held = self.compose(frame, asked.0, asked.1, screen, background, format)?;
                let whole = Rect::whole(screen);
                (plane, Held::Copied(held), whole, whole)
            }
        };
        Ok(Ready {
            head,
            asked,
            plane,
            source,
            target,
            held,
        })
    }

    /// Asks the kernel whether it would show this; nothing changes.
    fn test(&self, head: usize, ready: &Ready) -> io::Result<()> {
        let mut request = Request::new();
        let dark = {
            let heads = lock(&self.heads);
            let view = &heads[head];
            for (object, property, value) in &view.modeset {
                request.set(*object, *property, *value);
            }
            for place in view.planes.iter().filter(|place| **place != ready.plane) {
                turn_off(&mut request, &self.planes[*place]);
            }
            put(&mut request, &self.planes[ready.plane], view.crtc, ready);
            !view.modeset.is_empty()
        };
        let flags = TEST_ONLY | if dark { ALLOW_MODESET } else { 0 };
        request.commit(self.card.as_fd(), flags)
    }

    /// A framebuffer on the memory in which the decoder left the frame.
    fn import(&self, frame: &Frame) -> io::Result<Arc<Framebuffer>> {
        let none = || io::Error::new(io::ErrorKind::InvalidInput, "it is in no dma-buf");
        let (first, _) = frame.dma_buf(0).ok_or_else(none)?;
        let inode = fstat(first)?.st_ino;
        let mut layout = Layout {
            size: frame.size,
            format: formats::of(frame.format),
            modifier: formats::LINEAR,
            pitches: [0; 4],
            offsets: [0; 4],
        };
        for plane in 0..frame.format.planes() {
            let (_, offset) = frame.dma_buf(plane).ok_or_else(none)?;
            let narrow = |value: u64| u32::try_from(value).map_err(|_| none());
            layout.offsets[plane] = narrow(offset)?;
            layout.pitches[plane] = narrow(frame.strides[plane] as u64)?;
        }
        let mut imports = lock(&self.imports);
        let known = imports
            .framebuffers
            .iter()
            .position(|(key, known, _)| (*key, *known) == (inode, layout));
        if let Some(place) = known {
            let entry = imports.framebuffers.remove(place);
            let framebuffer = entry.2.clone();
            imports.framebuffers.push(entry);
            return Ok(framebuffer);
        }
        let mut gems = Vec::with_capacity(3);
        for plane in 0..frame.format.planes() {
            let (fd, _) = frame.dma_buf(plane).ok_or_else(none)?;
            let handle = drm_ffi::gem::fd_to_handle(self.card.as_fd(), fd)?.handle;
            // The same memory always has the same handle, and closing it once closes it for all.
            imports.gems.retain(|(_, gem)| gem.strong_count() > 0);
            let known = imports.gems.iter().find(|(known, _)| *known == handle);
            let gem = match known.and_then(|(_, gem)| gem.upgrade()) {
                Some(gem) => gem,
                None => {
                    let gem = Arc::new(Gem::imported(self.card.clone(), handle));
                    imports.gems.push((handle, Arc::downgrade(&gem)));
                    gem
                }
            };
            gems.push(gem);
        }
        let framebuffer = Arc::new(Framebuffer::new(self.card.clone(), layout, gems)?);
        imports
            .framebuffers
            .push((inode, layout, framebuffer.clone()));
        if imports.framebuffers.len() > REMEMBERED {
            imports.framebuffers.remove(0);
        }
        Ok(framebuffer)
    }

    /// A copy of a frame as it is; of RGBA, without the alpha.
    fn copy(&self, frame: &Frame) -> io::Result<Pooled> {
        let unreadable = || io::Error::new(io::ErrorKind::InvalidData, "a frame cannot be read");
        let format = match frame.format {
            PixelFormat::Abgr8888 => XRGB8888,
            format => formats::of(format),
        };
        let mut pooled = self.pool.take(frame.size, format)?;
        let (layout, bytes) = pooled.bytes_mut().ok_or_else(unreadable)?;
        for plane in 0..frame.format.planes() {
            let rows = frame.plane(plane).ok_or_else(unreadable)?;
            let (width, height) = match (frame.format, plane) {
                (PixelFormat::Abgr8888, _) => (frame.size.width * 4, frame.size.height),
                (_, 0) => (frame.size.width, frame.size.height),
                (PixelFormat::Nv12, _) => (
                    frame.size.width.next_multiple_of(2),
                    frame.size.height.div_ceil(2),
                ),
                (PixelFormat::Yu12, _) => {
                    (frame.size.width.div_ceil(2), frame.size.height.div_ceil(2))
                }
            };
            let (width, stride) = (width as usize, frame.strides[plane]);
            let (pitch, offset) = (
                layout.pitches[plane] as usize,
                layout.offsets[plane] as usize,
            );
            for row in 0..height as usize {
                let source = rows.get(row * stride..row * stride + width);
                let start = offset + row * pitch;
                let target = bytes.get_mut(start..start + width);
                let (source, target) = source.zip(target).ok_or_else(unreadable)?;
                match frame.format {
                    PixelFormat::Abgr8888 => swap_red_and_blue(source, target),
                    PixelFormat::Yu12 | PixelFormat::Nv12 => target.copy_from_slice(source),
                }
            }
        }
        Ok(pooled)
    }

    /// Draws a frame's `source` part onto `target` of a picture of this size.
    fn compose(
        &self,
        frame: &Frame,
        source: Rect,
        target: Rect,
        size: Size,
        background: [u8; 3],
        format: u32,
    ) -> io::Result<Pooled> {
        let failed = |err: &dyn std::fmt::Display| io::Error::other(err.to_string());
        let mut pooled = self.pool.take(size, format)?;
        let mut scratch = lock(&self.scratch);
        let Scratch { composer, canvas } = &mut *scratch;
        if canvas.size() != size {
            *canvas = Canvas::new(size);
        }
        composer
            .draw_frame(frame, source, target, background, canvas)
            .map_err(|err| failed(&err))?;
        let (layout, bytes) = pooled
            .bytes_mut()
            .ok_or_else(|| failed(&"the buffer cannot be written"))?;
        match format == XRGB8888 {
            true => canvas
                .write_bgra(bytes, layout.pitches[0])
                .map_err(|err| failed(&err))?,
            false => canvas.write_planes(bytes, layout.pitches, layout.offsets),
        }
        Ok(pooled)
    }
}

impl Prepare for Importer {
    fn prepare(&self, head: usize, frame: &Frame) {
        let asked = {
            let heads = lock(&self.heads);
            let Some(view) = heads.get(head) else { return };
            fit::lay(frame.size, frame.aspect, view.screen, view.fit)
        };
        // What fails here is tried again by the presenter, which tells of it.
        let _ = self.make(head, frame, asked);
    }
}

fn swap_red_and_blue(source: &[u8], target: &mut [u8]) {
    for (source, target) in source.chunks_exact(4).zip(target.chunks_exact_mut(4)) {
        target.copy_from_slice(&[source[2], source[1], source[0], 255]);
    }
}

/// Puts a framebuffer onto a plane.
pub(super) fn put(request: &mut Request, plane: &Plane, crtc: u32, ready: &Ready) {
    let Some(framebuffer) = ready.framebuffer() else {
        return;
    };
    let properties = &plane.properties;
    request.set(plane.id, properties.fb_id, framebuffer.id.into());
    request.set(plane.id, properties.crtc_id, crtc.into());
    let sides = |rect: Rect| [rect.x, rect.y, rect.width, rect.height].map(u64::from);
    for (property, side) in properties.src.into_iter().zip(sides(ready.source)) {
        // SRC_* are 16.16 fixed point numbers.
        request.set(plane.id, property, side << 16);
    }
    for (property, side) in properties.crtc.into_iter().zip(sides(ready.target)) {
        request.set(plane.id, property, side);
    }
    request.set_if(plane.id, properties.alpha, OPAQUE.into());
    for (property, value) in [properties.color_encoding, properties.color_range]
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

/// The only layer of a scene, if there is just one.
pub(super) fn only_layer(scene: &Scene) -> Option<&Layer> {
    match scene.layers.as_slice() {
        [layer] => Some(layer),
        _ => None,
    }
}
