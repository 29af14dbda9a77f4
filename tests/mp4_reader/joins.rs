//! Whether tracks join with themselves, judged by a decoder.

use std::process::Command;

use musebox::domain::mp4::{Codec, Track};

use crate::studio::{Medium, PICTURES, Studio, X264, open};

/// The stream of NAL units with start codes that decoders take without a container, `rounds` times over.
fn elementary(track: &Track, medium: &mut Medium, rounds: usize) -> Vec<u8> {
    let (config, hevc) = match &track.codec {
        Codec::Avc { config, .. } => (config, false),
        Codec::Hevc { config, .. } => (config, true),
        other => panic!("{other:?}"),
    };
    let mut stream = Vec::new();
    let mut unit = |bytes: &[u8]| {
        stream.extend([0, 0, 0, 1]);
        stream.extend(bytes);
    };
    let word = |at: usize| usize::from(config[at]) << 8 | usize::from(config[at + 1]);
    let (mut at, arrays) = match hevc {
        true => (23, usize::from(config[22])),
        false => (5, 2),
    };
    for array in 0..arrays {
        let count = match (hevc, array) {
            (true, _) => word(at + 1),
            (false, 0) => usize::from(config[at] & 31),
            (false, _) => usize::from(config[at]),
        };
        at += if hevc { 3 } else { 1 };
        for _ in 0..count {
            let length = word(at);
            unit(&config[at + 2..at + 2 + length]);
            at += 2 + length;
        }
    }
    let mut cursor = track.cursor();
    let mut sample_bytes = Vec::new();
    for _ in 0..rounds {
        while let Some(sample) = cursor.next(medium).expect("a good file") {
            cursor
                .read(medium, &sample, &mut sample_bytes)
                .expect("a good file");
            let mut rest = sample_bytes.as_slice();
            while let Some((length, after)) = rest.split_first_chunk::<4>() {
                let length = u32::from_be_bytes(*length) as usize;
                unit(&after[..length]);
                rest = &after[length..];
            }
        }
        cursor.restart();
    }
    stream
}

/// The checksums of the pictures that ffmpeg decodes from a stream, in the order in which it puts them out.
fn decoded(studio: &Studio, stream: &[u8], format: &str) -> Vec<String> {
    let path = studio.path("stream");
    std::fs::write(&path, stream).expect("room for a stream");
    let output = Command::new("ffmpeg")
        .args([
            "-nostdin", "-v", "quiet", "-threads", "1", "-f", format, "-i",
        ])
        .arg(&path)
        .args(["-vsync", "passthrough", "-f", "framemd5", "-"])
        .output()
        .expect("ffmpeg is installed");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit(',').next())
        .map(|sum| sum.trim().to_owned())
        .collect()
}

#[test]
fn tracks_join_exactly_where_a_decoder_shows_all_their_pictures_again() {
    let studio = Studio::new();
    let x265 = "-c:v libx265 -x265-params log-level=error:keyint=15:min-keyint=15:scenecut=0";
    studio.ffmpeg(
        &format!("{PICTURES} {X264} -bf 2 -x264-params open-gop=1"),
        "open264.mp4",
    );
    studio.ffmpeg(&format!("{PICTURES} {x265}"), "open265.mp4");
    studio.ffmpeg(
        &format!("{PICTURES} {x265}:bframes=0:open-gop=1"),
        "plain265.mp4",
    );
    studio.ffmpeg(&format!("{PICTURES} {X264} -crf 20 -f h264"), "one.264");
    studio.ffmpeg(
        &format!("{PICTURES} {X264} -crf 40 -s 128x96 -f h264"),
        "two.264",
    );
    // Cut at the second random access picture, so that the file begins with it.
    let cut = "-c copy -bsf:v noise=drop=lt(n\\,15)";
    let trim = "-c copy -bsf:v filter_units=remove_types=8-9";
    // The name, how it is made, whether it joins, and whether a decoder shows the same pictures in a second round.
    let files = [
        (
            "closed264.mp4",
            format!("{PICTURES} {X264} -bf 2"),
            true,
            true,
        ),
        (
            "plain264.mp4",
            format!("{PICTURES} {X264} -bf 0"),
            true,
            true,
        ),
        ("open264.mp4", String::new(), true, true),
        ("open265.mp4", String::new(), true, true),
        (
            "closed265.mp4",
            format!("{PICTURES} {x265}:open-gop=0"),
            true,
            true,
        ),
        (
            "inband.mp4",
            format!("{PICTURES} {x265}:open-gop=0:repeat-headers=1 -tag:v hev1"),
            true,
            true,
        ),
        ("cut264.mp4", format!("-i open264.mp4 {cut}"), false, false),
        ("cut265.mp4", format!("-i open265.mp4 {cut}"), false, false),
        (
            "trimmed265.mp4",
            format!("-i cut265.mp4 {trim}"),
            false,
            false,
        ),
        (
            "cutplain265.mp4",
            format!("-i plain265.mp4 {cut}"),
            true,
            true,
        ),
        // Other parameter sets at the end: the software decoder copes, not every one does.
        (
            "changed.mp4",
            "-r 30 -i concat:one.264|two.264 -c copy".to_owned(),
            false,
            true,
        ),
    ];
    for (name, arguments, joins, same) in files {
        let path = match arguments.is_empty() {
            true => studio.path(name),
            false => studio.ffmpeg(&arguments, name),
        };
        let (movie, mut medium) = open(&path);
        let track = &movie.tracks[0];
        let format = match track.codec {
            Codec::Hevc { .. } => "hevc",
            _ => "h264",
        };
        let once = decoded(&studio, &elementary(track, &mut medium, 1), format);
        let twice = decoded(&studio, &elementary(track, &mut medium, 2), format);
        assert!(once.len() >= 28, "{name}: {} pictures", once.len());
        assert_eq!(twice == [once.clone(), once].concat(), same, "{name}");
        assert_eq!(track.joinable(&mut medium), Ok(joins), "{name}");
    }
}
