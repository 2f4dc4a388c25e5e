//! Photos over the API: taken in, referred to, shown to those who see the record and to nobody else.

use super::*;

const PHOTO: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0 a lotus field";

impl World {
    async fn upload(&self, bytes: Vec<u8>) -> Reply {
        let request = Request::post("/api/v1/blobs")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "image/jpeg")
            .header(header::CONTENT_LENGTH, bytes.len());
        self.send(request.body(Body::from(bytes)).unwrap()).await
    }

    /// The same world as seen by another signed-in person.
    async fn as_producer_of(&self, operator: &str, username: &str) -> String {
        let user = json!({
            "username": username, "name": "示例生产者", "role": "producer", "operator": operator,
            "password": INITIAL,
        });
        self.make("/users", user).await;
        self.first_sign_in(username).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_is_seen_by_those_who_see_its_record() {
    let mut world = world().await;
    let admin = world.token.clone();
    let [operator, site, product, lot] = world.lot_of(cooperative()).await;
    let [other, ..] = world.lot_of(farmer()).await;
    let own = world.as_producer_of(&operator, "grower").await;
    let stranger = world.as_producer_of(&other, "stranger").await;

    world.token = own.clone();
    let blob = world.upload(PHOTO.to_vec()).await.expect(200);
    assert_eq!(blob["kind"], "jpeg");
    assert_eq!(blob["bytes"], PHOTO.len());
    let path = format!("/blobs/{}", blob["hash"].as_str().unwrap());
    assert_eq!(world.upload(PHOTO.to_vec()).await.expect(200), blob, "the same again");
    assert_eq!(world.get(&path).await.status, 200, "its uploader sees it before there is a record");

    // Knowing the digest is not enough, neither to see it nor to put it on one's own record.
    let record = json!({
        "site": site, "product": product, "lot": lot, "kind": "harvest", "date": today(),
        "attachments": [{ "hash": blob["hash"], "kind": "jpeg", "bytes": PHOTO.len(), "name": "莲田.jpg" }],
    });
    world.token = admin.clone();
    assert_eq!(world.get(&path).await.problem(), (404, "not_found".into()));
    let refused = world.post("/activities", record.clone()).await;
    assert_eq!(refused.problem(), (422, "invalid_fields".into()));
    assert_eq!(refused.json()["errors"][0]["code"], "file_not_uploaded");

    world.token = own.clone();
    let made =
        world.call(Method::POST, "/activities", Some(record.clone()), "key-1").await.expect(201);
    assert_eq!(made["attachments"][0]["name"], "莲田.jpg");
    let again = world.call(Method::POST, "/activities", Some(record), "key-1").await;
    assert_eq!((again.status.as_u16(), &again.json()["id"]), (200, &made["id"]));

    for (token, sees) in [(&own, true), (&admin, true), (&stranger, false)] {
        world.token.clone_from(token);
        let file = world.get(&path).await;
        if !sees {
            assert_eq!(file.problem(), (404, "not_found".into()));
            continue;
        }
        assert_eq!((file.status.as_u16(), &file.body[..]), (200, PHOTO));
        assert_eq!(file.header("content-type"), "image/jpeg");
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        assert_eq!(file.header("cache-control"), "private, max-age=31536000, immutable");
        assert!(file.header("content-security-policy").contains("sandbox"));
    }
    world.token.clear();
    assert_eq!(world.get(&path).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_are_refused() {
    let mut world = world().await;
    let large = [PHOTO, &vec![0; 8 << 20]].concat();
    for (bytes, status, code) in [
        (large, 413, "blob_too_large"),
        (b"<html><script>alert(1)</script></html>".to_vec(), 415, "blob_kind"),
        (b"GIF89a".to_vec(), 415, "blob_kind"),
        (Vec::new(), 400, "blob_empty"),
    ] {
        assert_eq!(world.upload(bytes).await.problem(), (status, code.into()));
    }
    // More than was announced is noticed as well: a chunked body announces nothing.
    let chunks = (0..40).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![0xff; 256 << 10])));
    let first = Ok(Bytes::from_static(PHOTO));
    let body = Body::from_stream(futures_util::stream::iter(std::iter::once(first).chain(chunks)));
    let request = Request::post("/api/v1/blobs")
        .header(header::AUTHORIZATION, format!("Bearer {}", world.token));
    let reply = world.send(request.body(body).unwrap()).await;
    assert_eq!(reply.problem(), (413, "blob_too_large".into()));
    let left = std::fs::read_dir(world.app.config.data.join("blobs/incoming")).unwrap().count();
    assert_eq!(left, 0, "what was refused leaves nothing behind");
    for path in
        ["/blobs/..%2f..%2fkeys%2fvault.key", "/blobs/x", &format!("/blobs/{}", "0".repeat(64))]
    {
        assert_eq!(world.get(path).await.problem(), (404, "not_found".into()), "{path}");
    }
    world.token.clear();
    assert_eq!(world.upload(PHOTO.to_vec()).await.status, 401);
}
