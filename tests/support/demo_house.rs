//! The house of `make demo`: a real musebox-house with the sample in it, which lets the demo's box in by itself.
//!
//! usage: demo-house DATA PLAYLIST SOCKET [PORT]
//!
//! Everything goes through the interface that the page uses, too. It runs until it is told to end.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use musebox::domain::playlist::Playlist;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
};

const EMAIL: &str = "demo@example.org";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [data, playlist, socket, port @ ..] = &words[..] else {
        bail!("usage: demo-house DATA PLAYLIST SOCKET [PORT]");
    };
    let port = port.first().map_or("0", String::as_str);
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let (mut server, house) = House::start(Path::new(data), port).await?;
    let lasting = async {
        demo(&house, Path::new(playlist), Path::new(socket)).await?;
        server.wait().await?;
        bail!("the house server has ended")
    };
    // Whoever ends it early ends it as a whole.
    let told = tokio::select! {
        ended = lasting => ended,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    if let Some(pid) = server.id().and_then(|pid| i32::try_from(pid).ok()) {
        let pid = nix::unistd::Pid::from_raw(pid);
        // It may have ended by the same Ctrl-C.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
    }
    server.wait().await?;
    told
}

/// Fills the house, says where it is, and lets the box in.
async fn demo(house: &House, playlist: &Path, socket: &Path) -> anyhow::Result<()> {
    house.fill(playlist).await?;
    println!("The house is at {}/", house.url);
    println!(
        "Sign in at {}/sign-in#email={EMAIL}&password={}",
        house.url, house.password
    );
    println!();
    house.let_in(socket).await
}

/// The demo's house.
struct House {
    url: String,
    id: String,
    password: String,
    client: Client,
    csrf: String,
    cookie: String,
}

/// Where the programs are: beside this one's folder.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("a folder")?;
    Ok(folder.join(name))
}

impl House {
    /// Starts the server and makes its first operator.
    async fn start(data: &Path, port: &str) -> anyhow::Result<(Child, Self)> {
        let mut server = Command::new(program("musebox-house")?)
            .args([
                "--no-announce",
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--data",
            ])
            .arg(data)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting musebox-house")?;
        let mut lines = BufReader::new(server.stdout.take().context("its output")?).lines();
        let (mut link, mut url) = (None, None);
        while let Some(line) = lines.next_line().await? {
            if let Some((_, found)) = line.split_once("token=") {
                link = Some(found.to_owned());
            }
            if let Some(found) = line.strip_prefix("The house is at ") {
                url = Some(found.trim_end_matches('/').to_owned());
                break;
            }
        }
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (url, link) = (url.context("no address")?, link.context("no set-up link")?);
        let client = Client::new();
        let password = format!("demo-{:08x}", u32::from_le_bytes(random()?));
        let set_up =
            json!({"link_token": link, "email": EMAIL, "name": "Demo", "password": password});
        let answer = client
            .post(format!("{url}/api/v1/setup"))
            .json(&set_up)
            .send()
            .await?;
        ensure!(
            answer.status().is_success(),
            "the set-up: {}",
            answer.text().await?
        );
        let cookies = answer.headers().get_all("set-cookie").iter();
        let pairs: Vec<String> = cookies
            .filter_map(|cookie| Some(cookie.to_str().ok()?.split(';').next()?.to_owned()))
            .collect();
        let csrf = pairs
            .iter()
            .find_map(|pair| pair.strip_prefix("musebox_csrf="));
        let csrf = csrf.context("no token")?.to_owned();
        let mut house = Self {
            url,
            id: String::new(),
            password,
            client,
            csrf,
            cookie: pairs.join("; "),
        };
        let houses = house.ask(Method::GET, "/houses", None).await?;
        house.id = houses["houses"][0]["id"]
            .as_str()
            .context("no house")?
            .to_owned();
        Ok((server, house))
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        self.send(method, path, body).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> anyhow::Result<Value> {
        let url = format!("{}/api/v1{path}", self.url);
        let mut request = self
            .client
            .request(method, url)
            .header("cookie", &self.cookie)
            .header("x-csrf-token", &self.csrf)
            .header("if-match", "*")
            .header("upload-offset", "0");
        if let Some((kind, bytes)) = body {
            request = request.header("content-type", kind).body(bytes);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{path}: {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Uploads the playlist's media, makes the playlist and turns autostart on.
    async fn fill(&self, file: &Path) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let folder = file.parent().unwrap_or(Path::new(".")).to_string_lossy();
        let playlist = Playlist::from_json(&text)?.resolve(&folder);
        let house = format!("/houses/{}", self.id);
        let mut montages = Vec::new();
        for montage in &playlist.montages {
            let mut tracks = Vec::new();
            for track in &montage.tracks {
                let mut items = Vec::new();
                for item in &track.items {
                    let made = self.upload(Path::new(&item.src)).await?;
                    let id = made["id"].as_str().context("no item")?.to_owned();
                    let mut more = json!({});
                    if let Some(title) = &item.title {
                        more["title"] = json!(title);
                    }
                    if let Some(duration) = item.duration {
                        more["duration_ms"] = json!(duration.whole_millis());
                    }
                    self.ask(Method::PATCH, &format!("{house}/items/{id}"), Some(more))
                        .await?;
                    items.push(id);
                }
                tracks.push(json!({"id": track.id, "items": items}));
            }
            montages.push(json!({"id": montage.id, "tracks": tracks}));
        }
        let body = json!({"name": playlist.name, "montages": montages});
        let made = self
            .ask(Method::POST, &format!("{house}/playlists"), Some(body))
            .await?;
        let settings = json!({
            "name": "The demo's house", "playlist": made["id"], "autostart_playlist": true,
        });
        self.ask(Method::PATCH, &house, Some(settings)).await?;
        Ok(())
    }

    async fn upload(&self, path: &Path) -> anyhow::Result<Value> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let uploads = format!("/houses/{}/uploads", self.id);
        let begin = json!({"name": name, "size": bytes.len()});
        let begun = self.ask(Method::POST, &uploads, Some(begin)).await?;
        let id = begun["id"].as_str().context("no upload")?;
        let body = Some(("application/offset+octet-stream", bytes));
        let done = self
            .send(Method::PATCH, &format!("{uploads}/{id}"), body)
            .await?;
        Ok(done["item"].clone())
    }

    /// Waits for the box's code, compares the numbers as a person would, and lets it in.
    async fn let_in(&self, socket: &Path) -> anyhow::Result<()> {
        loop {
            let status = Command::new(program("museboxctl")?)
                .arg("--socket")
                .arg(socket)
                .args(["status", "--json"])
                .stderr(Stdio::null())
                .output()
                .await?;
            let status: Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
            let standing = &status["house"];
            if let (Some(code), Some(check)) =
                (standing["code"].as_str(), standing["check"].as_str())
            {
                let enrolments = format!("/houses/{}/enrolments", self.id);
                let typed = Some(json!({"code": code}));
                let found = self
                    .ask(Method::POST, &format!("{enrolments}/look-up"), typed)
                    .await?;
                ensure!(
                    found["check"] == check,
                    "the box and the house show different numbers"
                );
                let id = found["id"].as_str().context("no enrolment")?;
                let name = Some(json!({"name": "The demo's screen"}));
                self.ask(Method::POST, &format!("{enrolments}/{id}/approve"), name)
                    .await?;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|err| anyhow::anyhow!("random numbers: {err}"))?;
    Ok(bytes)
}
