//! Suspicious codes on the county's pages, and the rules for them.

use axum::http::StatusCode;
use tianyin_domain::code::Code;
use tianyin_domain::command::Command;
use tianyin_domain::scan::{AreaScans, ScanCount, SuspicionStatus};
use tianyin_domain::scan_policy::ScanPolicy;
use tianyin_domain::{Actor, Role, State};

use super::{World, everything, world};
use crate::edge::now;

/// Scans of a code in these cities.
async fn scanned(world: &World, code: &str, cities: &[&str]) {
    let area = |city: &&str| AreaScans { area: (*city).into(), count: 2 };
    let areas: Vec<AreaScans> = cities.iter().map(area).collect();
    let count = 2 * areas.len() as u64;
    let counts = vec![ScanCount { areas, ..ScanCount::new(code.into(), count, now()) }];
    world.app.submit(&Actor::system("scans"), Command::CountScans(counts)).await.unwrap();
}

fn record(world: &World, code: &str) -> Code {
    world.app.store.get(code).unwrap().unwrap()
}

#[tokio::test]
async fn a_suspicious_code_waits_until_somebody_says_what_it_was() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let code = made.certificate.rsplit('/').next().unwrap().to_owned();
    assert!(admin.see("/suspicions").await.text.contains("没有这样的码"));
    scanned(&world, &code, &["4301", "4403", "3101"]).await;

    let today = admin.see("/").await.text;
    let fact = today.split("href=\"/suspicions\"><span>").nth(1).unwrap();
    assert!(fact.split("</a>").next().unwrap().contains("<b>1</b>"), "{fact}");
    let list = admin.see("/suspicions").await.text;
    for one in ["长沙市 2", "深圳市 2", "上海市 2", "湘莲", "示例合作社", "在多个地市出现"]
    {
        assert!(list.contains(one), "{one} in {list}");
    }
    let page = format!("/suspicions/{code}");
    let shown = admin.see(&page).await.text;
    assert!(shown.contains("长沙市") && shown.contains(&made.certificate), "{shown}");
    let certificate = admin.see(&made.certificate).await.text;
    assert!(certificate.contains("深圳市 2") && certificate.contains(&page), "{certificate}");

    let settle = format!("{page}/settle");
    let refused = admin.post(&settle, &[("status", ""), ("note", "展会")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("展会"), "what was typed is kept");
    let said = [("status", "copied"), ("note", "市场上有仿品")];
    assert_eq!(admin.done(&settle, &said).await, page);
    let known = record(&world, &code).suspicion.unwrap();
    assert_eq!((known.status, known.note.as_str()), (SuspicionStatus::Copied, "市场上有仿品"));
    assert!(admin.see("/suspicions").await.text.contains("没有这样的码"));
    assert!(admin.see("/suspicions?status=copied").await.text.contains("湘莲"));
    assert!(admin.see(&page).await.text.contains("市场上有仿品"));
}

#[tokio::test]
async fn a_producer_sees_its_own_and_settles_nothing() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let code = made.certificate.rsplit('/').next().unwrap().to_owned();
    scanned(&world, &code, &["4301", "4403", "3101"]).await;
    let operator = made.operator.rsplit('/').next().unwrap().to_owned();
    world.add_user("grower", Role::Producer, Some(operator)).await;
    let grower = world.browser("grower").await;
    assert!(grower.see("/suspicions").await.text.contains("湘莲"));
    let page = format!("/suspicions/{code}");
    assert!(!grower.see(&page).await.text.contains("/settle"));
    grower.post(&format!("{page}/settle"), &[("status", "cleared"), ("note", "x")]).await;
    assert_eq!(record(&world, &code).suspicion.unwrap().status, SuspicionStatus::Open);
}

#[tokio::test]
async fn the_rules_are_set_on_the_settings_page() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let page = admin.see("/settings").await.text;
    assert!(page.contains("name=\"day_scans\"") && page.contains("import-areas"), "{page}");
    let bad = admin.post("/settings/scans", &[("cities", "1"), ("day_scans", "50")]).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(bad.text.contains("地市数应为 0 或 2–16"), "{}", bad.text);
    admin.done("/settings/scans", &[("cities", "5"), ("day_scans", "50"), ("warn", "1")]).await;
    let state: &dyn State = &world.app.store;
    let set = ScanPolicy { cities: 5, day_scans: 50, warn: true, void_reason: false };
    assert_eq!(ScanPolicy::of(state).unwrap(), set);
}
