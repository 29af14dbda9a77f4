//! The arguments of museboxctl.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use crate::domain::{config::HouseUrl, ids::Position, protocol::Power};

/// Steer and watch the musebox player on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(name = "museboxctl", version, propagate_version = true)]
#[command(
    after_long_help = "Exit status: 0 done, 1 it could not be done (no daemon, a refusal, a failed check), 2 a bad argument."
)]
pub struct Args {
    /// The player's control socket [default: the user's own player's if it runs, else /run/musebox/control.sock].
    #[arg(long, value_name = "PATH", global = true)]
    pub socket: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Task {
    /// Say how the box is.
    Status {
        /// Print the whole report as JSON (docs/schema/status.schema.json).
        #[arg(long)]
        json: bool,
    },
    /// Start, or go on after a pause.
    Play,
    /// Stand still on the picture that is shown.
    Pause,
    /// End playback and show the idle card.
    Stop,
    /// Go to the next item.
    Next,
    /// Go to the item before.
    Previous,
    /// Go to a position; all screens go to its montage.
    Goto {
        /// Montage, track and item, counted from 0, as in M0T0I0.
        #[arg(value_name = "POSITION")]
        position: Position,
    },
    /// Begin the item that is shown again.
    Replay,
    /// Switch the screens on or off; what plays goes on meanwhile.
    Display {
        /// Which of both.
        #[arg(value_name = "on|off", value_parser = read_power)]
        power: Power,
    },
    /// Save what is on the display.
    Screenshot {
        /// The file to write: a JPEG if it ends in .jpg, else a PNG; - is standard output.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Of this screen, instead of the first.
        #[arg(long, value_name = "NAME")]
        screen: Option<String>,
        /// Rather save nothing than a picture that the display may not show.
        #[arg(long)]
        scanned_out: bool,
    },
    /// Print what happens, line by line, until interrupted.
    Watch {
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Look for faults of the box, and say what to mend.
    Doctor {
        /// Print the findings as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print what the service has written to the journal.
    Logs {
        /// Go on with what is written from now on, until interrupted.
        #[arg(short, long)]
        follow: bool,
        /// The last N lines; all that the journal has with 0.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
        lines: u32,
        /// Only from this time on, as journalctl reads it: "09:00", "yesterday", "-1h".
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Only lines about this item.
        #[arg(long, value_name = "ID")]
        item: Option<String>,
        /// Only lines about this screen.
        #[arg(long, value_name = "NAME")]
        screen: Option<String>,
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Pair the box with a house: prints the code that is typed into the house's page.
    Pair {
        /// Where the house is, as in https://gallery.example:8443 [default: what is configured or found].
        #[arg(value_name = "HOUSE_URL")]
        url: Option<HouseUrl>,
    },
    /// Leave the house; the box plays what its own files say.
    Unpair,
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
}

fn read_power(text: &str) -> Result<Power, String> {
    let mut all = [Power::On, Power::Off].into_iter();
    let found = all.find(|power| power.word() == text);
    found.ok_or_else(|| "write on or off".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn arguments_read_as_written() {
        let args = Args::try_parse_from(["museboxctl", "goto", "M1T0I2", "--socket", "/x.sock"]);
        assert_eq!(
            args.expect("good arguments"),
            Args {
                socket: Some("/x.sock".into()),
                task: Task::Goto {
                    position: Position::new(1, 0, 2)
                },
            }
        );
    }

    #[test]
    fn bad_arguments_end_with_status_2_and_say_why() {
        for (words, says) in [
            (&["museboxctl"][..], "Usage"),
            (&["museboxctl", "dance"], "dance"),
            (&["museboxctl", "goto", "here"], "M0T0I0"),
            (&["museboxctl", "goto"], "POSITION"),
            (&["museboxctl", "screenshot"], "FILE"),
            (&["museboxctl", "pair", "http://10.0.0.7"], "https://"),
            (&["museboxctl", "completions", "cobol"], "bash"),
        ] {
            let error = Args::try_parse_from(words).expect_err("bad arguments");
            assert_eq!(error.exit_code(), 2, "{words:?}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
