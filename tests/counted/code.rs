//! The code in the picture: read back after everything that may happen to a picture, and never read wrongly.

use proptest::prelude::*;

use crate::counted::{
    draw::{Artist, Picture, flashes},
    pattern::{BLOCKS, Eye, Luma, Mark, Rate, STILL, Sight, bits, parse},
};

fn look(picture: &Picture) -> Sight {
    Eye::default().look(picture.as_luma())
}

fn drawn(id: u8, number: u32, width: usize, height: usize) -> Picture {
    let artist = Artist::new(id, width, height, Rate::hertz(25), 50).expect("a good size");
    artist.frame(number)
}

/// Scales by averaging what lies under each pixel; luma only, which is all that is looked at.
fn scaled(picture: &Picture, width: usize, height: usize) -> Picture {
    let mut result = Picture::black(width, height);
    let span = |index: usize, of: usize, from: usize| {
        let start = index * from / of;
        start..((index + 1) * from / of).max(start + 1)
    };
    for y in 0..height {
        for x in 0..width {
            let (rows, columns) = (
                span(y, height, picture.height),
                span(x, width, picture.width),
            );
            let (mut sum, mut count) = (0, 0);
            for row in rows {
                for column in columns.clone() {
                    sum += u32::from(picture.luma[row * picture.width + column]);
                    count += 1;
                }
            }
            result.luma[y * width + x] = (sum / count) as u8;
        }
    }
    result
}

/// Puts a picture on black, at a place.
fn framed(picture: &Picture, width: usize, height: usize, left: usize, top: usize) -> Picture {
    let mut result = Picture::black(width, height);
    for (row, line) in picture.luma.chunks(picture.width).enumerate() {
        let start = (top + row) * width + left;
        result.luma[start..start + picture.width].copy_from_slice(line);
    }
    result
}

/// Noise that is the same in every run of a case.
fn add_noise(picture: &mut Picture, seed: u32, strength: u32) {
    let mut state = seed | 1;
    for level in &mut picture.luma {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (state >> 16) % (2 * strength + 1);
        *level = (u32::from(*level) + noise)
            .saturating_sub(strength)
            .min(255) as u8;
    }
}

proptest! {
    #[test]
    fn bits_come_back(id: u8, number in 0..=STILL) {
        prop_assert_eq!(parse(bits(id, number)), Some((id, number)));
    }

    #[test]
    fn up_to_three_wrong_bits_are_noticed(id: u8, number in 0..=STILL, wrong in prop::collection::hash_set(0..BLOCKS, 1..4)) {
        let mut bits = bits(id, number);
        for block in wrong {
            bits[block] = !bits[block];
        }
        prop_assert_eq!(parse(bits), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_scaled_stretched_framed_and_noisy_frame_is_read(
        (id, number) in (any::<u8>(), 0..=STILL),
        (width, height) in (80..=400usize, 45..=300usize),
        (left, top) in (0..120usize, 0..80usize),
        (seed, strength) in (any::<u32>(), 0..=10u32),
    ) {
        let original = drawn(id, number, 320, 180);
        let picture = scaled(&original, width / 2 * 2, height / 2 * 2);
        let mut capture = framed(&picture, picture.width + 2 * left, picture.height + 2 * top, left, top);
        add_noise(&mut capture, seed, strength);
        let lit = number < 2 || number == 25 || number == 26;
        prop_assert_eq!(look(&capture), Sight::Frame(Mark { id, number, lit }));
    }

    #[test]
    fn damage_makes_a_frame_unreadable_and_never_wrong(
        (id, number) in (any::<u8>(), 0..STILL),
        (left, top) in (0..128usize, 0..72usize),
        (width, height) in (1..128usize, 1..72usize),
        other in (any::<u8>(), 0..STILL),
        (level, from_other) in (any::<u8>(), any::<bool>()),
    ) {
        let mut picture = drawn(id, number, 128, 72);
        let intruder = drawn(other.0, other.1, 128, 72);
        for y in top..(top + height).min(72) {
            for x in left..(left + width).min(128) {
                let place = y * 128 + x;
                picture.luma[place] = if from_other { intruder.luma[place] } else { level };
            }
        }
        if let Sight::Frame(mark) = look(&picture) {
            let seen = (mark.id, mark.number);
            prop_assert!(seen == (id, number) || (from_other && seen == other), "{mark:?}");
        }
    }

    #[test]
    fn a_cropped_frame_is_unreadable(
        (id, number) in (any::<u8>(), 0..=STILL),
        (left, right) in (0..60usize, 0..60usize),
        (top, bottom) in (0..40usize, 0..40usize),
    ) {
        prop_assume!(left.max(right) >= 8 || top.max(bottom) >= 8);
        let picture = drawn(id, number, 320, 180);
        let mut cropped = Picture::black(320 - left - right, 180 - top - bottom);
        for y in 0..cropped.height {
            let start = (top + y) * 320 + left;
            let line = y * cropped.width..(y + 1) * cropped.width;
            cropped.luma[line].copy_from_slice(&picture.luma[start..start + 320 - left - right]);
        }
        prop_assert_eq!(look(&cropped), Sight::Unreadable);
    }

    #[test]
    fn noise_is_never_a_frame(pixels in prop::collection::vec(any::<u8>(), 0..4000), width in 0..90usize) {
        let height = pixels.len().checked_div(width).unwrap_or(0);
        let luma = Luma { width, height, pixels: &pixels };
        prop_assert!(!matches!(Eye::default().look(luma), Sight::Frame(_)));
    }
}

#[test]
fn black_with_a_little_noise_is_black_and_grey_is_not() {
    let mut picture = Picture::black(320, 180);
    assert_eq!(look(&picture), Sight::Black);
    add_noise(&mut picture, 7, 10);
    assert_eq!(look(&picture), Sight::Black);
    picture.luma[5000..5100].fill(60);
    assert_eq!(look(&picture), Sight::Unreadable);
    picture.luma.fill(40);
    assert_eq!(look(&picture), Sight::Unreadable);
}

#[test]
fn the_eye_follows_when_the_next_picture_lies_elsewhere() {
    let mut eye = Eye::default();
    let wide = framed(&drawn(1, 5, 320, 180), 320, 240, 0, 30);
    let high = framed(&drawn(2, 6, 180, 240), 320, 240, 70, 0);
    for (picture, id, number) in [(&wide, 1, 5), (&high, 2, 6), (&wide, 1, 5)] {
        let mark = Mark {
            id,
            number,
            lit: false,
        };
        assert_eq!(eye.look(picture.as_luma()), Sight::Frame(mark));
    }
}

#[test]
fn flashes_begin_with_each_second_and_leave_room_for_the_loop() {
    let ntsc = Rate {
        numerator: 30_000,
        denominator: 1001,
    };
    for (rate, frames, expected) in [
        (Rate::hertz(25), 50, vec![0, 25]),
        (Rate::hertz(60), 61, vec![0]),
        (Rate::hertz(60), 72, vec![0, 60]),
        (ntsc, 100, vec![0, 30, 60, 90]),
        (Rate::hertz(25), 1, vec![0]),
        (Rate::hertz(2), 5, vec![0, 2, 4]),
    ] {
        assert_eq!(
            flashes(rate, frames).collect::<Vec<_>>(),
            expected,
            "{frames} at {rate}"
        );
        let artist = Artist::new(1, 96, 54, rate, frames).expect("a good size");
        for start in expected {
            assert!(artist.is_lit(start), "frame {start} at {rate}");
            assert!(
                start == 0 || !artist.is_lit(start - 1),
                "frame {start} at {rate}"
            );
        }
    }
}

#[test]
fn sizes_that_cannot_carry_the_code_are_refused() {
    for (width, height) in [
        (0, 0),
        (94, 54),
        (96, 52),
        (641, 360),
        (640, 361),
        (20_000, 360),
    ] {
        assert!(
            Artist::new(1, width, height, Rate::hertz(25), 50).is_err(),
            "{width}x{height}"
        );
    }
}
