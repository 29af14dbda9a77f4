//! The capture: the picture of every vblank, drawn and written by a thread of its own.

use std::{
    io::{self, BufWriter, Write},
    sync::mpsc::{SyncSender, sync_channel},
    thread::JoinHandle,
};

use thiserror::Error;

use crate::{
    domain::units::Mode,
    kms::{
        compose::{Canvas, ComposeError, Composer},
        scene::Scene,
        y4m::Y4mWriter,
    },
};

/// How many vblanks the writer may lag behind before the display waits for it.
const BACKLOG: usize = 32;

/// Why a capture is not whole.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The file or pipe failed.
    #[error("writing the capture failed: {0}")]
    Write(#[from] io::Error),
    /// A picture could not be drawn.
    #[error("drawing the capture failed: {0}")]
    Draw(#[from] ComposeError),
    /// The writer's thread came to harm.
    #[error("the capture's writer has died")]
    Died,
}

/// A running capture.
pub struct Capture {
    sender: SyncSender<(Option<Scene>, u64)>,
    writer: JoinHandle<Result<(), CaptureError>>,
    pictures: u64,
}

impl Capture {
    /// Begins a capture of pictures of `mode`.
    pub fn start(output: Box<dyn Write + Send>, mode: Mode) -> io::Result<Self> {
        let (sender, receiver) = sync_channel::<(Option<Scene>, u64)>(BACKLOG);
        let writer = std::thread::Builder::new()
            .name("capture".into())
            .spawn(move || {
                let mut writer = Y4mWriter::new(BufWriter::with_capacity(1 << 20, output), mode)?;
                let (mut composer, mut canvas) = (Composer::default(), Canvas::new(mode.size));
                for (scene, vblanks) in receiver {
                    if let Some(scene) = scene {
                        composer.draw(&scene, &mut canvas)?;
                    }
                    for _ in 0..vblanks {
                        writer.write(&canvas)?;
                    }
                }
                Ok(writer.finish()?)
            })?;
        Ok(Self {
            sender,
            writer,
            pictures: 0,
        })
    }

    /// Whether anything was captured yet.
    pub fn has_begun(&self) -> bool {
        self.pictures > 0
    }

    /// Writes a scene for this many vblanks; nothing is the one before. A writer that has failed says so at the end.
    pub fn write(&mut self, scene: Option<&Scene>, vblanks: u64) {
        self.pictures += vblanks;
        let _ = self.sender.send((scene.cloned(), vblanks));
    }

    /// Whether the writer has stopped early, because it failed.
    pub fn has_failed(&self) -> bool {
        self.writer.is_finished()
    }

    /// Waits until everything is written; tells how many pictures there are.
    pub fn finish(self) -> Result<u64, CaptureError> {
        drop(self.sender);
        self.writer.join().map_err(|_| CaptureError::Died)??;
        Ok(self.pictures)
    }
}
