//! Two house servers on one PostgreSQL database behind one address, and a real box: one server is killed, and the box
//! goes on with the other.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

#[path = "support/counted/mod.rs"]
mod counted;
#[path = "support/player_box.rs"]
mod player_box;
#[path = "support/postgres/mod.rs"]
mod postgres;
#[allow(dead_code)] // The other tests of the house take the rest.
#[path = "support/house/mod.rs"]
mod support;

use std::{fs, net::SocketAddr, sync::Arc, time::Instant};

use jiff::Timestamp;
use player_box::{PlayerBox, Running, until};
use serde_json::{Value, json};
use support::{Asker, Both, House, PATIENCE, upload};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// A balancer: whoever connects gets the server of the moment. A connection ends with the server that has it.
async fn balance(listener: TcpListener, server: watch::Receiver<SocketAddr>) {
    let server = Arc::new(server);
    while let Ok((mut near, _)) = listener.accept().await {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let address = *server.borrow();
            if let Ok(mut far) = TcpStream::connect(address).await {
                // Either side may break off.
                let _ = copy_bidirectional(&mut near, &mut far).await;
            }
        });
    }
}

fn address(house: &House) -> SocketAddr {
    let (_, address) = house.url.split_once("://").expect("a URL");
    address.parse().expect("an address")
}

/// A showing: when it began, and of which item.
type Showing = (Timestamp, String);

fn showing(play: &Value) -> Showing {
    let at = play["at"].as_str().expect("a time");
    let item = play["item"].as_str().expect("an item");
    (at.parse().expect("a time"), item.to_owned())
}

/// What the box has shown until now, as its own log has it, the oldest first: without a gap and without a double.
fn shown(player: &PlayerBox) -> Vec<Showing> {
    let text = fs::read_to_string(player.path("state/plays.jsonl")).expect("a play log");
    // The last line may be on its way.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines().filter(|line| line.contains("duration_ms"));
    let plays: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for (seq, play) in (1..).zip(&plays) {
        assert_eq!(play["seq"], seq, "{text}");
    }
    plays.iter().map(showing).collect()
}

/// What the house knows of that, once it is so many, the oldest first.
async fn told(ada: &Asker, path: &str, count: usize) -> Vec<Showing> {
    let begun = Instant::now();
    loop {
        let log = ada.get(&format!("{path}/plays?limit=1000")).await.is(200);
        let plays = log["plays"].as_array().expect("a list");
        if plays.len() >= count {
            return plays.iter().rev().map(showing).collect();
        }
        assert!(begun.elapsed() < PATIENCE, "{count} are awaited: {log}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Gives the house two images that the boxes show in turn.
async fn exhibit(ada: &Asker, path: &str, player: &PlayerBox) {
    let mut items = Vec::new();
    for (id, name) in (1..).zip(["waves.png", "storm.png"]) {
        let bytes = fs::read(player.image(name, id)).expect("an image");
        let made = upload(ada, &format!("{path}/uploads"), name, &bytes).await;
        let item = made["id"].as_str().expect("an id").to_owned();
        ada.patch(
            &format!("{path}/items/{item}"),
            json!({"duration_ms": 1000}),
        )
        .await
        .is(200);
        items.push(item);
    }
    let montages = json!([{"id": "m", "tracks": [{"id": "t", "items": items}]}]);
    let list = json!({"name": "Summer", "montages": montages});
    let list = ada.post(&format!("{path}/playlists"), list).await.is(201);
    let settings = json!({"playlist": list["id"], "autostart_playlist": true});
    ada.patch(path, settings).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_whose_server_is_killed_goes_on_with_another_and_nothing_is_lost() {
    let Both {
        one,
        other,
        ada,
        id,
        folders: _folders,
    } = Both::start(&postgres::Server::shared().database()).await;
    let path = format!("/houses/{id}");

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let balancer = format!("http://{}", listener.local_addr().expect("an address"));
    let (choose, server) = watch::channel(address(&other));
    tokio::spawn(balance(listener, server));

    let player = PlayerBox::new();
    let running = Running::start(player.daemon(&["--mode", "640x360@30", "--house", &balancer]));
    let status = player.wait_for("there is a code", |status| {
        status["house"]["code"].is_string() && status["house"]["check"].is_string()
    });
    ada.let_in(&id, &status["house"]["code"], &status["house"]["check"])
        .await;
    exhibit(&ada, &path, &player).await;
    // Through the one server it reaches the box of the other.
    ada.patch(&path, json!({"volume": 0.25})).await.is(200);
    player.wait_for("the box obeys", |status| {
        status["house"]["online"] == true
            && status["settings"]["volume"] == 0.25
            && status["state"] == "playing"
    });
    told(&ada, &path, 2).await;

    // Its server is killed, as by a power cut. What is changed meanwhile waits for it.
    let _ = other.kill();
    player.wait_for("the box has noticed", |status| {
        status["house"]["online"] == false
    });
    ada.patch(&path, json!({"volume": 0.5, "mute": true}))
        .await
        .is(200);
    let before = shown(&player).len();
    until("the box has shown something meanwhile", || {
        (shown(&player).len() >= before + 3).then_some(())
    });
    choose.send_replace(address(&one));
    let status = player.wait_for("the box obeys again", |status| {
        status["house"]["online"] == true && status["settings"]["volume"] == 0.5
    });
    assert_eq!(status["settings"]["mute"], true);
    let reports = ada.get(&format!("{path}/reports")).await.is(200);
    let screen = status["house"]["screen"].as_str().expect("a screen");
    assert_eq!(reports["screens"][screen]["online"], true);

    // The house has every showing once: from before, from meanwhile and from after.
    let meanwhile = shown(&player).len();
    let told = told(&ada, &path, meanwhile + 2).await;
    assert_eq!(told, shown(&player)[..told.len()]);
    drop(running);
}
