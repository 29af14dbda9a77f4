//! A house for tests: pairing, tokens, the environment over WebSocket and media, as `docs/protocol.md` has them, with
//! everything that was asked of it written down.
//!
//! It is made of plain threads and sockets, and shares nothing with the client but the bytes that keys sign.

#![allow(dead_code)] // Every test takes the part that it needs.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        mpsc::{self, Sender},
    },
    thread,
    time::Duration,
};

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use musebox::domain::house::{canonical, enrol, merge};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::ParsedCertificate,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_tungstenite::tungstenite::{
    Error, Message, WebSocket,
    handshake::derive_accept_key,
    protocol::{CloseFrame, Role},
};

/// How often a socket thread looks whether there is something to send.
const BEAT: Duration = Duration::from_millis(5);

/// What its connections run over.
#[derive(Clone)]
pub enum Wire {
    Plain,
    Tls(Arc<ServerConfig>),
}

impl Wire {
    /// TLS with the certificate and key of these PEM texts.
    pub fn tls(certificate: &str, key: &str) -> Self {
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key);
        Wire::Tls(Arc::new(config.expect("a certificate and its key")))
    }
}

/// The SHA-256 of the public key of a certificate.
pub fn spki(certificate: &str) -> [u8; 32] {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
    let parsed = ParsedCertificate::try_from(&der).expect("a certificate");
    Sha256::digest(parsed.subject_public_key_info().as_ref()).into()
}

/// A box that wants to be paired.
#[derive(Clone)]
pub struct Enrolment {
    pub code: String,
    pub check: Option<String>,
    pub name: String,
    pub status: &'static str,
    device_key: [u8; 32],
    commit: String,
    secret: String,
    server_nonce: [u8; 32],
    /// What the box says it has seen.
    pub spki: Option<String>,
}

/// A picture that a box has sent.
#[derive(Clone)]
pub struct Picture {
    /// What stood after the question mark.
    pub query: String,
    pub jpeg: Vec<u8>,
}

/// What a house knows and has heard.
#[derive(Default)]
pub struct Known {
    /// Which house it is: its id, and the epoch of its documents.
    number: u32,
    pub enrolments: Vec<Enrolment>,
    /// Boxes by their keys, and what they are called; nothing for those that were taken off the list.
    pub devices: HashMap<[u8; 32], Option<String>>,
    challenges: Vec<[u8; 32]>,
    /// How often a box that it does not know tried to come in.
    pub unknown: usize,
    is_set_up_anew: bool,
    tokens: HashMap<String, [u8; 32]>,
    /// All documents so far; the last one holds.
    documents: Vec<Value>,
    pub hellos: Vec<Value>,
    pub states: Vec<Value>,
    pub plays: Vec<Value>,
    pub acks: Vec<Value>,
    pub pictures: Vec<Picture>,
    pub media: HashMap<String, Vec<u8>>,
    /// The next answers with media end after so many bytes each.
    pub cuts: Vec<usize>,
    /// The ranges that were asked for, with the tag that came with them.
    pub ranges: Vec<(Option<String>, Option<String>)>,
    sockets: Vec<Sender<Out>>,
    streams: Vec<TcpStream>,
    down: bool,
    /// Where it is, after it has moved.
    home: Option<SocketAddr>,
    wire: Option<Wire>,
}

enum Out {
    Text(String),
    Close(u16),
}

/// A house on this machine.
#[derive(Clone)]
pub struct FakeHouse {
    pub address: SocketAddr,
    key: Arc<Mutex<SigningKey>>,
    known: Arc<Mutex<Known>>,
    tls: bool,
}

impl FakeHouse {
    pub fn start(wire: Wire) -> Self {
        Self::numbered(1, wire)
    }

    /// One of several houses.
    pub fn numbered(number: u32, wire: Wire) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let house = Self {
            address: listener.local_addr().expect("an address"),
            key: Arc::new(Mutex::new(SigningKey::from_bytes(&[42; 32]))),
            tls: matches!(wire, Wire::Tls(_)),
            known: Arc::new(Mutex::new(Known {
                number,
                documents: vec![
                    json!({"house": {"id": format!("h{number}"), "rev": 1, "name": "Gallery"}}),
                ],
                wire: Some(wire),
                ..Known::default()
            })),
        };
        house.listen(listener);
        house
    }

    /// The same house at another address; whoever comes to the old one finds nobody.
    pub fn moved(&self) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let house = Self {
            address: listener.local_addr().expect("an address"),
            ..self.clone()
        };
        self.known().home = Some(house.address);
        self.cut();
        self.mend();
        house.listen(listener);
        house
    }

    fn listen(&self, listener: TcpListener) {
        let accepting = self.clone();
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let house = accepting.clone();
                thread::spawn(move || house.serve(stream));
            }
        });
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        // A certificate is for a name; this one is believed for its key.
        format!("{scheme}://{}", self.address)
    }

    pub fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no fault within")
    }

    /// Cuts all connections, and takes none until [`FakeHouse::mend`].
    pub fn cut(&self) {
        let mut known = self.known();
        known.down = true;
        known.sockets.clear();
        for stream in known.streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn mend(&self) {
        self.known().down = false;
    }

    /// Shows another certificate from now on.
    pub fn rewire(&self, wire: Wire) {
        self.known().wire = Some(wire);
    }

    /// Signs with another key from now on, as a house does that was set up anew; lets nobody in by an old token.
    pub fn rekey(&self, seed: u8) {
        *self.key.lock().expect("no fault within") = SigningKey::from_bytes(&[seed; 32]);
        self.known().tokens.clear();
    }

    fn key(&self) -> SigningKey {
        self.key.lock().expect("no fault within").clone()
    }

    /// Says yes or no to the newest box that wants to be paired.
    pub fn decide(&self, status: &'static str) {
        let mut known = self.known();
        let enrolment = known
            .enrolments
            .last_mut()
            .expect("a box wants to be paired");
        enrolment.status = status;
        let (key, name) = (enrolment.device_key, enrolment.name.clone());
        if status == "approved" {
            let screen = format!("s{}", known.enrolments.len());
            known.devices.insert(key, Some(screen.clone()));
            drop(known);
            self.change(|document| {
                document["screens"][screen] = json!({"rev": 2, "name": name, "outputs": ["main"]});
            });
        }
    }

    /// Takes a box off the list.
    pub fn revoke(&self) {
        let mut known = self.known();
        known.devices.values_mut().for_each(|screen| *screen = None);
        known.tokens.clear();
        let error = json!({"type": "error", "code": "revoked", "message": "taken off the list"});
        for socket in &known.sockets {
            let _ = socket.send(Out::Text(error.to_string()));
            let _ = socket.send(Out::Close(4004));
        }
    }

    /// Whether it knows none of its boxes, as a server that was started on another folder.
    pub fn set_up_anew(&self, anew: bool) {
        self.known().is_set_up_anew = anew;
    }

    /// How often it let a box try to come in.
    pub fn challenges(&self) -> usize {
        self.known().challenges.len()
    }

    /// The revision of the document that holds.
    pub fn rev(&self) -> usize {
        self.known().documents.len()
    }

    /// The document of a revision.
    pub fn document(&self, rev: u64) -> Value {
        self.known().documents[rev as usize - 1].clone()
    }

    /// Changes the document, and tells all boxes.
    pub fn change(&self, edit: impl FnOnce(&mut Value)) {
        let mut known = self.known();
        let old = known.documents.last().expect("one").clone();
        let mut new = old.clone();
        edit(&mut new);
        let base = known.documents.len();
        known.documents.push(new);
        let patch = known.patch(base);
        known
            .sockets
            .retain(|socket| socket.send(Out::Text(patch.clone())).is_ok());
    }

    /// Sends a command to all boxes.
    pub fn command(&self, id: &str, command: Value) {
        let mut frame = command;
        frame["type"] = json!("command");
        frame["id"] = json!(id);
        for socket in &self.known().sockets {
            let _ = socket.send(Out::Text(frame.to_string()));
        }
    }

    /// How a command ended, once it has: nothing, or why it could not be done.
    pub fn outcome(&self, id: &str) -> Option<Option<String>> {
        let known = self.known();
        let ack = known.acks.iter().find(|ack| ack["id"] == id)?;
        Some(ack["error"].as_str().map(str::to_owned))
    }

    fn serve(&self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let wire = {
            let mut known = self.known();
            if known.down || known.home.is_some_and(|home| home != self.address) {
                return;
            }
            known.streams.extend(stream.try_clone());
            known.wire.clone().expect("one")
        };
        // Whoever hangs up gets no more.
        let _ = match wire {
            Wire::Plain => self.talk(stream.try_clone().expect("a handle"), stream),
            Wire::Tls(config) => {
                let connection = ServerConnection::new(config).expect("a connection");
                let handle = stream.try_clone().expect("a handle");
                self.talk(StreamOwned::new(connection, stream), handle)
            }
        };
    }

    fn talk(&self, mut stream: impl Read + Write, handle: TcpStream) -> io::Result<()> {
        while let Some(request) = Request::read(&mut stream)? {
            if request.path == "/api/v1/environment" {
                return self.environment(&request, stream, &handle);
            }
            let answer = self.answer(&request);
            let length = answer.body.len();
            let sent = answer.cut.map_or(length, |cut| cut.min(length));
            write!(
                stream,
                "HTTP/1.1 {} x\r\ncontent-length: {length}\r\n{}\r\n",
                answer.status, answer.headers
            )?;
            stream.write_all(&answer.body[..sent])?;
            stream.flush()?;
            if sent < length {
                return handle.shutdown(Shutdown::Both);
            }
        }
        Ok(())
    }

    fn environment(
        &self,
        request: &Request,
        mut stream: impl Read + Write,
        handle: &TcpStream,
    ) -> io::Result<()> {
        if self.known().device(request).is_none() {
            return write!(stream, "HTTP/1.1 401 x\r\ncontent-length: 0\r\n\r\n");
        }
        let key = request.header("sec-websocket-key").expect("a key");
        let accept = derive_accept_key(key.as_bytes());
        write!(
            stream,
            "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
        )?;
        stream.flush()?;
        handle.set_read_timeout(Some(BEAT))?;
        let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
        let (sender, outgoing) = mpsc::channel();
        loop {
            match socket.read() {
                Ok(Message::Text(text)) => {
                    let frame: Value = serde_json::from_str(text.as_str()).expect("JSON");
                    self.known().heard(&frame, &sender);
                }
                Ok(_) => {}
                Err(Error::Io(err))
                    if matches!(
                        err.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) => {}
                Err(_) => return Ok(()),
            }
            while let Ok(out) = outgoing.try_recv() {
                let sent = match out {
                    Out::Text(text) => socket.send(Message::text(text)),
                    Out::Close(code) => socket.close(Some(CloseFrame {
                        code: code.into(),
                        reason: "".into(),
                    })),
                };
                if sent.is_err() {
                    return Ok(());
                }
            }
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        let mut known = self.known();
        let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        match (request.method.as_str(), &parts[..]) {
            ("GET", ["healthz"]) => Answer::json(200, json!({})),
            ("POST", ["api", "v1", "enrol"]) => self.enrol(&mut known, &request.json()),
            ("POST", ["api", "v1", "enrol", id, "reveal"]) => {
                self.reveal(&mut known, id, &request.json())
            }
            ("GET", ["api", "v1", "enrol", id]) => {
                let enrolment = known.enrolments.get(number(id)).expect("it was made");
                let bearer = format!("Bearer {}", enrolment.secret);
                assert_eq!(request.header("authorization"), Some(bearer.as_str()));
                let mut answer = json!({"status": enrolment.status});
                if enrolment.status == "approved" {
                    answer["house"] = json!(known.id());
                    answer["screen"] = json!(known.devices[&enrolment.device_key]);
                }
                Answer::json(200, answer)
            }
            ("POST", ["api", "v1", "devices", "challenge"]) => {
                let body = request.json();
                let device: [u8; 32] = unhex(&body["device_key"]);
                let is_known = matches!(known.devices.get(&device), Some(Some(_)));
                if known.is_set_up_anew || !is_known {
                    known.unknown += 1;
                    return self.parts(&device, &unhex(&body["box_nonce"]));
                }
                let nonce = Sha256::digest(known.challenges.len().to_string()).into();
                known.challenges.push(nonce);
                Answer::json(200, json!({"nonce": hex(&nonce)}))
            }
            ("POST", ["api", "v1", "devices", "token"]) => self.token(&mut known, &request.json()),
            ("GET", ["api", "v1", "media", name]) => media(&mut known, name, request),
            ("GET", ["api", "v1", "media", name, "link"]) => {
                let link = format!("/api/v1/media/{name}?sig=good");
                match known.device(request) {
                    Some(_) => Answer::json(200, json!({"url": link})),
                    None => Answer::json(401, json!({"title": "sign in"})),
                }
            }
            ("PUT", ["api", "v1", "screens", _, "picture"]) => {
                assert_eq!(request.header("content-type"), Some("image/jpeg"));
                known.device(request).expect("a box");
                known.pictures.push(Picture {
                    query: request.query.clone(),
                    jpeg: request.body.clone(),
                });
                Answer::json(204, json!({}))
            }
            _ => Answer::json(404, json!({"title": request.path})),
        }
    }

    fn enrol(&self, known: &mut Known, body: &Value) -> Answer {
        let number = known.enrolments.len();
        let server_nonce = Sha256::digest(format!("nonce {number}")).into();
        let mut code = "BCDF-GHJK".to_owned();
        code.replace_range(7..8, &"BCDFGHJKLM"[number..=number]);
        known.enrolments.push(Enrolment {
            code: code.clone(),
            check: None,
            name: body["name"].as_str().expect("a name").to_owned(),
            status: "open",
            device_key: unhex(&body["device_key"]),
            commit: body["commit"].as_str().expect("a commitment").to_owned(),
            secret: format!("secret {number}"),
            server_nonce,
            spki: body["spki"].as_str().map(str::to_owned),
        });
        let answer = json!({
            "id": format!("e{number}"),
            "code": code,
            "secret": format!("secret {number}"),
            "server_key": hex(self.key().verifying_key().as_bytes()),
            "server_nonce": hex(&server_nonce),
            "expires_in": 600,
        });
        Answer::json(201, answer)
    }

    fn reveal(&self, known: &mut Known, id: &str, body: &Value) -> Answer {
        let enrolment = &mut known.enrolments[number(id)];
        assert_eq!(body["secret"], enrolment.secret);
        let box_nonce: [u8; 32] = unhex(&body["box_nonce"]);
        assert_eq!(hex(&enrol::commitment(&box_nonce)), enrolment.commit);
        let server_key = self.key().verifying_key().to_bytes();
        let seen = enrolment.spki.as_ref().map(|spki| unhex(&json!(spki)));
        let pairing = enrol::Pairing {
            device_key: &enrolment.device_key,
            server_key: &server_key,
            spki_sha256: seen.as_ref(),
            box_nonce: &box_nonce,
            server_nonce: &enrolment.server_nonce,
        };
        let check = pairing.check_number().to_string();
        enrolment.check = Some(check.clone());
        Answer::json(200, json!({"check": check}))
    }

    /// Says that the box is none of its own, and signs that.
    fn parts(&self, device: &[u8; 32], box_nonce: &[u8; 32]) -> Answer {
        let kind = "https://musebox.example/problems/revoked";
        let proof = self.key().sign(&enrol::parting_proof(box_nonce, device));
        let signature = hex(&proof.to_bytes());
        Answer::json(
            403,
            json!({"type": kind, "title": "revoked", "signature": signature}),
        )
    }

    fn token(&self, known: &mut Known, body: &Value) -> Answer {
        let (device, nonce): ([u8; 32], [u8; 32]) =
            (unhex(&body["device_key"]), unhex(&body["nonce"]));
        let box_nonce: [u8; 32] = unhex(&body["box_nonce"]);
        let at = known.challenges.iter().position(|known| *known == nonce);
        at.expect("a challenge of ours");
        let Some(Some(screen)) = known.devices.get(&device).cloned() else {
            return self.parts(&device, &box_nonce);
        };
        let signature = unhex::<64>(&body["signature"]);
        VerifyingKey::from_bytes(&device)
            .expect("a key")
            .verify_strict(
                &enrol::token_challenge(&nonce, &box_nonce),
                &ed25519_dalek::Signature::from_bytes(&signature),
            )
            .expect("a good signature");
        let token = format!("token {}", known.tokens.len());
        known.tokens.insert(token.clone(), device);
        let proof = self.key().sign(&enrol::house_proof(&box_nonce, &nonce));
        let answer = json!({
            "token": token,
            "expires_in": 900,
            "house": known.id(),
            "screen": screen,
            "signature": hex(&proof.to_bytes()),
        });
        Answer::json(200, answer)
    }
}

impl Known {
    /// The house's id.
    fn id(&self) -> String {
        format!("h{}", self.number)
    }

    /// The epoch of its documents.
    fn epoch(&self) -> String {
        format!("e{}", self.number)
    }

    /// The box that asks.
    fn device(&self, request: &Request) -> Option<[u8; 32]> {
        let token = request.header("authorization")?.strip_prefix("Bearer ")?;
        self.tokens.get(token).copied()
    }

    /// The way from an older document to the newest.
    fn patch(&self, base: usize) -> String {
        let (old, new) = (
            &self.documents[base - 1],
            self.documents.last().expect("one"),
        );
        json!({
            "type": "patch",
            "epoch": self.epoch(),
            "base_rev": base,
            "rev": self.documents.len(),
            "patch": merge::diff(old, new),
            "sha256": canonical::sha256(new),
        })
        .to_string()
    }

    fn heard(&mut self, frame: &Value, sender: &Sender<Out>) {
        let send = |frame: String| drop(sender.send(Out::Text(frame)));
        match frame["type"].as_str() {
            Some("hello") => {
                assert_eq!(frame["proto"], 1);
                let rev = frame["rev"]
                    .as_u64()
                    .filter(|_| frame["epoch"] == self.epoch());
                let document = self.documents.last().expect("one");
                send(match rev {
                    Some(rev) => self.patch(rev as usize),
                    None => json!({
                        "type": "snapshot",
                        "epoch": self.epoch(),
                        "rev": self.documents.len(),
                        "sha256": canonical::sha256(document),
                        "document": document,
                    })
                    .to_string(),
                });
                // Something of a later version.
                send(json!({"type": "greeting", "text": "hello"}).to_string());
                self.hellos.push(frame.clone());
                self.sockets.push(sender.clone());
            }
            Some("reported") => {
                if frame["state"].is_object() {
                    self.states.push(frame["state"].clone());
                }
                if let Some(plays) = frame["plays"].as_array() {
                    self.plays.extend(plays.iter().cloned());
                }
                if let Some(id) = frame["id"].as_str() {
                    send(json!({"type": "ack", "id": id}).to_string());
                }
            }
            Some("ack") => self.acks.push(frame.clone()),
            other => panic!("a box says {other:?}: {frame}"),
        }
    }
}

fn media(known: &mut Known, name: &str, request: &Request) -> Answer {
    // A link is enough, and the token stays at home.
    if request.query != "sig=good" || request.header("authorization").is_some() {
        return Answer::json(401, json!({"title": "sign in"}));
    }
    let header = |name: &str| request.header(name).map(str::to_owned);
    known.ranges.push((header("range"), header("if-range")));
    let Some(bytes) = known.media.get(name).cloned() else {
        return Answer::json(404, json!({"title": "no such medium"}));
    };
    let tag = format!("\"{name}-1\"");
    let same = request
        .header("if-range")
        .is_none_or(|wanted| wanted == tag);
    let from = request.header("range").filter(|_| same).and_then(|range| {
        range
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    });
    let cut = (!known.cuts.is_empty()).then(|| known.cuts.remove(0));
    let (status, range, body) = match from {
        Some(from) => {
            let size = bytes.len();
            let range = format!("content-range: bytes {from}-{}/{size}\r\n", size - 1);
            (206, range, bytes[from..].to_vec())
        }
        None => (200, String::new(), bytes),
    };
    Answer {
        status,
        headers: format!("etag: {tag}\r\naccept-ranges: bytes\r\n{range}"),
        body,
        cut,
    }
}

struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
    cut: Option<usize>,
}

impl Answer {
    fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: "content-type: application/json\r\n".to_owned(),
            body: match status {
                204 => Vec::new(),
                _ => body.to_string().into_bytes(),
            },
            cut: None,
        }
    }
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &mut impl Read) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte)? {
                0 => return Ok(None),
                _ => head.push(byte[0]),
            }
        }
        let head = String::from_utf8(head).expect("text");
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (method, target) = (word(), word());
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut request = Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: Vec::new(),
        };
        let length = request.header("content-length");
        let length = length.map_or(0, |length| length.parse().expect("a length"));
        request.body = vec![0; length];
        stream.read_exact(&mut request.body)?;
        Ok(Some(request))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

fn number(id: &str) -> usize {
    id[1..].parse().expect("one of our ids")
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &Value) -> [u8; N] {
    let text = text.as_str().expect("text");
    let bytes = (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16));
    let bytes: Vec<u8> = bytes.collect::<Result<_, _>>().expect("digits");
    bytes.try_into().expect("so many bytes")
}
