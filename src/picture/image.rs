//! Image files read into pictures: JPEG, PNG and WebP, told apart by their content and not by their name.
//!
//! The file is turned upright (EXIF), brought to sRGB where it names another colour space (ICC), and laid on black
//! where it is transparent. Of a moving picture the first frame is taken.

use std::{
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
};

use ::image::{
    DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage,
    RgbaImage, metadata::Orientation,
};
use fast_image_resize::{
    ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::U8x4,
};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use crate::{
    domain::units::Size,
    picture::{Limits, Picture, PictureError, bytes_of, jpeg},
};

/// Decodes an image file at its full size.
pub fn decode(bytes: &[u8], limits: Limits) -> Result<Picture, PictureError> {
    decode_within(bytes, limits, Size::new(u32::MAX, u32::MAX))
}

/// Decodes an image file and shrinks it to fit into `max`, as [`shrink_to`] does.
///
/// It takes much less memory than doing both in turn: an 8-bit photo is shrunk in its own three bytes a pixel.
pub fn decode_within(bytes: &[u8], limits: Limits, max: Size) -> Result<Picture, PictureError> {
    let format = sniff(bytes)?;
    // The decoders are other people's and read hostile input: should one panic, that picture is lost, not the box.
    catch_unwind(AssertUnwindSafe(|| {
        decode_format(bytes, format, limits, max)
    }))
    .unwrap_or_else(|_| Err(PictureError::Corrupt("its decoder gave up".to_owned())))
}

/// Shrinks a picture to fit into `max`, keeping its aspect; one that fits already stays as it is.
pub fn shrink_to(picture: Picture, max: Size) -> Result<Picture, PictureError> {
    let (size, rgba) = picture.checked()?;
    match fit_within(size, max) {
        same if same == size => Ok(picture),
        target => Ok(Picture {
            size: target,
            rgba: resize(rgba, size, target, Transparency::None)?,
        }),
    }
}

/// The largest size of the same aspect that fits into `max` and is not larger than `size`; at least 1x1.
pub fn fit_within(size: Size, max: Size) -> Size {
    let [width, height] = [size.width, size.height].map(u64::from);
    let [max_width, max_height] = [max.width.max(1), max.height.max(1)].map(u64::from);
    if width <= max_width && height <= max_height {
        return size;
    }
    let scaled = |side: u64, numerator: u64, denominator: u64| {
        let side = (side * numerator + denominator / 2) / denominator;
        u32::try_from(side.max(1)).unwrap_or(u32::MAX)
    };
    // Each product is below 2^64, since every factor is below 2^32.
    match width * max_height >= height * max_width {
        true => Size::new(max_width as u32, scaled(height, max_width, width)),
        false => Size::new(scaled(width, max_height, height), max_height as u32),
    }
}

/// Which of the formats that are read here the bytes are.
fn sniff(bytes: &[u8]) -> Result<ImageFormat, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    let foreign = |name: &str| {
        PictureError::Unsupported(format!("{name} is not read, only JPEG, PNG and WebP are"))
    };
    match ::image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP)) => Ok(format),
        Ok(other) => Err(foreign(&format!("{other:?}").to_uppercase())),
        Err(_) if bytes.get(4..8) == Some(b"ftyp") => Err(foreign("HEIF or video")),
        Err(_) => Err(PictureError::Corrupt(
            "it is neither JPEG, PNG nor WebP".to_owned(),
        )),
    }
}

fn decode_format(
    bytes: &[u8],
    format: ImageFormat,
    limits: Limits,
    max: Size,
) -> Result<Picture, PictureError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut allowed = ::image::Limits::no_limits();
    allowed.max_alloc = Some(limits.max_bytes);
    reader.limits(allowed);
    let mut decoder = reader.into_decoder().map_err(fault)?;

    let (width, height) = decoder.dimensions();
    let bytes_a_pixel = u64::from(decoder.color_type().bytes_per_pixel());
    limits.admit(Size::new(width, height), bytes_a_pixel)?;
    // These decoders make up what is missing at the end.
    let whole = match format {
        ImageFormat::Jpeg => jpeg::is_whole(bytes),
        ImageFormat::WebP => riff_is_whole(bytes),
        _ => true,
    };
    if !whole {
        return Err(PictureError::Corrupt("the file ends too early".to_owned()));
    }

    // A picture with unreadable notes is still a picture: then it stands as it is stored, and counts as sRGB.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten();
    let image = DynamicImage::from_decoder(decoder).map_err(fault)?;

    let stored_max = match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => Size::new(max.height, max.width),
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => max,
    };
    let mut rgba = shrink_decoded(image, stored_max)?;
    if let Some(profile) = profile {
        to_srgb(&mut rgba, &profile);
    }
    lay_on_black(&mut rgba);
    let mut upright = DynamicImage::ImageRgba8(rgba);
    upright.apply_orientation(orientation);
    Ok(Picture {
        size: Size::new(upright.width(), upright.height()),
        rgba: upright.into_rgba8().into_raw(),
    })
}

/// Whether a RIFF file is as long as it says; the last padding byte may be missing.
fn riff_is_whole(bytes: &[u8]) -> bool {
    match bytes.get(4..).and_then(<[u8]>::first_chunk) {
        Some(length) => bytes.len() as u64 + 1 >= u64::from(u32::from_le_bytes(*length)) + 8,
        None => false,
    }
}

/// Shrinks a decoded image. A much too large opaque one is halved, thirded and so on in its own pixel form first,
/// which is quick, takes little memory, and leaves the filter at least twice the target to work on.
fn shrink_decoded(image: DynamicImage, max: Size) -> Result<RgbaImage, PictureError> {
    let size = Size::new(image.width(), image.height());
    let target = fit_within(size, max);
    if target == size {
        return Ok(image.into_rgba8());
    }
    let factor = (size.width / target.width / 2).min(size.height / target.height / 2);
    let image = match image {
        DynamicImage::ImageRgb8(image) if factor > 1 => {
            let (size, pixels) = average::<3>(&image, size, factor);
            RgbImage::from_raw(size.width, size.height, pixels).map(DynamicImage::ImageRgb8)
        }
        DynamicImage::ImageLuma8(image) if factor > 1 => {
            let (size, pixels) = average::<1>(&image, size, factor);
            GrayImage::from_raw(size.width, size.height, pixels).map(DynamicImage::ImageLuma8)
        }
        other => Some(other),
    }
    .ok_or_else(wrong_size)?
    .into_rgba8();
    let size = Size::new(image.width(), image.height());
    let pixels = resize(&image, size, target, Transparency::Last)?;
    RgbaImage::from_raw(target.width, target.height, pixels).ok_or_else(wrong_size)
}

/// Makes one pixel of `factor` by `factor`, or of what is left of them at the right and the lower edge.
fn average<const CHANNELS: usize>(pixels: &[u8], size: Size, factor: u32) -> (Size, Vec<u8>) {
    let small = Size::new(size.width.div_ceil(factor), size.height.div_ceil(factor));
    let stride = size.width as usize * CHANNELS;
    let factor = factor as usize;
    let mut averaged = Vec::with_capacity(bytes_of(small, CHANNELS as u64) as usize);
    let mut sums = vec![[0_u64; CHANNELS]; small.width as usize];
    for rows in pixels.chunks(stride * factor) {
        sums.fill([0; CHANNELS]);
        for row in rows.chunks_exact(stride) {
            for (sum, block) in sums.iter_mut().zip(row.chunks(factor * CHANNELS)) {
                for pixel in block.as_chunks::<CHANNELS>().0 {
                    for (sum, channel) in sum.iter_mut().zip(pixel) {
                        *sum += u64::from(*channel);
                    }
                }
            }
        }
        let height = rows.len() / stride;
        for (at, sum) in sums.iter().enumerate() {
            let width = factor.min(size.width as usize - at * factor);
            let count = (width * height) as u64;
            averaged.extend(sum.map(|sum| ((sum + count / 2) / count) as u8));
        }
    }
    (small, averaged)
}

/// Whether the last channel of a pixel says how much the others count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transparency {
    None,
    Last,
}

/// Resizes RGBA pixels. Other forms are kept away from here: the resizer is compiled anew for each, at great length.
fn resize(
    pixels: &[u8],
    size: Size,
    target: Size,
    transparency: Transparency,
) -> Result<Vec<u8>, PictureError> {
    let internal = |err: &dyn std::error::Error| PictureError::Internal(err.to_string());
    let source = TypedImageRef::<U8x4>::from_buffer(size.width, size.height, pixels)
        .map_err(|err| internal(&err))?;
    let mut small = vec![0; bytes_of(target, 4) as usize];
    let mut view = TypedImage::<U8x4>::from_buffer(target.width, target.height, &mut small)
        .map_err(|err| internal(&err))?;
    // The default is a Lanczos filter of three lobes: sharp, and free of aliasing when shrinking.
    let options = ResizeOptions::new().use_alpha(transparency == Transparency::Last);
    Resizer::new()
        .resize_typed(&source, &mut view, &options)
        .map_err(|err| internal(&err))?;
    Ok(small)
}

fn wrong_size() -> PictureError {
    PictureError::Internal("a shrunk picture of the wrong size".to_owned())
}

/// Brings pixels from the colour space of an ICC profile to sRGB. A profile that cannot be read, or that is not
/// about RGB (decoders have already turned CMYK and grey into RGB), is passed over.
fn to_srgb(image: &mut RgbaImage, profile: &[u8]) {
    let Ok(source) = ColorProfile::new_from_slice(profile) else {
        return;
    };
    if source.color_space != DataColorSpace::Rgb {
        return;
    }
    let srgb = ColorProfile::new_srgb();
    let Ok(transform) = source.create_transform_8bit(
        Layout::Rgba,
        &srgb,
        Layout::Rgba,
        TransformOptions::default(),
    ) else {
        return;
    };
    let stride = image.width() as usize * 4;
    let mut row = vec![0; stride];
    for pixels in image.chunks_exact_mut(stride) {
        if transform.transform(pixels, &mut row).is_ok() {
            pixels.copy_from_slice(&row);
        }
    }
}

/// Lays transparent pixels on black, in sRGB values as browsers do.
fn lay_on_black(image: &mut RgbaImage) {
    for pixel in image.as_chunks_mut::<4>().0 {
        let alpha = u16::from(pixel[3]);
        if alpha < 255 {
            for channel in &mut pixel[..3] {
                *channel = ((u16::from(*channel) * alpha + 127) / 255) as u8;
            }
            pixel[3] = 255;
        }
    }
}

fn fault(err: ImageError) -> PictureError {
    match err {
        ImageError::Unsupported(err) => PictureError::Unsupported(err.to_string()),
        ImageError::Limits(_) => {
            PictureError::Corrupt("it asks for more memory than its size explains".to_owned())
        }
        err => PictureError::Corrupt(err.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_never_grows_and_keeps_its_aspect() {
        let fit = |w, h, mw, mh| {
            let Size { width, height } = fit_within(Size::new(w, h), Size::new(mw, mh));
            (width, height)
        };
        assert_eq!(fit(640, 480, 1920, 1080), (640, 480));
        assert_eq!(fit(9000, 6000, 1920, 1080), (1620, 1080));
        assert_eq!(fit(6000, 9000, 1920, 1080), (720, 1080));
        assert_eq!(fit(16384, 1, 1920, 1080), (1920, 1));
        assert_eq!(fit(3, 16384, 1920, 1080), (1, 1080));
        assert_eq!(fit(10, 10, 0, 0), (1, 1));
        assert_eq!(
            fit(u32::MAX, u32::MAX, u32::MAX - 1, u32::MAX),
            (u32::MAX - 1, u32::MAX - 1)
        );
    }

    #[test]
    fn shrinking_keeps_the_mean_colour() {
        let size = Size::new(400, 200);
        let rgba = (0..size.width * size.height)
            .flat_map(|i| [if i % 2 == 0 { 0 } else { 200 }, 40, 80, 255])
            .collect();
        let small = shrink_to(Picture { size, rgba }, Size::new(100, 100)).expect("it shrinks");
        assert_eq!(small.size, Size::new(100, 50));
        // The outer columns of a filter differ from the rest.
        for pixel in small
            .rgba
            .chunks_exact(400)
            .flat_map(|row| row[40..360].as_chunks::<4>().0)
        {
            assert!(pixel[0].abs_diff(100) <= 2, "{pixel:?}");
            assert_eq!(pixel[1..], [40, 80, 255]);
        }
    }

    #[test]
    fn averages_are_of_what_is_there() {
        let (size, pixels) = average::<1>(&[10, 20, 40, 30, 40, 60, 7, 9, 11], Size::new(3, 3), 2);
        assert_eq!((size, pixels), (Size::new(2, 2), vec![25, 50, 8, 11]));
        let (size, pixels) = average::<3>(&[1, 2, 3, 5, 6, 7, 9, 9, 9], Size::new(3, 1), 5);
        assert_eq!((size, pixels), (Size::new(1, 1), vec![5, 6, 6]));
    }

    #[test]
    fn a_huge_picture_shrinks_to_the_same_as_in_one_step() {
        let ramp =
            |x: u32, y: u32| ::image::Rgb([(x / 4) as u8, (y / 3) as u8, ((x + y) / 7) as u8]);
        let image = DynamicImage::ImageRgb8(RgbImage::from_fn(1000, 700, ramp));
        let max = Size::new(100, 100);
        let twice = shrink_decoded(image.clone(), max).expect("it shrinks");
        let picture = Picture {
            size: Size::new(1000, 700),
            rgba: image.into_rgba8().into_raw(),
        };
        let once = shrink_to(picture, max).expect("it shrinks");
        assert_eq!(
            (twice.width(), twice.height()),
            (once.size.width, once.size.height)
        );
        assert!(
            twice
                .iter()
                .zip(&once.rgba)
                .all(|(a, b)| a.abs_diff(*b) <= 2)
        );
    }

    #[test]
    fn transparency_is_laid_on_black() {
        let mut image =
            RgbaImage::from_raw(3, 1, vec![200, 100, 50, 0, 200, 100, 50, 128, 9, 8, 7, 255])
                .expect("three pixels");
        lay_on_black(&mut image);
        assert_eq!(
            image.into_raw(),
            [0, 0, 0, 255, 100, 50, 25, 255, 9, 8, 7, 255]
        );
    }

    #[test]
    fn a_wide_gamut_becomes_srgb() {
        let profile = ColorProfile::new_display_p3().encode().expect("a profile");
        let mut image = RgbaImage::from_pixel(2, 2, ::image::Rgba([200, 60, 40, 77]));
        to_srgb(&mut image, &profile);
        let [red, green, blue, alpha] = image.get_pixel(1, 1).0;
        // The same red needs a higher value in the smaller gamut.
        assert!(red > 205 && green < 60 && blue < 40, "{red} {green} {blue}");
        assert_eq!(alpha, 77);
        let before = image.clone();
        to_srgb(&mut image, b"no profile at all");
        assert_eq!(image, before);
    }
}
