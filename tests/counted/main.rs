//! The judge is judged: on captures made by hand with planted faults, on damaged pictures and files, and on clips
//! that ffmpeg has encoded and decoded.

#![allow(clippy::disallowed_methods)] // Files are what this is made of.

#[path = "../support/counted/mod.rs"]
mod counted;

mod code;
mod faults;
mod files;
mod roundtrip;
mod sounds;
mod stage;
