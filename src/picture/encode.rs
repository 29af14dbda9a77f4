//! Pictures written out: PNG for screenshots, JPEG for the live view.

use ::image::{
    ExtendedColorType, ImageEncoder,
    codecs::{
        jpeg::JpegEncoder,
        png::{CompressionType, FilterType, PngEncoder},
    },
};

use crate::picture::{Picture, PictureError};

/// The picture as a PNG file: 8-bit colour without alpha, compressed for speed rather than size.
pub fn encode_png(picture: &Picture) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    write_colour(
        picture,
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive),
    )?;
    Ok(bytes)
}

/// The picture as a JPEG file; `quality` runs from 1 to 100, what lies outside counts as the nearer end.
/// JPEG ends at 65,535 pixels a side.
pub fn encode_jpeg(picture: &Picture, quality: u8) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    write_colour(
        picture,
        JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100)),
    )?;
    Ok(bytes)
}

fn write_colour(picture: &Picture, encoder: impl ImageEncoder) -> Result<(), PictureError> {
    let (size, rgba) = picture.checked()?;
    let mut rgb = Vec::with_capacity(rgba.len() / 4 * 3);
    for pixel in rgba.as_chunks::<4>().0 {
        rgb.extend_from_slice(&pixel[..3]);
    }
    encoder
        .write_image(&rgb, size.width, size.height, ExtendedColorType::Rgb8)
        .map_err(|err| PictureError::Internal(err.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::units::Size,
        picture::{Limits, image},
    };

    fn ramp() -> Picture {
        let size = Size::new(64, 48);
        let rgba = (0..size.width * size.height)
            .flat_map(|i| [(i % 64 * 4) as u8, (i / 64 * 5) as u8, 90, 255])
            .collect();
        Picture { size, rgba }
    }

    #[test]
    fn png_comes_back_as_it_was() {
        let bytes = encode_png(&ramp()).expect("a PNG");
        assert_eq!(
            image::decode(&bytes, Limits::default()).expect("it reads"),
            ramp()
        );
    }

    #[test]
    fn jpeg_comes_back_nearly_as_it_was() {
        let bytes = encode_jpeg(&ramp(), 95).expect("a JPEG");
        let back = image::decode(&bytes, Limits::default()).expect("it reads");
        assert_eq!(back.size, ramp().size);
        let worst = back
            .rgba
            .iter()
            .zip(&ramp().rgba)
            .map(|(a, b)| a.abs_diff(*b))
            .max();
        assert!(worst <= Some(12), "{worst:?}");
        let coarse = encode_jpeg(&ramp(), 0).expect("quality is clamped");
        assert!(coarse.len() < bytes.len());
    }

    #[test]
    fn a_picture_with_the_wrong_number_of_bytes_is_refused() {
        for rgba in [vec![], vec![0; 63], vec![0; 68]] {
            let bytes = rgba.len();
            let size = Size::new(4, 4);
            let picture = Picture { size, rgba };
            let refused = PictureError::Inconsistent { size, bytes };
            assert_eq!(encode_png(&picture), Err(refused.clone()));
            assert_eq!(encode_jpeg(&picture, 80), Err(refused));
        }
    }
}
