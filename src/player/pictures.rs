//! Screenshots: the scene that was latched last, drawn and encoded by a thread that has time.

use std::sync::{Arc, mpsc::Receiver};

use tokio::sync::oneshot;

use crate::{
    domain::{protocol::PictureFormat, units::Size},
    kms::{
        compose::{Canvas, Composer},
        scene::Scene,
    },
    picture::{self, Picture},
};

/// How good a JPEG is, 1 to 100.
const QUALITY: u8 = 85;

/// Answers a question for a screenshot once the presenter has told what is on the screen.
pub fn answer(
    scene: Receiver<Option<Arc<Scene>>>,
    size: Size,
    format: PictureFormat,
    max_width: Option<u32>,
    reply: oneshot::Sender<Result<Vec<u8>, String>>,
) {
    let work = move || {
        let picture = match scene.recv() {
            Ok(Some(scene)) => {
                draw(&scene, size).and_then(|picture| encode(picture, format, max_width))
            }
            Ok(None) => Err("nothing was shown yet".to_owned()),
            Err(_) => Err("the display has ended".to_owned()),
        };
        let _ = reply.send(picture);
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
