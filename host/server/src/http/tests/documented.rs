//! What the document says is what the server does: every route, with everything bad that can be sent to it,
//! answers only what is documented. `cargo xtask api-check` does the same with generated data.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};

use super::{INITIAL, World, farmer, world};
use crate::http::api::document;

/// A request and what it is called when it fails.
struct Try {
    about: &'static str,
    content_type: Option<&'static str>,
    body: &'static str,
    header: Option<(&'static str, &'static str)>,
    query: &'static str,
}

const PLAIN: Try = Try { about: "plain", content_type: None, body: "", header: None, query: "" };
const JSON: Option<&str> = Some("application/json");

const TRIES: [Try; 14] = [
    PLAIN,
    Try { about: "no json", content_type: JSON, ..PLAIN },
    Try { about: "half json", content_type: JSON, body: "{", ..PLAIN },
    Try { about: "a list", content_type: JSON, body: "[]", ..PLAIN },
    Try { about: "empty", content_type: JSON, body: "{}", ..PLAIN },
    Try { about: "unknown field", content_type: JSON, body: r#"{"x":1}"#, ..PLAIN },
    Try { about: "null", content_type: JSON, body: "null", ..PLAIN },
    Try { about: "no utf-8", content_type: JSON, body: "\"\u{0}\"", ..PLAIN },
    Try { about: "text", content_type: Some("text/plain"), body: "x", ..PLAIN },
    Try { about: "bad key", header: Some(("idempotency-key", "a b")), ..PLAIN },
    Try { about: "bad version", header: Some(("if-match", "x")), ..PLAIN },
    Try { about: "unknown parameter", query: "?nope=1", ..PLAIN },
    Try { about: "no number", query: "?limit=x", ..PLAIN },
    Try { about: "bad cursor", query: "?cursor=%FF", ..PLAIN },
];

/// Every operation of the document: verb, path, answers.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap() {
            all.push((verb.to_uppercase(), path.clone(), operation["responses"].clone()));
        }
    }
    assert!(all.len() > 50, "{}", all.len());
    all
}

fn request(verb: &str, path: &str, token: &str, one: &Try) -> Request<Body> {
    let mut request = Request::builder().method(verb).uri(format!("{path}{}", one.query));
    if !token.is_empty() {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if let Some(kind) = one.content_type {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    if let Some((name, value)) = one.header {
        request = request.header(name, value);
    }
    request.body(Body::from(one.body)).unwrap()
}

async fn check(world: &World, who: &str, token: &str) -> usize {
    let document = serde_json::to_value(document()).unwrap();
    let mut seen = 0;
    for (verb, path, answers) in operations(&document) {
        // Ends the session all others are sent with.
        if (verb.as_str(), path.as_str()) == ("DELETE", "/api/v1/session") && !token.is_empty() {
            continue;
        }
        let variable = path.contains('{');
        let values: &[&str] = if variable { &["x", "%E2%82%AC", "a%2Fb", "%FF"] } else { &[""] };
        for value in values {
            let filled =
                path.split('/').map(|part| if part.starts_with('{') { value } else { part });
            let filled: Vec<&str> = filled.collect();
            for one in &TRIES {
                let reply = world.send(request(&verb, &filled.join("/"), token, one)).await;
                let status = reply.status.as_u16();
                let what = format!(
                    "{who}: {verb} {path} {value} {}: {status} {}",
                    one.about,
                    reply.text()
                );
                let documented = &answers[status.to_string()];
                assert!(status < 500 && documented.is_object(), "{what}");
                let kind = reply.header("content-type").to_owned();
                if !reply.body.is_empty() {
                    let kinds = documented["content"].as_object().unwrap();
                    assert!(kinds.keys().any(|known| kind.starts_with(known.as_str())), "{what}");
                }
                if status >= 400 {
                    assert_eq!(reply.problem().0, status, "{what}");
                }
                seen += 1;
            }
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_get_documented_answers() {
    let mut world = world().await;
    let admin = world.token.clone();
    let operator = world.make("/operators", farmer()).await;
    let user = json!({
        "username": "grower", "name": "示例代表", "role": "producer", "operator": operator, "password": INITIAL,
    });
    world.post("/users", user).await.expect(201);
    let grower = world.first_sign_in("grower").await;
    for (who, token) in
        [("administrator", admin.as_str()), ("producer", grower.as_str()), ("nobody", "")]
    {
        let seen = check(&world, who, token).await;
        assert!(seen > 1000, "{seen}");
    }
    // Nobody without a token got further than the door.
    world.token.clear();
    assert_eq!(world.get("/operators").await.status.as_u16(), 401);
}
