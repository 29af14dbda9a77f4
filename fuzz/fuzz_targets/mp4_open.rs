//! Opens any bytes as a movie: it ends, and no read is larger than the caps.
#![no_main]

use libfuzzer_sys::fuzz_target;
use musebox::domain::{
    mp4::{MAX_MOOV, Movie, ReadAt, ReadError, TrackKind},
    units::MediaTime,
};

struct Bytes<'a>(&'a [u8]);

impl ReadAt for Bytes<'_> {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        assert!(buffer.len() as u64 <= MAX_MOOV);
        let start = usize::try_from(offset).map_err(|e| ReadError(e.to_string()))?;
        let bytes = self
            .0
            .get(start..)
            .and_then(|rest| rest.get(..buffer.len()))
            .ok_or_else(|| ReadError(format!("{} bytes at {offset}", buffer.len())))?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

fuzz_target!(|data: &[u8]| {
    match Movie::open(&mut Bytes(data)) {
        Ok(movie) => {
            for track in &movie.tracks {
                assert!(track.duration >= MediaTime::ZERO);
                assert!(
                    track.kind == TrackKind::Other
                        || (track.samples > 0) == (track.duration > MediaTime::ZERO)
                );
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
