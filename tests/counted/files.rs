//! Playlists, captures and the command line, as they should be and as they should not.

use proptest::prelude::*;
use serde_json::Value;

use crate::counted::{
    command::{Streams, run},
    expect::{Beeps, Expect, Length},
    judge::judge,
    pattern::Rate,
    sound::hear,
    y4m::Reader,
};

use super::stage::Stage;

#[test]
fn a_playlist_reads_as_written() {
    let expect: Expect = "1:50:25,2:still:1500,3:60:30000/1001:mute"
        .parse()
        .expect("a playlist");
    let [clip, image, mute] = expect.items[..] else {
        panic!("three items: {expect:?}");
    };
    let rate = Rate::hertz(25);
    assert_eq!(
        (clip.id, clip.length, clip.beeps),
        (1, Length::Frames { count: 50, rate }, Beeps::Sounding)
    );
    assert_eq!((image.id, image.length), (2, Length::Still { ms: 1500 }));
    assert_eq!(
        (image.vblanks(Rate::hertz(60)), image.pictures()),
        (90.0, 1)
    );
    assert_eq!(mute.beeps, Beeps::Mute);
    assert!((mute.vblanks(Rate::hertz(60)) - 120.12).abs() < 1e-9);
}

#[test]
fn other_playlists_are_refused() {
    for text in [
        "",
        "1",
        "1:50",
        "1:0:25",
        "256:50:25",
        "1:50:0",
        "1:50:25/0",
        "1:50:25:loud",
        "1:50:25:mute:x",
        "1:still:0",
        "1:still:x",
        "1:50:25,",
        "-1:50:25",
        "1:9999999:25",
        "1:50:1001",
    ] {
        assert!(text.parse::<Expect>().is_err(), "{text:?}");
    }
}

#[test]
fn captures_of_other_kinds_are_refused_with_their_reason() {
    for (text, reason) in [
        ("", "empty"),
        ("RIFF....", "YUV4MPEG2"),
        ("YUV4MPEG2 W128 H72 F60:1 C444\n", "C444"),
        ("YUV4MPEG2 W128 H72 C420\n", "rate"),
        ("YUV4MPEG2 W0 H72 F60:1\n", "width"),
        ("YUV4MPEG2 W128 H99999 F60:1\n", "height"),
        ("YUV4MPEG2 W128 H72 F60:0\n", "rate"),
    ] {
        let error = judge(text.as_bytes(), None, &Expect::default())
            .expect_err(reason)
            .to_string();
        assert!(error.contains(reason), "{error}");
    }
    let verdict = judge(
        "YUV4MPEG2 W128 H72 F60:1\nJUNK\n".as_bytes(),
        None,
        &Expect::default(),
    );
    let told = verdict.expect("the header is good").to_string();
    assert!(told.contains("no FRAME where frame 0"), "{told}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_readers_panic(head in 0..3usize, bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let heads: [&[u8]; 3] = [b"", b"YUV4MPEG2 W16 H4 F60:1\nFRAME\n", b"RIFF\0\0\0\0WAVEfmt "];
        let bytes = [heads[head], &bytes].concat();
        let _ = judge(bytes.as_slice(), Some(&mut bytes.as_slice()), &Expect::default());
        let _ = hear(bytes.as_slice());
        if let Ok(mut reader) = Reader::new(bytes.as_slice()) {
            while let Ok(Some(luma)) = reader.next_frame() {
                prop_assert_eq!(luma.pixels.len(), luma.width * luma.height);
            }
        }
    }

    #[test]
    fn no_words_make_the_playlist_parser_panic(text in "[0-9a-z:,/.]{0,40}") {
        let _ = text.parse::<Expect>();
    }
}

/// Runs a command line; the exit status and what it wrote to its output and its errors.
fn command(line: &[&str], input: &[u8]) -> (u8, String, String) {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let streams = Streams {
        input: &mut &input[..],
        output: &mut output,
        errors: &mut errors,
    };
    let status = run(line.iter().map(|word| (*word).to_owned()), streams);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status, text(output), text(errors))
}

#[test]
fn the_command_judges_from_a_pipe_and_answers_in_words_or_json() {
    let stage = Stage::new("1:30:30,2:still:500", 2, Rate::hertz(60));
    let bytes = stage.bytes();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wav = folder.path().join("sound.wav");
    std::fs::write(&wav, stage.wav(&stage.beeps())).expect("a file");
    let wav = wav.to_str().expect("a name in Unicode");

    let line = [
        "judge",
        "-",
        "--expect",
        "1:30:30,2:still:500",
        "--rounds=2",
        "--audio",
        wav,
    ];
    let (status, text, errors) = command(&line, &bytes);
    assert_eq!((status, errors.as_str()), (0, ""), "{text}");
    assert!(text.ends_with("PASS\n"), "{text}");

    let line = [
        "judge",
        "--json",
        "--expect=1:30:30,2:still:500",
        "--rounds",
        "3",
        "-",
    ];
    let (status, text, errors) = command(&line, &bytes);
    assert_eq!((status, errors.as_str()), (1, ""));
    let verdict: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(verdict["passed"], false);
    assert_eq!(verdict["fault_counts"]["ended-early"], 1);
    assert_eq!(
        (&verdict["runs"], &verdict["vblanks"]),
        (&4.into(), &180.into())
    );
    assert_eq!(verdict["showings"][3]["boundary_error"], 0);
    assert_eq!(
        (&verdict["boundary"]["max"], &verdict["sound"]),
        (&0.into(), &Value::Null)
    );
}

#[test]
fn the_commands_limits_reach_the_judge() {
    let mut stage = Stage::new("1:30:30", 1, Rate::hertz(60));
    stage.shots.insert(20, stage.shots[19].clone());
    let bytes = stage.bytes();
    let line = ["judge", "-", "--expect", "1:30:30", "--rounds", "1"];
    let (status, text, _) = command(&line, &bytes);
    assert_eq!(status, 1);
    assert!(text.ends_with("FAIL: repeated 1\n"), "{text}");
    assert_eq!(
        command(&[&line[..], &["--max-repeated", "1"]].concat(), &bytes).0,
        0
    );
    let strict = [&line[..], &["--max-repeated", "1", "--max-boundary", "0"]].concat();
    let (status, text, _) = command(&strict, &bytes);
    assert_eq!(status, 1);
    assert!(text.ends_with("FAIL: boundary 1\n"), "{text}");
}

#[test]
fn bad_arguments_exit_with_2_and_say_which() {
    for (line, reason) in [
        (&[][..], "no command"),
        (&["sing"], "sing"),
        (&["judge"], "no file"),
        (&["judge", "a", "b"], "\"b\""),
        (&["judge", "-", "--expect"], "needs a value"),
        (&["judge", "-", "--expect", "1"], "\"1\""),
        (&["judge", "-", "--rounds", "2"], "--expect"),
        (&["judge", "--loud"], "--loud"),
        (&["make", "a.mp4", "--codec", "mpeg2"], "mpeg2"),
        (&["make", "a.mp4", "--size", "641x360"], "641x360"),
        (&["make", "a.mp4", "--size", "640"], "WIDTHxHEIGHT"),
        (&["make", "a.mp4", "--rate", "29.97"], "29.97"),
        (&["make", "a.mp4", "--frames", "0"], "frames"),
        (&["make", "a.mp4", "--id", "256"], "256"),
        (
            &["make", "a.mp4", "--fragmented", "--moov-first"],
            "exclude",
        ),
        (
            &[
                "make",
                "a.webm",
                "--codec",
                "vp9",
                "--fragmented",
                "--no-audio",
            ],
            "layout",
        ),
        (&["image", "a.gif"], "gif"),
    ] {
        let (status, output, errors) = command(line, b"");
        assert_eq!((status, output.as_str()), (2, ""), "{line:?}");
        assert!(errors.contains(reason), "{line:?}: {errors}");
    }
}

#[test]
fn what_goes_wrong_at_run_time_exits_with_1_and_says_why() {
    let (status, _, errors) = command(&["judge", "no-such-file.y4m"], b"");
    assert_eq!(status, 1);
    assert!(errors.contains("no-such-file.y4m"), "{errors}");
    let stage = Stage::new("1:30:30", 1, Rate::hertz(60));
    let (status, _, errors) = command(
        &["judge", "-", "--audio", "no-such-file.wav"],
        &stage.bytes(),
    );
    assert_eq!(status, 1);
    assert!(errors.contains("no-such-file.wav"), "{errors}");
    let (status, _, errors) = command(&["make", "no-such-folder/a.mp4"], b"");
    assert_eq!(status, 1);
    assert!(errors.contains("no-such-folder"), "{errors}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = folder.path().join("a.webm");
    let (status, _, errors) = command(&["make", name.to_str().expect("a name in Unicode")], b"");
    assert_eq!(status, 1, "H.264 does not go into WebM");
    assert!(errors.contains("ffmpeg failed"), "{errors}");
}

#[test]
fn help_names_every_option() {
    let (status, text, _) = command(&["help"], b"");
    assert_eq!(status, 0);
    for option in [
        "--id",
        "--size",
        "--rate",
        "--frames",
        "--codec",
        "--bframes",
        "--gop",
        "--crf",
        "--fragmented",
        "--moov-first",
        "--no-audio",
        "--audio",
        "--expect",
        "--rounds",
        "--json",
        "--max-boundary",
        "--max-growth",
        "--max-repeated",
        "--max-offset",
        "--max-drift",
    ] {
        assert!(text.contains(option), "{option}");
    }
}
