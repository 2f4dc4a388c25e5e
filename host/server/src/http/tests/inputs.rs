//! The catalogue of inputs over the API.

use super::*;

fn drug(days: u32) -> Value {
    json!({
        "name": "示例辛硫磷", "kind": "pesticide", "registration_no": "PD1", "substances": ["辛硫磷"],
        "uses": [{ "crop": "莲", "interval_days": days, "max_uses": 2 }], "source": "产品标签",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_is_judged_by_the_version_of_its_day() {
    let world = world().await;
    let [_, site, product, _] = world.lot_of(cooperative()).await;
    let input = world.make("/inputs", drug(14)).await;
    let path = format!("/inputs/{input}");
    assert_eq!(world.post("/inputs", drug(7)).await.problem(), (409, "registration_taken".into()));

    let mut data = drug(20);
    data["valid_from"] = json!("2026-06-01");
    let body = json!({ "data": data, "reason": "标签变更" });
    let revised = world.post(&format!("{path}/revise"), body.clone()).await.expect(201);
    assert_eq!((&revised["version"], &revised["valid_from"]), (&json!(2), &json!("2026-06-01")));
    let again = world.post(&format!("{path}/revise"), body).await;
    assert_eq!(again.problem(), (409, "input_unchanged".into()));
    let bare = json!({ "data": { "name": "x", "kind": "feed" }, "reason": "" });
    assert_eq!(world.post(&format!("{path}/revise"), bare).await.problem().0, 422);
    let end = json!({ "ended_on": "2026-10-01", "reason": "到期" });
    let closed = world.post(&format!("{path}/close"), end).await.expect(201);
    assert_eq!(closed["ended"], json!(true));

    for (day, days, version) in [
        ("2026-05-31", 14, Value::Null),
        ("2026-06-01", 20, json!(2)),
        ("2026-10-01", 20, json!(3)),
    ] {
        let shown = world.get(&format!("{path}?on={day}")).await.expect(200);
        assert_eq!(shown["uses"][0]["interval_days"], json!(days), "{day}");
        assert_eq!(shown["version"], version, "{day}");
        let used = json!({
            "site": site, "product": product, "kind": "treatment", "date": day, "input": input, "dose": "",
        });
        let used = world.post("/activities", used).await.expect(201);
        assert_eq!(used["input"]["interval_days"], json!(days), "{day}");
        assert_eq!(
            used["input"]["ended"],
            if day == "2026-10-01" { json!(true) } else { Value::Null }
        );
    }
    let versions = world.get(&format!("{path}/versions")).await.expect(200);
    assert_eq!(versions["items"].as_array().unwrap().len(), 3);
    assert_eq!(world.get("/inputs/inp_no/versions").await.problem().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_is_filtered_and_turned_over() {
    let world = world().await;
    world.make("/inputs", drug(14)).await;
    for n in 0..5 {
        let feed = json!({ "name": format!("饲料 {n}"), "kind": "feed" });
        world.make("/inputs", feed).await;
    }
    let count = async |query: &str| {
        let page = world.get(&format!("/inputs?{query}")).await.expect(200);
        page["items"].as_array().unwrap().len()
    };
    for (query, expected) in [
        ("", 6),
        ("kind=feed", 5),
        ("registration_no=pd%201", 1),
        ("registration_no=PD", 0),
        ("q=%E8%8E%B2", 1),
        ("state=current", 6),
        ("state=barred", 0),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    let first = world.get("/inputs?limit=4").await.expect(200);
    let next = first["next"].as_str().unwrap();
    assert_eq!(count(&format!("limit=4&cursor={next}")).await, 2);
    assert_eq!(world.get("/inputs?cursor=x").await.problem(), (400, "bad_cursor".into()));
    assert_eq!(world.get("/inputs?state=x").await.problem(), (400, "bad_query".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_is_a_plan_until_it_is_accepted() {
    let world = world().await;
    let sheet = "登记证号,商品名,类型,有效成分,作物/畜种,安全间隔期(天)\nPD1,甲药,农药,甲素,莲,14\n\
                 PD2,乙药,毒药,乙素,莲,7\n";
    let plan = async |text: &str| {
        let request = Request::post("/api/v1/inputs/import")
            .header(header::AUTHORIZATION, format!("Bearer {}", world.token))
            .header(header::CONTENT_TYPE, "text/csv")
            .body(Body::from(text.to_owned()));
        world.send(request.unwrap()).await
    };
    let told = plan(sheet).await.expect(200);
    assert_eq!((&told["new"], &told["same"]), (&json!(1), &json!(0)));
    assert_eq!(told["bad"][0]["line"], json!(3));
    assert!(world.get("/inputs").await.expect(200)["items"].as_array().unwrap().is_empty());
    let accept = format!("/inputs/import/{}/accept", told["id"].as_str().unwrap());
    let done = world.post(&accept, json!({})).await.expect(200);
    assert_eq!((&done["added"], &done["revised"]), (&json!(1), &json!(0)));
    assert_eq!(world.post(&accept, json!({})).await.problem(), (409, "import_gone".into()));

    let told = plan(&sheet.replace(",14", ",21")).await.expect(200);
    assert_eq!(told["revised"][0]["changes"], json!(["莲:间隔 14 天 → 间隔 21 天"]));
    let accept = format!("/inputs/import/{}/accept", told["id"].as_str().unwrap());
    let done = world.post(&accept, json!({ "revisions": true })).await.expect(200);
    assert_eq!((&done["added"], &done["revised"]), (&json!(0), &json!(1)));
    assert_eq!(plan("nonsense").await.problem(), (409, "sheet_empty".into()));
}
