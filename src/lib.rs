//! musebox: a dependable player of art and signage.
//!
//! The crate map. Data flows one way, `bin -> app -> adapter -> domain`; `tests/layering.rs` holds the table.
//! This file is the only place with `#[cfg(feature)]`.
//!
//! - [`domain`]: pure rules. No clock, file, socket, thread or random number.
//! - adapters: [`os`], [`gst`], [`kms`], [`picture`], [`control`], [`control_server`]. They import the domain and [`os`] only.
//! - adapters of the house server: [`db`], [`blob`], [`web`]; of the box's way to it: [`net`]; of both: [`logging`].
//! - apps: [`player`], [`ctl`], [`house`]. One owner loop each.

#![warn(clippy::all)]
#![allow(clippy::disallowed_methods)] // The list is for the domain, which denies it again.

pub mod domain;

#[cfg(feature = "house")]
pub mod blob;
#[cfg(feature = "control")]
pub mod control;
#[cfg(feature = "player")]
pub mod control_server;
#[cfg(feature = "ctl")]
pub mod ctl;
#[cfg(feature = "house")]
pub mod db;
#[cfg(feature = "player")]
pub mod gst;
#[cfg(feature = "house")]
pub mod house;
#[cfg(feature = "player")]
pub mod kms;
#[cfg(any(feature = "player", feature = "house"))]
pub mod logging;
#[cfg(feature = "player")]
pub mod net;
#[cfg(feature = "player")]
pub mod os;
#[cfg(feature = "player")]
pub mod picture;
#[cfg(feature = "player")]
pub mod player;
#[cfg(feature = "house")]
pub mod web;

// A part of `db`, which is here because features are decided here only.
#[cfg(all(feature = "house", not(feature = "postgres")))]
#[path = "db/no_postgres.rs"]
mod postgres;
#[cfg(feature = "postgres")]
#[path = "db/postgres/mod.rs"]
mod postgres;
