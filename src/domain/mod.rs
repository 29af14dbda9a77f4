//! The rules of the player, pure: time and randomness come in as arguments, decisions go out as values.
//!
//! Deliberately absent: clocks, files, sockets, threads, random numbers, GStreamer, DRM. So all of it runs in
//! virtual time, a year of playback in seconds.

#![forbid(unsafe_code)]
#![deny(clippy::disallowed_methods)]

pub mod config;
pub mod counters;
pub mod delays;
pub mod fit;
pub mod hex;
pub mod house;
pub mod ids;
pub mod mp4;
pub mod pacing;
pub mod player;
pub mod playlist;
pub mod protocol;
pub mod sequencer;
pub mod session;
pub mod slots;
pub mod tv;
pub mod units;
