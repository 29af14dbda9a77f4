//! Nothing of a house can be seen or done by somebody who does not belong to it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Asker, House, PaperBox, Shown, upload};

/// What a screen shows, as far as the server can tell.
const PICTURE: &[u8] = b"\xff\xd8\xff a picture";

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

/// What only a box does.
const BOXES: &str = "PUT /screens/{screen}/picture";

/// The least role in a house that a route is for.
fn least(route: &str) -> &'static str {
    match route {
        "DELETE /houses/{house}" => "owner",
        route if route.contains("/members") => "owner",
        "GET /houses/{house}/alerts" | "GET /houses/{house}/uploads/{id}" => "editor",
        route if route.starts_with("GET ") => "viewer",
        _ => "editor",
    }
}

/// A route, as somebody who may would ask it.
struct Request {
    /// Its method and its path with the names of what goes in.
    name: String,
    method: Method,
    /// Its path with what there is.
    path: String,
    kind: &'static str,
    body: Vec<u8>,
}

impl Request {
    async fn of(&self, asker: &Asker) -> Answer {
        let headers = [("if-match", "*"), ("upload-offset", "0")];
        let body = Some((self.kind, self.body.clone()));
        asker
            .raw(self.method.clone(), &self.path, body, &headers)
            .await
    }
}

/// A house with one of everything.
struct Full {
    ada: Asker,
    id: String,
    foyer: PaperBox,
    box_asker: Asker,
    item: String,
    medium: String,
    upload: String,
    group: String,
    member: String,
    enrolment: String,
    /// What the box of the enrolment shows.
    code: String,
}

impl Full {
    async fn fill(house: &House) -> Self {
        let ada = Asker::first_operator(house).await;
        let id = ada.only_house().await;
        let path = format!("/houses/{id}");
        let uploads = format!("{path}/uploads");
        let made = upload(&ada, &uploads, "Secret.png", b"a picture").await;
        let medium = made["formats"]["source"]["src"].as_str().expect("a src");
        let medium = medium.rsplit('/').next().expect("a name").to_owned();
        let begin = json!({"name": "Secret.mp4", "size": 100});
        let begun = ada.post(&uploads, begin).await.is(201);
        let group = json!({"name": "Secret"});
        let group = ada.post(&format!("{path}/groups"), group).await.is(201);
        let bob = ada.invite(house, &path, "bob@example.org", "viewer").await;
        let bob = bob.get("/me").await.is(200);
        let foyer = PaperBox::enrol(house, &ada, &id, 1).await;
        let box_asker = foyer.asker(house).await;
        let picture = Some(("image/jpeg", PICTURE.to_vec()));
        let put = format!("/screens/{}/picture", foyer.screen);
        let put = box_asker.raw(Method::PUT, &put, picture, &[]).await;
        put.is(204);
        let shown = Shown::of(house, 3).await;
        let id_of = |made: &Value| made["id"].as_str().expect("an id").to_owned();
        Self {
            ada,
            id,
            foyer,
            box_asker,
            item: id_of(&made),
            medium,
            upload: id_of(&begun),
            group: id_of(&group),
            member: id_of(&bob["user"]),
            enrolment: shown.id,
            code: shown.code,
        }
    }

    /// All routes that are not for anybody, in an order in which none takes away what a later one needs.
    async fn requests(&self) -> Vec<Request> {
        let description = self.ada.get("/openapi.json").await.is(200);
        let paths = description["paths"].as_object().expect("paths");
        let mut requests = Vec::new();
        for (path, methods) in paths {
            for method in methods.as_object().expect("methods").keys() {
                let method: Method = method.to_uppercase().parse().expect("a method");
                let name = format!("{method} {path}");
                if !OPEN.contains(&&*name) {
                    requests.push(self.request(name, method, path));
                }
            }
        }
        requests.sort_by_key(|request| {
            let ends = request.name == "DELETE /houses/{house}";
            let removes = request.method == Method::DELETE;
            let changes = request.method != Method::GET;
            (ends, removes, changes)
        });
        requests
    }

    fn request(&self, name: String, method: Method, path: &str) -> Request {
        let filled = path
            .replace("/uploads/{id}", &format!("/uploads/{}", self.upload))
            .replace(
                "/enrolments/{id}",
                &format!("/enrolments/{}", self.enrolment),
            )
            .replace("{house}", &self.id)
            .replace("{kind}", "items")
            .replace("{screen}", &self.foyer.screen)
            .replace("{group}", &self.group)
            .replace("{user}", &self.member)
            .replace("{name}", &self.medium)
            .replace("{id}", &self.item);
        let (kind, body) = match &*name {
            BOXES => ("image/jpeg", PICTURE.to_vec()),
            "PATCH /houses/{house}/uploads/{id}" => {
                ("application/offset+octet-stream", b"abc".to_vec())
            }
            _ => (
                "application/json",
                self.example(&name).to_string().into_bytes(),
            ),
        };
        Request {
            name,
            method,
            path: filled,
            kind,
            body,
        }
    }

    /// A body that is taken from somebody who may.
    fn example(&self, route: &str) -> Value {
        match route {
            "POST /houses/{house}/members" => json!({"email": "x@example.org", "role": "viewer"}),
            "POST /houses/{house}/uploads" => json!({"name": "a.png", "size": 3}),
            "POST /houses/{house}/enrolments/look-up" => json!({"code": self.code}),
            "PUT /houses/{house}/alerts" => json!({"email": []}),
            "POST /tokens" => json!({"name": "x", "role": "viewer"}),
            "POST /houses/{house}/{kind}" => json!({"title": "x", "kind": "image"}),
            "PATCH /houses/{house}/{kind}/{id}" => json!({"title": "x"}),
            route if route.contains("commands") => json!({"command": "play"}),
            _ => json!({"name": "x"}),
        }
    }
}

#[tokio::test]
async fn every_route_is_closed_to_strangers() {
    let house = House::start();
    let full = Full::fill(&house).await;
    let Full {
        ada, id, medium, ..
    } = &full;
    let token = ada
        .post("/tokens", json!({"name": "own", "role": "viewer"}))
        .await;
    let token = token.is(201)["id"].as_str().expect("an id").to_owned();
    // Eve has a house of her own on the same server.
    let second = json!({"name": "Eve's"});
    let eves = ada.post("/houses", second).await.is(201)["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/houses/{eves}");
    let eve = ada.invite(&house, &path, "eve@example.org", "owner").await;
    let eves_box = PaperBox::enrol(&house, ada, &eves, 2).await;
    let eves_box = eves_box.asker(&house).await;

    let nobody = Asker::nobody(&house);
    let requests = full.requests().await;
    let mut leaks = Vec::new();
    for request in &requests {
        let name = &request.name;
        let answer = request.of(&nobody).await;
        assert_eq!(answer.status, 401, "nobody: {name}: {answer:?}");
        if OWN.contains(&&**name) {
            continue;
        }
        for (who, asker) in [("Eve", &eve), ("Eve's box", &eves_box)] {
            let answer = request.of(asker).await;
            if answer.status != 404 || answer.body.to_string().contains("Secret") {
                leaks.push(format!("{who}: {name}: {}", answer.status));
            }
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");

    let known = format!("//wallmuse/ws/s3_get_file/{medium}?version=1");
    nobody.get(&known).await.is(401);
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
    assert!(!houses.to_string().contains(id), "{houses}");
    assert!(
        eve.socket(Some(id)).await.is_err(),
        "no environment of another's house"
    );
    assert!(nobody.socket(Some(id)).await.is_err());

    // Whoever belongs to the house can do all of it: what strangers are refused is there.
    let mut tried = 0;
    for request in &requests {
        let name = &request.name;
        if OWN.contains(&&**name) {
            continue;
        }
        let (asker, status) = match &**name {
            BOXES => (&full.box_asker, None),
            // The screen is not connected.
            "POST /houses/{house}/screens/{screen}/commands" => (ada, Some(409)),
            // Its box was let in just before.
            "POST /houses/{house}/enrolments/{id}/refuse" => (ada, Some(409)),
            _ => (ada, None),
        };
        let answer = request.of(asker).await;
        match status {
            Some(status) => assert_eq!(answer.status, status, "{name}: {answer:?}"),
            None => assert!(answer.status.is_success(), "{name}: {answer:?}"),
        }
        tried += 1;
    }
    assert!(tried > 25, "only {tried} routes were tried");
}

#[tokio::test]
async fn each_route_is_for_those_whose_role_is_high_enough() {
    let house = House::start();
    let full = Full::fill(&house).await;
    let path = format!("/houses/{}", full.id);
    let invite = async |email: &str, role: &str| full.ada.invite(&house, &path, email, role).await;
    let viewer = invite("vera@example.org", "viewer").await;
    let editor = invite("ed@example.org", "editor").await;
    let askers = [
        ("viewer", &viewer),
        ("viewer", &full.box_asker),
        ("editor", &editor),
    ];
    let (mut refused, mut let_in) = (0, 0);
    for request in full.requests().await {
        let name = &*request.name;
        if OWN.contains(&name) {
            continue;
        }
        for (role, asker) in askers {
            let is_box = std::ptr::eq(asker, &raw const full.box_asker);
            let may = match (least(name), role) {
                _ if name == BOXES => is_box,
                ("viewer", _) => true,
                ("editor", role) => role == "editor",
                _ => false,
            };
            if !may {
                // Another's screen is no screen to whoever would be a box.
                let refusal = if name == BOXES { 404 } else { 403 };
                let answer = request.of(asker).await;
                assert_eq!(answer.status, refusal, "{role}: {name}: {answer:?}");
                refused += 1;
            } else if name.starts_with("GET ") && !is_box {
                let answer = request.of(asker).await;
                assert!(answer.status.is_success(), "{role}: {name}: {answer:?}");
                let_in += 1;
            }
        }
    }
    assert!(
        refused > 40 && let_in > 15,
        "{refused} refused, {let_in} let in"
    );
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
