//! The counted clips that the guest plays, as large as its display's mode, so that no scaler is measured.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    counted::{
        generate::{self, Audio, Clip, Codec, Layout},
        pattern::Rate,
    },
    warm,
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
        (
            "fragments.mp4",
            Clip {
                layout: Layout::Fragmented,
                ..clip(9, 30, 2)
            },
        ),
        ("loop.mp4", clip(4, 30, 1)),
        (
            "slow.mp4",
            Clip {
                bframes: 2,
                ..clip(8, 2, 6)
            },
        ),
        (
            "wide.mp4",
            Clip {
                size: (640, 360),
                ..clip(7, 30, 1)
            },
        ),
        ("p.mp4", clip(5, 30, 3)),
        ("q.mp4", clip(6, 30, 3)),
    ]
}

/// The images by their names, with their ids.
pub const STILLS: [(&str, u8); 2] = [("one.png", 11), ("two.png", 12)];

/// Where a clip is on the host.
pub fn path(name: &str) -> PathBuf {
    warm::runs().join("parcel").join(name)
}

/// Makes them in a folder, but for those that are there as they should be.
pub fn make(folder: &Path) -> anyhow::Result<()> {
    for (name, clip) in all() {
        let path = folder.join(name);
        // What it was made from stands beside the folder: what is inside goes into the guest.
        let recipe = (folder.with_extension(name), format!("{clip:?}"));
        if path.exists() && fs::read_to_string(&recipe.0).is_ok_and(|made| made == recipe.1) {
            continue;
        }
        let unfinished = folder.with_extension("part.mp4");
        generate::make(&clip, &unfinished)?;
        fs::rename(unfinished, path)?;
        fs::write(recipe.0, recipe.1)?;
    }
    for (name, id) in STILLS {
        generate::image(id, (640, 480), &folder.join(name))?;
    }
    Ok(())
}
