//! The player as a program: real media in, captures out, judged frame by frame by a judge that knows no player.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

#[path = "../support/counted/mod.rs"]
mod counted;
#[path = "../support/player_box.rs"]
mod player_box;

mod commands;
mod faulty_items;
mod interface;
mod lockstep;
mod mono_montage;
mod real_pace;
mod screens;
