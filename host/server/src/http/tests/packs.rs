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
    // Of several the newest that is valid; of none that is, the newest.
    let more = json!({ "lot": lot, "quantity": "1", "basis": ["commissioned_test"] });
    let issued = world.post("/certificates", more).await.expect(201);
    let mut all = vec![json!(certificate), issued["content"]["code"].clone()];
    while !all.is_empty() {
        let told = world.get(&format!("/codes/{}", codes[0])).await.expect(200);
        assert!(all.contains(&told["certificate"]), "{told}");
        all.retain(|one| *one != told["certificate"]);
        let void = format!("/certificates/{}/void", told["certificate"].as_str().unwrap());
        world.post(&void, json!({ "reason": "写错了" })).await.expect(201);
    }
    let told = world.get(&format!("/codes/{}", codes[0])).await.expect(200);
    assert_eq!(told["lot"], lot, "it stands for its lot still");
}

/// Of the county's pack a producer gets what was handed out to it, and learns nothing of the rest.
#[tokio::test(flavor = "multi_thread")]
async fn whom_codes_were_handed_out_to_binds_those() {
    let mut world = world().await;
    let [operator, _, _, lot] = world.lot_of(cooperative()).await;
    let id = world.make("/packs", json!({ "kind": "unit", "size": 1000, "note": "给三家" })).await;
    let (pack, ranges) = (format!("/packs/{id}"), format!("/packs/{id}/ranges"));
    let user = json!({
        "username": "grower", "name": "示例", "role": "producer", "operator": operator, "password": INITIAL,
    });
    world.post("/users", user).await.expect(201);
    let admin = std::mem::take(&mut world.token);
    let grower = world.first_sign_in("grower").await;
    let count = |list: Value| list["items"].as_array().unwrap().len();
    let bind = |from: u32, to: u32| json!({ "from": from, "to": to, "state": "bound", "lot": lot });

    world.token.clone_from(&grower);
    assert_eq!(world.get(&pack).await.problem().0, 404);
    assert_eq!(world.post(&ranges, bind(11, 20)).await.problem().0, 404);
    assert_eq!(count(world.get("/packs").await.expect(200)), 0);

    world.token = admin;
    let hand_out = json!({ "from": 11, "to": 20, "state": "assigned", "operator": operator });
    world.post(&ranges, hand_out).await.expect(201);
    let void = json!({ "from": 500, "to": 600, "state": "void", "reason": "印错" });
    world.post(&ranges, void).await.expect(201);
    assert_eq!(world.get(&pack).await.expect(200)["scanned"], 0);

    world.token = grower;
    let bound = world.post(&ranges, bind(11, 15)).await.expect(201);
    assert_eq!((&bound["id"], &bound["note"]), (&json!(id), &json!("")));
    assert_eq!(world.post(&ranges, bind(16, 21)).await.problem().1, "codes_not_handed_out");
    let seen = world.get(&pack).await.expect(200);
    assert_eq!((seen["ranges"].as_array().unwrap().len(), &seen["scanned"]), (2, &Value::Null));
    let counts = &seen["counts"];
    assert_eq!((&counts["bound"], &counts["assigned"]), (&json!(5), &json!(5)));
    assert_eq!((&counts["free"], &counts["void"]), (&json!(0), &json!(0)));
    for (query, packs) in
        [("", 1), (&*format!("?lot={lot}"), 1), ("?lot=lot_x", 0), ("?kind=paper", 0)]
    {
        let listed = world.get(&format!("/packs{query}")).await.expect(200);
        assert_eq!(count(listed), packs, "{query}");
    }
    assert_eq!(world.get(&format!("{pack}/codes.csv")).await.problem().0, 403);
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
