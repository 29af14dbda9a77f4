//! Reports, play log, commands and alerts.

use std::sync::Arc;

use musebox::db::{
    Challenge, CommandRow, EnrolmentStatus, PlayCursor, PlayFilter, PlayRow, ReportRow, Session,
    Store, StoreError,
};
use serde_json::{Value, json};

use crate::samples::{NOW, enrolment, with_box, with_house, with_user};

fn report(screen: &str, state: Option<Value>, seen: i64, online: bool) -> ReportRow {
    ReportRow {
        screen: screen.to_owned(),
        house: "h1".to_owned(),
        state,
        seen,
        online,
    }
}

fn play(screen: &str, seq: i64, at: i64) -> PlayRow {
    PlayRow {
        house: "h1".to_owned(),
        screen: screen.to_owned(),
        seq,
        at,
        output: "main".to_owned(),
        playlist: (seq % 2 == 0).then(|| "p1".to_owned()),
        item: "i1".to_owned(),
        duration_ms: 9800,
    }
}

fn all(limit: i64) -> PlayFilter {
    PlayFilter {
        from: None,
        to: None,
        screen: None,
        before: None,
        limit,
    }
}

/// A house with the boxes of these screens.
async fn with_screens(store: &Arc<dyn Store>, screens: &[&str]) {
    with_house(store, "h1").await;
    for (rev, screen) in (1..).zip(screens) {
        with_box(store, &format!("e-{screen}"), "h1", screen, rev).await;
    }
}

pub async fn the_newest_report_is_kept(store: Arc<dyn Store>) {
    with_screens(&store, &["s1", "s2", "s3"]).await;
    let playing = Some(json!({"state": "playing"}));
    store.report(&[]).await.unwrap();
    let batch = [
        report("s2", playing.clone(), NOW, true),
        report("s1", Some(json!({"state": "idle"})), NOW, true),
        report("s1", playing.clone(), NOW + 2, true),
        report("s1", Some(json!({"state": "late"})), NOW + 1, true),
    ];
    store.report(&batch).await.unwrap();
    assert_eq!(
        store.reports("h1").await.unwrap(),
        [
            report("s1", playing.clone(), NOW + 2, true),
            report("s2", playing.clone(), NOW, true),
        ]
    );
    // What comes late changes nothing, and who goes is remembered as they were.
    let batch = [
        report("s1", Some(json!({})), NOW + 1, true),
        report("s2", None, NOW + 3, false),
        report("s3", Some(json!({"state": "standby"})), NOW + 3, true),
        report("s3", None, NOW + 3, false),
    ];
    store.report(&batch).await.unwrap();
    assert_eq!(
        store.reports("h1").await.unwrap(),
        [
            report("s1", playing.clone(), NOW + 2, true),
            report("s2", playing, NOW + 3, false),
            report("s3", Some(json!({"state": "standby"})), NOW + 3, false),
        ]
    );
}

pub async fn a_report_of_no_house_is_left_out(store: Arc<dyn Store>) {
    with_screens(&store, &["s1"]).await;
    let nowhere = ReportRow {
        house: "h9".to_owned(),
        ..report("s9", Some(json!({})), NOW, true)
    };
    let batch = [nowhere, report("s1", Some(json!({})), NOW, true)];
    store.report(&batch).await.unwrap();
    assert_eq!(store.reports("h1").await.unwrap().len(), 1);
    assert_eq!(store.reports("h9").await.unwrap(), []);
}

pub async fn a_report_of_a_box_that_was_put_out_is_left_out(store: Arc<dyn Store>) {
    with_screens(&store, &["s1", "s2"]).await;
    with_house(&store, "h2").await;
    let strange = ReportRow {
        house: "h2".to_owned(),
        ..report("s1", Some(json!({})), NOW, true)
    };
    let unknown = report("s9", Some(json!({})), NOW, true);
    let known = report("s2", Some(json!({})), NOW, true);
    store
        .report(&[strange, unknown, known.clone()])
        .await
        .unwrap();
    assert_eq!(store.reports("h2").await.unwrap(), []);
    assert_eq!(
        store.reports("h1").await.unwrap(),
        std::slice::from_ref(&known)
    );
    let online = report("s1", Some(json!({})), NOW, true);
    store.report(&[online]).await.unwrap();
    assert_eq!(store.reports("h1").await.unwrap().len(), 2);
    store.revoke_device("s1", NOW + 1).await.unwrap();
    // Its connection ends after its right to be here, and says so.
    let leaving = report("s1", None, NOW + 2, false);
    store.report(&[leaving]).await.unwrap();
    assert_eq!(
        store.reports("h1").await.unwrap(),
        std::slice::from_ref(&known)
    );
    let silent = store.claim_silent("h1", NOW + 100_000).await.unwrap();
    assert_eq!(silent, [known]);
    // Another box of the same screen is heard again.
    with_box(&store, "e9", "h1", "s1", 3).await;
    let back = report("s1", Some(json!({})), NOW + 3, true);
    store.report(std::slice::from_ref(&back)).await.unwrap();
    assert!(store.reports("h1").await.unwrap().contains(&back));
}

pub async fn silent_screens_are_claimed_once(store: Arc<dyn Store>) {
    with_screens(&store, &["s1", "s2"]).await;
    let batch = [
        report("s1", Some(json!({})), NOW, true),
        report("s2", Some(json!({})), NOW + 100, true),
    ];
    store.report(&batch).await.unwrap();
    let gone = store.mark_offline(NOW + 1).await.unwrap();
    assert_eq!(gone, [("h1".to_owned(), "s1".to_owned())]);
    assert_eq!(store.mark_offline(NOW + 1).await.unwrap(), []);
    let (one, other) = tokio::join!(
        store.claim_silent("h1", NOW + 50),
        store.claim_silent("h1", NOW + 50)
    );
    let claimed = [one.unwrap(), other.unwrap()].concat();
    assert_eq!(claimed, [report("s1", Some(json!({})), NOW, false)]);
    // Its going is no sign of life; its coming is.
    store
        .report(&[report("s1", None, NOW + 10, false)])
        .await
        .unwrap();
    assert_eq!(store.claim_silent("h1", NOW + 50).await.unwrap(), []);
    store
        .report(&[report("s1", None, NOW + 20, true)])
        .await
        .unwrap();
    assert_eq!(store.claim_silent("h1", NOW + 50).await.unwrap().len(), 1);
}

pub async fn plays_are_stored_once(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    let nowhere = PlayRow {
        house: "h9".to_owned(),
        ..play("s9", 1, NOW)
    };
    let batch = [
        play("s1", 1, NOW),
        play("s1", 2, NOW + 10),
        nowhere,
        play("s1", 1, NOW),
    ];
    assert_eq!(store.add_plays(&batch).await.unwrap(), 2);
    assert_eq!(store.add_plays(&batch).await.unwrap(), 0);
    // The box's count began again, at another time.
    assert_eq!(
        store.add_plays(&[play("s1", 1, NOW + 20)]).await.unwrap(),
        1
    );
    assert_eq!(store.add_plays(&[]).await.unwrap(), 0);
    let stored = store.plays("h1", &all(10)).await.unwrap();
    assert_eq!(
        stored,
        [
            play("s1", 1, NOW + 20),
            play("s1", 2, NOW + 10),
            play("s1", 1, NOW)
        ]
    );
    assert_eq!(store.prune_plays(NOW + 10).await.unwrap(), 1);
    assert_eq!(store.plays("h1", &all(10)).await.unwrap().len(), 2);
}

pub async fn plays_are_read_in_pages(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    let mut wanted = Vec::new();
    for seq in 0..50 {
        // Many at the same moment, on screens whose names sort differently by other rules.
        for screen in ["B", "a", "é"] {
            wanted.push(play(screen, seq, NOW + seq / 10));
        }
    }
    store.add_plays(&wanted).await.unwrap();
    wanted.sort_by(|one, other| {
        (other.at, &other.screen, other.seq).cmp(&(one.at, &one.screen, one.seq))
    });
    let mut read = Vec::new();
    let mut filter = all(7);
    loop {
        let page = store.plays("h1", &filter).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.before = Some(PlayCursor {
            at: last.at,
            screen: last.screen.clone(),
            seq: last.seq,
        });
        read.extend(page);
    }
    assert_eq!(read, wanted);
    let some = PlayFilter {
        from: Some(NOW + 1),
        to: Some(NOW + 3),
        screen: Some("a".to_owned()),
        ..all(100)
    };
    wanted.retain(|row| row.screen == "a" && (NOW + 1..NOW + 3).contains(&row.at));
    assert_eq!(store.plays("h1", &some).await.unwrap(), wanted);
    assert_eq!(store.plays("h1", &all(-1)).await.unwrap(), []);
}

pub async fn commands_are_taken_once_and_in_order(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    let command = |id: &str, screen: &str, made: i64| CommandRow {
        id: id.to_owned(),
        house: "h1".to_owned(),
        screen: screen.to_owned(),
        body: json!({"command": "next"}),
        made,
    };
    for (id, screen, made) in [
        ("c9", "s1", NOW),
        ("c1", "s1", NOW),
        ("c2", "s2", NOW),
        ("c0", "s1", NOW - 100),
    ] {
        store.add_command(&command(id, screen, made)).await.unwrap();
    }
    let taken = store.add_command(&command("c1", "s1", NOW)).await;
    assert!(matches!(taken, Err(StoreError::Taken { .. })));
    let (one, other) = tokio::join!(
        store.take_commands("s1", NOW - 50),
        store.take_commands("s1", NOW - 50)
    );
    let commands = [one.unwrap(), other.unwrap()].concat();
    assert_eq!(
        commands,
        [command("c9", "s1", NOW), command("c1", "s1", NOW)]
    );
    assert_eq!(store.take_commands("s1", 0).await.unwrap(), []);
    assert_eq!(store.take_commands("s2", 0).await.unwrap().len(), 1);
}

pub async fn alerts_are_kept(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    assert_eq!(store.alerts("h1").await.unwrap(), None);
    for seconds in [120, 60] {
        let settings = json!({"email": ["a@example.org"], "silent_after_s": seconds});
        store.set_alerts("h1", &settings).await.unwrap();
        assert_eq!(store.alerts("h1").await.unwrap(), Some(settings.clone()));
        assert_eq!(
            store.all_alerts().await.unwrap(),
            [("h1".to_owned(), settings)]
        );
    }
    // A change of what somebody else has changed meanwhile is none.
    let (first, second) = (json!({"silent_after_s": 90}), json!({"email": []}));
    with_house(&store, "h2").await;
    for (was, settings, done) in [
        (Some(&second), &first, false),
        (None, &first, true),
        (None, &second, false),
        (Some(&first), &second, true),
        (Some(&first), &first, false),
    ] {
        let changed = store.change_alerts("h2", was, settings).await;
        assert_eq!(changed.unwrap(), done, "{was:?}");
    }
    assert_eq!(store.alerts("h2").await.unwrap(), Some(second));
    let nowhere = store.change_alerts("h9", None, &json!({})).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound { .. })));
    let nowhere = store.set_alerts("h9", &json!({})).await;
    assert!(matches!(
        nowhere,
        Err(StoreError::NotFound { what: "house" })
    ));
}

pub async fn what_has_expired_is_pruned(store: Arc<dyn Store>) {
    with_user(&store, "u1").await;
    with_house(&store, "h1").await;
    for (token, expires) in [("old", NOW), ("new", NOW + 1)] {
        let session = Session {
            token_hash: token.to_owned(),
            user: "u1".to_owned(),
            csrf: "csrf".to_owned(),
            made: NOW - 1000,
            expires,
        };
        store.create_session(&session).await.unwrap();
        let challenge = Challenge {
            nonce: token.to_owned(),
            key: "key".to_owned(),
            expires,
        };
        store.create_challenge(&challenge).await.unwrap();
    }
    store.create_enrolment(&enrolment("e1")).await.unwrap();
    store.prune(NOW).await.unwrap();
    // Asked as of before, to see what is there.
    assert_eq!(store.session("old", 0).await.unwrap(), None);
    assert!(store.session("new", 0).await.unwrap().is_some());
    assert_eq!(store.take_challenge("old", 0).await.unwrap(), None);
    assert!(store.take_challenge("new", 0).await.unwrap().is_some());
    let status = async |now| {
        let found = store.enrolment("e1", "secret-e1", now).await.unwrap();
        found.map(|one| one.status)
    };
    assert_eq!(status(NOW).await, Some(EnrolmentStatus::Open));
    store.prune(NOW + 600_000).await.unwrap();
    assert_eq!(status(NOW).await, Some(EnrolmentStatus::Expired));
    store.prune(NOW + 600_000 + 86_400_000).await.unwrap();
    assert_eq!(status(NOW).await, None);
}
