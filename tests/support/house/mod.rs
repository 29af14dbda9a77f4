//! A real musebox-house process on a port of its own, and what talks to it.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, client::IntoClientRequest},
};

/// How long anything may take on a loaded machine before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs.
pub struct House {
    /// Its data.
    pub data: PathBuf,
    /// Where it is, without a slash at the end.
    pub url: String,
    /// The one-time link, if it printed one.
    pub setup: Option<String>,
    _folder: Option<TempDir>,
    child: Child,
}

/// The program.
pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_musebox-house"))
}

impl House {
    /// Starts a server with fresh data.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut house = Self::on(&folder.path().join("data"), &[]);
        house._folder = Some(folder);
        house
    }

    /// Starts a server on these data, of which nobody hears outside.
    pub fn on(data: &Path, more: &[&str]) -> Self {
        let quiet = ["--listen", "127.0.0.1:0", "--no-announce"];
        Self::with(data, &[&quiet[..], more].concat())
    }

    /// Starts a server on these data with nothing but these arguments.
    pub fn with(data: &Path, arguments: &[&str]) -> Self {
        let mut child = program()
            .arg("--data")
            .arg(data)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("musebox-house");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let (mut setup, mut url) = (None, None);
        for line in &mut lines {
            let line = line.expect("a line");
            if let Some((_, link)) = line.split_once("within a day: ") {
                setup = Some(link.to_owned());
            }
            if let Some(found) = line.strip_prefix("The house is at ") {
                url = Some(found.trim_end_matches('/').to_owned());
                break;
            }
        }
        // Whatever else it prints must have somebody who reads it.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            data: data.to_owned(),
            url: url.expect("the server says where it is"),
            setup,
            _folder: None,
            child,
        }
    }

    /// An API token for everything.
    pub fn token(&self) -> String {
        token(&self.data, "owner", &[])
    }

    /// Tells it to end, as systemd would.
    pub fn terminate(&self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("told to end");
    }

    /// Ends it as systemd would; it must end well.
    pub fn stop(mut self) -> Option<TempDir> {
        self.terminate();
        let status = self.child.wait().expect("ended");
        assert!(status.success(), "the server ended with {status}");
        self._folder.take()
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) -> Option<TempDir> {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
        self._folder.take()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a token at the command line.
pub fn token(data: &Path, role: &str, more: &[&str]) -> String {
    let output = program()
        .args(["token", "create", "--role", role, "--data"])
        .arg(data)
        .args(more)
        .output()
        .expect("musebox-house token create");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

/// Sends a whole medium to the uploads of a house; the item that it becomes.
pub async fn upload(ada: &Asker, path: &str, name: &str, bytes: &[u8]) -> Value {
    let begun = ada
        .post(path, json!({"name": name, "size": bytes.len()}))
        .await
        .is(201);
    let one = format!("{path}/{}", begun["id"].as_str().expect("an id"));
    let piece = ada
        .raw(
            Method::PATCH,
            &one,
            Some(("application/offset+octet-stream", bytes.to_vec())),
            &[("upload-offset", "0")],
        )
        .await;
    piece.is(200)["item"].clone()
}

/// Tries until it is refused because it was tried too often.
pub async fn exhaust(attempt: impl AsyncFn(usize) -> u16) {
    for tried in 0..100 {
        if attempt(tried).await == 429 {
            return;
        }
    }
    panic!("nobody is refused");
}

/// Two servers on one database and one folder of media, and the first operator, who speaks to the first of them.
pub struct Both {
    /// The one that `ada` speaks to.
    pub one: House,
    /// The other.
    pub other: House,
    /// The first operator.
    pub ada: Asker,
    /// The id of the only house.
    pub id: String,
    /// They go with this.
    pub folders: [TempDir; 2],
}

impl Both {
    /// Starts them on the database at this address.
    pub async fn start(url: &str) -> Self {
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let media = folders[0].path().join("media");
        let more = ["--database", url, "--media", media.to_str().expect("text")];
        let one = House::on(folders[0].path(), &more);
        let ada = Asker::first_operator(&one).await;
        let other = House::on(folders[1].path(), &more);
        assert_eq!(other.setup, None, "the first operator is there already");
        let id = ada.only_house().await;
        Self {
            one,
            other,
            ada,
            id,
            folders,
        }
    }
}

/// Somebody who asks.
#[derive(Clone)]
pub struct Asker {
    url: String,
    client: reqwest::Client,
    bearer: Option<String>,
    csrf: Option<String>,
    cookie: Option<String>,
}

/// An answer: status, entity tag, body.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body; null where it is no JSON.
    pub body: Value,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The entity tag.
    pub fn etag(&self) -> String {
        let tag = self.headers.get("etag").expect("an ETag");
        tag.to_str().expect("text").to_owned()
    }

    /// The body, if the status is this one.
    pub fn is(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self.body
    }
}

impl Asker {
    /// Nobody in particular.
    pub fn nobody(house: &House) -> Self {
        // Another test of this process may have been faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A house with a certificate of its own is vouched for by nobody.
        let client = reqwest::Client::builder().danger_accept_invalid_certs(true);
        Self {
            url: house.url.clone(),
            client: client.build().expect("a client"),
            bearer: None,
            csrf: None,
            cookie: None,
        }
    }

    /// A program with a token.
    pub fn with_token(house: &House, token: impl Into<String>) -> Self {
        Self {
            bearer: Some(token.into()),
            ..Self::nobody(house)
        }
    }

    /// A person who has just set up the first house.
    pub async fn first_operator(house: &House) -> Self {
        let link = house.setup.as_deref().expect("a set-up link");
        let (_, link) = link.split_once("token=").expect("a token");
        let body = json!({
            "link_token": link, "email": "ada@example.org", "name": "Ada", "password": "a long password",
        });
        Self::nobody(house).enter("/setup", body).await
    }

    /// Somebody who signs in.
    pub async fn person(house: &House, email: &str, password: &str) -> Self {
        let body = json!({"email": email, "password": password});
        Self::nobody(house).enter("/sign-in", body).await
    }

    async fn enter(mut self, path: &str, body: Value) -> Self {
        let answer = self.send(Method::POST, path, Some(body), &[]).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        let cookies = answer.headers.get_all("set-cookie").iter();
        let pairs: Vec<String> = cookies
            .filter_map(|cookie| Some(cookie.to_str().ok()?.split(';').next()?.to_owned()))
            .collect();
        let csrf = pairs
            .iter()
            .find_map(|pair| pair.strip_prefix("musebox_csrf="));
        self.csrf = csrf.map(str::to_owned);
        self.cookie = Some(pairs.join("; "));
        self
    }

    /// Somebody who is invited by this asker, comes in by the link, and chooses a password.
    pub async fn invite(&self, house: &House, path: &str, email: &str, role: &str) -> Self {
        let link = self.invitation(path, email, role).await;
        let body = json!({"link_token": link, "name": "New", "password": "a long password"});
        Self::nobody(house).enter("/setup", body).await
    }

    /// The token of a link for somebody.
    pub async fn invitation(&self, path: &str, email: &str, role: &str) -> String {
        let body = json!({"email": email, "role": role});
        let made = self.post(&format!("{path}/members"), body).await.is(200);
        let link = made["link"].as_str().expect("a link");
        let (_, query) = link.split_once("token=").expect("a token");
        query.split('&').next().expect("a token").to_owned()
    }

    /// The same asker at another server of the same database.
    pub fn at(&self, house: &House) -> Self {
        Self {
            url: house.url.clone(),
            ..self.clone()
        }
    }

    /// The same person in a browser that another site misuses: the cookie, but not its token.
    pub fn without_csrf(&self) -> Self {
        Self {
            csrf: None,
            ..self.clone()
        }
    }

    /// The cookies.
    pub fn cookie(&self) -> &str {
        self.cookie.as_deref().expect("signed in")
    }

    /// Sends a request to a path under `/api/v1`, or to a whole path if it begins with `//`.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        self.raw(method, path, body, headers).await
    }

    /// Sends a request with any body.
    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let url = match path.strip_prefix("//") {
            Some(whole) => format!("{}/{whole}", self.url),
            None => format!("{}/api/v1{path}", self.url),
        };
        let mut request = self.client.request(method, url).timeout(PATIENCE);
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        if let Some(csrf) = &self.csrf {
            request = request.header("x-csrf-token", csrf);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((kind, bytes)) = body {
            request = request.header("content-type", kind).body(bytes);
        }
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = answer.bytes().await.expect("a body").to_vec();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer {
            status,
            headers,
            body,
            bytes,
        }
    }

    /// Sends a request whose answer may never come; its status.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: (&str, Vec<u8>),
        headers: &[(&str, &str)],
    ) -> Option<u16> {
        let (kind, bytes) = body;
        let mut request = self
            .client
            .request(method, format!("{}/api/v1{path}", self.url))
            .header("content-type", kind)
            .body(bytes);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        let answer = request.timeout(PATIENCE).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[]).await
    }

    /// `POST`.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    /// `PATCH` of what is there now.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        let tag = self.get(path).await.etag();
        self.send(Method::PATCH, path, Some(body), &[("if-match", &tag)])
            .await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, &[]).await
    }

    /// The id of the only house.
    pub async fn only_house(&self) -> String {
        let houses = self.get("/houses").await.is(200);
        let id = houses["houses"][0]["id"].as_str();
        id.expect("a house").to_owned()
    }

    /// Lets the box into a house that shows this code and number.
    pub async fn let_in(&self, house: &str, code: &Value, check: &Value) {
        let look_up = format!("/houses/{house}/enrolments/look-up");
        let found = self.post(&look_up, json!({"code": code})).await.is(200);
        assert_eq!(&found["check"], check, "both sides show the same number");
        let enrolment = found["id"].as_str().expect("an id");
        let approve = format!("/houses/{house}/enrolments/{enrolment}/approve");
        self.post(&approve, json!({"name": "Foyer"})).await.is(200);
    }

    /// Opens the environment's socket.
    pub async fn socket(&self, house: Option<&str>) -> Result<Socket, tungstenite::Error> {
        let query = house.map_or_else(String::new, |house| format!("?house={house}"));
        let url = format!(
            "{}/api/v1/environment{query}",
            self.url.replacen("http", "ws", 1)
        );
        let mut request = url.into_client_request().expect("a request");
        let mut set = |name, value: &str| {
            let value = value.parse().expect("a header");
            request.headers_mut().insert(name, value);
        };
        if let Some(bearer) = &self.bearer {
            set("authorization", &format!("Bearer {bearer}"));
        }
        if let Some(cookie) = &self.cookie {
            set("cookie", cookie);
            set("origin", &self.url);
        }
        let address = self.url.split_once("://").expect("a URL").1;
        let stream = TcpStream::connect(address).await.expect("connected");
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        Ok(Socket(socket))
    }
}

/// The environment's socket.
pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Sends a message.
    pub async fn say(&mut self, message: Value) {
        let text = tungstenite::Message::text(message.to_string());
        self.0.send(text).await.expect("sent");
    }

    /// The next message, however long it takes; an object with `close` where the connection ends. Whoever attends
    /// answers the server's pings, and stays connected.
    pub async fn attend(&mut self) -> Value {
        loop {
            match self.0.next().await {
                Some(Ok(tungstenite::Message::Text(text))) => {
                    return serde_json::from_str(text.as_str()).expect("JSON");
                }
                Some(Ok(tungstenite::Message::Close(frame))) => {
                    let code = frame.map(|frame| u16::from(frame.code));
                    return json!({"close": code});
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return json!({"close": null}),
            }
        }
    }

    /// The next message, as `attend` has it; it must come in time.
    pub async fn hear(&mut self) -> Value {
        let heard = timeout(PATIENCE, self.attend()).await;
        heard.expect("heard in time")
    }

    /// The next message of this type; those of other types are passed over.
    pub async fn hear_a(&mut self, kind: &str) -> Value {
        self.hear_such(kind, |_| true).await
    }

    /// The next message of this type that is such a one; others are passed over.
    pub async fn hear_such(&mut self, kind: &str, is_such: impl Fn(&Value) -> bool) -> Value {
        let heard = timeout(PATIENCE, async {
            loop {
                let message = self.attend().await;
                if message["type"] == kind && is_such(&message) {
                    return message;
                }
                assert!(
                    message.get("close").is_none(),
                    "closed before a {kind}: {message}"
                );
            }
        });
        heard
            .await
            .unwrap_or_else(|_| panic!("no such {kind} was heard in time"))
    }

    /// Says hello without anything; answers the snapshot.
    pub async fn begin(&mut self) -> Value {
        self.say(json!({"type": "hello", "proto": 1})).await;
        self.hear_a("snapshot").await
    }
}

/// A box, as far as the server can tell.
pub struct PaperBox {
    /// Its key.
    pub key: SigningKey,
    /// Its screen.
    pub screen: String,
    server_key: String,
}

/// What a box has that shows its code and its check number.
pub struct Shown {
    key: SigningKey,
    /// The enrolment's id.
    pub id: String,
    /// The code.
    pub code: String,
    secret: String,
    check: Value,
    server_key: String,
}

impl Shown {
    /// A new box shows its code.
    pub async fn of(house: &House, seed: u8) -> Self {
        use sha2::{Digest, Sha256};
        let key = SigningKey::from_bytes(&[seed; 32]);
        let nonce = [seed.wrapping_add(1); 32];
        let nobody = Asker::nobody(house);
        let asked = nobody
            .post("/enrol", json!({
                "device_key": hex(key.verifying_key().as_bytes()), "version": "0.1.0", "name": "Foyer",
                "outputs": ["main"], "commit": hex(&Sha256::digest(nonce)),
            }))
            .await
            .is(201);
        let text = |name: &str| asked[name].as_str().expect("a text").to_owned();
        let (id, code, secret) = (text("id"), text("code"), text("secret"));
        let reveal = json!({"secret": secret, "box_nonce": hex(&nonce)});
        let revealed = nobody.post(&format!("/enrol/{id}/reveal"), reveal).await;
        let check = revealed.is(200)["check"].clone();
        Self {
            key,
            id,
            code,
            secret,
            check,
            server_key: text("server_key"),
        }
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(digits: &str) -> Vec<u8> {
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("hex"))
        .collect()
}

impl PaperBox {
    /// Enrols a new box, which an operator approves.
    pub async fn enrol(house: &House, operator: &Asker, house_id: &str, seed: u8) -> Self {
        let enrolled = Self::try_enrol(house, operator, house_id, seed).await;
        enrolled.unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    /// Enrols a box; the operator's approval may be refused.
    pub async fn try_enrol(
        house: &House,
        operator: &Asker,
        house_id: &str,
        seed: u8,
    ) -> Result<Self, Answer> {
        let Shown {
            key,
            id,
            code,
            secret,
            check,
            server_key,
        } = Shown::of(house, seed).await;
        let found = operator
            .post(
                &format!("/houses/{house_id}/enrolments/look-up"),
                json!({"code": code}),
            )
            .await
            .is(200);
        assert_eq!(found["check"], check, "both sides show the same number");
        let approve = format!("/houses/{house_id}/enrolments/{id}/approve");
        let approved = operator.post(&approve, json!({"name": "The foyer"})).await;
        if approved.status != 200 {
            return Err(approved);
        }
        let approved = approved.body;
        let screen = approved["screen"].as_str().expect("a screen").to_owned();
        let secret = format!("Bearer {secret}");
        let standing = Asker::nobody(house)
            .send(
                Method::GET,
                &format!("/enrol/{id}"),
                None,
                &[("authorization", &secret)],
            )
            .await
            .is(200);
        assert_eq!(standing["status"], "approved");
        assert_eq!(standing["screen"], screen.as_str());
        Ok(Self {
            key,
            screen,
            server_key,
        })
    }

    /// Asks for a token; the answer may be a refusal.
    pub async fn ask_for_token(&self, house: &House) -> Answer {
        let challenge = self.challenge(house).await;
        match challenge.body["nonce"].as_str() {
            Some(nonce) => self.respond(house, nonce, &self.key).await,
            None => challenge,
        }
    }

    /// Asks for a challenge, which has a `nonce` unless it is refused.
    pub async fn challenge(&self, house: &House) -> Answer {
        let key = hex(self.key.verifying_key().as_bytes());
        let knock = json!({"device_key": key, "box_nonce": hex(&[9; 32])});
        Asker::nobody(house).post("/devices/challenge", knock).await
    }

    /// Whether the house's own key says that this box is none of its boxes.
    pub fn is_parted(&self, refused: &Value) -> bool {
        let device = self.key.verifying_key();
        let proof = [b"musebox parts 1\0", &[9; 32][..], device.as_bytes()].concat();
        let signature = bytes(refused["signature"].as_str().expect("a signature"));
        let signature = Signature::from_slice(&signature).expect("64 bytes");
        let key: [u8; 32] = bytes(&self.server_key).try_into().expect("32 bytes");
        let key = VerifyingKey::from_bytes(&key).expect("a key");
        key.verify_strict(&proof, &signature).is_ok()
    }

    /// Responds to a challenge with what this key signs; a token, or a refusal.
    pub async fn respond(&self, house: &House, nonce: &str, signer: &SigningKey) -> Answer {
        let key = hex(self.key.verifying_key().as_bytes());
        let box_nonce = [9; 32];
        let signed = [b"musebox token 1\0", &bytes(nonce)[..], &box_nonce[..]].concat();
        let signature = hex(&signer.sign(&signed).to_bytes());
        let body = json!({
            "device_key": key, "nonce": nonce, "box_nonce": hex(&box_nonce), "signature": signature,
        });
        Asker::nobody(house).post("/devices/token", body).await
    }

    /// The box as somebody who asks.
    pub async fn asker(&self, house: &House) -> Asker {
        let token = self.ask_for_token(house).await.is(200);
        Asker::with_token(house, token["token"].as_str().expect("a token"))
    }
}
