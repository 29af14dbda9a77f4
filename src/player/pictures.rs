//! Screenshots: what is on the screen, drawn and encoded by a thread that has time.

use std::sync::{Arc, mpsc::Receiver};

use crate::{
    domain::{
        protocol::{PictureFormat, PictureSource},
        units::Size,
    },
    kms::{
        atomic::Importer,
        compose::{Canvas, Composer},
        scene::Scene,
    },
    picture::{self, Picture},
};

/// How good a JPEG is, 1 to 100.
const QUALITY: u8 = 85;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Which screen.
    pub screen: usize,
    /// The screen's size.
    pub size: Size,
    /// The file's format.
    pub format: PictureFormat,
    /// Shrunk to this width.
    pub max_width: Option<u32>,
    /// Where it may come from.
    pub source: PictureSource,
}

/// Answers a question for a screenshot: what the kernel scans out, where it can be read back, and else the scene that
/// the presenter tells.
pub fn answer(
    scene: Receiver<Option<Scene>>,
    kernel: Option<Arc<Importer>>,
    wanted: Wanted,
    reply: impl FnOnce(Result<Vec<u8>, String>) + Send + 'static,
) {
    let work = move || {
        let told = scene.recv();
        let read_back = match kernel {
            Some(kernel) => kernel
                .scanned_out(wanted.screen)
                .map_err(|err| err.to_string()),
            None => Err("the display has no picture that could be read back".to_owned()),
        };
        let scene = match (read_back, told) {
            (Ok(scene), _) => Ok(scene),
            (Err(why), _) if wanted.source == PictureSource::ScannedOut => Err(why),
            (Err(_), Ok(Some(scene))) => Ok(scene),
            (Err(_), Ok(None)) => Err("nothing was shown yet".to_owned()),
            (Err(_), Err(_)) => Err("the display has ended".to_owned()),
        };
        let picture = scene
            .and_then(|scene| draw(&scene, wanted.size))
            .and_then(|picture| encode(picture, wanted.format, wanted.max_width));
        reply(picture);
    };
    if let Err(err) = std::thread::Builder::new()
        .name("screenshot".into())
        .spawn(work)
    {
        log::warn!(err = err.to_string().as_str(); "no thread for a screenshot");
    }
}

/// Draws a scene as a picture of the screen's size.
pub fn draw(scene: &Scene, size: Size) -> Result<Picture, String> {
    let mut canvas = Canvas::new(size);
    Composer::default()
        .draw(scene, &mut canvas)
        .map_err(|err| err.to_string())?;
    Ok(Picture {
        size,
        rgba: canvas.to_rgba().map_err(|err| err.to_string())?,
    })
}

fn encode(
    picture: Picture,
    format: PictureFormat,
    max_width: Option<u32>,
) -> Result<Vec<u8>, String> {
    let max = Size::new(max_width.unwrap_or(u32::MAX), u32::MAX);
    let picture = picture::image::shrink_to(picture, max).map_err(|err| err.to_string())?;
    let encoded = match format {
        PictureFormat::Png => picture::encode_png(&picture),
        PictureFormat::Jpeg => picture::encode_jpeg(&picture, QUALITY),
    };
    encoded.map_err(|err| err.to_string())
}
