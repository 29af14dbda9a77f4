//! Boxes: they come in, are told everything, report, are commanded, and are put out.

use serde_json::json;
use sqlx::{Connection, SqliteConnection};

use crate::support::{Asker, House, PaperBox, Shown, exhaust};

#[tokio::test]
async fn a_box_comes_in_hears_changes_reports_and_is_put_out_at_once() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let path = format!("/houses/{id}");
    let mut page = ada.socket(Some(&id)).await.expect("a socket");
    page.begin().await;
    let foyer = PaperBox::enrol(&house, &ada, &id, 7).await;
    let screen = foyer.screen.clone();
    let patch = page.hear_a("patch").await;
    assert_eq!(patch["patch"]["screens"][&screen]["name"], "The foyer");

    let asker = foyer.asker(&house).await;
    let mut socket = asker.socket(None).await.expect("a socket");
    let snapshot = socket.begin().await;
    assert_eq!(
        snapshot["document"]["screens"][&screen]["outputs"],
        json!(["main"])
    );
    assert_eq!(page.hear_a("reported").await["online"], true);
    ada.patch(&path, json!({"autostart_playlist": true}))
        .await
        .is(200);
    assert_eq!(
        socket.hear_a("patch").await["patch"]["house"]["autostart_playlist"],
        true
    );

    // To the second, as it is written back.
    let now = jiff::Timestamp::now().as_second();
    let at = jiff::Timestamp::from_second(now)
        .expect("a moment")
        .to_string();
    let play = json!({"seq": 1, "at": at, "output": "main", "item": "i", "duration_ms": 9800});
    for name in ["r0", "r1"] {
        // The same entry twice, as after a connection that broke before the answer.
        let report = json!({"type": "reported", "id": name, "state": {"state": "playing", "title": "Waves"}, "plays": [play]});
        socket.say(report).await;
        assert_eq!(socket.hear_a("ack").await["id"], name);
    }
    let said = |seen: &serde_json::Value| seen.get("state").is_some();
    let seen = page.hear_such("reported", said).await;
    assert_eq!(
        (&seen["screen"], &seen["state"]["title"]),
        (&json!(screen), &json!("Waves"))
    );
    let plays = ada.get(&format!("{path}/plays")).await.is(200);
    assert_eq!(plays["plays"].as_array().map(Vec::len), Some(1), "{plays}");
    assert_eq!(plays["plays"][0]["screen_name"], "The foyer");
    let table = ada.get(&format!("{path}/plays.csv")).await;
    let table = String::from_utf8(table.bytes).expect("text");
    assert!(
        table.contains(&format!("{at},The foyer,main,,i,i,9.800\r\n")),
        "{table}"
    );

    // A command is answered by the box's own words.
    let commands = format!("{path}/screens/{screen}/commands");
    let (answer, ()) = tokio::join!(ada.post(&commands, json!({"command": "next"})), async {
        let command = socket.hear_a("command").await;
        assert_eq!(command["command"], "next");
        socket
            .say(json!({"type": "ack", "id": command["id"], "error": "nothing is playing"}))
            .await;
    });
    assert_eq!(answer.is(409)["detail"], "nothing is playing");

    // A picture is asked for, sent, and seen.
    let picture = b"\xff\xd8\xff a picture".to_vec();
    let wanted = format!("{path}/screens/{screen}/picture?fresh=10");
    let (answer, ()) = tokio::join!(ada.get(&wanted), async {
        let command = socket.hear_a("command").await;
        assert_eq!(command["command"], "screenshot");
        let put = asker
            .raw(
                reqwest::Method::PUT,
                &format!("/screens/{screen}/picture"),
                Some(("image/jpeg", picture.clone())),
                &[],
            )
            .await;
        put.is(204);
        socket
            .say(json!({"type": "ack", "id": command["id"]}))
            .await;
    });
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.bytes, picture);
    assert!(answer.headers.contains_key("last-modified"));

    // One that is recent enough is not asked for again; one that is not, is.
    let recent = format!("{path}/screens/{screen}/picture?fresh=3600");
    assert_eq!(ada.get(&recent).await.bytes, picture);
    let newer = b"\xff\xd8\xff a newer picture".to_vec();
    let old = format!("{path}/screens/{screen}/picture?fresh=0");
    let (answer, ()) = tokio::join!(ada.get(&old), async {
        let command = socket.hear_a("command").await;
        assert_eq!(command["command"], "screenshot");
        let put = format!("/screens/{screen}/picture");
        let body = Some(("image/jpeg", newer.clone()));
        let put = asker.raw(reqwest::Method::PUT, &put, body, &[]).await;
        put.is(204);
        let done = json!({"type": "ack", "id": command["id"]});
        socket.say(done).await;
    });
    assert_eq!(answer.bytes, newer);

    // A second output has a picture of its own, once the box has told of it.
    let two = json!({"type": "hello", "proto": 1, "outputs": ["main", "Säule 2"]});
    socket.say(two).await;
    socket.hear_a("patch").await;
    let query = "output=S%C3%A4ule%202";
    let second = format!("{wanted}&{query}");
    let side = b"\xff\xd8\xff its side".to_vec();
    let (answer, ()) = tokio::join!(ada.get(&second), async {
        let command = socket.hear_a("command").await;
        assert_eq!(command["output"], "Säule 2");
        let put = format!("/screens/{screen}/picture?{query}");
        let body = Some(("image/jpeg", side.clone()));
        asker
            .raw(reqwest::Method::PUT, &put, body, &[])
            .await
            .is(204);
        let done = json!({"type": "ack", "id": command["id"]});
        socket.say(done).await;
    });
    assert_eq!(answer.bytes, side);
    let first = format!("{path}/screens/{screen}/picture?output=main");
    assert_eq!(ada.get(&first).await.bytes, newer);
    let none = format!("{path}/screens/{screen}/picture?output=other");
    ada.get(&none).await.is(404);

    // The box cannot change anything, and is put out as soon as it is removed.
    asker.patch(&path, json!({"mute": true})).await.is(403);
    ada.delete(&format!("{path}/screens/{screen}"))
        .await
        .is(204);
    assert_eq!(socket.hear_a("error").await["code"], "revoked");
    assert_eq!(socket.hear().await, json!({"close": 4004}));
    asker.get(&path).await.is(401);
    let refused = foyer.ask_for_token(&house).await.is(403);
    assert!(
        refused["type"]
            .as_str()
            .expect("a type")
            .ends_with("revoked"),
        "{refused}"
    );
    assert!(foyer.is_parted(&refused), "{refused}");
    ada.post(&commands, json!({"command": "next"}))
        .await
        .is(404);
}

#[tokio::test]
async fn a_code_is_good_once_and_codes_cannot_be_guessed_at_will() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let path = format!("/houses/{}/enrolments", ada.only_house().await);
    let nobody = Asker::nobody(&house);
    let key = ed25519_dalek::SigningKey::from_bytes(&[5; 32]);
    let ask = json!({
        "device_key": crate::support::hex(key.verifying_key().as_bytes()), "name": "Foyer", "commit": "00".repeat(32),
    });
    let asked = nobody.post("/enrol", ask.clone()).await.is(201);
    let id = asked["id"].as_str().expect("an id");
    // Typed as people type.
    let typed = asked["code"]
        .as_str()
        .expect("a code")
        .to_lowercase()
        .replace('-', " ");
    let found = ada
        .post(&format!("{path}/look-up"), json!({"code": typed}))
        .await
        .is(200);
    assert!(
        found.get("check").is_none(),
        "the box has not revealed its nonce"
    );
    let early = ada.post(&format!("{path}/{id}/approve"), json!({})).await;
    assert_eq!(
        early.status, 410,
        "a box whose number nobody can compare is not let in: {early:?}"
    );
    let lie = json!({"secret": asked["secret"], "box_nonce": "11".repeat(32)});
    nobody
        .post(&format!("/enrol/{id}/reveal"), lie)
        .await
        .is(422);
    ada.post(&format!("{path}/{id}/refuse"), json!({}))
        .await
        .is(204);
    ada.post(&format!("{path}/look-up"), json!({"code": typed}))
        .await
        .is(404);
    ada.post(&format!("{path}/{id}/approve"), json!({}))
        .await
        .is(410);
    exhaust(async |_| {
        let guess = json!({"code": "BCDF-GHJK"});
        let guess = ada.post(&format!("{path}/look-up"), guess).await;
        guess.status.as_u16()
    })
    .await;
}

#[tokio::test]
async fn frames_that_are_no_messages_are_answered_and_end_the_connection_at_last() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let mut page = ada.socket(Some(&id)).await.expect("a socket");
    page.say(json!({"type": "hello", "proto": 99})).await;
    assert_eq!(page.hear_a("error").await["code"], "unknown_proto");
    assert_eq!(page.hear().await, json!({"close": 4001}));
    let mut page = ada.socket(Some(&id)).await.expect("a socket");
    page.begin().await;
    page.say(json!({"type": "of a later version"})).await;
    for _ in 0..16 {
        page.say(json!(["no", "message"])).await;
        assert_eq!(page.hear_a("error").await["code"], "bad_message");
    }
    assert_eq!(page.hear().await, json!({"close": 4003}));
}

#[tokio::test]
async fn a_box_that_is_paired_again_stays_its_screen_and_is_let_in_by_one_house_only() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let first = PaperBox::enrol(&house, &ada, &id, 7).await;
    let rev = ada.get(&format!("/houses/{id}")).await.is(200)["rev"].clone();
    let again = PaperBox::enrol(&house, &ada, &id, 7).await;
    assert_eq!(again.screen, first.screen);
    again
        .asker(&house)
        .await
        .get(&format!("/houses/{id}"))
        .await
        .is(200);
    assert_eq!(ada.get(&format!("/houses/{id}")).await.is(200)["rev"], rev);

    // It keeps its name unless whoever lets it in gives it another.
    let screen = format!("/houses/{id}/screens/{}", first.screen);
    let shown = Shown::of(&house, 7).await;
    let approve = format!("/houses/{id}/enrolments/{}/approve", shown.id);
    ada.post(&approve, json!({})).await.is(200);
    assert_eq!(ada.get(&screen).await.is(200)["name"], "The foyer");
    let shown = Shown::of(&house, 7).await;
    let approve = format!("/houses/{id}/enrolments/{}/approve", shown.id);
    ada.post(&approve, json!({"name": "Lobby"})).await.is(200);
    assert_eq!(ada.get(&screen).await.is(200)["name"], "Lobby");

    let second = ada.post("/houses", json!({"name": "Second"})).await.is(201);
    let second = second["id"].as_str().expect("an id");
    let refused = PaperBox::try_enrol(&house, &ada, second, 7).await;
    let refused = refused.err().expect("a refusal").is(409);
    let advice = refused["detail"].as_str().expect("words");
    assert!(advice.contains("remove its screen there"), "{advice}");
    ada.delete(&format!("/houses/{id}/screens/{}", first.screen))
        .await
        .is(204);
    PaperBox::enrol(&house, &ada, second, 7).await;
}

#[tokio::test]
async fn every_box_is_told_when_the_server_goes() {
    const BOXES: u8 = 15;
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let mut sockets = Vec::new();
    for seed in 0..BOXES {
        let one = PaperBox::enrol(&house, &ada, &id, 100 + seed).await;
        let mut socket = one
            .asker(&house)
            .await
            .socket(None)
            .await
            .expect("a socket");
        socket.begin().await;
        sockets.push(socket);
    }
    house.terminate();
    for socket in &mut sockets {
        loop {
            let message = socket.hear().await;
            if let Some(code) = message.get("close") {
                assert_eq!(*code, 1012);
                break;
            }
        }
    }
    drop(sockets);
    let data = house.data.clone();
    let _folder = house.stop();
    // What the server noted at the end is stored: nobody is connected.
    let house = House::on(&data, &[]);
    let ada = Asker::person(&house, "ada@example.org", "a long password").await;
    let reports = ada.get(&format!("/houses/{id}/reports")).await.is(200);
    let screens = reports["screens"].as_object().expect("screens");
    assert_eq!(screens.len(), usize::from(BOXES));
    for (screen, report) in screens {
        assert_eq!(report["online"], false, "{screen}");
    }
}

#[tokio::test]
async fn a_stranger_cannot_ask_for_codes_without_end() {
    let house = House::start();
    let nobody = Asker::nobody(&house);
    let key = ed25519_dalek::SigningKey::from_bytes(&[6; 32]);
    let ask = json!({
        "device_key": crate::support::hex(key.verifying_key().as_bytes()), "name": "Foyer", "commit": "00".repeat(32),
    });
    let mut given = 0;
    let refused = loop {
        let answer = nobody.post("/enrol", ask.clone()).await;
        match answer.status.as_u16() {
            201 => given += 1,
            _ => break answer,
        }
        assert!(given <= 1000, "there is no end");
    };
    assert!(
        given >= 10,
        "a few boxes behind one address are no attack: {given}"
    );
    assert!(refused.headers.contains_key("retry-after"));
    refused.is(429);
}

#[tokio::test]
async fn what_a_box_shows_without_a_clock_stays_in_the_play_log() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let foyer = PaperBox::enrol(&house, &ada, &id, 8).await;
    let asker = foyer.asker(&house).await;
    let begun = jiff::Timestamp::now();
    let play = json!({"seq": 1, "at": "1970-01-01T00:01:00Z", "output": "main", "item": "i", "duration_ms": 9800});
    for name in ["r0", "r1"] {
        // The second time over another connection, as where the answer was lost.
        let mut socket = asker.socket(None).await.expect("a socket");
        socket.begin().await;
        let report =
            json!({"type": "reported", "id": name, "state": {"state": "playing"}, "plays": [play]});
        socket.say(report).await;
        assert_eq!(socket.hear_a("ack").await["id"], name);
    }
    let plays = ada.get(&format!("/houses/{id}/plays")).await.is(200);
    assert_eq!(plays["plays"].as_array().map(Vec::len), Some(1), "{plays}");
    let at = plays["plays"][0]["at"].as_str().expect("a moment");
    let at: jiff::Timestamp = at.parse().expect("a moment");
    assert!(at.as_millisecond() >= begun.as_millisecond(), "{at}");
}

#[tokio::test]
async fn a_box_is_let_in_whatever_it_calls_itself() {
    use sha2::{Digest, Sha256};
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let path = format!("/houses/{}", ada.only_house().await);
    let nobody = Asker::nobody(&house);
    for (seed, name, is) in [
        (11, "x".repeat(256), "x".repeat(200)),
        (12, "The\nfoyer\u{7}".to_owned(), "Thefoyer".to_owned()),
        (13, "\t".to_owned(), "A screen".to_owned()),
    ] {
        let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
        let nonce = [seed; 32];
        let asked = nobody
            .post("/enrol", json!({
                "device_key": crate::support::hex(key.verifying_key().as_bytes()), "name": name,
                "outputs": ["", "HDMI\u{1b}1"], "commit": crate::support::hex(&Sha256::digest(nonce)),
            }))
            .await
            .is(201);
        let one = asked["id"].as_str().expect("an id");
        let reveal = json!({"secret": asked["secret"], "box_nonce": crate::support::hex(&nonce)});
        let revealed = nobody.post(&format!("/enrol/{one}/reveal"), reveal).await;
        revealed.is(200);
        let approve = format!("{path}/enrolments/{one}/approve");
        let approved = ada.post(&approve, json!({})).await.is(200);
        let screen = approved["screen"].as_str().expect("a screen");
        let screen = ada.get(&format!("{path}/screens/{screen}")).await.is(200);
        assert_eq!(screen["name"], is.as_str());
        assert_eq!(screen["outputs"], json!(["HDMI1"]));
    }
}

#[tokio::test]
async fn a_frame_that_is_too_long_ends_the_connection_with_words() {
    const LONGEST: usize = 256 << 10;
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let mut page = ada.socket(Some(&id)).await.expect("a socket");
    page.begin().await;
    // With its two quotation marks it is as long as may be.
    page.say(json!("x".repeat(LONGEST - 2))).await;
    assert_eq!(page.hear_a("error").await["code"], "bad_message");
    page.say(json!("x".repeat(LONGEST - 1))).await;
    assert_eq!(page.hear_a("error").await["code"], "too_big");
    assert_eq!(page.hear().await, json!({"close": 1009}));
}

#[tokio::test]
async fn only_the_key_that_was_challenged_gets_a_token_and_gets_it_once() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let foyer = PaperBox::enrol(&house, &ada, &id, 20).await;
    let other = PaperBox::enrol(&house, &ada, &id, 21).await;
    let nonce = async |one: &PaperBox| {
        let challenge = one.challenge(&house).await.is(200);
        challenge["nonce"].as_str().expect("a nonce").to_owned()
    };

    let forged = nonce(&foyer).await;
    foyer.respond(&house, &forged, &other.key).await.is(401);
    let others = nonce(&other).await;
    foyer.respond(&house, &others, &foyer.key).await.is(401);
    let own = nonce(&foyer).await;
    foyer.respond(&house, &own, &foyer.key).await.is(200);
    foyer.respond(&house, &own, &foyer.key).await.is(401);
    let made_up = crate::support::hex(&[7; 32]);
    foyer.respond(&house, &made_up, &foyer.key).await.is(401);
}

#[tokio::test]
async fn a_code_is_good_for_ten_minutes_and_no_longer() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let path = format!("/houses/{}/enrolments", ada.only_house().await);
    let begun = jiff::Timestamp::now().as_millisecond();
    let shown = Shown::of(&house, 22).await;
    let ended = jiff::Timestamp::now().as_millisecond();
    let (look_up, code) = (format!("{path}/look-up"), json!({"code": shown.code}));
    ada.post(&look_up, code.clone()).await.is(200);

    let kept = age(&house, "enrolments", 600_000).await;
    assert!((begun + 600_000..=ended + 600_000).contains(&kept));
    ada.post(&look_up, code).await.is(404);
    let approve = format!("{path}/{}/approve", shown.id);
    ada.post(&approve, json!({})).await.is(410);
}

/// Lets so much time go by for the only row of a table; answers when it was to expire.
async fn age(house: &House, table: &str, ms: i64) -> i64 {
    let file = format!("sqlite:{}", house.data.join("house.db").display());
    let database = SqliteConnection::connect(&file).await;
    let mut database = database.expect("the database");
    let expires = format!("UPDATE {table} SET expires = expires - {ms} RETURNING expires + {ms}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(expires))
        .fetch_one(&mut database)
        .await
        .expect("one row")
}

#[tokio::test]
async fn a_token_is_good_for_a_quarter_of_an_hour_and_no_longer() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let foyer = PaperBox::enrol(&house, &ada, &id, 10).await;
    let begun = jiff::Timestamp::now().as_millisecond();
    let token = foyer.ask_for_token(&house).await.is(200);
    let ended = jiff::Timestamp::now().as_millisecond();
    assert_eq!(token["expires_in"], 900);
    let asker = Asker::with_token(&house, token["token"].as_str().expect("a token"));
    let path = format!("/houses/{id}");
    asker.get(&path).await.is(200);

    let kept = age(&house, "device_tokens", 900_000).await;
    assert!((begun + 900_000..=ended + 900_000).contains(&kept));
    asker.get(&path).await.is(401);
}
