//! What stands between the password and the pages: initial and old passwords, the second factor.

use axum::http::{StatusCode, header};
use tianyin_domain::state::State;
use tianyin_domain::user::{self, User};
use tianyin_domain::{Actor, Role};

use super::{Browser, INITIAL, PASSWORD, Reply, World, world};
use crate::app::totp::code_in;

fn user(world: &World, username: &str) -> User {
    let state: &dyn State = &world.app.store;
    state.find(user::BY_NAME, username).unwrap().unwrap()
}

/// Signs in by the form; where it leads, and the browser with the cookie it got.
async fn sign_in<'a>(world: &'a World, username: &str, password: &str) -> (Reply, Browser<'a>) {
    let fields = [("username", username), ("password", password), ("next", "/lots?status=held")];
    let reply = world.post("/sign-in", &fields, "").await;
    let mut browser = world.stranger();
    browser.cookie = cookie_of(&reply);
    (reply, browser)
}

fn cookie_of(reply: &Reply) -> String {
    let cookies = reply.headers.get_all(header::SET_COOKIE).into_iter();
    let mut session = cookies.filter_map(|v| v.to_str().unwrap().split(';').next());
    session.find(|v| v.starts_with("tianyin=")).unwrap_or_default().to_owned()
}

/// The token of the door's form.
async fn at_door(browser: &mut Browser<'_>, path: &str) -> String {
    let page = browser.see(path).await;
    assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.goes_to());
    let token = page.text.split("name=\"form_token\" value=\"").nth(1).unwrap();
    browser.form_token = token.split('"').next().unwrap().to_owned();
    page.text
}

fn between(text: &str, before: &str, after: &str) -> String {
    text.split(before).nth(1).unwrap().split(after).next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drawn_password_is_seen_once_and_changed_at_the_first_sign_in() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let fields = [("name", "示例"), ("username", "wang"), ("role", "clerk"), ("password", "")];
    let shown = admin.post("/users", &fields).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    assert_eq!(shown.headers[header::CACHE_CONTROL], "no-store");
    let drawn = between(&shown.text, "id=\"password\">", "<");
    assert_eq!(drawn.len(), 14, "{drawn}");
    let page = admin.see(&format!("/users/{}", user(&world, "wang").id)).await.text;
    assert!(page.contains("待改初始密码") && !page.contains(&drawn));

    let (reply, mut wang) = sign_in(&world, "wang", &drawn).await;
    let door = "/sign-in/password?next=%2Flots%3Fstatus%3Dheld";
    assert_eq!(reply.goes_to(), door);
    // Nothing else opens, and nothing is on record as a sign-in yet.
    for path in ["/", "/account", "/lots"] {
        let to = wang.see(path).await.goes_to().to_owned();
        assert!(to == "/sign-in" || to.starts_with("/sign-in?next="), "{path}: {to}");
    }
    for path in ["/sign-in/code", "/sign-in/totp"] {
        assert!(wang.see(path).await.goes_to().starts_with("/sign-in/password"), "{path}");
    }
    assert_eq!(user(&world, "wang").login.seen_at, None);
    let text = at_door(&mut wang, door).await;
    assert!(text.contains("别人给您设置的"), "{text}");
    let fields = |new, again| [("password", new), ("password_again", again), ("next", "/lots")];
    for (new, again, told) in [
        ("short", "short", "至少 8 位"),
        ("trustno1", "trustno1", "常见密码"),
        (drawn.as_str(), drawn.as_str(), "最近用过的密码"),
        (PASSWORD, "another-horse-9", "两次输入的密码不一致"),
    ] {
        let reply = wang.post("/sign-in/password", &fields(new, again)).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(reply.text.contains(told), "{told}: {}", reply.text);
    }
    let stolen = world.post("/sign-in/password", &fields(PASSWORD, PASSWORD), &wang.cookie).await;
    assert_eq!(stolen.status, StatusCode::FORBIDDEN, "no form of ours");
    let done = wang.post("/sign-in/password", &fields(PASSWORD, PASSWORD)).await;
    assert_eq!(done.goes_to(), "/lots", "{}", done.text);
    assert_ne!(cookie_of(&done), wang.cookie, "another session (ASVS 5.0 7.2.4)");
    assert!(
        wang.see("/lots").await.goes_to().starts_with("/sign-in"),
        "the door's is worth nothing"
    );
    wang.cookie = cookie_of(&done);
    assert_eq!(wang.see("/lots").await.status, StatusCode::OK);
    assert!(user(&world, "wang").login.seen_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn gb_22239_asks_for_composed_passwords_and_keeps_the_last_five() {
    let world = world().await;
    let mut admin = world.browser("admin").await;
    let bad =
        admin.post("/settings/accounts", &[("passwords", "none"), ("initial_days", "99")]).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    let policy = [("passwords", "gb22239"), ("initial_days", "3")];
    assert_eq!(admin.done("/settings/accounts", &policy).await, "/settings");
    let page = admin.see("/settings").await.text;
    assert!(page.contains("value=\"gb22239\" selected") && page.contains("value=\"3\""), "{page}");
    assert!(admin.see("/account").await.text.contains("90 天更换一次"));

    let secrets = || std::fs::read_dir(world.app.config.data.join("vault")).unwrap().count();
    let before = secrets();
    let passwords: Vec<String> = (1..=7).map(|n| format!("Correct-horse-{n}")).collect();
    let mut now = PASSWORD.to_owned();
    let change = |now: &str, new: &str| {
        [("password_now", now), ("password", new), ("password_again", new)]
            .map(|(k, v)| (k, v.to_owned()))
    };
    for (new, told) in
        [("correct-horse", "至少三种"), ("xAdmin-2026-x", "不能包含用户名"), (PASSWORD, "最近用过")]
    {
        let fields = change(&now, new);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let reply = admin.post("/account", &fields).await;
        assert!(reply.text.contains(told), "{told}: {}", reply.text);
    }
    for new in &passwords {
        let fields = change(&now, new);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        assert_eq!(admin.done("/account", &fields).await, "/sign-in");
        let (_, mut next) = sign_in(&world, "admin", new).await;
        let text = next.see("/account").await.text;
        next.form_token = between(&text, "data-token=\"", "\"");
        (admin, now) = (next, new.clone());
    }
    let again = |old: &str| change(&now, old);
    let used = again(&passwords[2]);
    let used: Vec<(&str, &str)> = used.iter().map(|(k, v)| (*k, v.as_str())).collect();
    assert!(admin.post("/account", &used).await.text.contains("最近用过"), "the fifth last");
    assert_eq!(secrets(), before + 4, "older ones are destroyed");
    let free = again(&passwords[1]);
    let free: Vec<(&str, &str)> = free.iter().map(|(k, v)| (*k, v.as_str())).collect();
    assert_eq!(admin.done("/account", &free).await, "/sign-in", "the sixth last may come again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_asked_for_and_counts_once() {
    let world = world().await;
    world.add_user("clerk", Role::Clerk, None).await;
    let clerk = world.browser("clerk").await;
    let page = clerk.see("/account/totp").await;
    assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
    let secret = world.app.totp_draft(&user(&world, "clerk")).unwrap();
    let typed: String = between(&page.text, "id=\"secret\">", "<").split(' ').collect();
    assert_eq!(typed, secret);
    let fields = |code: &str, password: &str| {
        [("code", code.to_owned()), ("password_now", password.to_owned())]
    };
    for (code, password, told) in
        [("000000", "wrong-horse-9", "现在的密码不对"), ("abc", PASSWORD, "动态口令不对")]
    {
        let sent = fields(code, password);
        let sent: Vec<(&str, &str)> = sent.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let reply = clerk.post("/account/totp", &sent).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(reply.text.contains(told), "{told}: {}", reply.text);
    }
    let code = code_in(&secret, 0);
    let shown = clerk.post("/account/totp", &[("code", &code), ("password_now", PASSWORD)]).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    let listed = between(&shown.text, "id=\"recovery\">", "</pre>");
    let recovery: Vec<&str> = listed.lines().filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(recovery.len(), 8, "{listed}");
    let journal = std::fs::read_dir(world.app.config.data.join("journal")).unwrap().flatten();
    let lines: String = journal.filter_map(|e| std::fs::read_to_string(e.path()).ok()).collect();
    assert!(
        lines.contains("totp.enrolled") && !lines.contains(&secret),
        "the secret is in the vault"
    );

    // The password alone opens the door only; a code that was used once is worth nothing.
    let (reply, mut phone) = sign_in(&world, "clerk", PASSWORD).await;
    assert!(reply.goes_to().starts_with("/sign-in/code?next="), "{}", reply.goes_to());
    assert!(phone.see("/").await.goes_to().starts_with("/sign-in"));
    at_door(&mut phone, "/sign-in/code").await;
    let refused = phone.post("/sign-in/code", &[("code", &code)]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("动态口令不对或已用过"), "{}", refused.text);
    let next = code_in(&secret, 1);
    let done = phone.post("/sign-in/code", &[("code", &next), ("next", "/lots")]).await;
    assert_eq!(done.goes_to(), "/lots", "{}", done.text);

    // A recovery code in place of the phone, as people type it, once.
    let lower = recovery[3].to_lowercase();
    let (_, mut lost) = sign_in(&world, "clerk", PASSWORD).await;
    at_door(&mut lost, "/sign-in/code").await;
    let done = lost.post("/sign-in/code", &[("code", &lower)]).await;
    assert_eq!(done.goes_to(), "/", "{}", done.text);
    let (_, mut again) = sign_in(&world, "clerk", PASSWORD).await;
    at_door(&mut again, "/sign-in/code").await;
    let refused = again.post("/sign-in/code", &[("code", &lower)]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "each once");
    assert_eq!(user(&world, "clerk").login.totp.unwrap().recovery.len(), 7);

    // Guessing waits, and the right password does not make it forgotten.
    for _ in 0..6 {
        again.post("/sign-in/code", &[("code", "000001")]).await;
    }
    let waits = again.post("/sign-in/code", &[("code", "000002")]).await;
    assert!(waits.text.contains("尝试次数过多"), "{}", waits.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_switched_off_by_its_owner_or_an_administrator() {
    let world = world().await;
    world.add_user("clerk", Role::Clerk, None).await;
    let clerk = world.browser("clerk").await;
    let person = user(&world, "clerk");
    let secret = world.app.totp_draft(&person).unwrap();
    let from = std::net::IpAddr::from([127, 0, 0, 1]);
    world.app.enrol(&person, PASSWORD.into(), &code_in(&secret, 0), from).await.unwrap();
    let off = "/account/totp/off";
    assert_eq!(clerk.done(off, &[("password_now", "wrong-horse-9")]).await, "/account");
    assert!(user(&world, "clerk").login.totp.is_some(), "not without the password");
    assert_eq!(clerk.done(off, &[("password_now", PASSWORD)]).await, "/account");
    assert!(user(&world, "clerk").login.totp.is_none());

    let secret = world.app.totp_draft(&user(&world, "clerk")).unwrap();
    let code = code_in(&secret, 1);
    let again = clerk.post("/account/totp", &[("code", &code), ("password_now", PASSWORD)]).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text);
    let id = user(&world, "clerk").id;
    let admin = world.browser("admin").await;
    assert!(admin.see(&format!("/users/{id}")).await.text.contains("关闭动态口令"));
    assert_eq!(
        clerk.post(&format!("/users/{id}/totp/remove"), &[]).await.status,
        StatusCode::FORBIDDEN
    );
    admin.done(&format!("/users/{id}/totp/remove"), &[]).await;
    assert!(user(&world, "clerk").login.totp.is_none());
    let page = admin.see(&format!("/users/{id}")).await.text;
    assert!(page.contains("关闭了动态口令"), "on record: {page}");
    assert_eq!(sign_in(&world, "clerk", PASSWORD).await.0.goes_to(), "/lots?status=held");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_county_may_demand_a_second_factor_of_administrators() {
    let world = world().await;
    world.add_user("clerk", Role::Clerk, None).await;
    let admin = world.browser("admin").await;
    let policy = [("passwords", "asvs5"), ("initial_days", "7"), ("totp_for_administrators", "1")];
    admin.done("/settings/accounts", &policy).await;
    assert_eq!(sign_in(&world, "clerk", PASSWORD).await.0.goes_to(), "/lots?status=held");
    let (reply, mut browser) = sign_in(&world, "admin", PASSWORD).await;
    assert!(reply.goes_to().starts_with("/sign-in/totp?next="), "{}", reply.goes_to());
    at_door(&mut browser, "/sign-in/totp").await;
    let wrong = browser.post("/sign-in/totp", &[("code", "abc")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let secret = world.app.totp_draft(&user(&world, "admin")).unwrap();
    let code = code_in(&secret, 0);
    let done = browser.post("/sign-in/totp", &[("code", &code), ("next", "/lots")]).await;
    assert!(
        done.text.contains("id=\"recovery\"") && done.text.contains("href=\"/lots\""),
        "{}",
        done.text
    );
    browser.cookie = cookie_of(&done);
    assert_eq!(browser.see("/lots").await.status, StatusCode::OK);
    // Phone and password lost: the shell of the server takes both away.
    let (shell, admin) = (Actor::system("cli/root(0)"), user(&world, "admin"));
    world.app.remove_totp(&shell, &admin).await.unwrap();
    world.app.reset_password(&shell, "admin", INITIAL.into(), true).await.unwrap();
    let (reply, mut browser) = sign_in(&world, "admin", INITIAL).await;
    assert!(reply.goes_to().starts_with("/sign-in/password"), "{}", reply.goes_to());
    at_door(&mut browser, "/sign-in/password").await;
    let new = [("password", PASSWORD), ("password_again", PASSWORD)];
    let next = browser.post("/sign-in/password", &new).await;
    assert!(next.goes_to().starts_with("/sign-in/totp"), "{}", next.goes_to());
}
