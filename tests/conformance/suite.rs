//! The Autobahn test suite (RFC 6455) against the WebSockets of the house server and of the box, as they are configured.
//!
//! usage: conformance WSTEST OUT
//!
//! WSTEST is the suite's program (`tests/conformance/run` installs it). The reports are left in OUT. Each side echoes
//! what the suite sends; what the suite then finds is judged here: a failure in any case, or fewer cases than the suite
//! has, is a failure.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

#[path = "../support/servers/ports.rs"]
mod ports;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use axum::{Router, routing::get};
use futures_util::{SinkExt, StreamExt};
use musebox::{net::socket_config, web::socket::Upgrade};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config, tungstenite::Message,
};
use tokio_util::task::TaskTracker;

/// The longest message that the suite sends.
const LONGEST: usize = 16 << 20;
/// Compression, which neither side offers: the suite would only note that it is not there.
const LEFT_OUT: [&str; 2] = ["12.*", "13.*"];
/// How many cases there are without those.
const CASES: usize = 301;
/// How long one side's cases may take.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let words: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [suite, out] = &words[..] else {
        bail!("usage: conformance WSTEST OUT");
    };
    std::fs::create_dir_all(out)?;
    let out = out.canonicalize()?;
    let server = timeout(PATIENCE, server_side(suite, &out.join("house-server")))
        .await
        .context("the suite does not come to its end with the server")??;
    let client = timeout(PATIENCE, client_side(suite, &out.join("box-client")))
        .await
        .context("the suite does not come to its end with the client")??;
    println!("{server}\n{client}\nThe reports: {}", out.display());
    ensure!(
        server.failed.is_empty() && client.failed.is_empty(),
        "cases failed"
    );
    Ok(())
}

/// The suite as a client, the house's WebSocket as the server.
async fn server_side(suite: &Path, out: &Path) -> anyhow::Result<Verdict> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let spec = json!({
        "outdir": out,
        "servers": [{"agent": "house-server", "url": format!("ws://{address}")}],
        "cases": ["*"],
        "exclude-cases": LEFT_OUT,
        "exclude-agent-cases": {},
    });
    let echo = Router::new().route("/", get(async |upgrade: Upgrade| serve_echo(upgrade)));
    let server = tokio::spawn(async move { axum::serve(listener, echo).await });
    let mut fuzzer = start(suite, "fuzzingclient", out, &spec)?;
    let status = fuzzer.wait().await?;
    ensure!(status.success(), "the suite ended with {status}");
    ensure!(!server.is_finished(), "the server ended");
    Verdict::read("house-server", out)
}

fn serve_echo(upgrade: Upgrade) -> axum::response::Response {
    upgrade.open(&TaskTracker::new(), LONGEST, async |mut socket| {
        // After a close it is read on, so that ours goes out.
        while let Some(Ok(message)) = socket.next().await {
            let sent = match message {
                Message::Text(text) => socket.send(text.as_str()).await,
                Message::Binary(bytes) => socket.send_binary(&bytes).await,
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
                    Ok(())
                }
            };
            if sent.is_err() {
                break;
            }
        }
    })
}

/// The suite as a server, the box's WebSocket as the client.
async fn client_side(suite: &Path, out: &Path) -> anyhow::Result<Verdict> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
    let url = format!("ws://{address}");
    let spec = json!({
        "outdir": out,
        "url": url,
        "cases": ["*"],
        "exclude-cases": LEFT_OUT,
        "exclude-agent-cases": {},
    });
    let mut fuzzer = start(suite, "fuzzingserver", out, &spec)?;
    await_port(&mut fuzzer, address).await?;
    let mut count = connect(&format!("{url}/getCaseCount")).await?;
    let told = count.next().await.context("the suite tells no count")??;
    let cases: usize = told.to_text()?.parse()?;
    while let Some(Ok(_)) = count.next().await {}
    for case in 1..=cases {
        echo(connect(&format!("{url}/runCase?case={case}&agent=box-client")).await?).await;
    }
    echo(connect(&format!("{url}/updateReports?agent=box-client")).await?).await;
    fuzzer.kill().await?;
    Verdict::read("box-client", out)
}

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, _) = connect_async_with_config(url, Some(socket_config()), true).await?;
    Ok(client)
}

async fn echo(mut client: Client) {
    while let Some(Ok(message)) = client.next().await {
        if (message.is_text() || message.is_binary()) && client.send(message).await.is_err() {
            break;
        }
    }
}

fn start(suite: &Path, mode: &str, out: &Path, spec: &serde_json::Value) -> anyhow::Result<Child> {
    match std::fs::remove_dir_all(out) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => return Err(err.into()),
        _ => std::fs::create_dir_all(out)?,
    }
    let path = out.join("spec.json");
    std::fs::write(&path, spec.to_string())?;
    let log = std::fs::File::create(out.join("suite.log"))?;
    let child = Command::new(suite)
        .args(["--mode", mode, "--webport", "0", "--spec"])
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {}", suite.display()))?;
    Ok(child)
}

async fn await_port(fuzzer: &mut Child, address: SocketAddr) -> anyhow::Result<()> {
    while TcpStream::connect(address).await.is_err() {
        if let Some(status) = fuzzer.try_wait()? {
            bail!("the suite ended with {status}; its log is beside its report");
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// What the suite found of one case.
#[derive(Deserialize)]
struct Found {
    behavior: String,
    #[serde(rename = "behaviorClose")]
    behavior_close: String,
}

/// What the suite found of one side.
struct Verdict {
    agent: &'static str,
    counts: BTreeMap<String, usize>,
    failed: Vec<String>,
}

impl Verdict {
    fn read(agent: &'static str, out: &Path) -> anyhow::Result<Self> {
        let path = out.join("index.json");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("the suite left no {}", path.display()))?;
        let mut index: BTreeMap<String, BTreeMap<String, Found>> = serde_json::from_str(&text)?;
        let cases = index.remove(agent).context("the report has another name")?;
        ensure!(
            cases.len() == CASES,
            "{agent}: the suite ran {} cases instead of {CASES}",
            cases.len()
        );
        let mut verdict = Self {
            agent,
            counts: BTreeMap::new(),
            failed: Vec::new(),
        };
        for (case, found) in cases {
            let good = |word: &str| matches!(word, "OK" | "NON-STRICT" | "INFORMATIONAL");
            if !good(&found.behavior) || !good(&found.behavior_close) {
                let line = format!("{case}: {}, close {}", found.behavior, found.behavior_close);
                verdict.failed.push(line);
            }
            *verdict.counts.entry(found.behavior).or_default() += 1;
        }
        Ok(verdict)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {CASES} cases", self.agent)?;
        for (word, count) in &self.counts {
            write!(out, ", {count} {word}")?;
        }
        for line in &self.failed {
            write!(out, "\n  FAILED {line}")?;
        }
        Ok(())
    }
}
