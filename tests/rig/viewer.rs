//! The person who buys another television: a viewer of QEMU's display (RFB, RFC 6143) that asks for other sizes. To the
//! guest that is a screen with another EDID on the same cable.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use anyhow::{Context, ensure};

/// How long QEMU may take for one answer.
const LIMIT: Duration = Duration::from_secs(60);

/// The pseudo-encoding of a viewer that may change the size, `ExtendedDesktopSize`.
const EXTENDED_DESKTOP_SIZE: i32 = -308;

/// A viewer that looks on. The screen keeps its size when it goes.
pub struct Viewer {
    stream: UnixStream,
}

impl Viewer {
    /// Begins to look on by QEMU's socket.
    pub fn connect(path: &Path) -> anyhow::Result<Self> {
        let stream = UnixStream::connect(path).with_context(|| path.display().to_string())?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut viewer = Self { stream };
        let version = viewer.take(12)?;
        ensure!(version.starts_with(b"RFB 003.008"), "another protocol");
        viewer.stream.write_all(&version)?;
        // The security types that are offered; 1 is none.
        let count = viewer.take(1)?[0];
        let types = viewer.take(count.into())?;
        ensure!(types.contains(&1), "it wants a password");
        viewer.stream.write_all(&[1])?;
        ensure!(viewer.take(4)? == [0; 4], "the viewer is refused");
        // Others may look on, too.
        viewer.stream.write_all(&[1])?;
        let init = viewer.take(24)?;
        let name = u32::from_be_bytes([init[20], init[21], init[22], init[23]]);
        viewer.take(name as usize)?;
        let mut encodings = vec![2, 0, 0, 2];
        for encoding in [EXTENDED_DESKTOP_SIZE, 0] {
            encodings.extend(encoding.to_be_bytes());
        }
        viewer.stream.write_all(&encodings)?;
        Ok(viewer)
    }

    fn take(&mut self, length: usize) -> anyhow::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The screen has this size from now on (`SetDesktopSize`, with one screen).
    pub fn resize(&mut self, width: u16, height: u16) -> anyhow::Result<()> {
        let mut message = vec![251, 0];
        message.extend([width, height].iter().flat_map(|side| side.to_be_bytes()));
        message.extend([1, 0]);
        message.extend([0; 8]);
        message.extend([width, height].iter().flat_map(|side| side.to_be_bytes()));
        message.extend([0; 4]);
        self.stream.write_all(&message)?;
        Ok(())
    }
}
