//! The router as a whole, on an appliance in a temporary folder.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod anti_copy;
mod api;
mod blobs;
mod chain;
mod conflict;
mod delegations;
mod documented;
mod feedback;
mod frame;
mod inputs;
mod keys;
mod national_codes;
mod packs;
mod results;
mod scan;
mod scan_shown;
mod scan_whole;
mod tls;
mod tokens;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::app::App;
use crate::app::accounts::{SetUp, new_setup_token};
use crate::config::Config;

const PASSWORD: &str = "correct-horse-9";
/// What an administrator gives to somebody, to be changed at the first sign-in.
const INITIAL: &str = "first-horse-7";
/// A public address, so that rate limits apply.
const VISITOR: &str = "203.0.113.7:40000";

struct World {
    app: Arc<App>,
    router: Router,
    token: String,
    _dir: TempDir,
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The JSON of an answer with this status.
    #[track_caller]
    fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// Status and code of a problem.
    fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let body = self.json();
        assert_eq!(body["request_id"], self.header("x-request-id"));
        assert_eq!(body["status"], self.status.as_u16());
        assert!(
            body["detail"].as_str().is_some_and(|d| !d.is_empty() && !d.contains('{')),
            "{body}"
        );
        (self.status.as_u16(), body["code"].as_str().unwrap().to_owned())
    }
}

/// An appliance that nobody has set up.
async fn bare() -> World {
    bare_with(|_| {}).await
}

/// The same with other settings.
async fn bare_with(change: impl FnOnce(&mut Config)) -> World {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { data: dir.path().join("data"), ..Config::default() };
    config.disk.ballast_mib = 0;
    change(&mut config);
    let app = App::open(config).unwrap();
    World { router: super::router(app.clone()), app, token: String::new(), _dir: dir }
}

/// An appliance of the demo county, with its administrator signed in.
async fn world() -> World {
    set_up(bare().await).await
}

async fn set_up(mut world: World) -> World {
    let form = SetUp {
        token: new_setup_token(&world.app.config.data).unwrap(),
        area: "430321".into(),
        public_url: "https://ty.example.test".into(),
        username: "admin".into(),
        name: "示例管理员".into(),
        password: PASSWORD.into(),
    };
    world.app.set_up(form).await.unwrap();
    world.token = world.sign_in("admin", PASSWORD).await;
    world
}

impl World {
    async fn sign_in(&self, username: &str, password: &str) -> String {
        let body = json!({ "username": username, "password": password });
        let session = self.post("/session", body).await.expect(200);
        assert!(session["expires_at"].is_string());
        session["token"].as_str().unwrap().to_owned()
    }

    /// The first sign-in of somebody whom an administrator added.
    async fn first_sign_in(&self, username: &str) -> String {
        let body = json!({ "username": username, "password": INITIAL });
        let due = self.post("/session", body).await;
        assert_eq!(due.problem(), (403, "password_change_due".into()));
        let body = json!({ "username": username, "password": INITIAL, "password_new": PASSWORD });
        self.post("/session/password", body).await.expect(204);
        self.sign_in(username, PASSWORD).await
    }

    async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 24).await.unwrap();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// A request of a visitor.
    async fn visit(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let peer: SocketAddr = VISITOR.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        self.send(request).await
    }

    async fn see(&self, path: &str) -> Reply {
        self.visit(Method::GET, path, &[("accept", "text/html")]).await
    }

    /// A request to the API.
    async fn call(&self, method: Method, path: &str, body: Option<Value>, key: &str) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if !self.token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, None, "").await
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path, Some(body), "").await
    }

    /// Makes a record and gives its id.
    async fn make(&self, path: &str, body: Value) -> String {
        self.post(path, body).await.expect(201)["id"].as_str().unwrap().to_owned()
    }

    /// An approved operator with site, product and lot; ids in this order.
    async fn lot_of(&self, operator: Value) -> [String; 4] {
        let id = self.make("/operators", operator).await;
        let review = json!({ "status": "approved" });
        self.post(&format!("/operators/{id}/review"), review).await.expect(201);
        let site = json!({ "operator": id, "name": "花石一号莲田", "size_mu": "36" });
        let site = self.make("/sites", site).await;
        let product = json!({
            "operator": id, "name": "湘潭湘莲(干莲)", "class": "vegetable", "crop": "莲", "unit": "公斤",
        });
        let product = self.make("/products", product).await;
        let lot = json!({
            "product": product, "site": site, "quantity": "620", "harvested_on": today(),
        });
        let lot = self.make("/lots", lot).await;
        [id, site, product, lot]
    }

    /// A passing test of a lot.
    async fn test_of(&self, lot: &str) -> Value {
        let body = json!({
            "lot": lot,
            "method": "enzyme_inhibition",
            "item": { "code": "pesticide_op_carb", "name": "有机磷和氨基甲酸酯类农药" },
            "value": { "num": "16.54", "unit": "%", "kind": "inhibition_rate" },
            "tested_at": crate::edge::now(),
        });
        self.post("/tests", body).await.expect(201)
    }

    /// A certificate under a standing authorisation; its code.
    async fn certificate_of(&self, operator: &str, lot: &str) -> String {
        let grant = json!({
            "operator": operator, "granted_by": "示例代表", "evidence": "授权书 2026-001", "valid_from": "2026-01-01",
        });
        self.make("/authorisations", grant).await;
        let request = json!({ "lot": lot, "quantity": "500", "basis": ["commissioned_test"] });
        let issued = self.post("/certificates", request).await.expect(201);
        issued["content"]["code"].as_str().unwrap().to_owned()
    }
}

fn today() -> String {
    tianyin_domain::time::china_date(crate::edge::now()).to_string()
}

fn cooperative() -> Value {
    json!({
        "name": "示例莲业专业合作社", "kind": "cooperative", "uscc": "91430321MA4L000001",
        "uscc_override": "示例代码", "area": "430321103", "area_name": "湖南省湘潭市湘潭县花石镇",
        "contact_name": "示例代表", "contact_phone": "0731-57000000",
    })
}

fn farmer() -> Value {
    json!({
        "name": "张示例", "kind": "farmer", "area": "430321103",
        "area_name": "湖南省湘潭市湘潭县花石镇", "address": "日华村 8 组 12 号",
        "contact_name": "张示例", "contact_phone": "13812345678",
    })
}
