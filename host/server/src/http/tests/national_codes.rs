//! Codes of the national platform through the API and on the scan page; suggested where the county wants it.

use super::*;
use crate::texts::t;
use tianyin_domain::lot::Lot;

const LONG: &str = "1.0.91430321MA4L000001.01060123.20260101080000.001";
const SHORT: &str = "13241234512345678901";

fn codes(long: &str, short: &str) -> Value {
    json!({ "national_code": long, "national_short_code": short })
}

impl World {
    async fn set_national(&self, of: &str, body: Value) -> Reply {
        self.call(Method::PUT, &format!("{of}/national_code"), Some(body), "").await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_fields_and_find_their_lot() {
    let world = world().await;
    let [operator, _, product, lot] = world.lot_of(cooperative()).await;
    let of_lot = format!("/lots/{lot}");
    let told = world.set_national(&of_lot, codes(LONG, SHORT)).await.expect(201);
    let expected = (&json!(lot), &json!(LONG), &json!(SHORT));
    assert_eq!((&told["id"], &told["national_code"], &told["national_short_code"]), expected);
    // The same again changes nothing.
    world.set_national(&of_lot, codes(LONG, SHORT)).await.expect(200);
    for code in [LONG, SHORT] {
        let found = world.get(&format!("/lots?national_code={code}")).await.expect(200);
        let items = found["items"].as_array().unwrap();
        assert_eq!((items.len(), &items[0]["id"]), (1, &json!(lot)), "{code}");
    }
    // Its credit code has a wrong check character, with a reason on record.
    let subject = "0.91430321MA4L000001.00000";
    let body = json!({ "national_code": subject });
    let told = world.set_national(&format!("/operators/{operator}"), body).await.expect(201);
    assert_eq!(told["national_code"], subject);
    let found = world.get(&format!("/operators?national_code={subject}")).await.expect(200);
    assert_eq!(found["items"][0]["id"], json!(operator));
    let body = json!({ "national_code": "01060123" });
    let told = world.set_national(&format!("/products/{product}"), body).await.expect(201);
    assert_eq!(told["national_class"], "01060123");

    let [_, _, _, other] = world.lot_of(farmer()).await;
    let other = format!("/lots/{other}");
    let taken = world.set_national(&other, codes("", SHORT)).await;
    assert_eq!(taken.problem(), (409, "national_code_taken".into()));
    for (long, short) in [
        ("1.0.11010519491231002X.01060123.20260101080000.001", ""),
        ("", "110105180001010838"),
        ("x", ""),
    ] {
        let bad = world.set_national(&other, codes(long, short)).await;
        assert_eq!(bad.problem(), (422, "invalid_fields".into()), "{long} {short}");
    }
    assert_eq!(world.set_national("/lots/lot_no", codes(LONG, "")).await.problem().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_shows_the_codes_of_its_lot_but_nobodys_number() {
    let world = world().await;
    let [operator, _, _, lot] = world.lot_of(cooperative()).await;
    // Within the short code is what passes as a resident ID.
    let of_lot = format!("/lots/{lot}");
    let hidden = "11101051800010108389";
    world.set_national(&of_lot, codes(LONG, hidden)).await.expect(201);
    world.test_of(&lot).await;
    let code = world.certificate_of(&operator, &lot).await;
    let content = world.get(&format!("/certificates/{code}")).await.expect(200)["content"].clone();
    assert_eq!(
        (&content["national_code"], &content["national_short_code"]),
        (&json!(LONG), &Value::Null)
    );
    let page = world.see(&format!("/t/{code}")).await.text();
    assert!(page.contains(LONG) && !page.contains(hidden), "{page}");
    let shown = world.see(&format!("/t/{code}.json")).await.json();
    assert_eq!(shown["certificate"]["national_code"], LONG);
    assert_eq!(shown["certificate"]["national_short_code"], Value::Null);
    let gone = world.set_national(&of_lot, codes("", "")).await;
    assert_eq!(gone.problem(), (409, "national_code_certified".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_from_the_records_is_suggested_where_the_county_wants_it() {
    let world = bare_with(|config| {
        let shipped = include_str!("../../../../../rules/data/coding.toml");
        let own = shipped.replace("compose = false", "compose = true");
        assert_ne!(own, shipped);
        let folder = config.data.join("rules/data");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("coding.toml"), own).unwrap();
    });
    let world = set_up(world.await).await;
    let [operator, _, product, lot] = world.lot_of(cooperative()).await;
    let cookie = format!("tianyin={}", world.token);
    let form = async |path: String| {
        let headers = [("accept", "text/html"), ("cookie", cookie.as_str())];
        let page = world.visit(Method::GET, &format!("{path}/national-code"), &headers).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text());
        page.text()
    };
    let suggested = t("national_codes.suggested");
    let page = form(format!("/operators/{operator}")).await;
    assert!(page.contains("value=\"0.91430321MA4L000001.00000\""), "{page}");
    assert!(page.contains(suggested), "{page}");
    // Nothing is on record by that.
    let told = world.get(&format!("/operators/{operator}")).await.expect(200);
    assert_eq!(told["national_code"], Value::Null);
    assert!(
        !form(format!("/lots/{lot}")).await.contains(suggested),
        "the product has no class yet"
    );
    let class = json!({ "national_code": "01060123" });
    world.set_national(&format!("/products/{product}"), class).await.expect(201);
    let record: Lot = world.app.store.get(&lot).unwrap().unwrap();
    let code = world.app.suggested_trace(&record).unwrap().unwrap();
    assert!(code.starts_with("1.0.91430321MA4L000001.01060123."), "{code}");
    assert!(code.ends_with(".001"), "{code}");
    assert!(form(format!("/lots/{lot}")).await.contains(&format!("value=\"{code}\"")));
    world.set_national(&format!("/lots/{lot}"), codes(&code, "")).await.expect(201);
    assert!(!form(format!("/lots/{lot}")).await.contains(suggested), "it has one");
    let next = world.app.suggested_trace(&record).unwrap().unwrap();
    assert!(next.ends_with(".002"), "another lot of that second has another number: {next}");
}
