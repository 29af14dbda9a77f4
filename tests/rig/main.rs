//! The rig: the daemon as an installed service in a machine with a real kernel and real display drivers.
//!
//! `make rig` runs it; `make rig-shell` gives a person a prompt in it. Every scenario goes on from a warm snapshot, in a
//! folder of its own that stays when it fails.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

mod accidents;
mod base;
mod clips;
mod cost;
#[path = "../support/counted/mod.rs"]
mod counted;
mod demo;
mod flips;
mod guest;
mod house;
mod joins;
mod machine;
mod parcel;
mod pictures;
mod planes;
mod power;
mod scene;
mod screens;
mod service;
mod silent;
mod timing;
mod tv;
mod viewer;
mod warm;
mod wire;
mod zero_copy;
