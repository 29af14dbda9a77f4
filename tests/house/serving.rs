//! The ways to serve: with TLS, behind a proxy, by a file of settings; and how the server says how it is.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use reqwest::{Method, header::HeaderMap};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::{Answer, Asker, House, PATIENCE, PaperBox, exhaust, program, token};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// Runs the program, which must end by itself; its exit status and what it says.
async fn refused(words: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = program();
    command
        .args(["--listen", "127.0.0.1:0", "--no-announce", "--data"])
        .arg(folder.path().join("data"))
        .args(words)
        .stdin(Stdio::null());
    let mut command = tokio::process::Command::from(command);
    let output = timeout(PATIENCE, command.kill_on_drop(true).output()).await;
    let Output { status, stderr, .. } = output.expect("it ends").expect("musebox-house");
    let said = String::from_utf8(stderr).expect("text");
    (status.code().expect("an exit status"), said)
}

/// What `/metrics` tells under this name; with labels where it has some.
pub async fn count(house: &House, name: &str) -> u64 {
    let answer = Asker::nobody(house).get("//metrics").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = String::from_utf8(answer.bytes).expect("text");
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let found = found.unwrap_or_else(|| panic!("{name} is not in {text}"));
    found.parse().expect("a number")
}

/// Waits until `/metrics` tells this.
async fn counts(house: &House, name: &str, wanted: u64) {
    let told = async {
        while count(house, name).await != wanted {
            sleep(Duration::from_millis(50)).await;
        }
    };
    let told = timeout(PATIENCE, told).await;
    assert!(told.is_ok(), "{name} is {}", count(house, name).await);
}

fn setup(house: &House) -> Value {
    let link = house.setup.as_deref().expect("a set-up link");
    let (_, token) = link.split_once("token=").expect("a token");
    json!({
        "link_token": token, "email": "ada@example.org", "name": "Ada", "password": "a long password",
    })
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let cookies = headers.get_all("set-cookie").iter();
    let cookies = cookies.map(|cookie| cookie.to_str().expect("text").to_owned());
    cookies.collect()
}

#[tokio::test]
async fn a_certificate_of_one_s_own_is_served_and_cookies_go_over_it_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key) = (data("house-certificate-1.pem"), data("house-key-1.pem"));
    let more = [
        "--tls-cert",
        cert.to_str().expect("text"),
        "--tls-key",
        key.to_str().expect("text"),
    ];
    let house = House::on(&folder.path().join("data"), &more);
    assert!(house.url.starts_with("https://127.0.0.1:"), "{}", house.url);
    // Another test of this process may have been faster.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // It is for gallery.example and signed by itself, so that it is compared instead.
    let client = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .tls_info(true)
        .timeout(PATIENCE)
        .build()
        .expect("a client");
    let url = format!("{}/api/v1/setup", house.url);
    let answer = client.post(url).json(&setup(&house)).send().await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), 204);
    let told = answer.extensions().get::<reqwest::tls::TlsInfo>();
    let told = told.and_then(|told| told.peer_certificate().map(<[u8]>::to_vec));
    let own = CertificateDer::from_pem_file(&cert).expect("a certificate");
    assert_eq!(told.as_deref(), Some(own.as_ref()));
    let cookies = cookies(answer.headers());
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    assert!(
        cookies.iter().all(|cookie| cookie.contains("; Secure")),
        "{cookies:?}"
    );
    // The same port speaks nothing else.
    let plain = house.url.replacen("https", "http", 1);
    let plain = client.get(format!("{plain}/healthz")).send().await;
    assert!(plain.is_err(), "{plain:?}");
}

#[tokio::test]
async fn a_certificate_needs_its_own_key() {
    let (cert, key) = (data("house-certificate-1.pem"), data("house-key-2.pem"));
    let (cert, key) = (cert.to_str().expect("text"), key.to_str().expect("text"));
    let (status, said) = refused(&["--tls-cert", cert, "--tls-key", key]).await;
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("does not belong to"), "{said}");
    assert!(said.contains(cert) && said.contains(key), "{said}");
    for (one, other) in [("--tls-cert", "--tls-key"), ("--tls-key", "--tls-cert")] {
        let (status, said) = refused(&[one, cert]).await;
        assert_eq!(status, 2, "{said}");
        assert!(said.contains(other), "{said}");
    }
    let (status, said) = refused(&["--tls-cert", key, "--tls-key", key]).await;
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("there is no certificate in it"), "{said}");
}

#[tokio::test]
async fn a_file_of_settings_is_read_and_one_with_a_fault_is_refused_by_line_and_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("house.toml");
    let path = file.to_str().expect("text");
    let tls = data("house-certificate-1.pem");
    for (text, words) in [
        (
            "# Mine.\nlisten_to = \"0.0.0.0:8470\"\n".to_owned(),
            "house.toml:2: unknown field `listen_to`",
        ),
        ("listen = \"everywhere\"\n".to_owned(), "house.toml:1: "),
        (
            format!("tls_cert = \"{}\"\n", tls.display()),
            "tls_cert and tls_key belong together",
        ),
    ] {
        std::fs::write(&file, &text).expect("written");
        let (status, said) = refused(&["--config", path]).await;
        assert_eq!(status, 2, "{text}: {said}");
        assert!(said.contains(words), "{text}: {said}");
    }
    let missing = folder.path().join("none.toml");
    let (status, said) = refused(&["--config", missing.to_str().expect("text")]).await;
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("none.toml"), "{said}");

    // Arguments go before the file, which names an address that cannot be listened at.
    let text = "listen = \"192.0.2.1:1\"\nbehind_proxy = true\nallow_private_webhooks = true\n";
    std::fs::write(&file, text).expect("written");
    let house = House::on(&folder.path().join("data"), &["--config", path]);
    let forwarded = [("x-forwarded-proto", "https")];
    let answer = send_setup(&house, &forwarded).await;
    assert!(
        cookies(&answer.headers)
            .iter()
            .all(|cookie| cookie.contains("; Secure"))
    );
}

/// The settings of the package are settings.
#[tokio::test]
async fn the_packaged_file_of_settings_is_read() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/house.toml");
    let folder = tempfile::tempdir().expect("a folder");
    let more = ["--config", file.to_str().expect("text")];
    let house = House::on(&folder.path().join("data"), &more);
    Asker::first_operator(&house).await;
    // So are the examples in it, without what asks for another machine or another file.
    let text = std::fs::read_to_string(&file).expect("the file");
    let examples: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.contains(" = "))
        .collect();
    assert!(examples.len() >= 8, "{examples:?}");
    let copy = folder.path().join("house.toml");
    let listed = format!("{}\nzz_no_such_key = 1\n", examples.join("\n"));
    std::fs::write(&copy, listed).expect("written");
    let (status, said) = refused(&["--config", copy.to_str().expect("text")]).await;
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("unknown field `zz_no_such_key`"), "{said}");
}

async fn send_setup(house: &House, headers: &[(&str, &str)]) -> Answer {
    let answer = Asker::nobody(house)
        .send(Method::POST, "/setup", Some(setup(house)), headers)
        .await;
    assert_eq!(answer.status, 204, "{answer:?}");
    answer
}

/// Tries to come in by a link that is none; the status.
async fn intrude(house: &House, forwarded: &str) -> u16 {
    let body = json!({
        "link_token": "none", "email": "eve@example.org", "name": "Eve", "password": "short",
    });
    let headers = [("x-forwarded-for", forwarded)];
    let answer = Asker::nobody(house)
        .send(Method::POST, "/setup", Some(body), &headers)
        .await;
    answer.status.as_u16()
}

#[tokio::test]
async fn behind_a_proxy_the_address_that_it_forwards_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::on(&folder.path().join("data"), &["--behind-proxy"]);
    // Whatever the asker invents stands before what the proxy adds.
    let from = "203.0.113.7";
    exhaust(async |tried| intrude(&house, &format!("198.51.100.{tried}, {from}")).await).await;
    assert_eq!(intrude(&house, from).await, 429);
    assert_ne!(intrude(&house, "203.0.113.8").await, 429);
    // A site of IPv6 has more addresses than can be counted.
    exhaust(async |tried| intrude(&house, &format!("2001:db8:1:2::{tried:x}")).await).await;
    assert_eq!(intrude(&house, "2001:db8:1:2:ffff::1").await, 429);
    assert_ne!(intrude(&house, "2001:db8:1:3::1").await, 429);
    let secured = send_setup(&house, &[("x-forwarded-proto", "https")]).await;
    let secured = cookies(&secured.headers);
    assert!(
        secured.iter().all(|cookie| cookie.contains("; Secure")),
        "{secured:?}"
    );
    let body = json!({"email": "ada@example.org", "password": "a long password"});
    let headers = [
        ("x-forwarded-proto", "http"),
        ("x-forwarded-for", "192.0.2.1"),
    ];
    let plain = Asker::nobody(&house)
        .send(Method::POST, "/sign-in", Some(body), &headers)
        .await;
    assert_eq!(plain.status, 204, "{plain:?}");
    let plain = cookies(&plain.headers);
    assert_eq!(plain.len(), 2, "{plain:?}");
    assert!(
        !plain.iter().any(|cookie| cookie.contains("Secure")),
        "{plain:?}"
    );
}

#[tokio::test]
async fn without_a_proxy_nobody_s_word_on_where_they_come_from_is_taken() {
    let house = House::start();
    exhaust(async |tried| intrude(&house, &format!("203.0.113.{tried}")).await).await;
    let body = json!({"email": "ada@example.org", "password": "a long password"});
    let headers = [
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "https"),
    ];
    let answer = Asker::nobody(&house)
        .send(Method::POST, "/sign-in", Some(body), &headers)
        .await;
    assert_eq!(answer.status, 429, "{answer:?}");
}

#[tokio::test]
async fn a_set_up_link_of_the_command_line_is_whole_once_a_server_has_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data");
    let link = || {
        let output = program().args(["setup-link", "--data"]).arg(&path).output();
        let output = output.expect("musebox-house setup-link");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout)
            .expect("text")
            .trim()
            .to_owned()
    };
    let early = link();
    assert!(early.starts_with("/setup?token="), "{early}");
    let mut house = House::on(&path, &[]);
    let late = link();
    assert!(
        late.starts_with(&format!("{}/setup?token=", house.url)),
        "{late}"
    );
    house.setup = Some(late);
    Asker::first_operator(&house).await;
}

#[tokio::test]
async fn a_server_whose_database_is_taken_is_alive_but_not_ready() {
    let house = House::start();
    let nobody = Asker::nobody(&house);
    let healthy = nobody.get("//healthz").await;
    assert_eq!(
        (healthy.status.as_u16(), &healthy.bytes[..]),
        (200, &b"alive\n"[..])
    );
    let ready = nobody.get("//readyz").await;
    assert_eq!(
        (ready.status.as_u16(), &ready.bytes[..]),
        (200, &b"ready\n"[..])
    );
    let file = format!("sqlite:{}", house.data.join("house.db").display());
    let mut database = SqliteConnection::connect(&file)
        .await
        .expect("the database");
    let lock = sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut database)
        .await;
    lock.expect("the database is ours");
    let waits = nobody.get("//readyz").await;
    assert_eq!(waits.status, 503, "{waits:?}");
    let words = String::from_utf8(waits.bytes).expect("text");
    assert!(words.contains("the database does not answer"), "{words}");
    assert_eq!(nobody.get("//healthz").await.status, 200);
    let unlock = sqlx::raw_sql("ROLLBACK").execute(&mut database).await;
    unlock.expect("it is given back");
    let again = async {
        while nobody.get("//readyz").await.status != 200 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, again).await.expect("it is ready again");
}

#[tokio::test]
async fn what_happens_is_counted() {
    let house = House::start();
    for name in [
        "musebox_house_commits_total",
        "musebox_house_reports_written_total",
        "musebox_house_reports_failed_total",
        "musebox_house_plays_written_total",
        "musebox_house_store_errors_total",
        "musebox_house_uploads_finished_total",
        "musebox_house_uploaded_bytes_total",
        "musebox_house_news_lost_total",
        "musebox_house_alerts_sent_total",
        "musebox_house_alerts_failed_total",
        "musebox_house_requests_total{class=\"5xx\"}",
        "musebox_house_boxes_connected",
        "musebox_house_pages_connected",
    ] {
        assert_eq!(count(&house, name).await, 0, "{name}");
    }
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let path = format!("/houses/{id}");
    let foyer = PaperBox::enrol(&house, &ada, &id, 41).await;
    let commits = count(&house, "musebox_house_commits_total").await;
    ada.patch(&path, json!({"mute": true})).await.is(200);
    assert_eq!(
        count(&house, "musebox_house_commits_total").await,
        commits + 1
    );

    let mut page = ada.socket(Some(&id)).await.expect("a socket");
    page.begin().await;
    let mut socket = foyer
        .asker(&house)
        .await
        .socket(None)
        .await
        .expect("a socket");
    socket.begin().await;
    counts(&house, "musebox_house_boxes_connected", 1).await;
    counts(&house, "musebox_house_pages_connected", 1).await;
    let play = json!({"seq": 1, "at": "2026-11-25T10:00:00Z", "output": "main", "item": "i", "duration_ms": 9800});
    for name in ["r0", "r1"] {
        // The second time it is no new one.
        let report =
            json!({"type": "reported", "id": name, "state": {"state": "playing"}, "plays": [play]});
        socket.say(report).await;
        assert_eq!(socket.hear_a("ack").await["id"], name);
    }
    counts(&house, "musebox_house_plays_written_total", 1).await;
    assert!(count(&house, "musebox_house_reports_written_total").await >= 1);
    drop(socket);
    counts(&house, "musebox_house_boxes_connected", 0).await;

    let begun = ada
        .post(
            &format!("{path}/uploads"),
            json!({"name": "Waves.mp4", "size": 5}),
        )
        .await
        .is(201);
    let upload = format!("{path}/uploads/{}", begun["id"].as_str().expect("an id"));
    let kind = "application/offset+octet-stream";
    ada.raw(
        Method::PATCH,
        &upload,
        Some((kind, b"waves".to_vec())),
        &[("upload-offset", "0")],
    )
    .await
    .is(200);
    assert_eq!(
        count(&house, "musebox_house_uploads_finished_total").await,
        1
    );
    assert_eq!(count(&house, "musebox_house_uploaded_bytes_total").await, 5);

    let refused = "musebox_house_requests_total{class=\"4xx\"}";
    let before = count(&house, refused).await;
    Asker::nobody(&house).get(&path).await.is(401);
    assert_eq!(count(&house, refused).await, before + 1);
    assert!(count(&house, "musebox_house_requests_total{class=\"1xx\"}").await >= 2);
    assert!(count(&house, "musebox_house_requests_total{class=\"2xx\"}").await >= 20);
    assert_eq!(count(&house, "musebox_house_store_errors_total").await, 0);
}

#[tokio::test]
async fn a_connection_that_asks_for_nothing_is_ended_and_a_socket_is_not() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let mut page = ada.socket(Some(&id)).await.expect("a socket");
    page.begin().await;
    let address = house.url.split_once("://").expect("a URL").1;
    let whole = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let half = &whole[..whole.len() - 2];
    let mut idle = Vec::new();
    for (name, words) in [
        ("silent", ""),
        ("half a head", half),
        ("after a request", &*whole),
        ("half of a second head", &*format!("{whole}{half}")),
    ] {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(words.as_bytes()).await.expect("sent");
        idle.push((name, stream));
    }
    let all_end = async {
        for (name, mut stream) in idle {
            let mut said = Vec::new();
            let ended = timeout(3 * PATIENCE, stream.read_to_end(&mut said)).await;
            assert!(ended.is_ok(), "{name}: it is still open");
            let said = String::from_utf8_lossy(&said);
            let answers = said.matches("\r\n\r\nalive").count();
            let asked = name.contains("request") || name.contains("second");
            assert_eq!(answers, usize::from(asked), "{name}: {said}");
        }
    };
    // Whoever listens answers the server's pings.
    tokio::select! {
        () = all_end => {}
        told = page.attend() => panic!("{told}"),
    }
    // The page's connection is as old as those.
    page.say(json!(["no", "message"])).await;
    assert_eq!(page.hear_a("error").await["code"], "bad_message");
}

#[test]
fn the_data_folder_is_its_owner_s_alone_whatever_made_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    for words in [&["setup-link"][..], &["token", "create"]] {
        let path = folder.path().join(words[0]).join("data");
        let output = program().args(words).arg("--data").arg(&path).output();
        let output = output.expect("musebox-house");
        assert!(output.status.success(), "{output:?}");
        let mode = std::fs::metadata(&path).expect("made").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{words:?}");
    }
}

#[tokio::test]
async fn a_mail_server_that_is_none_is_a_bad_setting() {
    let (status, said) = refused(&["--smtp", "mail.example"]).await;
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("the settings for alerts"), "{said}");
}

#[tokio::test]
async fn what_is_counted_is_told_to_this_machine_and_to_whoever_has_a_token_of_it() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let from_outside = [("x-forwarded-for", "192.0.2.7")];
    let ask = async |asker: &Asker| {
        let answer = asker
            .send(Method::GET, "//metrics", None, &from_outside)
            .await;
        answer.status.as_u16()
    };
    let nobody = Asker::nobody(&house);
    assert_eq!(nobody.get("//metrics").await.status, 200);
    assert_eq!(ask(&nobody).await, 401);
    assert_eq!(ask(&ada).await, 403);
    let watcher = Asker::with_token(&house, token(&house.data, "viewer", &[]));
    assert_eq!(ask(&watcher).await, 200);
    // Whether it is well, everybody may know.
    let ready = nobody.send(Method::GET, "//readyz", None, &from_outside);
    assert_eq!(ready.await.status, 200);
    // A proxy on this machine asks for others, whether it says so or not.
    let folder = tempfile::tempdir().expect("a folder");
    let house = House::on(folder.path(), &["--behind-proxy"]);
    let answer = Asker::nobody(&house).get("//metrics").await;
    assert_eq!(answer.status, 401);
}
