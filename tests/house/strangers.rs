//! Nothing of a house can be seen or done by somebody who does not belong to it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Asker, House, PaperBox, upload};

/// What anybody may ask: to come in, and nothing else.
const OPEN: [&str; 9] = [
    "GET /invitation",
    "POST /sign-in",
    "POST /setup",
    "POST /enrol",
    "POST /enrol/{id}/reveal",
    "GET /enrol/{id}",
    "POST /devices/challenge",
    "POST /devices/token",
    "GET /openapi.json",
];

/// What is one's own, whoever one is.
const OWN: [&str; 8] = [
    "GET /me",
    "POST /sign-out",
    "GET /houses",
    "POST /houses",
    "GET /tokens",
    "POST /tokens",
    "DELETE /tokens/{id}",
    "GET /environment",
];

#[tokio::test]
async fn every_route_is_closed_to_strangers() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let own = ada.only_house().await;
    let made = upload(
        &ada,
        &format!("/houses/{own}/uploads"),
        "Secret.png",
        b"a picture",
    )
    .await;
    let item = made["id"].as_str().expect("an id").to_owned();
    let medium = made["formats"]["source"]["src"].as_str().expect("a src");
    let medium = medium.rsplit('/').next().expect("a name").to_owned();
    let token = ada
        .post("/tokens", json!({"name": "own", "role": "viewer"}))
        .await;
    let token = token.is(201)["id"].as_str().expect("an id").to_owned();
    let foyer = PaperBox::enrol(&house, &ada, &own, 1).await;
    // Eve has a house of her own on the same server.
    let second = json!({"name": "Eve's"});
    let eves = ada.post("/houses", second).await.is(201)["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let eve = ada
        .invite(
            &house,
            &format!("/houses/{eves}"),
            "eve@example.org",
            "owner",
        )
        .await;
    let eves_box = PaperBox::enrol(&house, &ada, &eves, 2)
        .await
        .asker(&house)
        .await;

    let description = Asker::nobody(&house).get("/openapi.json").await.is(200);
    let paths = description["paths"].as_object().expect("paths");
    let mut tried = 0;
    for (path, methods) in paths {
        for method in methods.as_object().expect("methods").keys() {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let name = format!("{method} {path}");
            if OPEN.contains(&&*name) {
                continue;
            }
            let filled = path
                .replace("{house}", &own)
                .replace("{kind}", "items")
                .replace("{screen}", &foyer.screen)
                .replace("{group}", "g")
                .replace("{user}", "u")
                .replace("{name}", &medium)
                .replace("{id}", &item);
            let body = Some(example(&name));
            let headers = [("if-match", "*"), ("upload-offset", "0")];
            let nobody = Asker::nobody(&house)
                .send(method.clone(), &filled, body.clone(), &headers)
                .await;
            assert_eq!(nobody.status, 401, "nobody: {name}: {nobody:?}");
            if OWN.contains(&&*name) {
                continue;
            }
            for (who, asker) in [("Eve", &eve), ("Eve's box", &eves_box)] {
                let answer = asker
                    .send(method.clone(), &filled, body.clone(), &headers)
                    .await;
                assert_eq!(answer.status, 404, "{who}: {name}: {answer:?}");
                assert!(!answer.body.to_string().contains("Secret"), "{who}: {name}");
            }
            tried += 1;
        }
    }
    assert!(tried > 25, "only {tried} routes were tried");
    ada.get(&format!("/houses/{own}/items/{item}"))
        .await
        .is(200);

    let known = format!("//wallmuse/ws/s3_get_file/{medium}?version=1");
    Asker::nobody(&house).get(&known).await.is(401);
    for stranger in [&eve, &eves_box] {
        stranger.get(&known).await.is(404);
    }
    assert_eq!(ada.get(&known).await.bytes, b"a picture");
    eve.delete(&format!("/tokens/{token}")).await.is(404);
    assert!(
        !eve.get("/tokens")
            .await
            .is(200)
            .to_string()
            .contains(&token)
    );
    let houses = eve.get("/houses").await.is(200);
    assert!(!houses.to_string().contains(&own), "{houses}");
    assert!(
        eve.socket(Some(&own)).await.is_err(),
        "no environment of another's house"
    );
    assert!(Asker::nobody(&house).socket(Some(&own)).await.is_err());
}

/// A body that would be taken from somebody who may.
fn example(route: &str) -> Value {
    match route {
        "POST /houses/{house}/members" => json!({"email": "x@example.org", "role": "viewer"}),
        "POST /houses/{house}/uploads" => json!({"name": "a.png", "size": 3}),
        "POST /houses/{house}/enrolments/look-up" => json!({"code": "BCDF-GHJK"}),
        "PUT /houses/{house}/alerts" => json!({"email": []}),
        "POST /tokens" => json!({"name": "x", "role": "viewer"}),
        "POST /houses" => json!({"name": "x"}),
        "POST /sign-in" => json!({}),
        route if route.contains("commands") => json!({"command": "play"}),
        _ => json!({"name": "x"}),
    }
}

#[tokio::test]
async fn the_page_s_socket_is_not_opened_for_other_sites() {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let id = ada.only_house().await;
    let url = format!(
        "{}/api/v1/environment?house={id}",
        house.url.replacen("http", "ws", 1)
    );
    for (origin, opens) in [(house.url.as_str(), true), ("http://evil.example", false)] {
        let mut request = url.as_str().into_client_request().expect("a request");
        request
            .headers_mut()
            .insert("cookie", ada.cookie().parse().expect("a header"));
        request
            .headers_mut()
            .insert("origin", origin.parse().expect("a header"));
        let address = house.url.split_once("://").expect("a URL").1;
        let stream = tokio::net::TcpStream::connect(address)
            .await
            .expect("connected");
        let opened = tokio_tungstenite::client_async(request, stream).await;
        assert_eq!(opened.is_ok(), opens, "{origin}");
    }
}
