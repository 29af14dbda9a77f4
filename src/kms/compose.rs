//! Composition by the CPU: a scene becomes a picture of the screen's size.
//!
//! It serves captures and screenshots of the virtual display. Scaling is fast_image_resize's, colour conversion the
//! yuv crate's; placing, cropping and bars are ours. Colours are BT.709, limited range, as the frames are.

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, images::Image, images::ImageRef,
};
use thiserror::Error;
use yuv::{
    BufferStoreMut, YuvConversionMode, YuvPlanarImage, YuvPlanarImageMut, YuvRange,
    YuvStandardMatrix,
};

use crate::{
    domain::{fit::Rect, units::Size},
    kms::scene::Scene,
    os::frame::{Frame, PixelFormat},
};

/// Why a scene could not be drawn.
#[derive(Debug, Error)]
pub enum ComposeError {
    /// The frame's memory cannot be read by the process.
    #[error("plane {0} of a frame cannot be read")]
    Unreadable(usize),
    /// A frame's plane is shorter than its rows.
    #[error("plane {0} of a frame is too short")]
    Short(usize),
    /// A layer was laid onto a screen of another size.
    #[error("{target:?} reaches out of a screen of {size}")]
    Outside {
        /// Where it should be.
        target: Rect,
        /// The screen.
        size: Size,
    },
    /// The scaler refused.
    #[error("scaling failed: {0}")]
    Scale(String),
    /// The colour converter refused.
    #[error("colour conversion failed: {0}")]
    Colour(String),
}

/// A picture of the screen's size: planes Y, U and V without padding, chroma halved both ways.
pub struct Canvas {
    size: Size,
    bytes: Vec<u8>,
}

impl Canvas {
    /// A black picture of even size.
    pub fn new(size: Size) -> Self {
        let luma = size.width as usize * size.height as usize;
        let mut bytes = vec![16; luma];
        bytes.resize(luma / 2 * 3, 128);
        Self { size, bytes }
    }

    /// The picture's size.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The planes, one after the other.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes the picture as bytes B, G, R, X, a row every `pitch` bytes.
    pub fn write_bgra(&self, bytes: &mut [u8], pitch: u32) -> Result<(), ComposeError> {
        let range = (YuvRange::Limited, YuvStandardMatrix::Bt709);
        yuv::yuv420_to_bgra(&self.planar(), bytes, pitch, range.0, range.1)
            .map_err(|err| ComposeError::Colour(err.to_string()))
    }

    /// Writes the three planes, each from its offset on and a row every pitch.
    pub fn write_planes(&self, bytes: &mut [u8], pitches: [u32; 4], offsets: [u32; 4]) {
        let picture = self.planar();
        let planes = [
            (picture.y_plane, picture.y_stride),
            (picture.u_plane, picture.u_stride),
            (picture.v_plane, picture.v_stride),
        ];
        for (plane, (rows, width)) in planes.into_iter().enumerate() {
            let rows = rows.chunks_exact(width as usize);
            let targets = bytes[offsets[plane] as usize..].chunks_mut(pitches[plane] as usize);
            rows.zip(targets)
                .for_each(|(row, target)| target[..row.len()].copy_from_slice(row));
        }
    }

    /// The picture as RGBA bytes.
    pub fn to_rgba(&self) -> Result<Vec<u8>, ComposeError> {
        let mut rgba = vec![0; self.size.width as usize * self.size.height as usize * 4];
        yuv::yuv420_to_rgba(
            &self.planar(),
            &mut rgba,
            self.size.width * 4,
            YuvRange::Limited,
            YuvStandardMatrix::Bt709,
        )
        .map_err(|err| ComposeError::Colour(err.to_string()))?;
        Ok(rgba)
    }

    fn planar(&self) -> YuvPlanarImage<'_, u8> {
        let Size { width, height } = self.size;
        let luma = width as usize * height as usize;
        let (y_plane, chroma) = self.bytes.split_at(luma);
        let (u_plane, v_plane) = chroma.split_at(luma / 4);
        YuvPlanarImage {
            y_plane,
            y_stride: width,
            u_plane,
            u_stride: width / 2,
            v_plane,
            v_stride: width / 2,
            width,
            height,
        }
    }

    fn clear(&mut self, background: [u8; 3]) {
        let [red, green, blue] = background.map(f64::from);
        let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        let limited = |value: f64, low: f64, range: f64| {
            (low + value * range / 255.0).round().clamp(0.0, 255.0) as u8
        };
        let y = limited(luma, 16.0, 219.0);
        let u = limited((blue - luma) / 1.8556, 128.0, 224.0);
        let v = limited((red - luma) / 1.5748, 128.0, 224.0);
        let area = self.size.width as usize * self.size.height as usize;
        self.bytes[..area].fill(y);
        self.bytes[area..area / 4 * 5].fill(u);
        self.bytes[area / 4 * 5..].fill(v);
    }

    /// The bytes of a plane and its stride.
    fn plane_mut(&mut self, number: usize) -> (&mut [u8], usize) {
        let (width, area) = (
            self.size.width as usize,
            self.size.width as usize * self.size.height as usize,
        );
        match number {
            0 => (&mut self.bytes[..area], width),
            1 => (&mut self.bytes[area..area / 4 * 5], width / 2),
            _ => (&mut self.bytes[area / 4 * 5..], width / 2),
        }
    }
}

/// A frame's part and its place.
#[derive(Clone, Copy)]
struct Part<'a> {
    frame: &'a Frame,
    source: Rect,
    target: Rect,
}

/// Draws scenes; keeps its scratch memory from one to the next.
pub struct Composer {
    resizer: Resizer,
    options: ResizeOptions,
    packed: Vec<u8>,
    scaled: Vec<u8>,
}

impl Default for Composer {
    fn default() -> Self {
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .use_alpha(false);
        Self {
            resizer: Resizer::new(),
            options,
            packed: Vec::new(),
            scaled: Vec::new(),
        }
    }
}

impl Composer {
    /// Draws a scene onto a canvas, over whatever was there.
    pub fn draw(&mut self, scene: &Scene, canvas: &mut Canvas) -> Result<(), ComposeError> {
        let whole = Rect::whole(canvas.size);
        if !scene.layers.iter().any(|layer| layer.target == whole) {
            canvas.clear(scene.background);
        }
        for layer in &scene.layers {
            let part = Part {
                frame: &layer.frame,
                source: layer.source,
                target: layer.target,
            };
            self.draw_part(part, canvas)?;
        }
        Ok(())
    }

    /// Draws one frame's `source` onto `target`, and the background where it does not reach.
    pub fn draw_frame(
        &mut self,
        frame: &Frame,
        source: Rect,
        target: Rect,
        background: [u8; 3],
        canvas: &mut Canvas,
    ) -> Result<(), ComposeError> {
        if target != Rect::whole(canvas.size) {
            canvas.clear(background);
        }
        let part = Part {
            frame,
            source,
            target,
        };
        self.draw_part(part, canvas)
    }

    fn draw_part(&mut self, part: Part<'_>, canvas: &mut Canvas) -> Result<(), ComposeError> {
        let inside = |at: u32, length: u32, whole: u32| {
            at.checked_add(length).is_some_and(|end| end <= whole)
        };
        let (target, size) = (part.target, canvas.size);
        if !inside(target.x, target.width, size.width)
            || !inside(target.y, target.height, size.height)
        {
            return Err(ComposeError::Outside { target, size });
        }
        match part.frame.format {
            PixelFormat::Yu12 | PixelFormat::Nv12 => self.draw_yuv(part, canvas),
            PixelFormat::Abgr8888 => self.draw_rgba(part, canvas),
        }
    }

    fn draw_yuv(&mut self, layer: Part<'_>, canvas: &mut Canvas) -> Result<(), ComposeError> {
        for number in 0..3 {
            let (source, target) = match number {
                0 => (layer.source, layer.target),
                _ => (halved(layer.source), halved(layer.target)),
            };
            let samples = match (layer.frame.format, number) {
                (PixelFormat::Nv12, 1) => Samples {
                    plane: 1,
                    step: 2,
                    offset: 0,
                    width: 1,
                },
                (PixelFormat::Nv12, 2) => Samples {
                    plane: 1,
                    step: 2,
                    offset: 1,
                    width: 1,
                },
                (_, plane) => Samples {
                    plane,
                    step: 1,
                    offset: 0,
                    width: 1,
                },
            };
            pack(layer.frame, samples, source, &mut self.packed)?;
            let rows = self.scale(PixelType::U8, 1, source, target)?;
            let (plane, stride) = canvas.plane_mut(number);
            paste(rows, target, plane, stride);
        }
        Ok(())
    }

    fn draw_rgba(&mut self, layer: Part<'_>, canvas: &mut Canvas) -> Result<(), ComposeError> {
        let samples = Samples {
            plane: 0,
            step: 4,
            offset: 0,
            width: 4,
        };
        pack(layer.frame, samples, layer.source, &mut self.packed)?;
        let target = layer.target;
        let rgba = self.scale(PixelType::U8x4, 4, layer.source, target)?;
        let (width, height) = (target.width, target.height);
        let mut picture =
            YuvPlanarImageMut::<u8>::alloc(width, height, yuv::YuvChromaSubsampling::Yuv420);
        yuv::rgba_to_yuv420(
            &mut picture,
            rgba,
            width * 4,
            YuvRange::Limited,
            YuvStandardMatrix::Bt709,
            YuvConversionMode::Balanced,
        )
        .map_err(|err| ComposeError::Colour(err.to_string()))?;
        let planes: [(&BufferStoreMut<'_, u8>, Rect); 3] = [
            (&picture.y_plane, target),
            (&picture.u_plane, halved(target)),
            (&picture.v_plane, halved(target)),
        ];
        for (number, (rows, target)) in planes.into_iter().enumerate() {
            let (plane, stride) = canvas.plane_mut(number);
            paste(rows.borrow(), target, plane, stride);
        }
        Ok(())
    }

    /// Scales what [`pack`] has packed from the source's size to the target's.
    fn scale(
        &mut self,
        kind: PixelType,
        bytes: usize,
        source: Rect,
        target: Rect,
    ) -> Result<&[u8], ComposeError> {
        if (source.width, source.height) == (target.width, target.height) {
            return Ok(&self.packed);
        }
        let failed = |err: &dyn std::fmt::Display| ComposeError::Scale(err.to_string());
        self.scaled
            .resize(target.width as usize * target.height as usize * bytes, 0);
        let from = ImageRef::new(source.width, source.height, &self.packed, kind)
            .map_err(|err| failed(&err))?;
        let mut to = Image::from_slice_u8(target.width, target.height, &mut self.scaled, kind)
            .map_err(|err| failed(&err))?;
        self.resizer
            .resize(&from, &mut to, &self.options)
            .map_err(|err| failed(&err))?;
        Ok(&self.scaled)
    }
}

/// Which bytes of a plane are meant: `width` bytes of every `step`, from `offset` on.
#[derive(Clone, Copy)]
struct Samples {
    plane: usize,
    step: usize,
    offset: usize,
    width: usize,
}

/// The rectangle of a plane whose samples stand for two by two pixels.
fn halved(rect: Rect) -> Rect {
    Rect {
        x: rect.x / 2,
        y: rect.y / 2,
        width: rect.width.div_ceil(2),
        height: rect.height.div_ceil(2),
    }
}

/// Copies a rectangle of a plane into a buffer without padding.
fn pack(
    frame: &Frame,
    samples: Samples,
    rect: Rect,
    into: &mut Vec<u8>,
) -> Result<(), ComposeError> {
    let plane = frame
        .plane(samples.plane)
        .ok_or(ComposeError::Unreadable(samples.plane))?;
    let stride = frame.strides[samples.plane];
    into.clear();
    for row in rect.y as usize..(rect.y + rect.height) as usize {
        let start = row * stride + rect.x as usize * samples.step;
        let length = rect.width as usize * samples.step;
        // A plane's last row may end without its padding, so only what is visible must be there.
        let row = plane
            .get(start..start + length)
            .ok_or(ComposeError::Short(samples.plane))?;
        match samples.step == samples.width {
            true => into.extend_from_slice(row),
            false => into.extend(row.iter().skip(samples.offset).step_by(samples.step)),
        }
    }
    Ok(())
}

/// Copies rows without padding into a rectangle of a plane.
fn paste(rows: &[u8], rect: Rect, plane: &mut [u8], stride: usize) {
    let width = rect.width as usize;
    for (row, bytes) in rows
        .chunks_exact(width)
        .take(rect.height as usize)
        .enumerate()
    {
        let start = (rect.y as usize + row) * stride + rect.x as usize;
        plane[start..start + width].copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::kms::scene::{Content, Layer, OPAQUE};

    const SCREEN: Size = Size::new(64, 48);

    fn layer(frame: Frame, target: Rect) -> Layer {
        let source = Rect::whole(frame.size);
        Layer {
            plane: 0,
            frame: Arc::new(frame),
            source,
            target,
            alpha: OPAQUE,
            z: 0,
        }
    }

    fn draw(layers: Vec<Layer>, background: [u8; 3]) -> Vec<u8> {
        let mut canvas = Canvas::new(SCREEN);
        let scene = Scene {
            layers: layers.into_iter().collect(),
            background,
            content: Content::Item,
        };
        Composer::default()
            .draw(&scene, &mut canvas)
            .expect("drawn");
        canvas.to_rgba().expect("converted")
    }

    fn pixel(rgba: &[u8], x: u32, y: u32) -> [i32; 3] {
        let at = 4 * (y * SCREEN.width + x) as usize;
        [rgba[at], rgba[at + 1], rgba[at + 2]].map(i32::from)
    }

    fn close(one: [i32; 3], other: [i32; 3]) -> bool {
        one.iter()
            .zip(other)
            .all(|(one, other)| (one - other).abs() <= 3)
    }

    #[test]
    fn a_picture_stands_between_bars_of_the_background_in_its_own_colours() {
        let red = Frame::from_rgba(Size::new(5, 3), [200, 30, 40, 255].repeat(15)).expect("whole");
        let rgba = draw(
            vec![layer(
                red,
                Rect {
                    x: 8,
                    y: 12,
                    width: 40,
                    height: 24,
                },
            )],
            [10, 60, 120],
        );
        assert!(
            close(pixel(&rgba, 20, 20), [200, 30, 40]),
            "{:?}",
            pixel(&rgba, 20, 20)
        );
        for (x, y) in [(0, 0), (5, 20), (20, 8), (50, 20), (20, 38), (63, 47)] {
            assert!(
                close(pixel(&rgba, x, y), [10, 60, 120]),
                "{x},{y}: {:?}",
                pixel(&rgba, x, y)
            );
        }
    }

    #[test]
    fn planar_and_interleaved_chroma_draw_the_same() {
        struct Planes([Vec<u8>; 3]);
        impl crate::os::frame::Backing for Planes {
            fn plane(&self, number: usize) -> Option<&[u8]> {
                self.0.get(number).map(Vec::as_slice)
            }
        }
        let size = Size::new(7, 5);
        let luma: Vec<u8> = (0..8 * 5).map(|value| 40 + 4 * value as u8).collect();
        let (u, v): (Vec<u8>, Vec<u8>) = (
            (0..12).map(|n| 90 + n).collect(),
            (0..12).map(|n| 150 + n).collect(),
        );
        let both = u.iter().zip(&v).flat_map(|(u, v)| [*u, *v]).collect();
        let planar = Planes([luma.clone(), u, v]);
        let planar = Frame::new(size, size, PixelFormat::Yu12, [8, 4, 4], Box::new(planar));
        let woven = Frame::new(
            size,
            size,
            PixelFormat::Nv12,
            [8, 8, 0],
            Box::new(Planes([luma, both, Vec::new()])),
        );
        let target = Rect::whole(SCREEN);
        let (planar, woven) = (
            draw(vec![layer(planar, target)], [0; 3]),
            draw(vec![layer(woven, target)], [0; 3]),
        );
        assert_eq!(planar, woven);
        assert_ne!(pixel(&planar, 0, 0), pixel(&planar, 60, 40));
    }

    #[test]
    fn memory_that_is_too_short_or_unreadable_is_an_error() {
        struct Nothing;
        impl crate::os::frame::Backing for Nothing {
            fn plane(&self, number: usize) -> Option<&[u8]> {
                (number == 0).then_some(&[0; 7])
            }
        }
        let size = Size::new(4, 4);
        let frame = Frame::new(size, size, PixelFormat::Yu12, [4, 2, 2], Box::new(Nothing));
        let scene = Scene {
            layers: [layer(frame, Rect::whole(SCREEN))].into_iter().collect(),
            ..Scene::default()
        };
        let result = Composer::default().draw(&scene, &mut Canvas::new(SCREEN));
        assert!(matches!(result, Err(ComposeError::Short(0))), "{result:?}");
    }
}
