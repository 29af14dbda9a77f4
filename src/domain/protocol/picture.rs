//! Pictures of what is on the display, as files.

/// How a picture is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PictureFormat {
    /// Without loss.
    Png,
    /// Small.
    Jpeg,
}

/// Where the picture of a screenshot may come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PictureSource {
    /// From what the display scans out, or else from what was last given to it.
    #[default]
    Best,
    /// From what the display scans out, or there is none.
    ScannedOut,
}
