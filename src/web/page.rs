//! The page: its HTML, its scripts and styles.
//!
//! All of it is in the program itself. Scripts and styles have the hash of all of them in their address, so a browser
//! keeps them for ever and never mixes two versions. The page draws itself from the interface; the templates hold no
//! data.

use std::sync::LazyLock;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use crate::{
    domain::hex,
    web::{
        Server,
        caller::Caller,
        problem::{Class, Problem},
    },
};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/web/page/assets");

/// The folder of scripts and styles, as it is in addresses.
static FOLDER: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    digest(&FILES, &mut hash);
    format!("/assets/{}", &hex::write(&hash.finalize())[..16])
});

fn digest(folder: &Dir<'_>, hash: &mut Sha256) {
    for file in folder.files() {
        hash.update(file.path().to_string_lossy().as_bytes());
        hash.update([0]);
        hash.update(Sha256::digest(file.contents()));
    }
    folder.dirs().for_each(|folder| digest(folder, hash));
}

#[derive(Template)]
#[template(path = "app.html", config = "src/web/page/askama.toml")]
struct App<'a> {
    assets: &'a str,
}

#[derive(Template)]
#[template(path = "sign_in.html", config = "src/web/page/askama.toml")]
struct SignIn<'a> {
    assets: &'a str,
}

#[derive(Template)]
#[template(path = "setup.html", config = "src/web/page/askama.toml")]
struct SetUp<'a> {
    assets: &'a str,
}

/// The page's routes. The page finds its own way below `/houses` and `/pair`.
pub fn routes() -> Router<Server> {
    Router::new()
        .route("/", get(app))
        .route("/houses", get(app))
        .route("/houses/{*view}", get(app))
        .route("/pair", get(app))
        .route("/sign-in", get(sign_in))
        .route("/setup", get(set_up))
        .route("/assets/{version}/{*path}", get(asset))
        .route(
            "/favicon.ico",
            get(async || Redirect::permanent(&format!("{}/favicon.svg", *FOLDER))),
        )
}

fn page(page: impl Template) -> Result<Response, Problem> {
    let text = page
        .render()
        .map_err(|err| Problem::internal("a page could not be made", err))?;
    let mut answer = Html(text).into_response();
    let fresh = HeaderValue::from_static("no-cache");
    answer.headers_mut().insert(header::CACHE_CONTROL, fresh);
    Ok(answer)
}

async fn app(
    State(server): State<Server>,
    headers: HeaderMap,
    uri: axum::http::Uri,
) -> Result<Response, Problem> {
    match Caller::of(&server, &Method::GET, &headers).await {
        Ok(Caller::Person { .. }) => page(App { assets: &FOLDER }),
        Err(problem) if problem.class() != Class::NotSignedIn => Err(problem),
        Ok(_) | Err(_) => {
            let wanted = uri.path_and_query().map_or("/", |wanted| wanted.as_str());
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("next", wanted)
                .finish();
            Ok(Redirect::to(&format!("/sign-in?{query}")).into_response())
        }
    }
}

async fn sign_in() -> Result<Response, Problem> {
    page(SignIn { assets: &FOLDER })
}

async fn set_up() -> Result<Response, Problem> {
    page(SetUp { assets: &FOLDER })
}

async fn asset(Path((version, path)): Path<(String, String)>) -> Result<Response, Problem> {
    let file = FILES
        .get_file(&path)
        .ok_or_else(|| Problem::not_found("file"))?;
    let kind = match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    // A page of another version may still be open: it gets this version's file, and keeps it for no time at all.
    let keep = match FOLDER.ends_with(&version) {
        true => "public, max-age=31536000, immutable",
        false => "no-store",
    };
    let mut answer = file.contents().into_response();
    let mut set = |name: HeaderName, value| {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_TYPE, kind);
    set(header::CACHE_CONTROL, keep);
    Ok(answer)
}
