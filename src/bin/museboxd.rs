//! The player daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    musebox::player::main()
}
