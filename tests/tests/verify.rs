//! Every kind of damage is found, named with its cure, and cured; what cannot be cured is said.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tianyin_tests::Appliance;
use tianyin_tests::appliance::{Setting, test_folder};

/// The demo county with three photos and a pack of codes on record, stopped, and a backup of it.
struct County {
    appliance: Appliance,
    photos: Vec<PathBuf>,
    backup: PathBuf,
}

fn county() -> County {
    let mut appliance = Appliance::start_with(Setting::new().unwrap()).unwrap();
    let api = appliance.api("admin").unwrap();
    let model = api.list("/activities").unwrap().remove(0);
    let mut photos = Vec::new();
    for n in 0..3 {
        let photo = [b"\xff\xd8\xff photo ".as_slice(), &[n; 2000]].concat();
        let blob = api.send("POST", "/blobs", &[], &photo).unwrap().expect(200).unwrap();
        let blob = blob.json().unwrap();
        let record = json!({
            "site": model["site"], "product": model["product"], "kind": "other",
            "date": model["date"], "attachments": [blob],
        });
        api.done("/activities", &record).unwrap();
        let hash = blob["hash"].as_str().unwrap();
        photos.push(appliance.setting.data.join("blobs").join(&hash[..2]).join(hash));
    }
    api.done("/packs", &json!({ "kind": "unit", "size": 1000 })).unwrap();
    appliance.stop().unwrap();
    let backup = test_folder().unwrap().join("backup.tgz");
    appliance.run(&["backup", backup.to_str().unwrap()]).unwrap();
    County { appliance, photos, backup }
}

impl County {
    fn data(&self) -> &Path {
        &self.appliance.setting.data
    }

    /// What `verify` says: exit code and report.
    fn verify(&self) -> (Option<i32>, Value) {
        let done = self.appliance.finish(&["verify", "--json"]).unwrap();
        let report = serde_json::from_str(&done.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}{}", done.stdout, done.stderr));
        (done.code, report)
    }

    #[track_caller]
    fn is_whole(&self, why: &str) {
        let (code, report) = self.verify();
        assert_eq!((code, &report["ok"]), (Some(0), &json!(true)), "{why}: {report:#}");
    }

    fn doctor(&self, with_backup: bool) -> (Option<i32>, Value) {
        let mut verb = vec!["doctor", "--fix", "--json"];
        if with_backup {
            verb.extend(["--backup", self.backup.to_str().unwrap()]);
        }
        let done = self.appliance.finish(&verb).unwrap();
        let told = serde_json::from_str(&done.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}{}", done.stdout, done.stderr));
        (done.code, told)
    }

    fn secret(&self) -> PathBuf {
        let mut files: Vec<_> = std::fs::read_dir(self.data().join("vault"))
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        files.sort();
        files.remove(0)
    }

    fn code_key(&self) -> PathBuf {
        self.data().join("keys/codes.key")
    }

    fn segment(&self) -> PathBuf {
        self.data().join("journal").join("0000000000000001.jsonl")
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Flips a bit in every copy of a text, so that a live one is among them.
fn flip_text(path: &Path, text: &str) {
    let mut bytes = std::fs::read(path).unwrap();
    let places: Vec<usize> = bytes
        .windows(text.len())
        .enumerate()
        .filter(|(_, window)| *window == text.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "{} does not hold {text}", path.display());
    for at in places {
        bytes[at] ^= 1;
    }
    std::fs::write(path, bytes).unwrap();
}

/// Every file of a folder with its content.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn every_damage_is_found_and_cured() {
    let county = county();
    county.is_whole("a fresh county");
    type Harm = fn(&County);
    let cases: [(&str, &str, &str, Harm); 12] = [
        ("blob_damaged", "blobs/", "doctor --fix --backup", |c| flip(&c.photos[0], 900)),
        ("blob_missing", "blobs/", "doctor --fix --backup", |c| {
            std::fs::remove_file(&c.photos[1]).unwrap();
        }),
        ("secret_damaged", "vault/", "doctor --fix --backup", |c| flip(&c.secret(), 30)),
        ("secret_missing", "vault/", "doctor --fix --backup", |c| {
            std::fs::remove_file(c.secret()).unwrap();
        }),
        ("store_damaged", "store", "rebuild", |c| {
            flip_text(&c.data().join("store/db"), "示例莲业专业合作社");
        }),
        ("key_missing", "keys/county.key.pem", "doctor --fix --backup", |c| {
            std::fs::remove_file(c.data().join("keys/county.key.pem")).unwrap();
        }),
        ("key_missing", "keys/vault.key", "doctor --fix --backup", |c| {
            std::fs::remove_file(c.data().join("keys/vault.key")).unwrap();
        }),
        ("code_key_missing", "keys/codes.key", "doctor --fix --backup", |c| {
            std::fs::remove_file(c.code_key()).unwrap();
        }),
        ("code_key_other", "keys/codes.key", "doctor --fix --backup", |c| flip(&c.code_key(), 7)),
        ("code_key_other", "keys/codes.key", "doctor --fix --backup", |c| {
            std::fs::write(c.code_key(), "half a key").unwrap();
        }),
        ("journal_damaged", "0000000000000001.jsonl", "doctor --fix", |c| flip(&c.segment(), 5000)),
        ("journal_damaged", "0000000000000001.jsonl", "doctor --fix", |c| {
            flip_text(&c.segment(), "示例莲业专业合作社");
            flip(&c.photos[2], 100);
            std::fs::remove_dir_all(c.data().join("store")).unwrap();
        }),
    ];
    for (code, place, cure, harm) in cases {
        harm(&county);
        let harmed = files(county.data());
        let (exit, report) = county.verify();
        assert_eq!((exit, &report["ok"]), (Some(1), &json!(false)), "{code}: {report:#}");
        let found = report["findings"].as_array().unwrap();
        let finding = found.iter().find(|f| f["code"] == code);
        let finding = finding.unwrap_or_else(|| panic!("{code} is not among {report:#}"));
        assert!(finding["place"].as_str().unwrap().contains(place), "{finding:#}");
        for language in ["zh", "en"] {
            let text = finding["cure"][language].as_str().unwrap();
            assert!(text.contains(cure), "{code}: {text}");
            assert!(!finding["effect"][language].as_str().unwrap().is_empty());
        }
        let looked = county.appliance.finish(&["doctor"]).unwrap();
        assert_eq!(looked.code, Some(1), "{looked:?}");
        assert!(looked.stdout.contains("doctor --fix"), "{}", looked.stdout);
        assert_eq!(files(county.data()), harmed, "{code}: looking changes nothing");

        // Without a backup, only what can be made again is.
        if code != "store_damaged" {
            let (exit, told) = county.doctor(false);
            assert_eq!(exit, Some(1), "{code}: {told:#}");
            assert!(told["cures"].to_string().contains("cannot"), "{code}: {told:#}");
        }
        let (exit, told) = county.doctor(true);
        assert_eq!(exit, Some(0), "{code}: {told:#}");
        county.is_whole(code);
    }
    // Originals were set aside, never removed.
    let aside = files(&county.data().join("set-aside"));
    for part in ["blobs/", "vault/", "journal/", "store/db"] {
        assert!(
            aside.keys().any(|p| p.to_string_lossy().contains(part)),
            "{part}: {:?}",
            aside.keys()
        );
    }
    let mut appliance = county.appliance;
    appliance.serve().unwrap();
    let api = appliance.api("admin").unwrap();
    for photo in &county.photos {
        let hash = photo.file_name().unwrap().to_str().unwrap();
        api.send("GET", &format!("/blobs/{hash}"), &[], &[]).unwrap().expect(200).unwrap();
    }
}

#[test]
fn a_lost_key_is_never_made_anew() {
    let mut county = county();
    for name in ["keys/county.key.pem", "keys/codes.key"] {
        let key = county.data().join(name);
        let whole = std::fs::read(&key).unwrap();
        std::fs::remove_file(&key).unwrap();
        let error = format!("{:#}", county.appliance.serve().unwrap_err());
        assert!(error.contains(name) && error.contains("doctor"), "{error}");
        assert!(!key.exists());
        std::fs::write(&key, whole).unwrap();
    }
}

/// Before the first pack nothing was made with it.
#[test]
fn the_key_of_codes_is_missed_from_the_first_pack_on() {
    let mut appliance = Appliance::made(Setting::new().unwrap()).unwrap();
    let key = appliance.setting.data.join("keys/codes.key");
    std::fs::remove_file(&key).unwrap();
    appliance.run(&["verify", "--quick"]).unwrap();
    appliance.serve().unwrap();
    appliance.stop().unwrap();
    assert_eq!(std::fs::read(&key).unwrap().len(), 32, "made anew");
}

/// A backup without it would bring back a county whose printed codes are worth nothing.
#[test]
fn nothing_is_backed_up_without_the_key_of_its_codes() {
    let county = county();
    flip(&county.code_key(), 0);
    let file = test_folder().unwrap().join("without.tgz");
    let done = county.appliance.finish(&["backup", file.to_str().unwrap()]).unwrap();
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("code packs") && done.stderr.contains("doctor"), "{done:?}");
    assert!(!file.exists());
}

#[test]
fn the_store_is_compared_key_by_key() {
    let county = county();
    let report = county.verify().1;
    assert_eq!(report["head"], report["applied"]);
    assert!(report["store_keys"].as_u64().unwrap() > 100, "{report:#}");
    assert_eq!(report["blobs"], 3);
    assert!(report["secrets"].as_u64().unwrap() >= 2, "{report:#}");
    // A store of another county is whole in itself, but not what the journal leads to.
    let other = Appliance::made(Setting::new().unwrap()).unwrap();
    let (own, foreign) = (county.data().join("store"), other.setting.data.join("store"));
    std::fs::remove_dir_all(&own).unwrap();
    std::fs::rename(&foreign, &own).unwrap();
    let (exit, report) = county.verify();
    assert_eq!(exit, Some(1));
    assert!(report["findings"].to_string().contains("store_differs"), "{report:#}");
    let quick = county.appliance.finish(&["verify", "--quick"]).unwrap();
    assert_eq!(quick.code, Some(0), "--quick leaves the store out: {quick:?}");
    let (exit, told) = county.doctor(false);
    assert_eq!(exit, Some(0), "{told:#}");
    county.is_whole("after the rebuild");
}

#[test]
fn the_second_copy_mends_the_journal() {
    let mut setting = Setting::new().unwrap();
    let copy = test_folder().unwrap();
    let variable = ("TIANYIN_JOURNAL_COPY".to_owned(), copy.to_str().unwrap().to_owned());
    setting.environment.push(variable);
    let mut appliance = Appliance::start_with(setting).unwrap();
    appliance.stop().unwrap();
    let county = County { appliance, photos: Vec::new(), backup: copy.join("none") };
    county.is_whole("with a second copy");

    flip_text(&county.segment(), "示例莲业专业合作社");
    let (exit, report) = county.verify();
    assert_eq!((exit, &report["findings"][0]["code"]), (Some(1), &json!("journal_damaged")));
    let (exit, told) = county.doctor(false);
    assert_eq!(exit, Some(0), "no backup is needed: {told:#}");
    assert!(told["cures"][0].to_string().contains(copy.to_str().unwrap()), "{told:#}");
    county.is_whole("mended from the copy");

    // Lines that the journal lost and only the store still knows of.
    let text = std::fs::read_to_string(county.segment()).unwrap();
    let shorter: String = text.lines().take(40).map(|line| format!("{line}\n")).collect();
    std::fs::write(county.segment(), shorter).unwrap();
    let (exit, report) = county.verify();
    assert_eq!(exit, Some(1), "{report:#}");
    assert!(report["findings"].to_string().contains("store_ahead"), "{report:#}");
    let (exit, told) = county.doctor(false);
    assert_eq!(exit, Some(0), "{told:#}");
    assert_eq!(std::fs::read_to_string(county.segment()).unwrap(), text, "the same bytes again");

    // The copy itself.
    flip_text(&copy.join("0000000000000001.jsonl"), "示例莲业专业合作社");
    let (exit, report) = county.verify();
    assert_eq!((exit, &report["findings"][0]["code"]), (Some(1), &json!("copy_damaged")));
    std::fs::remove_dir_all(&copy).unwrap();
    let (exit, report) = county.verify();
    assert_eq!((exit, &report["findings"][0]["code"]), (Some(0), &json!("copy_missing")));
}

#[test]
fn a_running_service_is_looked_at_beside_its_work() {
    let mut county = county();
    county.appliance.serve().unwrap();
    county.is_whole("beside a running service");
    flip(&county.photos[0], 900);
    let (exit, report) = county.verify();
    assert_eq!(exit, Some(1));
    assert_eq!(report["findings"][0]["code"], "blob_damaged", "{report:#}");
    let looked = county.appliance.finish(&["doctor", "--json"]).unwrap();
    assert_eq!(looked.code, Some(1), "{looked:?}");
    assert!(looked.stdout.contains("blob_damaged"), "{}", looked.stdout);
    let backup = county.backup.to_str().unwrap();
    let fixed = county.appliance.finish(&["doctor", "--fix", "--backup", backup]).unwrap();
    assert_eq!(fixed.code, Some(1), "{fixed:?}");
    assert!(fixed.stderr.contains("先停止服务"), "{}", fixed.stderr);
    county.appliance.stop().unwrap();
    assert_eq!(county.doctor(true).0, Some(0));
    county.is_whole("after the cure");
}

#[test]
fn doctor_looks_at_the_machine_too() {
    let county = county();
    std::os::unix::fs::symlink("/nowhere", county.data().join("journal/strange")).unwrap();
    let mode = |path: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        let open = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(county.data().join(path), open).unwrap();
    };
    mode("vault", 0o755);
    mode("keys/codes.key", 0o644);
    std::fs::create_dir(county.data().join(".scratch-left")).unwrap();
    let _busy = std::net::TcpListener::bind(county.appliance.setting.mqtt).unwrap();
    let codes = |told: &Value| -> Vec<String> {
        let found = told["report"]["findings"].as_array().unwrap();
        found.iter().map(|f| f["code"].as_str().unwrap().to_owned()).collect()
    };
    let done = county.appliance.finish(&["doctor", "--json", "--printers"]).unwrap();
    let told: Value = serde_json::from_str(&done.stdout).unwrap();
    let found = codes(&told);
    for code in ["folder_open", "key_open", "scratch_left", "port_busy", "printer_unreachable"] {
        assert!(found.iter().any(|c| c == code), "{code}: {found:?}");
    }
    let (_, told) = county.doctor(false);
    let found = codes(&told);
    for code in ["folder_open", "key_open", "scratch_left"] {
        assert!(!found.iter().any(|c| c == code), "{code}: {found:?}");
    }

    std::fs::write(county.data().join("tianyin.toml"), "[http]\nlisten_port = 1\n").unwrap();
    let wrong = county.appliance.finish(&["doctor"]).unwrap();
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("listen_port") && wrong.stderr.contains("设置有错"), "{wrong:?}");
}
