//! Houses, their resources and the changes of these.

use std::sync::Arc;

use musebox::db::{KEPT_CHANGES, News, PlayFilter, Resource, Store, StoreError, Write};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::samples::{NOW, change, new_house, with_box, with_house, with_user, write};

fn resource(kind: &str, id: &str, rev: i64, body: Value) -> Resource {
    Resource {
        kind: kind.to_owned(),
        id: id.to_owned(),
        rev,
        body,
    }
}

pub async fn a_new_house_is_loaded_as_it_was_made(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    let stored = store.load("h1").await.unwrap().unwrap();
    assert_eq!(stored.epoch, store.epoch().await.unwrap());
    assert_eq!(stored.epoch.len(), 36);
    assert_eq!(stored.rev, 1);
    assert_eq!(
        stored.resources,
        [
            resource("group", "g1", 1, json!({"name": "Ground floor"})),
            resource("house", "h1", 1, json!({"name": "Gallery", "volume": 0.8})),
        ]
    );
    assert_eq!(store.houses().await.unwrap(), ["h1"]);
    assert_eq!(store.load("h2").await.unwrap(), None);
    let again = store.create_house(&new_house("h1")).await;
    assert!(matches!(again, Err(StoreError::Taken { what: "house" })));
    let mut owned = new_house("h2");
    owned.owner = Some("nobody".to_owned());
    let orphan = store.create_house(&owned).await;
    assert!(matches!(orphan, Err(StoreError::NotFound { what: "user" })));
    assert_eq!(store.houses().await.unwrap(), ["h1"]);
}

pub async fn a_commit_writes_and_takes_away(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    with_house(&store, "h2").await;
    let gone = Write {
        body: None,
        ..write("group", "g1", Value::Null)
    };
    let writes = vec![
        gone,
        write("house", "h1", json!({"name": "Museum"})),
        write("item", "i1", json!({"title": "Waves"})),
    ];
    store.commit("h1", 1, &change(2, writes)).await.unwrap();
    let stored = store.load("h1").await.unwrap().unwrap();
    assert_eq!(stored.rev, 2);
    assert_eq!(
        stored.resources,
        [
            resource("house", "h1", 2, json!({"name": "Museum"})),
            resource("item", "i1", 2, json!({"title": "Waves"})),
        ]
    );
    let changes = store.changes_since("h1", 1).await.unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].base_rev, changes[0].rev), (1, 2));
    assert_eq!(changes[0].patch, json!({"house": {"rev": 2}}));
    assert_eq!(changes[0].sha256, format!("{:064}", 2));
    assert_eq!(
        (changes[0].by.as_str(), changes[0].at),
        ("user:u1", NOW + 2)
    );
    assert_eq!(store.changes_since("h1", 2).await.unwrap(), []);
    assert_eq!(store.load("h2").await.unwrap().unwrap().rev, 1);
}

pub async fn numbers_come_back_exactly(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    let numbers = json!([
        0.1 + 0.2,
        1.0 / 3.0,
        5e-324,
        1.7976931348623157e308,
        9007199254740993_i64,
        "\u{0}é"
    ]);
    let writes = vec![write("item", "i1", numbers.clone())];
    store.commit("h1", 1, &change(2, writes)).await.unwrap();
    let stored = store.load("h1").await.unwrap().unwrap();
    assert_eq!(stored.resources[2].body, numbers);
    assert_eq!(stored.resources[2].body.to_string(), numbers.to_string());
}

pub async fn a_commit_on_another_revision_is_a_conflict_and_leaves_no_trace(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    let before = store.load("h1").await.unwrap();
    for (base, rev) in [(0, 1), (2, 3), (1, 1)] {
        let stale = change(rev, vec![write("item", "i1", json!({}))]);
        let answer = store.commit("h1", base, &stale).await;
        assert!(matches!(answer, Err(StoreError::Conflict)), "{answer:?}");
    }
    let nowhere = store.commit("h2", 1, &change(2, vec![])).await;
    assert!(matches!(
        nowhere,
        Err(StoreError::NotFound { what: "house" })
    ));
    assert_eq!(store.load("h1").await.unwrap(), before);
    assert_eq!(store.changes_since("h1", 0).await.unwrap(), []);
}

pub async fn of_two_who_commit_at_once_exactly_one_wins(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    for base in 1..=20 {
        let mut racers = JoinSet::new();
        for racer in 0..4 {
            let store = Arc::clone(&store);
            racers.spawn(async move {
                let writes = vec![write(
                    "item",
                    "i1",
                    json!({"racer": racer, "rev": base + 1}),
                )];
                let answer = store.commit("h1", base, &change(base + 1, writes)).await;
                (racer, answer)
            });
        }
        let mut winners = Vec::new();
        for (racer, answer) in racers.join_all().await {
            match answer {
                Ok(()) => winners.push(racer),
                Err(StoreError::Conflict) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(winners.len(), 1);
        let stored = store.load("h1").await.unwrap().unwrap();
        assert_eq!(stored.rev, base + 1);
        assert_eq!(stored.resources[2].body["racer"], winners[0]);
    }
    let revs = store.changes_since("h1", 1).await.unwrap();
    let revs: Vec<i64> = revs.into_iter().map(|change| change.rev).collect();
    assert_eq!(revs, (2..=21).collect::<Vec<_>>());
}

pub async fn readers_see_whole_changes_only(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    let ids = ["i1", "i2", "i3", "i4"];
    let all = move |rev: i64| {
        let writes = ids.map(|id| write("item", id, json!({"rev": rev})));
        change(rev, writes.to_vec())
    };
    store.commit("h1", 1, &all(2)).await.unwrap();
    let writer = Arc::clone(&store);
    let writing = tokio::spawn(async move {
        for rev in 3..=60 {
            writer.commit("h1", rev - 1, &all(rev)).await.unwrap();
        }
    });
    while !writing.is_finished() {
        let stored = store.load("h1").await.unwrap().unwrap();
        for item in &stored.resources[2..] {
            assert_eq!(item.body["rev"], stored.rev);
            assert_eq!(item.rev, stored.rev);
        }
    }
    writing.await.unwrap();
}

pub async fn only_the_newest_changes_are_kept(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    with_house(&store, "h2").await;
    store.commit("h2", 1, &change(2, vec![])).await.unwrap();
    // Revisions may be left out.
    let revs: Vec<i64> = (0..KEPT_CHANGES + 3).map(|n| 2 + n * 2).collect();
    let mut base = 1;
    for rev in &revs {
        store
            .commit("h1", base, &change(*rev, vec![]))
            .await
            .unwrap();
        base = *rev;
    }
    let kept = store.changes_since("h1", 0).await.unwrap();
    assert_eq!(kept.len(), 256);
    assert_eq!(kept[0].rev, revs[3]);
    assert_eq!(kept[0].base_rev, revs[2]);
    assert_eq!(store.changes_since("h2", 0).await.unwrap().len(), 1);
}

pub async fn a_deleted_house_leaves_nothing(store: Arc<dyn Store>) {
    with_user(&store, "u1").await;
    with_house(&store, "h1").await;
    with_box(&store, "e1", "h1", "s1", 1).await;
    let mut news = store.listen();
    let other = store.delete_house("h1", Some(7)).await;
    assert!(matches!(other, Err(StoreError::Conflict)));
    assert!(store.load("h1").await.unwrap().is_some());
    let gone = store.delete_house("h0", Some(1)).await;
    assert!(matches!(gone, Err(StoreError::NotFound { what: "house" })));
    store.delete_house("h1", Some(1)).await.unwrap();
    assert_eq!(store.load("h1").await.unwrap(), None);
    assert_eq!(store.changes_since("h1", 0).await.unwrap(), []);
    assert_eq!(store.device("s1").await.unwrap(), None);
    let all = PlayFilter {
        from: None,
        to: None,
        screen: None,
        before: None,
        limit: 10,
    };
    assert_eq!(store.plays("h1", &all).await.unwrap(), []);
    let again = store.delete_house("h1", None).await;
    assert!(matches!(again, Err(StoreError::NotFound { what: "house" })));
    heard(
        &mut news,
        News::Revoked {
            screen: "s1".to_owned(),
        },
    )
    .await;
    heard(
        &mut news,
        News::House {
            house: "h1".to_owned(),
            rev: 2,
        },
    )
    .await;
}

pub async fn commits_are_heard(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    let mut news = store.listen();
    let stale = store.commit("h1", 7, &change(8, vec![])).await;
    assert!(stale.is_err());
    store.commit("h1", 1, &change(2, vec![])).await.unwrap();
    loop {
        // Of the making, which may still be on its way, or of the change; not of what was refused.
        match next(&mut news).await {
            News::House { rev: 1, .. } => {}
            News::House { house, rev } => {
                assert_eq!((house.as_str(), rev), ("h1", 2));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The next news, which must come.
pub async fn next(news: &mut tokio::sync::broadcast::Receiver<News>) -> News {
    tokio::time::timeout(std::time::Duration::from_secs(30), news.recv())
        .await
        .expect("news")
        .expect("the sender lives")
}

/// Waits until this is told.
pub async fn heard(news: &mut tokio::sync::broadcast::Receiver<News>, wanted: News) {
    while next(news).await != wanted {}
}
