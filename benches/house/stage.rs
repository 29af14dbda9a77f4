//! The server and its database.

use std::{
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail};
use musebox::{
    db::{self, ApiToken, Change, DeviceToken, Enrolment, EnrolmentStatus, NewHouse, Role, Write},
    domain::house::{Kind, edit},
    domain::ids::HouseId,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// The house.
pub const HOUSE: &str = "h";
const TOKEN: &str = "musebox_bench";

/// A server and its data.
pub struct Stage {
    folder: TempDir,
    /// Where it is.
    pub url: String,
    /// The house's revision.
    pub rev: u64,
    /// How many boxes it has.
    pub boxes: usize,
    /// The certificate, where it speaks TLS.
    pub certificate: Option<Vec<u8>>,
    port: u16,
    server: Option<Child>,
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The token of a box.
pub fn token(number: usize) -> String {
    format!("token of box {number}")
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or_default()
}

impl Stage {
    /// Makes a database with a house and its boxes.
    pub async fn set(boxes: usize, tls: bool) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let store = db::open(&format!(
            "sqlite:{}",
            folder.path().join("house.db").display()
        ))
        .await?;
        let screens = (0..boxes).map(|number| Write {
            kind: Kind::Screen.name().to_owned(),
            id: format!("s{number}"),
            body: Some(json!({"rev": 1, "name": format!("Screen {number}"), "outputs": ["main"]})),
        });
        let mut resources: Vec<Write> = screens.collect();
        resources.push(Write {
            kind: Kind::House.name().to_owned(),
            id: HOUSE.to_owned(),
            body: Some(edit::new_house(&HouseId::new(HOUSE), "A large house")?),
        });
        let now = now_ms();
        let house = NewHouse {
            id: HOUSE.to_owned(),
            resources,
            owner: None,
        };
        store.create_house(&house).await?;
        store
            .create_api_token(&ApiToken {
                id: "t".to_owned(),
                secret_hash: hash(TOKEN),
                name: "bench".to_owned(),
                user: None,
                house: None,
                role: Role::Owner,
                made: now,
                last_used: Some(now),
                revoked: None,
            })
            .await?;
        for number in 0..boxes {
            enrol(store.as_ref(), number, now).await?;
        }
        store.close().await;
        let stored = i64::try_from(boxes)? + 1;
        let certificate = match tls {
            false => None,
            true => {
                let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
                std::fs::write(folder.path().join("tls.crt"), made.cert.pem())?;
                std::fs::write(
                    folder.path().join("tls.key"),
                    made.signing_key.serialize_pem(),
                )?;
                Some(made.cert.der().to_vec())
            }
        };
        Ok(Self {
            folder,
            url: String::new(),
            rev: u64::try_from(stored)?,
            boxes,
            certificate,
            port: 0,
            server: None,
        })
    }

    /// Starts the server.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let program = std::env::current_exe()?;
        let program = program
            .parent()
            .and_then(|folder| folder.parent())
            .context("a folder")?;
        let mut command = Command::new(program.join("musebox-house"));
        command
            .arg("--data")
            .arg(self.folder.path())
            .args([
                "--listen",
                &format!("127.0.0.1:{}", self.port),
                "--no-announce",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if self.certificate.is_some() {
            command.arg("--tls-cert").arg(self.file("tls.crt"));
            command.arg("--tls-key").arg(self.file("tls.key"));
        }
        let mut child = command.spawn().context("starting musebox-house")?;
        let output = child.stdout.take().context("its output")?;
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some(url) = line.strip_prefix("The house is at ") {
                self.url = url.trim_end_matches('/').to_owned();
                self.port = self.url.rsplit(':').next().context("a port")?.parse()?;
                self.server = Some(child);
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(());
            }
        }
        bail!("the server did not start")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn client(&self) -> anyhow::Result<reqwest::Client> {
        let builder = reqwest::Client::builder().timeout(Duration::from_secs(60));
        Ok(match &self.certificate {
            None => builder.build()?,
            Some(certificate) => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add(certificate.clone().into())?;
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let config = rustls::ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()?
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                builder
                    .tls_backend_preconfigured(config)
                    .resolve("localhost", ([127, 0, 0, 1], self.port).into())
                    .build()?
            }
        })
    }

    fn house_url(&self) -> String {
        let base = match &self.certificate {
            None => self.url.clone(),
            Some(_) => format!("https://localhost:{}", self.port),
        };
        format!("{base}/api/v1/houses/{HOUSE}")
    }

    /// Lets the server read what it will need.
    pub async fn warm_up(&self) -> anyhow::Result<()> {
        let asked = self
            .client()?
            .get(self.house_url())
            .bearer_auth(TOKEN)
            .send()
            .await?;
        asked.error_for_status()?;
        Ok(())
    }

    /// Changes a setting; answers the new revision.
    pub async fn change(&mut self, number: usize) -> anyhow::Result<u64> {
        let volume = (number % 9 + 1) as f64 / 10.0;
        let answer = self
            .client()?
            .patch(self.house_url())
            .bearer_auth(TOKEN)
            .header("if-match", "*")
            .json(&json!({"volume": volume}))
            .send()
            .await?
            .error_for_status()?;
        let house: Value = answer.json().await?;
        self.rev = house["rev"].as_u64().context("a revision")?;
        Ok(self.rev)
    }

    /// The server's resident memory, in KiB.
    pub fn memory(&self) -> anyhow::Result<f64> {
        let pid = self
            .server
            .as_ref()
            .and_then(Child::id)
            .context("a server")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(number.context("VmRSS")?.parse()?)
    }

    /// Ends the server and starts it again.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        let mut server = self.server.take().context("a server")?;
        let pid = i32::try_from(server.id().context("a pid")?)?;
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid),
            nix::sys::signal::Signal::SIGTERM,
        )?;
        server.wait().await?;
        self.start().await
    }
}

async fn enrol(store: &dyn db::Store, number: usize, now: i64) -> anyhow::Result<()> {
    let id = format!("e{number}");
    let enrolment = Enrolment {
        id: id.clone(),
        code: id.clone(),
        secret_hash: hash(&id),
        device_key: hash(&format!("key of box {number}")),
        name: format!("Screen {number}"),
        version: String::new(),
        outputs: vec!["main".to_owned()],
        commit: String::new(),
        box_nonce: None,
        server_nonce: String::new(),
        spki: None,
        status: EnrolmentStatus::Open,
        house: None,
        screen: None,
        made: now,
        expires: now + 600_000,
    };
    store.create_enrolment(&enrolment).await?;
    store.reveal_enrolment(&id, "n", now).await?;
    let (rev, screen) = (i64::try_from(number)? + 1, format!("s{number}"));
    // The screen is there already, and the server reads the whole house anew: nobody sees these steps.
    let change = Change {
        rev: rev + 1,
        writes: Vec::new(),
        patch: json!({}),
        sha256: String::new(),
        by: "bench".to_owned(),
        at: now,
    };
    store
        .approve_enrolment(&id, HOUSE, &screen, now, rev, &change)
        .await?;
    let token = DeviceToken {
        token_hash: hash(&token(number)),
        screen,
        expires: now + 24 * 3600 * 1000,
    };
    store.create_device_token(&token).await?;
    Ok(())
}
