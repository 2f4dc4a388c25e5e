//! The API: the whole job, and what it refuses.

use std::collections::BTreeSet;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_job() {
    let world = world().await;
    let [operator, _, _, lot] = world.lot_of(cooperative()).await;
    let test = world.test_of(&lot).await;
    assert_eq!((&test["verdict"], &test["origin"]), (&json!("pass"), &json!("typed")));
    assert!(test["judgement"]["findings"][0]["text"].is_string());

    // Without an authorisation nobody but the operator itself issues.
    let request = json!({ "lot": lot, "quantity": "500", "basis": ["commissioned_test"] });
    let refused = world.post("/certificates", request.clone()).await;
    assert_eq!(refused.problem(), (409, "no_authorisation".into()));
    let preview = world.post("/certificates/preview", request).await.expect(200);
    assert_eq!(preview["verdict"], "pass");

    let code = world.certificate_of(&operator, &lot).await;
    let shown = world.get(&format!("/certificates/{code}")).await.expect(200);
    assert_eq!(shown["content"]["producer"], "示例莲业专业合作社");
    assert_eq!(world.get(&format!("/lots/{lot}")).await.expect(200)["certified"], "500");
    for (path, kind, magic) in [
        ("paper.pdf", "application/pdf", &b"%PDF"[..]),
        ("paper.png?dpi=100", "image/png", &b"\x89PNG"[..]),
        ("label.png?dpi=300", "image/png", &b"\x89PNG"[..]),
    ] {
        let file = world.get(&format!("/certificates/{code}/{path}")).await;
        assert_eq!((file.status.as_u16(), file.header("content-type")), (200, kind), "{path}");
        assert!(file.body.starts_with(magic), "{path}");
    }
    let bad = world.get(&format!("/certificates/{code}/label.png?dpi=600")).await;
    assert_eq!(bad.problem(), (400, "bad_query".into()));
    let sheet = |query: &str| format!("/certificates/{code}/labels.pdf?{query}");
    let design = json!({ "size": "40x30", "fields": ["product"] });
    let template = json!({ "name": "小标签", "design": design });
    let template = world.make("/label_templates", template).await;
    for query in ["", "count=3&skip=2", &format!("count=2&template={template}")] {
        let file = world.get(&sheet(query)).await;
        assert_eq!((file.status.as_u16(), file.header("content-type")), (200, "application/pdf"));
        assert!(file.body.starts_with(b"%PDF"), "{query}");
    }
    for (query, problem) in [
        ("count=0", (422, "sheet_labels")),
        ("count=1001", (422, "sheet_labels")),
        ("skip=99", (422, "sheet_skip")),
        ("count=x", (400, "bad_query")),
        ("labels=1", (400, "bad_query")),
        ("template=tpl_x", (404, "not_found")),
    ] {
        let refused = world.get(&sheet(query)).await.problem();
        assert_eq!(refused, (problem.0, problem.1.into()), "{query}");
    }

    // A lot does not give more than it has.
    let more = json!({ "lot": lot, "quantity": "121", "basis": ["commissioned_test"] });
    assert_eq!(world.post("/certificates", more).await.problem(), (409, "lot_exhausted".into()));
    let void = json!({ "reason": "数量填错" });
    world.post(&format!("/certificates/{code}/void"), void.clone()).await.expect(201);
    let again = world.post(&format!("/certificates/{code}/void"), void).await;
    assert_eq!(again.problem(), (409, "certificate_void".into()));
    let sheet = world.get(&sheet("")).await;
    assert_eq!(sheet.problem(), (409, "certificate_void".into()), "nothing is labelled with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rule_says_why_not() {
    let world = world().await;
    let [operator, _, _, lot] = world.lot_of(cooperative()).await;
    let grant = json!({
        "operator": operator, "granted_by": "示例代表", "evidence": "授权书", "valid_from": "2026-01-01",
    });
    world.make("/authorisations", grant).await;
    let request = json!({ "lot": lot, "quantity": "1", "basis": ["commissioned_test"] });
    let refused = world.post("/certificates", request).await;
    assert_eq!(refused.problem(), (422, "rule_refused".into()));
    let findings = refused.json()["findings"].clone();
    assert!(!findings.as_array().unwrap().is_empty(), "{findings}");
    assert!(findings[0]["text"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_is_done_once() {
    let world = world().await;
    let add = |name: &str, key: &'static str| {
        let mut body = cooperative();
        body["name"] = name.into();
        let world = &world;
        async move { world.call(Method::POST, "/operators", Some(body), key).await }
    };
    let first = add("示例甲合作社", "key-1").await;
    assert_eq!(first.status, 201);
    let id = first.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(first.header("location"), format!("/api/v1/operators/{id}"));
    let second = add("示例甲合作社", "key-1").await.expect(200);
    assert_eq!(second["id"], id.as_str());
    let other = add("示例乙合作社", "key-1").await;
    assert_eq!(other.problem(), (422, "idempotency_key_reused".into()));
    let bad = add("示例丙合作社", "has space").await;
    assert_eq!(bad.problem(), (400, "bad_idempotency_key".into()));
    // The same code under another key is a second registration.
    let taken = add("示例丁合作社", "key-2").await;
    assert_eq!(taken.problem(), (409, "uscc_taken".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_page_search_and_filter() {
    let world = world().await;
    for (i, area) in ["430321103", "430321103", "430321100"].into_iter().enumerate() {
        let mut body = farmer();
        body["name"] = format!("示例农户{i}").into();
        body["area"] = area.into();
        world.make("/operators", body).await;
    }
    let names = async |query: &str| {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = world.get(&format!("/operators?{query}{cursor}")).await.expect(200);
            let items = page["items"].as_array().unwrap();
            all.extend(items.iter().map(|i| i["name"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { return all };
            cursor = format!("&cursor={next}");
        }
    };
    assert_eq!(names("limit=1").await, ["示例农户2", "示例农户1", "示例农户0"]);
    assert_eq!(names("limit=2&q=农户1").await, ["示例农户1"]);
    assert_eq!(names("area=430321100").await, ["示例农户2"]);
    assert_eq!(names("status=approved").await, Vec::<String>::new());
    assert_eq!(names("status=submitted&kind=farmer&limit=2").await.len(), 3);
    assert_eq!(world.get("/operators?status=x").await.problem(), (400, "bad_query".into()));
    let sites = world.get("/authorisations").await;
    assert_eq!(sites.problem(), (400, "bad_query".into()));
    assert_eq!(sites.json()["errors"][0]["field"], "operator");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_their_own() {
    let mut world = world().await;
    let [first, ..] = world.lot_of(cooperative()).await;
    let [second, site, product, lot] = world.lot_of(farmer()).await;
    let user = json!({
        "username": "coop", "name": "示例代表", "role": "producer", "operator": first, "password": INITIAL,
    });
    let user = world.post("/users", user).await.expect(201);
    assert!(user.get("credential").is_none());
    world.token = world.first_sign_in("coop").await;
    for path in [format!("/operators/{second}"), format!("/lots/{lot}"), format!("/sites/{site}")] {
        assert_eq!(world.get(&path).await.problem(), (404, "not_found".into()), "{path}");
    }
    let lots = world.get("/lots").await.expect(200);
    assert_eq!(lots["items"].as_array().unwrap().len(), 1);
    let sites = world.get("/sites").await.expect(200);
    assert_eq!(sites["items"].as_array().unwrap().len(), 1);
    let foreign =
        json!({ "product": product, "site": site, "quantity": "1", "harvested_on": today() });
    assert_eq!(world.post("/lots", foreign).await.problem().0, 404);
    let foreign = json!({ "lot": lot, "quantity": "1", "basis": ["self_test"] });
    assert_eq!(world.post("/certificates", foreign.clone()).await.problem().0, 404);
    assert_eq!(world.post("/certificates/preview", foreign).await.problem().0, 404);
    assert_eq!(world.get("/users").await.problem(), (403, "forbidden".into()));
    assert_eq!(world.get("/messages").await.problem(), (403, "forbidden".into()));
    assert_eq!(world.call(Method::POST, "/pairing", None, "").await.problem().0, 403);
    let mut operator = farmer();
    operator["name"] = "示例二".into();
    assert_eq!(world.post("/operators", operator).await.problem(), (403, "forbidden".into()));
    // The catalogue of inputs is everybody's.
    assert_eq!(world.get("/inputs").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_begin_and_end() {
    let mut world = world().await;
    let wrong =
        world.post("/session", json!({ "username": "admin", "password": "nope-nope" })).await;
    assert_eq!(wrong.problem(), (401, "wrong_password".into()));
    assert_eq!(wrong.header("www-authenticate"), "Bearer");
    assert_eq!(world.call(Method::DELETE, "/session", None, "").await.status, 204);
    assert_eq!(world.get("/lots").await.problem(), (401, "session_expired".into()));
    world.token.clear();
    assert_eq!(world.get("/lots").await.problem(), (401, "unauthenticated".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_are_paired_and_approved() {
    let world = world().await;
    assert_eq!(world.get("/pairing").await.expect(200)["open"], false);
    let open = world.call(Method::POST, "/pairing", None, "").await.expect(200);
    assert_eq!(open["code"].as_str().unwrap().len(), 8);
    assert_eq!(world.call(Method::DELETE, "/pairing", None, "").await.status, 204);
    let approval = json!({ "name": "示例检测仪", "kind": "analyzer", "place": "花石镇检测室", "new_token": true });
    let answer = world.post("/devices/an-1/approve", approval).await.expect(201);
    assert!(answer["token"].as_str().unwrap().len() > 40);
    assert_eq!(answer["device"]["online"], false);
    assert!(answer["device"].get("token_sha256").is_none());
    let printer = json!({ "name": "x", "kind": "printer", "dpi": 600 });
    let bad = world.post("/devices/pr-1/approve", printer).await;
    assert_eq!(bad.problem(), (422, "invalid_fields".into()));
    assert_eq!(
        world.post("/devices/an-1/disable", json!({})).await.expect(200)["status"],
        "disabled"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_address_can_change_and_the_county_cannot() {
    let world = world().await;
    let put = |body: Value| world.call(Method::PUT, "/county", Some(body), "");
    let changed = put(json!({ "public_url": "http://10.0.0.8:8080/" })).await.expect(200);
    assert_eq!(changed["public_url"], "http://10.0.0.8:8080");
    let bad = put(json!({ "public_url": "ftp://x" })).await;
    assert_eq!(bad.problem(), (422, "invalid_fields".into()));
    assert_eq!(bad.json()["errors"][0]["field"], "public_url");
    assert_eq!(put(json!({ "area": "110101" })).await.problem().0, 422);
}

/// Fields of records that must not go out; every other field is in its shape.
#[tokio::test(flavor = "multi_thread")]
async fn shapes_keep_step_with_records() {
    let world = world().await;
    let [operator, site, product, lot] = world.lot_of(farmer()).await;
    world.test_of(&lot).await;
    let code = world.certificate_of(&operator, &lot).await;
    let app = &world.app;
    let raw = |table: tianyin_domain::state::Table, id: &str| -> Value {
        use tianyin_domain::State as _;
        serde_json::from_slice(&app.store.raw(table, id).unwrap().unwrap()).unwrap()
    };
    use tianyin_domain::Entity as _;
    use tianyin_domain::{certificate::Certificate, code::Code, lot::Lot};
    use tianyin_domain::{operator::Operator, product::Product, site::Site};
    let cases = [
        (
            format!("/operators/{operator}"),
            raw(Operator::TABLE, &operator),
            &["contact_secret"][..],
        ),
        (format!("/sites/{site}"), raw(Site::TABLE, &site), &[]),
        (format!("/products/{product}"), raw(Product::TABLE, &product), &[]),
        (format!("/lots/{lot}"), raw(Lot::TABLE, &lot), &[]),
        (format!("/certificates/{code}"), raw(Certificate::TABLE, &code), &["producer_name"]),
        (format!("/codes/{code}"), raw(Code::TABLE, &code), &[]),
    ];
    for (path, record, hidden) in cases {
        let shown = world.get(&path).await.expect(200);
        let keys =
            |v: &Value| -> BTreeSet<String> { v.as_object().unwrap().keys().cloned().collect() };
        let missing: Vec<_> = keys(&record).difference(&keys(&shown)).cloned().collect();
        assert_eq!(missing, hidden, "{path}");
    }
}

/// Law art 27: what was written stays; the lot is judged by what counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_corrected_and_struck_out() {
    let world = world().await;
    let [_, site, product, lot] = world.lot_of(cooperative()).await;
    let record = |note: &str| json!({ "site": site, "product": product, "kind": "other", "date": today(), "note": note });
    let wrong = world.make("/activities", record("甲")).await;
    let body = json!({ "data": record("乙"), "reason": "写错" });
    let right = world.make(&format!("/activities/{wrong}/correct"), body.clone()).await;
    let seen = world.get(&format!("/activities/{wrong}")).await.json();
    assert_eq!((&seen["note"], &seen["corrected_by"]), (&"甲".into(), &json!(right)));
    let again = world.post(&format!("/activities/{wrong}/correct"), body).await;
    assert_eq!(again.problem().1, "activity_counts_no_more");
    let struck = json!({ "reason": "记到别的田" });
    world.post(&format!("/activities/{right}/strike"), struck).await.expect(201);
    let seen = world.get(&format!("/activities/{right}")).await.json();
    assert_eq!(
        (&seen["corrects"]["reason"], &seen["struck"]),
        (&"写错".into(), &"记到别的田".into())
    );
    let all = world.get(&format!("/activities?site={site}")).await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 2, "nothing is taken away: {lot}");
}
