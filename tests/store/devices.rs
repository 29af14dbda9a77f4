//! Boxes and their enrolment.

use std::sync::Arc;

use musebox::db::{
    Challenge, DeviceToken, Enrolment, EnrolmentStatus, News, ReportRow, Store, StoreError,
};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    houses::heard,
    samples::{NOW, change, enrolment, with_box, with_enrolment, with_house, write},
};

async fn status(store: &Arc<dyn Store>, id: &str, now: i64) -> EnrolmentStatus {
    let secret = format!("secret-{id}");
    let found = store.enrolment(id, &secret, now).await.unwrap();
    found.expect("it is there").status
}

async fn with_token(store: &Arc<dyn Store>, token: &str, screen: &str) {
    let token = DeviceToken {
        token_hash: token.to_owned(),
        screen: screen.to_owned(),
        expires: NOW + 900_000,
    };
    store.create_device_token(&token).await.expect("kept");
}

pub async fn a_box_is_approved_with_its_screen(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    let wish = enrolment("e1");
    with_enrolment(&store, &wish).await;
    let found = store.enrolment_by_code("CODE-e1", NOW).await.unwrap();
    let revealed = Enrolment {
        box_nonce: Some("box nonce".to_owned()),
        ..wish
    };
    assert_eq!(found, Some(revealed.clone()));
    assert_eq!(store.enrolment("e1", "guess", NOW).await.unwrap(), None);
    let change = change(2, vec![write("screen", "s1", json!({"name": "Foyer"}))]);
    store
        .approve_enrolment("e1", "h1", "s1", NOW + 1, 1, &change)
        .await
        .unwrap();
    assert_eq!(
        store.enrolment("e1", "secret-e1", NOW + 1).await.unwrap(),
        Some(Enrolment {
            status: EnrolmentStatus::Approved,
            house: Some("h1".to_owned()),
            screen: Some("s1".to_owned()),
            ..revealed
        })
    );
    assert_eq!(store.enrolment_by_code("CODE-e1", NOW).await.unwrap(), None);
    let device = store.device("s1").await.unwrap().unwrap();
    assert_eq!(
        (device.house.as_str(), device.key.as_str()),
        ("h1", "key-e1")
    );
    assert_eq!((device.name.as_str(), device.approved), ("pi", NOW + 1));
    assert_eq!(store.device_by_key("key-e1").await.unwrap(), Some(device));
    let stored = store.load("h1").await.unwrap().unwrap();
    assert_eq!(stored.rev, 2);
    assert!(
        stored
            .resources
            .iter()
            .any(|one| one.kind == "screen" && one.id == "s1")
    );
    assert_eq!(store.changes_since("h1", 1).await.unwrap().len(), 1);
}

pub async fn an_enrolment_that_has_not_revealed_is_not_approved(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    store.create_enrolment(&enrolment("e1")).await.unwrap();
    let change = change(2, vec![]);
    let early = store
        .approve_enrolment("e1", "h1", "s1", NOW, 1, &change)
        .await;
    assert!(matches!(early, Err(StoreError::Conflict)));
    store.reveal_enrolment("e1", "n1", NOW).await.unwrap();
    store.reveal_enrolment("e1", "n1", NOW).await.unwrap();
    let other = store.reveal_enrolment("e1", "n2", NOW).await;
    assert!(matches!(other, Err(StoreError::Conflict)));
    let late = store.reveal_enrolment("e1", "n1", NOW + 600_000).await;
    assert!(matches!(late, Err(StoreError::Conflict)));
    assert_eq!(store.device("s1").await.unwrap(), None);
}

pub async fn an_enrolment_is_approved_once_under_a_race(store: Arc<dyn Store>) {
    for round in 0..10 {
        let id = format!("e{round}");
        with_enrolment(&store, &enrolment(&id)).await;
        let mut racers = JoinSet::new();
        for racer in 0..4 {
            // Each into a house of its own, so that they meet at the enrolment only.
            let (store, id) = (Arc::clone(&store), id.clone());
            let (house, screen) = (format!("h{round}-{racer}"), format!("s{round}-{racer}"));
            with_house(&store, &house).await;
            racers.spawn(async move {
                let change = change(2, vec![write("screen", &screen, json!({}))]);
                let answer = store
                    .approve_enrolment(&id, &house, &screen, NOW, 1, &change)
                    .await;
                let rev = store.load(&house).await.unwrap().unwrap().rev;
                let device = store.device(&screen).await.unwrap();
                match answer {
                    Ok(()) => assert_eq!((rev, device.is_some()), (2, true)),
                    Err(StoreError::Conflict) => assert_eq!((rev, device), (1, None)),
                    Err(other) => panic!("{other:?}"),
                }
                rev - 1
            });
        }
        let won: i64 = racers.join_all().await.into_iter().sum();
        assert_eq!(won, 1);
    }
}

pub async fn a_stale_approval_leaves_the_enrolment_open(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    with_enrolment(&store, &enrolment("e1")).await;
    let change = change(6, vec![write("screen", "s1", json!({}))]);
    let stale = store
        .approve_enrolment("e1", "h1", "s1", NOW, 5, &change)
        .await;
    assert!(matches!(stale, Err(StoreError::Conflict)));
    let nowhere = store
        .approve_enrolment("e1", "h9", "s1", NOW, 5, &change)
        .await;
    assert!(matches!(
        nowhere,
        Err(StoreError::NotFound { what: "house" })
    ));
    assert_eq!(status(&store, "e1", NOW).await, EnrolmentStatus::Open);
    assert_eq!(store.device("s1").await.unwrap(), None);
    assert_eq!(store.load("h1").await.unwrap().unwrap().rev, 1);
}

pub async fn refused_and_expired_enrolments_stay_so(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    for id in ["e1", "e2"] {
        with_enrolment(&store, &enrolment(id)).await;
    }
    store.refuse_enrolment("e1", NOW).await.unwrap();
    let end = NOW + 600_000;
    assert_eq!(status(&store, "e1", NOW).await, EnrolmentStatus::Refused);
    assert_eq!(status(&store, "e2", end - 1).await, EnrolmentStatus::Open);
    assert_eq!(status(&store, "e2", end).await, EnrolmentStatus::Expired);
    assert_eq!(store.enrolment_by_code("CODE-e2", end).await.unwrap(), None);
    for (id, at) in [("e1", NOW), ("e2", end), ("e3", NOW)] {
        let change = change(2, vec![]);
        let answer = store
            .approve_enrolment(id, "h1", "s1", at, 1, &change)
            .await;
        assert!(
            matches!(answer, Err(StoreError::Conflict)),
            "{id}: {answer:?}"
        );
        let answer = store.refuse_enrolment(id, at).await;
        assert!(
            matches!(answer, Err(StoreError::Conflict)),
            "{id}: {answer:?}"
        );
    }
}

pub async fn codes_are_unique_while_open(store: Arc<dyn Store>) {
    let same_code = |id: &str, made: i64| Enrolment {
        code: "BCDF-GHJK".to_owned(),
        made,
        expires: made + 100,
        ..enrolment(id)
    };
    store.create_enrolment(&same_code("e1", NOW)).await.unwrap();
    let taken = store.create_enrolment(&same_code("e2", NOW + 99)).await;
    assert!(matches!(taken, Err(StoreError::Taken { what: "code" })));
    store
        .create_enrolment(&same_code("e3", NOW + 100))
        .await
        .unwrap();
    let found = store
        .enrolment_by_code("BCDF-GHJK", NOW + 100)
        .await
        .unwrap();
    assert_eq!(found.unwrap().id, "e3");
    assert_eq!(status(&store, "e1", NOW).await, EnrolmentStatus::Expired);
}

pub async fn a_box_is_one_screen(store: Arc<dyn Store>) {
    for house in ["h1", "h2"] {
        with_house(&store, house).await;
    }
    with_box(&store, "e1", "h1", "s1", 1).await;
    let again = Enrolment {
        device_key: "key-e1".to_owned(),
        ..enrolment("e2")
    };
    with_enrolment(&store, &again).await;
    // The same box as another screen, and another house's screen.
    let change = change(2, vec![]);
    let other_screen = store
        .approve_enrolment("e2", "h2", "s2", NOW, 1, &change)
        .await;
    assert!(matches!(
        other_screen,
        Err(StoreError::Taken { what: "box's key" })
    ));
    let other_house = store
        .approve_enrolment("e2", "h2", "s1", NOW, 1, &change)
        .await;
    assert!(matches!(
        other_house,
        Err(StoreError::Taken { what: "screen" })
    ));
    assert_eq!(store.load("h2").await.unwrap().unwrap().rev, 1);
    // Once it is out it may come in elsewhere.
    store.revoke_device("s1", NOW).await.unwrap();
    store
        .approve_enrolment("e2", "h2", "s2", NOW, 1, &change)
        .await
        .unwrap();
    let device = store.device_by_key("key-e1").await.unwrap().unwrap();
    assert_eq!(
        (device.house.as_str(), device.screen.as_str()),
        ("h2", "s2")
    );
}

pub async fn a_screen_gets_another_box(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    with_box(&store, "e1", "h1", "s1", 1).await;
    with_token(&store, "t1", "s1").await;
    let mut news = store.listen();
    with_box(&store, "e2", "h1", "s1", 2).await;
    heard(
        &mut news,
        News::Revoked {
            screen: "s1".to_owned(),
        },
    )
    .await;
    assert_eq!(store.device_with_token("t1", NOW).await.unwrap(), None);
    assert_eq!(store.device_by_key("key-e1").await.unwrap(), None);
    assert_eq!(store.device("s1").await.unwrap().unwrap().key, "key-e2");
}

pub async fn a_revoked_box_is_shut_out(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    with_box(&store, "e1", "h1", "s1", 1).await;
    with_token(&store, "t1", "s1").await;
    let device = store.device("s1").await.unwrap();
    assert_eq!(store.device_with_token("t1", NOW).await.unwrap(), device);
    assert_eq!(
        store.device_with_token("t1", NOW + 900_000).await.unwrap(),
        None
    );
    let report = ReportRow {
        screen: "s1".to_owned(),
        house: "h1".to_owned(),
        state: Some(json!({})),
        seen: NOW,
        online: true,
    };
    store.report(&[report]).await.unwrap();
    let mut news = store.listen();
    store.revoke_device("s1", NOW + 1).await.unwrap();
    heard(
        &mut news,
        News::Revoked {
            screen: "s1".to_owned(),
        },
    )
    .await;
    assert_eq!(store.device_with_token("t1", NOW).await.unwrap(), None);
    assert_eq!(store.device_by_key("key-e1").await.unwrap(), None);
    assert_eq!(store.reports("h1").await.unwrap(), []);
    assert_eq!(
        store.device("s1").await.unwrap().unwrap().revoked,
        Some(NOW + 1)
    );
    let again = store.revoke_device("s1", NOW + 2).await;
    assert!(matches!(again, Err(StoreError::NotFound { what: "box" })));
    let token = DeviceToken {
        token_hash: "t2".to_owned(),
        screen: "s1".to_owned(),
        expires: NOW + 900_000,
    };
    let refused = store.create_device_token(&token).await;
    assert!(matches!(refused, Err(StoreError::NotFound { what: "box" })));
}

pub async fn a_challenge_is_taken_once(store: Arc<dyn Store>) {
    let challenge = |nonce: &str| Challenge {
        nonce: nonce.to_owned(),
        key: "key".to_owned(),
        expires: NOW + 100,
    };
    for round in 0..10 {
        let nonce = format!("n{round}");
        store.create_challenge(&challenge(&nonce)).await.unwrap();
        let (one, other) = tokio::join!(
            store.take_challenge(&nonce, NOW),
            store.take_challenge(&nonce, NOW)
        );
        let mut taken = [one.unwrap(), other.unwrap()];
        taken.sort();
        assert_eq!(taken, [None, Some("key".to_owned())]);
    }
    store.create_challenge(&challenge("late")).await.unwrap();
    assert_eq!(store.take_challenge("late", NOW + 100).await.unwrap(), None);
    assert_eq!(store.take_challenge("late", NOW).await.unwrap(), None);
    assert_eq!(store.take_challenge("unknown", NOW).await.unwrap(), None);
}

pub async fn a_box_is_let_in_again_without_a_change(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    with_box(&store, "e1", "h1", "s1", 1).await;
    let again = Enrolment {
        device_key: "key-e1".to_owned(),
        ..enrolment("e2")
    };
    with_enrolment(&store, &again).await;
    let nothing = change(2, vec![]);
    store
        .approve_enrolment("e2", "h1", "s1", NOW + 1, 2, &nothing)
        .await
        .unwrap();
    assert_eq!(store.load("h1").await.unwrap().unwrap().rev, 2);
    let device = store.device_by_key("key-e1").await.unwrap().unwrap();
    assert_eq!((device.screen.as_str(), device.approved), ("s1", NOW + 1));
}
