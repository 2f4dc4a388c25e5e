//! Backup and restore of the real thing: what comes back is what was acknowledged.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tianyin_tests::appliance::{Setting, test_folder};
use tianyin_tests::{Appliance, api::Api, until};

const WAIT: Duration = Duration::from_secs(60);

fn photo_record(api: &Api, model: &Value, n: usize) -> (String, String) {
    let photo = format!("photo {n}").into_bytes();
    let photo = [b"\xff\xd8\xff".as_slice(), &photo].concat();
    let blob = api.send("POST", "/blobs", &[], &photo).unwrap().expect(200).unwrap();
    let blob = blob.json().unwrap();
    let record = json!({
        "site": model["site"], "product": model["product"], "kind": "other",
        "date": model["date"], "note": format!("{n}"), "attachments": [blob],
    });
    let made = api.done("/activities", &record).unwrap();
    (made["id"].as_str().unwrap().to_owned(), blob["hash"].as_str().unwrap().to_owned())
}

fn file(name: &str) -> PathBuf {
    test_folder().unwrap().join(name)
}

fn restore(appliance: &Appliance, backup: &Path, more: &[&str]) -> tianyin_tests::child::Finished {
    let verb = [&["restore", backup.to_str().unwrap()], more].concat();
    appliance.finish(&verb).unwrap()
}

/// The folder that a restore moved aside.
fn safety_copies(data: &Path) -> Vec<PathBuf> {
    let name = data.file_name().unwrap().to_string_lossy().into_owned();
    let beside = std::fs::read_dir(data.parent().unwrap()).unwrap().map(|e| e.unwrap().path());
    let start = format!("{name}.before-restore-");
    beside.filter(|p| p.file_name().unwrap().to_string_lossy().starts_with(&start)).collect()
}

#[test]
fn a_backup_brings_everything_back() {
    let mut appliance = Appliance::start_with(Setting::new().unwrap()).unwrap();
    let api = appliance.api("admin").unwrap();
    let model = api.list("/activities").unwrap().remove(0);
    let kept: Vec<_> = (0..5).map(|n| photo_record(&api, &model, n)).collect();
    appliance.stop().unwrap();
    let data = appliance.setting.data.clone();

    let backup = file("county.tgz");
    let told = appliance.run(&["backup", backup.to_str().unwrap(), "--json"]).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["tested"], true);
    assert!(told["records"]["activity"].as_u64().unwrap() >= 5, "{told:#}");
    assert_eq!(backup.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = appliance.finish(&["backup", backup.to_str().unwrap()]).unwrap();
    assert_eq!(again.code, Some(1), "a backup replaces nothing: {again:?}");
    let within = appliance.finish(&["backup", data.join("b.tgz").to_str().unwrap()]).unwrap();
    assert_eq!(within.code, Some(1), "not within the data folder: {within:?}");
    assert!(!data.join("b.tgz").exists() && !data.join("b.tgz.part").exists());

    // A later record and the sign-in before it, which the backup lacks: only with --yes.
    appliance.serve().unwrap();
    let api = appliance.api("admin").unwrap();
    let (later, _) = photo_record(&api, &model, 99);
    appliance.stop().unwrap();
    let refused = restore(&appliance, &backup, &[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("--yes") && refused.stderr.contains("2 行"), "{refused:?}");
    assert_eq!(safety_copies(&data), [""; 0].map(PathBuf::from));
    let done = restore(&appliance, &backup, &["--yes"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let copies = safety_copies(&data);
    assert_eq!(copies.len(), 1, "{copies:?}");

    appliance.run(&["verify"]).unwrap();
    appliance.serve().unwrap();
    let api = appliance.api("admin").unwrap();
    for (id, hash) in &kept {
        api.get(&format!("/activities/{id}")).unwrap();
        api.send("GET", &format!("/blobs/{hash}"), &[], &[]).unwrap().expect(200).unwrap();
    }
    assert_eq!(api.send("GET", &format!("/activities/{later}"), &[], &[]).unwrap().status, 404);
    // The county's key is the same: what was signed before is still good.
    let key = |data: &Path| std::fs::read(data.join("keys/county.key.pem")).unwrap();
    assert_eq!(key(&data), key(&copies[0]));
    let beside = restore(&appliance, &backup, &["--yes"]);
    assert_eq!(beside.code, Some(1), "not under a running service: {beside:?}");
    appliance.stop().unwrap();

    // A folder that is gone altogether.
    std::fs::remove_dir_all(&data).unwrap();
    assert_eq!(restore(&appliance, &backup, &[]).code, Some(0));
    appliance.serve().unwrap();
    appliance.api("clerk").unwrap().get(&format!("/activities/{}", kept[0].0)).unwrap();
}

#[test]
fn what_is_no_backup_changes_nothing() {
    let mut setting = Setting::new().unwrap();
    // A parent of its own: what is left beside the data folder shows.
    setting.data = setting.data.join("data");
    let appliance = Appliance::made(setting).unwrap();
    let data = &appliance.setting.data;
    let backup = file("good.tgz");
    appliance.run(&["backup", backup.to_str().unwrap()]).unwrap();
    let whole = std::fs::read(&backup).unwrap();
    let head = appliance.run(&["verify", "--quick", "--json"]).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 4;
    let cases: [(&str, &[u8]); 5] = [
        ("empty", b""),
        ("text", b"this is no backup"),
        ("cut", &whole[..whole.len() / 2]),
        ("nearly", &whole[..whole.len() - 20]),
        ("flipped", &flipped),
    ];
    for (name, bytes) in cases {
        let bad = file("bad.tgz");
        std::fs::write(&bad, bytes).unwrap();
        let done = restore(&appliance, &bad, &["--yes"]);
        assert_eq!(done.code, Some(1), "{name}: {done:?}");
        assert_eq!(safety_copies(data), [""; 0].map(PathBuf::from), "{name}");
        assert_eq!(appliance.run(&["verify", "--quick", "--json"]).unwrap(), head, "{name}");
    }
    let scratch = std::fs::read_dir(data.parent().unwrap()).unwrap();
    let left = scratch
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with(".scratch"));
    assert_eq!(left.count(), 0, "nothing is left behind");

    // Another county's backup is noticed.
    let other = Appliance::made(Setting::new().unwrap()).unwrap();
    let refused = restore(&other, &backup, &[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("another history"), "{refused:?}");
}

/// Ends the load when the test ends, however it does.
struct Load<'a>(&'a AtomicBool);

impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_backup_under_load_holds_what_was_acknowledged() {
    let mut appliance = Appliance::start_with(Setting::new().unwrap()).unwrap();
    let api = appliance.api("admin").unwrap();
    let model = api.list("/activities").unwrap().remove(0);
    let (stop, acknowledged) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let backup = file("load.tgz");
    let (before, made) = std::thread::scope(|scope| {
        let _load = Load(&stop);
        for worker in 0..3 {
            let (api, model) = (api.clone(), &model);
            let (stop, acknowledged) = (&stop, &acknowledged);
            scope.spawn(move || {
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let record = photo_record(&api, model, worker * 1_000_000 + n);
                    // A natural person's phone is a secret in the vault.
                    let farmer = json!({
                        "name": format!("张示例{worker}-{n}"), "kind": "farmer", "area": "430321103",
                        "area_name": "湖南省湘潭市湘潭县花石镇", "address": "日华村",
                        "contact_name": "张示例", "contact_phone": "13812345678",
                    });
                    api.done("/operators", &farmer).unwrap();
                    acknowledged.lock().unwrap().push(record);
                }
            });
        }
        let count = || acknowledged.lock().unwrap().len();
        until("some load", WAIT, || Ok((count() > 30).then_some(()))).unwrap();
        let before = acknowledged.lock().unwrap().clone();
        // A secret that is replaced while the backup runs.
        for _ in 0..3 {
            appliance.run(&["admin", "reset-password", "--username", "clerk"]).unwrap();
        }
        let made = appliance.run(&["backup", backup.to_str().unwrap(), "--json"]).unwrap();
        let verified = appliance.finish(&["verify", "--json"]).unwrap();
        assert_eq!(verified.code, Some(0), "beside the running service: {verified:?}");
        (before, made)
    });
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["tested"], true);
    appliance.stop().unwrap();

    let mut other = Appliance::empty(Setting::new().unwrap()).unwrap();
    other.demo = appliance.demo.clone();
    let done = restore(&other, &backup, &["--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    other.run(&["verify"]).unwrap();
    other.serve().unwrap();
    let api = other.api("admin").unwrap();
    for (id, hash) in &before {
        api.get(&format!("/activities/{id}")).unwrap();
        api.send("GET", &format!("/blobs/{hash}"), &[], &[]).unwrap().expect(200).unwrap();
    }
    let counted = api.list("/operators").unwrap().len() as u64;
    assert!(counted >= before.len() as u64 || counted == 200, "{counted} operators");
}
