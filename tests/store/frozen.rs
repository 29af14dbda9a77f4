//! Databases as each released schema made them come forward with their rows.
//!
//! `MUSEBOX_FREEZE=1 cargo test --test store frozen` writes the copy of the newest schema, which is done once, when it is
//! released: from then on neither the copy nor the step that made it changes.

use std::{env, fs, path::Path, process::Stdio, sync::Arc};

use musebox::db::{
    ApiToken, CommandRow, MediaFile, NewHouse, PlayFilter, PlayRow, ReportRow, Role, Session,
    Store, Upload,
};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{
    samples::{NOW, change, enrolment, file, open, user, with_box, with_enrolment, write},
    support::Server,
};

const NEWEST: i64 = 2;

/// Puts something into every table that keeps something for long.
async fn fill(store: &Arc<dyn Store>) {
    store.create_user(&user("u1")).await.unwrap();
    let house = NewHouse {
        id: "h1".to_owned(),
        resources: vec![write(
            "house",
            "h1",
            json!({"name": "L'été", "volume": 0.8}),
        )],
        owner: Some("u1".to_owned()),
    };
    store.create_house(&house).await.unwrap();
    with_box(store, "e1", "h1", "s1", 1).await;
    with_enrolment(store, &enrolment("e2")).await;
    store.commit("h1", 2, &change(3, vec![])).await.unwrap();
    store.create_session(&session()).await.unwrap();
    store.create_api_token(&token()).await.unwrap();
    store.create_media(&media()).await.unwrap();
    store.create_upload(&upload()).await.unwrap();
    store.report(&[report()]).await.unwrap();
    store.add_plays(&[play()]).await.unwrap();
    store.add_command(&command()).await.unwrap();
    store.set_alerts("h1", &json!({"email": []})).await.unwrap();
}

/// Finds it again.
async fn check(store: &Arc<dyn Store>) {
    assert_eq!(store.users().await.unwrap(), [user("u1")]);
    assert_eq!(store.role("u1", "h1").await.unwrap(), Some(Role::Owner));
    let stored = store.load("h1").await.unwrap().unwrap();
    assert_eq!(stored.rev, 3);
    assert_eq!(stored.epoch.len(), 36);
    let bodies: Vec<_> = stored.resources.into_iter().map(|one| one.body).collect();
    assert_eq!(
        bodies,
        [
            json!({"name": "L'été", "volume": 0.8}),
            json!({"name": "Foyer"})
        ]
    );
    assert_eq!(store.changes_since("h1", 1).await.unwrap().len(), 2);
    assert_eq!(
        store.device_by_key("key-e1").await.unwrap().unwrap().screen,
        "s1"
    );
    let open = store
        .enrolment_by_code("CODE-e2", NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(open.outputs, ["main", "side"]);
    assert_eq!(store.session("cookie", NOW).await.unwrap(), Some(session()));
    assert_eq!(store.api_token("hash").await.unwrap(), Some(token()));
    assert_eq!(store.media("waves.mp4").await.unwrap(), Some(media()));
    assert_eq!(store.upload("up1").await.unwrap(), Some(upload()));
    assert_eq!(store.reports("h1").await.unwrap(), [report()]);
    let all = PlayFilter {
        from: None,
        to: None,
        screen: None,
        before: None,
        limit: 10,
    };
    assert_eq!(store.plays("h1", &all).await.unwrap(), [play()]);
    assert_eq!(
        store.alerts("h1").await.unwrap(),
        Some(json!({"email": []}))
    );
    assert_eq!(store.take_commands("s1", 0).await.unwrap(), [command()]);
}

fn session() -> Session {
    Session {
        token_hash: "cookie".to_owned(),
        user: "u1".to_owned(),
        csrf: "csrf".to_owned(),
        made: NOW,
        expires: NOW + 1,
    }
}

fn token() -> ApiToken {
    ApiToken {
        id: "t1".to_owned(),
        secret_hash: "hash".to_owned(),
        name: "tool".to_owned(),
        user: None,
        house: Some("h1".to_owned()),
        role: Role::Viewer,
        made: NOW,
        last_used: Some(NOW + 1),
        revoked: None,
    }
}

fn media() -> MediaFile {
    MediaFile {
        name: "waves.mp4".to_owned(),
        house: "h1".to_owned(),
        sha256: "ab".repeat(32),
        size: 12345,
        mime: "video/mp4".to_owned(),
        made: NOW,
    }
}

fn upload() -> Upload {
    Upload {
        id: "up1".to_owned(),
        house: "h1".to_owned(),
        name: "New.mp4".to_owned(),
        size: 5_000_000_000,
        sha256: None,
        offset: 4_500_000_000,
        made: NOW,
    }
}

fn report() -> ReportRow {
    ReportRow {
        screen: "s1".to_owned(),
        house: "h1".to_owned(),
        state: Some(json!({"state": "playing"})),
        seen: NOW,
        online: true,
    }
}

fn play() -> PlayRow {
    PlayRow {
        house: "h1".to_owned(),
        screen: "s1".to_owned(),
        seq: 1,
        at: NOW,
        output: "main".to_owned(),
        playlist: None,
        item: "i1".to_owned(),
        duration_ms: 9800,
    }
}

fn command() -> CommandRow {
    CommandRow {
        id: "c1".to_owned(),
        house: "h1".to_owned(),
        screen: "s1".to_owned(),
        body: json!({"command": "next"}),
        made: NOW,
    }
}

fn frozen(kind: &str, version: i64) -> String {
    format!("tests/data/schema/{kind}-{version}.sql")
}

fn freezing() -> bool {
    env::var_os("MUSEBOX_FREEZE").is_some()
}

async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// The statements that make a database of SQLite what it is.
async fn sqlite_dump(path: &Path, with_rows: bool) -> String {
    let mut db = connect(path).await;
    let made: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT type, name, sql FROM sqlite_schema
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .fetch_all(&mut db)
    .await
    .unwrap();
    let mut text = "PRAGMA application_id = 1836413797;\nPRAGMA foreign_keys = OFF;\n".to_owned();
    for (kind, name, sql) in made {
        text += &format!("{sql};\n");
        if kind != "table" || !with_rows {
            continue;
        }
        let columns: Vec<String> =
            sqlx::query_scalar("SELECT 'quote(' || name || ')' FROM pragma_table_info($1)")
                .bind(&name)
                .fetch_all(&mut db)
                .await
                .unwrap();
        let select = format!("SELECT {} FROM {name}", columns.join(" || ', ' || "));
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(select))
            .fetch_all(&mut db)
            .await
            .unwrap();
        for row in rows {
            text += &format!("INSERT INTO {name} VALUES ({row});\n");
        }
    }
    text
}

#[tokio::test]
async fn every_released_schema_of_sqlite_comes_forward_with_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("house.db");
    let store = open(&file(&folder)).await;
    fill(&store).await;
    store.close().await;
    let newest = sqlite_dump(&path, false).await;
    if freezing() {
        fs::write(frozen("sqlite", NEWEST), sqlite_dump(&path, true).await).unwrap();
    }
    for version in 1..=NEWEST {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("house.db");
        let sql = fs::read_to_string(frozen("sqlite", version)).unwrap();
        let mut db = connect(&path).await;
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut db)
            .await
            .unwrap();
        db.close().await.unwrap();
        let store = open(&file(&folder)).await;
        check(&store).await;
        store.close().await;
        assert_eq!(sqlite_dump(&path, false).await, newest, "version {version}");
    }
}

/// The statements that make a database of PostgreSQL what it is, without what only one version of `psql` knows.
fn postgres_dump(server: &Server, url: &str, more: &[&str]) -> String {
    let name = url.rsplit('/').next().unwrap();
    let dump = server
        .tool("pg_dump")
        .args(["--inserts", "--no-owner", "--no-privileges"])
        .args(more)
        .arg(name)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(dump.status.success());
    let text = String::from_utf8(dump.stdout).unwrap();
    let lines = text.lines().filter(|line| {
        let skipped = ["--", "\\", "SET ", "SELECT pg_catalog.set_config"];
        !line.is_empty() && !skipped.iter().any(|start| line.starts_with(start))
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_released_schema_of_postgres_comes_forward_with_its_rows() {
    let server = Server::shared();
    let url = server.database();
    let store = open(&url).await;
    fill(&store).await;
    store.close().await;
    let newest = postgres_dump(server, &url, &["--schema-only"]);
    if freezing() {
        fs::write(frozen("postgres", NEWEST), postgres_dump(server, &url, &[])).unwrap();
    }
    for version in 1..=NEWEST {
        let url = server.database();
        let name = url.rsplit('/').next().unwrap();
        let loaded = server
            .tool("psql")
            .args([
                "-q",
                "-o",
                "/dev/null",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                name,
                "-f",
            ])
            .arg(frozen("postgres", version))
            .status()
            .unwrap();
        assert!(loaded.success());
        let store = open(&url).await;
        check(&store).await;
        store.close().await;
        let migrated = postgres_dump(server, &url, &["--schema-only"]);
        assert_eq!(migrated, newest, "version {version}");
    }
}
