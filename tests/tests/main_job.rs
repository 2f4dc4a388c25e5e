//! The main job of the demo, and what must be true of it afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use tianyin_tests::appliance::Setting;
use tianyin_tests::device::Printer;
use tianyin_tests::{Appliance, http, journey};

#[test]
fn a_result_becomes_a_label_that_everybody_can_check() {
    let setting = Setting::new().unwrap();
    let mut printer = Printer::start(setting.printer, &setting.data.join("labels")).unwrap();
    let mut appliance = Appliance::start_with(setting).unwrap();
    let mut steps = Vec::new();
    let mut hear = |step: &str, _: Duration| steps.push(step.to_owned());
    let outcome = journey::main_job(&appliance, &mut printer, &mut hear);
    let outcome = outcome.unwrap_or_else(|e| panic!("{e:#}\nlog:\n{}", appliance.log()));
    assert_eq!(steps.len(), 9, "{steps:#?}");

    let api = appliance.api("clerk").unwrap();
    let lots = appliance.demo.lots.clone();
    let certificates = api.list("/certificates").unwrap();
    assert_eq!(certificates.len(), 1, "only the authorised lot got a certificate");
    let certificate = &certificates[0];
    assert_eq!(certificate["content"]["code"], outcome.code.as_str());
    assert_eq!(certificate["content"]["form"], "producer-2026");
    assert_eq!(certificate["content"]["quantity"], "500", "the whole lot");
    assert!(certificate["authorisation"].as_str().is_some_and(|id| id.starts_with("aut_")));
    assert_eq!(certificate["judgement"]["verdict"], "pass");

    // What was scanned was counted: the page once, and the market's check.
    let code = api.get(&format!("/codes/{}", outcome.code)).unwrap();
    assert_eq!(code["checks"], 1, "{code}");
    assert!(code["scans"].as_u64().unwrap() >= 1, "{code}");
    assert!(code["first_scan_at"].is_string(), "{code}");

    let jobs = api.list("/print_jobs").unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0]["status"], "printed", "{}", jobs[0]);

    // The page holds no personal data and needs no script.
    let html = http::get_url(&outcome.url).unwrap().text();
    assert!(html.len() < 30_000, "{} bytes", html.len());
    for secret in ["示例联系人", "13800000", "<script"] {
        assert!(!html.contains(secret), "the scan page holds {secret}");
    }
    // Both cases of the address are the same page; the path of the label is upper case.
    let lower = outcome.url.to_ascii_lowercase();
    assert_eq!(http::get_url(&lower).unwrap().status, 200);
    let svg = appliance.get(&format!("/t/{}/label.svg", outcome.code)).unwrap();
    assert_eq!(svg.header("content-type"), Some("image/svg+xml"));
    assert!(svg.text().contains("<svg"));

    // A second result of the same lot issues no second certificate: nothing is left to certify.
    assert_eq!(lots[0].no, outcome.lot_no);
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
}

#[test]
fn a_positive_result_holds_the_lot_and_issues_nothing() {
    let appliance = Appliance::start().unwrap();
    let lot = appliance.demo.lots[1].clone();
    assert!(lot.auto_issue);
    appliance.scan("scan-hs-01", &lot.no).unwrap();
    // Exactly the threshold is positive; the device itself calls it a pass.
    let sample = tianyin_tests::device::Sample {
        model: "lz4000t",
        lot: "",
        name: "湘莲",
        inhibition: "50.00",
    };
    appliance.measure("lz4000t-hs-01", sample).unwrap();
    let api = appliance.api("clerk").unwrap();
    let test = tianyin_tests::until("the test", Duration::from_secs(10), || {
        journey::test_of(&api, &lot.id)
    });
    let test = test.unwrap();
    assert_eq!(test["verdict"], "fail", "{test}");
    let held = api.get(&format!("/lots/{}", lot.id)).unwrap();
    assert_eq!(held["status"], "held", "{held}");

    let request =
        serde_json::json!({ "lot": lot.id, "quantity": "1", "basis": ["quality_control"] });
    let refused = api.post("/certificates", &request).unwrap();
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert_eq!(refused.json().unwrap()["code"], "lot_held");
    assert!(api.list("/certificates").unwrap().is_empty());
}
