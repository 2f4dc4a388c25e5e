//! The console's pages over its own router, on an appliance in a temporary folder.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accounts;
mod applications;
mod certificate_stats;
mod feedback;
mod imports;
mod inputs;
mod labels;
mod lists;
mod mirror;
mod national_codes;
mod operators;
mod packs;
mod pages;
mod printing;
mod procedures;
mod register;
mod registers;
mod sign_in;
mod supervision;
mod suspicions;
mod tokens;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use tempfile::TempDir;
use tianyin_domain::{Actor, Role};
use tower::ServiceExt as _;

use super::session::encode;
use crate::app::App;
use crate::app::accounts::{Due, NewUser, SetUp, new_setup_token};
use crate::config::Config;

const PASSWORD: &str = "correct-horse-9";
/// What an administrator gives to somebody, to be changed at the first sign-in.
const INITIAL: &str = "first-horse-7";

struct World {
    app: Arc<App>,
    router: Router,
    _dir: TempDir,
}

/// A browser with its session.
struct Browser<'a> {
    world: &'a World,
    cookie: String,
    form_token: String,
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Reply {
    fn goes_to(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |v| v.to_str().unwrap())
    }
}

fn bare() -> World {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { data: dir.path().join("data"), ..Config::default() };
    config.disk.ballast_mib = 0;
    let app = App::open(config).unwrap();
    let router = super::router().with_state(app.clone());
    World { app, router, _dir: dir }
}

async fn world() -> World {
    let world = bare();
    let form = SetUp {
        token: new_setup_token(&world.app.config.data).unwrap(),
        area: "430321".into(),
        public_url: "https://ty.example.test".into(),
        username: "admin".into(),
        name: "示例管理员".into(),
        password: PASSWORD.into(),
    };
    world.app.set_up(form).await.unwrap();
    world
}

impl World {
    async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 24).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Reply { status: parts.status, headers: parts.headers, text }
    }

    async fn see(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)], cookie: &str) -> Reply {
        let pairs: Vec<String> =
            fields.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, cookie)
            .body(Body::from(pairs.join("&")))
            .unwrap();
        self.send(request).await
    }

    async fn browser(&self, username: &str) -> Browser<'_> {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (token, session) = self.app.sign_in(username, PASSWORD, address).await.unwrap();
        let cookie = format!("tianyin={token}");
        Browser { world: self, cookie, form_token: session.form_token }
    }

    /// The first sign-in of somebody whom an administrator added.
    async fn first_browser(&self, username: &str) -> Browser<'_> {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (door, session) = self.app.sign_in(username, INITIAL, address).await.unwrap();
        assert_eq!(session.due, Some(Due::Password));
        let changed = self.app.change_due_password(&door, PASSWORD.into()).await.unwrap();
        assert_eq!(changed.1.due, None);
        self.browser(username).await
    }

    /// A browser without a session.
    fn stranger(&self) -> Browser<'_> {
        Browser { world: self, cookie: String::new(), form_token: String::new() }
    }

    async fn add_user(&self, username: &str, role: Role, operator: Option<String>) {
        let new = NewUser {
            username: username.into(),
            name: "示例".into(),
            role,
            operator,
            agency: None,
            password: PASSWORD.into(),
            initial: false,
        };
        self.app.add_user(&Actor::system("test"), new, None).await.unwrap();
    }
}

impl Browser<'_> {
    async fn see(&self, path: &str) -> Reply {
        let request = Request::get(path).header(header::COOKIE, &self.cookie);
        self.world.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let mut all = vec![("form_token", self.form_token.as_str())];
        all.extend_from_slice(fields);
        self.world.post(path, &all, &self.cookie).await
    }

    /// Keeps the session that an answer began.
    async fn keep_session(&mut self, reply: &Reply) {
        let cookies = reply.headers.get_all(header::SET_COOKIE).into_iter();
        let mut session = cookies.filter_map(|v| v.to_str().unwrap().split(';').next());
        self.cookie = session.find(|v| v.starts_with("tianyin=")).unwrap().to_owned();
        let page = self.see("/account").await.text;
        let token = page.split("data-token=\"").nth(1).unwrap().split('"').next().unwrap();
        self.form_token = token.to_owned();
    }

    /// Posts a form that must be accepted; where it leads.
    async fn done(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let reply = self.post(path, fields).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{path}: {}", reply.text);
        reply.goes_to().split('#').next().unwrap().to_owned()
    }
}

/// What a county needs for a certificate, made by hand through the forms; addresses of the pages.
struct Made {
    operator: String,
    lot: String,
    test: String,
    certificate: String,
}

async fn everything(browser: &Browser<'_>) -> Made {
    let operator = browser
        .done(
            "/operators",
            &[
                ("kind", "cooperative"),
                ("name", "示例合作社"),
                ("uscc", "91110000600037341L"),
                ("area", "430321103"),
                ("contact_phone", "0731-57000000"),
            ],
        )
        .await;
    browser.done(&format!("{operator}/review"), &[("status", "approved")]).await;
    let site = [("name", "一号地"), ("size_mu", "12.5"), ("area", "430321103")];
    browser.done(&format!("{operator}/sites"), &site).await;
    let product = [("name", "湘莲"), ("class", "vegetable"), ("crop", "莲"), ("unit", "公斤")];
    browser.done(&format!("{operator}/products"), &product).await;
    let id = operator.rsplit('/').next().unwrap().to_owned();
    let form = browser.see(&format!("/lots/new?operator={id}")).await.text;
    let chosen = |select: &str| {
        let part = form.split(&format!("name=\"{select}\"")).nth(1).unwrap();
        part.split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let today = tianyin_domain::time::china_date(crate::edge::now()).to_string();
    let (product, site) = (chosen("product"), chosen("site"));
    let lot = browser
        .done(
            "/lots",
            &[
                ("operator", &id),
                ("product", &product),
                ("site", &site),
                ("quantity", "100"),
                ("harvested_on", &today),
            ],
        )
        .await;
    browser
        .done(
            "/activities",
            &[
                ("operator", &id),
                ("product", &product),
                ("site", &site),
                ("kind", "harvest"),
                ("date", &today),
            ],
        )
        .await;
    let test = browser
        .done(
            &format!("{lot}/tests/new"),
            &[
                ("method", "enzyme_inhibition"),
                ("value_kind", "inhibition_rate"),
                ("item", "有机磷和氨基甲酸酯类农药"),
                ("qualifier", "="),
                ("value", "16.54"),
                ("unit", "%"),
                ("tested_on", &today),
            ],
        )
        .await;
    let grant = [("granted_by", "示例代表"), ("evidence", "授权书 1"), ("valid_from", &today)];
    browser.done(&format!("{operator}/authorisations"), &grant).await;
    let issue = [("quantity", "60"), ("basis", "commissioned_test")];
    let certificate = browser.done(&format!("{lot}/issue"), &issue).await;
    Made { operator, lot, test, certificate }
}
