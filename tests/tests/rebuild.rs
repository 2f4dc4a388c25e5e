//! The store is a view: it can be thrown away and comes back the same.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use serde_json::{Value, json};
use tianyin_tests::appliance::Setting;
use tianyin_tests::device::{Printer, Sample};
use tianyin_tests::{Appliance, journey, until};

const LISTS: [&str; 15] = [
    "/operators",
    "/sites",
    "/products",
    "/inputs",
    "/lots",
    "/activities",
    "/tests",
    "/certificates",
    "/devices",
    "/messages",
    "/print_jobs",
    "/authorisations",
    "/users",
    "/agencies",
    "/cells",
];

fn lists(appliance: &Appliance) -> Vec<(&'static str, Vec<Value>)> {
    let api = appliance.api("admin").unwrap();
    // A noun that has no list in this version is the same every time, too.
    LISTS.map(|path| (path, api.list(path).unwrap_or_default())).into_iter().collect()
}

fn assert_same(before: &[(&str, Vec<Value>)], after: &[(&str, Vec<Value>)], when: &str) {
    for ((path, before), (_, after)) in before.iter().zip(after) {
        assert_eq!(before.len(), after.len(), "{path} {when}");
        for (b, a) in before.iter().zip(after) {
            assert_eq!(b, a, "{path} {when}");
        }
    }
}

#[test]
fn a_lost_store_comes_back_from_the_journal() {
    let setting = Setting::new().unwrap();
    let mut printer = Printer::start(setting.printer, &setting.data.join("labels")).unwrap();
    let mut appliance = Appliance::start_with(setting).unwrap();
    let outcome = journey::main_job(&appliance, &mut printer, &mut |_, _| {}).unwrap();
    work_of_a_day(&appliance, &outcome.code);
    let before = lists(&appliance);
    for (path, least) in [("/lots", 7), ("/tests", 3), ("/certificates", 1), ("/print_jobs", 2)] {
        let list = before.iter().find(|(p, _)| *p == path).unwrap();
        assert!(list.1.len() >= least, "{path} has only {}", list.1.len());
    }

    appliance.stop().unwrap();
    std::fs::remove_dir_all(appliance.setting.data.join("store")).unwrap();
    appliance.serve().unwrap();
    assert_same(&before, &lists(&appliance), "after the store was deleted");

    appliance.stop().unwrap();
    appliance.run(&["rebuild"]).unwrap();
    appliance.run(&["verify"]).unwrap();
    appliance.serve().unwrap();
    assert_same(&before, &lists(&appliance), "after `rebuild`");

    // A power cut loses nothing, either.
    appliance.kill();
    appliance.serve().unwrap();
    assert_same(&before, &lists(&appliance), "after kill -9");
}

#[test]
fn a_changed_journal_does_not_start() {
    let mut appliance = Appliance::made(Setting::new().unwrap()).unwrap();
    appliance.run(&["verify"]).unwrap();
    let folder = appliance.setting.data.join("journal");
    let segment = std::fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
    let segment = segment.filter(|path| path.is_file()).max_by_key(|p| p.metadata().unwrap().len());
    let segment = segment.unwrap();
    let text = std::fs::read_to_string(&segment).unwrap();
    // One name in the middle of the chain.
    assert!(text.contains("示例家庭农场"));
    std::fs::write(&segment, text.replacen("示例家庭农场", "示例别的农场", 1)).unwrap();
    let verified = appliance.finish(&["verify"]).unwrap();
    assert_eq!(verified.code, Some(1), "{verified:?}");
    let error = format!("{:#}", appliance.serve().unwrap_err());
    let name = segment.file_name().unwrap().to_string_lossy();
    assert!(error.contains(name.as_ref()) || error.contains("line"), "no place named: {error}");
}

/// A failed print, a void certificate, a dead letter, a positive result.
fn work_of_a_day(appliance: &Appliance, code: &str) {
    let api = appliance.api("admin").unwrap();
    let off = json!({
        "name": "关着的打印机", "kind": "printer", "address": "127.0.0.1:1", "dpi": 203, "area": "430321",
    });
    api.done("/devices/printer-off/approve", &off).unwrap();
    // The label came out of another printer before.
    let job = json!({
        "certificate": code, "printer": "printer-off", "copies": 1, "reason": "标签破损",
    });
    api.done("/print_jobs", &job).unwrap();
    api.done(&format!("/certificates/{code}/void"), &json!({ "reason": "标签贴错" })).unwrap();
    until("the print to fail", Duration::from_secs(30), || {
        let jobs = api.list("/print_jobs")?;
        let under_way = |job: &Value| job["status"] == "queued" || job["status"] == "printing";
        Ok((!jobs.iter().any(under_way)).then_some(()))
    })
    .unwrap();
    let lot = appliance.demo.lot("柑橘").unwrap();
    let positive = Sample { model: "json", lot: &lot.no, name: "柑橘", inhibition: "71.20" };
    appliance.measure("json-ysh-01", positive).unwrap();
    until("the positive test", Duration::from_secs(10), || journey::test_of(&api, &lot.id))
        .unwrap();
    let unknown = appliance.scan("scan-hs-01", "没有这个批次").unwrap();
    assert_eq!(unknown["status"], "rejected");
    until("all messages to be settled", Duration::from_secs(10), || {
        Ok(api.list("/messages?status=received")?.is_empty().then_some(()))
    })
    .unwrap();
}
