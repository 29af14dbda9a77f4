//! Alerts: a mail server and a webhook on this machine are told of screens that are silent or dark.

use std::{net::SocketAddr, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    serving::count,
    support::{Asker, House, PaperBox, Socket},
};

/// How long a word may take: the shortest silence that can be asked for is a minute, and machines are loaded.
const PATIENCE: Duration = Duration::from_secs(300);

/// Whoever is told.
struct Sink<T> {
    address: SocketAddr,
    told: mpsc::UnboundedReceiver<T>,
}

impl<T> Sink<T> {
    async fn next(&mut self) -> T {
        let next = timeout(PATIENCE, self.told.recv()).await;
        next.expect("told in time").expect("the sink is there")
    }

    /// Nothing more has come.
    fn is_quiet(&mut self) -> bool {
        self.told.try_recv().is_err()
    }
}

/// What a webhook was sent, and what it answered.
type Asked = (u16, Value);

/// A webhook that answers its first requests so, and later ones with 204.
async fn webhook(first: &'static [u16]) -> Sink<Asked> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let (sender, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut first = first.iter();
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let status = first.next().copied().unwrap_or(204);
            let body = answer(stream, status).await;
            if sender.send((status, body)).is_err() {
                return;
            }
        }
    });
    Sink { address, told }
}

/// Answers one request; its body.
async fn answer(stream: TcpStream, status: u16) -> Value {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut length = 0;
    loop {
        let line = line(&mut read).await;
        if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = told.trim().parse().expect("a length");
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    read.read_exact(&mut body).await.expect("a body");
    let head = format!("HTTP/1.1 {status} Sink\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    write.write_all(head.as_bytes()).await.expect("answered");
    serde_json::from_slice(&body).expect("JSON")
}

async fn line(read: &mut BufReader<OwnedReadHalf>) -> String {
    let mut line = String::new();
    let count = read.read_line(&mut line).await.expect("a line");
    assert_ne!(count, 0, "the connection ended too early");
    line
}

/// A mail server that is too busy for so many letters first; the letters that it takes, with their envelope.
async fn mail_server(busy: usize) -> Sink<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let (sender, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut busy = busy;
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let (read, write) = stream.into_split();
            let taken = take_letter(BufReader::new(read), write, busy > 0).await;
            busy = busy.saturating_sub(1);
            if let Some(letter) = taken
                && sender.send(letter).is_err()
            {
                return;
            }
        }
    });
    Sink { address, told }
}

/// The few verbs of SMTP (RFC 5321) by which one letter comes.
async fn take_letter(
    mut read: BufReader<OwnedReadHalf>,
    mut write: OwnedWriteHalf,
    busy: bool,
) -> Option<String> {
    write.write_all(b"220 sink\r\n").await.expect("greeted");
    let (mut letter, mut taken) = (String::new(), None);
    let mut asked = String::new();
    while read
        .read_line(&mut asked)
        .await
        .is_ok_and(|count| count > 0)
    {
        let verb = asked.trim_end().to_ascii_uppercase();
        let reply = match verb.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" | "HELO" | "RSET" | "NOOP" => "250 sink\r\n",
            "MAIL" => "250 yes\r\n",
            "RCPT" if busy => "451 later\r\n",
            "RCPT" => {
                letter.push_str(&asked);
                "250 yes\r\n"
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await.expect("asked for");
                loop {
                    let line = line(&mut read).await;
                    if line == ".\r\n" {
                        break;
                    }
                    letter.push_str(&line);
                }
                taken = Some(letter.clone());
                "250 taken\r\n"
            }
            "QUIT" => {
                // Whoever has quit may not wait for it.
                let _ = write.write_all(b"221 bye\r\n").await;
                break;
            }
            _ => "502 what?\r\n",
        };
        write.write_all(reply.as_bytes()).await.expect("answered");
        asked.clear();
    }
    taken
}

/// A box that stays connected: it answers the server's pings until it is dropped.
struct Resident {
    say: mpsc::UnboundedSender<Value>,
    heard: mpsc::UnboundedReceiver<Value>,
    task: JoinHandle<()>,
    reports: u32,
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Resident {
    async fn connect(house: &House, paper: &PaperBox) -> Self {
        let asker = paper.asker(house).await;
        let mut socket = asker.socket(None).await.expect("a socket");
        socket.begin().await;
        let (say, words) = mpsc::unbounded_channel();
        let (hear, heard) = mpsc::unbounded_channel();
        Self {
            say,
            heard,
            task: tokio::spawn(reside(socket, words, hear)),
            reports: 0,
        }
    }

    /// Says how it is, and waits until the server has it.
    async fn is(&mut self, state: &str) {
        self.reports += 1;
        let id = format!("r{}", self.reports);
        let report = json!({"type": "reported", "id": id, "state": {"state": state}});
        self.say.send(report).expect("it is connected");
        loop {
            let heard = timeout(PATIENCE, self.heard.recv()).await;
            let heard = heard.expect("heard in time").expect("it is connected");
            if heard["type"] == "ack" && heard["id"] == id.as_str() {
                return;
            }
        }
    }
}

async fn reside(
    mut socket: Socket,
    mut words: mpsc::UnboundedReceiver<Value>,
    hear: mpsc::UnboundedSender<Value>,
) {
    loop {
        tokio::select! {
            Some(word) = words.recv() => socket.say(word).await,
            heard = socket.attend() => {
                let ended = heard.get("close").is_some();
                if hear.send(heard).is_err() || ended {
                    return;
                }
            }
        }
    }
}

/// Waits until the server has counted so many.
async fn counted(house: &House, name: &str, wanted: u64) {
    timeout(PATIENCE, async {
        while count(house, name).await < wanted {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("counted in time");
}

/// Waits until the server has looked twice at all screens: the second look began after now.
async fn two_looks(house: &House) {
    let looks = "musebox_house_alert_looks_total";
    counted(house, looks, count(house, looks).await + 2).await;
}

/// A house with two boxes; its path, and they.
async fn with_boxes(house: &House, ada: &Asker) -> (String, PaperBox, PaperBox) {
    let id = ada.only_house().await;
    let foyer = PaperBox::enrol(house, ada, &id, 31).await;
    let stairs = PaperBox::enrol(house, ada, &id, 33).await;
    let path = format!("/houses/{id}");
    let screen = format!("{path}/screens/{}", stairs.screen);
    ada.patch(&screen, json!({"name": "The stairs"}))
        .await
        .is(200);
    (path, foyer, stairs)
}

#[tokio::test]
async fn a_silent_screen_and_a_dark_one_are_told_once_and_again_after_they_were_well() {
    let (mut hook, mut mail) = (webhook(&[503]).await, mail_server(1).await);
    let folder = tempfile::tempdir().expect("a folder");
    let smtp = format!("smtp://{}", mail.address);
    let more = [
        "--allow-private-webhooks",
        "--smtp",
        &smtp,
        "--mail-from",
        "house@example.org",
    ];
    let house = House::on(&folder.path().join("data"), &more);
    let ada = Asker::first_operator(&house).await;
    let (path, foyer, stairs) = with_boxes(&house, &ada).await;
    let settings = json!({
        "email": ["ada@example.org"],
        "webhook": format!("http://{}/hook?secret", hook.address),
        "silent_after_s": 60,
    });
    ada.send(Method::PUT, &format!("{path}/alerts"), Some(settings), &[])
        .await
        .is(200);

    // One is heard and goes; the other stays and can play nothing.
    let mut resident = Resident::connect(&house, &foyer).await;
    resident.is("playing").await;
    drop(resident);
    let mut dark = Resident::connect(&house, &stairs).await;
    dark.is("failed").await;

    // The first word meets a webhook and a mail server that fail, and both are tried again.
    let mut refused = 0;
    let mut told = Vec::new();
    while told.len() < 2 {
        let (status, word) = hook.next().await;
        match status {
            204 => told.push(word),
            _ => refused += 1,
        }
    }
    assert_eq!(refused, 1);
    told.sort_by_key(|word| word["event"].as_str().map(str::to_owned));
    assert_eq!(told[0]["event"], "screen_dark");
    assert_eq!(
        told[0]["screen"],
        json!({"id": stairs.screen, "name": "The stairs"})
    );
    assert_eq!(told[0]["state"]["state"], "failed");
    assert_eq!(told[1]["event"], "screen_silent");
    assert_eq!(
        told[1]["screen"],
        json!({"id": foyer.screen, "name": "The foyer"})
    );
    assert_eq!(
        told[1]["house"]["id"],
        path.rsplit('/').next().expect("an id")
    );
    assert_eq!(told[1]["state"]["state"], "playing", "what it said last");
    let mut letters = [mail.next().await, mail.next().await];
    letters.sort_by_key(|letter| letter.contains("is silent"));
    for (letter, subject) in letters
        .iter()
        .zip(["The stairs is dark", "The foyer is silent"])
    {
        assert!(
            letter.contains(&format!("Subject: {subject}\r\n")),
            "{letter}"
        );
        assert!(letter.starts_with("RCPT TO:<ada@example.org>"), "{letter}");
        assert!(letter.contains("From: house@example.org\r\n"), "{letter}");
    }

    // While nothing changes nobody is told again.
    two_looks(&house).await;
    assert!(hook.is_quiet() && mail.is_quiet());

    // Whoever was away for a look is not well by that.
    drop(dark);
    two_looks(&house).await;
    let mut dark = Resident::connect(&house, &stairs).await;
    dark.is("failed").await;
    two_looks(&house).await;
    assert!(hook.is_quiet() && mail.is_quiet());

    // Both are well, and then one is silent again; the other is dark again only when that was told.
    dark.is("playing").await;
    let mut resident = Resident::connect(&house, &foyer).await;
    resident.is("playing").await;
    drop(resident);
    let (_, silent) = hook.next().await;
    assert_eq!(silent["event"], "screen_silent");
    assert!(
        mail.next()
            .await
            .contains("Subject: The foyer is silent\r\n")
    );
    dark.is("failed").await;
    let (_, again) = hook.next().await;
    assert_eq!(again["event"], "screen_dark");
    assert!(
        mail.next()
            .await
            .contains("Subject: The stairs is dark\r\n")
    );
    assert!(hook.is_quiet() && mail.is_quiet());

    // The last answer may still be on its way to the server.
    counted(&house, "musebox_house_alerts_sent_total", 8).await;
    assert_eq!(count(&house, "musebox_house_alerts_sent_total").await, 8);
    assert_eq!(count(&house, "musebox_house_alerts_failed_total").await, 0);
}

#[tokio::test]
async fn a_server_that_was_down_does_not_take_boxes_that_come_back_for_silent() {
    let mut hook = webhook(&[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let house = House::on(&data, &[]);
    let ada = Asker::first_operator(&house).await;
    let (path, foyer, stairs) = with_boxes(&house, &ada).await;
    let alerts = format!("{path}/alerts");
    let nobody = json!({"silent_after_s": 60});
    let set = ada.send(Method::PUT, &alerts, Some(nobody.clone()), &[]);
    let tag = set.await.etag();
    for paper in [&foyer, &stairs] {
        Resident::connect(&house, paper).await.is("playing").await;
    }
    house.stop();
    // An hour later.
    let file = format!("sqlite:{}", data.join("house.db").display());
    let mut database = SqliteConnection::connect(&file)
        .await
        .expect("the database");
    let moved = sqlx::query("UPDATE reports SET seen = seen - 3600000")
        .execute(&mut database)
        .await
        .expect("it is written");
    assert_eq!(moved.rows_affected(), 2);
    database.close().await.expect("closed");

    let house = House::on(&data, &["--allow-private-webhooks"]);
    let mut back = Resident::connect(&house, &foyer).await;
    back.is("playing").await;
    // While nobody is named nobody can be told: that is made up for when somebody is.
    counted(&house, "musebox_house_alert_looks_total", 10).await;
    let ada = Asker::person(&house, "ada@example.org", "a long password").await;
    let webhook = format!("http://{}/", hook.address);
    let somebody = json!({"email": [], "webhook": webhook, "silent_after_s": 60});
    // A proxy that compresses makes it a weak one.
    let tag = format!("W/{tag}");
    let seen = [("if-match", &*tag)];
    ada.send(Method::PUT, &alerts, Some(somebody.clone()), &seen)
        .await
        .is(200);
    let late = ada.send(Method::PUT, &alerts, Some(nobody), &seen).await;
    assert_eq!(
        late.is(412)["current"],
        somebody,
        "it is not as it was seen"
    );
    let (_, word) = hook.next().await;
    assert_eq!(
        word["screen"]["id"],
        stairs.screen.as_str(),
        "only that one stays away"
    );
    two_looks(&house).await;
    assert!(hook.is_quiet());
}

#[tokio::test]
async fn a_screen_that_was_removed_while_its_box_was_connected_is_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let house = House::on(&data, &[]);
    let ada = Asker::first_operator(&house).await;
    let (path, foyer, stairs) = with_boxes(&house, &ada).await;
    let mut stays = Resident::connect(&house, &stairs).await;
    stays.is("playing").await;
    let mut goes = Resident::connect(&house, &foyer).await;
    goes.is("playing").await;
    let known = ada.get(&format!("{path}/reports")).await.is(200);
    assert!(known["screens"].get(&foyer.screen).is_some(), "{known}");
    ada.delete(&format!("{path}/screens/{}", foyer.screen))
        .await
        .is(204);
    timeout(PATIENCE, async {
        while let Some(heard) = goes.heard.recv().await {
            if heard.get("close").is_some() {
                break;
            }
        }
    })
    .await
    .expect("its connection ends");
    let known = ada.get(&format!("{path}/reports")).await.is(200);
    assert!(known["screens"].get(&foyer.screen).is_none(), "{known}");
    assert!(known["screens"].get(&stairs.screen).is_some(), "{known}");
    // The connection notes its end before the server ends, and the server writes all that was noted.
    house.stop();
    let file = format!("sqlite:{}", data.join("house.db").display());
    let store = musebox::db::open(&file).await.expect("the database");
    let id = path.rsplit('/').next().expect("an id");
    let rows = store.reports(id).await.expect("reports");
    let screens: Vec<&str> = rows.iter().map(|row| row.screen.as_str()).collect();
    assert_eq!(screens, [stairs.screen.as_str()]);
}

#[tokio::test]
async fn a_house_has_ten_addresses_at_most() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let path = format!("/houses/{}/alerts", ada.only_house().await);
    for (count, status) in [(10, 200), (11, 422)] {
        let email: Vec<String> = (0..count).map(|n| format!("a{n}@example.org")).collect();
        let put = ada
            .send(Method::PUT, &path, Some(json!({"email": email})), &[])
            .await;
        let body = put.is(status);
        assert!(status == 200 || body["key"] == "email", "{body}");
    }
    let kept = ada.get(&path).await.is(200);
    assert_eq!(kept["email"].as_array().map(Vec::len), Some(10));
}
