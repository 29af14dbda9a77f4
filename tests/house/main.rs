//! The real house server, asked as its page, its boxes and strangers ask it.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

#[path = "../support/postgres/mod.rs"]
mod postgres;
#[allow(dead_code)] // The other tests of the house take the rest.
#[path = "../support/house/mod.rs"]
mod support;

mod alerts;
mod boxes;
mod examples;
mod kills;
mod media;
mod page;
mod people;
mod resources;
mod serving;
mod shared;
mod strangers;
