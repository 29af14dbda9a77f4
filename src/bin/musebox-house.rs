//! musebox-house: the house server.

use std::process::ExitCode;

fn main() -> ExitCode {
    musebox::house::main()
}
