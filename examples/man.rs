//! Writes the manual pages into a folder: `cargo run --example man -- DIR`.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

use std::{fs, io, path::Path, process::ExitCode};

use clap::CommandFactory;
use clap_mangen::Man;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: man DIR");
        return ExitCode::from(2);
    };
    match write(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", Path::new(&folder).display());
            ExitCode::FAILURE
        }
    }
}

/// museboxctl.1 with a page for each of its commands, and museboxd.8.
fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(musebox::ctl::Args::command(), folder)?;
    let daemon = Man::new(musebox::player::args::Args::command())
        .section("8")
        .manual("System manager's manual");
    let mut page = Vec::new();
    daemon.render(&mut page)?;
    fs::write(folder.join("museboxd.8"), page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_and_command_has_its_place_in_a_page() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path()).expect("the pages are written");
        let page = |name: &str| {
            let text = fs::read_to_string(folder.path().join(name)).expect(name);
            text.replace("\\-", "-")
        };
        let daemon = page("museboxd.8");
        assert!(daemon.contains(".TH museboxd 8"), "{daemon}");
        for option in musebox::player::args::Args::command().get_arguments() {
            let long = option.get_long().unwrap_or_default();
            assert!(daemon.contains(&format!("--{long}")), "{long}");
        }
        let control = page("museboxctl.1");
        assert!(control.contains(".TH museboxctl 1"), "{control}");
        for command in musebox::ctl::Args::command().get_subcommands() {
            let name = command.get_name();
            assert!(page(&format!("museboxctl-{name}.1")).contains(name));
            assert!(control.contains(name), "{name}");
        }
    }
}
