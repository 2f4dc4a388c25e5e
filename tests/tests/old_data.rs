//! A data folder of the first version opens for ever, with everything in it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tianyin_tests::appliance::Setting;
use tianyin_tests::{Appliance, api::Api, place};

fn fixture() -> PathBuf {
    place::root().join("tests/fixtures/data-v1")
}

fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture().join("expected.json")).unwrap())
        .unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn opened() -> Appliance {
    let setting = Setting::new().unwrap();
    let from = fixture().join("data/.");
    assert!(Command::new("cp").arg("-r").arg(from).arg(&setting.data).status().unwrap().success());
    Appliance::empty(setting).unwrap()
}

#[test]
fn a_data_folder_of_the_first_version() {
    let expected = expected();
    let mut appliance = opened();
    let verified: Value =
        serde_json::from_str(&appliance.run(&["verify", "--json"]).unwrap()).unwrap();
    assert_eq!(verified["head"], expected["head"], "{verified}");
    assert_eq!(verified["hash"], expected["hash"], "{verified}");
    appliance.serve().unwrap();
    // The password hash comes out of the old vault.
    let api = Api::sign_in(appliance.setting.http, "admin", text(&expected, "password")).unwrap();
    for (path, count) in expected["counts"].as_object().unwrap() {
        assert_eq!(api.list(path).unwrap().len() as u64, count.as_u64().unwrap(), "{path}");
    }
    for (code, shown) in [("valid", "真实有效"), ("void", "作废")] {
        let page = appliance.get(&format!("/t/{}", text(&expected, code))).unwrap();
        assert_eq!(page.status, 200);
        assert!(page.text().contains(shown), "{code} certificate: {}", page.text());
    }
    let paper = format!("/certificates/{}/paper.pdf", text(&expected, "valid"));
    let paper = api.send("GET", &paper, &[], &[]).unwrap();
    assert_eq!(paper.status, 200, "{}", paper.text());
    let key = appliance.get("/keys/county.pem").unwrap().expect(200).unwrap();
    assert_eq!(key.body, std::fs::read(fixture().join("data/keys/county.pem")).unwrap());

    // Work goes on where it ended.
    let head = expected["head"].as_u64().unwrap();
    appliance.stop().unwrap();
    let new = ["admin", "reset-password", "--username", "clerk", "--password", "new-horse-2026"];
    appliance.run(&new).unwrap();
    let verified: Value =
        serde_json::from_str(&appliance.run(&["verify", "--json"]).unwrap()).unwrap();
    assert!(verified["head"].as_u64().unwrap() > head, "{verified}");
}

#[test]
fn a_proof_of_the_first_version() {
    let appliance = Appliance::empty(Setting::new().unwrap()).unwrap();
    let key = fixture().join("data/keys/county.pem");
    let check = |proof: &Path| {
        appliance
            .finish(&["check", "--json", "--key", key.to_str().unwrap(), proof.to_str().unwrap()])
            .unwrap()
    };
    let proof = fixture().join("proof.txt");
    let good = check(&proof);
    assert_eq!(good.code, Some(0), "{good:?}");
    let told: Value = serde_json::from_str(&good.stdout).unwrap();
    assert_eq!(told["proofs"][0]["fields"]["code"], expected()["valid"]);
    let changed = appliance.setting.data.join("changed.txt");
    let mut bytes = std::fs::read(&proof).unwrap();
    bytes[40] = if bytes[40] == b'A' { b'B' } else { b'A' };
    std::fs::write(&changed, bytes).unwrap();
    assert_eq!(check(&changed).code, Some(1));
}

/// It must not grow with the code: what it holds is history.
#[test]
fn the_fixture_is_small_and_has_no_store() {
    let mut bytes = 0;
    let mut left = vec![fixture()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => left.push(entry.path()),
                false => bytes += entry.metadata().unwrap().len(),
            }
        }
    }
    assert!((10_000..300_000).contains(&bytes), "{bytes} bytes");
    assert!(!fixture().join("data/store").exists());
}
