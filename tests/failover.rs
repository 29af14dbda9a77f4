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

use std::{net::SocketAddr, sync::Arc};

use player_box::{PlayerBox, Running};
use serde_json::json;
use support::{Asker, House};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_box_whose_server_is_killed_goes_on_with_another_and_nothing_is_lost() {
    let url = postgres::Server::shared().database();
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let media = folders[0].path().join("media");
    let more = ["--database", &url, "--media", media.to_str().expect("text")];
    let one = House::on(folders[0].path(), &more);
    let ada = Asker::first_operator(&one).await;
    let other = House::on(folders[1].path(), &more);
    let id = ada.only_house().await;
    let path = format!("/houses/{id}");

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let balancer = format!("http://{}", listener.local_addr().expect("an address"));
    let (choose, server) = watch::channel(address(&other));
    tokio::spawn(balance(listener, server));

    let player = PlayerBox::new();
    let running = Running::start(player.daemon(&["--mode", "640x360@30", "--house", &balancer]));
    let shown = player.wait_for("there is a code", |status| {
        status["house"]["code"].is_string() && status["house"]["check"].is_string()
    });
    let look_up = format!("{path}/enrolments/look-up");
    let code = json!({"code": shown["house"]["code"]});
    let found = ada.post(&look_up, code).await.is(200);
    assert_eq!(found["check"], shown["house"]["check"]);
    let enrolment = found["id"].as_str().expect("an id");
    let approve = format!("{path}/enrolments/{enrolment}/approve");
    ada.post(&approve, json!({"name": "Foyer"})).await.is(200);
    // Through the one server it reaches the box of the other.
    ada.patch(&path, json!({"volume": 0.25})).await.is(200);
    player.wait_for("the box obeys", |status| {
        status["house"]["online"] == true && status["settings"]["volume"] == 0.25
    });

    // Its server is killed, as by a power cut. What is changed meanwhile waits for it.
    let _ = other.kill();
    player.wait_for("the box has noticed", |status| {
        status["house"]["online"] == false
    });
    ada.patch(&path, json!({"volume": 0.5, "mute": true}))
        .await
        .is(200);
    choose.send_replace(address(&one));
    let status = player.wait_for("the box obeys again", |status| {
        status["house"]["online"] == true && status["settings"]["volume"] == 0.5
    });
    assert_eq!(status["settings"]["mute"], true);
    let reports = ada.get(&format!("{path}/reports")).await.is(200);
    let screen = status["house"]["screen"].as_str().expect("a screen");
    assert_eq!(reports["screens"][screen]["online"], true);
    drop(running);
}
