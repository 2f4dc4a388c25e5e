//! API tokens and what is due at sign-in, over the API.

use tianyin_domain::token::TokenGroup;
use tianyin_domain::{Actor, Role};

use super::*;
use crate::app::passwords::NewUser;
use crate::app::tokens::NewToken;
use crate::app::totp::code_in;

const HERE: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

impl World {
    async fn token_for(&self, username: &str, groups: &[TokenGroup]) -> (String, String) {
        let user = self.app.named_user(username).unwrap();
        let new = NewToken { name: "对接".into(), groups: groups.to_vec(), days: 30 };
        self.app.make_token(&user, PASSWORD.into(), new, HERE).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_reads_and_does_what_its_groups_say() {
    let mut world = world().await;
    let [.., lot] = world.lot_of(cooperative()).await;
    let outside = (403, "outside_token_scope".to_owned());
    let (_, reader) = world.token_for("admin", &[]).await;
    world.token = reader;
    assert_eq!(world.get(&format!("/lots/{lot}")).await.status, 200);
    assert_eq!(world.get("/users").await.status, 200, "it reads what the person sees");
    assert_eq!(world.post("/operators", farmer()).await.problem(), outside);
    assert_eq!(world.call(Method::DELETE, "/session", None, "").await.problem(), outside);
    assert_eq!(world.get("/pairing").await.problem(), outside, "a way for devices to come in");

    let (_, writer) = world.token_for("admin", &[TokenGroup::Register]).await;
    world.token = writer;
    let operator = world.make("/operators", farmer()).await;
    let lot = json!({ "product": "x", "site": "x", "quantity": "1", "harvested_on": today() });
    assert_eq!(world.post("/lots", lot).await.problem(), outside);
    let user = json!({ "username": "wang", "name": "王", "role": "clerk" });
    assert_eq!(world.post("/users", user).await.problem(), outside, "accounts are for people");
    let policy =
        json!({ "passwords": "asvs5", "initial_days": 7, "totp_for_administrators": false });
    let put = world.call(Method::PUT, "/policy", Some(policy), "").await;
    assert_eq!(put.problem(), outside);
    let why = json!({ "reason": "核对登记信息" });
    let contact = format!("/operators/{operator}/contact");
    assert_eq!(world.post(&contact, why.clone()).await.problem(), outside);
    let (_, clerk) = world.token_for("admin", &[TokenGroup::Contacts]).await;
    world.token = clerk;
    assert_eq!(world.post(&contact, why).await.expect(200)["contact_phone"], "13812345678");
    // Which token did it is on record.
    let journal = std::fs::read_dir(world.app.config.data.join("journal")).unwrap().flatten();
    let lines: String = journal.filter_map(|e| std::fs::read_to_string(e.path()).ok()).collect();
    assert!(lines.contains("\"token\":{\"id\":\"tok_"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_and_tells_so() {
    let mut world = world().await;
    let session = world.token.clone();
    let new = NewUser {
        username: "clerk".into(),
        name: "示例".into(),
        role: Role::Clerk,
        operator: None,
        agency: None,
        password: PASSWORD.into(),
        initial: false,
    };
    world.app.add_user(&Actor::system("test"), new, None).await.unwrap();
    let (id, token) = world.token_for("clerk", &[]).await;
    world.token = token.clone();
    assert_eq!(
        world.get("/users").await.problem(),
        (403, "forbidden".into()),
        "no more than a clerk"
    );
    let all = world.get("/tokens").await.expect(200);
    assert_eq!((&all["items"][0]["works"], &all["items"][0]["id"]), (&json!(true), &json!(id)));
    assert!(all["items"][0]["used_at"].is_string() && all["items"][0].get("sha256").is_none());
    // Used a hundred times a day, written once.
    for _ in 0..5 {
        world.get("/lots").await;
    }
    let clerk = world.sign_in("clerk", PASSWORD).await;
    world.token = clerk;
    world.call(Method::DELETE, &format!("/tokens/{id}"), None, "").await.expect(204);
    world.token = token;
    assert_eq!(world.get("/lots").await.problem(), (401, "token_ended".into()));
    world.token = session;
    let journal = std::fs::read_dir(world.app.config.data.join("journal")).unwrap().flatten();
    let lines: String = journal.filter_map(|e| std::fs::read_to_string(e.path()).ok()).collect();
    assert_eq!(lines.matches("\"token.used\"").count(), 1, "{lines}");
    world.token = "tianyin_unknown".into();
    assert_eq!(world.get("/lots").await.problem(), (401, "token_ended".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_drawn_and_changed_over_the_api() {
    let mut world = world().await;
    let user = json!({ "username": "wang", "name": "王", "role": "clerk" });
    let added = world.call(Method::POST, "/users", Some(user.clone()), "key-1").await.expect(201);
    let drawn = added["initial_password"].as_str().unwrap().to_owned();
    let again = world.call(Method::POST, "/users", Some(user), "key-1").await.expect(200);
    assert!(again.get("initial_password").is_none(), "nobody can have it again");
    let admin = std::mem::take(&mut world.token);
    let sign_in = json!({ "username": "wang", "password": drawn });
    let due = world.post("/session", sign_in).await;
    assert_eq!(due.problem(), (403, "password_change_due".into()));
    let change =
        |old: &str, new: &str| json!({ "username": "wang", "password": old, "password_new": new });
    let wrong = world.post("/session/password", change("nope-nope", PASSWORD)).await;
    assert_eq!(wrong.problem(), (401, "wrong_password".into()));
    let weak = world.post("/session/password", change(&drawn, "password")).await;
    assert_eq!(weak.problem(), (422, "invalid_fields".into()));
    world.post("/session/password", change(&drawn, PASSWORD)).await.expect(204);
    let token = world.sign_in("wang", PASSWORD).await;
    assert_eq!(world.app.sessions_of(added["id"].as_str().unwrap()).len(), 1, "and no others");
    world.token = token;
    world.post("/session/password", change(PASSWORD, "another-horse-9")).await.expect(204);
    assert_eq!(world.get("/lots").await.problem(), (401, "session_expired".into()));
    world.token = admin;
    let gb = json!({ "passwords": "gb22239", "initial_days": 5, "totp_for_administrators": true });
    let set = world.call(Method::PUT, "/policy", Some(gb.clone()), "").await.expect(200);
    assert_eq!(set, gb);
    assert_eq!(world.get("/policy").await.expect(200), gb);
    world.token.clear();
    let enrol = json!({ "username": "admin", "password": PASSWORD });
    let due = world.post("/session", enrol).await;
    assert_eq!(due.problem(), (403, "totp_enrolment_due".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_sends_the_code_with_the_password() {
    let world = world().await;
    let admin = world.app.named_user("admin").unwrap();
    let secret = world.app.totp_draft(&admin).unwrap();
    world.app.enrol(&admin, PASSWORD.into(), &code_in(&secret, 0), HERE).await.unwrap();
    let sign_in =
        |code: Option<String>| json!({ "username": "admin", "password": PASSWORD, "code": code });
    let without = world.post("/session", sign_in(None)).await;
    assert_eq!(without.problem(), (401, "totp_required".into()));
    let wrong = world.post("/session", sign_in(Some("12".into()))).await;
    assert_eq!(wrong.problem(), (401, "wrong_code".into()));
    world.post("/session", sign_in(Some(code_in(&secret, 1)))).await.expect(200);
}
