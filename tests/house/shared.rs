//! Several servers that share a PostgreSQL database are one house server.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::{
    postgres::Server,
    support::{Asker, Both, House, PATIENCE, PaperBox, token},
};

#[tokio::test]
async fn a_change_through_one_server_reaches_the_boxes_of_the_other_and_one_that_dies_loses_nothing()
 {
    let url = Server::shared().database();
    let Both {
        one,
        other,
        ada,
        id,
        folders: _folders,
    } = Both::start(&url).await;
    let path = format!("/houses/{id}");

    let foyer = PaperBox::enrol(&one, &ada, &id, 11).await;
    // Its token comes from one server and is good at the other; the identity is the same, too.
    let token_answer = foyer.ask_for_token(&one).await.is(200);
    let bearer = token_answer["token"].as_str().expect("a token").to_owned();
    let mut socket = Asker::with_token(&other, &bearer)
        .socket(None)
        .await
        .expect("a socket");
    let first = socket.begin().await;
    ada.patch(&path, json!({"autostart_playlist": true}))
        .await
        .is(200);
    let patch = socket.hear_a("patch").await;
    assert_eq!(patch["patch"]["house"]["autostart_playlist"], true);

    // The page at one server sees the box at the other, and its command gets there.
    let mut page = ada.socket(Some(&id)).await.expect("a socket");
    page.begin().await;
    socket
        .say(json!({"type": "reported", "state": {"state": "playing", "title": "Waves"}}))
        .await;
    let seen = page.hear_such("reported", |seen| seen["state"]["title"] == "Waves");
    assert_eq!(seen.await["online"], true);
    let commands = format!("{path}/screens/{}/commands", foyer.screen);
    let (answer, ()) = tokio::join!(ada.post(&commands, json!({"command": "next"})), async {
        let command = socket.hear_a("command").await;
        assert_eq!(command["command"], "next");
        socket
            .say(json!({"type": "ack", "id": command["id"]}))
            .await;
    });
    assert_eq!(answer.status, 200, "{answer:?}");

    // Whoever loses a right at one server loses the socket at the other.
    let eds = ada.invite(&one, &path, "ed@example.org", "viewer").await;
    let ed = eds.at(&other);
    let mut ears = ed.socket(Some(&id)).await.expect("a socket");
    ears.begin().await;
    let own = ed.get("/me").await.is(200)["user"]["id"].clone();
    let own = own.as_str().expect("an id");
    ada.delete(&format!("{path}/members/{own}")).await.is(204);
    assert_eq!(ears.hear_a("error").await["code"], "revoked");

    // Two editors at two servers: nobody's change is lost.
    let tool = Asker::with_token(&other, token(&other.data, "owner", &["--database", &url]));
    let tag = tool.get(&path).await.etag();
    let headers = [("if-match", tag.as_str())];
    let (here, there) = tokio::join!(
        ada.send(Method::PATCH, &path, Some(json!({"volume": 0.1})), &headers),
        tool.send(Method::PATCH, &path, Some(json!({"volume": 0.2})), &headers)
    );
    let mut answers = [here.status.as_u16(), there.status.as_u16()];
    answers.sort_unstable();
    assert_eq!(answers, [200, 412]);

    // What the box has shown is told to its server; of the last showing nobody knows whether it was stored.
    let report = |seq: u32| {
        let play = json!({
            "seq": seq, "at": "2026-11-25T10:00:00Z", "output": "main", "item": format!("item {seq}"),
            "duration_ms": 9800,
        });
        json!({"type": "reported", "id": format!("r{seq}"), "state": {"state": "playing"}, "plays": [play]})
    };
    socket.say(report(1)).await;
    socket.hear_such("ack", |ack| ack["id"] == "r1").await;
    socket.say(report(2)).await;

    // The box's server dies; the box goes to the other, and goes on from where it was.
    let newest = tool.get(&path).await.is(200)["rev"].clone();
    let _ = other.kill();
    let mut socket = Asker::with_token(&one, &bearer)
        .socket(None)
        .await
        .expect("a socket");
    socket
        .say(json!({"type": "hello", "proto": 1, "epoch": first["epoch"], "rev": first["rev"]}))
        .await;
    socket
        .hear_such("patch", |patch| patch["rev"] == newest)
        .await;
    // It tells again what was not acknowledged. Each showing stands once.
    socket.say(report(2)).await;
    socket.hear_such("ack", |ack| ack["id"] == "r2").await;
    let plays = ada.get(&format!("{path}/plays")).await.is(200);
    let plays = plays["plays"].as_array().expect("plays");
    let mut shown: Vec<&str> = plays
        .iter()
        .map(|play| play["item"].as_str().expect("an item"))
        .collect();
    shown.sort_unstable();
    assert_eq!(shown, ["item 1", "item 2"]);
}

#[tokio::test]
async fn what_a_box_says_at_one_server_is_known_at_another_without_a_page() {
    let Both {
        one,
        other,
        ada,
        id,
        folders: _folders,
    } = Both::start(&Server::shared().database()).await;
    let path = format!("/houses/{id}");
    let foyer = PaperBox::enrol(&one, &ada, &id, 12).await;
    // The first server has the house in memory from before the box was there.
    let reports = format!("{path}/reports");
    ada.get(&reports).await.is(200);
    let answer = foyer.ask_for_token(&one).await.is(200);
    let bearer = answer["token"].as_str().expect("a token");
    let at_other = Asker::with_token(&other, bearer);
    let mut socket = at_other.socket(None).await.expect("a socket");
    socket.begin().await;
    let state = json!({"state": "playing", "title": "Waves"});
    socket
        .say(json!({"type": "reported", "state": state}))
        .await;
    let known = async {
        loop {
            let known = ada.get(&reports).await.is(200)["screens"][&foyer.screen].clone();
            if known["online"] == true && known["state"]["title"] == "Waves" {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, known).await.expect("it is known");
    let commands = format!("{path}/screens/{}/commands", foyer.screen);
    let (answer, ()) = tokio::join!(ada.post(&commands, json!({"command": "next"})), async {
        let command = socket.hear_a("command").await;
        let refused = json!({"type": "ack", "id": command["id"], "error": "nothing plays"});
        socket.say(refused).await;
    });
    assert_eq!(answer.is(409)["detail"], "nothing plays");

    // Put out at one server, it is out at the other at once.
    let screen = format!("{path}/screens/{}", foyer.screen);
    ada.delete(&screen).await.is(204);
    assert_eq!(socket.hear_a("error").await["code"], "revoked");
    assert_eq!(socket.hear().await, json!({"close": 4004}));
    at_other.get(&path).await.is(401);
}

#[tokio::test]
async fn a_token_of_the_command_line_is_for_the_database_that_it_names() {
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let url = Server::shared().database();
    let named = ["--database", &*url];
    let there = House::on(folders[0].path(), &named);
    let elsewhere = House::on(folders[1].path(), &[]);
    for house in [&there, &elsewhere] {
        Asker::first_operator(house).await;
    }
    // The folder has a database of its own, and the other one is named.
    let token = token(&elsewhere.data, "viewer", &named);
    assert!(token.starts_with("musebox_"), "{token}");
    let houses = Asker::with_token(&there, &token).get("/houses").await;
    assert_eq!(houses.is(200)["houses"].as_array().map(Vec::len), Some(1));
    let refused = Asker::with_token(&elsewhere, &token).get("/houses").await;
    refused.is(401);
}
