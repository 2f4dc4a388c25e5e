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

#[tokio::test]
async fn before_set_up_every_page_leads_to_it() {
    let world = bare();
    for path in ["/", "/lots", "/users"] {
        assert_eq!(world.see(path).await.goes_to(), "/setup", "{path}");
    }
    assert_eq!(world.see("/sign-in").await.goes_to(), "/setup");
    assert!(world.see("/setup").await.text.contains("setup-link"));
    assert!(!world.see("/setup?token=wrong").await.text.contains("<form"));
    let counties = world.see("/setup/counties?token=wrong&county=%E6%B9%98%E6%BD%AD").await.text;
    assert!(!counties.contains("430321"), "only the link's holder may search");
}

#[tokio::test]
async fn set_up_by_form_signs_in_and_closes_the_door() {
    let world = bare();
    let token = new_setup_token(&world.app.config.data).unwrap();
    let mut fields = vec![
        ("token", token.as_str()),
        ("county", "湘潭县"),
        ("public_url", "http://10.0.0.8:8080"),
        ("name", "示例管理员"),
        ("username", "admin"),
        ("password", PASSWORD),
        ("password_again", "something else"),
    ];
    let refused = world.post("/setup", &fields, "").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("http://10.0.0.8:8080") && !refused.text.contains(PASSWORD));
    fields[6].1 = PASSWORD;
    let done = world.post("/setup", &fields, "").await;
    assert_eq!((done.status, done.goes_to()), (StatusCode::SEE_OTHER, "/agencies/start"));
    let cookies: Vec<_> = done.headers.get_all(header::SET_COOKIE).iter().collect();
    assert!(cookies.iter().any(|c| {
        let c = c.to_str().unwrap();
        c.starts_with("tianyin=") && c.contains("HttpOnly") && c.contains("SameSite=Lax")
    }));
    assert_eq!(world.app.county().unwrap().unwrap().area, "430321");
    assert_eq!(world.see(&format!("/setup?token={token}")).await.goes_to(), "/sign-in");
    assert_eq!(
        world.see("/lots?status=held").await.goes_to(),
        "/sign-in?next=%2Flots%3Fstatus%3Dheld"
    );
}

#[tokio::test]
async fn every_page_shows_what_was_made() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let code = made.certificate.rsplit('/').next().unwrap().to_owned();
    let job = admin
        .post(
            "/devices",
            &[
                ("id", "printer-1"),
                ("name", "示例打印机"),
                ("kind", "printer"),
                ("address", "127.0.0.1:9"),
                ("dpi", "203"),
            ],
        )
        .await;
    assert_eq!(job.goes_to(), "/devices/printer-1", "{}", job.text);
    let print = [("printer", "printer-1"), ("copies", "2")];
    admin.done(&format!("{}/print", made.certificate), &print).await;
    let pages = [
        ("/", "湘莲"),
        ("/operators", "示例合作社"),
        (&made.operator, "一号地"),
        ("/operators?q=示例", "示例合作社"),
        ("/operators/new", "name=\"uscc\""),
        ("/products", "湘莲"),
        ("/inputs", ""),
        ("/inputs/new", "name=\"crop_0\""),
        ("/lots", "示例合作社"),
        (&made.lot, "16.54"),
        ("/lots/new", "示例合作社"),
        ("/lots?status=held", ""),
        ("/lots?status=ready", ""),
        ("/activities", "一号地"),
        ("/steps", ""),
        ("/recalls", ""),
        (&format!("{}/chain", made.lot), "来龙去脉"),
        (&format!("/steps/new?lot={}", made.lot.rsplit('/').next().unwrap()), "拆分"),
        ("/activities/new", "示例合作社"),
        ("/tests", "16.54"),
        (&made.test, "testing/judge"),
        ("/tests?status=unmatched", ""),
        ("/devices", "printer-1"),
        ("/devices/new", "name=\"id\""),
        ("/devices/printer-1", "127.0.0.1:9"),
        ("/messages", ""),
        ("/messages?status=dead", ""),
        ("/certificates", "湘莲"),
        (&made.certificate, "示例打印机"),
        ("/print-jobs", "示例打印机"),
        ("/users", "admin"),
        ("/users/new", "name=\"role\""),
        ("/settings", "ty.example.test"),
        ("/help", ""),
        ("/live/menu", "href=\"/lots\""),
        ("/today/work", "id=\"work\""),
    ];
    for (path, holds) in pages {
        let path = path.replace("示例", &encode("示例"));
        let reply = admin.see(&path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text);
        assert!(reply.text.contains(holds), "{path} lacks {holds}");
        assert!(!reply.text.contains("{request_id}"), "{path}");
        let caching = reply.headers[header::CACHE_CONTROL].to_str().unwrap();
        assert!(caching.contains("private") || caching.contains("no-"), "{path}: {caching}");
    }
    for (path, kind) in
        [("paper.pdf", "application/pdf"), ("paper.png", "image/png"), ("label.png", "image/png")]
    {
        let reply = admin.see(&format!("{}/{path}", made.certificate)).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        assert_eq!(reply.headers[header::CONTENT_TYPE], kind);
    }
    let found = admin.see(&format!("/search?q=HTTPS://TY.EXAMPLE.TEST/T/{code}")).await;
    assert_eq!(found.goes_to(), made.certificate);
}

#[tokio::test]
async fn a_repeated_press_issues_once_and_void_is_final() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let issue = [("quantity", "10"), ("basis", "commissioned_test"), ("once", "press-1")];
    let first = admin.done(&format!("{}/issue", made.lot), &issue).await;
    let second = admin.done(&format!("{}/issue", made.lot), &issue).await;
    assert_eq!(first, second);
    let too_much = [("quantity", "1000"), ("basis", "commissioned_test")];
    let refused = admin.post(&format!("{}/issue", made.lot), &too_much).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("value=\"1000\""), "what was typed is kept");
    let void = format!("{first}/void");
    assert_eq!(admin.post(&void, &[("reason", "")]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    admin.done(&void, &[("reason", "写错了")]).await;
    let page = admin.see(&first).await.text;
    assert!(page.contains("写错了") && page.contains("replaces=") && !page.contains("/void\""));
}

#[tokio::test]
async fn a_form_without_its_token_does_nothing() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let fields = [("name", "x"), ("kind", "pesticide")];
    let reply = world.post("/inputs", &fields, &admin.cookie).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    let wrong = [("form_token", "guess"), ("name", "x"), ("kind", "pesticide")];
    assert_eq!(world.post("/inputs", &wrong, &admin.cookie).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.app.store.count(tianyin_domain::input::ALL, "").unwrap(), 0);
    assert_eq!(world.post("/inputs", &fields, "").await.goes_to(), "/sign-in");
}

#[tokio::test]
async fn producers_see_their_own_and_nothing_else() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let other = admin
        .done(
            "/operators",
            &[
                ("kind", "farmer"),
                ("name", "李示例"),
                ("area", "430321103"),
                ("contact_phone", "13812345678"),
            ],
        )
        .await;
    assert!(!admin.see(&other).await.text.contains("13812345678"), "masked on every page");
    let other_id = other.rsplit('/').next().unwrap().to_owned();
    world.add_user("farmer", Role::Producer, Some(other_id)).await;
    let farmer = world.browser("farmer").await;
    for path in
        ["/", "/lots", "/activities", "/tests", "/certificates", "/products", "/inputs", &other]
    {
        let reply = farmer.see(path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        assert!(!reply.text.contains("示例合作社"), "{path} shows another operator");
    }
    assert_eq!(farmer.see("/operators").await.goes_to(), other);
    for path in [&made.operator, &made.lot, &made.test, &made.certificate] {
        assert_eq!(farmer.see(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let pdf = format!("{}/paper.pdf", made.certificate);
    assert_eq!(farmer.see(&pdf).await.status, StatusCode::NOT_FOUND);
    let preview = format!("{}/issue/preview?basis=commissioned_test", made.lot);
    assert_eq!(farmer.see(&preview).await.status, StatusCode::NOT_FOUND);
    for path in [
        "/devices",
        "/devices/new",
        "/messages",
        "/users",
        "/users/new",
        "/settings",
        "/operators/new",
        "/inputs/new",
    ] {
        let reply = farmer.see(path).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path}");
        assert!(
            reply.text.contains("href=\"/help\""),
            "{path}: the error page is a page of the console"
        );
    }
    let void = farmer.post(&format!("{}/void", made.certificate), &[("reason", "x")]).await;
    assert_eq!(void.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn clerks_have_no_keys_to_settings() {
    let world = world().await;
    world.add_user("clerk", Role::Clerk, None).await;
    let clerk = world.browser("clerk").await;
    for path in ["/", "/operators/new", "/devices", "/messages", "/inputs/new"] {
        assert_eq!(clerk.see(path).await.status, StatusCode::OK, "{path}");
    }
    for path in ["/users", "/settings", "/devices/new", "/devices/pairing"] {
        assert_eq!(clerk.see(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let pairing = clerk.post("/devices/pairing", &[("on", "1")]).await;
    assert_eq!(pairing.status, StatusCode::FORBIDDEN);
    assert!(world.app.pairing().is_none());
}

#[tokio::test]
async fn a_device_token_is_shown_once_and_never_kept() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let device = [("id", "an-1"), ("name", "示例检测仪"), ("kind", "analyzer")];
    let reply = admin.post("/devices", &device).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    assert_eq!(reply.headers[header::CACHE_CONTROL], "no-store");
    let token = reply.text.split("id=\"token\">").nth(1).unwrap().split('<').next().unwrap();
    assert!(world.app.admit_device("an-1", token.as_bytes()).await.unwrap());
    assert!(!admin.see("/devices/an-1").await.text.contains(token));
    let again = admin.post("/devices", &device).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "an id is given once");
    // Saving without the box ticked keeps the token.
    admin.done("/devices/an-1", &device).await;
    assert!(world.app.admit_device("an-1", token.as_bytes()).await.unwrap());
}

#[tokio::test]
async fn a_wrong_credit_code_asks_for_a_reason() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let mut fields = vec![
        ("kind", "enterprise"),
        ("name", "示例公司"),
        ("uscc", "91350211M00013FA1N"),
        ("area", "430321103"),
        ("contact_phone", "0731-57000000"),
    ];
    let refused = admin.post("/operators", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("name=\"uscc_override\""));
    fields.push(("uscc_override", "已核对执照原件"));
    let page = admin.done("/operators", &fields).await;
    assert!(admin.see(&page).await.text.contains("已核对执照原件"));
    let twice = admin.post("/operators", &fields).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    let note = admin.see("/operators/uscc?uscc=9I110000600037341L").await.text;
    assert!(note.contains("data-value=\"91110000600037341L\""), "{note}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clerks_at_one_operator_choose_between_both_values() {
    let world = world().await;
    world.add_user("second", Role::Clerk, None).await;
    let (first, second) = (world.browser("admin").await, world.browser("second").await);
    let form = [
        ("kind", "cooperative"),
        ("name", "示例合作社"),
        ("uscc", "91110000600037341L"),
        ("area", "430321103"),
        ("contact_phone", "0731-57000000"),
    ];
    let operator = first.done("/operators", &form).await;
    let version_in = |text: &str| {
        let part = text.split("name=\"version\" value=\"").nth(1).expect("a version").to_owned();
        part.split('"').next().unwrap().to_owned()
    };
    let seen = version_in(&second.see(&operator).await.text);
    let review = format!("{operator}/review");
    let returned = [("status", "returned"), ("reason", "缺少执照"), ("version", seen.as_str())];
    first.done(&review, &returned).await;

    let late = second.post(&review, &[("status", "approved"), ("version", &seen)]).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.text);
    for text in ["示例管理员", "缺少执照", "id=\"clash\"", "name=\"status\" value=\"approved\""]
    {
        assert!(late.text.contains(text), "{text} in {}", late.text);
    }
    let now = version_in(&late.text);
    assert_ne!(now, seen);
    second.done(&review, &[("status", "approved"), ("version", &now)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_form_made_before_another_certificate_asks_again() {
    let world = world().await;
    let browser = world.browser("admin").await;
    let made = everything(&browser).await;
    let issue = format!("{}/issue", made.lot);
    let old = "1";
    let form = [("quantity", "1"), ("basis", "commissioned_test"), ("version", old)];
    let late = browser.post(&issue, &form).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.text);
    assert!(late.text.contains("id=\"clash\""), "{}", late.text);
    assert!(late.text.contains("name=\"quantity\" value=\"1\""), "{}", late.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_page_is_for_administrators_and_says_what_is_wrong() {
    let world = world().await;
    world.add_user("clerk", Role::Clerk, None).await;
    let (admin, clerk) = (world.browser("admin").await, world.browser("clerk").await);
    assert_eq!(clerk.see("/health").await.status, StatusCode::FORBIDDEN);
    let page = admin.see("/health").await;
    assert_eq!(page.status, StatusCode::OK);
    // No gateway was started here.
    for text in ["id=\"part-devices\"", "part bad", "设备接入没有启动", "怎么办"] {
        assert!(page.text.contains(text), "{text} in {}", page.text);
    }
    assert!(page.text.contains("id=\"part-data\""), "{}", page.text);
    let parts = admin.see("/health/now").await.text;
    assert!(parts.starts_with("<div class=\"stack\" id=\"health\""), "{parts}");
    // Everybody learns that something is wrong, not everybody what.
    assert!(clerk.see("/").await.text.contains("系统出现故障,请联系管理员"));
    assert!(admin.see("/").await.text.contains("href=\"/health\""));
}
