//! Setting up, signing in, members and tokens.

use std::fs;

use reqwest::Method;
use serde_json::json;

use crate::support::{Asker, House, program, token};

#[tokio::test]
async fn the_set_up_link_works_once_and_makes_the_first_house() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let me = ada.get("/me").await.is(200);
    assert_eq!(me["user"]["email"], "ada@example.org");
    assert_eq!(me["houses"][0]["role"], "owner");
    let link = house
        .setup
        .as_deref()
        .expect("a link")
        .split_once("token=")
        .expect("a token")
        .1;
    let again = json!({"link_token": link, "email": "eve@example.org", "name": "Eve", "password": "a long password"});
    Asker::nobody(&house).post("/setup", again).await.is(410);
    let wrong = json!({"email": "ada@example.org", "password": "not the password"});
    let refused = Asker::nobody(&house).post("/sign-in", wrong).await.is(401);
    assert!(
        refused["detail"]
            .as_str()
            .expect("words")
            .contains("belong together")
    );
    let short =
        json!({"link_token": "x", "email": "eve@example.org", "name": "Eve", "password": "short"});
    assert_eq!(
        Asker::nobody(&house).post("/setup", short).await.is(422)["key"],
        "password"
    );
}

#[tokio::test]
async fn a_cookie_alone_changes_nothing() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let path = format!("/houses/{}", ada.only_house().await);
    let tag = ada.get(&path).await.etag();
    let body = json!({"autostart_playlist": true});
    let misused = ada.without_csrf();
    misused.get(&path).await.is(200);
    let refused = misused
        .send(Method::PATCH, &path, Some(body), &[("if-match", &tag)])
        .await;
    assert!(
        refused.is(403)["type"]
            .as_str()
            .expect("a type")
            .ends_with("csrf")
    );
    ada.post("/sign-out", json!({})).await.is(204);
    ada.get(&path).await.is(401);
}

#[tokio::test]
async fn a_viewer_looks_an_editor_changes_and_only_an_owner_decides_who() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let path = format!("/houses/{}", ada.only_house().await);
    let vic = ada.invite(&house, &path, "vic@example.org", "viewer").await;
    let ed = ada.invite(&house, &path, "ed@example.org", "editor").await;
    vic.get(&path).await.is(200);
    vic.patch(&path, json!({"mute": true})).await.is(403);
    ed.patch(&path, json!({"mute": true})).await.is(200);
    ed.get(&format!("{path}/members")).await.is(403);
    ed.delete(&path).await.is(403);
    let members = ada.get(&format!("{path}/members")).await.is(200);
    assert_eq!(members["members"].as_array().map(Vec::len), Some(3));
    let own = ada.get("/me").await.is(200)["user"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    ada.delete(&format!("{path}/members/{own}")).await.is(409);

    // Whoever is put out hears nothing more.
    let mut socket = vic
        .socket(Some(path.rsplit('/').next().expect("an id")))
        .await
        .expect("a socket");
    socket.begin().await;
    let id = vic.get("/me").await.is(200)["user"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    ada.delete(&format!("{path}/members/{id}")).await.is(204);
    assert_eq!(socket.hear_a("error").await["code"], "revoked");
    vic.get(&path).await.is(404);
}

#[tokio::test]
async fn an_invitation_is_for_one_address_once_and_makes_nobody_before_it_is_used() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let path = format!("/houses/{}", ada.only_house().await);
    let nobody = Asker::nobody(&house);
    // Eve has a house of her own, and invites Bob before Ada does: she learns no password of his by that.
    let evil = ada.post("/houses", json!({"name": "Eve's"})).await.is(201);
    let evil = format!("/houses/{}", evil["id"].as_str().expect("an id"));
    let eve = ada.invite(&house, &evil, "eve@example.org", "owner").await;
    let planted = eve.invitation(&evil, "bob@example.org", "viewer").await;
    let preset = json!({"email": "bob@example.org", "role": "viewer", "password": "known to Eve"});
    eve.post(&format!("{evil}/members"), preset).await.is(422);

    let first = ada.invitation(&path, "bob@example.org", "viewer").await;
    let link = ada.invitation(&path, "Bob@example.org", "editor").await;
    let look = |token: &str| {
        let (nobody, path) = (nobody.clone(), format!("/invitation?token={token}"));
        async move { nobody.get(&path).await }
    };
    look(&first).await.is(410);
    let offer = look(&link).await.is(200);
    assert_eq!(
        (&offer["email"], &offer["role"], &offer["known"]),
        (&json!("bob@example.org"), &json!("editor"), &json!(false))
    );
    let members = ada.get(&format!("{path}/members")).await.is(200);
    assert_eq!(members["members"].as_array().map(Vec::len), Some(1));

    let nameless = json!({"link_token": link, "password": "a long password"});
    assert_eq!(nobody.post("/setup", nameless).await.is(422)["key"], "name");
    let come = json!({"link_token": link, "name": "Bob", "password": "a long password"});
    nobody.post("/setup", come.clone()).await.is(204);
    nobody.post("/setup", come).await.is(410);
    look(&link).await.is(410);
    let bob = Asker::person(&house, "bob@example.org", "a long password").await;
    assert_eq!(bob.only_house().await, path["/houses/".len()..]);
    bob.get(&evil).await.is(404);

    // Whoever has an account comes in by its password, which an invitation does not change.
    assert_eq!(look(&planted).await.is(200)["known"], true);
    let wrong = json!({"link_token": planted, "name": "Eve", "password": "chosen by Eve"});
    nobody.post("/setup", wrong).await.is(401);
    let right = json!({"link_token": planted, "password": "a long password"});
    nobody.post("/setup", right).await.is(204);
    assert_eq!(bob.get(&evil).await.is(200)["name"], "Eve's");

    // A member gets another role at once.
    let raise = json!({"email": "bob@example.org", "role": "owner"});
    let raised = ada.post(&format!("{path}/members"), raise).await.is(200);
    assert_eq!(raised.get("link"), None);
    bob.get(&format!("{path}/members")).await.is(200);
}

#[tokio::test]
async fn whoever_signs_out_or_is_signed_out_hears_nothing_more() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let path = format!("/houses/{id}");
    let ed = ada.invite(&house, &path, "ed@example.org", "editor").await;
    let mut socket = ed.socket(Some(&id)).await.expect("a socket");
    socket.begin().await;
    ed.post("/sign-out", json!({})).await.is(204);
    assert_eq!(socket.hear_a("error").await["code"], "revoked");

    // At the command line it is another process, and only looked at from time to time.
    let bearer = token(&house.data, "viewer", &[]);
    let tool = Asker::with_token(&house, &bearer);
    let mut socket = tool.socket(Some(&id)).await.expect("a socket");
    socket.begin().await;
    let list = program()
        .args(["token", "list", "--data"])
        .arg(&house.data)
        .output()
        .expect("token list");
    let list = String::from_utf8(list.stdout).expect("text");
    let line = list.lines().find(|line| line.contains("  viewer  "));
    let word = line.expect("a token").split(' ').next().expect("an id");
    let done = program()
        .args(["token", "revoke", word, "--data"])
        .arg(&house.data)
        .status()
        .expect("token revoke");
    assert!(done.success());
    tool.get(&path).await.is(401);
    assert_eq!(socket.hear_a("error").await["code"], "revoked");
}

#[tokio::test]
async fn tokens_are_told_once_do_no_more_than_their_maker_and_can_be_revoked() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let path = format!("/houses/{}", ada.only_house().await);
    let made = ada
        .post("/tokens", json!({"name": "script", "role": "viewer"}))
        .await
        .is(201);
    let script = Asker::with_token(&house, made["secret"].as_str().expect("a token"));
    script.get(&path).await.is(200);
    script.patch(&path, json!({"mute": true})).await.is(403);
    let list = ada.get("/tokens").await.is(200);
    assert!(
        !list
            .to_string()
            .contains(made["secret"].as_str().expect("a token"))
    );
    ada.delete(&format!("/tokens/{}", made["id"].as_str().expect("an id")))
        .await
        .is(204);
    script.get(&path).await.is(401);

    let tool = Asker::with_token(&house, token(&house.data, "editor", &[]));
    tool.patch(&path, json!({"mute": true})).await.is(200);
    tool.delete(&path).await.is(403);
}

#[tokio::test]
async fn guessing_passwords_is_slowed_down() {
    let house = House::start();
    let _ada = Asker::first_operator(&house).await;
    let nobody = Asker::nobody(&house);
    let guess = json!({"email": "ada@example.org", "password": "a guess at it"});
    let mut last = 0;
    for _ in 0..12 {
        last = nobody.post("/sign-in", guess.clone()).await.status.as_u16();
    }
    assert_eq!(last, 429);
}

#[test]
fn a_wrong_folder_is_an_error_and_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = folder.path().join("wrong");
    let backup = folder.path().join("backup.db");
    let backup = backup.to_str().expect("a name");
    for words in [
        &["backup", backup][..],
        &["new-epoch"],
        &["password", "ada@example.org"],
        &["token", "list"],
        &["token", "revoke", "t1"],
    ] {
        let output = program().args(words).arg("--data").arg(&wrong).output();
        let output = output.expect("musebox-house");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        let path = wrong.join("house.db").display().to_string();
        assert!(said.contains(&path) && said.contains("--data"), "{said}");
    }
    let wrong = format!("sqlite:{}", wrong.join("other.db").display());
    let words = ["new-epoch", "--database", &wrong];
    let output = program().args(words).output().expect("musebox-house");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("name the server's database"), "{said}");
    let left = fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 0, "nothing is made");
    // What cannot be looked at is not said to be missing.
    fs::write(folder.path().join("file"), "").expect("written");
    let output = program()
        .args(["backup", backup, "--data"])
        .arg(folder.path().join("file"))
        .output()
        .expect("musebox-house");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Not a directory"), "{said}");
    // Before the first start of a server there may be a token: that there was no database before is told.
    let fresh = folder.path().join("fresh");
    for is_new in [true, false] {
        let words = ["token", "create", "--data"];
        let output = program().args(words).arg(&fresh).output();
        let output = output.expect("musebox-house");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let path = fresh.join("house.db").display().to_string();
        assert_eq!(said.contains(&path), is_new, "{said}");
        assert!(output.stdout.starts_with(b"musebox_"));
    }
}

#[tokio::test]
async fn a_backup_is_whole_and_can_be_put_back() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let path = format!("/houses/{}", ada.only_house().await);
    ada.patch(&path, json!({"name": "Before"})).await.is(200);
    let backup = house.data.join("backup.db");
    let run = |words: &[&str]| {
        let output = program()
            .args(words)
            .arg(&backup)
            .arg("--data")
            .arg(&house.data)
            .output();
        output.expect("musebox-house")
    };
    let done = run(&["backup"]);
    assert!(done.status.success(), "{done:?}");
    let twice = run(&["backup"]);
    assert!(
        String::from_utf8_lossy(&twice.stderr).contains("is there already"),
        "{twice:?}"
    );
    ada.patch(&path, json!({"name": "After"})).await.is(200);
    let epoch = {
        let mut socket = ada.socket(path.rsplit('/').next()).await.expect("a socket");
        socket.begin().await["epoch"].clone()
    };
    let data = house.data.clone();
    let running = run(&["restore"]);
    assert!(
        !running.status.success(),
        "a server that runs is not overwritten: {running:?}"
    );
    let _folder = house.stop();
    // In a folder that is not the server's it is told that nothing was there before.
    let other = tempfile::tempdir().expect("a folder");
    let done = program()
        .arg("restore")
        .arg(&backup)
        .arg("--data")
        .arg(other.path())
        .output()
        .expect("restore");
    let said = String::from_utf8_lossy(&done.stderr);
    let made = other.path().join("house.db").display().to_string();
    assert!(done.status.success() && said.contains(&made), "{done:?}");
    let done = program()
        .arg("restore")
        .arg(&backup)
        .arg("--data")
        .arg(&data)
        .output()
        .expect("restore");
    assert!(done.status.success(), "{done:?}");
    let house = House::on(&data, &[]);
    let ada = Asker::person(&house, "ada@example.org", "a long password").await;
    assert_eq!(ada.get(&path).await.is(200)["name"], "Before");
    let mut socket = ada.socket(path.rsplit('/').next()).await.expect("a socket");
    let now = socket.begin().await;
    assert_ne!(
        now["epoch"], epoch,
        "boxes must not take the old revisions for the new ones"
    );
}
