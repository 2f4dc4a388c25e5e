//! Set-up, every page of what was made, who sees which, and what two people do at once.

use axum::http::{StatusCode, header};
use tianyin_domain::Role;

use super::{PASSWORD, bare, everything, world};
use crate::app::accounts::new_setup_token;
use crate::http::console::session::encode;

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
