//! What a plane can scan out: pixel formats and the modifiers of their layout in memory.

use crate::os::frame::PixelFormat;
pub use crate::os::frame::{LINEAR, fourcc};

/// `DRM_FORMAT_MOD_INVALID`: the driver knows the layout, nobody else.
pub const IMPLICIT: u64 = 0x00ff_ffff_ffff_ffff;

/// `XR24`: bytes B, G, R, X in this order. Every KMS driver takes it on its primary plane.
pub const XRGB8888: u32 = fourcc(*b"XR24");

/// The fourcc code of a frame's format.
pub fn of(format: PixelFormat) -> u32 {
    format.fourcc()
}

/// The pairs of format and modifier that a plane takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Formats(Vec<(u32, u64)>);

impl Formats {
    /// Formats of a driver that tells no modifiers: linear, and by its own knowledge.
    pub fn without_modifiers(formats: &[u32]) -> Self {
        let both = |format: &u32| [(*format, LINEAR), (*format, IMPLICIT)];
        Self(formats.iter().flat_map(both).collect())
    }

    /// Just these pairs.
    #[cfg(test)]
    pub fn of_pairs(pairs: &[(u32, u64)]) -> Self {
        Self(pairs.to_vec())
    }

    /// Reads the blob of the plane property `IN_FORMATS` (`struct drm_format_modifier_blob`, drm_mode.h, version 1).
    ///
    /// Nothing if the blob is not of this version or contradicts itself.
    pub fn from_blob(blob: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_ne_bytes(blob.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_ne_bytes(blob.get(at..at + 8)?.try_into().ok()?));
        if word(0)? != 1 {
            return None;
        }
        let (formats, at_formats) = (word(8)? as usize, word(12)? as usize);
        let (modifiers, at_modifiers) = (word(16)? as usize, word(20)? as usize);
        let mut pairs = Vec::new();
        for number in 0..modifiers {
            // struct drm_format_modifier: a mask of 64 formats, the first one's number, padding, the modifier.
            let at = at_modifiers.checked_add(number.checked_mul(24)?)?;
            let (mask, first, modifier) = (long(at)?, word(at + 8)? as usize, long(at + 16)?);
            for bit in (0..64).filter(|bit| mask & (1 << bit) != 0) {
                let format = first + bit;
                if format < formats {
                    pairs.push((word(at_formats.checked_add(format * 4)?)?, modifier));
                }
            }
        }
        Some(Self(pairs))
    }

    /// Whether the plane takes this format with this modifier.
    pub fn has(&self, format: u32, modifier: u64) -> bool {
        self.0.contains(&(format, modifier))
    }

    /// Whether the plane takes this format in plain rows.
    pub fn has_linear(&self, format: u32) -> bool {
        self.has(format, LINEAR) || self.has(format, IMPLICIT)
    }

    /// All pairs.
    pub fn pairs(&self) -> &[(u32, u64)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob() -> Vec<u8> {
        let mut blob = Vec::new();
        for word in [1_u32, 0, 2, 24, 2, 32] {
            blob.extend(word.to_ne_bytes());
        }
        blob.extend(XRGB8888.to_ne_bytes());
        blob.extend(of(PixelFormat::Nv12).to_ne_bytes());
        for (mask, modifier) in [(0b11_u64, LINEAR), (0b10, 0x0700_0000_0000_0004)] {
            blob.extend(mask.to_ne_bytes());
            blob.extend([0; 8]);
            blob.extend(modifier.to_ne_bytes());
        }
        blob
    }

    #[test]
    fn the_blob_s_masks_say_which_formats_go_with_a_modifier() {
        let formats = Formats::from_blob(&blob()).expect("version 1");
        assert_eq!(formats.pairs().len(), 3);
        assert!(formats.has(of(PixelFormat::Nv12), 0x0700_0000_0000_0004));
        assert!(!formats.has(XRGB8888, 0x0700_0000_0000_0004));
        assert!(formats.has_linear(XRGB8888));
        assert!(!formats.has_linear(of(PixelFormat::Yu12)));
    }

    #[test]
    fn a_blob_that_is_cut_or_lies_about_its_lengths_is_refused() {
        let blob = blob();
        for length in 0..blob.len() {
            assert_eq!(Formats::from_blob(&blob[..length]), None, "{length} bytes");
        }
        for at in 0..blob.len() {
            let mut bad = blob.clone();
            bad[at] = 0xff;
            // Whatever it answers, it answers.
            let _ = Formats::from_blob(&bad);
        }
    }
}
