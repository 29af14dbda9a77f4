//! Things to put into a store.

use std::sync::Arc;

use musebox::db::{self, Change, Enrolment, EnrolmentStatus, NewHouse, Store, User, Write};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const NOW: i64 = 1_800_000_000_000;

pub async fn open(url: &str) -> Arc<dyn Store> {
    db::open(url).await.expect("it opens")
}

pub fn file(folder: &TempDir) -> String {
    format!("sqlite:{}/house.db", folder.path().display())
}

pub fn user(id: &str) -> User {
    User {
        id: id.to_owned(),
        email: format!("{id}@example.org"),
        name: id.to_uppercase(),
        password_hash: "$argon2id$...".to_owned(),
        made: NOW,
    }
}

pub fn write(kind: &str, id: &str, body: Value) -> Write {
    Write {
        kind: kind.to_owned(),
        id: id.to_owned(),
        body: Some(body),
    }
}

pub fn new_house(id: &str) -> NewHouse {
    NewHouse {
        id: id.to_owned(),
        resources: vec![
            write("house", id, json!({"name": "Gallery", "volume": 0.8})),
            write("group", "g1", json!({"name": "Ground floor"})),
        ],
        owner: None,
    }
}

pub async fn with_house(store: &Arc<dyn Store>, id: &str) {
    store.create_house(&new_house(id)).await.expect("made");
}

pub async fn with_user(store: &Arc<dyn Store>, id: &str) {
    store.create_user(&user(id)).await.expect("made");
}

pub fn change(rev: i64, writes: Vec<Write>) -> Change {
    Change {
        rev,
        writes,
        patch: json!({"house": {"rev": rev}}),
        sha256: format!("{rev:064}"),
        by: "user:u1".to_owned(),
        at: NOW + rev,
    }
}

pub fn enrolment(id: &str) -> Enrolment {
    Enrolment {
        id: id.to_owned(),
        code: format!("CODE-{id}"),
        secret_hash: format!("secret-{id}"),
        device_key: format!("key-{id}"),
        name: "pi".to_owned(),
        version: "0.1.0".to_owned(),
        outputs: vec!["main".to_owned(), "side".to_owned()],
        commit: "promise".to_owned(),
        box_nonce: None,
        server_nonce: "nonce".to_owned(),
        spki: None,
        status: EnrolmentStatus::Open,
        house: None,
        screen: None,
        made: NOW,
        expires: NOW + 600_000,
    }
}

/// Keeps an enrolment that has revealed its nonce.
pub async fn with_enrolment(store: &Arc<dyn Store>, enrolment: &Enrolment) {
    store.create_enrolment(enrolment).await.expect("kept");
    store
        .reveal_enrolment(&enrolment.id, "box nonce", NOW)
        .await
        .expect("revealed");
}

/// Lets a box in as a screen of a house that is at this revision.
pub async fn with_box(store: &Arc<dyn Store>, id: &str, house: &str, screen: &str, rev: i64) {
    with_enrolment(store, &enrolment(id)).await;
    let change = change(
        rev + 1,
        vec![write("screen", screen, json!({"name": "Foyer"}))],
    );
    store
        .approve_enrolment(id, house, screen, NOW, rev, &change)
        .await
        .expect("approved");
}
