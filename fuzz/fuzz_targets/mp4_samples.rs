//! Walks all samples of any movie: they lie in the file, come in decoding order, and come again the second time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use musebox::domain::mp4::{Movie, ReadAt, ReadError, Sample, Track};

/// The bytes, and as many zeros after them, so that samples past the end of a small input are found as well.
struct Bytes<'a>(&'a [u8]);

const ZEROS: usize = 4096;

impl ReadAt for Bytes<'_> {
    fn size(&self) -> u64 {
        (self.0.len() + ZEROS) as u64
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.size()) {
            return Err(ReadError(format!("{} bytes at {offset}", buffer.len())));
        }
        for (index, byte) in buffer.iter_mut().enumerate() {
            *byte = self.0.get(offset as usize + index).copied().unwrap_or(0);
        }
        Ok(())
    }
}

/// How many samples are looked at: files of this size have far fewer.
const ENOUGH: usize = 20_000;

fn walk(track: &Track, file: &mut Bytes<'_>) {
    let mut cursor = track.cursor();
    let mut seen: Vec<Sample> = Vec::new();
    let mut buffer = Vec::new();
    while let Ok(Some(sample)) = cursor.next(file) {
        assert!(sample.offset + u64::from(sample.size) <= file.size());
        assert!(seen.last().is_none_or(|before| before.dts <= sample.dts));
        if sample.shown {
            assert!(sample.pts < track.duration);
        }
        if seen.len() < 100 {
            cursor
                .read(file, &sample, &mut buffer)
                .expect("the sample lies in the file");
            assert_eq!(buffer.len(), sample.size as usize);
        }
        seen.push(sample);
        if seen.len() == ENOUGH {
            break;
        }
    }
    cursor.restart();
    for sample in seen {
        assert_eq!(cursor.next(file), Ok(Some(sample)));
    }
}

fuzz_target!(|data: &[u8]| {
    let mut file = Bytes(data);
    if let Ok(movie) = Movie::open(&mut file) {
        for track in &movie.tracks {
            walk(track, &mut file);
            let _ = track.joinable(&mut file);
        }
    }
});
