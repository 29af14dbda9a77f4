//! Pictures of what is on the display, as files.

/// How a picture is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PictureFormat {
    /// Without loss.
    Png,
    /// Small.
    Jpeg,
}
