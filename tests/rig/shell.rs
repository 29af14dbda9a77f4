//! A prompt in a machine of the rig, with the picture as a file: `make rig-shell`.

#![allow(clippy::disallowed_methods)] // The list is for the domain.
#![allow(dead_code)] // It takes the parts of the rig that it needs.

mod base;
mod clips;
#[path = "../support/counted/mod.rs"]
mod counted;
mod guest;
mod machine;
mod parcel;
mod scene;
mod warm;
mod wire;

use std::io::{self, BufRead, Write};

use warm::USUAL;

fn main() -> anyhow::Result<()> {
    let mut guest = warm::guest(USUAL, "shell");
    scene::playlist(&mut guest, &["a.mp4", "b.mp4", "c.mp4"]);
    scene::configure_on(&mut guest, "virtio_gpu", "", "mode = \"640x480@60\"");
    let picture = guest.path("picture.png");
    println!(
        "You are root in the guest. The player is installed and configured, and does not run yet:"
    );
    println!("  systemctl start museboxd; museboxctl status; museboxctl logs");
    println!("  rig-vkms make      a second card, with vblanks; rig-card vkms is its device node");
    println!(
        "After every line the first card's picture is {}.",
        picture.display()
    );
    println!("Each line runs in a shell of its own; exit or Ctrl-D ends the machine.\n");
    let mut lines = io::stdin().lock().lines();
    loop {
        print!("rig# ");
        io::stdout().flush()?;
        let Some(line) = lines.next().transpose()? else {
            break;
        };
        match line.trim() {
            "" => {}
            "exit" => break,
            script => {
                let (status, output) = guest.run(script)?;
                print!("{output}");
                if status != 0 {
                    println!("(status {status})");
                }
            }
        }
        guest.machine().screendump(&picture)?;
    }
    Ok(())
}
