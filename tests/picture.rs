//! Still pictures as files and other programs have them: every orientation, every pixel form, and what is no picture.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use musebox::{
    domain::{sequencer::FailureKind, units::Size},
    picture::{
        Limit, Limits, Picture, PictureError,
        card::{Card, FailedItem, IdleCard, draw},
        encode_jpeg, encode_png,
        image::{decode, decode_within},
    },
};

type Rgb = [u8; 3];

const RED: Rgb = [220, 30, 30];
const GREEN: Rgb = [30, 200, 40];
const BLUE: Rgb = [40, 50, 220];
const GREY: Rgb = [200, 200, 200];

/// 48x32 pixels with a colour in each quarter: red and green above, blue and grey below.
fn quarters() -> Picture {
    let size = Size::new(48, 32);
    let colour = |at: u32| match (at % 48 < 24, at / 48 < 16) {
        (true, true) => RED,
        (false, true) => GREEN,
        (true, false) => BLUE,
        (false, false) => GREY,
    };
    let rgba = (0..48 * 32).flat_map(|at| {
        let [red, green, blue] = colour(at);
        [red, green, blue, 255]
    });
    Picture {
        size,
        rgba: rgba.collect(),
    }
}

/// The colours in the middle of the upper left, upper right, lower left and lower right quarter.
fn seen(picture: &Picture) -> [Rgb; 4] {
    let Size { width, height } = picture.size;
    [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| {
        let at = ((y * height / 4) * width + x * width / 4) as usize * 4;
        [picture.rgba[at], picture.rgba[at + 1], picture.rgba[at + 2]]
    })
}

fn alike(a: &[Rgb], b: &[Rgb], by: u8) -> bool {
    a.len() == b.len()
        && a.as_flattened()
            .iter()
            .zip(b.as_flattened())
            .all(|(a, b)| a.abs_diff(*b) <= by)
}

/// An EXIF block (TIFF, big-endian) that says nothing but the orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0\x2a\0\0\0\x08\0\x01".to_vec();
    block.extend([
        0x01,
        0x12,
        0,
        3,
        0,
        0,
        0,
        1,
        0,
        orientation,
        0,
        0,
        0,
        0,
        0,
        0,
    ]);
    block
}

fn jpeg_with_exif(picture: &Picture, orientation: u8) -> Vec<u8> {
    let jpeg = encode_jpeg(picture, 95).expect("a JPEG");
    let block = [b"Exif\0\0".to_vec(), exif(orientation)].concat();
    let length = (block.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &block, &jpeg[2..]].concat()
}

fn png_chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let named = [name, data].concat();
    let crc = !named.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1))
        })
    });
    [
        &(data.len() as u32).to_be_bytes(),
        &named[..],
        &crc.to_be_bytes(),
    ]
    .concat()
}

fn png_with_exif(picture: &Picture, orientation: u8) -> Vec<u8> {
    let png = encode_png(picture).expect("a PNG");
    // After the signature (8 bytes) and IHDR (25).
    [
        &png[..33],
        &png_chunk(b"eXIf", &exif(orientation)),
        &png[33..],
    ]
    .concat()
}

fn png_header(width: u32, height: u32) -> Vec<u8> {
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = png_chunk(b"IHDR", &[&sides[..], &[8, 6, 0, 0, 0]].concat());
    let data = png_chunk(b"IDAT", &[0x78, 0x9c, 0x63, 0, 0, 0, 1, 0, 1]);
    [
        b"\x89PNG\r\n\x1a\n",
        &header[..],
        &data,
        &png_chunk(b"IEND", b""),
    ]
    .concat()
}

/// Lets ffmpeg write the quarters in another form.
fn ffmpeg(arguments: &[&str], name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("quarters.png");
    std::fs::write(&source, encode_png(&quarters()).expect("a PNG")).expect("it writes");
    let target = folder.path().join(name);
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(&source)
        .args(arguments)
        .arg(&target)
        .status()
        .expect("ffmpeg runs");
    assert!(status.success(), "{name}");
    std::fs::read(&target).expect("ffmpeg wrote it")
}

#[test]
fn every_exif_orientation_is_turned_upright() {
    // Where the stored picture's row 0 and column 0 belong, as the EXIF standard (2.3, table of tag 0x0112) has it,
    // and hence what is seen in the four quarters.
    let upright = [
        (1, [RED, GREEN, BLUE, GREY]), // row 0 at the top, column 0 at the left
        (2, [GREEN, RED, GREY, BLUE]), // top, right
        (3, [GREY, BLUE, GREEN, RED]), // bottom, right
        (4, [BLUE, GREY, RED, GREEN]), // bottom, left
        (5, [RED, BLUE, GREEN, GREY]), // left, top
        (6, [BLUE, RED, GREY, GREEN]), // right, top
        (7, [GREY, GREEN, BLUE, RED]), // right, bottom
        (8, [GREEN, GREY, RED, BLUE]), // left, bottom
    ];
    for (orientation, expected) in upright {
        let size = if orientation < 5 {
            Size::new(48, 32)
        } else {
            Size::new(32, 48)
        };
        for bytes in [
            jpeg_with_exif(&quarters(), orientation),
            png_with_exif(&quarters(), orientation),
        ] {
            let picture = decode(&bytes, Limits::default()).expect("a picture");
            assert_eq!(picture.size, size, "orientation {orientation}");
            let seen = seen(&picture);
            assert!(
                alike(&seen, &expected, 12),
                "orientation {orientation}: {seen:?}"
            );
            // What fits is decided upright, not as it is stored.
            let small =
                decode_within(&bytes, Limits::default(), Size::new(16, 1000)).expect("a picture");
            let width = size.width.min(16);
            assert_eq!(small.size.width, width, "orientation {orientation}");
            let height = (size.height * width + size.width / 2) / size.width;
            assert_eq!(small.size.height, height, "orientation {orientation}");
        }
    }
    let odd = decode(&jpeg_with_exif(&quarters(), 9), Limits::default()).expect("a picture");
    assert!(alike(&seen(&odd), &[RED, GREEN, BLUE, GREY], 12));
}

#[test]
fn every_pixel_form_is_read() {
    let all = [RED, GREEN, BLUE, GREY];
    let colour: [(&[&str], &str, u8); 8] = [
        (&["-pix_fmt", "rgb48be"], "a.png", 1),
        (&["-pix_fmt", "rgba64be"], "a.png", 1),
        (
            &[
                "-vf",
                "split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none",
            ],
            "a.png",
            8,
        ),
        (&["-c:v", "libwebp", "-lossless", "1"], "a.webp", 1),
        (&["-c:v", "libwebp", "-quality", "95"], "a.webp", 14),
        (
            &["-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "2"],
            "a.jpg",
            14,
        ),
        (
            &["-c:v", "mjpeg", "-pix_fmt", "yuvj422p", "-q:v", "2"],
            "a.jpg",
            14,
        ),
        // Moving: the quarters first, then nothing but black.
        (
            &[
                "-vf",
                "loop=2:1:0,drawbox=t=fill:color=black:enable='gte(n,1)'",
                "-c:v",
                "libwebp_anim",
                "-lossless",
                "1",
            ],
            "a.webp",
            1,
        ),
    ];
    for (arguments, name, by) in colour {
        let picture = decode(&ffmpeg(arguments, name), Limits::default()).expect(name);
        assert_eq!(picture.size, Size::new(48, 32), "{arguments:?}");
        let seen = seen(&picture);
        assert!(alike(&seen, &all, by), "{arguments:?}: {seen:?}");
    }
    for form in ["gray", "gray16be", "monob"] {
        let picture = decode(&ffmpeg(&["-pix_fmt", form], "a.png"), Limits::default()).expect(form);
        let seen = seen(&picture);
        assert!(
            seen.iter().all(|[r, g, b]| r == g && g == b),
            "{form}: {seen:?}"
        );
        assert!(seen[3][0] > seen[0][0], "{form}: {seen:?}");
    }
}

#[test]
fn transparency_is_laid_on_black() {
    let half = ffmpeg(&["-vf", "format=rgba,colorchannelmixer=aa=0.5"], "a.png");
    let picture = decode(&half, Limits::default()).expect("a PNG");
    let halved = [RED, GREEN, BLUE, GREY].map(|colour| colour.map(|channel| channel / 2));
    assert!(alike(&seen(&picture), &halved, 2), "{:?}", seen(&picture));
    assert!(
        picture
            .rgba
            .iter()
            .skip(3)
            .step_by(4)
            .all(|&alpha| alpha == 255)
    );
}

#[test]
fn cmyk_is_read() {
    // One block, every coefficient table entry 8, so the only coefficient sent is the mean minus 128. Two codes:
    // 0 for a difference of 0, 10 for one of 7 bits. Adobe's way: 255 is no ink.
    let mut jpeg = vec![0xff, 0xd8, 0xff, 0xee, 0, 14];
    jpeg.extend(b"Adobe\0\x64\0\0\0\0\0");
    jpeg.extend([0xff, 0xdb, 0, 67, 0]);
    jpeg.extend([8; 64]);
    jpeg.extend([0xff, 0xc0, 0, 20, 8, 0, 8, 0, 8, 4]);
    jpeg.extend([1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0]);
    jpeg.extend([
        0xff, 0xc4, 0, 21, 0x00, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,
    ]);
    jpeg.extend([
        0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
    jpeg.extend([0xff, 0xda, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0]);
    // Cyan +100: 10 1100100, end 0; magenta 0: 0 0; yellow -100: 10 0011011, end 0; black 0: 0 0; filled with ones.
    let bits = "10110010000010001101100".to_owned() + "01";
    let bits = format!("{bits}{}", "1".repeat((8 - bits.len() % 8) % 8));
    jpeg.extend(
        bits.as_bytes()
            .chunks(8)
            .map(|byte| byte.iter().fold(0, |sum, bit| sum * 2 + (bit - b'0'))),
    );
    jpeg.extend([0xff, 0xd9]);
    let picture = decode(&jpeg, Limits::default()).expect("a CMYK JPEG");
    assert_eq!(picture.size, Size::new(8, 8));
    let expected = [228, 128, 28].map(|ink| (ink * 128 / 255) as u8);
    assert!(
        alike(&seen(&picture), &[expected; 4], 4),
        "{:?}",
        seen(&picture)
    );
}

#[test]
fn what_is_no_picture_is_refused_by_its_kind() {
    let refused = |bytes: &[u8]| decode(bytes, Limits::default()).expect_err("no picture");
    assert_eq!(refused(b""), PictureError::Empty);
    assert_eq!(refused(b"").kind(), FailureKind::Corrupt);
    for bytes in [
        &b"It is a truth universally acknowledged"[..],
        b"\0",
        b"\xff\xd8",
        b"\xff\xd8\xff",
        b"RIFF",
    ] {
        let err = refused(bytes);
        assert!(matches!(err, PictureError::Corrupt(_)), "{err:?}");
        assert_eq!(err.kind(), FailureKind::Corrupt);
    }
    for bytes in [
        &b"GIF89a\x01\0\x01\0"[..],
        b"BM\0\0\0\0",
        b"\0\0\0\x1cftypheic",
    ] {
        let err = refused(bytes);
        assert!(matches!(err, PictureError::Unsupported(_)), "{err:?}");
        assert_eq!(err.kind(), FailureKind::Unsupported);
    }
}

#[test]
fn a_monstrous_png_is_refused_at_once() {
    let begun = Instant::now();
    let refused = |width, height, limits| decode(&png_header(width, height), limits);
    let large = |width, height, limit| {
        Err(PictureError::TooLarge {
            size: Size::new(width, height),
            limit,
        })
    };
    let limits = Limits::default();
    assert_eq!(
        refused(100_000, 100_000, limits),
        large(100_000, 100_000, Limit::Side(16_384))
    );
    assert_eq!(
        refused(16_385, 1, limits),
        large(16_385, 1, Limit::Side(16_384))
    );
    assert_eq!(
        refused(16_384, 16_384, limits),
        large(16_384, 16_384, Limit::Pixels(128 << 20))
    );
    let bytes = Limits {
        max_bytes: 1000,
        ..limits
    };
    assert_eq!(refused(16, 16, bytes), large(16, 16, Limit::Bytes(1000)));
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    let message = refused(100_000, 100_000, limits)
        .expect_err("too large")
        .to_string();
    assert_eq!(
        message,
        "the picture is too large: 100000x100000, and 16384 pixels a side are allowed"
    );
}

/// Whole files of each format: baseline and 4:2:0 JPEG, PNG, lossless and lossy WebP.
fn whole() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("JPEG", encode_jpeg(&quarters(), 90).expect("a JPEG")),
        (
            "4:2:0 JPEG",
            ffmpeg(&["-c:v", "mjpeg", "-pix_fmt", "yuvj420p"], "a.jpg"),
        ),
        ("PNG", encode_png(&quarters()).expect("a PNG")),
        (
            "lossless WebP",
            ffmpeg(&["-c:v", "libwebp", "-lossless", "1"], "a.webp"),
        ),
        ("lossy WebP", ffmpeg(&["-c:v", "libwebp"], "a.webp")),
    ]
}

#[test]
fn a_truncated_file_is_corrupt_wherever_it_ends() {
    for (name, bytes) in whole() {
        assert!(decode(&bytes, Limits::default()).is_ok(), "{name}");
        // A PNG's last 12 bytes hold nothing; all its pixels are there without them. RIFF pads to even lengths.
        let spare = match name {
            "PNG" => 12,
            "JPEG" | "4:2:0 JPEG" => 0,
            _ => 1,
        };
        for end in 1..bytes.len() - spare {
            let err = decode(&bytes[..end], Limits::default());
            assert!(
                matches!(err, Err(PictureError::Corrupt(_))),
                "{name}, {end} of {} bytes: {err:?}",
                bytes.len()
            );
        }
    }
}

#[test]
fn damaged_files_are_read_or_refused_and_nothing_else() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let limits = Limits {
        max_side: 4096,
        max_pixels: 1 << 20,
        max_bytes: 8 << 20,
    };
    for (name, whole) in whole() {
        for round in 0..3000 {
            let mut bytes = whole.clone();
            for _ in 0..=random(6) {
                let at = random(bytes.len());
                bytes[at] = random(256) as u8;
            }
            if let Err(err) = decode(&bytes, limits) {
                assert!(!err.to_string().contains("gave up"), "{name}, {round}");
                assert!(
                    !matches!(err, PictureError::Internal(_)),
                    "{name}, {round}: {err}"
                );
            }
        }
    }
}

#[test]
fn cards_are_the_same_every_time_and_take_any_text() {
    let texts = [
        "Foyer & Bar <east>",
        "]]></text><image href='file:///etc/passwd'/>",
        "東京ギャラリー",
        "מוזיאון העיר",
        "ห้องโถง 🖼 ﷽ \u{202e}drawkcab",
        "\u{0}\u{8}\u{1b}[31m\r\n\t",
        "",
        "   ",
        "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
    ];
    for text in texts {
        let text = text.to_owned();
        let idle = Card::Idle(IdleCard {
            name: text.clone(),
            address: Some(text.clone()),
            waits_for: text.clone(),
            detail: vec![text.clone()],
        });
        let failed = Card::AllFailed(vec![FailedItem {
            title: text.clone(),
            reason: text.clone(),
        }]);
        for card in [idle, failed] {
            let once = draw(&card, Size::new(640, 360)).expect("a card");
            assert_eq!(
                once,
                draw(&card, Size::new(640, 360)).expect("a card"),
                "{text:?}"
            );
        }
    }
    let million = Card::Idle(IdleCard {
        name: "word ".repeat(200_000),
        waits_for: "x".repeat(1_000_000),
        ..IdleCard::default()
    });
    let begun = Instant::now();
    assert!(draw(&million, Size::new(1280, 720)).is_ok());
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn the_fonts_come_with_their_licence() {
    let fonts = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/picture/fonts");
    let licence = std::fs::read_to_string(fonts.join("OFL.txt")).expect("the licence");
    for entry in std::fs::read_dir(&fonts).expect("the fonts") {
        let name = entry
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("a plain name");
        assert!(name == "OFL.txt" || licence.contains(&name), "{name}");
    }
}
