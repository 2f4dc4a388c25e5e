//! Packs of codes through the API.

use super::*;

fn order(operator: &str) -> Value {
    json!({ "kind": "unit", "size": 1000, "operator": operator, "note": "示例印刷厂" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_is_ordered_listed_and_bound() {
    let world = world().await;
    let [operator, _, _, lot] = world.lot_of(cooperative()).await;
    let made = world.call(Method::POST, "/packs", Some(order(&operator)), "order-1").await;
    let made = made.expect(201);
    let again = world.call(Method::POST, "/packs", Some(order(&operator)), "order-1").await;
    assert_eq!(again.expect(200)["id"], made["id"]);
    assert_eq!((&made["number"], &made["key_check"]), (&json!(1), &Value::Null));
    let pack = format!("/packs/{}", made["id"].as_str().unwrap());
    for (name, value) in [("size", json!(5)), ("key_check", json!("x")), ("kind", json!("box"))] {
        let mut bad = order(&operator);
        bad[name] = value;
        assert_eq!(world.post("/packs", bad).await.problem().0, 422, "{name}");
    }

    let ranges = format!("{pack}/ranges");
    let bind = json!({ "from": 1, "to": 100, "state": "bound", "lot": lot });
    world.post(&ranges, bind.clone()).await.expect(201);
    assert_eq!(world.post(&ranges, bind).await.problem(), (409, "codes_bound".into()));
    let beyond = json!({ "from": 1, "to": 1001, "state": "void", "reason": "错" });
    assert_eq!(world.post(&ranges, beyond).await.problem(), (422, "invalid_fields".into()));
    let whole = world.get(&pack).await.expect(200);
    assert_eq!((&whole["counts"]["bound"], &whole["counts"]["free"]), (&json!(100), &json!(900)));
    assert_eq!((&whole["ranges"][0]["to"], &whole["ranges"][0]["lot"]), (&json!(100), &json!(lot)));
    let of_lot = world.get(&format!("/packs?lot={lot}")).await.expect(200);
    assert_eq!(of_lot["items"].as_array().unwrap().len(), 1);
    assert!(
        world.get("/packs?kind=paper").await.expect(200)["items"].as_array().unwrap().is_empty()
    );

    let list = world.get(&format!("{pack}/codes.csv?from=100&to=101")).await;
    assert_eq!((list.status.as_u16(), list.header("x-rows")), (200, "2"));
    let text = list.text();
    let codes: Vec<&str> = text.lines().skip(1).map(|row| row.split(',').nth(1).unwrap()).collect();
    let told = world.get(&format!("/codes/{}", codes[0].to_lowercase())).await.expect(200);
    assert_eq!((&told["unit"]["state"], &told["unit"]["lot"]), (&json!("bound"), &json!(lot)));
    assert_eq!(
        (&told["unit"]["number"], &told["certificate"]),
        (&json!("P0001-000100"), &Value::Null)
    );
    let free = world.get(&format!("/codes/{}", codes[1])).await.expect(200);
    assert_eq!((&free["unit"]["state"], &free["lot"]), (&json!("free"), &Value::Null));
    // Once the lot is certified, its units show the certificate.
    world.test_of(&lot).await;
    let certificate = world.certificate_of(&operator, &lot).await;
    let told = world.get(&format!("/codes/{}", codes[0])).await.expect(200);
    assert_eq!((&told["certificate"], &told["lot"]), (&json!(certificate), &json!(lot)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_what_was_asked_for_or_nothing() {
    let world = world().await;
    let made = json!({ "kind": "unit", "size": 1000, "scratch": true });
    let pack = format!("/packs/{}", world.make("/packs", made).await);
    let void = json!({ "from": 40, "to": 60, "state": "void", "reason": "印错" });
    world.post(&format!("{pack}/ranges"), void).await.expect(201);
    for (query, status, code) in [
        ("", 422, "codes_spoilt"),
        ("?from=60&to=70", 422, "codes_spoilt"),
        ("?from=0", 422, "codes_out_of_pack"),
        ("?to=1001", 422, "codes_out_of_pack"),
        ("?from=99999999999", 422, "codes_out_of_pack"),
        ("?from=x", 400, "bad_query"),
        ("?size=1", 400, "bad_query"),
    ] {
        let told = world.get(&format!("{pack}/codes.csv{query}")).await;
        assert_eq!(told.problem(), (status, code.into()), "{query}");
    }
    let rest = world.get(&format!("{pack}/codes.csv?from=61")).await;
    assert_eq!(rest.text().lines().count(), 941);
    let cancel = json!({ "reason": "印刷厂弄丢了" });
    let cancelled = world.post(&format!("{pack}/cancel"), cancel.clone()).await.expect(201);
    assert_eq!(cancelled["cancelled"], "印刷厂弄丢了");
    let told = world.post(&format!("{pack}/cancel"), cancel).await;
    assert_eq!(told.problem(), (409, "pack_cancelled".into()));
    let told = world.get(&format!("{pack}/codes.csv?from=61")).await;
    assert_eq!(told.problem(), (422, "codes_of_cancelled".into()));
    assert_eq!(world.get("/packs/pck_no/codes.csv").await.problem().0, 404);
}
