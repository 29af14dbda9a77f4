//! A server that is killed at any moment leaves no half-done change.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Asker, House, PATIENCE, token, upload};

/// How often the server is killed.
const KILLS: u64 = 125;
/// How often it is killed in an upload.
const UPLOAD_KILLS: usize = 25;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_in_a_change_has_done_all_of_it_or_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let first = House::on(&data, &[]);
    let ada = Asker::first_operator(&first).await;
    let path = format!("/houses/{}", ada.only_house().await);
    // A change that clears a playlist writes the playlist and everything that names it, in one.
    let group = ada
        .post(&format!("{path}/groups"), json!({"name": "Upstairs"}))
        .await
        .is(201);
    let group = format!("{path}/groups/{}", group["id"].as_str().expect("an id"));
    let bearer = token(&data, "owner", &[]);
    let headers = [("if-match", "*")];
    let begun = Instant::now();
    ada.send(Method::PATCH, &path, Some(change(0)), &headers)
        .await
        .is(200);
    let mut kills = Kills::of(begun.elapsed());
    first.kill();
    let mut dice = seed();
    let mut before = None;
    for kill in 0..KILLS {
        let house = House::on(&data, &[]);
        let tool = Asker::with_token(&house, &bearer);
        let whole = tool.get(&format!("{path}/environment")).await.is(200);
        if let Some(before) = before.replace(whole.clone()) {
            check(&before, &whole);
        }
        // The playlist is there and is selected twice. What the kill meets is its removal, or a change of the house.
        let name = format!("Number {kill}");
        let lists = format!("{path}/playlists");
        let list = tool.post(&lists, json!({"name": name})).await.is(201);
        let list = list["id"].as_str().expect("an id").to_owned();
        tool.patch(&path, json!({"playlist": list})).await.is(200);
        tool.patch(&group, json!({"playlist": list})).await.is(200);
        before = Some(tool.get(&format!("{path}/environment")).await.is(200));
        dice = next(dice);
        let (method, met, body) = match kill % 5 {
            0 => (Method::DELETE, format!("{lists}/{list}"), json!({})),
            _ => (Method::PATCH, path.clone(), change(kill)),
        };
        let change = tokio::spawn(async move {
            let body = ("application/json", body.to_string().into_bytes());
            tool.try_send(method, &met, body, &[("if-match", "*")])
                .await
        });
        tokio::time::sleep(kills.moment(dice)).await;
        house.kill();
        kills.count(change.await.expect("the request ends"));
    }
    let house = House::on(&data, &[]);
    let whole = Asker::with_token(&house, &bearer)
        .get(&format!("{path}/environment"))
        .await
        .is(200);
    check(&before.expect("a state"), &whole);
    kills.told("every change was whole or nothing");
}

/// A change of several settings at once.
fn change(kill: u64) -> Value {
    json!({"name": format!("House {kill}"), "volume": kill as f64 / 1000.0, "mute": kill % 2 == 1})
}

/// What the dice begin with: that of MUSEBOX_SEED, by which they fall as in another run, or a new one.
fn seed() -> u64 {
    let given = std::env::var("MUSEBOX_SEED").ok();
    let given = given.and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
    println!("MUSEBOX_SEED={seed} throws the same dice again");
    seed
}

fn next(dice: u64) -> u64 {
    dice.wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407)
}

/// How the kills met what they were for. Their moments follow how fast the machine is today, so that they fall before
/// the answer and after it.
struct Kills {
    longest: Duration,
    done: usize,
    torn: usize,
}

impl Kills {
    /// Kills in something that takes so long when nobody is killed.
    fn of(uncut: Duration) -> Self {
        Self {
            longest: 2 * uncut,
            done: 0,
            torn: 0,
        }
    }

    fn moment(&self, dice: u64) -> Duration {
        self.longest
            .mul_f64((dice >> 33) as f64 / f64::from(1_u32 << 31))
    }

    fn count(&mut self, status: Option<u16>) {
        match status {
            Some(status) => {
                assert!([200, 204].contains(&status), "{status}");
                self.done += 1;
                self.longest = self.longest.mul_f64(0.9);
            }
            None => {
                self.torn += 1;
                self.longest = self.longest.mul_f64(1.15).min(PATIENCE);
            }
        }
    }

    fn told(&self, what: &str) {
        let Self { done, torn, .. } = self;
        println!("{done} kills after the answer, {torn} before it; {what}");
        assert!(
            *done > 0 && *torn > 0,
            "all kills came at the same side of the answer"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_in_an_upload_keeps_every_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let first = House::on(&data, &[]);
    let ada = Asker::first_operator(&first).await;
    let path = format!("/houses/{}", ada.only_house().await);
    let bearer = token(&data, "owner", &[]);
    let mut dice = seed();
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        dice = next(dice);
        (dice >> 33) as u8
    })
    .take(3 << 20)
    .collect();
    let kind = "application/offset+octet-stream";
    let begun = Instant::now();
    upload(&ada, &format!("{path}/uploads"), "Noise.mp4", &bytes).await;
    let mut kills = Kills::of(begun.elapsed());
    first.kill();
    let mut uploads = Vec::new();
    for _ in 0..UPLOAD_KILLS {
        let house = House::on(&data, &[]);
        let tool = Asker::with_token(&house, &bearer);
        let all = format!("{path}/uploads");
        let begin = json!({"name": "Noise.mp4", "size": bytes.len()});
        let begun = tool.post(&all, begin).await.is(201);
        let one = format!("{all}/{}", begun["id"].as_str().expect("an id"));
        let change = tokio::spawn({
            let (tool, one, bytes) = (tool.clone(), one.clone(), bytes.clone());
            async move {
                let headers = [("upload-offset", "0")];
                tool.try_send(Method::PATCH, &one, (kind, bytes), &headers)
                    .await
            }
        });
        dice = next(dice);
        tokio::time::sleep(kills.moment(dice)).await;
        house.kill();
        kills.count(change.await.expect("the request ends"));
        uploads.push(one);
    }
    // Each goes on where it was, or is what it has become.
    let house = House::on(&data, &[]);
    let tool = Asker::with_token(&house, &bearer);
    for one in uploads {
        let head = tool.send(Method::HEAD, &one, None, &[]).await;
        let offset = head.headers["upload-offset"].to_str().expect("text");
        let from: usize = offset.parse().expect("a number");
        let rest = Some((kind, bytes[from..].to_vec()));
        let headers = [("upload-offset", offset)];
        let done = tool.raw(Method::PATCH, &one, rest, &headers).await.is(200);
        let source = &done["item"]["formats"]["source"];
        assert_eq!(source["size"], bytes.len());
        let src = source["src"].as_str().expect("a src");
        let media = tool.get(&src["/api/v1".len()..]).await;
        assert!(
            media.bytes == bytes,
            "{one} is something else than was sent"
        );
    }
    let items = tool.get(&format!("{path}/items")).await.is(200);
    let all = UPLOAD_KILLS + 1;
    assert_eq!(items["items"].as_array().map(Vec::len), Some(all));
    kills.told("every upload went on and is whole");
}

/// After a kill everything is as before, or the playlist is gone with every mention of it.
fn check(before: &Value, after: &Value) {
    if before == after {
        return;
    }
    if after["house"]["name"] != before["house"]["name"] {
        let name = after["house"]["name"].as_str().expect("a name");
        let kill: u64 = name["House ".len()..].parse().expect("ours");
        for (key, value) in change(kill).as_object().expect("settings") {
            assert_eq!(&after["house"][key], value, "half a change: {after}");
        }
        return;
    }
    let list = before["house"]["playlist"]
        .as_str()
        .expect("a playlist was selected");
    assert!(
        after["playlists"].get(list).is_none(),
        "half a change: {after}"
    );
    assert!(
        !after["house"].to_string().contains(list),
        "half a change: {after}"
    );
    assert!(
        !after["groups"].to_string().contains(list),
        "half a change: {after}"
    );
}
