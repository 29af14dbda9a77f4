//! What the operating system lends: picture memory, mailboxes between threads, the doorbell, the clock.
//!
//! Deliberately absent: any knowledge of media, displays or playlists.

pub mod cec;
pub mod clock;
pub mod config_files;
pub mod console;
pub mod doorbell;
pub mod durable;
pub mod feed;
pub mod frame;
pub mod mailbox;
pub mod memory;
pub mod realtime;
pub mod supervisor;
