//! Houses and their things, over REST and live.

use reqwest::Method;
use serde_json::json;

use crate::support::{Asker, House, PaperBox, upload};

#[tokio::test]
async fn the_toggle_needs_the_revision_it_changes_and_tells_everybody() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let path = format!("/houses/{id}");
    let mut page = ada.socket(Some(&id)).await.expect("a socket");
    let first = page.begin().await;
    assert_eq!(first["document"]["house"]["autostart_playlist"], false);

    let on = json!({"autostart_playlist": true});
    let seen = ada.get(&path).await;
    let tag = seen.etag();
    let without = ada.send(Method::PATCH, &path, Some(on.clone()), &[]).await;
    assert_eq!(without.status, 428, "{without:?}");
    let done = ada
        .send(
            Method::PATCH,
            &path,
            Some(on.clone()),
            &[("if-match", &tag)],
        )
        .await;
    let new_tag = done.etag();
    assert_eq!(done.is(200)["autostart_playlist"], true);
    assert_ne!(tag, new_tag);

    let patch = page.hear_a("patch").await;
    assert_eq!(patch["patch"]["house"]["autostart_playlist"], true);
    assert_eq!(patch["base_rev"], first["rev"]);

    let stale = ada
        .send(
            Method::PATCH,
            &path,
            Some(json!({"autostart_playlist": false})),
            &[("if-match", &tag)],
        )
        .await;
    assert_eq!(stale.headers["content-type"], "application/problem+json");
    let stale = stale.is(412);
    assert_eq!(
        stale["current"]["autostart_playlist"], true,
        "what there is now comes along"
    );
    // Changing something else does not make the house's revision stale.
    let group = ada
        .post(&format!("{path}/groups"), json!({"name": "Upstairs"}))
        .await
        .is(201);
    assert_eq!(group["name"], "Upstairs");
    let off = json!({"autostart_playlist": false});
    ada.send(Method::PATCH, &path, Some(off), &[("if-match", &new_tag)])
        .await
        .is(200);
}

#[tokio::test]
async fn playlists_and_items_are_made_changed_and_removed() {
    let house = House::start();
    let ada = Asker::with_token(&house, house.token());
    let made = ada
        .post("/houses", json!({"name": "Gallery"}))
        .await
        .is(201);
    let path = format!("/houses/{}", made["id"].as_str().expect("an id"));
    let source = json!({"src": "https://example.org/a.mp4", "sha256": "0".repeat(64), "size": 3, "mime": "video/mp4"});
    let item = ada
        .post(
            &format!("{path}/items"),
            json!({"title": "Waves", "kind": "video", "formats": {"source": source}}),
        )
        .await
        .is(201);
    let item = item["id"].as_str().expect("an id").to_owned();
    let montages = json!([{"id": "m", "tracks": [{"id": "t", "items": [item]}]}]);
    let list = ada
        .post(
            &format!("{path}/playlists"),
            json!({"name": "Summer", "montages": montages}),
        )
        .await
        .is(201);
    let list = list["id"].as_str().expect("an id").to_owned();
    ada.patch(&path, json!({"playlist": list})).await.is(200);

    // What has been changed since it was seen is neither changed nor removed.
    let one = format!("{path}/playlists/{list}");
    let seen = ada.get(&one).await.etag();
    let name = |name: &str| Some(json!({"name": name}));
    ada.patch(&one, json!({"name": "Autumn"})).await.is(200);
    let stale = [("if-match", &*seen)];
    let late = ada.send(Method::PATCH, &one, name("Winter"), &stale).await;
    assert_eq!(late.is(412)["current"]["name"], "Autumn");
    let late = ada.send(Method::DELETE, &one, None, &stale).await;
    late.is(412);
    let blind = ada.send(Method::PATCH, &one, name("Winter"), &[]).await;
    blind.is(428);
    // Several tags can be named: one of them is enough.
    let now = ada.get(&one).await.etag();
    let (several, neither) = (format!("{seen}, {now}"), format!("{seen}, \"*\""));
    let either = [("if-match", &*several)];
    let changed = ada.send(Method::PATCH, &one, name("Autumn"), &either).await;
    changed.is(200);
    let neither = [("if-match", &*neither)];
    let late = ada
        .send(Method::PATCH, &one, name("Winter"), &neither)
        .await;
    late.is(412);
    // A house that was changed since it was seen stays.
    let another = [("if-match", "\"0\"")];
    let late = ada.send(Method::DELETE, &path, None, &another).await;
    assert_eq!(late.is(412)["current"]["name"], "Gallery");
    ada.get(&path).await.is(200);
    // A null within a list says nothing, as one outside of it does.
    let montages = json!([{"id": "m", "tracks": [{"id": "t", "screen": null, "items": [item]}]}]);
    let kept = ada.patch(&one, json!({"montages": montages})).await.is(200);
    assert_eq!(
        kept["montages"][0]["tracks"][0],
        json!({"id": "t", "items": [item]})
    );
    ada.patch(&one, json!({"name": "Summer"})).await.is(200);

    let in_use = ada.delete(&format!("{path}/items/{item}")).await.is(409);
    assert!(
        in_use["detail"].as_str().expect("words").contains("Summer"),
        "{in_use}"
    );
    let wrong = ada.patch(&path, json!({"volume": 3})).await.is(422);
    assert_eq!(wrong["key"], "volume");
    let wrong = ada.patch(&path, json!({"colour": "red"})).await.is(422);
    assert!(wrong["detail"].as_str().is_some(), "{wrong}");
    ada.patch(&path, json!({"time_zone": "Europe/Atlantis"}))
        .await
        .is(422);
    ada.patch(&path, json!({"time_zone": "Europe/Paris"}))
        .await
        .is(200);

    ada.delete(&format!("{path}/playlists/{list}"))
        .await
        .is(204);
    let now = ada.get(&path).await.is(200);
    assert!(
        now.get("playlist").is_none(),
        "a playlist that is gone is not selected: {now}"
    );
    ada.delete(&format!("{path}/items/{item}")).await.is(204);
    ada.get(&format!("{path}/items/{item}")).await.is(404);
    ada.delete(&path).await.is(204);
    ada.get(&path).await.is(404);
}

#[tokio::test]
async fn whoever_was_away_gets_patches_and_a_restart_loses_nothing() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let path = format!("/houses/{id}");
    let mut page = ada.socket(Some(&id)).await.expect("a socket");
    let first = page.begin().await;
    drop(page);
    for volume in [0.1, 0.2, 0.3] {
        ada.patch(&path, json!({"volume": volume})).await.is(200);
    }
    let mut page = ada.socket(Some(&id)).await.expect("a socket");
    page.say(json!({"type": "hello", "proto": 1, "epoch": first["epoch"], "rev": first["rev"]}))
        .await;
    for volume in [0.1, 0.2, 0.3] {
        let patch = page.hear_a("patch").await;
        assert_eq!(patch["patch"]["house"]["volume"], volume);
    }
    let data = house.data.clone();
    house.terminate();
    // The server says goodbye to its guests before it ends.
    assert_eq!(page.hear().await, json!({"close": 1012}));
    drop(page);
    let _folder = house.stop();
    let again = House::on(&data, &[]);
    let ada = Asker::person(&again, "ada@example.org", "a long password").await;
    let now = ada.get(&path).await.is(200);
    assert_eq!(now["volume"], 0.3);
}

#[tokio::test]
async fn a_house_that_is_removed_leaves_no_file_behind() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let path = format!("/houses/{id}");
    let foyer = PaperBox::enrol(&house, &ada, &id, 9).await;
    let picture = format!("/screens/{}/picture", foyer.screen);
    let body = Some(("image/jpeg", b"\xff\xd8\xff a picture".to_vec()));
    let foyer = foyer.asker(&house).await;
    let sent = foyer.raw(Method::PUT, &picture, body, &[]).await;
    sent.is(204);
    upload(&ada, &format!("{path}/uploads"), "a.png", b"abc").await;
    let begun = ada
        .post(
            &format!("{path}/uploads"),
            json!({"name": "b.png", "size": 9}),
        )
        .await
        .is(201);
    let half = format!("{path}/uploads/{}", begun["id"].as_str().expect("an id"));
    let piece = Some(("application/offset+octet-stream", b"abc".to_vec()));
    let offset = [("upload-offset", "0")];
    let sent = ada.raw(Method::PATCH, &half, piece, &offset).await;
    sent.is(204);

    let files = || {
        let folders = [house.data.join("media"), house.data.join("media/partial")];
        let entries = folders
            .into_iter()
            .flat_map(|folder| std::fs::read_dir(folder).expect("a folder"));
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths.filter(|path| path.is_file()).collect::<Vec<_>>()
    };
    assert_eq!(files().len(), 3, "{:?}", files());
    ada.delete(&path).await.is(204);
    assert_eq!(files(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_list_is_a_body_at_no_address() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let description = ada.get("/openapi.json").await.is(200);
    let paths = description["paths"].as_object().expect("paths");
    let mut asked = 0;
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("methods") {
            if operation["requestBody"]["content"]["application/json"].is_null() {
                continue;
            }
            let method: Method = method.to_uppercase().parse().expect("a method");
            let path = path
                .replace("{house}", &id)
                .replace("{kind}", "items")
                .replace(['{', '}'], "");
            // As many values as a structure that is read from a list could want.
            for list in [json!([]), json!([null]), json!(["a", "b", "c", "d", "e"])] {
                let list = Some(("application/json", list.to_string().into_bytes()));
                let any = [("if-match", "*")];
                let answer = ada.raw(method.clone(), &path, list, &any).await;
                assert_eq!(answer.status, 422, "{method} {path}: {answer:?}");
                asked += 1;
            }
        }
    }
    assert!(asked >= 30, "{asked}");
}
