//! The sample media: made by their script, and judged by ffprobe and ffmpeg.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sample/make")
}

/// What a command writes to its standard output.
fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("it runs");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {complaint}");
    output.stdout
}

fn make(folder: &Path) -> PathBuf {
    let path = output(Command::new(script()).arg(folder));
    PathBuf::from(String::from_utf8(path).expect("a path").trim_end())
}

fn probe(file: &Path, entries: &str) -> Value {
    let out = output(
        Command::new("ffprobe")
            .args(["-v", "error", "-of", "json", "-show_entries", entries])
            .arg(file),
    );
    serde_json::from_slice(&out).expect("JSON")
}

/// All frames of a video as 64x36 grey pixels.
fn frames(file: &Path) -> Vec<Vec<u8>> {
    let bytes = output(
        Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-i"])
            .arg(file)
            .args([
                "-vf",
                "scale=64:36:flags=area,format=gray",
                "-f",
                "rawvideo",
                "-",
            ]),
    );
    bytes.chunks_exact(64 * 36).map(<[u8]>::to_vec).collect()
}

/// The mean difference of two frames' pixels.
fn difference(a: &[u8], b: &[u8]) -> f64 {
    let sum: u64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    sum as f64 / a.len() as f64
}

fn video_is_a_loop(file: &Path, rate: &str, count: usize) {
    let found = probe(
        file,
        "stream=codec_name,width,height,r_frame_rate,nb_frames,duration,pix_fmt,color_range,color_space,\
         color_primaries,color_transfer",
    );
    let video = &found["streams"][0];
    for (key, value) in [
        ("codec_name", "h264"),
        ("pix_fmt", "yuv420p"),
        ("r_frame_rate", rate),
        ("nb_frames", &count.to_string()),
        ("duration", "8.000000"),
        ("color_range", "tv"),
        ("color_space", "bt709"),
        ("color_primaries", "bt709"),
        ("color_transfer", "bt709"),
    ] {
        assert_eq!(video[key], value, "{key} of {}", file.display());
    }
    assert_eq!(
        (&video["width"], &video["height"]),
        (&1280.into(), &720.into())
    );

    // Every frame moves a little, and from the last to the first no more than elsewhere.
    let frames = frames(file);
    assert_eq!(frames.len(), count);
    let steps: Vec<f64> = frames
        .windows(2)
        .map(|pair| difference(&pair[0], &pair[1]))
        .collect();
    let largest = steps.iter().copied().fold(0.0, f64::max);
    let mean = steps.iter().sum::<f64>() / steps.len() as f64;
    let seam = difference(&frames[count - 1], &frames[0]);
    assert!(mean > 0.05, "{}: {mean}", file.display());
    assert!(
        seam < 1.1 * largest && largest < 3.0 * mean,
        "{seam}, {largest}, {mean}"
    );

    // The stream begins with an IDR picture and every key frame is one: NAL type 5, so that no GOP leans on another.
    let stream = output(
        Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-i"])
            .arg(file)
            .args([
                "-map",
                "0:v",
                "-c",
                "copy",
                "-bsf:v",
                "h264_mp4toannexb",
                "-f",
                "h264",
                "-",
            ]),
    );
    let types: Vec<u8> = stream
        .windows(4)
        .filter(|at| at[..3] == [0, 0, 1])
        .map(|at| at[3] & 0x1f)
        .collect();
    let slices: Vec<u8> = types
        .iter()
        .copied()
        .filter(|kind| matches!(kind, 1 | 5))
        .collect();
    assert_eq!(slices.first(), Some(&5));
    let packets = probe(file, "packet=stream_index,flags");
    let keys = packets["packets"]
        .as_array()
        .expect("packets")
        .iter()
        .filter(|packet| {
            packet["stream_index"] == 0
                && packet["flags"]
                    .as_str()
                    .is_some_and(|flags| flags.starts_with('K'))
        });
    assert_eq!(slices.len(), count, "one slice a picture");
    let idr = slices
        .chunk_by(|a, b| a == b)
        .filter(|run| run[0] == 5)
        .count();
    assert_eq!(keys.count(), idr);
    assert_eq!(idr, 4, "a GOP of two seconds");
}

#[test]
fn the_sample_is_made_whole_small_and_seamless() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("cache/sample");
    let playlist = make(&target);
    assert_eq!(playlist, target.join("sample.json"));

    video_is_a_loop(&target.join("tide.mp4"), "30/1", 240);
    video_is_a_loop(&target.join("mobile.mp4"), "60/1", 480);

    let sound = probe(
        &target.join("tide.mp4"),
        "stream=codec_name,channels,sample_rate,duration",
    );
    let sound = &sound["streams"][1];
    assert_eq!(sound["codec_name"], "aac");
    assert_eq!(
        (&sound["channels"], &sound["sample_rate"]),
        (&2.into(), &"48000".into())
    );
    assert_eq!(sound["duration"], "8.000000");
    let image = probe(&target.join("dunes.jpg"), "stream=codec_name,width,height");
    let image = &image["streams"][0];
    assert_eq!(
        (&image["width"], &image["height"]),
        (&1920.into(), &1080.into())
    );

    // The playlist names what is there and nothing else; a track of one item is among its montages.
    let text = std::fs::read_to_string(&playlist).expect("the playlist");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let montages = json["montages"].as_array().expect("montages");
    let mut sources = Vec::new();
    let mut sizes = Vec::new();
    for montage in montages {
        let tracks = montage["tracks"].as_array().expect("tracks");
        assert_eq!(tracks.len(), 1);
        let items = tracks[0]["items"].as_array().expect("items");
        sizes.push(items.len());
        sources.extend(
            items
                .iter()
                .map(|item| item["src"].as_str().expect("a src").to_owned()),
        );
    }
    assert_eq!(sizes, [3, 1]);
    sources.push("sample.json".to_owned());
    sources.sort();
    sources.dedup();
    let mut found = Vec::new();
    let mut bytes = 0;
    for entry in std::fs::read_dir(&target).expect("the folder") {
        let entry = entry.expect("an entry");
        bytes += entry.metadata().expect("its size").len();
        found.push(entry.file_name().into_string().expect("a plain name"));
    }
    found.sort();
    assert_eq!(found, sources);
    assert!(bytes < 6_000_000, "{bytes}");

    // Made once: the second time it is found. And nothing is left beside it.
    let made = std::fs::metadata(&playlist)
        .and_then(|data| data.modified())
        .expect("a time");
    assert_eq!(make(&target), playlist);
    let found = std::fs::metadata(&playlist)
        .and_then(|data| data.modified())
        .expect("a time");
    assert_eq!(made, found);
    let beside = std::fs::read_dir(folder.path().join("cache"))
        .expect("the cache")
        .count();
    assert_eq!(beside, 1);
}

#[test]
fn a_failed_run_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("sample");
    let tools = folder.path().join("tools");
    std::fs::create_dir(&tools).expect("a folder");
    // An ffmpeg that always fails stands before the real one.
    std::os::unix::fs::symlink("/bin/false", tools.join("ffmpeg")).expect("a link");
    let path = std::env::var("PATH").expect("a path");
    let output = Command::new(script())
        .arg(&target)
        .env("PATH", format!("{}:{path}", tools.display()))
        .output()
        .expect("it runs");
    assert!(!output.status.success());
    assert!(!target.exists());
    assert_eq!(
        std::fs::read_dir(folder.path())
            .expect("the folder")
            .count(),
        1
    );
}
