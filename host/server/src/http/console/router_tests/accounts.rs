//! Agencies and accounts down the tree, through the pages.

use axum::http::StatusCode;
use tianyin_domain::agency::{self, Agency};
use tianyin_domain::state::{Entity, Index, State};
use tianyin_domain::user::{self, User};

use super::{Browser, INITIAL, PASSWORD, World, world};

fn find<E: Entity>(world: &World, index: Index, part: &str) -> E {
    let state: &dyn State = &world.app.store;
    state.find(index, part).unwrap().unwrap()
}

async fn add_agency(browser: &Browser<'_>, kind: &str, name: &str, area: &str) -> Agency {
    let fields = [("kind", kind), ("name", name), ("area", area)];
    assert_eq!(browser.done("/agencies", &fields).await, "/agencies");
    find(browser.world, agency::BY_NAME, name)
}

fn account<'a>(username: &'a str, role: &'a str, agency: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("name", "示例"),
        ("username", username),
        ("role", role),
        ("agency", agency),
        ("password", INITIAL),
    ]
}

#[tokio::test]
async fn an_agency_s_administrator_allocates_its_own_accounts_and_no_others() {
    let world = world().await;
    let county = world.browser("admin").await;
    assert!(county.see("/agencies").await.text.contains("还没有机构"));
    let testing = add_agency(&county, "testing", "示例检测中心", "430321").await;
    let station = add_agency(&county, "station", "示例监管站", "430321103").await;
    let list = county.see("/agencies").await.text;
    let invitation = format!("/users/new?agency={}&amp;role=administrator", testing.id);
    assert!(list.contains(&invitation), "{list}");
    assert!(list.find("示例检测中心") < list.find("示例监管站"), "the county's own bodies first");

    let form = county.see(&invitation.replace("&amp;", "&")).await.text;
    assert!(form.contains(&format!("value=\"{}\" selected", testing.id)), "{form}");
    county.done("/users", &account("jiance", "administrator", &testing.id)).await;
    county.done("/users", &account("zhan", "administrator", &station.id)).await;
    let second = county.post("/users", &account("jiance2", "administrator", &testing.id)).await;
    assert_eq!(second.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(second.text.contains("已有管理员"), "{}", second.text);

    let own = world.first_browser("jiance").await;
    let agencies = own.see("/agencies").await.text;
    assert!(agencies.contains("示例检测中心") && !agencies.contains("示例监管站"));
    assert!(!agencies.contains("/agencies/new"), "it adds no agencies");
    assert_eq!(own.see("/agencies/new").await.status, StatusCode::FORBIDDEN);
    own.done("/users", &account("jianceyuan", "clerk", "")).await;
    let clerk: User = find(&world, user::BY_NAME, "jianceyuan");
    assert_eq!(clerk.agency.as_deref(), Some(testing.id.as_str()), "its own when none is chosen");
    let list = own.see("/users").await.text;
    assert!(list.contains("jianceyuan") && !list.contains(">zhan<") && !list.contains(">admin<"));

    // Out of reach: the county's and the station's people, settings, devices.
    let head: User = find(&world, user::BY_NAME, "zhan");
    let new = [("password", "another-horse-9"), ("password_again", "another-horse-9")];
    for path in [format!("/users/{}/password", head.id), format!("/users/{}/active", head.id)] {
        assert_eq!(own.post(&path, &new).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let filtered = own.see(&format!("/users?agency={}", station.id)).await;
    assert_eq!(filtered.status, StatusCode::NOT_FOUND);
    for path in ["/settings", "/health", "/devices/new"] {
        assert_eq!(own.see(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let refused = own.post("/users", &account("x1", "clerk", &station.id)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("不归您分配"), "{}", refused.text);

    // What its people do not do is not offered.
    assert!(!own.see("/operators").await.text.contains("href=\"/operators/new\""));
    assert!(county.see("/operators").await.text.contains("href=\"/operators/new\""));

    // Its own people: a new password ends their sessions.
    let person = world.first_browser("jianceyuan").await;
    assert_eq!(person.see("/tests").await.status, StatusCode::OK);
    assert_eq!(person.see("/users").await.status, StatusCode::FORBIDDEN);
    assert_eq!(own.done(&format!("/users/{}/password", clerk.id), &new).await, "/users");
    assert_eq!(person.see("/tests").await.goes_to(), "/sign-in?next=%2Ftests");
}

#[tokio::test]
async fn a_station_adds_service_points_of_its_township() {
    let world = world().await;
    let county = world.browser("admin").await;
    let station = add_agency(&county, "station", "示例监管站", "430321103").await;
    county.done("/users", &account("zhan", "administrator", &station.id)).await;
    let own = world.first_browser("zhan").await;

    // Numbers, too, are of what one sees.
    let farmer = [
        ("kind", "farmer"),
        ("name", "李示例"),
        ("area", "430321102"),
        ("contact_phone", "13812345678"),
    ];
    county.done("/operators", &farmer).await;
    let waiting = |n| format!("<span>待审核主体</span><b>{n}</b>");
    assert!(county.see("/today/work").await.text.contains(&waiting(1)));
    assert!(!own.see("/today/work").await.text.contains("待审核主体"), "the county reviews");
    assert!(county.see("/lots").await.text.contains("<i title="), "a badge in the menu");
    assert!(!own.see("/lots").await.text.contains("<i title="));
    let chip = |n| format!(" <b>{n}</b></a>");
    assert!(county.see("/operators").await.text.contains(&chip(1)));
    assert!(!own.see("/operators").await.text.contains(&chip(1)));
    let point = add_agency(&own, "service_point", "示例服务站点", "430321103").await;
    own.done("/users", &account("fuwu", "administrator", &point.id)).await;
    let elsewhere = [("kind", "service_point"), ("name", "别处"), ("area", "430321102")];
    let refused = own.post("/agencies", &elsewhere).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let list = own.see("/agencies").await.text;
    assert!(list.contains("示例监管站") && list.contains("示例服务站点") && !list.contains("别处"));
    let people = own.see(&format!("/users?agency={}", point.id)).await.text;
    assert!(people.contains("fuwu"), "{people}");
}

#[tokio::test]
async fn everybody_changes_their_own_password() {
    let world = world().await;
    world.add_user("clerk", tianyin_domain::Role::Clerk, None).await;
    let clerk = world.browser("clerk").await;
    let page = clerk.see("/account").await.text;
    assert!(page.contains("县级") && page.contains("业务员"), "{page}");
    let phone = world.browser("clerk").await;
    assert!(clerk.see("/account").await.text.contains("退出其他登录"));
    assert_eq!(clerk.done("/account/sessions/end", &[]).await, "/account");
    assert_eq!(phone.see("/").await.goes_to(), "/sign-in");
    assert!(!clerk.see("/account").await.text.contains("退出其他登录"));

    let fields =
        |now, new, again| [("password_now", now), ("password", new), ("password_again", again)];
    let new = "another-horse-9";
    for (sent, told) in [
        (fields("wrong-horse-9", new, new), "现在的密码不对"),
        (fields(PASSWORD, new, "x"), "两次输入的密码不一致"),
        (fields(PASSWORD, "12345678", "12345678"), "常见密码"),
    ] {
        let reply = clerk.post("/account", &sent).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(reply.text.contains(told), "{told}: {}", reply.text);
    }
    assert_eq!(clerk.done("/account", &fields(PASSWORD, new, new)).await, "/sign-in");
    assert_eq!(clerk.see("/account").await.goes_to(), "/sign-in?next=%2Faccount");
    let address = std::net::IpAddr::from([127, 0, 0, 1]);
    assert!(world.app.sign_in("clerk", PASSWORD, address).await.is_err());
    world.app.sign_in("clerk", new, address).await.unwrap();
}
