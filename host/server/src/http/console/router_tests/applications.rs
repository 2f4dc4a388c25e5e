//! Applying on line, papers, the operator's card and its history, through the pages.

use std::net::{IpAddr, Ipv4Addr};

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use tianyin_domain::Role;
use tianyin_domain::document::{self, Document};
use tianyin_domain::operator::{Operator, OperatorStatus};

use super::{Browser, World, world};

const FARM: [(&str, &str); 9] = [
    ("kind", "cooperative"),
    ("name", "示例湘莲合作社"),
    ("uscc", "91350100M000100Y43"),
    ("area", "430321103"),
    ("address", "日华村 8 组"),
    ("contact_name", "张示例"),
    ("contact_phone", "0731-57000000"),
    ("password", "correct-horse-2026"),
    ("password_again", "correct-horse-2026"),
];

/// Applies from a phone: the browser that is signed in then, and the operator.
async fn applied(world: &World) -> (Browser<'_>, Operator) {
    let mut phone = world.stranger();
    let answer = phone.post("/apply", &FARM).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    phone.keep_session(&answer).await;
    let id = answer.goes_to().rsplit('/').next().unwrap().to_owned();
    (phone, world.app.store.get(&id).unwrap().unwrap())
}

#[tokio::test]
async fn somebody_without_an_account_applies_corrects_and_is_approved() {
    let world = world().await;
    let (phone, operator) = applied(&world).await;
    assert_eq!(operator.status, OperatorStatus::Submitted);
    let path = format!("/operators/{}", operator.id);
    let page = phone.see(&path).await.text;
    let code = tianyin_domain::code::grouped(&operator.code);
    assert!(page.contains(&code) && page.contains("撤回申请"), "{page}");

    let admin = world.browser("admin").await;
    let returned = [("status", "returned"), ("reason", "请写清门牌")];
    admin.done(&format!("{path}/review"), &returned).await;
    assert!(phone.see(&path).await.text.contains("请写清门牌"));
    let mut better = FARM;
    better[4].1 = "日华村 8 组 12 号";
    assert_eq!(phone.done(&format!("{path}/edit"), &better[..7]).await, path);
    phone.done(&format!("{path}/withdraw"), &[]).await;
    // A decision on a withdrawn application is refused with its reason.
    let late = admin.post(&format!("{path}/review"), &[("status", "approved")]).await;
    assert_eq!(late.goes_to(), path, "{}", late.text);
    assert_eq!(
        world.app.store.get::<Operator>(&operator.id).unwrap().unwrap().status,
        OperatorStatus::Withdrawn
    );
    phone.done(&format!("{path}/edit"), &better[..7]).await;
    admin.done(&format!("{path}/review"), &[("status", "approved")]).await;
    let page = phone.see(&path).await.text;
    assert!(!page.contains("撤回申请") && !page.contains(&format!("{path}/edit")), "{page}");
    let refused = phone.post(&format!("{path}/edit"), &better[..7]).await;
    assert!(refused.text.contains("已经审核过"), "{}", refused.text);

    let history = admin.see(&format!("{path}/history")).await.text;
    let told = ["登记了这个主体", "已退回 · 请写清门牌", "撤回了入网申请", "已审核"];
    assert!(told.iter().all(|text| history.contains(text)), "{history}");
    // The way back: the code as people type it, and the password.
    let mut again = world.stranger();
    let fields = [("username", code.as_str()), ("password", "correct-horse-2026")];
    let answer = again.post("/sign-in", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    again.keep_session(&answer).await;
    assert_eq!(again.see(&path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_same_name_is_asked_about_once() {
    let world = world().await;
    applied(&world).await;
    let phone = world.stranger();
    let mut other = FARM.to_vec();
    other[2].1 = "91110000600037341L";
    let asked = phone.post("/apply", &other).await;
    assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(asked.text.contains("已有同名主体"), "{}", asked.text);
    assert!(asked.text.contains("name=\"same_name_override\""), "{}", asked.text);
    assert!(!asked.text.contains("correct-horse-2026"), "a password is never sent back");
    other.push(("same_name_override", "分属两个村"));
    assert_eq!(phone.post("/apply", &other).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_paper_is_filed_by_its_owner_seen_by_the_county_and_closed() {
    let world = world().await;
    let (phone, operator) = applied(&world).await;
    let photo = b"\xff\xd8\xff\xe0\0\x10JFIF and what a camera saw".to_vec();
    let blob = upload(&phone, photo).await;
    let attachment = serde_json::json!({
        "hash": blob["hash"], "kind": blob["kind"], "bytes": blob["bytes"], "name": "执照.jpg"
    });
    let attachment = attachment.to_string();
    let fields = [("kind", "licence"), ("title", "营业执照")];
    let nothing = phone.post("/documents", &fields).await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY, "without a file");
    let with_file = [fields[0], fields[1], ("attachment", attachment.as_str())];
    phone.done("/documents", &with_file).await;

    let admin = world.browser("admin").await;
    let file = format!("/blobs/{}", blob["hash"].as_str().unwrap());
    assert_eq!(admin.see(&file).await.status, StatusCode::OK);
    assert!(admin.see("/documents").await.text.contains("营业执照"));
    // Another operator sees neither the paper nor the photo.
    world.add_user("other", Role::Producer, Some(another(&admin).await)).await;
    let other = world.browser("other").await;
    assert_eq!(other.see(&file).await.status, StatusCode::NOT_FOUND);
    assert!(!other.see("/documents").await.text.contains("营业执照"));
    let ids = tianyin_domain::State::ids(&world.app.store, document::BY_OPERATOR, &operator.id, 9);
    let id = ids.unwrap().remove(0);
    let close = format!("/documents/{id}/close");
    assert_eq!(other.post(&close, &[("reason", "错")]).await.status, StatusCode::NOT_FOUND);
    phone.done(&close, &[("reason", "换发新照")]).await;
    let closed: Document = world.app.store.get(&id).unwrap().unwrap();
    assert_eq!(closed.closed.as_deref(), Some("换发新照"));
}

#[tokio::test]
async fn a_card_opens_its_operators_page_after_the_pin() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let path = admin.done("/operators", &FARM[..7]).await;
    let card = format!("{path}/card");
    assert_eq!(admin.post(&card, &[]).await.status, StatusCode::SEE_OTHER, "not approved");
    admin.done(&format!("{path}/review"), &[("status", "approved")]).await;
    let first = printed(&admin.post(&card, &[]).await.text);

    let mut phone = world.stranger();
    let door = phone.see(&first.0).await;
    assert!(door.text.contains("示例湘莲合作社"), "{}", door.text);
    let wrong = phone.post(&first.0, &[("pin", "not it")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("密码不对"), "{}", wrong.text);
    let right = phone.post(&first.0, &[("pin", &first.1)]).await;
    assert_eq!(right.goes_to(), path);
    phone.keep_session(&right).await;
    assert!(phone.see(&path).await.text.contains("示例湘莲合作社"));

    // A new card makes the old one and its session worthless.
    let second = printed(&admin.post(&card, &[]).await.text);
    assert_ne!(first.0, second.0);
    assert_eq!(phone.see(&path).await.status, StatusCode::SEE_OTHER, "to sign in");
    let void = phone.see(&first.0).await.text;
    assert!(void.contains("已失效") && !void.contains("示例湘莲合作社"), "{void}");
    let tried = phone.post(&first.0, &[("pin", &first.1)]).await;
    assert_eq!(tried.status, StatusCode::UNPROCESSABLE_ENTITY);
    // The account has no password to sign in with.
    let operator: Operator =
        world.app.store.get(path.rsplit('/').next().unwrap()).unwrap().unwrap();
    let fields = [("username", operator.code.as_str()), ("password", "")];
    assert_ne!(phone.post("/sign-in", &fields).await.status, StatusCode::SEE_OTHER);
}

/// Id of another operator.
async fn another(admin: &Browser<'_>) -> String {
    let farmer = [
        ("kind", "farmer"),
        ("name", "李示例"),
        ("area", "430321103"),
        ("contact_phone", "13812345678"),
    ];
    admin.done("/operators", &farmer).await.rsplit('/').next().unwrap().to_owned()
}

async fn upload(browser: &Browser<'_>, bytes: Vec<u8>) -> serde_json::Value {
    let request = Request::post("/blobs")
        .header(header::COOKIE, &browser.cookie)
        .header(header::CONTENT_LENGTH, bytes.len())
        .header("x-form-token", &browser.form_token)
        .body(Body::from(bytes));
    let reply = browser.world.send(request.unwrap()).await;
    serde_json::from_str(&reply.text).unwrap()
}

/// Path in the QR code, and PIN, of a printed card.
fn printed(page: &str) -> (String, String) {
    let address = page.split("aria-label=\"HTTP").nth(1).unwrap().split('"').next().unwrap();
    let path = &address[address.find("/O/").unwrap()..];
    let pin = page.split("class=\"big-code\">").last().unwrap().split('<').next().unwrap();
    (path.to_owned(), pin.to_owned())
}

/// However a code is typed, it is one account: neither password nor PIN is guessed faster by that.
#[tokio::test]
async fn attempts_are_counted_by_account_and_not_by_spelling() {
    let world = world().await;
    let (_, operator) = applied(&world).await;
    let admin = world.browser("admin").await;
    let path = format!("/operators/{}", operator.id);
    admin.done(&format!("{path}/review"), &[("status", "approved")]).await;
    let card = printed(&admin.post(&format!("{path}/card"), &[]).await.text);
    let spellings = |n: usize| {
        let (head, tail) = operator.code.split_at(n % 7 + 1);
        [format!("{head}-{tail}"), format!("{head} {tail}").to_lowercase()]
    };
    let mut told = Vec::new();
    for n in 0..4 {
        for code in spellings(n) {
            let from = IpAddr::V4(Ipv4Addr::new(192, 0, 2, told.len() as u8));
            told.push(world.app.sign_in(&code, "wrong-password", from).await.unwrap_err().code());
        }
    }
    assert_eq!(told[..5], ["wrong_password"; 5]);
    assert!(told[5..].contains(&"throttled"), "{told:?}");
    let key = card.0.rsplit('/').next().unwrap();
    let mut told = Vec::new();
    for n in 0..4 {
        for code in spellings(n) {
            let from = IpAddr::V4(Ipv4Addr::new(198, 51, 100, told.len() as u8));
            let answer = world.app.sign_in_by_card(&code, key, "not it", from).await;
            told.push(answer.unwrap_err().code());
        }
    }
    assert_eq!(told[..5], ["wrong_pin"; 5]);
    assert!(told[5..].contains(&"throttled"), "{told:?}");
}
