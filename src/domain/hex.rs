//! Keys, nonces and hashes as text: lower-case hexadecimal digits.

use std::fmt::Write as _;

/// Bytes as digits.
pub fn write(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Digits as bytes; nothing where they are not exactly `N` bytes.
pub fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let value = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(value(pair[0])? * 16 + value(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_bytes_belong_together() {
        let bytes = [0x00, 0x9f, 0xff];
        assert_eq!(write(&bytes), "009fff");
        assert_eq!(read("009FfF"), Some(bytes));
        for bad in ["", "009ff", "009fff0", "009ffg", "00 9ff", "+09fff", "äää"] {
            assert_eq!(read::<3>(bad), None, "{bad}");
        }
    }
}
