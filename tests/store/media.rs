//! Media files and uploads.

use std::sync::Arc;

use musebox::db::{MediaFile, Store, StoreError, Upload};

use crate::samples::{NOW, with_house};

fn file(name: &str, house: &str) -> MediaFile {
    MediaFile {
        name: name.to_owned(),
        house: house.to_owned(),
        sha256: "ab".repeat(32),
        size: 5_000_000_000,
        mime: "video/mp4".to_owned(),
        made: NOW,
    }
}

fn upload(id: &str, made: i64) -> Upload {
    Upload {
        id: id.to_owned(),
        house: "h1".to_owned(),
        name: "Waves.mp4".to_owned(),
        size: 5_000_000_000,
        sha256: None,
        offset: 0,
        made,
    }
}

pub async fn media_are_kept_by_name(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    with_house(&store, "h2").await;
    for (name, house) in [("b", "h1"), ("a", "h1"), ("c", "h2")] {
        store.create_media(&file(name, house)).await.unwrap();
    }
    assert_eq!(store.media("c").await.unwrap(), Some(file("c", "h2")));
    assert_eq!(
        store.media_of("h1").await.unwrap(),
        [file("a", "h1"), file("b", "h1")]
    );
    let taken = store.create_media(&file("c", "h1")).await;
    assert!(matches!(taken, Err(StoreError::Taken { what: "name" })));
    let nowhere = store.create_media(&file("d", "h3")).await;
    assert!(matches!(
        nowhere,
        Err(StoreError::NotFound { what: "house" })
    ));
    store.delete_media("a").await.unwrap();
    assert_eq!(store.media("a").await.unwrap(), None);
    let again = store.delete_media("a").await;
    assert!(matches!(again, Err(StoreError::NotFound { .. })));
}

pub async fn an_upload_goes_forward_and_becomes_a_file(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    store.create_upload(&upload("up1", NOW)).await.unwrap();
    assert_eq!(store.upload("up1").await.unwrap(), Some(upload("up1", NOW)));
    for at in 0..20 {
        // The same bytes come twice at once.
        let (one, other) = tokio::join!(
            store.advance_upload("up1", at, at + 1),
            store.advance_upload("up1", at, at + 1)
        );
        let lost = match (one, other) {
            (Ok(()), Err(lost)) | (Err(lost), Ok(())) => lost,
            both => panic!("{both:?}"),
        };
        assert!(matches!(lost, StoreError::Conflict), "{lost:?}");
    }
    assert_eq!(store.upload("up1").await.unwrap().unwrap().offset, 20);
    let nowhere = store.advance_upload("up2", 0, 1).await;
    assert!(matches!(
        nowhere,
        Err(StoreError::NotFound { what: "upload" })
    ));
    store.create_media(&file("taken", "h1")).await.unwrap();
    let taken = store.finish_upload("up1", &file("taken", "h1")).await;
    assert!(matches!(taken, Err(StoreError::Taken { .. })));
    assert!(store.upload("up1").await.unwrap().is_some());
    store
        .finish_upload("up1", &file("new", "h1"))
        .await
        .unwrap();
    assert_eq!(store.upload("up1").await.unwrap(), None);
    assert!(store.media("new").await.unwrap().is_some());
    let again = store.finish_upload("up1", &file("newer", "h1")).await;
    assert!(matches!(
        again,
        Err(StoreError::NotFound { what: "upload" })
    ));
    assert_eq!(store.media("newer").await.unwrap(), None);
}

pub async fn old_uploads_are_found(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    for (id, made) in [("up1", NOW), ("up2", NOW + 1), ("up3", NOW - 1)] {
        store.create_upload(&upload(id, made)).await.unwrap();
    }
    let taken = store.create_upload(&upload("up1", NOW)).await;
    assert!(matches!(taken, Err(StoreError::Taken { .. })));
    let old = store.uploads_before(NOW + 1).await.unwrap();
    let ids: Vec<&str> = old.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["up3", "up1"]);
    store.delete_upload("up3").await.unwrap();
    let again = store.delete_upload("up3").await;
    assert!(matches!(again, Err(StoreError::NotFound { .. })));
}
