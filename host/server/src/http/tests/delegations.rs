//! Delegation to service points and cells through the API.

use axum::http::Method;
use serde_json::json;

use super::{INITIAL, World, farmer, world};

async fn agency(world: &World, kind: &str, name: &str) -> String {
    world.make("/agencies", json!({ "kind": kind, "name": name, "area": "430321103" })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_point_reads_and_writes_what_is_delegated_to_it() {
    let mut world = world().await;
    let point = agency(&world, "service_point", "示例服务站点").await;
    let user = json!({
        "username": "cun", "name": "示例", "role": "clerk", "agency": point, "password": INITIAL,
    });
    world.post("/users", user).await.expect(201);
    let [mine, _, _, lot] = world.lot_of(farmer()).await;
    let mut other = farmer();
    (other["name"], other["contact_phone"]) = (json!("李示例"), json!("13900000000"));
    let [hidden, site, _, hidden_lot] = world.lot_of(other).await;
    let admin = std::mem::take(&mut world.token);
    let cun = world.first_sign_in("cun").await;

    // The session began before the delegation.
    world.token = admin.clone();
    let begin = json!({ "agency": point, "operators": [mine] });
    world.post("/delegations", begin).await.expect(204);
    let listed = world.get(&format!("/delegations?agency={point}")).await.expect(200);
    let delegation = listed["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(listed["items"][0]["operator"], mine);

    world.token = cun.clone();
    for path in ["/operators", "/lots", "/operators?q=%E6%9D%8E", "/lots?area=4303"] {
        let text = world.get(path).await.expect(200).to_string();
        assert!(!text.contains(&hidden), "{path}: {text}");
        assert!(path.contains("?q") || text.contains(&mine), "{path}: {text}");
    }
    assert!(world.get("/lots").await.text().contains(&lot));
    for path in [format!("/operators/{hidden}"), format!("/lots/{hidden_lot}")] {
        assert_eq!(world.get(&path).await.problem(), (404, "not_found".into()));
    }
    let end = format!("/delegations/{delegation}/end");
    let site_of = |operator: &str| json!({ "operator": operator, "name": "田", "size_mu": "1" });
    world.post("/sites", site_of(&mine)).await.expect(201);
    assert_eq!(world.post("/sites", site_of(&hidden)).await.problem().0, 404, "{site}");
    assert_eq!(world.post(&end, json!({ "reason": "不要" })).await.problem().0, 403);
    let mut own = farmer();
    (own["name"], own["contact_phone"]) = (json!("王示例"), json!("13700000000"));
    let own = world.post("/operators", own).await.expect(201);
    assert_eq!(own["name"], "王示例", "what it registered is in its sight");

    world.token = admin;
    assert_eq!(world.post(&end, json!({ "reason": "" })).await.problem().0, 422);
    let ended = world.post(&end, json!({ "reason": "改由邻村服务" })).await.expect(201);
    assert_eq!(ended["ended"], "改由邻村服务");
    world.token = cun;
    assert_eq!(world.get(&format!("/operators/{mine}")).await.problem().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cell_is_added_changed_and_ended() {
    let world = world().await;
    let operator = world.make("/operators", farmer()).await;
    let cell = json!({ "name": "花石镇", "area": "430321103", "whole": true });
    let id = world.make("/cells", cell.clone()).await;
    let of = format!("/operators/{operator}/cell");
    assert_eq!(world.get(&of).await.expect(200)["id"], id);
    let read = world.get(&format!("/cells/{id}")).await;
    assert!(!read.header("etag").is_empty());
    let mut change = cell;
    (change["reason"], change["name"]) = (json!("改名"), json!("花石镇网格"));
    let path = format!("/cells/{id}");
    let changed = world.call(Method::PUT, &path, Some(change), "").await.expect(201);
    assert_eq!(changed["name"], "花石镇网格");
    assert!(world.get("/cells").await.text().contains("花石镇网格"));
    world.post(&format!("{path}/end"), json!({ "reason": "合并" })).await.expect(201);
    assert_eq!(world.get(&of).await.problem().0, 404);
    assert!(!world.get("/cells").await.text().contains("花石镇网格"));
}
