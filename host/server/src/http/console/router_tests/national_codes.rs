//! Codes of the national platform on the pages: entered, shown, found.

use axum::http::StatusCode;
use tianyin_domain::Role;
use tianyin_domain::lot::Lot;

use super::{World, everything, world};
use crate::texts::t;

const SUBJECT: &str = "0.91110000600037341L.00000";
const LONG: &str = "1.0.91110000600037341L.01060123.20260101080000.001";
const SHORT: &str = "13241234512345678901";

fn lot_on_record(world: &World, page: &str) -> Lot {
    world.app.store.get(page.rsplit('/').next().unwrap()).unwrap().unwrap()
}

#[tokio::test]
async fn codes_are_entered_shown_and_found() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let page = format!("{}/national-code", made.lot);
    let form = admin.see(&page).await.text;
    assert!(form.contains("name=\"national_short_code\""), "{form}");
    assert!(!form.contains(t("national_codes.suggested")), "unless the county wants it");
    let wrong = [("national_code", "1.2.156.326.8.1.2"), ("national_short_code", "12")];
    let refused = admin.post(&page, &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    for text in [t("field.national_withdrawn"), t("field.national_short_form"), "value=\"12\""] {
        assert!(refused.text.contains(text), "{text}: {}", refused.text);
    }
    let codes = [("national_code", LONG), ("national_short_code", SHORT)];
    assert_eq!(admin.done(&page, &codes).await, made.lot);
    let shown = admin.see(&made.lot).await.text;
    assert!(shown.contains(LONG) && shown.contains(SHORT), "{shown}");
    for code in [LONG, SHORT, &LONG.to_lowercase()] {
        assert_eq!(admin.see(&format!("/search?q={code}")).await.goes_to(), made.lot, "{code}");
    }
    // The certificate of before stays as it was issued; the next one shows them.
    assert!(!admin.see(&made.certificate).await.text.contains(SHORT));
    let issue = [("quantity", "10"), ("basis", "commissioned_test")];
    let certificate = admin.done(&format!("{}/issue", made.lot), &issue).await;
    let shown = admin.see(&certificate).await.text;
    assert!(shown.contains(LONG) && shown.contains(SHORT), "{shown}");
    let paper = admin.see(&format!("{certificate}/paper.pdf?size=a5")).await;
    assert_eq!(paper.status, StatusCode::OK, "{}", paper.text);
    let gone = admin.post(&page, &[("national_code", ""), ("national_short_code", "")]).await;
    assert_eq!(gone.status, StatusCode::UNPROCESSABLE_ENTITY, "the certificate shows them");

    let of_operator = format!("{}/national-code", made.operator);
    let other = admin.post(&of_operator, &[("national_code", "0.914301020000000010.00000")]).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(admin.done(&of_operator, &[("national_code", SUBJECT)]).await, made.operator);
    assert!(admin.see(&made.operator).await.text.contains(SUBJECT));
    assert_eq!(admin.see(&format!("/search?q={SUBJECT}")).await.goes_to(), made.operator);
    let product = format!("/products/{}", lot_on_record(&world, &made.lot).product);
    let class = [("national_code", "01060123")];
    assert_eq!(admin.done(&format!("{product}/national-code"), &class).await, product);
    assert!(admin.see(&product).await.text.contains("01060123"));
}

#[tokio::test]
async fn a_producer_keeps_the_codes_of_its_lots_but_not_its_own() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let operator = made.operator.rsplit('/').next().unwrap().to_owned();
    world.add_user("grower", Role::Producer, Some(operator)).await;
    let grower = world.browser("grower").await;
    let codes = [("national_code", LONG), ("national_short_code", "")];
    assert_eq!(grower.done(&format!("{}/national-code", made.lot), &codes).await, made.lot);
    let of_operator = format!("{}/national-code", made.operator);
    assert_eq!(grower.see(&of_operator).await.status, StatusCode::FORBIDDEN);
    let own = grower.post(&of_operator, &[("national_code", SUBJECT)]).await;
    assert_eq!(own.status, StatusCode::FORBIDDEN);
    assert!(!grower.see(&made.operator).await.text.contains("/national-code"));
}
