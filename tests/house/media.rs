//! Media: uploads in pieces, and what comes back by ranges.

use reqwest::Method;
use serde_json::json;

use crate::support::{Asker, House, PaperBox, upload};

#[tokio::test]
async fn an_upload_goes_on_where_it_was_and_becomes_an_item() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let path = format!("/houses/{}/uploads", ada.only_house().await);
    let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let kind = "application/offset+octet-stream";
    let sha256 = {
        use sha2::{Digest, Sha256};
        crate::support::hex(&Sha256::digest(&bytes))
    };
    let wrong = ada
        .post(&path, json!({"name": "notes.txt", "size": 3}))
        .await
        .is(422);
    assert_eq!(wrong["key"], "name");
    let begin = json!({"name": "Blue waves.mp4", "size": bytes.len(), "sha256": sha256});
    let begun = ada.post(&path, begin).await.is(201);
    let one = format!("{path}/{}", begun["id"].as_str().expect("an id"));
    let part = bytes[..150_000].to_vec();
    let first = ada
        .raw(
            Method::PATCH,
            &one,
            Some((kind, part.clone())),
            &[("upload-offset", "0")],
        )
        .await;
    assert_eq!(
        (first.status.as_u16(), &first.headers["upload-offset"]),
        (204, &"150000".parse().expect("a header"))
    );
    // The same piece again, as after an answer that was lost.
    let again = ada
        .raw(
            Method::PATCH,
            &one,
            Some((kind, part)),
            &[("upload-offset", "0")],
        )
        .await;
    assert_eq!(
        (again.status.as_u16(), &again.headers["upload-offset"]),
        (409, &"150000".parse().expect("a header"))
    );
    let head = ada.send(Method::HEAD, &one, None, &[]).await;
    assert_eq!(head.headers["upload-offset"], "150000");
    let rest = bytes[150_000..].to_vec();
    let done = ada
        .raw(
            Method::PATCH,
            &one,
            Some((kind, rest)),
            &[("upload-offset", "150000")],
        )
        .await;
    let item = done.is(200)["item"].clone();
    assert_eq!(
        (&item["title"], &item["kind"]),
        (&json!("Blue waves"), &json!("video"))
    );
    let source = &item["formats"]["source"];
    assert_eq!(
        (&source["sha256"], &source["size"]),
        (&json!(sha256), &json!(bytes.len()))
    );

    let media = source["src"]
        .as_str()
        .expect("a src")
        .strip_prefix("/api/v1")
        .expect("ours")
        .to_owned();
    let whole = ada.get(&media).await;
    assert_eq!(whole.bytes, bytes);
    let tag = whole.etag();
    let part = ada
        .send(
            Method::GET,
            &media,
            None,
            &[("range", "bytes=10-19"), ("if-range", &tag)],
        )
        .await;
    assert_eq!(
        (part.status.as_u16(), &part.bytes[..]),
        (206, &bytes[10..20])
    );
    assert_eq!(
        part.headers["content-range"],
        format!("bytes 10-19/{}", bytes.len()).as_str()
    );
    let other = ada
        .send(
            Method::GET,
            &media,
            None,
            &[("range", "bytes=10-19"), ("if-range", "\"x\"")],
        )
        .await;
    assert_eq!(
        (other.status.as_u16(), other.bytes.len()),
        (200, bytes.len())
    );
    let outside = ada
        .send(Method::GET, &media, None, &[("range", "bytes=400000-")])
        .await;
    assert_eq!(outside.status, 416);
    let same = ada
        .send(Method::GET, &media, None, &[("if-none-match", &tag)])
        .await;
    assert_eq!(same.status, 304);
    // `HEAD` knows no ranges.
    for ranges in [&[][..], &[("range", "bytes=10-19")]] {
        let head = ada.send(Method::HEAD, &media, None, ranges).await;
        assert_eq!((head.status.as_u16(), head.bytes.len()), (200, 0));
        assert_eq!(
            head.headers["content-length"],
            bytes.len().to_string().as_str()
        );
    }

    // The address that existing clients know, for a box of the house.
    let name = media.rsplit('/').next().expect("a name");
    let foyer = PaperBox::enrol(&house, &ada, path.split('/').nth(2).expect("an id"), 3).await;
    let known = foyer
        .asker(&house)
        .await
        .get(&format!("//wallmuse/ws/s3_get_file/{name}?version=3"))
        .await;
    assert_eq!(known.bytes, bytes);

    // A box hands this on, and whoever has it needs no token.
    let foyer = foyer.asker(&house).await;
    let link = foyer.get(&format!("{media}/link")).await.is(200);
    let url = link["url"].as_str().expect("a link").to_owned();
    let link = url.strip_prefix("/api/v1").expect("ours");
    let nobody = Asker::nobody(&house);
    let part = nobody
        .send(Method::GET, link, None, &[("range", "bytes=0-9")])
        .await;
    assert_eq!((part.status.as_u16(), &part.bytes[..]), (206, &bytes[..10]));
    let other = link.replace(name, "other.mp4");
    nobody.get(&other).await.is(401);
    nobody.get(&format!("{media}/link")).await.is(401);
    nobody.get(&media).await.is(401);

    let items = format!(
        "{}/items/{}",
        path.trim_end_matches("/uploads"),
        item["id"].as_str().expect("an id")
    );
    ada.delete(&items).await.is(204);
    ada.get(&media).await.is(404);
    nobody.get(link).await.is(404);
    foyer.get(&format!("{media}/link")).await.is(404);
}

#[tokio::test]
async fn an_upload_that_is_not_what_was_said_is_refused() {
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    let path = format!("/houses/{}/uploads", ada.only_house().await);
    let kind = "application/offset+octet-stream";
    let begun = ada
        .post(
            &path,
            json!({"name": "a.png", "size": 3, "sha256": "0".repeat(64)}),
        )
        .await
        .is(201);
    let one = format!("{path}/{}", begun["id"].as_str().expect("an id"));
    let wrong = ada
        .raw(
            Method::PATCH,
            &one,
            Some((kind, b"abc".to_vec())),
            &[("upload-offset", "0")],
        )
        .await;
    assert_eq!(wrong.is(422)["key"], "sha256");
    ada.get(&one).await.is(404);
    let begun = ada
        .post(&path, json!({"name": "a.png", "size": 3}))
        .await
        .is(201);
    let one = format!("{path}/{}", begun["id"].as_str().expect("an id"));
    let long = ada
        .raw(
            Method::PATCH,
            &one,
            Some((kind, b"abcd".to_vec())),
            &[("upload-offset", "0")],
        )
        .await;
    assert_eq!(long.status, 413);
    let item = upload(&ada, &path, "a.png", b"abc").await;
    assert_eq!(item["kind"], "image");
}
