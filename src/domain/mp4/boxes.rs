//! Boxes in memory: a checked walk over children and fields. It never copies and never looks past its slice.

use super::error::{FourCc, Mp4Error, Place};

/// A box whose bytes are in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Atom<'a> {
    pub kind: FourCc,
    pub place: Place,
    /// What follows the header.
    pub body: &'a [u8],
    /// The file offset of the first byte of `body`.
    pub body_offset: u64,
}

impl<'a> Atom<'a> {
    /// The boxes in this box.
    pub fn children(&self) -> Children<'a> {
        self.children_after(0)
    }

    /// The boxes in this box that follow `skipped` bytes of fields.
    pub fn children_after(&self, skipped: usize) -> Children<'a> {
        let rest = self.body.get(skipped..).unwrap_or_default();
        Children {
            parent: self.place,
            rest,
            offset: self.body_offset.saturating_add(skipped as u64),
        }
    }

    /// The first child of a kind.
    pub fn child(&self, kind: &[u8; 4]) -> Result<Option<Atom<'a>>, Mp4Error> {
        for child in self.children() {
            let child = child?;
            if child.kind.0 == *kind {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }

    /// The first child of a kind, which must be there.
    pub fn need(&self, kind: &[u8; 4]) -> Result<Atom<'a>, Mp4Error> {
        self.child(kind)?.ok_or(Mp4Error::Missing {
            place: self.place,
            kind: FourCc(*kind),
        })
    }

    /// The fields of this box.
    pub fn fields(&self) -> Fields<'a> {
        Fields {
            place: self.place,
            bytes: self.body,
            at: 0,
            offset: self.body_offset,
        }
    }

    /// The version, the flags and the fields of this box, as of a full box (ISO/IEC 14496-12, 4.2).
    pub fn full(&self) -> Result<(u8, u32, Fields<'a>), Mp4Error> {
        let mut fields = self.fields();
        let word = fields.u32()?;
        Ok(((word >> 24) as u8, word & 0x00ff_ffff, fields))
    }

    /// The error that this box is wrong.
    pub fn malformed(&self, why: &'static str) -> Mp4Error {
        Mp4Error::Malformed {
            place: self.place,
            why,
        }
    }
}

/// What the first bytes of a box say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub kind: FourCc,
    /// The bytes of the header itself: 8, or 16 where the size has 64 bits.
    pub length: u64,
    pub extent: Extent,
}

/// How far a box reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// So many bytes, the header included.
    Bytes(u64),
    /// To the end of the file.
    ToTheEnd,
    /// The size is smaller than the header.
    Impossible,
}

impl Header {
    /// Reads a header of 8 or 16 bytes (ISO/IEC 14496-12, 4.2); nothing where there are too few.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let (length, extent) = match u32::from_be_bytes(*size) {
            0 => (8, Extent::ToTheEnd),
            1 => {
                let (wide, _) = rest.split_first_chunk::<8>()?;
                (16, Extent::Bytes(u64::from_be_bytes(*wide)))
            }
            size => (8, Extent::Bytes(u64::from(size))),
        };
        let extent = match extent {
            Extent::Bytes(size) if size < length => Extent::Impossible,
            extent => extent,
        };
        Some(Self {
            kind: FourCc(*kind),
            length,
            extent,
        })
    }
}

/// The boxes in a box, in order. Ends after the first error.
pub(super) struct Children<'a> {
    parent: Place,
    rest: &'a [u8],
    offset: u64,
}

impl<'a> Iterator for Children<'a> {
    type Item = Result<Atom<'a>, Mp4Error>;

    fn next(&mut self) -> Option<Self::Item> {
        // Fewer than 8 bytes are padding; QuickTime ends some lists with four zero bytes.
        if self.rest.len() < 8 {
            return None;
        }
        let Some(header) = Header::parse(self.rest) else {
            let place = self.parent;
            let limit = self.offset.saturating_add(self.rest.len() as u64);
            self.rest = &[];
            return Some(Err(Mp4Error::Truncated {
                place,
                end: self.offset.saturating_add(16),
                limit,
            }));
        };
        let place = self.parent.child(header.kind, self.offset);
        let size = match header.extent {
            Extent::Bytes(size) => size,
            // Size 0 ends a QuickTime list; a box inside another cannot reach to the end of the file.
            Extent::ToTheEnd => {
                self.rest = &[];
                return None;
            }
            Extent::Impossible => {
                self.rest = &[];
                return Some(Err(Mp4Error::Malformed {
                    place,
                    why: "its size is smaller than its header",
                }));
            }
        };
        let taken = usize::try_from(size)
            .ok()
            .and_then(|size| self.rest.split_at_checked(size));
        let Some((whole, rest)) = taken else {
            let limit = self.offset.saturating_add(self.rest.len() as u64);
            self.rest = &[];
            return Some(Err(Mp4Error::Truncated {
                place,
                end: self.offset.saturating_add(size),
                limit,
            }));
        };
        let atom = Atom {
            kind: header.kind,
            place,
            body: whole.get(header.length as usize..).unwrap_or_default(),
            body_offset: self.offset.saturating_add(header.length),
        };
        self.rest = rest;
        self.offset = self.offset.saturating_add(size);
        Some(Ok(atom))
    }
}

/// The fields of a box, read one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    place: Place,
    bytes: &'a [u8],
    at: usize,
    offset: u64,
}

impl<'a> Fields<'a> {
    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Mp4Error> {
        let end = self.at.checked_add(count);
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(bytes) => {
                self.at += count;
                Ok(bytes)
            }
            None => Err(Mp4Error::Truncated {
                place: self.place,
                end: self
                    .offset
                    .saturating_add(self.at as u64)
                    .saturating_add(count as u64),
                limit: self.offset.saturating_add(self.bytes.len() as u64),
            }),
        }
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Mp4Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// Eight bits.
    pub fn u8(&mut self) -> Result<u8, Mp4Error> {
        self.array().map(u8::from_be_bytes)
    }

    /// Sixteen bits.
    pub fn u16(&mut self) -> Result<u16, Mp4Error> {
        self.array().map(u16::from_be_bytes)
    }

    /// Thirty-two bits.
    pub fn u32(&mut self) -> Result<u32, Mp4Error> {
        self.array().map(u32::from_be_bytes)
    }

    /// Thirty-two bits with a sign.
    pub fn i32(&mut self) -> Result<i32, Mp4Error> {
        self.array().map(i32::from_be_bytes)
    }

    /// Sixty-four bits.
    pub fn u64(&mut self) -> Result<u64, Mp4Error> {
        self.array().map(u64::from_be_bytes)
    }

    /// Sixty-four bits in version 1 of a box, thirty-two in version 0.
    pub fn wide(&mut self, version: u8) -> Result<u64, Mp4Error> {
        match version {
            0 => self.u32().map(u64::from),
            _ => self.u64(),
        }
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(body: &[u8]) -> Atom<'_> {
        Atom {
            kind: FourCc(*b"moov"),
            place: Place::top(FourCc(*b"moov"), 100),
            body,
            body_offset: 108,
        }
    }

    #[test]
    fn children_are_walked_with_small_and_wide_sizes() {
        let mut body = b"\0\0\0\x0afreeab".to_vec();
        body.extend(b"\0\0\0\x01skip\0\0\0\0\0\0\0\x11c");
        body.extend(b"\0\0\0\0"); // A QuickTime terminator.
        let children: Vec<_> = atom(&body)
            .children()
            .collect::<Result<_, _>>()
            .expect("valid");
        let seen: Vec<_> = children
            .iter()
            .map(|c| (c.kind.to_string(), c.place.offset(), c.body_offset, c.body))
            .collect();
        assert_eq!(
            seen,
            [
                ("free".to_owned(), 108, 116, &b"ab"[..]),
                ("skip".to_owned(), 118, 134, &b"c"[..]),
            ]
        );
    }

    #[test]
    fn a_child_that_reaches_past_its_parent_is_named_with_its_place() {
        let body = b"\0\0\0\x0afreeab\0\0\0\x0btrakab";
        let error = atom(body)
            .children()
            .collect::<Result<Vec<_>, _>>()
            .expect_err("too long");
        assert_eq!(
            error.to_string(),
            "moov/trak at byte 118 is cut short: it needs the bytes up to 129, but they end at 128"
        );
        assert_eq!(
            atom(body).children().count(),
            2,
            "the walk ends at the error"
        );
    }

    #[test]
    fn an_impossible_size_is_an_error_and_never_a_loop() {
        for size in 2..8 {
            let mut body = vec![0, 0, 0, size];
            body.extend(b"trak    ");
            let error = atom(&body).child(b"mvhd").expect_err("impossible");
            assert!(
                matches!(error, Mp4Error::Malformed { place, .. } if place.path() == "moov/trak")
            );
        }
        let mut wide = b"\0\0\0\x01trak".to_vec();
        wide.extend(15u64.to_be_bytes());
        assert!(atom(&wide).child(b"mvhd").is_err());
        assert!(
            atom(b"\0\0\0\x01trak\0").child(b"mvhd").is_err(),
            "half a wide size"
        );
    }

    #[test]
    fn fields_stop_at_the_end_of_their_box() {
        let mut fields = atom(b"\0\0\0\x07\xff\xff").fields();
        assert_eq!(fields.u32(), Ok(7));
        let error = fields.u32().expect_err("two bytes are left");
        assert!(matches!(
            error,
            Mp4Error::Truncated {
                end: 116,
                limit: 114,
                ..
            }
        ));
        assert_eq!(fields.u16(), Ok(0xffff));
        assert!(
            fields.take(usize::MAX).is_err(),
            "a count that overflows is only too large"
        );
    }
}
