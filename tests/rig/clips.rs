//! The counted clips that the guest plays, as large as its display's mode, so that no scaler is measured.

use std::{fs, path::Path};

use crate::counted::{
    generate::{self, Audio, Clip, Codec, Layout},
    pattern::Rate,
};

/// A clip without sound, of a number of seconds.
fn clip(id: u8, hertz: u32, seconds: u32) -> Clip {
    Clip {
        size: (640, 480),
        rate: Rate::hertz(hertz),
        frames: hertz * seconds,
        audio: Audio::None,
        ..Clip::new(id)
    }
}

/// The clips by their names.
pub fn all() -> Vec<(&'static str, Clip)> {
    vec![
        (
            "a.mp4",
            Clip {
                bframes: 2,
                ..clip(1, 25, 2)
            },
        ),
        (
            "b.mp4",
            Clip {
                codec: Codec::Hevc,
                ..clip(2, 30, 2)
            },
        ),
        (
            "c.mp4",
            Clip {
                layout: Layout::Fragmented,
                ..clip(3, 60, 2)
            },
        ),
        ("loop.mp4", clip(4, 30, 1)),
        ("p.mp4", clip(5, 30, 3)),
        ("q.mp4", clip(6, 30, 3)),
    ]
}

/// Makes them in a folder, but for those that are there.
pub fn make(folder: &Path) -> anyhow::Result<()> {
    for (name, clip) in all() {
        let path = folder.join(name);
        if path.exists() {
            continue;
        }
        let unfinished = folder.with_extension("part.mp4");
        generate::make(&clip, &unfinished)?;
        fs::rename(unfinished, path)?;
    }
    Ok(())
}
