//! Lists in their orders, and decisions on several of their rows at once.

use axum::http::StatusCode;
use tianyin_domain::Role;
use tianyin_domain::operator::{Operator, OperatorStatus};

use super::{Browser, World, world};
use crate::http::console::session::flash_in;

/// An application of a person with this name; its id.
async fn applied(browser: &Browser<'_>, name: &str) -> String {
    let fields = [
        ("kind", "farmer"),
        ("name", name),
        ("area", "430321103"),
        ("contact_phone", "13812345678"),
    ];
    let path = browser.done("/operators", &fields).await;
    path.rsplit('/').next().unwrap().to_owned()
}

fn on_record(world: &World, id: &str) -> Operator {
    world.app.store.get::<Operator>(id).unwrap().unwrap()
}

/// What the box beside an operator sends.
fn choice(page: &str, id: &str) -> String {
    let mark = format!("name=\"operator\" value=\"{id}@");
    let version = page.split(&mark).nth(1).unwrap_or_else(|| panic!("no box for {id}: {page}"));
    format!("{id}@{}", version.split('"').next().unwrap())
}

/// The names of a page's rows that begin with this, in their order.
fn names(page: &str, begin: &str) -> Vec<String> {
    let cells = page.split("<td class=\"main-cell\"><a href=\"/operators/").skip(1);
    let texts = cells.filter_map(|cell| cell.split_once('>')?.1.split_once('<').map(|(n, _)| n));
    texts.filter(|name| name.starts_with(begin)).map(str::to_owned).collect()
}

#[tokio::test]
async fn operators_stand_in_the_order_of_the_address() {
    let world = world().await;
    let admin = world.browser("admin").await;
    for name in ["王示例", "安示例", "李示例"] {
        applied(&admin, name).await;
    }
    let listed = async |address: &str| names(&admin.see(address).await.text, "");
    assert_eq!(listed("/operators").await, ["李示例", "安示例", "王示例"]);
    assert_eq!(listed("/operators?sort=oldest").await, ["王示例", "安示例", "李示例"]);
    assert_eq!(listed("/operators?sort=name").await, ["安示例", "李示例", "王示例"]);
    assert_eq!(listed("/operators?sort=name_down").await, ["王示例", "李示例", "安示例"]);
    assert_eq!(listed("/operators?sort=size").await, listed("/operators").await);
    assert_eq!(listed("/operators?sort=name&area=430321100").await, Vec::<String>::new());

    let page = admin.see("/operators?sort=name&status=submitted").await.text;
    assert_eq!(names(&page, ""), ["安示例", "李示例", "王示例"]);
    assert!(page.contains("<th aria-sort=\"ascending\">"), "{page}");
    assert!(page.contains("href=\"/operators?status=returned&#38;area=&#38;sort=name\""), "{page}");
    assert!(page.contains("name=\"sort\" value=\"name\""), "{page}");
    // A decision is seen by the order by name, too.
    let id = page.split("href=\"/operators/opr_").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("/operators/opr_{id}/review");
    admin.done(&path, &[("status", "approved")]).await;
    let waits = listed("/operators?sort=name&status=submitted").await;
    assert_eq!(waits, ["李示例", "王示例"]);
}

#[tokio::test]
async fn pages_by_name_follow_each_other() {
    let world = world().await;
    let admin = world.browser("admin").await;
    // Not in the order of their names.
    for n in (0..53).map(|n| n * 31 % 53) {
        applied(&admin, &format!("示例农户{n:02}")).await;
    }
    let first = admin.see("/operators?sort=name&area=430321103").await.text;
    let next = first.split("href=\"").filter(|part| part.contains("after=")).last().unwrap();
    let next = next.split('"').next().unwrap().replace("&#38;", "&");
    assert!(next.contains("sort=name") && next.contains("area=430321103"), "{next}");
    let mut all = names(&first, "示例农户");
    assert_eq!(all.len(), 50);
    all.extend(names(&admin.see(&next).await.text, "示例农户"));
    let wanted: Vec<String> = (0..53).map(|n| format!("示例农户{n:02}")).collect();
    assert_eq!(all, wanted);
}

#[tokio::test]
async fn every_list_has_its_orders() {
    let world = world().await;
    let admin = world.browser("admin").await;
    admin.done("/inputs", &[("name", "示例药"), ("kind", "pesticide")]).await;
    applied(&admin, "王示例").await;
    for (path, usual, other) in [
        ("/operators", "newest", "oldest"),
        ("/users", "name", "name_down"),
        ("/accesses", "newest", "oldest"),
        ("/tests", "newest", "oldest"),
    ] {
        let state = |sort: &str| match sort {
            "newest" | "name_down" => "aria-sort=\"descending\"",
            _ => "aria-sort=\"ascending\"",
        };
        let page = admin.see(path).await.text;
        assert!(page.contains(state(usual)), "{path}: {page}");
        assert!(page.contains(&format!("sort={other}")), "{path}");
        let page = admin.see(&format!("{path}?sort={other}")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.contains(state(other)), "{path}");
    }
    // New results come in at the top, where the oldest stand here.
    assert!(admin.see("/tests").await.text.contains("data-live-row"));
    assert!(!admin.see("/tests?sort=oldest").await.text.contains("data-live-row"));
}

#[tokio::test]
async fn several_are_decided_at_once_each_with_its_own_line() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let (a, b, c) = (
        applied(&admin, "王示例").await,
        applied(&admin, "安示例").await,
        applied(&admin, "李示例").await,
    );
    let page = admin.see("/operators?status=submitted").await.text;
    let [at_a, at_b, at_c] = [&a, &b, &c].map(|id| choice(&page, id));

    // To return one needs a reason; what was ticked stays ticked, what was typed stays typed.
    let ticked = [("operator", at_a.as_str()), ("operator", at_b.as_str())];
    let no_reason = [&ticked[..], &[("status", "returned")]].concat();
    let refused = admin.post("/operators/decide", &no_reason).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.text.contains(&at_a) && refused.text.contains("f-reason-error"),
        "{}",
        refused.text
    );
    assert_eq!(on_record(&world, &a).status, OperatorStatus::Submitted);
    let wrong = [&ticked[..], &[("status", "exited"), ("reason", "x")]].concat();
    assert_eq!(
        admin.post("/operators/decide", &wrong).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(on_record(&world, &a).status, OperatorStatus::Submitted);

    let before = world.app.store.applied_seq();
    let fields = [&ticked[..], &[("status", "returned"), ("reason", "请写清住址"), ("once", "k1")]];
    let done = admin.post("/operators/decide", &fields.concat()).await;
    assert_eq!(done.status, StatusCode::OK);
    assert!(done.text.contains("2 个已审核,0 个没有成功"), "{}", done.text);
    assert_eq!(world.app.store.applied_seq(), before + 2, "a line each");
    for id in [&a, &b] {
        let now = on_record(&world, id);
        assert_eq!(
            (now.status, now.status_reason.as_str()),
            (OperatorStatus::Returned, "请写清住址")
        );
    }
    // The same page sent again does nothing again.
    let again = admin.post("/operators/decide", &fields.concat()).await;
    assert!(again.text.contains("2 个已审核"), "{}", again.text);
    assert_eq!(world.app.store.applied_seq(), before + 2);
    assert_eq!(on_record(&world, &c).status, OperatorStatus::Submitted);

    // What somebody decided meanwhile is not passed over; the others are decided all the same.
    let d = applied(&admin, "赵示例").await;
    let at_d = choice(&admin.see("/operators?status=submitted").await.text, &d);
    let other = [("status", "returned"), ("reason", "重复申请")];
    admin.done(&format!("/operators/{d}/review"), &other).await;
    let both = [("operator", at_d.as_str()), ("operator", at_c.as_str()), ("status", "approved")];
    let done = admin.post("/operators/decide", &both).await;
    assert!(done.text.contains("1 个已审核,1 个没有成功"), "{}", done.text);
    assert_eq!(on_record(&world, &c).status, OperatorStatus::Approved);
    assert_eq!(on_record(&world, &d).status, OperatorStatus::Returned);
}

#[tokio::test]
async fn who_may_not_review_ticks_nothing() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let id = applied(&admin, "王示例").await;
    let choice = choice(&admin.see("/operators").await.text, &id);
    world.add_user("officer", Role::Officer, None).await;
    let officer = world.browser("officer").await;
    assert!(!officer.see("/operators").await.text.contains("name=\"operator\""));
    let fields = [("operator", choice.as_str()), ("status", "approved")];
    let refused = officer.post("/operators/decide", &fields).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(on_record(&world, &id).status, OperatorStatus::Submitted);

    let nothing = admin.post("/operators/decide", &[("status", "approved")]).await;
    assert_eq!(nothing.goes_to(), "/operators?status=submitted");
    let cookie = nothing.headers[axum::http::header::SET_COOKIE].clone();
    let mut sent = axum::http::HeaderMap::new();
    sent.insert(axum::http::header::COOKIE, cookie);
    assert!(!flash_in(&sent).unwrap().good);
}
