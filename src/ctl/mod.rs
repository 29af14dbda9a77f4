//! museboxctl: the command line of a box.
//!
//! It asks the daemon over the control socket and prints the answers. Deliberately absent: any rule about playing.
//!
//! Exit status: 0 done, 1 it could not be done (no daemon, a refusal, a failed check), 2 a bad argument.

mod args;
mod logs;
mod pair;
mod report;

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{CommandFactory, Parser};

pub use args::{Args, Task};

use crate::{
    control::{Client, nearest_socket},
    domain::protocol::{CheckResult, PictureFormat, PictureSource, WireCommand},
};

/// Reads the arguments, does what they ask and says how it went.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime");
    match runtime.and_then(|runtime| runtime.block_on(run(args, &mut io::stdout()))) {
        Ok(code) => code,
        // Whoever read our output has seen enough, as `head` has.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("museboxctl: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Does what the arguments ask; what is to be read goes to `out`.
async fn run(args: Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let client = Client::new(args.socket.unwrap_or_else(nearest_socket));
    match args.task {
        Task::Status { json: true } => {
            // As it came: a later daemon may say more than this version knows.
            let text = client.status_text().await?;
            let value: serde_json::Value =
                serde_json::from_str(&text).context("reading museboxd's answer")?;
            writeln!(out, "{value:#}")?;
        }
        Task::Status { json: false } => {
            out.write_all(report::status(&client.status().await?).as_bytes())?
        }
        Task::Play => client.command(WireCommand::Play).await?,
        Task::Pause => client.command(WireCommand::Pause).await?,
        Task::Stop => client.command(WireCommand::Stop).await?,
        Task::Next => client.command(WireCommand::Next).await?,
        Task::Previous => client.command(WireCommand::Previous).await?,
        Task::Goto { position } => client.command(WireCommand::Goto { position }).await?,
        Task::Replay => client.command(WireCommand::Replay).await?,
        Task::Display { power } => client.command(WireCommand::Display { power }).await?,
        Task::Screenshot {
            file,
            screen,
            scanned_out,
        } => {
            let source = match scanned_out {
                true => PictureSource::ScannedOut,
                false => PictureSource::Best,
            };
            let bytes = client
                .screenshot(format_of(&file), screen.as_deref(), source)
                .await?;
            save(&file, &bytes, out)?;
        }
        Task::Watch { json } => {
            let mut events = client.watch().await?;
            while let Some((line, event)) = events.next().await? {
                match json {
                    true => writeln!(out, "{line}")?,
                    false => writeln!(out, "{}", report::event(&event))?,
                }
                out.flush()?;
            }
            anyhow::bail!("museboxd has closed the connection");
        }
        Task::Doctor { json } => {
            let found = client.doctor().await?;
            match json {
                true => writeln!(out, "{:#}", serde_json::to_value(&found)?)?,
                false => out.write_all(report::doctor(&found).as_bytes())?,
            }
            out.flush()?;
            if found.worst() == CheckResult::Fail {
                return Ok(ExitCode::FAILURE);
            }
        }
        Task::Logs {
            follow,
            lines,
            since,
            item,
            screen,
            json,
        } => {
            let wanted = logs::Wanted {
                follow,
                lines,
                since,
                item,
                screen,
            };
            logs::print(&wanted, json, out)?;
        }
        Task::Pair { url } => pair::pair(&client, url, out).await?,
        Task::Unpair => client.unpair().await?,
        Task::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "museboxctl", &mut script);
            out.write_all(&script)?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn format_of(file: &Path) -> PictureFormat {
    let ending = file.extension().map(|ending| ending.to_ascii_lowercase());
    match ending.is_some_and(|ending| ending == "jpg" || ending == "jpeg") {
        true => PictureFormat::Jpeg,
        false => PictureFormat::Png,
    }
}

/// Writes a file so that it is there as a whole or not at all; `-` is standard output.
fn save(file: &Path, bytes: &[u8], out: &mut impl Write) -> anyhow::Result<()> {
    if file == Path::new("-") {
        return out.write_all(bytes).map_err(Into::into);
    }
    // What is no ordinary file (a pipe, /dev/null) cannot be replaced.
    if fs::metadata(file).is_ok_and(|data| !data.is_file()) {
        return fs::write(file, bytes).with_context(|| format!("writing {}", file.display()));
    }
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(format!(".{}.part", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
    let written = fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, file));
    if written.is_err() {
        fs::remove_file(&unfinished).ok();
    }
    written.with_context(|| format!("writing {}", file.display()))
}
