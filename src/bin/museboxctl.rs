//! museboxctl: the command line of a box.

use std::process::ExitCode;

fn main() -> ExitCode {
    musebox::ctl::main()
}
