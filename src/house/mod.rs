//! The house server: one process that keeps the houses, tells their boxes and serves their page.

mod alerts;
mod announce;
pub mod args;
mod desk;
mod folder;
mod post;
mod serve;
mod tls;
mod webhook;
mod whereabouts;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

use args::Command;

/// A fault in what somebody wrote: arguments or configuration.
const BAD_INPUT: u8 = 2;
/// A fault while running.
const BROKEN: u8 = 1;

/// Why the server did not run to its end: what to tell, and the exit status.
struct Failed {
    error: anyhow::Error,
    status: u8,
}

impl Failed {
    fn bad(error: anyhow::Error) -> Self {
        Self {
            error,
            status: BAD_INPUT,
        }
    }

    fn broken(error: anyhow::Error) -> Self {
        Self {
            error,
            status: BROKEN,
        }
    }
}

/// Runs the server, or does what else was asked; answers its exit status.
pub fn main() -> ExitCode {
    let command = Command::parse();
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            let _ = writeln!(io::stderr(), "musebox-house: {:#}", failed.error);
            ExitCode::from(failed.status)
        }
    }
}

fn run(command: Command) -> Result<(), Failed> {
    // Whoever makes a TLS connection in this process takes this one; another was never installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|err| Failed::broken(err.into()))?;
    match command.task {
        Some(task) => {
            crate::logging::init(log::LevelFilter::Warn);
            runtime.block_on(desk::run(task)).map_err(Failed::broken)
        }
        None => {
            crate::logging::init(log::LevelFilter::Info);
            let settings = command.serve.with_file().map_err(Failed::bad)?;
            let plan = serve::Plan::of(settings).map_err(Failed::bad)?;
            runtime.block_on(plan.run()).map_err(Failed::broken)
        }
    }
}
