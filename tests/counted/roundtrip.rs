//! Clips and images through ffmpeg's encoders, decoders and scalers: every number comes back.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::counted::{
    expect::Expect,
    generate::{Audio, Clip, Codec, Layout, image, make},
    judge::judge,
    pattern::Rate,
    report::Verdict,
};

fn output(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .expect("ffmpeg is installed");
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn made(folder: &TempDir, name: &str, clip: &Clip) -> PathBuf {
    let path = folder.path().join(name);
    make(clip, &path).expect("the clip is made");
    path
}

/// Decodes with ffmpeg through a filter and judges the result, with its sound from the first frame's time on.
fn judged(path: &Path, filter: &str, expect: &str) -> Verdict {
    let name = path.to_str().expect("a name in Unicode");
    let decode = ["-v", "error", "-copyts", "-i", name];
    let pictures = ["-an", "-vf", filter, "-fps_mode", "passthrough"];
    let y4m = ["-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-"];
    let capture = output("ffmpeg", &[&decode[..], &pictures, &y4m].concat());
    let probed = probe(path, &["-show_entries", "stream=start_time"]);
    let start = probed["streams"][0]["start_time"]
        .as_str()
        .expect("a start");
    let trim = format!("atrim=start={start}");
    let sound = ["-vn", "-af", &trim, "-ar", "48000", "-f", "wav", "-"];
    let sound = output("ffmpeg", &[&decode[..], &sound].concat());
    let mut expect: Expect = expect.parse().expect("a playlist");
    expect.rounds = Some(1);
    judge(capture.as_slice(), Some(&mut sound.as_slice()), &expect).expect("a capture with sound")
}

fn probe(path: &Path, arguments: &[&str]) -> Value {
    let name = path.to_str().expect("a name in Unicode");
    let text = output(
        "ffprobe",
        &[
            &["-v", "error", "-of", "json", "-select_streams", "v", name],
            arguments,
        ]
        .concat(),
    );
    serde_json::from_slice(&text).expect("JSON")
}

const FILTERS: [&str; 6] = [
    "null",
    "scale=160:90",
    "scale=160:90:flags=neighbor",
    "scale=2560:1440:flags=bilinear",
    "scale=300:168,pad=320:320:10:76",
    "scale=240:480",
];

fn all_numbers_come_back(path: &Path, frames: u64, expect: &str) {
    for filter in FILTERS {
        let verdict = judged(path, filter, expect);
        assert!(verdict.passed(), "{filter}: {verdict}");
        assert_eq!(
            (verdict.vblanks, verdict.frames),
            (frames, frames),
            "{filter}"
        );
        let sound = verdict.sound.expect("the clip has sound");
        assert!(
            sound.min_ms > -1.0 && sound.max_ms < 1.0,
            "{filter}: {sound:?}"
        );
    }
    let verdict = judged(
        path,
        "scale=640:480:force_original_aspect_ratio=increase,crop=640:480",
        expect,
    );
    assert_eq!(
        (verdict.unreadable, verdict.frames),
        (frames, 0),
        "a cropped picture has no number: {verdict}"
    );
}

#[test]
fn h264_with_b_frames_comes_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clip = Clip {
        bframes: 2,
        crf: Some(28),
        frames: 60,
        ..Clip::new(3)
    };
    let path = made(&folder, "clip.mp4", &clip);
    all_numbers_come_back(&path, 60, "3:60:25");

    let probed = probe(
        &path,
        &[
            "-show_entries",
            "stream=nb_frames,has_b_frames,color_range,color_space,duration:frame=pict_type",
        ],
    );
    let stream = &probed["streams"][0];
    assert_eq!(
        (&stream["color_range"], &stream["color_space"]),
        (&"tv".into(), &"bt709".into())
    );
    assert_eq!(
        (&stream["nb_frames"], &stream["duration"]),
        (&"60".into(), &"2.400000".into())
    );
    let kinds: Vec<&str> = probed["frames"]
        .as_array()
        .expect("frames")
        .iter()
        .filter_map(|frame| frame["pict_type"].as_str())
        .collect();
    assert!(
        kinds.iter().filter(|kind| **kind == "B").count() > 20,
        "{kinds:?}"
    );
    assert_eq!(kinds[0], "I");
    // A group of 50 frames, then another: it is closed if no frame before the second I frame needs it.
    assert_eq!(kinds.iter().position(|kind| *kind == "I"), Some(0));
    assert_eq!((kinds[49], kinds[50]), ("P", "I"), "{kinds:?}");
}

#[test]
fn hevc_in_fragments_comes_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clip = Clip {
        codec: Codec::Hevc,
        crf: Some(28),
        rate: Rate::hertz(30),
        layout: Layout::Fragmented,
        gop: Some(15),
        ..Clip::new(200)
    };
    let path = made(&folder, "clip.mp4", &clip);
    all_numbers_come_back(&path, 50, "200:50:30");
    let bytes = std::fs::read(&path).expect("the clip");
    let fragments = bytes.windows(4).filter(|four| four == b"moof").count();
    assert!(fragments >= 4, "{fragments} fragments");
    assert_eq!(
        probe(
            &path,
            &["-show_entries", "stream=codec_name,codec_tag_string"]
        )["streams"][0]["codec_tag_string"],
        "hvc1"
    );
}

#[test]
fn vp9_in_webm_comes_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clip = Clip {
        codec: Codec::Vp9,
        crf: Some(28),
        rate: Rate {
            numerator: 30_000,
            denominator: 1001,
        },
        frames: 70,
        ..Clip::new(17)
    };
    let path = made(&folder, "clip.webm", &clip);
    all_numbers_come_back(&path, 70, "17:70:30000/1001");
}

#[test]
fn every_container_and_codec_can_be_made() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases = [
        ("a.mkv", Codec::H264, "h264", "aac"),
        ("b.mov", Codec::Hevc, "hevc", "aac"),
        ("c.ts", Codec::H264, "h264", "aac"),
        ("d.webm", Codec::Vp8, "vp8", "opus"),
        ("e.mkv", Codec::Vp9, "vp9", "opus"),
    ];
    for (name, codec, video, audio) in cases {
        let clip = Clip {
            codec,
            frames: 30,
            size: (320, 180),
            ..Clip::new(5)
        };
        let path = made(&folder, name, &clip);
        let text = path.to_str().expect("a name in Unicode");
        let probed = output(
            "ffprobe",
            &[
                "-v",
                "error",
                "-of",
                "csv=p=0",
                "-show_entries",
                "stream=codec_name",
                text,
            ],
        );
        let mut codecs: Vec<String> = String::from_utf8_lossy(&probed)
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        codecs.dedup();
        assert!(
            codecs.starts_with(&[video.to_owned(), audio.to_owned()]),
            "{name}: {codecs:?}"
        );
        let verdict = judged(&path, "null", "5:30:25");
        assert!(
            verdict.passed() && verdict.frames == 30,
            "{name}: {verdict}"
        );
        let sound = verdict.sound.expect("the clip has sound");
        assert!(
            sound.min_ms > -1.0 && sound.max_ms < 1.0,
            "{name}: {sound:?}"
        );
    }
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("the folder")
        .collect();
    assert_eq!(left.len(), cases.len(), "nothing else is left: {left:?}");
}

#[test]
fn a_clip_can_be_made_without_sound_and_with_its_index_first() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clip = Clip {
        audio: Audio::None,
        layout: Layout::IndexFirst,
        frames: 10,
        ..Clip::new(6)
    };
    let path = made(&folder, "clip.mp4", &clip);
    let streams = output(
        "ffprobe",
        &[
            "-v",
            "error",
            "-show_entries",
            "stream=codec_type",
            "-of",
            "csv=p=0",
            path.to_str().expect("a name"),
        ],
    );
    assert_eq!(String::from_utf8_lossy(&streams).trim(), "video");
    let bytes = std::fs::read(&path).expect("the clip");
    let place = |name: &[u8]| bytes.windows(4).position(|four| four == name);
    assert!(place(b"moov") < place(b"mdat"), "the index comes first");
}

#[test]
fn images_come_back_with_their_colours() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["image.png", "image.jpg", "image.webp"] {
        let path = folder.path().join(name);
        image(9, (480, 270), &path).expect("the image is made");
        let text = path.to_str().expect("a name in Unicode");
        let pixels = output(
            "ffmpeg",
            &[
                "-v", "error", "-i", text, "-pix_fmt", "rgb24", "-f", "rawvideo", "-",
            ],
        );
        let white = &pixels[3 * (2 * 480 + 240)..][..3];
        assert!(
            white.iter().all(|level| (222..=255).contains(level)),
            "{name}: the border is {white:?}"
        );
        let filter = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p";
        let capture = output(
            "ffmpeg",
            &[
                "-v",
                "error",
                "-i",
                text,
                "-vf",
                filter,
                "-f",
                "yuv4mpegpipe",
                "-",
            ],
        );
        let expect: Expect = "9:still:40".parse().expect("a playlist");
        let verdict = judge(capture.as_slice(), None, &expect).expect("a capture");
        assert!(verdict.passed() && verdict.frames == 1, "{name}: {verdict}");
    }
}
