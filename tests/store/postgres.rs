//! What is PostgreSQL's own: several servers on one database.

use std::sync::Arc;

use musebox::db::{self, CommandRow, News, StoreError};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::{
    houses::{heard, next},
    samples::{NOW, change, open, with_box, with_house},
    support::Server,
};

fn house(rev: i64) -> News {
    News::House {
        house: "h1".to_owned(),
        rev,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_hear_each_others_commits() {
    let url = Server::shared().database();
    let (one, other) = tokio::join!(db::open(&url), db::open(&url));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.epoch().await.unwrap(), other.epoch().await.unwrap());
    let mut news = other.listen();
    let mut own = one.listen();
    with_house(&one, "h1").await;
    assert_eq!(next(&mut news).await, house(1));
    assert_eq!(next(&mut own).await, house(1));
    one.commit("h1", 1, &change(2, vec![])).await.unwrap();
    assert_eq!(next(&mut news).await, house(2));
    assert_eq!(other.load("h1").await.unwrap().unwrap().rev, 2);
    with_box(&one, "e1", "h1", "s1", 2).await;
    assert_eq!(next(&mut news).await, house(3));
    let command = CommandRow {
        id: "c1".to_owned(),
        house: "h1".to_owned(),
        screen: "s1".to_owned(),
        body: json!({"command": "next"}),
        made: NOW,
    };
    one.add_command(&command).await.unwrap();
    let waits = News::Command {
        house: "h1".to_owned(),
        screen: "s1".to_owned(),
    };
    assert_eq!(next(&mut news).await, waits);
    assert_eq!(other.take_commands("s1", 0).await.unwrap(), [command]);
    one.revoke_device("s1", NOW).await.unwrap();
    let revoked = News::Revoked {
        screen: "s1".to_owned(),
    };
    assert_eq!(next(&mut news).await, revoked);
    one.new_epoch().await.unwrap();
    assert_eq!(next(&mut news).await, News::Lost);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_listening_connection_says_so_and_goes_on() {
    let url = Server::shared().database();
    let (one, other) = (open(&url).await, open(&url).await);
    with_house(&one, "h1").await;
    let (mut own, mut news) = (one.listen(), other.listen());
    let mut admin = PgConnection::connect(&url).await.unwrap();
    for rev in 2..=4 {
        let ended: Vec<bool> = sqlx::query_scalar(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND query LIKE 'LISTEN%'",
        )
        .fetch_all(&mut admin)
        .await
        .unwrap();
        assert_eq!(ended, [true, true]);
        // Each says so when it listens again, which is what the next round ends.
        for news in [&mut own, &mut news] {
            heard(news, News::Lost).await;
        }
        one.commit("h1", rev - 1, &change(rev, vec![]))
            .await
            .unwrap();
        heard(&mut news, house(rev)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_that_commit_at_once_never_both_win() {
    let url = Server::shared().database();
    let stores = [open(&url).await, open(&url).await];
    with_house(&stores[0], "h1").await;
    for rev in 2..30 {
        let tries = stores.each_ref().map(|store| {
            let store = Arc::clone(store);
            tokio::spawn(async move { store.commit("h1", rev - 1, &change(rev, vec![])).await })
        });
        let mut won = 0;
        for one in tries {
            match one.await.unwrap() {
                Ok(()) => won += 1,
                Err(StoreError::Conflict) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(won, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_the_business_of_pg_dump() {
    let url = Server::shared().database();
    let store = open(&url).await;
    let path = std::path::Path::new("/nowhere/house.db");
    for refused in [
        store.backup(path).await,
        db::restore(path, &url).await.map(|_| ()),
    ] {
        assert!(matches!(refused, Err(StoreError::UsePgDump)));
        assert!(refused.unwrap_err().to_string().contains("pg_restore"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused_in_clear_words() {
    let url = Server::shared().database();
    open(&url).await.close().await;
    let mut admin = PgConnection::connect(&url).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99, 'from the future', TRUE, '\\x00', 0)",
    )
    .execute(&mut admin)
    .await
    .unwrap();
    let refused = db::open(&url).await.err().unwrap();
    assert!(matches!(refused, StoreError::Newer { found: 99, .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_is_said_to_be_so() {
    let url = Server::shared().url("nothing");
    let refused = db::open(&url).await.err().unwrap();
    assert!(matches!(refused, StoreError::Refused(_)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_closes_is_answered_no_more() {
    let url = Server::shared().database();
    let store = open(&url).await;
    store.ping().await.unwrap();
    store.close().await;
    assert!(matches!(
        store.ping().await,
        Err(StoreError::Unavailable(_))
    ));
}
