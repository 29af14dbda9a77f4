//! The reader on files made by hand: what real writers do not do, or not often enough.

use proptest::prelude::*;

use super::{
    Codec, MAX_MOOV, Movie, Mp4Error, ReadAt, Sample,
    forge::{Forge, Sizes, Sparse, boxed, entry, full, words},
};
use crate::domain::units::MediaTime;

const RATE_1: u32 = 0x1_0000;

fn samples(file: &mut Sparse) -> Result<(Movie, Vec<Sample>), Mp4Error> {
    let movie = Movie::open(file)?;
    let mut cursor = movie.cursor(0);
    let mut samples = Vec::new();
    while let Some(sample) = cursor.next(file)? {
        samples.push(sample);
    }
    Ok((movie, samples))
}

/// The presentation times in milliseconds of what is shown, and of what is only decoded.
fn shown(edits: Vec<(u64, i64)>, change: impl Fn(&mut Forge)) -> (i64, Vec<i64>, Vec<i64>) {
    let rows = edits.iter().map(|(d, t)| (*d, *t, RATE_1)).collect();
    let mut forge = Forge {
        scale: 10,
        deltas: vec![(10, 1)],
        sizes: Sizes::Equal {
            size: 10,
            count: 10,
        },
        syncs: Some(vec![1, 5]),
        edits: Some((0, rows)),
        ..Forge::default()
    };
    change(&mut forge);
    let (movie, samples) = samples(&mut forge.file(2000)).expect("a good file");
    assert!(samples.windows(2).all(|pair| pair[0].dts <= pair[1].dts));
    let times = |wanted| {
        samples
            .iter()
            .filter(|sample| sample.shown == wanted)
            .map(|sample| sample.pts.whole_millis())
            .collect()
    };
    let duration = movie.tracks[0].duration.whole_millis();
    (duration, times(true), times(false))
}

#[test]
fn edits_say_what_is_shown_and_when() {
    let whole: Vec<i64> = (0..10).map(|n| n * 100).collect();
    let plain = |edits| shown(edits, |_| {});
    assert_eq!(plain(vec![(1000, 0)]), (1000, whole.clone(), vec![]));
    assert_eq!(
        plain(vec![(0, 0)]),
        (1000, whole.clone(), vec![]),
        "to the end"
    );
    assert_eq!(
        plain(vec![(5000, 0)]),
        (1000, whole.clone(), vec![]),
        "beyond the end"
    );
    let late: Vec<i64> = whole.iter().map(|t| t + 250).collect();
    assert_eq!(plain(vec![(250, -1), (1000, 0)]), (1250, late, vec![]));
    assert_eq!(
        plain(vec![(300, 6)]),
        (300, vec![0, 100, 200], vec![-200, -100]),
        "from the sync sample before"
    );
    assert_eq!(
        plain(vec![(200, 8), (200, 0)]),
        (400, vec![0, 100, 200, 300], vec![-400, -300, -200, -100]),
        "the end, then the begin"
    );
    assert_eq!(
        plain(vec![(200, 0), (100, -1), (200, 0)]),
        (500, vec![0, 100, 300, 400], vec![]),
        "a hole"
    );
    assert_eq!(
        plain(vec![(250, 0)]),
        (250, vec![0, 100, 200], vec![]),
        "an end amid a picture"
    );
    assert_eq!(
        plain(vec![(201, 0)]),
        (201, vec![0, 100], vec![]),
        "no picture for the length of a rounding error"
    );
    // Nothing begins at an edit that shows nothing.
    assert_eq!(
        plain(vec![(100, 50), (1000, 0)]),
        (1100, whole.iter().map(|t| t + 100).collect(), vec![])
    );
}

#[test]
fn an_edit_that_begins_amid_a_picture_shows_the_rest_of_it() {
    let mut forge = Forge {
        scale: 1000,
        deltas: vec![(10, 100)],
        sizes: Sizes::Equal {
            size: 10,
            count: 10,
        },
        edits: Some((0, vec![(0, 250, RATE_1)])),
        ..Forge::default()
    };
    let (movie, video) = samples(&mut forge.file(2000)).expect("a good file");
    assert_eq!(movie.tracks[0].duration.whole_millis(), 750);
    assert_eq!(
        (
            video[0].pts,
            video[0].duration.whole_millis(),
            video[0].shown
        ),
        (MediaTime::ZERO, 50, true)
    );
    assert_eq!(video[1].pts.whole_millis(), 50);
    forge.handler = *b"soun";
    let (_, audio) = samples(&mut forge.file(2000)).expect("a good file");
    assert_eq!(
        (
            audio[0].pts.whole_millis(),
            audio[0].duration.whole_millis(),
            audio[0].shown
        ),
        (-50, 100, true),
        "sound is cut by whoever decodes it"
    );
}

#[test]
fn a_coarse_movie_clock_does_not_shorten_the_presentation() {
    // 37 pictures of 1001/30000 s are 1234.5667 ms; writers put 1234 or 1235.
    for written in [1234, 1235] {
        let forge = Forge {
            scale: 30_000,
            deltas: vec![(37, 1001)],
            sizes: Sizes::Equal {
                size: 10,
                count: 37,
            },
            map: vec![(1, 37, 1)],
            edits: Some((0, vec![(written, 0, RATE_1)])),
            ..Forge::default()
        };
        let (movie, samples) = samples(&mut forge.file(2000)).expect("a good file");
        assert_eq!(movie.tracks[0].duration.nanos(), 1_234_566_667);
        assert_eq!(samples.iter().filter(|s| s.shown).count(), 37);
    }
}

#[test]
fn times_do_not_drift() {
    // A day of NTSC pictures, of which the last ones are looked at through an edit.
    let count = 24 * 3600 * 30;
    let forge = Forge {
        movie_scale: 600,
        scale: 30_000,
        deltas: vec![(count, 1001)],
        sizes: Sizes::Equal { size: 1, count },
        map: vec![(1, count, 1)],
        ..Forge::default()
    };
    let mut file = forge.file(1 << 30);
    let movie = Movie::open(&mut file).expect("a good file");
    let exact = |n: i64| MediaTime::from_scale(n * 1001, 30_000);
    assert_eq!(movie.tracks[0].duration, exact(count.into()));
    let mut cursor = movie.cursor(0);
    let mut end = MediaTime::ZERO;
    for n in 0..i64::from(count) {
        let sample = cursor.next(&mut file).expect("good").expect("there");
        assert_eq!((sample.pts, sample.pts), (exact(n), end), "picture {n}");
        end = sample.pts + sample.duration;
    }
}

#[test]
fn offsets_and_boxes_of_64_bits_are_read() {
    let far = 5 << 30;
    let forge = Forge {
        chunks: vec![far],
        wide: true,
        ..Forge::default()
    };
    // The moov box stands after an mdat box of 5 GiB, and has a wide size itself.
    let mut moov = forge.moov();
    let mut wide = 1u32.to_be_bytes().to_vec();
    wide.extend(b"moov");
    wide.extend((moov.len() as u64 + 8).to_be_bytes());
    wide.extend(moov.split_off(8));
    let size = far + 300;
    struct Far {
        head: Vec<u8>,
        tail: Vec<u8>,
        at: u64,
    }
    impl ReadAt for Far {
        fn size(&self) -> u64 {
            self.at + self.tail.len() as u64
        }
        fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), super::ReadError> {
            for (index, byte) in buffer.iter_mut().enumerate() {
                let place = offset + index as u64;
                *byte = match place.checked_sub(self.at) {
                    Some(place) => self.tail[place as usize],
                    None => self.head.get(place as usize).copied().unwrap_or(0),
                };
            }
            Ok(())
        }
    }
    let mut head = 1u32.to_be_bytes().to_vec();
    head.extend(b"mdat");
    head.extend(size.to_be_bytes());
    let mut file = Far {
        head,
        tail: wide,
        at: size,
    };
    let movie = Movie::open(&mut file).expect("a good file");
    let mut cursor = movie.cursor(0);
    let first = cursor.next(&mut file).expect("good").expect("there");
    assert_eq!(first.offset, far);
}

#[test]
fn compact_sizes_are_read() {
    for (bits, sizes) in [
        (4, vec![1, 15, 0, 7, 9]),
        (8, vec![1, 255, 0, 7]),
        (16, vec![1, 65_535, 256]),
    ] {
        let count = sizes.len() as u32;
        let forge = Forge {
            deltas: vec![(count, 1)],
            map: vec![(1, 10, 1)],
            sizes: Sizes::Compact {
                bits,
                sizes: sizes.clone(),
            },
            ..Forge::default()
        };
        let (_, samples) = samples(&mut forge.file(1 << 20)).expect("a good file");
        let read: Vec<_> = samples.iter().map(|sample| sample.size).collect();
        assert_eq!(read, sizes, "{bits} bits");
    }
}

#[test]
fn samples_that_change_their_description_are_refused_unless_it_says_the_same() {
    let mut forge = Forge {
        entries: vec![entry(b"jpeg"), entry(b"png ")],
        map: vec![(1, 15, 1), (2, 15, 2)],
        chunks: vec![1000, 2000],
        ..Forge::default()
    };
    let error = samples(&mut forge.file(3000)).expect_err("two codecs");
    assert!(
        matches!(error, Mp4Error::Unsupported { place, .. } if place.path().ends_with("stbl/stsd"))
    );
    forge.entries[1] = entry(b"jpeg");
    assert_eq!(
        samples(&mut forge.file(3000)).expect("one codec").1.len(),
        30
    );
    forge.map = vec![(1, 15, 2), (2, 15, 2)];
    forge.entries[1] = entry(b"png ");
    let (movie, _) = samples(&mut forge.file(3000)).expect("one codec");
    assert_eq!(movie.tracks[0].codec, Codec::Other(super::FourCc(*b"png ")));
    forge.map = vec![(1, 30, 3)];
    assert!(
        samples(&mut forge.file(3000)).is_err(),
        "no such description"
    );
}

#[test]
fn claims_without_bytes_end_where_the_file_ends() {
    // Four thousand million samples in 20 bytes of tables.
    let count = u32::MAX;
    let mut forge = Forge {
        deltas: vec![(count, 1)],
        map: vec![(1, count, 1)],
        sizes: Sizes::Equal { size: 10, count },
        ..Forge::default()
    };
    let mut file = forge.file(2000);
    let movie = Movie::open(&mut file).expect("nothing contradicts itself yet");
    let mut cursor = movie.cursor(0);
    for _ in 0..100 {
        assert!(cursor.next(&mut file).expect("in the file").is_some());
    }
    let error = cursor.next(&mut file).expect_err("past the end");
    assert_eq!(
        error.to_string(),
        "sample 101 of track 1 lies at bytes 2000 to 2010, past the file's end at 2000: the file is cut short"
    );
    assert_eq!(
        cursor.next(&mut file),
        Err(error),
        "it stands where it stood"
    );
    // With edits, each would have to pass over all of them.
    forge.edits = Some((0, vec![(100, 5, RATE_1), (100, 1, RATE_1)]));
    let error = Movie::open(&mut forge.file(2000)).expect_err("too much work");
    assert!(
        matches!(error, Mp4Error::TooLarge { place, .. } if place.path() == "moov/trak/edts/elst")
    );
}

#[test]
fn what_presents_nothing_does_not_open() {
    let still = Forge {
        deltas: vec![(30, 0)],
        ..Forge::default()
    };
    let past = Forge {
        edits: Some((0, vec![(100, 1000, RATE_1)])),
        ..Forge::default()
    };
    let empty = Forge {
        edits: Some((0, vec![(100, -1, RATE_1)])),
        ..Forge::default()
    };
    for forge in [still, past, empty] {
        let error = Movie::open(&mut forge.file(2000)).expect_err("nothing to show");
        assert!(error.to_string().contains("it presents nothing"), "{error}");
    }
    let none = Forge {
        deltas: vec![],
        sizes: Sizes::Each(vec![]),
        ..Forge::default()
    };
    let error = Movie::open(&mut none.file(2000)).expect_err("no samples");
    assert!(
        error.to_string().contains("no picture and no sound"),
        "{error}"
    );
}

#[test]
fn a_last_sample_of_no_length_lasts_as_long_as_the_one_before() {
    let forge = Forge {
        deltas: vec![(29, 1), (1, 0)],
        ..Forge::default()
    };
    let (movie, samples) = samples(&mut forge.file(2000)).expect("a good file");
    assert_eq!(movie.tracks[0].duration, MediaTime::from_seconds(1));
    assert!(samples[29].shown && samples[29].duration.nanos() == 33_333_333);
}

#[test]
fn odd_tracks_do_not_keep_a_movie_from_playing() {
    // A second track, of text, whose tables lie.
    let text = Forge {
        handler: *b"text",
        map: vec![(7, 1, 1)],
        ..Forge::default()
    };
    let moov = text.moov();
    let trak = moov
        .windows(4)
        .position(|bytes| bytes == b"trak")
        .expect("a trak box");
    let forge = Forge {
        more: moov[trak - 4..].to_vec(),
        ..Forge::default()
    };
    let mut file = forge.file(2000);
    let movie = Movie::open(&mut file).expect("the pictures are good");
    assert_eq!(movie.tracks.len(), 2);
    let error = movie.cursor(1).next(&mut file).expect_err("broken");
    assert!(error.to_string().contains("stbl/stsc"), "{error}");
    assert_eq!(
        movie.cursor(2).next(&mut file),
        Err(Mp4Error::NoTrack { index: 2 })
    );
}

#[test]
fn the_first_bytes_tell_mp4_from_others() {
    for (head, is) in [
        (&b"\0\0\0\x18ftypisom"[..], true),
        (b"\0\0\0\x18styp", true),
        (b"\0\0\0\x01mdat\0\0", true),
        (b"\0\0\0\0mdat", true),
        (b"\0\0\x10\0moov", true),
        (b"\0\0\0\x05ftyp", false),
        (b"this is a text", false),
        (b"\x1aE\xdf\xa3\x01\0\0\0", false),
        (b"RIFF\0\0\0\0", false),
        (b"ftyp", false),
        (b"", false),
    ] {
        assert_eq!(Movie::looks_like_mp4(head), is, "{}", head.escape_ascii());
    }
    let text = b"this is a text file, and no film at all".to_vec();
    for bytes in [
        text,
        Vec::new(),
        vec![0; 100],
        vec![0xff; 100],
        vec![0, 0, 0, 3, 0, 0, 0, 0],
    ] {
        let size = bytes.len() as u64;
        let error = Movie::open(&mut Sparse::new(bytes, 0)).expect_err("no film");
        assert_eq!(error, Mp4Error::NoMoov { size });
    }
}

/// A fragment: its moof box, to be followed by its samples in an mdat box.
fn fragment(tfdt: Option<u64>, trun: &[u8]) -> Vec<u8> {
    let tfhd = full(b"tfhd", 0, 0x2_0000, &[&words([1])]);
    let tfdt = tfdt.map_or_else(Vec::new, |time| full(b"tfdt", 1, 0, &[&time.to_be_bytes()]));
    let mfhd = full(b"mfhd", 0, 0, &[&words([1])]);
    boxed(b"moof", &[&mfhd, &boxed(b"traf", &[&tfhd, &tfdt, trun])])
}

/// A fragmented file: a track of 10 ticks a second, whose samples have one tick and 10 bytes.
fn fragmented(fragments: &[Vec<u8>], edits: Option<Vec<(u64, i64)>>) -> Sparse {
    let trex = full(b"trex", 0, 0, &[&words([1, 1, 1, 10, 0])]);
    let forge = Forge {
        scale: 10,
        deltas: vec![],
        map: vec![],
        chunks: vec![],
        sizes: Sizes::Each(vec![]),
        edits: edits.map(|rows| (1, rows.iter().map(|(d, t)| (*d, *t, RATE_1)).collect())),
        more: boxed(b"mvex", &[&trex]),
        ..Forge::default()
    };
    let mut bytes = forge.moov();
    for fragment in fragments {
        bytes.extend(fragment);
        bytes.extend(boxed(b"mdat", &[&[0; 100]]));
    }
    Sparse::new(bytes, 0)
}

/// Ten samples that nothing describes, 8 bytes after the moof box.
fn ten() -> Vec<u8> {
    full(b"trun", 0, 1, &[&words([10, 84])])
}

fn times(samples: &[Sample]) -> Vec<i64> {
    samples.iter().map(|s| s.pts.whole_millis()).collect()
}

#[test]
fn a_piece_of_a_long_stream_begins_at_zero() {
    let hours = 10 * 3600 * 9;
    let all: Vec<i64> = (0..20).map(|n| n * 100).collect();
    for edits in [None, Some(vec![(0, 0)]), Some(vec![(0, hours as i64)])] {
        let fragments = [
            fragment(Some(hours), &ten()),
            fragment(Some(hours + 10), &ten()),
        ];
        let mut file = fragmented(&fragments, edits.clone());
        let (movie, samples) = samples(&mut file).expect("a good file");
        assert_eq!(times(&samples), all, "{edits:?}");
        assert_eq!(movie.tracks[0].duration, MediaTime::from_seconds(2));
    }
}

#[test]
fn fragments_without_times_follow_each_other() {
    let trun = full(b"trun", 0, 1, &[&words([10, 64])]);
    let mut file = fragmented(&[fragment(None, &trun), fragment(None, &trun)], None);
    let (_, samples) = samples(&mut file).expect("a good file");
    assert_eq!(
        times(&samples),
        (0..20).map(|n| n * 100).collect::<Vec<_>>()
    );
    let moof = file
        .bytes
        .windows(4)
        .position(|bytes| bytes == b"moof")
        .expect("a moof box") as u64;
    assert_eq!(samples[0].offset, moof - 4 + 64);
    assert_eq!(samples[9].offset, moof - 4 + 64 + 90);
}

#[test]
fn an_edit_is_found_in_the_fragment_that_holds_it() {
    let fragments: Vec<_> = (0..50).map(|n| fragment(Some(n * 10), &ten())).collect();
    let mut file = fragmented(&fragments, Some(vec![(300, 455)]));
    let movie = Movie::open(&mut file).expect("a good file");
    let mut cursor = movie.cursor(0);
    let before = file.reads;
    let first = cursor.next(&mut file).expect("good").expect("there");
    assert_eq!((first.pts, first.shown), (MediaTime::ZERO, true));
    assert_eq!(
        file.reads - before,
        1,
        "only the fragment that is needed is read"
    );
}

#[test]
fn runs_that_claim_much_and_say_nothing_are_refused() {
    let huge = full(b"trun", 0, 1, &[&words([u32::MAX, 84])]);
    let error = Movie::open(&mut fragmented(&[fragment(None, &huge)], None)).expect_err("a lie");
    assert!(matches!(error, Mp4Error::TooLarge { place, .. } if place.path() == "moof/traf/trun"));
    let tfhd = full(b"tfhd", 0, 0x2_0010, &[&words([1, 0])]);
    let weightless = boxed(b"moof", &[&boxed(b"traf", &[&tfhd, &ten()])]);
    let error = Movie::open(&mut fragmented(&[weightless], None)).expect_err("no sizes");
    assert!(matches!(error, Mp4Error::Malformed { place, .. } if place.path() == "moof/traf/trun"));
    let short = full(b"trun", 0, 0x201, &[&words([3, 84, 10, 10])]);
    let error = Movie::open(&mut fragmented(&[fragment(None, &short)], None)).expect_err("short");
    assert!(matches!(error, Mp4Error::Truncated { place, .. } if place.path() == "moof/traf/trun"));
    let back = full(b"trun", 0, 1, &[&words([3, i32::MIN as u32])]);
    let error = Movie::open(&mut fragmented(&[fragment(None, &back)], None)).expect_err("before");
    assert!(error.to_string().contains("before the file"), "{error}");
    let never = fragment(Some(u64::MAX), &ten());
    let error = Movie::open(&mut fragmented(&[never], None)).expect_err("no such time");
    assert!(matches!(error, Mp4Error::Malformed { place, .. } if place.path() == "moof/traf/tfdt"));
}

/// Rows of random lengths that add up to `count`.
fn rows<T: std::fmt::Debug + Clone>(
    count: u32,
    value: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = Vec<(u32, T)>> {
    prop::collection::vec((0..=count, value.clone()), 0..6)
        .prop_flat_map(move |rows| (Just(rows), value.clone()))
        .prop_map(move |(rows, last)| {
            let mut left = count;
            let mut cut: Vec<_> = rows
                .into_iter()
                .map(|(length, value)| {
                    let length = length.min(left);
                    left -= length;
                    (length, value)
                })
                .collect();
            cut.push((left, last));
            cut
        })
}

proptest! {
    /// The cursor against the plainest reading of the tables: every row written out.
    #[test]
    fn tables_read_as_if_written_out(
        (count, deltas, offsets, per_chunk) in (1u32..60).prop_flat_map(|count| (
            Just(count),
            rows(count, 1u32..9),
            prop::option::of(rows(count, -20i32..20)),
            prop::collection::vec(0u32..5, 0..4),
        )),
        sizes in prop::collection::vec(0u32..50, 60),
        syncs in prop::option::of(prop::collection::btree_set(1u32..60, 0..9)),
    ) {
        let sizes = sizes[..count as usize].to_vec();
        // A row of stsc for each chunk, then one for all the rest.
        let mut map: Vec<_> = per_chunk.iter().zip(1..).map(|(n, chunk)| (chunk, *n, 1)).collect();
        map.push((map.len() as u32 + 1, 3, 1));
        let chunks: Vec<u64> = (0..map.len() as u64 + 20).map(|n| 10_000 - n * 37).collect();
        let forge = Forge {
            deltas: deltas.clone(),
            offsets: offsets.clone(),
            syncs: syncs.as_ref().map(|set| set.iter().copied().collect()),
            map,
            chunks: chunks.clone(),
            sizes: Sizes::Each(sizes.clone()),
            ..Forge::default()
        };
        let mut places = Vec::new();
        for (chunk, start) in chunks.iter().enumerate() {
            let mut at = *start;
            for _ in 0..per_chunk.get(chunk).copied().unwrap_or(3) {
                if let Some(size) = sizes.get(places.len()) {
                    places.push(at);
                    at += u64::from(*size);
                }
            }
        }
        let spread = |rows: &[(u32, i64)]| -> Vec<i64> {
            rows.iter().flat_map(|(n, v)| vec![*v; *n as usize]).collect()
        };
        let deltas = spread(&deltas.iter().map(|(n, d)| (*n, i64::from(*d))).collect::<Vec<_>>());
        let offsets = offsets.map_or_else(
            || vec![0; count as usize],
            |rows| spread(&rows.iter().map(|(n, o)| (*n, i64::from(*o))).collect::<Vec<_>>()),
        );
        let decoding: Vec<i64> = deltas
            .iter()
            .scan(0, |sum, delta| { let now = *sum; *sum += delta; Some(now) })
            .collect();
        let pts: Vec<i64> = decoding.iter().zip(&offsets).map(|(d, o)| d + o).collect();
        let zero = pts.iter().min().copied().unwrap_or(0);
        let (movie, samples) = samples(&mut forge.file(20_000)).expect("a good file");
        prop_assert_eq!(samples.len(), count as usize);
        for (n, sample) in samples.iter().enumerate() {
            prop_assert_eq!(sample.offset, places[n]);
            prop_assert_eq!(sample.size, sizes[n]);
            prop_assert_eq!(sample.pts, MediaTime::from_scale(pts[n] - zero, 30));
            prop_assert_eq!(sample.sync, syncs.as_ref().is_none_or(|s| s.contains(&(n as u32 + 1))));
            prop_assert!(sample.shown);
            prop_assert!(sample.dts <= sample.pts);
        }
        prop_assert!(samples.windows(2).all(|pair| pair[0].dts <= pair[1].dts));
        let end = pts.iter().zip(&deltas).map(|(p, d)| p + d).max().unwrap_or(0);
        prop_assert_eq!(movie.tracks[0].duration, MediaTime::from_scale(end - zero, 30));
    }

    /// No bytes at all make a panic, a long run or a large read.
    #[test]
    fn any_numbers_in_the_tables_are_survived(
        deltas in prop::collection::vec((any::<u32>(), any::<u32>()), 0..4),
        offsets in prop::option::of(prop::collection::vec((any::<u32>(), any::<i32>()), 0..4)),
        map in prop::collection::vec((0u32..5, 0u32..40, 0u32..3), 0..4),
        edits in prop::option::of(prop::collection::vec((any::<u64>(), any::<i64>()), 0..4)),
        chunks in prop::collection::vec(any::<u64>(), 0..4),
        scales in (any::<u32>(), any::<u32>()),
        version in 0u8..2,
        sizes in prop::collection::vec(0u32..300, 0..40),
    ) {
        let forge = Forge {
            movie_scale: scales.0,
            scale: scales.1,
            deltas,
            offsets,
            map,
            chunks: chunks.iter().map(|chunk| chunk % 4000).collect(),
            wide: true,
            sizes: Sizes::Each(sizes),
            edits: edits.map(|rows| (version, rows.iter().map(|(d, t)| (*d, *t, RATE_1)).collect())),
            ..Forge::default()
        };
        let mut file = forge.file(4000);
        if let Ok((movie, found)) = samples(&mut file) {
            prop_assert!(found.windows(2).all(|pair| pair[0].dts <= pair[1].dts));
            prop_assert!(movie.tracks[0].duration > MediaTime::ZERO);
        }
        prop_assert!(file.largest as u64 <= MAX_MOOV);
        prop_assert!(file.reads < 10);
    }
}
