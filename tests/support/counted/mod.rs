//! Counted clips: media whose every frame says which frame it is, and a judge that reads captures of them.
//!
//! - [`pattern`]: the code in the picture, its geometry and how it is read back.
//! - [`draw`]: the picture around the code.
//! - [`sound`]: the beeps, WAV files, and when a beep begins.
//! - [`generate`]: clips and images, encoded by ffmpeg.
//! - [`y4m`] reads and writes captures.
//! - [`expect`]: what a capture should show.
//! - [`judge`]: what it does show, held against that. [`report`]: the verdict, for people and programs.
//! - [`lipsync`]: how far beeps are from their flashes.
//! - [`command`]: all of that by hand.
//!
//! Deliberately absent: the product. A judge that shared code with what it judges would share its mistakes.

#![allow(dead_code)] // Every test takes the part that it needs.
#![allow(clippy::disallowed_methods)] // Files and threads are what this is made of.

pub mod command;
pub mod draw;
pub mod expect;
pub mod generate;
pub mod judge;
pub mod lipsync;
pub mod pattern;
pub mod report;
pub mod sound;
pub mod y4m;
