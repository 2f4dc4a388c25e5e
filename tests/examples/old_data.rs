//! Makes a data folder to be kept as a fixture: the demo county and one of everything that happens.
//!
//! `old_data FOLDER` (which must not exist)
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tianyin_tests::appliance::Setting;
use tianyin_tests::device::{Printer, Sample};
use tianyin_tests::{Appliance, journey, until};

const WAIT: Duration = Duration::from_secs(30);
/// What is counted when it is opened again.
const LISTS: [&str; 9] = [
    "/operators",
    "/inputs",
    "/lots",
    "/tests",
    "/certificates",
    "/devices",
    "/messages",
    "/print_jobs",
    "/users",
];

fn main() {
    let folder = std::env::args().nth(1).expect("old_data FOLDER");
    let folder = Path::new(&folder);
    assert!(!folder.exists(), "{} exists", folder.display());
    let setting = Setting::new().unwrap();
    let mut printer = Printer::start(setting.printer, &setting.data.join("labels")).unwrap();
    let mut appliance = Appliance::start_with(setting).unwrap();
    let api = appliance.api("admin").unwrap();
    // Results over MQTT, scans, an automatic certificate, its label, a market check.
    let outcome = journey::main_job(&appliance, &mut printer, &mut |_, _| {}).unwrap();
    // By hand, and void.
    let lot = appliance.demo.lot("小白菜").unwrap().id.clone();
    let issue = json!({ "lot": lot, "quantity": "10", "basis": ["quality_control"] });
    let issued = api.done("/certificates", &issue).unwrap();
    let void = issued["content"]["code"].as_str().unwrap().to_owned();
    api.done(&format!("/certificates/{void}/void"), &json!({ "reason": "标签贴错" })).unwrap();
    // A positive result, a dead letter.
    let lot = appliance.demo.lot("柑橘").unwrap().clone();
    let positive = Sample { model: "json", lot: &lot.no, name: "柑橘", inhibition: "71.20" };
    appliance.measure("json-ysh-01", positive).unwrap();
    until("the positive test", WAIT, || journey::test_of(&api, &lot.id)).unwrap();
    appliance.scan("scan-hs-01", "没有这个批次").unwrap();
    until("all messages to be settled", WAIT, || {
        Ok(api.list("/messages?status=received")?.is_empty().then_some(()))
    })
    .unwrap();
    until("all labels to be printed", WAIT, || {
        let jobs = api.list("/print_jobs")?;
        Ok(jobs.iter().all(|job| job["status"] == "printed").then_some(()))
    })
    .unwrap();
    let counts: serde_json::Map<String, Value> = LISTS
        .map(|path| (path.to_owned(), api.list(path).unwrap().len().into()))
        .into_iter()
        .collect();
    let proof = outcome.page["certificate"]["proof"].as_str().unwrap().to_owned();
    let password = appliance.demo.password().to_owned();
    appliance.stop().unwrap();
    let verified: Value =
        serde_json::from_str(&appliance.run(&["verify", "--json"]).unwrap()).unwrap();

    std::fs::create_dir_all(folder).unwrap();
    for part in ["journal", "keys", "vault", "blobs"] {
        let from = appliance.setting.data.join(part);
        if from.exists() {
            let to = folder.join("data");
            std::fs::create_dir_all(&to).unwrap();
            let done = std::process::Command::new("cp").arg("-r").args([&from, &to]).status();
            assert!(done.unwrap().success());
        }
    }
    let _ = std::fs::remove_file(folder.join("data/journal/lock"));
    std::fs::write(folder.join("proof.txt"), proof).unwrap();
    let expected = json!({
        "head": verified["head"], "hash": verified["hash"], "counts": counts,
        "password": password, "valid": outcome.code, "void": void,
    });
    let text = serde_json::to_string_pretty(&expected).unwrap() + "\n";
    std::fs::write(folder.join("expected.json"), text).unwrap();
}
