//! Whether a JPEG file is whole.
//!
//! The decoder fills what is missing of a truncated file with grey, as browsers do. On a wall that is a fault
//! nobody is told of, so the end is looked for here, after ITU-T T.81, annex B.

const START: u8 = 0xd8;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;

/// Whether the end marker (EOI) stands where the markers and scans lead to. An EOI inside a segment, as that of an
/// embedded preview, does not count.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(marker) = next_marker(bytes, &mut at) {
        match marker {
            END => return true,
            // Markers without a segment: SOI, TEM and the restarts.
            START | 0x01 | 0xd0..=0xd7 => {}
            _ => {
                let Some(&[high, low]) = bytes.get(at..at + 2) else {
                    return false;
                };
                at += usize::from(u16::from_be_bytes([high, low])).max(2);
                if marker == SCAN {
                    at = scan_end(bytes, at);
                }
            }
        }
    }
    false
}

/// The next marker's code, leaving `at` behind it. Bytes between segments are skipped, as decoders do.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let rest = bytes.get(*at..)?;
        *at += rest.iter().position(|&byte| byte == 0xff)?;
        let code = *bytes.get(*at + 1)?;
        match code {
            // A fill byte: the marker's 0xff is still to come.
            0xff => *at += 1,
            0x00 => *at += 2,
            _ => {
                *at += 2;
                return Some(code);
            }
        }
    }
}

/// Where the entropy-coded data that begin at `at` end: at the first marker that is no restart.
fn scan_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(rest) = bytes.get(at..) {
        let Some(found) = rest.windows(2).position(|pair| pair[0] == 0xff) else {
            break;
        };
        at += found;
        match bytes.get(at + 1) {
            Some(0x00 | 0xd0..=0xd7) => at += 2,
            Some(0xff) => at += 1,
            _ => return at,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOI: [u8; 2] = [0xff, 0xd8];
    const EOI: [u8; 2] = [0xff, 0xd9];

    fn scan() -> Vec<u8> {
        // A scan header of 2 bytes, a stuffed 0xff, a restart, more data.
        vec![
            0xff, 0xda, 0, 2, 0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56, 0x78,
        ]
    }

    #[test]
    fn the_end_is_found_behind_one_scan_or_several() {
        let one = [&SOI[..], &scan(), &EOI].concat();
        let table = [0xff, 0xc4, 0, 3, 0];
        let two = [&SOI[..], &scan(), &table, &scan(), &[0xff, 0xff], &EOI].concat();
        assert!(is_whole(&one));
        assert!(is_whole(&two));
        for cut in 0..one.len() {
            assert!(!is_whole(&one[..cut]), "{cut}");
        }
        for cut in 0..two.len() {
            assert!(!is_whole(&two[..cut]), "{cut}");
        }
    }

    #[test]
    fn the_end_of_an_embedded_preview_is_not_the_end() {
        let preview = [0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9];
        let file = [&SOI[..], &preview, &scan()].concat();
        assert!(!is_whole(&file));
        assert!(is_whole(&[&file[..], &EOI].concat()));
    }

    #[test]
    fn any_bytes_have_an_answer() {
        for bytes in [&[][..], &[0xff], &[0xff; 9], &[0xff, 0xe1, 0xff], &[0; 5]] {
            assert!(!is_whole(bytes));
        }
    }
}
