//! The MP4 reader against files of foreign writers (ffmpeg, GStreamer), judged by foreign readers (ffprobe, re_mp4,
//! mp4-atom, a decoder).

#![allow(clippy::disallowed_methods)] // The list is for the domain.

mod joins;
mod studio;

use std::{fs::File, path::Path};

use musebox::domain::{
    mp4::{Codec, Movie, Mp4Error, Sample, SampleCursor, Track, TrackKind},
    units::MediaTime,
};

use crate::studio::{Medium, PICTURES, SOUND, Studio, X264, ffprobe, number, open};

/// What ffprobe says of a packet.
#[derive(Debug, PartialEq, Eq)]
struct Packet {
    offset: u64,
    size: u64,
    pts: i64,
    dts: i64,
    sync: bool,
    shown: bool,
}

/// The packets of a stream, and its time scale.
fn packets(path: &Path, stream: usize) -> (Vec<Packet>, u32) {
    let found = ffprobe(
        path,
        &format!("-show_packets -show_streams -select_streams {stream}"),
    );
    let base = found["streams"][0]["time_base"]
        .as_str()
        .expect("a time base");
    let scale = base
        .strip_prefix("1/")
        .and_then(|scale| scale.parse().ok())
        .expect("a time base of 1/n");
    let packets = found["packets"]
        .as_array()
        .expect("packets")
        .iter()
        .map(|packet| {
            let flags = packet["flags"].as_str().expect("flags");
            Packet {
                offset: number(&packet["pos"]) as u64,
                size: number(&packet["size"]) as u64,
                pts: number(&packet["pts"]),
                dts: number(&packet["dts"]),
                sync: flags.contains('K'),
                shown: !flags.contains('D'),
            }
        })
        .collect();
    (packets, scale)
}

/// All samples of a track.
fn samples(track: &Track, medium: &mut Medium) -> Vec<Sample> {
    let mut cursor = track.cursor();
    let mut samples = Vec::new();
    while let Some(sample) = cursor.next(medium).expect("a good file") {
        samples.push(sample);
    }
    cursor.restart();
    let again: Vec<_> = std::iter::from_fn(|| cursor.next(medium).expect("a good file")).collect();
    assert_eq!(samples, again, "a second round is as the first");
    samples
}

/// What must hold of any track that plays.
fn check_order(name: &str, track: &Track, samples: &[Sample]) {
    for pair in samples.windows(2) {
        assert!(pair[0].dts <= pair[1].dts, "{name}: {pair:?}");
    }
    let mut shown: Vec<_> = samples.iter().filter(|sample| sample.shown).collect();
    for sample in &shown {
        assert!(sample.dts <= sample.pts, "{name}: {sample:?}");
        assert!(sample.pts < track.duration, "{name}: {sample:?}");
    }
    shown.sort_by_key(|sample| sample.pts);
    let last = shown.last().expect("something is shown");
    let end = last.pts + last.duration;
    match track.kind {
        TrackKind::Video => assert_eq!(end, track.duration, "{name}"),
        _ => assert!(end >= track.duration, "{name}"),
    }
}

/// Our samples, and ffprobe's, in the same words.
type Row = (u64, u64, i64, i64, bool, bool);

fn our_rows(samples: &[Sample]) -> Vec<Row> {
    samples
        .iter()
        .map(|s| {
            let (pts, dts) = (s.pts.nanos(), s.dts.nanos());
            (s.offset, s.size.into(), pts, dts, s.sync, s.shown)
        })
        .collect()
}

fn their_rows(packets: &[Packet], scale: u32) -> Vec<Row> {
    let time = |ticks| MediaTime::from_scale(ticks, scale).nanos();
    packets
        .iter()
        .map(|p| (p.offset, p.size, time(p.pts), time(p.dts), p.sync, p.shown))
        .collect()
}

#[test]
fn samples_are_those_that_ffprobe_sees() {
    let studio = Studio::new();
    let both = format!("{PICTURES} {SOUND} {X264} -bf 2 -c:a aac");
    let fragments = "-movflags frag_keyframe+empty_moov+default_base_moof";
    // The name, how it is made, and the exact length of each track's presentation in nanoseconds.
    let files: [(&str, String, &[i64]); 16] = [
        (
            "plain.mp4",
            format!("{PICTURES} {X264} -bf 0"),
            &[2_000_000_000],
        ),
        (
            "reordered.mp4",
            format!("{PICTURES} {X264} -bf 2"),
            &[2_000_000_000],
        ),
        (
            "frames.mp4",
            format!("{PICTURES} {X264} -bf 3 -frames:v 29"),
            &[966_666_667],
        ),
        (
            "ntsc.mp4",
            format!(
                "-f lavfi -i testsrc2=s=160x96:r=30000/1001:d=2 {SOUND} {X264} -bf 2 -c:a aac -t 1.2345"
            ),
            &[1_234_566_667, 1_234_489_796],
        ),
        (
            "hevc.mp4",
            format!("{PICTURES} -c:v libx265 -x265-params log-level=error -tag:v hvc1"),
            &[2_000_000_000],
        ),
        ("sound.m4a", format!("{SOUND} -c:a aac"), &[2_000_000_000]),
        ("both.mp4", both.clone(), &[2_000_000_000, 2_000_000_000]),
        (
            "first.mp4",
            format!("{both} -movflags faststart"),
            &[2_000_000_000, 2_000_000_000],
        ),
        ("both.mov", both.clone(), &[2_000_000_000, 2_000_000_000]),
        (
            "negative.mp4",
            format!("{PICTURES} {X264} -bf 2 -movflags negative_cts_offsets"),
            &[2_000_000_000],
        ),
        (
            "varying.mp4",
            format!("{PICTURES} {X264} -bf 2 -vf select='not(eq(mod(n,5),2))' -vsync vfr"),
            &[2_000_000_000],
        ),
        (
            "fragments.mp4",
            format!("{PICTURES} {X264} -bf 2 {fragments}+delay_moov"),
            &[2_000_000_000],
        ),
        (
            "bases.mp4",
            format!("{PICTURES} {X264} -bf 2 -movflags frag_keyframe+empty_moov+delay_moov"),
            &[2_000_000_000],
        ),
        (
            "legacy.mp4",
            format!(
                "{PICTURES} {X264} -bf 2 -movflags frag_keyframe+empty_moov+omit_tfhd_offset+delay_moov"
            ),
            &[2_000_000_000],
        ),
        (
            "dash.mp4",
            format!("{PICTURES} {X264} -bf 2 -movflags dash+frag_keyframe+delay_moov+global_sidx"),
            &[2_000_000_000],
        ),
        (
            "late.mp4",
            format!("-itsoffset 0.5 {PICTURES} {X264} -bf 2 -copyts"),
            &[2_500_000_000],
        ),
    ];
    for (name, arguments, durations) in files {
        let path = studio.ffmpeg(&arguments, name);
        let (movie, mut medium) = open(&path);
        assert_eq!(movie.tracks.len(), durations.len(), "{name}");
        for (index, (track, duration)) in movie.tracks.iter().zip(durations).enumerate() {
            let ours = samples(track, &mut medium);
            let (theirs, scale) = packets(&path, index);
            assert_eq!(
                our_rows(&ours),
                their_rows(&theirs, scale),
                "{name}, track {index}"
            );
            assert_eq!(track.samples, theirs.len() as u64, "{name}");
            assert_eq!(track.duration.nanos(), *duration, "{name}, track {index}");
            check_order(name, track, &ours);
        }
    }
}

#[test]
fn pictures_come_when_ffprobe_decodes_them() {
    let studio = Studio::new();
    let fragments = "-movflags frag_keyframe+empty_moov+default_base_moof+delay_moov";
    studio.ffmpeg(&format!("{PICTURES} {X264} -bf 2"), "whole.mp4");
    let files = [
        ("whole.mp4", String::new()),
        ("cut.mp4", "-ss 0.7 -i whole.mp4 -c copy".to_owned()),
        (
            "hevc.mp4",
            format!("{PICTURES} -c:v libx265 -x265-params log-level=error {fragments}"),
        ),
    ];
    for (name, arguments) in files {
        let path = match arguments.is_empty() {
            true => studio.path(name),
            false => studio.ffmpeg(&arguments, name),
        };
        let frames = ffprobe(&path, "-show_frames -select_streams v");
        let frames = frames["frames"].as_array().expect("frames").clone();
        let (movie, mut medium) = open(&path);
        let track = &movie.tracks[0];
        let mut ours: Vec<_> = samples(track, &mut medium)
            .iter()
            .filter(|sample| sample.shown)
            .map(|sample| sample.pts.nanos())
            .collect();
        ours.sort_unstable();
        let (_, scale) = packets(&path, 0);
        let theirs: Vec<_> = frames
            .iter()
            .map(|frame| MediaTime::from_scale(number(&frame["pts"]), scale).nanos())
            .collect();
        assert_eq!(ours, theirs, "{name}");
        assert_eq!(ours[0], 0, "{name}");
    }
}

#[test]
fn without_an_edit_list_the_presentation_begins_at_zero_and_tracks_keep_their_distance() {
    let studio = Studio::new();
    let both = format!("{PICTURES} {SOUND} {X264} -bf 2 -c:a aac");
    let late = format!("{PICTURES} -itsoffset 0.5 {SOUND} {X264} -bf 2 -c:a aac");
    let files = [
        (
            "bare.mp4",
            format!("{PICTURES} {X264} -bf 2 -use_editlist 0"),
        ),
        (
            "fragments.mp4",
            format!("{both} -movflags frag_keyframe+empty_moov+default_base_moof"),
        ),
        ("hybrid.mp4", format!("{both} -movflags frag_keyframe")),
        (
            "late.mp4",
            format!("{late} -movflags frag_keyframe+empty_moov+default_base_moof"),
        ),
    ];
    for (name, arguments) in files {
        let path = studio.ffmpeg(&arguments, name);
        let (movie, mut medium) = open(&path);
        // Two pictures of 1/30 s are what x264 delays by here.
        let delay = 66_666_667;
        for (index, track) in movie.tracks.iter().enumerate() {
            let ours = samples(track, &mut medium);
            check_order(name, track, &ours);
            let (theirs, scale) = packets(&path, index);
            assert_eq!(ours.len(), theirs.len(), "{name}");
            for (our, their) in our_rows(&ours).iter().zip(their_rows(&theirs, scale)) {
                assert_eq!((our.0, our.1, our.4), (their.0, their.1, their.4), "{name}");
                assert!(
                    (our.2 + delay - their.2).abs() <= 1,
                    "{name}: {our:?} {their:?}"
                );
                assert!(
                    (our.3 + delay - their.3).abs() <= 1,
                    "{name}: {our:?} {their:?}"
                );
            }
        }
        let first = samples(&movie.tracks[0], &mut medium)[0];
        assert_eq!((first.pts, first.shown), (MediaTime::ZERO, true), "{name}");
        assert_eq!(
            movie.tracks[0].duration,
            MediaTime::from_seconds(2),
            "{name}"
        );
    }
}

#[test]
fn edits_cut_and_delay_every_track() {
    let studio = Studio::new();
    let fragments = "-movflags frag_keyframe+empty_moov+default_base_moof+delay_moov";
    let whole = studio.ffmpeg(
        &format!("{PICTURES} {SOUND} {X264} -bf 2 -c:a aac"),
        "whole.mp4",
    );
    assert!(whole.exists());
    for (name, more) in [("cut.mp4", ""), ("cut-fragments.mp4", fragments)] {
        let path = studio.ffmpeg(&format!("-ss 0.7 -i whole.mp4 -c copy {more}"), name);
        let (movie, mut medium) = open(&path);
        let (video, audio) = (&movie.tracks[0], &movie.tracks[1]);
        assert_eq!(video.duration.nanos(), 1_300_000_000, "{name}");
        let pictures = samples(video, &mut medium);
        check_order(name, video, &pictures);
        let decode_only: Vec<_> = pictures.iter().filter(|s| !s.shown).collect();
        // The sync sample before 0.7 s is at 0.5 s: six pictures of 1/30 s.
        assert_eq!(decode_only.len(), 6, "{name}");
        assert!(pictures[0].sync, "{name}");
        assert_eq!(pictures[0].pts.nanos(), -200_000_000, "{name}");
        assert_eq!(pictures.iter().filter(|s| s.shown).count(), 39, "{name}");

        let sounds = samples(audio, &mut medium);
        check_order(name, audio, &sounds);
        // One block before the one that holds the begin, because blocks overlap.
        assert!(!sounds[0].shown && sounds[1].shown, "{name}");
        assert!(sounds[1].pts <= MediaTime::ZERO, "{name}");
        assert!(
            sounds[1].pts + sounds[1].duration > MediaTime::ZERO,
            "{name}"
        );
        // ffprobe lists all blocks from the file's begin; ours are its last ones.
        let (theirs, scale) = packets(&path, 1);
        let theirs = their_rows(&theirs, scale);
        let ours = our_rows(&sounds);
        let theirs = &theirs[theirs.len() - ours.len()..];
        for (our, their) in ours.iter().zip(theirs) {
            assert_eq!((our.0, our.1, our.2), (their.0, their.1, their.2), "{name}");
        }
    }
    let path = studio.ffmpeg(
        &format!("{PICTURES} -itsoffset 0.5 {SOUND} {X264} -bf 2 -c:a aac"),
        "late-sound.mp4",
    );
    let (movie, mut medium) = open(&path);
    let sounds = samples(&movie.tracks[1], &mut medium);
    // ffmpeg writes an empty edit of whole milliseconds, priming included: 500 ms less 1024 / 44100 s.
    assert_eq!(sounds[0].pts.nanos(), 476_000_000);
    let (theirs, scale) = packets(&path, 1);
    for (our, their) in sounds.iter().zip(&theirs) {
        let distance = our.pts - MediaTime::from_scale(their.pts, scale);
        // ffprobe rounds the delay to the track's clock, one tick of which is 22.7 us.
        assert!(distance.nanos().abs() < 22_676, "{our:?} {their:?}");
    }
}

#[test]
fn files_of_gstreamer_are_read_as_well() {
    let studio = Studio::new();
    let source = "videotestsrc num-buffers=60 ! video/x-raw,width=160,height=96,framerate=30/1 ! \
                  x264enc bframes=2 key-int-max=15 b-adapt=false ! h264parse";
    let muxers = [
        ("plain.mp4", "mp4mux"),
        ("first.mp4", "mp4mux faststart=true"),
        ("fragments.mp4", "mp4mux fragment-duration=500"),
        ("plain.mov", "qtmux"),
    ];
    for (name, muxer) in muxers {
        studio.run(
            "gst-launch-1.0",
            &format!("-q {source} ! {muxer} ! filesink location={name}"),
        );
        let path = studio.path(name);
        let (movie, mut medium) = open(&path);
        let track = &movie.tracks[0];
        let ours = samples(track, &mut medium);
        check_order(name, track, &ours);
        assert_eq!(track.duration.nanos(), 2_000_000_000, "{name}");
        let (theirs, scale) = packets(&path, 0);
        let places = |rows: &[Row]| -> Vec<_> { rows.iter().map(|r| (r.0, r.1, r.4)).collect() };
        assert_eq!(
            places(&our_rows(&ours)),
            places(&their_rows(&theirs, scale)),
            "{name}"
        );
        let mut times: Vec<_> = ours.iter().map(|s| s.pts).collect();
        times.sort();
        let even: Vec<_> = (0..60).map(|n| MediaTime::from_scale(n, 30)).collect();
        assert_eq!(times, even, "{name}");
    }
}

#[test]
fn other_readers_agree_on_places_and_configurations() {
    let studio = Studio::new();
    let both = format!("{PICTURES} {SOUND} {X264} -bf 2 -c:a aac");
    let files = [
        ("plain.mp4", both.clone()),
        (
            "fragments.mp4",
            format!("{both} -movflags frag_keyframe+empty_moov+default_base_moof+delay_moov"),
        ),
        (
            "hevc.mp4",
            format!("{PICTURES} -c:v libx265 -x265-params log-level=error -tag:v hvc1"),
        ),
    ];
    for (name, arguments) in files {
        let path = studio.ffmpeg(&arguments, name);
        let (movie, mut medium) = open(&path);
        let bytes = std::fs::read(&path).expect("the file");
        let theirs = re_mp4::Mp4::read_bytes(&bytes).expect("re_mp4 reads it");
        assert_eq!(theirs.tracks().len(), movie.tracks.len(), "{name}");
        for track in &movie.tracks {
            let their = theirs.tracks().get(&track.id).expect("the same ids");
            let ours: Vec<_> = samples(track, &mut medium)
                .iter()
                .map(|s| (s.offset, u64::from(s.size)))
                .collect();
            let others: Vec<_> = their.samples.iter().map(|s| (s.offset, s.size)).collect();
            assert_eq!(ours, others, "{name}, track {}", track.id);
            if track.kind == TrackKind::Video {
                let (Codec::Avc { config, .. } | Codec::Hevc { config, .. }) = &track.codec else {
                    panic!("{name}: {:?}", track.codec);
                };
                assert_eq!(
                    Some(config),
                    their.raw_codec_config(&theirs).as_ref(),
                    "{name}"
                );
                let size = track.size.expect("a size");
                assert_eq!((size.width, size.height), (160, 96), "{name}");
            } else {
                assert!(
                    matches!(&track.codec, Codec::Aac { config, rate: 44_100, channels: 1 } if config.len() >= 2),
                    "{name}: {:?}",
                    track.codec
                );
            }
        }
    }
}

/// Rows of a length and a value, written out.
fn spread<T: Copy>(rows: impl IntoIterator<Item = (u32, T)>) -> Vec<T> {
    rows.into_iter()
        .flat_map(|(count, value)| vec![value; count as usize])
        .collect()
}

#[test]
fn times_are_those_that_another_reader_finds_in_the_tables() {
    use mp4_atom::{Any, Moov, ReadFrom};

    let studio = Studio::new();
    let path = studio.ffmpeg(
        &format!("{PICTURES} {SOUND} {X264} -bf 3 -c:a aac"),
        "both.mp4",
    );
    let mut file = File::open(&path).expect("the file");
    let moov: Moov = loop {
        if let Any::Moov(moov) = Any::read_from(&mut file).expect("mp4-atom reads it") {
            break moov;
        }
    };
    let (movie, mut medium) = open(&path);
    assert_eq!(moov.trak.len(), movie.tracks.len());
    for (track, trak) in movie.tracks.iter().zip(&moov.trak) {
        assert_eq!(track.id, trak.tkhd.track_id);
        let stbl = &trak.mdia.minf.stbl;
        let rows = stbl.stts.entries.iter();
        let deltas = spread(rows.map(|row| (row.sample_count, row.sample_delta)));
        let offsets = stbl.ctts.as_ref().map(|ctts| {
            let rows = ctts.entries.iter();
            spread(rows.map(|row| (row.sample_count, row.sample_offset)))
        });
        let list = trak.edts.as_ref().and_then(|edts| edts.elst.as_ref());
        let [edit] = list.expect("an edit list").entries.as_slice() else {
            panic!("one edit is expected: {list:?}");
        };
        let begin = edit.media_time.expect("an edit that shows something") as i64;
        let scale = trak.mdia.mdhd.timescale;
        let mut dts = 0;
        let ours = samples(track, &mut medium);
        assert_eq!(ours.len(), deltas.len());
        for (index, (sample, delta)) in ours.iter().zip(&deltas).enumerate() {
            let pts = dts + offsets.as_ref().map_or(0, |offsets| offsets[index]);
            assert_eq!(sample.dts, MediaTime::from_scale(dts - begin, scale));
            assert_eq!(sample.pts, MediaTime::from_scale(pts - begin, scale));
            dts += i64::from(*delta);
        }
    }
}

#[test]
fn what_is_read_is_what_is_in_the_file() {
    let studio = Studio::new();
    let path = studio.ffmpeg(&format!("{PICTURES} {X264} -bf 2"), "plain.mp4");
    let bytes = std::fs::read(&path).expect("the file");
    let (movie, mut medium) = open(&path);
    let mut cursor = movie.cursor(0);
    drop(movie);
    let mut buffer = vec![7; 3];
    while let Some(sample) = cursor.next(&mut medium).expect("a good file") {
        cursor
            .read(&mut medium, &sample, &mut buffer)
            .expect("a good file");
        let start = sample.offset as usize;
        assert_eq!(buffer, bytes[start..start + sample.size as usize]);
    }
}

#[test]
fn cut_off_files_are_told_from_whole_ones() {
    let studio = Studio::new();
    let arguments = format!("{PICTURES} {X264} -bf 2");
    let last = studio.ffmpeg(&arguments, "last.mp4");
    let first = studio.ffmpeg(&format!("{arguments} -movflags faststart"), "first.mp4");
    let fragments = studio.ffmpeg(
        &format!("{arguments} -movflags frag_keyframe+empty_moov+default_base_moof+delay_moov"),
        "fragments.mp4",
    );
    let opened = |path: &Path, keep: u64| {
        let mut medium = Medium::open(path);
        medium.size = keep;
        let mut count = 0;
        let movie = Movie::open(&mut medium)?;
        let mut cursor = movie.cursor(0);
        while cursor.next(&mut medium)?.is_some() {
            count += 1;
        }
        Ok::<_, Mp4Error>((count, movie.tracks[0].samples))
    };
    for path in [&last, &first, &fragments] {
        let size = Medium::open(path).size;
        assert_eq!(opened(path, size), Ok((60, 60)));
    }
    let size = Medium::open(&last).size;
    assert_eq!(
        opened(&last, size / 2)
            .expect_err("the moov box is cut off")
            .to_string(),
        format!(
            "there is no moov box in {} bytes: not an MP4 file, or one that is cut short",
            size / 2
        )
    );
    let size = Medium::open(&first).size;
    let error = opened(&first, size / 2).expect_err("half of the samples are cut off");
    assert!(
        matches!(error, Mp4Error::SampleBeyondEnd { track: 1, .. }),
        "{error}"
    );
    let error = opened(&first, 400).expect_err("half of the moov box is cut off");
    assert!(
        matches!(error, Mp4Error::Truncated { place, .. } if place.path() == "moov"),
        "{error}"
    );
    // Wherever a fragmented file is cut, it is an error or a whole number of fragments.
    let size = Medium::open(&fragments).size;
    for keep in (0..size).step_by(97) {
        if let Ok((count, samples)) = opened(&fragments, keep) {
            assert_eq!(count, samples, "{keep}");
            assert_eq!(samples % 15, 0, "{keep}");
        }
    }
}

#[test]
fn cursors_go_to_other_threads() {
    fn sendable<T: Send + 'static>() {}
    sendable::<SampleCursor>();
    sendable::<Movie>();
}
