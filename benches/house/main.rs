//! Thousands of boxes on one house server: what a connection costs, how quickly a change reaches all, and how quickly
//! all are back after a restart. See `make bench-house`.
//!
//! All boxes are of one house, which is the hardest case: everyone is told of everything. They are made in the database
//! directly, since enrolling is slowed down on purpose; each then connects with a token of its own and speaks the real
//! protocol. Everything goes over loopback, with this tool on the same processors.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

mod crowd;
mod stage;

use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;

use crowd::Crowd;
use stage::Stage;

/// How many boxes one server carries.
#[derive(Parser)]
struct Args {
    /// How many boxes.
    #[arg(long, default_value_t = 5000)]
    boxes: usize,
    /// Connect with TLS.
    #[arg(long)]
    tls: bool,
    /// How many changes of a setting.
    #[arg(long, default_value_t = 5)]
    changes: usize,
}

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let most = u64::try_from(args.boxes)? * 2 + 1000;
    let (_, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)?;
    nix::sys::resource::setrlimit(
        nix::sys::resource::Resource::RLIMIT_NOFILE,
        most,
        hard.max(most),
    )
    .context("raising the limit of open files")?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run(&args))
}

async fn run(args: &Args) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut stage = Stage::set(args.boxes, args.tls).await?;
    println!(
        "{} boxes of one house, {}, made in {:.1} s",
        args.boxes,
        if args.tls { "TLS" } else { "plain WebSocket" },
        begun.elapsed().as_secs_f64()
    );
    stage.start().await?;
    stage.warm_up().await?;
    let before = stage.memory()?;
    let begun = Instant::now();
    let crowd = Crowd::connect(&stage).await?;
    crowd.reach(stage.rev, PATIENCE).await?;
    println!(
        "  connected and told everything in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    // What the server needed to tell them is given back or used again.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let each = (stage.memory()? - before) / args.boxes as f64;
    println!("  memory of the server: {before:.0} KiB before, {each:.1} KiB a connection");

    let (mut all, mut slowest) = (Vec::new(), 0.0_f64);
    for change in 0..args.changes {
        let begun = Instant::now();
        let rev = stage.change(change).await?;
        let times = crowd.times_to(rev, begun, PATIENCE).await?;
        slowest = slowest.max(*times.last().context("some boxes")?);
        all.extend(times);
    }
    all.sort_by(f64::total_cmp);
    let at = |share: f64| all[((all.len() as f64 * share) as usize).min(all.len() - 1)];
    println!(
        "  a change of a setting reached them: median {:.3} s, p99 {:.3} s, the last {slowest:.3} s ({} changes)",
        at(0.5),
        at(0.99),
        args.changes
    );

    let begun = Instant::now();
    stage.restart().await?;
    let rev = stage.change(args.changes).await?;
    crowd.reach(rev, PATIENCE).await?;
    println!(
        "  after a restart and a change, all held the newest revision in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}
