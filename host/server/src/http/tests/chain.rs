//! Records to lots to steps to recalls, over the API: every guard with its reason (law art 29 and 36, R-044).

use super::*;

fn used(site: &str, product: &str, input: &str) -> Value {
    json!({
        "site": site, "product": product, "kind": "treatment", "date": today(), "input": input,
        "dose": "50毫升/亩",
    })
}

async fn drug(world: &World) -> String {
    let label = json!({ "crop": "莲", "interval_days": 7, "dose": "30-40毫升/亩", "max_uses": 2 });
    let body = json!({
        "name": "示例辛硫磷", "kind": "pesticide", "registration_no": "PD1", "substances": ["辛硫磷"],
        "uses": [label], "source": "产品标签",
    });
    world.make("/inputs", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_harvest_too_early_is_refused_or_held_until_a_test_passes() {
    let world = world().await;
    let [_, site, product, _] = world.lot_of(cooperative()).await;
    let input = drug(&world).await;
    world.make("/activities", used(&site, &product, &input)).await;
    let mut lot = json!({
        "product": product, "site": site, "quantity": "10", "harvested_on": today(),
    });
    let told = world.post("/lots", lot.clone()).await;
    assert_eq!(told.problem(), (409, "interval_not_over".into()));
    lot["early_reason"] = json!("台风前抢收");
    let held = world.post("/lots", lot.clone()).await.expect(201);
    assert_eq!((&held["status"], &held["early"]["reason"]), (&"held".into(), &"台风前抢收".into()));
    assert_eq!(held["holds"][0]["kind"], "early_harvest");
    lot["hindrances"] = json!([]);
    assert_eq!(
        world.post("/lots", lot).await.problem().0,
        422,
        "what stands against it is not said by the caller"
    );

    let id = held["id"].as_str().unwrap();
    let release =
        |test: Value| json!({ "kind": "early_harvest", "reason": "检测合格", "test": test });
    let told = world.post(&format!("/lots/{id}/release"), release(Value::Null)).await;
    assert_eq!(told.problem(), (409, "release_needs_pass".into()));
    // Times are told in milliseconds; a test of the same one is not later.
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let test = world.test_of(id).await;
    let free =
        world.post(&format!("/lots/{id}/release"), release(test["id"].clone())).await.expect(201);
    assert_eq!(free["status"], "open");
    // The rule still sees the interval broken: what was harvested too early is not certified by a release.
    let ask = json!({ "lot": id, "quantity": "1", "basis": ["commissioned_test"] });
    let told = world.post("/certificates/preview", ask).await.expect(200);
    let told = told["findings"].as_array().unwrap();
    let told =
        |item: &str| told.iter().find(|one| one["item"] == item).cloned().unwrap_or_default();
    assert_eq!(
        (&told("interval")["verdict"], &told("use")["verdict"]),
        (&"deny".into(), &"hold".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_is_split_mixed_sold_and_recalled() {
    let world = world().await;
    let [_, site, product, lot] = world.lot_of(cooperative()).await;
    let input = drug(&world).await;
    world.make("/activities", used(&site, &product, &input)).await;
    let step = |kind: &str, inputs: Value, outputs: Value| json!({ "kind": kind, "date": today(), "inputs": inputs, "outputs": outputs });
    let much =
        step("split", json!([{ "lot": lot, "quantity": "20" }]), json!([{ "quantity": "21" }]));
    assert_eq!(world.post("/steps", much).await.problem(), (409, "mass_balance".into()));
    let parts = json!([{ "quantity": "10" }, { "quantity": "9" }]);
    let split = step("split", json!([{ "lot": lot, "quantity": "20" }]), parts);
    let split = world.post("/steps", split).await.expect(201);
    assert_eq!((&split["loss"], &split["loss_unit"]), (&"1".into(), &"公斤".into()));
    let part = |at: usize| split["outputs"][at]["lot"].clone();
    let back = step(
        "mix",
        json!([{ "lot": part(0), "quantity": "1" }]),
        json!([{ "quantity": "1", "into": lot }]),
    );
    assert_eq!(world.post("/steps", back).await.problem(), (409, "cyclic_lineage".into()));
    let both = json!([{ "lot": part(0), "quantity": "10" }, { "lot": part(1), "quantity": "9" }]);
    let mix =
        world.post("/steps", step("mix", both, json!([{ "quantity": "19" }]))).await.expect(201);
    let mixed = mix["outputs"][0]["lot"].clone();
    let mut ship = step("ship", json!([{ "lot": mixed, "quantity": "4" }]), json!([]));
    assert_eq!(world.post("/steps", ship.clone()).await.problem().0, 422);
    ship["buyer"] = json!({ "name": "长沙红星市场", "place": "长沙" });
    world.make("/steps", ship).await;

    let chain = world.get(&format!("/lots/{lot}/chain")).await.expect(200);
    let depths: Vec<i64> = chain["lots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["depth"].as_i64().unwrap())
        .collect();
    assert_eq!(depths, [0, 1, 1, 2]);
    let steps = world.get(&format!("/steps?lot={}", mixed.as_str().unwrap())).await.expect(200);
    assert_eq!(steps["items"].as_array().unwrap().len(), 2);
    let struck = format!("/steps/{}/strike", split["id"].as_str().unwrap());
    assert_eq!(
        world.post(&struck, json!({ "reason": "错" })).await.problem(),
        (409, "lot_in_use".into())
    );

    // From the input to everything that it was used for; the drill leaves all as it is.
    let cause = |drill: bool| json!({ "reason": "抽检阳性", "cause": "input", "of": input, "drill": drill });
    let drill = world.make("/recalls", cause(true)).await;
    let reached = world.get(&format!("/recalls/{drill}/lots")).await.expect(200);
    assert_eq!(reached["count"], 4);
    assert!(reached["lots"].as_array().unwrap().iter().all(|one| one["status"] == "open"));
    let recall = world.make("/recalls", cause(false)).await;
    let reached = world.get(&format!("/recalls/{recall}/lots")).await.expect(200);
    assert!(reached["lots"].as_array().unwrap().iter().all(|one| one["status"] == "held"));
    let stuck =
        step("split", json!([{ "lot": mixed, "quantity": "1" }]), json!([{ "quantity": "1" }]));
    assert_eq!(world.post("/steps", stuck).await.problem(), (409, "lot_held".into()));
    let note = json!({ "lot": mixed, "disposal": "destroyed", "recovered": "15" });
    let notes = format!("/recalls/{recall}/notes");
    assert_eq!(world.post(&notes, note.clone()).await.problem().0, 422, "destroyed without a word");
    let mut note = note;
    note["note"] = json!("深埋,两人在场");
    world.post(&notes, note).await.expect(201);
    let closed =
        world.post(&format!("/recalls/{recall}/close"), json!({ "summary": "追回 15 公斤" })).await;
    assert_eq!(closed.expect(201)["status"], "closed");
    let policy = world.get("/trace_policy").await.expect(200);
    let rules = json!({
        "balance_tolerance_permille": 0, "verify_institution": true, "verify_own": false,
    });
    assert_eq!(policy, rules);
}
