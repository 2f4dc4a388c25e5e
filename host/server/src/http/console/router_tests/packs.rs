//! Packs of codes through the pages: ordered, taken to the printing house, bound, looked up, cancelled.

use axum::http::{StatusCode, header};
use tianyin_domain::Role;
use tianyin_domain::agency::{self, Agency};
use tianyin_domain::lot::Lot;
use tianyin_domain::pack::Pack;
use tianyin_domain::state::State;

use super::{Browser, INITIAL, World, everything, world};

fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

fn lot_no(world: &World, path: &str) -> String {
    world.app.store.get::<Lot>(id_of(path)).unwrap().unwrap().no
}

async fn ordered(browser: &Browser<'_>, operator: &str) -> String {
    let fields = [
        ("kind", "unit"),
        ("size", "1000"),
        ("operator", operator),
        ("scratch", "1"),
        ("note", "示例印刷厂"),
    ];
    browser.done("/packs", &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_goes_to_the_printing_house_and_onto_a_lot() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let no = lot_no(&world, &made.lot);
    assert!(admin.see("/packs/new").await.text.contains("name=\"size\""));
    let few = admin.post("/packs", &[("kind", "unit"), ("size", "999")]).await;
    assert_eq!(few.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        few.text.contains("1000–1000000") && few.text.contains("value=\"999\""),
        "{}",
        few.text
    );
    let page = ordered(&admin, "").await;
    let list = admin.see("/packs?kind=unit").await.text;
    assert!(list.contains(&page) && list.contains("示例印刷厂"), "{list}");
    assert!(!admin.see("/packs?kind=paper").await.text.contains(&page));

    let file = admin.see(&format!("{page}/codes.csv?from=1&to=50")).await;
    assert_eq!(file.status, StatusCode::OK, "{}", file.text);
    assert_eq!(file.headers["x-rows"], "50");
    assert_eq!(file.headers[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    let rows: Vec<&str> = file.text.trim_end().split("\r\n").collect();
    assert_eq!(rows.len(), 51);
    let (first, last) = (rows[1].split(',').nth(1).unwrap(), rows[50].split(',').nth(1).unwrap());
    assert!(admin.see("/accesses").await.text.contains("codes-P0001-1-50.csv"), "it is on record");
    let sheets = admin.see(&format!("{page}/sheets.pdf?from=1&to=12&label_size=50x30")).await;
    assert_eq!(sheets.headers[header::CONTENT_TYPE], "application/pdf", "{}", sheets.text);

    // From a code that is scanned to a number that is typed.
    let ranges = format!("{page}/ranges");
    let bind = [("from", first), ("to", "P0001-000100"), ("state", "bound"), ("lot", &no)];
    assert_eq!(admin.done(&ranges, &bind).await, page);
    let again = [("from", last), ("state", "bound"), ("lot", &no)];
    let refused = admin.post(&ranges, &again).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("已经绑定了批次"), "{}", refused.text);
    let nowhere = [("from", "1001"), ("state", "bound"), ("lot", "L00000000-0000")];
    let refused = admin.post(&ranges, &nowhere).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    let hand_out =
        [("from", "101"), ("to", "150"), ("state", "assigned"), ("operator", "示例合作社")];
    admin.done(&ranges, &hand_out).await;
    let void = [("from", "200"), ("to", "210"), ("state", "void"), ("reason", "印错")];
    admin.done(&ranges, &void).await;
    let shown = admin.see(&page).await.text;
    for text in [no.as_str(), "P0001-000200", "P0001-000210", "印错", "示例合作社", &made.lot]
    {
        assert!(shown.contains(text), "{text} in {shown}");
    }
    let lot = admin.see(&made.lot).await.text;
    let units = lot.split("id=\"units\"").nth(1).unwrap();
    assert!(units.contains("<small>100</small>") && units.contains(&page), "{units}");

    let looked = admin.see(&format!("/packs/look?code={last}")).await;
    assert_eq!(looked.goes_to(), format!("{page}?code={last}"));
    let told = admin.see(looked.goes_to()).await.text;
    let told = told.split("id=\"looked\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(told.contains("P0001-000050") && told.contains(&no), "{told}");
    let found = admin.see(&format!("/search?q=HTTPS://TY.EXAMPLE.TEST/T/{last}")).await;
    assert_eq!(found.goes_to(), format!("{page}?code={last}"));
    let found = admin.see("/search?q=P0001-000205").await;
    assert_eq!(found.goes_to(), format!("{page}?code=P0001-000205"));
    assert_eq!(admin.see("/packs/look?code=P0002-000001").await.goes_to(), "/packs");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_void_or_cancelled_is_not_printed_again() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let page = ordered(&admin, "").await;
    let void = [("from", "200"), ("to", "210"), ("state", "void"), ("reason", "印错")];
    admin.done(&format!("{page}/ranges"), &void).await;
    let whole = admin.see(&format!("{page}/codes.csv")).await;
    assert_eq!(whole.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(whole.text.contains("P0001-000200–P0001-000210"), "{}", whole.text);
    for range in ["from=0", "to=1001", "from=5&to=4", "from=X"] {
        let refused = admin.see(&format!("{page}/codes.csv?{range}")).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{range}");
    }
    assert_eq!(admin.see(&format!("{page}/codes.csv?from=211&to=")).await.headers["x-rows"], "790");

    let cancel = format!("{page}/cancel");
    admin.post(&cancel, &[("reason", " ")]).await;
    let record = || world.app.store.get::<Pack>(id_of(&page)).unwrap().unwrap();
    assert_eq!(record().cancelled, None, "a reason is wanted");
    admin.done(&cancel, &[("reason", "印刷厂弄丢了")]).await;
    assert_eq!(record().cancelled.as_deref(), Some("印刷厂弄丢了"));
    let shown = admin.see(&page).await.text;
    assert!(shown.contains("印刷厂弄丢了") && !shown.contains("codes.csv"), "{shown}");
    let gone = admin.see(&format!("{page}/codes.csv?from=1&to=5")).await;
    assert_eq!(gone.status, StatusCode::UNPROCESSABLE_ENTITY);
    let waste = [("from", "1"), ("state", "waste"), ("reason", "撕坏")];
    let refused = admin.post(&format!("{page}/ranges"), &waste).await;
    assert!(refused.text.contains("码包已取消:印刷厂弄丢了"), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn producers_mark_their_own_and_order_nothing() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let operator = id_of(&made.operator).to_owned();
    let mine = ordered(&admin, &operator).await;
    let countys = ordered(&admin, "").await;
    world.add_user("grower", Role::Producer, Some(operator)).await;
    let grower = world.browser("grower").await;
    let list = grower.see("/packs").await.text;
    assert!(list.contains(&mine) && !list.contains(&countys), "{list}");
    assert_eq!(grower.see(&countys).await.status, StatusCode::NOT_FOUND);
    assert_eq!(grower.see("/packs/new").await.status, StatusCode::FORBIDDEN);
    for path in ["codes.csv", "sheets.pdf"] {
        let refused = grower.see(&format!("{mine}/{path}")).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
    let order = grower.post("/packs", &[("kind", "unit"), ("size", "1000")]).await;
    assert_eq!(order.status, StatusCode::FORBIDDEN);
    let page = grower.see(&mine).await.text;
    assert!(!page.contains("value=\"assigned\"") && !page.contains("/cancel"), "{page}");
    let no = lot_no(&world, &made.lot);
    let bind = [("from", "1"), ("to", "10"), ("state", "bound"), ("lot", no.as_str())];
    grower.done(&format!("{mine}/ranges"), &bind).await;
    let other = grower.post(&format!("{countys}/ranges"), &bind).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
    assert!(grower.see(&made.lot).await.text.contains("id=\"units\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn producers_work_with_what_was_handed_out_to_them() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let (no, operator) = (lot_no(&world, &made.lot), id_of(&made.operator).to_owned());
    let page = ordered(&admin, "").await;
    let ranges = format!("{page}/ranges");
    let hand_out =
        [("from", "101"), ("to", "150"), ("state", "assigned"), ("operator", "示例合作社")];
    admin.done(&ranges, &hand_out).await;
    let void = [("from", "300"), ("to", "310"), ("state", "void"), ("reason", "别家弄丢了")];
    admin.done(&ranges, &void).await;

    world.add_user("grower", Role::Producer, Some(operator)).await;
    let grower = world.browser("grower").await;
    let list = grower.see("/packs").await.text;
    assert!(list.contains(&page) && list.contains("发给您的号码"), "{list}");
    let shown = grower.see(&page).await.text;
    for text in ["P0001-000101", "P0001-000150", "value=\"bound\"", "value=\"waste\""] {
        assert!(shown.contains(text), "{text} in {shown}");
    }
    for text in ["P0001-000300", "别家弄丢了", "示例印刷厂", "value=\"void\"", "value=\"assigned\""]
    {
        assert!(!shown.contains(text) && !list.contains(text), "{text} in {shown}");
    }
    let looked = grower.see("/packs/look?code=P0001-000120").await;
    assert_eq!(looked.goes_to(), format!("{page}?code=P0001-000120"));
    assert!(grower.see(looked.goes_to()).await.text.contains("id=\"looked\""));
    assert_eq!(grower.see("/packs/look?code=P0001-000200").await.goes_to(), "/packs");
    let others = grower.see(&format!("{page}?code=P0001-000300")).await.text;
    assert!(!others.contains("id=\"looked\""), "{others}");

    let bind = [("from", "P0001-000101"), ("to", "120"), ("state", "bound"), ("lot", no.as_str())];
    assert_eq!(grower.done(&ranges, &bind).await, page);
    grower.done(&ranges, &[("from", "121"), ("state", "waste"), ("reason", "撕坏")]).await;
    for refused in [
        [("from", "150"), ("to", "151"), ("state", "waste"), ("reason", "撕坏")],
        [("from", "130"), ("to", "130"), ("state", "void"), ("reason", "撕坏")],
        [("from", "1"), ("to", "5"), ("state", "bound"), ("lot", no.as_str())],
    ] {
        let answer = grower.post(&ranges, &refused).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
        assert!(answer.text.contains("不全是发给您的号码"), "{}", answer.text);
    }
    assert!(grower.see(&made.lot).await.text.contains(&page), "the lot leads to the pack");
    let file = grower.see(&format!("{page}/codes.csv?from=101&to=102")).await;
    assert_eq!(file.status, StatusCode::FORBIDDEN, "no list of codes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_station_orders_blank_forms_for_an_operator_of_its_own() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let station = [("kind", "station"), ("name", "示例监管站"), ("area", "430321103")];
    admin.done("/agencies", &station).await;
    let records: &dyn State = &world.app.store;
    let agency: Agency = records.find(agency::BY_NAME, "示例监管站").unwrap().unwrap();
    let account = [
        ("name", "示例"),
        ("username", "zhan"),
        ("role", "clerk"),
        ("agency", &agency.id),
        ("password", INITIAL),
    ];
    admin.done("/users", &account).await;
    let clerk = world.first_browser("zhan").await;
    let asked = clerk.see("/packs/new").await.text;
    assert!(asked.contains("action=\"/packs/new\""), "it chooses an operator first: {asked}");
    let paper = [("kind", "paper"), ("size", "3")];
    let refused = clerk.post("/packs", &paper).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    let operator = id_of(&made.operator);
    let form = clerk.see(&format!("/packs/new?operator={operator}")).await.text;
    assert!(form.contains("示例合作社") && form.contains("湘莲"), "{form}");
    let page = clerk.done("/packs", &[paper[0], paper[1], ("operator", operator)]).await;
    let shown = clerk.see(&page).await.text;
    assert!(
        shown.contains("<span class=\"code\">P0001</span>") && !shown.contains("value=\"bound\""),
        "{shown}"
    );
    for asked in ["paper=a5&issuer=producer", "paper=a4&issuer=buyer"] {
        let file = clerk.see(&format!("{page}/sheets.pdf?{asked}")).await;
        assert_eq!(file.status, StatusCode::OK, "{asked}: {}", file.text);
        assert_eq!(file.headers[header::CONTENT_TYPE], "application/pdf");
    }
}
