//! Errors, headers and operations, whatever the route.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn operations_answer_before_set_up() {
    let world = bare().await;
    assert_eq!(world.see("/healthz").await.status, 200);
    let ready = world.see("/readyz").await;
    // No gateway was started here, and that is said.
    assert_eq!(ready.status, 503);
    let ready = ready.json();
    assert_eq!((&ready["set_up"], &ready["gateway"]), (&json!(false), &json!(false)));
    assert!(ready["read_only"].is_null());
    let metrics = world.see("/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    let text = metrics.text();
    well_formed(&text);
    for name in [
        "tianyin_build_info{version=",
        "tianyin_journal_lines_total ",
        "tianyin_writer_queue 0",
        "tianyin_journal_sync_seconds_bucket{le=\"+Inf\"} ",
        "tianyin_pipeline_queue{lane=\"3\"} 0",
        "tianyin_rule_seconds_count{rule=\"testing/judge\"} 0",
        "tianyin_plugin_seconds_count{plugin=",
        "tianyin_http_request_seconds_count{route=\"ops\"} 2",
        "tianyin_disk_free_bytes ",
        "process_resident_memory_bytes ",
        "tianyin_messages{status=\"dead\"} 0",
    ] {
        assert!(text.contains(name), "{name} in {text}");
    }
    assert!(text.contains("tianyin_http_requests_total{class=\"5xx\"} 1"), "{text}");
    assert_eq!(world.get("/county").await.problem().0, 401);
    assert_eq!(world.see("/keys/county.pem").await.status, 200);
    assert_eq!(world.see("/t/8K2M7Q4D9XPR3TWA").await.status, 404);
}

/// Every series has its kind told before, once, and a number for a value.
fn well_formed(text: &str) {
    let mut kinds = std::collections::BTreeMap::new();
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(kinds.insert(name, kind).is_none(), "{name} twice");
        }
        if line.starts_with('#') {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap();
        let name = series.split('{').next().unwrap();
        let of_histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .any(|end| name.strip_suffix(end).is_some_and(|n| kinds.get(n) == Some(&"histogram")));
        assert!(of_histogram || kinds.contains_key(name), "{line}");
    }
    assert!(kinds.len() > 40, "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rejection_is_a_problem() {
    let world = world().await;
    assert_eq!(world.get("/no-such").await.problem(), (404, "no_such_page".into()));
    let put = world.call(Method::PUT, "/lots", None, "").await;
    assert_eq!(put.problem(), (405, "method_not_allowed".into()));
    assert!(put.header("allow").contains("GET"), "{:?}", put.headers);
    assert_eq!(world.get("/lots?limt=3").await.problem(), (400, "bad_query".into()));
    assert_eq!(world.get("/lots?limit=0").await.problem(), (400, "bad_query".into()));
    assert_eq!(world.get("/lots?limit=%ff").await.problem(), (400, "bad_query".into()));
    assert_eq!(world.get("/lots?cursor=abc").await.problem(), (400, "bad_cursor".into()));
    assert_eq!(world.get("/lots/lot_none").await.problem(), (404, "not_found".into()));
    let post = |kind: &'static str, body: Vec<u8>| {
        let request = Request::post("/api/v1/lots")
            .header(header::AUTHORIZATION, format!("Bearer {}", world.token))
            .header(header::CONTENT_TYPE, kind);
        world.send(request.body(Body::from(body)).unwrap())
    };
    assert_eq!(
        post("text/plain", b"{}".to_vec()).await.problem(),
        (415, "unsupported_media".into())
    );
    assert_eq!(post("application/json", b"{".to_vec()).await.problem(), (400, "bad_json".into()));
    let huge = vec![b' '; super::super::BODY_BYTES_MAX + 1];
    assert_eq!(post("application/json", huge).await.problem(), (413, "body_too_large".into()));
    let lot = post("application/json", br#"{"prodct":"x","quantity":1.5}"#.to_vec()).await;
    assert_eq!(lot.problem(), (422, "invalid_fields".into()));
    let errors = lot.json()["errors"].clone();
    let fields: Vec<&str> =
        errors.as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["prodct", "product", "site", "quantity", "harvested_on"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_get_a_page_and_programs_json() {
    let world = world().await;
    let page = world.see("/no/such/page").await;
    assert_eq!(page.status, 404);
    assert!(page.header("content-type").starts_with("text/html"), "{}", page.text());
    let plain = world.visit(Method::GET, "/no/such/page", &[]).await;
    assert_eq!(plain.problem(), (404, "no_such_page".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_guarded_and_has_an_id() {
    let world = world().await;
    for path in ["/healthz", "/nothing", "/api/v1/lots", "/t/x", "/api/v1/docs"] {
        let reply = world.visit(Method::GET, path, &[("x-request-id", "abc-1")]).await;
        assert_eq!(reply.header("x-request-id"), "abc-1", "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        let policy = reply.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_cannot_post() {
    let world = world().await;
    let body = [("sec-fetch-site", "cross-site"), ("content-type", "application/json")];
    let reply = world.visit(Method::POST, "/api/v1/session", &body).await;
    assert_eq!(reply.problem(), (403, "cross_site".into()));
    let own = [("sec-fetch-site", "same-origin"), ("content-type", "application/json")];
    let reply = world.visit(Method::POST, "/api/v1/session", &own).await;
    assert_eq!(reply.problem(), (400, "bad_json".into()));
}
