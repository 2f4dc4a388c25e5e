//! Wrong clocks: nothing is lost, nobody is locked out or in, and no certificate gets a wrong date.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use serde_json::{Value, json};
use tianyin_tests::api::{self, Api};
use tianyin_tests::appliance::Setting;
use tianyin_tests::device::Sample;
use tianyin_tests::false_clock::FalseClock;
use tianyin_tests::http::Answer;
use tianyin_tests::{Appliance, until};

const WAIT: Duration = Duration::from_secs(20);
const SENTENCE: &str = "系统时间不正确";
const HOUR_S: i64 = 3600;
const DAY_S: i64 = 24 * HOUR_S;

fn set_date(clock: &FalseClock, date: &str) {
    let wanted: jiff::Timestamp = date.parse().unwrap();
    clock.set_second(wanted.as_second());
}

fn issue(appliance: &Appliance, api: &Api, product: &str) -> Answer {
    let lot = appliance.demo.lot(product).unwrap().id.clone();
    let issue = json!({ "lot": lot, "quantity": "1", "basis": ["quality_control"] });
    api.post("/certificates", &issue).unwrap()
}

fn assert_refused(answer: &Answer, code: &str) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    let told = answer.json().unwrap();
    assert_eq!(told["code"], code, "{told}");
    assert!(told["detail"].as_str().unwrap().contains(SENTENCE), "{told}");
}

fn wait_clock(appliance: &Appliance, code: &str) {
    until(code, WAIT, || {
        let ready = appliance.get("/readyz")?.json()?;
        Ok((ready["clock"] == code).then_some(()))
    })
    .unwrap_or_else(|e| panic!("{e}\n{}", appliance.log()));
}

/// Times of all lines of the journal, in their order.
fn times(appliance: &Appliance) -> Vec<String> {
    let file = appliance.setting.data.join("journal/0000000000000001.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    // Space that the journal has reserved.
    let text = text.trim_end_matches('\0');
    let time = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["time"].as_str().unwrap().to_owned()
    };
    text.lines().map(time).collect()
}

fn assert_never_back(times: &[String]) {
    let back = times.windows(2).find(|pair| pair[1] < pair[0]);
    assert!(back.is_none(), "time goes back: {back:?}");
}

#[test]
fn a_clock_behind_the_journal_issues_nothing_and_loses_nothing() {
    let mut setting = Setting::new().unwrap();
    let clock = FalseClock::on(&mut setting);
    let mut appliance = Appliance::made(setting).unwrap();
    clock.set_s(-DAY_S);
    appliance.serve().unwrap();
    wait_clock(&appliance, "clock_behind");
    let api = appliance.api("admin").unwrap();
    assert_refused(&issue(&appliance, &api, "小白菜"), "clock_behind");
    assert!(appliance.get("/sign-in").unwrap().text().contains(SENTENCE));
    // What devices bring is taken in and judged; only the certificate waits.
    let lot = appliance.demo.lot("湘莲").unwrap().clone();
    let sample = Sample { model: "json", lot: &lot.no, name: "湘莲", inhibition: "12.5" };
    let receipt = appliance.measure("json-ysh-01", sample).unwrap();
    assert_eq!(receipt["status"], "accepted", "{receipt}");
    assert!(api.list("/certificates").unwrap().is_empty());
    assert_never_back(&times(&appliance));

    // Set right, it goes on by itself: also with the certificate that was to be issued by itself.
    clock.set_s(0);
    wait_clock(&appliance, "right");
    until("the automatic certificate", WAIT, || {
        let issued = api.list("/certificates")?;
        Ok(issued.iter().any(|c| c["lot"] == lot.id.as_str()).then_some(()))
    })
    .unwrap_or_else(|e| panic!("{e}\n{}", appliance.log()));
    let issued = issue(&appliance, &api, "小白菜");
    assert!((200..300).contains(&issued.status), "{}", issued.text());
    assert_never_back(&times(&appliance));

    // A few minutes are no fault, and lines do not go back for them.
    clock.set_s(-200);
    let issued = issue(&appliance, &api, "小白菜");
    assert!((200..300).contains(&issued.status), "{}", issued.text());
    assert_never_back(&times(&appliance));
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
}

#[test]
fn a_flat_battery() {
    // Before there is any line to compare with.
    let mut setting = Setting::new().unwrap();
    let clock = FalseClock::on(&mut setting);
    set_date(&clock, "2001-01-01T00:00:00Z");
    let mut appliance = Appliance::empty(setting).unwrap();
    appliance.serve().unwrap();
    wait_clock(&appliance, "clock_before_build");
    assert!(appliance.get("/sign-in").unwrap().status < 500);
    // The network brings the time: years forward, which is right here.
    clock.set_s(0);
    wait_clock(&appliance, "right");
    appliance.stop().unwrap();

    let mut setting = Setting::new().unwrap();
    let clock = FalseClock::on(&mut setting);
    let mut appliance = Appliance::made(setting).unwrap();
    set_date(&clock, "2001-01-01T00:00:00Z");
    appliance.serve().unwrap();
    wait_clock(&appliance, "clock_behind");
    let api = appliance.api("admin").unwrap();
    assert_refused(&issue(&appliance, &api, "小白菜"), "clock_behind");
    clock.set_s(0);
    wait_clock(&appliance, "right");
    let issued = issue(&appliance, &api, "小白菜");
    assert!((200..300).contains(&issued.status), "{}", issued.text());
}

#[test]
fn jumps_while_it_runs() {
    let mut setting = Setting::new().unwrap();
    let clock = FalseClock::on(&mut setting);
    let mut appliance = Appliance::start_with(setting).unwrap();
    wait_clock(&appliance, "right");
    let api = appliance.api("admin").unwrap();
    let address = appliance.setting.http;
    for _ in 0..7 {
        api::sign_in(address, "clerk", "wrong-password").unwrap();
    }
    let throttled = api::sign_in(address, "clerk", appliance.demo.password()).unwrap();
    assert_eq!(throttled.status, 429, "{}", throttled.text());
    let pairing = api.done("/pairing", &json!({})).unwrap();
    assert_eq!(pairing["open"], true, "{pairing}");

    // A year ahead: sessions and pairing go by the uptime, certificates wait, lines are not dated so.
    clock.set_s(365 * DAY_S);
    wait_clock(&appliance, "clock_ahead");
    assert!(!api.list("/lots").unwrap().is_empty(), "the session stands");
    assert_refused(&issue(&appliance, &api, "小白菜"), "clock_ahead");
    let agency = appliance.scan("scan-hs-01", &appliance.demo.lots[0].no).unwrap();
    assert_eq!(agency["status"], "accepted", "{agency}");
    let limit = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).to_string();
    let latest = times(&appliance).pop().unwrap();
    assert!(latest < limit, "{latest} stands in the future");

    // And back again; two days back, too.
    clock.set_s(0);
    wait_clock(&appliance, "right");
    clock.set_s(-2 * DAY_S);
    wait_clock(&appliance, "clock_behind");
    assert!(!api.list("/lots").unwrap().is_empty(), "the session stands");
    until("the throttle to end", WAIT, || {
        let answer = api::sign_in(address, "clerk", appliance.demo.password())?;
        Ok((answer.status == 200).then_some(()))
    })
    .unwrap();
    assert_eq!(api.get("/pairing").unwrap()["open"], true, "ten minutes are not over");
    clock.set_s(0);
    wait_clock(&appliance, "right");
    let issued = issue(&appliance, &api, "小白菜");
    assert!((200..300).contains(&issued.status), "{}", issued.text());
    assert_never_back(&times(&appliance));
    appliance.stop().unwrap();
}

/// A clock that was far ahead when lines were written, found out later: a person says so once.
#[test]
fn lines_from_the_future_are_no_prison() {
    let mut setting = Setting::new().unwrap();
    let clock = FalseClock::on(&mut setting);
    clock.set_s(30 * DAY_S);
    let mut appliance = Appliance::made(setting).unwrap();
    clock.set_s(0);
    appliance.serve().unwrap();
    wait_clock(&appliance, "clock_behind");
    let api = appliance.api("admin").unwrap();
    assert_refused(&issue(&appliance, &api, "小白菜"), "clock_behind");
    appliance.stop().unwrap();
    appliance.serve_with(&["--trust-clock"]).unwrap();
    wait_clock(&appliance, "right");
    let api = appliance.api("admin").unwrap();
    // Lots of the demo county are of days that are still to come.
    let told = issue(&appliance, &api, "小白菜").json().unwrap();
    assert_ne!(told["code"], "clock_behind", "{told}");
    assert!(appliance.log().contains("the clock is believed"), "{}", appliance.log());
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
}

#[test]
fn a_set_up_link_is_never_good_for_long() {
    let mut setting = Setting::new().unwrap();
    let clock = FalseClock::on(&mut setting);
    let mut appliance = Appliance::empty(setting).unwrap();
    appliance.serve().unwrap();
    let token = appliance.setup_token().unwrap();
    let opens = || {
        let page = appliance.get(&format!("/setup?token={token}")).unwrap().text();
        page.contains("name=\"password\"")
    };
    assert!(opens());
    for ahead_s in [HOUR_S, -HOUR_S, -400 * DAY_S] {
        clock.set_s(ahead_s);
        assert!(!opens(), "{ahead_s} s ahead");
    }
    clock.set_s(0);
    assert!(opens());
}
