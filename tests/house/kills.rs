//! A server that is killed at any moment leaves no half-done change.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::{Asker, House, token};

/// How often the server is killed.
const KILLS: u64 = 100;

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
    let bearer = token(&data, "owner");
    first.kill();
    let seed: u64 = std::env::var("MUSEBOX_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| u64::from(std::process::id()));
    println!("seed {seed}: MUSEBOX_SEED={seed} kills at the same moments again");
    let mut dice = seed;
    let (mut done, mut torn) = (0, 0);
    let mut before = None;
    for kill in 0..KILLS {
        let house = House::on(&data, &[]);
        let tool = Asker::with_token(&house, &bearer);
        let whole = tool.get(&format!("{path}/environment")).await.is(200);
        if let Some(before) = before.replace(whole.clone()) {
            check(&before, &whole);
        }
        // The playlist is there, is selected twice, and its removal is what the kill meets.
        let list = tool
            .post(
                &format!("{path}/playlists"),
                json!({"name": format!("Number {kill}")}),
            )
            .await
            .is(201);
        let list = list["id"].as_str().expect("an id").to_owned();
        tool.patch(&path, json!({"playlist": list})).await.is(200);
        tool.patch(&group, json!({"playlist": list})).await.is(200);
        before = Some(tool.get(&format!("{path}/environment")).await.is(200));
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let wait = Duration::from_micros((dice >> 33) % 8000);
        let removal = tokio::spawn({
            let (tool, path) = (tool.clone(), format!("{path}/playlists/{list}"));
            async move { tool.try_send(Method::DELETE, &path).await }
        });
        tokio::time::sleep(wait).await;
        house.kill();
        match removal.await.expect("the request ends") {
            Some(status) => {
                assert_eq!(status, 204);
                done += 1;
            }
            None => torn += 1,
        }
    }
    let house = House::on(&data, &[]);
    let whole = Asker::with_token(&house, &bearer)
        .get(&format!("{path}/environment"))
        .await
        .is(200);
    check(&before.expect("a state"), &whole);
    println!(
        "{KILLS} kills: {done} after the answer, {torn} before it; every change was whole or nothing"
    );
}

/// After a kill everything is as before, or the playlist is gone with every mention of it.
fn check(before: &serde_json::Value, after: &serde_json::Value) {
    if before == after {
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
