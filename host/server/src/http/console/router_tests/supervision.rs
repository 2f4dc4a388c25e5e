//! Service points and what is delegated to them, cells of grid supervision, through the
//! pages.

use axum::http::StatusCode;
use tianyin_domain::agency::{self, Agency};
use tianyin_domain::cell::{self, Cell};
use tianyin_domain::operator::Operator;
use tianyin_domain::state::{Entity, Index, State};

use super::{Browser, INITIAL, World, world};

const TOWNSHIP: &str = "430321103";

fn find<E: Entity>(world: &World, index: Index, part: &str) -> E {
    let state: &dyn State = &world.app.store;
    state.find(index, part).unwrap().unwrap()
}

/// Registers a farmer; the id.
async fn farmer(browser: &Browser<'_>, name: &str, area: &str) -> String {
    let fields =
        [("kind", "farmer"), ("name", name), ("area", area), ("contact_phone", "13812345678")];
    let to = browser.done("/operators", &fields).await;
    to.strip_prefix("/operators/").unwrap().to_owned()
}

async fn approve(browser: &Browser<'_>, operator: &str) {
    browser.done(&format!("/operators/{operator}/review"), &[("status", "approved")]).await;
}

/// A station and a service point of one township, with a clerk each.
async fn village(world: &World, county: &Browser<'_>) -> Agency {
    for (kind, name, username) in
        [("station", "示例监管站", "zhan"), ("service_point", "示例服务站点", "cun")]
    {
        county.done("/agencies", &[("kind", kind), ("name", name), ("area", TOWNSHIP)]).await;
        let agency: Agency = find(world, agency::BY_NAME, name);
        let account = [
            ("name", "示例"),
            ("username", username),
            ("role", "clerk"),
            ("agency", &agency.id),
            ("password", INITIAL),
        ];
        county.done("/users", &account).await;
    }
    find(world, agency::BY_NAME, "示例服务站点")
}

#[tokio::test]
async fn a_service_point_sees_what_is_delegated_to_it_on_every_page_and_nothing_else() {
    let world = world().await;
    let county = world.browser("admin").await;
    let point = village(&world, &county).await;
    let mine = farmer(&county, "甲受托", TOWNSHIP).await;
    let hidden = farmer(&county, "乙未托", TOWNSHIP).await;
    let page = format!("/agencies/{}", point.id);
    let station = world.first_browser("zhan").await;
    let clerk = world.first_browser("cun").await;
    assert!(!clerk.see("/operators").await.text.contains("甲受托"), "nothing yet");

    // The station searches, ticks and delegates; the clerk who is signed in sees it at once.
    let searched = station.see(&format!("{page}?q=%E7%94%B2%E5%8F%97%E6%89%98")).await.text;
    assert!(searched.contains(&format!("value=\"{mine}\"")), "{searched}");
    let begin = format!("{page}/delegations");
    station.done(&begin, &[("operators", &mine)]).await;
    let list = clerk.see("/operators").await.text;
    assert!(list.contains("甲受托") && !list.contains("乙未托"), "{list}");
    assert!(clerk.see(&page).await.text.contains("甲受托"));
    let shown = station.see(&page).await.text;
    assert!(shown.contains("甲受托") && shown.contains("把主体委托给了村级服务站点"), "{shown}");
    let told = county.see(&format!("/operators/{mine}")).await.text;
    assert!(told.contains("示例服务站点"), "{told}");

    // Every list, search, choice and export.
    for path in [
        "/",
        "/operators",
        "/operators?q=%E4%B9%99%E6%9C%AA%E6%89%98",
        "/operators?area=430321103",
        "/operators/export.csv",
        "/documents",
        "/documents/new?q=%E4%B9%99",
        "/lots",
        "/lots/new?q=%E4%B9%99",
        "/products",
        "/tests",
        "/certificates",
        "/activities",
        "/search?q=%E4%B9%99%E6%9C%AA%E6%89%98",
    ] {
        let reply = clerk.see(path).await;
        // What somebody types is repeated in the field.
        let text = reply.text.replace("value=\"乙未托\"", "");
        assert!(!text.contains("乙未托") && !text.contains(&hidden), "{path}: {text}");
    }
    assert!(clerk.see("/operators/export.csv").await.text.contains("甲受托"));
    let there = clerk.see(&format!("/operators/{hidden}")).await;
    assert_eq!(there.status, StatusCode::NOT_FOUND);
    let site = [("name", "田"), ("size_mu", "3"), ("area", TOWNSHIP)];
    clerk.done(&format!("/operators/{mine}/sites"), &site).await;
    let refused = clerk.post(&format!("/operators/{hidden}/sites"), &site).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    for path in [begin.as_str(), "/cells/new"] {
        let refused = clerk.post(path, &[("operators", &hidden)]).await;
        assert!(!refused.goes_to().contains("/cells/"), "{path}");
    }
    assert!(!clerk.see("/operators").await.text.contains("乙未托"), "it delegates nothing itself");
    assert_eq!(clerk.see("/cells").await.status, StatusCode::FORBIDDEN);

    // What it registers is its own to look after.
    let own = farmer(&clerk, "丙自登", TOWNSHIP).await;
    assert!(clerk.see(&format!("/operators/{own}")).await.text.contains("丙自登"));
    assert!(clerk.see(&page).await.text.contains("丙自登"));

    // The end is felt at once, too, and wants a reason.
    let end = format!("{page}/delegations/end");
    station.post(&end, &[("operator", &mine), ("reason", "")]).await;
    assert!(clerk.see("/operators").await.text.contains("甲受托"), "without a reason it goes on");
    station.done(&end, &[("operator", &mine), ("reason", "改由邻村服务")]).await;
    assert!(!clerk.see("/operators").await.text.contains("甲受托"));
    assert_eq!(clerk.see(&format!("/operators/{mine}")).await.status, StatusCode::NOT_FOUND);
    assert!(station.see(&page).await.text.contains("改由邻村服务"));
}

#[tokio::test]
async fn the_grid_shows_its_holes_and_closes_them() {
    let world = world().await;
    let county = world.browser("admin").await;
    village(&world, &county).await;
    let named = farmer(&county, "甲列出", TOWNSHIP).await;
    let rest = farmer(&county, "乙其余", TOWNSHIP).await;
    approve(&county, &named).await;
    approve(&county, &rest).await;
    let station = world.first_browser("zhan").await;
    let holes = station.see("/cells").await.text;
    assert!(holes.contains("甲列出") && holes.contains("乙其余"), "{holes}");

    let new = [("name", "日华村网格"), ("area", TOWNSHIP)];
    let cell = station.done("/cells/new", &new).await;
    let add = [("add", named.as_str()), ("reason", "划定")];
    station.done(&format!("{cell}/operators"), &add).await;
    let holes = station.see("/cells").await.text;
    assert!(!holes.contains("甲列出") && holes.contains("乙其余"), "{holes}");
    assert!(holes.contains("没有责任人"), "{holes}");
    let whole = [
        ("name", "全镇网格"),
        ("area", TOWNSHIP),
        ("whole", "1"),
        ("person", "王责任"),
        ("phone", "0731-57000001"),
    ];
    station.done("/cells/new", &whole).await;
    assert!(!station.see("/cells").await.text.contains("乙其余"));
    let twice = station.post("/cells/new", &[("name", "再划"), whole[1], whole[2]]).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(twice.text.contains("全镇网格"), "{}", twice.text);

    // Who answers for an operator stands on its page, also for itself.
    world.add_user("nonghu", tianyin_domain::Role::Producer, Some(rest.clone())).await;
    let grower = world.browser("nonghu").await;
    let own = grower.see(&format!("/operators/{rest}")).await.text;
    assert!(own.contains("全镇网格") && own.contains("王责任"), "{own}");
    assert!(!own.contains("href=\"/cells"), "{own}");
    assert_eq!(grower.see("/cells").await.status, StatusCode::FORBIDDEN);
    let csv = station.see("/cells/export.csv").await.text;
    assert!(
        csv.contains("日华村网格") && csv.contains("王责任") && csv.contains("乙其余"),
        "{csv}"
    );

    // Changed by two: the second sees both; ended with a reason.
    let edit = station.see(&format!("{cell}/edit")).await.text;
    let version =
        edit.split("name=\"version\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let change = |name: &'static str| {
        [("version", version), ("name", name), ("area", TOWNSHIP), ("reason", "改名")]
    };
    station.done(&format!("{cell}/edit"), &change("日华村一网格")).await;
    let second = county.post(&format!("{cell}/edit"), &change("日华村二网格")).await;
    assert_eq!(second.status, StatusCode::CONFLICT);
    assert!(second.text.contains("日华村一网格") && second.text.contains("日华村二网格"));
    station.done(&format!("{cell}/end"), &[("reason", "并入全镇")]).await;
    let ended = station.see(&cell).await.text;
    assert!(ended.contains("已撤销:并入全镇"), "{ended}");
    let state: &dyn State = &world.app.store;
    let operator: Operator = world.app.store.get(&named).unwrap().unwrap();
    let now: Option<Cell> = cell::of_operator(state, &operator).unwrap();
    assert_eq!(now.map(|cell| cell.data.name).as_deref(), Some("全镇网格"));
}

#[tokio::test]
async fn the_agencies_to_begin_with_are_ticked_and_named() {
    let world = world().await;
    let county = world.browser("admin").await;
    let start = county.see("/agencies/start").await.text;
    assert_eq!(start.matches("name=\"agency\"").count(), 20, "3 bodies and 17 townships: {start}");
    assert!(start.contains("value=\"湘潭县农业农村局\""), "{start}");
    let fields = [
        ("agency", "c0"),
        ("name_c0", "示例农业农村局"),
        ("agency", TOWNSHIP),
        ("name_430321103", "示例农业农村局"),
        ("name_430321100", "不勾选的站"),
    ];
    // What can be added is, the rest comes back with its fault.
    let refused = county.post("/agencies/start", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("已被使用"), "{}", refused.text);
    let left = refused.text.matches("name=\"agency\"").count();
    assert_eq!(left, 19, "the one that was added is missing no more");
    let again = [fields[2], ("name_430321103", "示例监管站")];
    assert_eq!(county.done("/agencies/start", &again).await, "/agencies");
    let list = county.see("/agencies").await.text;
    assert!(list.contains("示例农业农村局") && list.contains("示例监管站"), "{list}");
    assert!(!list.contains("不勾选的站"));
    let others = world.stranger().see("/agencies/start").await;
    assert!(others.goes_to().starts_with("/sign-in"), "{}", others.goes_to());
}
