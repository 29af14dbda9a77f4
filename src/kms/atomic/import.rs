//! From frames to framebuffers: the way each frame goes down the ladder.
//!
//! It runs on the threads that make frames, so that the presenter finds them ready.

use std::{
    io,
    os::fd::AsFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
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
            ladder::{self, Background, Form, Rung, Shape},
            objects::Plane,
            ready::{Backdrop, Held, Ready, put, turn_off},
            request::Request,
        },
        compose::{Canvas, Composer},
        formats::{self, XRGB8888},
        scene::{Layer, Scene},
    },
    os::frame::{Frame, PixelFormat, Prepare, Way},
};

/// `DRM_MODE_ATOMIC_TEST_ONLY`.
const TEST_ONLY: u32 = 0x0100;
/// `DRM_MODE_ATOMIC_ALLOW_MODESET`.
pub(super) const ALLOW_MODESET: u32 = 0x0400;

/// How many imported framebuffers are remembered: more than any decoder has buffers.
const REMEMBERED: usize = 64;

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
    /// What passed the test and was refused all the same.
    refused: Vec<(Shape, Rung)>,
    backdrop: Option<Arc<Backdrop>>,
    /// Other circumstances have another number.
    generation: u64,
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
            refused: Vec::new(),
            backdrop: None,
            generation: 0,
        }
    }

    /// Other circumstances: every shape is to be tested anew.
    pub(super) fn forget(&mut self) {
        self.generation += 1;
        self.ladder.clear();
        self.refused.clear();
    }

    /// What decides how a frame is shown here.
    fn shape(&self, frame: &Frame, asked: (Rect, Rect)) -> Shape {
        let is_given =
            self.background == [0; 3] || self.paints || asked.1 == Rect::whole(self.screen);
        Shape {
            format: frame.format,
            modifier: frame.modifier,
            in_dma_buf: frame.dma_buf(0).is_some(),
            size: frame.size,
            source: asked.0,
            target: asked.1,
            background: match is_given {
                true => Background::Given,
                false => Background::Ours,
            },
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

/// The framebuffers on decoders' memory, by the memory's inode and its layout.
type Imports = Vec<(u64, Layout, Arc<Framebuffer>)>;

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

/// What is answered where a head is not there.
fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "there is no such head")
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
            imports: Mutex::new(Vec::with_capacity(REMEMBERED + 1)),
            copies: Copies::default(),
        }
    }

    /// A plane by its place.
    pub(super) fn plane(&self, place: usize) -> &Plane {
        &self.planes[place]
    }

    /// The layouts, fourcc and modifier, in which some plane takes a decoder's frames.
    pub fn layouts(&self) -> Vec<(u32, u64)> {
        let known = [PixelFormat::Nv12, PixelFormat::Yu12].map(formats::of);
        let all = self.planes.iter().flat_map(|plane| plane.formats.pairs());
        let ours = all
            .filter(|(format, modifier)| known.contains(format) && *modifier != formats::IMPLICIT);
        let mut layouts = Vec::new();
        for layout in ours {
            if !layouts.contains(layout) {
                layouts.push(*layout);
            }
        }
        layouts
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
        let whole = Rect::whole(size);
        Ok(Ready {
            head,
            asked: (whole, whole),
            generation: 0,
            rung: Rung {
                plane,
                form: Form::Whole { format: XRGB8888 },
                under: None,
            },
            source: whole,
            target: whole,
            held: Held::Copied(self.painted(size, [0; 3])?),
            under: None,
        })
    }

    /// A picture of one colour.
    fn painted(&self, size: Size, colour: [u8; 3]) -> io::Result<Pooled> {
        let mut pooled = self.pool.take(size, XRGB8888)?;
        let [red, green, blue] = colour;
        if let Some((_, bytes)) = pooled.bytes_mut() {
            let pixels = bytes.chunks_exact_mut(4);
            pixels.for_each(|pixel| pixel.copy_from_slice(&[blue, green, red, u8::MAX]));
        }
        Ok(pooled)
    }

    /// What lies beneath a head's frames, drawn once.
    fn backdrop(&self, head: usize, plane: usize) -> io::Result<Arc<Backdrop>> {
        let (size, colour) = {
            let heads = lock(&self.heads);
            let view = heads.get(head).ok_or_else(gone)?;
            if let Some(known) = &view.backdrop
                && (known.plane, known.size, known.colour) == (plane, view.screen, view.background)
            {
                return Ok(known.clone());
            }
            (view.screen, view.background)
        };
        let held = self.painted(size, colour)?;
        let made = Arc::new(Backdrop {
            plane,
            size,
            colour,
            held,
        });
        self.change(head, |view| view.backdrop = Some(made.clone()));
        Ok(made)
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
        let generation = self.generation(head);
        if let Some(ready) = layer.frame.prepared::<Ready>()
            && (ready.head, ready.asked, Some(ready.generation)) == (head, asked, generation)
        {
            return Ok(ready);
        }
        self.make(head, &layer.frame, asked)
    }

    fn generation(&self, head: usize) -> Option<u64> {
        lock(&self.heads).get(head).map(|view| view.generation)
    }

    /// The frame of a layer further down the ladder, since the card did not take it so; nothing at the ladder's end.
    ///
    /// What was refused is not tried again for a frame of this shape until the head is told of something new.
    pub(super) fn lower(
        &self,
        head: usize,
        layer: &Layer,
        refused: &Ready,
    ) -> Option<io::Result<Arc<Ready>>> {
        let asked = (layer.source, layer.target);
        {
            let mut heads = lock(&self.heads);
            let view = heads.get_mut(head)?;
            let shape = view.shape(&layer.frame, asked);
            let candidates = ladder::candidates(&shape, &view.planes, &self.planes);
            if candidates.last() == Some(&refused.rung) {
                return None;
            }
            view.ladder.retain(|(known, _)| *known != shape);
            let refused = (shape, refused.rung);
            if !view.refused.contains(&refused) {
                view.refused.push(refused);
            }
        }
        Some(self.make(head, &layer.frame, asked))
    }

    fn make(&self, head: usize, frame: &Frame, asked: (Rect, Rect)) -> io::Result<Arc<Ready>> {
        let (rung, generation) = self.rung(head, frame, asked)?;
        let mut ready = self.by(rung, head, frame, asked)?;
        ready.generation = ready.generation.min(generation);
        let ready = Arc::new(ready);
        let count = match (rung.form, &ready.held) {
            (Form::Direct, Held::Imported(_)) => &self.copies.imported,
            (Form::Direct, Held::Copied(_)) => &self.copies.copied,
            (Form::Scaled { .. } | Form::Whole { .. }, _) => &self.copies.composed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        frame.set_prepared(ready.clone());
        Ok(ready)
    }

    /// The best rung for a shape, by test where it is new, and the generation that it holds for.
    fn rung(&self, head: usize, frame: &Frame, asked: (Rect, Rect)) -> io::Result<(Rung, u64)> {
        let (shape, candidates, screen, generation) = {
            let heads = lock(&self.heads);
            let view = heads.get(head).ok_or_else(gone)?;
            let shape = view.shape(frame, asked);
            if let Some((_, rung)) = view.ladder.iter().find(|(known, _)| *known == shape) {
                return Ok((*rung, view.generation));
            }
            let mut candidates = ladder::candidates(&shape, &view.planes, &self.planes);
            let was_refused = |rung: &Rung| view.refused.contains(&(shape, *rung));
            candidates.retain(|rung| !was_refused(rung));
            (shape, candidates, view.screen, view.generation)
        };
        // The last one always works, and need not be asked for.
        let last = candidates.last().copied();
        let last = last.filter(|last| matches!(last.form, Form::Whole { .. }));
        let untiled = || {
            let message = format!(
                "the display shows no {} frames of {:?} with the modifier {:#x} at {}",
                frame.size, frame.format, frame.modifier, screen
            );
            io::Error::new(io::ErrorKind::Unsupported, message)
        };
        let mut found = None;
        for rung in candidates.into_iter().filter(|rung| Some(*rung) != last) {
            let ready = self.by(rung, head, frame, asked);
            match ready.and_then(|ready| self.test(head, &ready)) {
                Ok(()) => {
                    found = Some(rung);
                    break;
                }
                // Only the master may ask: what the card can do is not known now.
                Err(err) if err.kind() == io::ErrorKind::PermissionDenied => return Err(err),
                Err(_) => {}
            }
        }
        let rung = found.or(last).ok_or_else(untiled)?;
        log::info!(
            "{} {:?} to {} on {}: {rung:?}",
            frame.size,
            frame.format,
            Size::new(asked.1.width, asked.1.height),
            screen
        );
        self.change(head, |view| {
            if view.generation != generation {
                return;
            }
            if view.ladder.len() >= REMEMBERED {
                view.ladder.remove(0);
            }
            view.ladder.push((shape, rung));
        });
        Ok((rung, generation))
    }

    /// A frame in the form of a rung, marked with the generation in which its making began.
    fn by(&self, rung: Rung, head: usize, frame: &Frame, asked: (Rect, Rect)) -> io::Result<Ready> {
        let generation = self.generation(head).ok_or_else(gone)?;
        let (held, source, target) = match rung.form {
            Form::Direct => {
                let held = match self.import(frame) {
                    Ok(framebuffer) => Held::Imported(framebuffer),
                    Err(_) => Held::Copied(self.copy(frame)?),
                };
                (held, asked.0, asked.1)
            }
            Form::Scaled { format } => {
                let size = Size::new(asked.1.width, asked.1.height);
                let whole = Rect::whole(size);
                let held = self.compose(frame, asked.0, whole, size, [0; 3], format)?;
                (Held::Copied(held), whole, asked.1)
            }
            Form::Whole { format } => {
                let (screen, background) = {
                    let heads = lock(&self.heads);
                    (heads[head].screen, heads[head].background)
                };
                let held = self.compose(frame, asked.0, asked.1, screen, background, format)?;
                let whole = Rect::whole(screen);
                (Held::Copied(held), whole, whole)
            }
        };
        let under = match rung.under {
            Some(under) => {
                let standing = self.planes[rung.plane].over(&self.planes[under]);
                Some((self.backdrop(head, under)?, standing))
            }
            None => None,
        };
        Ok(Ready {
            head,
            asked,
            generation,
            rung,
            source,
            target,
            held,
            under,
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
            for place in &view.planes {
                let plane = &self.planes[*place];
                match ready.on(*place) {
                    Some(placed) => put(&mut request, plane, view.crtc, &placed),
                    None => turn_off(&mut request, plane),
                }
            }
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
            modifier: frame.modifier,
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
            .iter()
            .position(|(key, known, _)| (*key, *known) == (inode, layout));
        if let Some(place) = known {
            let entry = imports.remove(place);
            let framebuffer = entry.2.clone();
            imports.push(entry);
            return Ok(framebuffer);
        }
        let mut gems = Vec::with_capacity(3);
        for plane in 0..frame.format.planes() {
            let (fd, _) = frame.dma_buf(plane).ok_or_else(none)?;
            gems.push(Arc::new(Gem::import(self.card.clone(), fd)?));
        }
        let framebuffer = Arc::new(Framebuffer::new(self.card.clone(), layout, gems)?);
        imports.push((inode, layout, framebuffer.clone()));
        if imports.len() > REMEMBERED {
            imports.remove(0);
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
    fn tidy(&self) {
        let unused = |(_, _, framebuffer): &mut (u64, Layout, Arc<Framebuffer>)| {
            Arc::strong_count(framebuffer) == 1
        };
        let gone: Vec<_> = lock(&self.imports).extract_if(.., unused).collect();
        drop(gone);
        // What was refused may be taken with other media beside it.
        let mut heads = lock(&self.heads);
        heads.iter_mut().for_each(|view| view.refused.clear());
    }

    fn prepare(&self, head: usize, frame: &Frame) -> io::Result<Way> {
        let asked = {
            let heads = lock(&self.heads);
            let view = heads.get(head).ok_or_else(gone)?;
            if view.planes.is_empty() {
                // A head without a screen: what comes now goes into the void.
                return Ok(Way::Copied);
            }
            fit::lay(frame.size, frame.aspect, view.screen, view.fit)
        };
        match self.make(head, frame, asked) {
            Ok(ready) if matches!(ready.held, Held::Imported(_)) => Ok(Way::Lent),
            Err(err) if err.kind() == io::ErrorKind::Unsupported => Err(err),
            // What else fails here is tried again by the presenter, which tells of it.
            Ok(_) | Err(_) => Ok(Way::Copied),
        }
    }
}

fn swap_red_and_blue(source: &[u8], target: &mut [u8]) {
    for (source, target) in source.chunks_exact(4).zip(target.chunks_exact_mut(4)) {
        target.copy_from_slice(&[source[2], source[1], source[0], 255]);
    }
}

/// The only layer of a scene, if there is just one.
pub(super) fn only_layer(scene: &Scene) -> Option<&Layer> {
    match scene.layers.as_slice() {
        [layer] => Some(layer),
        _ => None,
    }
}
