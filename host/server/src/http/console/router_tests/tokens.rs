//! API tokens on the account page; who uses accounts; masked phones looked at for a reason.

use axum::http::{StatusCode, header};
use tianyin_domain::Role;

use super::{PASSWORD, world};

fn between(text: &str, before: &str, after: &str) -> String {
    text.split(before).nth(1).unwrap().split(after).next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_with_the_password_and_revoked_by_an_administrator() {
    let world = world().await;
    world.add_user("clerk", Role::Clerk, None).await;
    let (admin, clerk) = (world.browser("admin").await, world.browser("clerk").await);
    assert!(clerk.see("/account").await.text.contains("还没有令牌"));
    let mut fields = vec![
        ("name", "省平台对接"),
        ("groups", "register"),
        ("groups", "tests"),
        ("days", "30"),
        ("password_now", "wrong-horse-9"),
    ];
    let refused = clerk.post("/account/tokens", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("value=\"tests\" checked"), "{}", refused.text);
    fields[4].1 = PASSWORD;
    let shown = clerk.post("/account/tokens", &fields).await;
    assert_eq!(shown.headers[header::CACHE_CONTROL], "no-store", "{}", shown.text);
    let token = between(&shown.text, "id=\"token\">", "<");
    assert!(token.starts_with("tianyin_") && token.len() > 40, "{token}");
    let from = std::net::IpAddr::from([127, 0, 0, 1]);
    assert!(world.app.token_session(&token, from).unwrap().is_some());
    let page = clerk.see("/account").await.text;
    assert!(
        page.contains("省平台对接") && page.contains("主体、产地、产品和档案、检测结果"),
        "{page}"
    );
    assert!(!page.contains(&token));
    assert_eq!(clerk.see("/lots").await.status, StatusCode::OK);
    // A browser's cookie is no place for a token.
    let mut cookie = world.stranger();
    cookie.cookie = format!("tianyin={token}");
    assert!(cookie.see("/lots").await.goes_to().starts_with("/sign-in"));

    let person = world.app.named_user("clerk").unwrap();
    let (made, _) = world.app.tokens_of(&person).unwrap().remove(0);
    let path = format!("/users/{}/tokens/{}/revoke", person.id, made.id);
    assert_eq!(clerk.post(&path, &[]).await.status, StatusCode::FORBIDDEN);
    let wrong =
        format!("/users/{}/tokens/{}/revoke", world.app.named_user("admin").unwrap().id, made.id);
    assert_eq!(admin.post(&wrong, &[]).await.status, StatusCode::NOT_FOUND);
    assert!(admin.see(&format!("/users/{}", person.id)).await.text.contains("省平台对接"));
    admin.done(&path, &[]).await;
    assert!(world.app.token_session(&token, from).unwrap().is_none());
    assert!(clerk.see("/account").await.text.contains("已失效"));
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_counts_accounts_by_class_and_lists_the_idle() {
    //
    let world = world().await;
    for n in 0..3 {
        world.add_user(&format!("clerk-{n}"), Role::Clerk, None).await;
    }
    let admin = world.browser("admin").await;
    world.browser("clerk-1").await;
    let page = admin.see("/usage").await.text;
    let row = between(&page, ">监管机构</td>", "</tr>");
    let numbers: Vec<&str> =
        row.split("\">").skip(1).map(|cell| cell.split('<').next().unwrap()).collect();
    assert_eq!(numbers, ["4", "2", "2", "2", "2"], "accounts, 7, 30, 90 days, never: {row}");
    assert!(page.contains("clerk-0") && page.contains("clerk-2"));
    assert!(!page.contains(">clerk-1<") && !page.contains(">admin<"), "{page}");
    let csv = admin.see("/usage/idle.csv?idle=never").await;
    assert_eq!(csv.headers[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    assert!(csv.text.contains("clerk-0") && csv.text.lines().count() == 3, "{}", csv.text);
    assert!(
        admin.see("/accesses?status=export").await.text.contains("idle-accounts.csv?idle=never")
    );
    let clerk = world.browser("clerk-0").await;
    assert_eq!(clerk.see("/usage").await.status, StatusCode::FORBIDDEN);
    assert_eq!(clerk.see("/usage/idle.csv").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_is_shown_in_full_for_a_reason_that_is_on_record() {
    let world = world().await;
    world.add_user("clerk", Role::Clerk, None).await;
    let (admin, clerk) = (world.browser("admin").await, world.browser("clerk").await);
    let farmer = [
        ("kind", "farmer"),
        ("name", "李示例"),
        ("area", "430321103"),
        ("contact_phone", "13812345678"),
    ];
    let farmer = admin.done("/operators", &farmer).await;
    assert!(clerk.see(&farmer).await.text.contains("/contact\">查看完整电话"));
    let path = format!("{farmer}/contact");
    let ask = clerk.see(&path).await.text;
    assert!(ask.contains("name=\"reason\"") && !ask.contains("13812345678"));
    let without = clerk.post(&path, &[("reason", " ")]).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!without.text.contains("13812345678"));
    let shown = clerk.post(&path, &[("reason", "通知抽检不合格")]).await;
    assert!(shown.text.contains("13812345678"), "{}", shown.text);
    assert_eq!(shown.headers[header::CACHE_CONTROL], "no-store");
    let accesses = admin.see("/accesses?status=reveal").await.text;
    assert!(accesses.contains("通知抽检不合格") && accesses.contains("查看全号"), "{accesses}");

    // The farmer's own page and a firm's have nothing to show.
    let id = farmer.rsplit('/').next().unwrap().to_owned();
    world.add_user("grower", Role::Producer, Some(id)).await;
    let grower = world.browser("grower").await;
    assert!(!grower.see(&farmer).await.text.contains("/contact\""));
    assert_eq!(grower.post(&path, &[("reason", "看看")]).await.status, StatusCode::FORBIDDEN);
    let firm = [
        ("kind", "cooperative"),
        ("name", "示例合作社"),
        ("uscc", "91110000600037341L"),
        ("area", "430321103"),
        ("contact_phone", "0731-57000000"),
    ];
    let firm = admin.done("/operators", &firm).await;
    assert!(!clerk.see(&firm).await.text.contains("/contact\""));
}
