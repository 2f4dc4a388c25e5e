//! The first minutes: set-up link, county, administrator, sign-in.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use tianyin_tests::appliance::Setting;
use tianyin_tests::http::{self, Answer};
use tianyin_tests::{Appliance, api};

const FORM: [(&str, &str); 7] = [
    ("area", "430321"),
    ("county", "湘潭县"),
    ("public_url", "http://trace.example.cn"),
    ("username", "admin"),
    ("name", "示例管理员"),
    ("password", "correct-horse-2026"),
    ("password_again", "correct-horse-2026"),
];

fn fresh() -> Appliance {
    let mut appliance = Appliance::empty(Setting::new().unwrap()).unwrap();
    appliance.serve().unwrap();
    appliance
}

fn post(appliance: &Appliance, path: &str, fields: &[(&str, &str)]) -> Answer {
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let body = http::form(fields);
    http::send(appliance.setting.http, "POST", path, &headers, body.as_bytes()).unwrap()
}

fn set_up(appliance: &Appliance, token: &str, changed: &[(&str, &str)]) -> Answer {
    let mut fields = vec![("token", token)];
    for (name, value) in FORM {
        let value = changed.iter().find(|(n, _)| *n == name).map_or(value, |(_, v)| v);
        fields.push((name, value));
    }
    post(appliance, "/setup", &fields)
}

/// The session that an answer begins.
fn session_of(answer: &Answer) -> &str {
    let is_session =
        |(name, value): &&(String, String)| name == "set-cookie" && value.starts_with("tianyin=");
    let cookie = &answer.headers.iter().find(is_session).expect("a session").1;
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    cookie.split(';').next().unwrap()
}

#[test]
fn from_the_printed_link_to_a_signed_in_administrator() {
    let appliance = fresh();
    // Health answers from the first second, before set-up.
    assert_eq!(appliance.get("/healthz").unwrap().status, 200);
    let ready = appliance.get("/readyz").unwrap().json().unwrap();
    assert_eq!((&ready["ready"], &ready["set_up"]), (&true.into(), &false.into()));
    for path in ["/", "/operators", "/sign-in"] {
        let answer = appliance.get(path).unwrap();
        assert_eq!((answer.status, answer.header("location")), (303, Some("/setup")), "{path}");
    }
    // Nobody signs in, and the page without a link says how to get one.
    let nobody = api::sign_in(appliance.setting.http, "admin", "correct-horse-2026").unwrap();
    assert!(nobody.status == 401 || nobody.status == 503, "{}", nobody.text());
    assert!(appliance.get("/setup").unwrap().text().contains("tianyin setup-link"));

    let token = appliance.setup_token().unwrap();
    let page = appliance.get(&format!("/setup?token={token}")).unwrap().expect(200).unwrap();
    assert!(page.text().contains("name=\"password_again\""));

    // What is wrong is said, all of it, and nothing is kept of it.
    let wrong = [("password", "short"), ("password_again", "shorter"), ("username", "A B")];
    let refused = set_up(&appliance, &token, &wrong);
    assert_eq!(refused.status, 422, "{}", refused.text());
    let text = refused.text();
    assert!(text.contains("两次输入的密码不一致"), "{text}");
    assert_eq!(appliance.get("/readyz").unwrap().json().unwrap()["set_up"], false);

    let done = set_up(&appliance, &token, &[]);
    assert_eq!(
        (done.status, done.header("location")),
        (303, Some("/agencies/start")),
        "{}",
        done.text()
    );
    let session = session_of(&done);
    let home = http::send(appliance.setting.http, "GET", "/", &[("Cookie", session)], &[]).unwrap();
    assert_eq!(home.status, 200);
    assert!(home.text().contains("湘潭县"));
    assert_eq!(appliance.get("/readyz").unwrap().json().unwrap()["set_up"], true);

    // The link is used up.
    let again = appliance.get(&format!("/setup?token={token}")).unwrap();
    assert_eq!((again.status, again.header("location")), (303, Some("/sign-in")));
    let other = set_up(&appliance, &token, &[("username", "second")]);
    assert_ne!(other.status, 200);
    assert_eq!(
        api::sign_in(appliance.setting.http, "second", "correct-horse-2026").unwrap().status,
        401
    );
}

#[test]
fn another_county_can_have_the_demo_register_to_learn_with() {
    let appliance = fresh();
    let token = appliance.setup_token().unwrap();
    let county = [("area", "371002"), ("county", "环翠区")];
    let mut fields = vec![("token", token.as_str()), ("demo", "1")];
    for (name, value) in FORM {
        let value = county.iter().find(|(n, _)| *n == name).map_or(value, |(_, v)| v);
        fields.push((name, value));
    }
    let done = post(&appliance, "/setup", &fields);
    assert_eq!((done.status, done.header("location")), (303, Some("/agencies/start")));
    let session = [("Cookie", session_of(&done))];
    let page = |path| {
        let answer = http::send(appliance.setting.http, "GET", path, &session, &[]).unwrap();
        assert_eq!(answer.status, 200, "{path}");
        answer.text()
    };
    assert!(page("/operators").contains("示例莲业专业合作社"));
    assert!(page("/lots").contains("小白菜"));
    // Nobody works there yet, and where the plots lie is for people to say.
    assert!(page("/sites?status=missing").contains("花石一号莲田"));
    assert!(page("/agencies/start").contains("第 2 步"));
}

#[test]
fn wrong_and_old_links_are_refused_and_a_new_one_works() {
    let appliance = fresh();
    let token = appliance.setup_token().unwrap();
    for bad in ["", "x", &token[1..]] {
        let refused = set_up(&appliance, bad, &[]);
        assert!(refused.status >= 400, "{bad}: {}", refused.status);
    }
    // Half an hour later.
    let file = appliance.setting.data.join("keys/setup-token");
    let kept = std::fs::read_to_string(&file).unwrap();
    let (digest, _) = kept.trim().split_once(' ').unwrap();
    let then = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(31);
    std::fs::write(&file, format!("{digest} {then}")).unwrap();
    let old = appliance.get(&format!("/setup?token={token}")).unwrap();
    assert!(!old.text().contains("name=\"password_again\""), "an old link still shows the form");
    assert!(set_up(&appliance, &token, &[]).status >= 400);
    assert_eq!(appliance.get("/readyz").unwrap().json().unwrap()["set_up"], false);

    // The service need not be stopped for a new one.
    let link = appliance.run(&["setup-link"]).unwrap();
    let token = link.trim().split_once("token=").unwrap().1.to_owned();
    assert_eq!(set_up(&appliance, &token, &[]).status, 303);
}

#[test]
fn wrong_passwords_wait_longer_and_longer() {
    let appliance = fresh();
    let token = appliance.setup_token().unwrap();
    assert_eq!(set_up(&appliance, &token, &[]).status, 303);
    let address = appliance.setting.http;
    let mut codes = Vec::new();
    for _ in 0..8 {
        let answer = api::sign_in(address, "admin", "wrong-password").unwrap();
        let problem = answer.json().unwrap();
        codes.push((answer.status, problem["code"].as_str().unwrap().to_owned()));
    }
    assert_eq!(codes[0], (401, "wrong_password".to_owned()));
    let last = codes.last().unwrap();
    assert_eq!(last, &(429, "throttled".to_owned()), "{codes:?}");
    // Unknown names are answered like wrong passwords.
    let unknown = api::sign_in(address, "nobody-here", "wrong-password").unwrap();
    assert!(unknown.status == 401 || unknown.status == 429, "{}", unknown.text());
}
