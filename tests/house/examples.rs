//! The committed description and examples are what the server really says and takes.

use std::{fs, path::Path};

use musebox::domain::house::Environment;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Asker, House, PaperBox};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn example(name: &str) -> Value {
    let path = root().join("docs/examples").join(name);
    let text = fs::read_to_string(&path).expect(name);
    serde_json::from_str(&text).expect(name)
}

#[test]
fn the_committed_description_is_the_one_that_is_served() {
    let path = root().join("docs/schema/openapi.json");
    let now = serde_json::to_string_pretty(&musebox::web::openapi()).expect("JSON") + "\n";
    if std::env::var_os("MUSEBOX_WRITE_SCHEMA").is_some() {
        fs::write(&path, &now).expect("written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == now,
        "docs/schema/openapi.json is not what the server says: run the tests once with MUSEBOX_WRITE_SCHEMA=1"
    );
}

#[test]
fn the_examples_make_an_environment() {
    let map = |name: &str| {
        let mut body = example(name);
        let id = body["id"].as_str().expect("an id").to_owned();
        body.as_object_mut().expect("an object").remove("id");
        json!({ id: body })
    };
    let document = json!({
        "house": example("house.json"), "groups": {}, "screens": map("screen.json"),
        "playlists": map("playlist.json"), "items": map("item.json"),
    });
    Environment::read(&document).expect("an environment");
}

#[tokio::test]
async fn the_examples_are_taken_and_come_back_the_same() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let path = format!("/houses/{id}");
    // What the server gives itself is not sent.
    let bare = |mut body: Value, more: &[&str]| {
        let object = body.as_object_mut().expect("an object");
        for key in ["id", "rev"].iter().chain(more) {
            object.remove(*key);
        }
        body
    };
    let item = bare(example("item.json"), &[]);
    let made = ada
        .post(&format!("{path}/items"), item.clone())
        .await
        .is(201);
    assert_eq!(bare(made.clone(), &[]), item);
    let mut playlist = bare(example("playlist.json"), &[]);
    playlist["montages"][0]["tracks"][0]["items"] = json!([made["id"]]);
    let list = ada
        .post(&format!("{path}/playlists"), playlist.clone())
        .await
        .is(201);
    assert_eq!(bare(list.clone(), &[]), playlist);
    let mut settings = bare(example("house.json"), &[]);
    settings["playlist"] = list["id"].clone();
    settings["default_playlist"] = list["id"].clone();
    let now = ada
        .send(
            Method::PATCH,
            &path,
            Some(settings.clone()),
            &[("if-match", "*")],
        )
        .await
        .is(200);
    assert_eq!(bare(now, &[]), settings);
    let foyer = PaperBox::enrol(&house, &ada, &id, 21).await;
    let screen = bare(example("screen.json"), &["outputs"]);
    let now = ada
        .patch(&format!("{path}/screens/{}", foyer.screen), screen.clone())
        .await
        .is(200);
    assert_eq!(bare(now, &["outputs"]), screen);
}
