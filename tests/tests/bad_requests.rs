//! What people and programs do wrong over HTTP: every problem has its code and says what to do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use tianyin_tests::api::{self, Api};
use tianyin_tests::http::{self, Answer};
use tianyin_tests::{Appliance, until};

fn appliance() -> &'static Appliance {
    static SHARED: OnceLock<Appliance> = OnceLock::new();
    SHARED.get_or_init(|| Appliance::start().unwrap())
}

fn api() -> Api {
    static SHARED: OnceLock<Api> = OnceLock::new();
    SHARED.get_or_init(|| appliance().api("admin").unwrap()).clone()
}

/// A problem as RFC 9457 wants it, with a sentence in Chinese and the request's id.
fn problem(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{}",
        answer.text()
    );
    let problem = answer.json().unwrap();
    assert_eq!(problem["code"], code, "{problem}");
    assert_eq!(problem["status"], status);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.chars().any(is_chinese) && !detail.contains('{'), "{detail}");
    assert_eq!(problem["request_id"].as_str(), answer.header("x-request-id"));
    problem
}

fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// Codes of the bad fields, by field.
fn fields(problem: &Value) -> Vec<(String, String)> {
    let errors = problem["errors"].as_array().unwrap();
    let text = |error: &Value, key: &str| error[key].as_str().unwrap().to_owned();
    errors.iter().map(|e| (text(e, "field"), text(e, "code"))).collect()
}

fn operator() -> Value {
    json!({
        "name": "示例测试农户", "kind": "farmer", "area": "430321100", "area_name": "湖南省湘潭市湘潭县易俗河镇",
        "contact_phone": "13800000099",
    })
}

#[test]
fn who_asks_must_be_known() {
    let address = appliance().setting.http;
    let nobody = http::get(address, "/api/v1/lots").unwrap();
    problem(&nobody, 401, "unauthenticated");
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
    let wrong = Api::with_token(address, "made-up").send("GET", "/lots", &[], &[]).unwrap();
    problem(&wrong, 401, "session_expired");
    problem(&api::sign_in(address, "clerk", "not the password").unwrap(), 401, "wrong_password");

    let signed = Api::sign_in(address, "clerk", appliance().demo.password()).unwrap();
    signed.send("DELETE", "/session", &[], &[]).unwrap().expect(204).unwrap();
    problem(&signed.send("GET", "/lots", &[], &[]).unwrap(), 401, "session_expired");

    // Pages send people to sign in, and remember where they wanted to go.
    let page = http::get(address, "/lots").unwrap();
    assert_eq!((page.status, page.header("location")), (303, Some("/sign-in?next=%2Flots")));
    let other_site =
        [("Origin", "http://evil.example"), ("Content-Type", "application/x-www-form-urlencoded")];
    let crossed =
        http::send(address, "POST", "/sign-in", &other_site, b"username=a&password=b").unwrap();
    assert_eq!(crossed.status, 403, "{}", crossed.text());
}

#[test]
fn bodies_that_cannot_be_read() {
    let json_type = [("Content-Type", "application/json")];
    let post = |headers: &[(&str, &str)], body: &[u8]| {
        api().send("POST", "/operators", headers, body).unwrap()
    };
    for broken in [&b"{\"name\":"[..], b"", b"\xff\xfe", b"nonsense"] {
        problem(&post(&json_type, broken), 400, "bad_json");
    }
    problem(&post(&[("Content-Type", "text/plain")], b"{}"), 415, "unsupported_media");
    problem(&post(&json_type, &vec![b' '; 1_100_000]), 413, "body_too_large");

    // Every bad field at once, by name; unknown keys, too.
    let mut body = operator();
    for (key, value) in [("kind", json!("wizard")), ("name", json!(7)), ("nmae", json!("x"))] {
        body[key] = value;
    }
    body.as_object_mut().unwrap().remove("contact_phone");
    let answer = api().post("/operators", &body).unwrap();
    let mut found = fields(&problem(&answer, 422, "invalid_fields"));
    found.sort();
    let named: Vec<(&str, &str)> = found.iter().map(|(f, c)| (f.as_str(), c.as_str())).collect();
    assert_eq!(
        named,
        [
            ("contact_phone", "required"),
            ("kind", "wrong_type"),
            ("name", "wrong_type"),
            ("nmae", "unknown_field")
        ]
    );
}

#[test]
fn values_that_are_understood_but_wrong() {
    let company = |uscc: &str| {
        let mut body = operator();
        body["name"] = "示例测试公司".into();
        body["kind"] = "enterprise".into();
        body["uscc"] = uscc.into();
        fields(&problem(&api().post("/operators", &body).unwrap(), 422, "invalid_fields"))
    };
    let field = |code: &str| vec![("uscc".to_owned(), code.to_owned())];
    assert_eq!(company("91430321MADEM00011"), field("uscc_check"));
    assert_eq!(company("123"), field("uscc_malformed"));
    let mut body = operator();
    body["uscc"] = "91430321MADEM0001X".into();
    let farmer = fields(&problem(&api().post("/operators", &body).unwrap(), 422, "invalid_fields"));
    assert_eq!(farmer, field("farmer_has_no_uscc"));

    let lot = api().get(&format!("/lots/{}", appliance().demo.lots[2].id)).unwrap();
    let open = |quantity: &str, day: &str| json!({ "product": lot["product"], "site": lot["site"], "quantity": quantity, "harvested_on": day });
    let today = jiff::tz::Offset::constant(8).to_datetime(jiff::Timestamp::now()).date();
    let tomorrow = today.tomorrow().unwrap().to_string();
    for (quantity, day, field, code) in [
        ("0", today.to_string(), "quantity", "bad_quantity"),
        ("1.2345", today.to_string(), "quantity", "bad_quantity"),
        ("5", tomorrow, "harvested_on", "in_future"),
        ("5", "2026-02-30".to_owned(), "harvested_on", "wrong_type"),
        ("five", today.to_string(), "quantity", "wrong_type"),
    ] {
        let answer = api().post("/lots", &open(quantity, &day)).unwrap();
        let found = fields(&problem(&answer, 422, "invalid_fields"));
        assert_eq!(found, [(field.to_owned(), code.to_owned())], "{quantity} {day}");
    }
}

#[test]
fn addresses_and_queries_that_lead_nowhere() {
    for (path, status, code) in [
        ("/lots/lot_00000000000000000000000000", 404, "not_found"),
        ("/lots/..%2f..%2fetc", 404, "not_found"),
        ("/nothing-here", 404, "no_such_page"),
        ("/lots?colour=red", 400, "bad_query"),
        ("/lots?limit=0", 400, "bad_query"),
        ("/lots?limit=many", 400, "bad_query"),
        ("/lots?cursor=made-up", 400, "bad_cursor"),
        ("/tests?verdict=perhaps", 400, "bad_query"),
        ("/codes/0000000000000000", 404, "not_found"),
        ("/codes/0000000000000001", 404, "mistyped"),
        ("/codes/short", 404, "not_a_code"),
    ] {
        let answer = api().send("GET", path, &[], &[]).unwrap();
        problem(&answer, status, code);
    }
    problem(&api().send("DELETE", "/lots", &[], &[]).unwrap(), 405, "method_not_allowed");
}

#[test]
fn a_repeated_request_is_done_once() {
    let mut body = operator();
    body["name"] = "示例重复提交农户".into();
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", "key-1")];
    let send = |body: &Value| {
        api().send("POST", "/operators", &headers, body.to_string().as_bytes()).unwrap()
    };
    let (first, again) = (send(&body), send(&body));
    assert_eq!((first.status, again.status), (201, 200), "{}", again.text());
    assert_eq!(first.json().unwrap()["id"], again.json().unwrap()["id"]);
    body["name"] = "示例另一农户".into();
    problem(&send(&body), 422, "idempotency_key_reused");
    let named = api().list(&format!("/operators?q={}", http::encode("示例重复提交农户"))).unwrap();
    assert_eq!(named.len(), 1);
    let bad_key = [("Content-Type", "application/json"), ("Idempotency-Key", "has space")];
    problem(
        &api().send("POST", "/operators", &bad_key, b"{}").unwrap(),
        400,
        "bad_idempotency_key",
    );
}

#[test]
fn rules_say_why_they_refuse() {
    // Harvested before an interval was over: nothing goes out, whatever is stated.
    let held = &appliance().demo.lot("柑橘").unwrap().id;
    let request = json!({ "lot": held, "quantity": "1", "basis": ["quality_control"] });
    problem(&api().post("/certificates", &request).unwrap(), 409, "lot_held");
    // Nobody granted an authorisation, and nobody tested.
    let lot = &appliance().demo.lot("辣椒").unwrap().id;
    let request =
        |basis: &str, quantity: &str| json!({ "lot": lot, "quantity": quantity, "basis": [basis] });
    let untested = api().post("/certificates", &request("self_test", "10")).unwrap();
    let untested = problem(&untested, 422, "rule_refused");
    let findings = untested["findings"].as_array().unwrap();
    assert!(!findings.is_empty() && findings.iter().all(|f| f["verdict"] != "pass"), "{untested}");
    let too_much = api().post("/certificates", &request("quality_control", "100000")).unwrap();
    assert!([409, 422].contains(&too_much.status), "{}", too_much.text());
    let no_basis = json!({ "lot": lot, "quantity": "1", "basis": [] });
    let no_basis = api().post("/certificates", &no_basis).unwrap();
    assert!([409, 422].contains(&no_basis.status), "{}", no_basis.text());
    assert!(api().list(&format!("/certificates?lot={lot}")).unwrap().is_empty());
}

#[test]
fn producers_see_only_their_own() {
    let producer = appliance().api("producer").unwrap();
    let own = &appliance().demo.lots[0];
    let other = &appliance().demo.lot("柑橘").unwrap().id;
    assert!(producer.get(&format!("/lots/{}", own.id)).is_ok());
    problem(&producer.send("GET", &format!("/lots/{other}"), &[], &[]).unwrap(), 404, "not_found");
    let lots = producer.list("/lots").unwrap();
    assert_eq!(lots.len(), 2, "{lots:#?}");
    let request = json!({ "lot": other, "quantity": "1", "basis": ["quality_control"] });
    problem(&producer.post("/certificates", &request).unwrap(), 404, "not_found");
    problem(&producer.send("GET", "/messages", &[], &[]).unwrap(), 403, "forbidden");
    problem(&producer.post("/pairing", &json!({})).unwrap(), 403, "forbidden");
    let clerk = appliance().api("clerk").unwrap();
    problem(&clerk.post("/pairing", &json!({})).unwrap(), 403, "forbidden");
}

#[test]
fn a_label_waits_for_a_printer_that_is_off_until_it_is_taken_back() {
    let lot = &appliance().demo.lot("小白菜").unwrap().id;
    let request = json!({ "lot": lot, "quantity": "1", "basis": ["quality_control"] });
    let certificate = api().done("/certificates", &request).unwrap();
    let code = certificate["content"]["code"].as_str().unwrap();
    let job = json!({ "certificate": code, "printer": appliance().demo.printer(), "copies": 1 });
    let job = api().done("/print_jobs", &job).unwrap();
    let path = format!("/print_jobs/{}", job["id"].as_str().unwrap());
    let printer = appliance().demo.printer();
    until("the health page to tell", Duration::from_secs(30), || {
        let metrics = appliance().get("/metrics")?.expect(200)?.text();
        Ok(metrics.lines().any(|line| line == "tianyin_printers_away 1").then_some(()))
    })
    .unwrap();
    let waits = api().get(&path).unwrap();
    assert_eq!((&waits["status"], &waits["begun_at"]), (&json!("queued"), &Value::Null));
    // Another one is asked for a reason; this one is not sent again, nor twice taken back.
    let job = json!({ "certificate": code, "printer": printer, "copies": 1 });
    problem(&api().post("/print_jobs", &job).unwrap(), 409, "already_queued");
    let (cancel, retry) = (format!("{path}/cancel"), format!("{path}/retry"));
    problem(&api().post(&retry, &json!({})).unwrap(), 409, "print_not_failed");
    let cancelled = api().done(&cancel, &json!({})).unwrap();
    assert_eq!(cancelled["status"], "cancelled");
    problem(&api().post(&cancel, &json!({})).unwrap(), 409, "print_not_queued");

    let bad = json!({ "certificate": code, "printer": "lz4000t-hs-01", "copies": 0 });
    let found = fields(&problem(&api().post("/print_jobs", &bad).unwrap(), 422, "invalid_fields"));
    assert_eq!(found.len(), 2, "{found:?}");

    // A void certificate is neither printed nor voided twice.
    let void = format!("/certificates/{code}/void");
    api().done(&void, &json!({ "reason": "测试" })).unwrap();
    problem(&api().post(&void, &json!({ "reason": "测试" })).unwrap(), 409, "certificate_void");
    let job = json!({ "certificate": code, "printer": appliance().demo.printer(), "copies": 1 });
    problem(&api().post("/print_jobs", &job).unwrap(), 409, "certificate_void");
    let page = appliance().get(&format!("/t/{code}")).unwrap().expect(200).unwrap();
    assert!(page.text().contains("已作废"));
    let page = appliance().get(&format!("/t/{code}.json")).unwrap().json().unwrap();
    assert_eq!(page["status"], "void");
}

#[test]
fn codes_that_show_nothing() {
    let lot = &appliance().demo.lot("小白菜").unwrap().id;
    let request = json!({ "lot": lot, "quantity": "1", "basis": ["quality_control"] });
    let certificate = api().done("/certificates", &request).unwrap();
    let code = certificate["content"]["code"].as_str().unwrap().to_owned();
    assert_eq!(code.len(), 16);
    let valid = appliance().get(&format!("/t/{code}")).unwrap().expect(200).unwrap();
    assert!(valid.text().contains("真实有效"));
    // Groups, lower case and letters that look like digits are read as meant.
    let typed = format!("{}-{}", &code[..4].to_lowercase(), &code[4..]);
    assert_eq!(appliance().get(&format!("/t/{typed}")).unwrap().status, 200);

    // Every single wrong character is noticed.
    for place in 0..16 {
        let mut wrong = code.clone().into_bytes();
        wrong[place] = if wrong[place] == b'7' { b'8' } else { b'7' };
        let wrong = String::from_utf8(wrong).unwrap();
        let page = appliance().get(&format!("/t/{wrong}")).unwrap();
        assert_eq!(page.status, 404, "{wrong}");
        assert!(page.text().contains("码输错了"), "{wrong}");
        problem(&appliance().get(&format!("/t/{wrong}.json")).unwrap(), 404, "mistyped");
    }
    let page = appliance().get("/t/hello").unwrap().expect(404).unwrap();
    assert!(page.text().contains("这不是追溯码"));
    let evil = appliance().get("/t/%3Cscript%3Ealert(1)%3C%2Fscript%3E").unwrap();
    assert!(!evil.text().contains("<script"), "{}", evil.text());
    assert_eq!(appliance().get("/t/hello/label.svg").unwrap().status, 404);
}

#[test]
fn what_is_no_http_does_no_harm() {
    let address = appliance().setting.http;
    for request in [
        &b"NONSENSE\r\n\r\n"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ] {
        if let Ok(answer) = http::exchange(address, request) {
            assert!((400..=505).contains(&answer.status), "{}", answer.status);
        }
    }
    let many = "x".repeat(600_000);
    let headers = [("X-Long", many.as_str())];
    if let Ok(answer) = http::send(address, "GET", "/healthz", &headers, &[]) {
        assert_eq!(answer.status, 431);
    }
    assert_eq!(http::get(address, "/healthz").unwrap().status, 200);
}
