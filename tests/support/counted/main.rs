//! `counted`: makes counted clips and images, and judges captures of them. `counted help` tells how.

#[path = "mod.rs"]
mod counted;

use std::{io, process::ExitCode};

fn main() -> ExitCode {
    let streams = counted::command::Streams {
        input: &mut io::stdin().lock(),
        output: &mut io::stdout(),
        errors: &mut io::stderr(),
    };
    counted::command::run(std::env::args().skip(1), streams).into()
}
