//! Damaged, lost and foreign files: what is told, what heals, what stops. Never a panic, never silent.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};
use tianyin_journal::{Journal, Options};
use tianyin_tests::appliance::Setting;
use tianyin_tests::child::Finished;
use tianyin_tests::{Appliance, Demo, api, place};

struct Template {
    data: PathBuf,
    demo: Demo,
    code: String,
    lists: Vec<Value>,
}

/// The demo county with a certificate and a pack of codes, stopped; made once, copied for every test.
fn template() -> &'static Template {
    static MADE: OnceLock<Template> = OnceLock::new();
    MADE.get_or_init(|| {
        let mut appliance = Appliance::start_with(Setting::new().unwrap()).unwrap();
        let lot = appliance.demo.lot("小白菜").unwrap().id.clone();
        let issue = json!({ "lot": lot, "quantity": "10", "basis": ["quality_control"] });
        let issued = appliance.api("admin").unwrap().done("/certificates", &issue).unwrap();
        let code = issued["content"]["code"].as_str().unwrap().to_owned();
        let pack = json!({ "kind": "unit", "size": 1000 });
        appliance.api("admin").unwrap().done("/packs", &pack).unwrap();
        let lists = lists(&appliance);
        appliance.stop().unwrap();
        let (data, demo) = (appliance.setting.data.clone(), appliance.demo.clone());
        Template { data, demo, code, lists }
    })
}

fn copy() -> Appliance {
    let template = template();
    let setting = Setting::new().unwrap();
    copy_folder(&template.data, &setting.data);
    let mut appliance = Appliance::empty(setting).unwrap();
    appliance.demo = template.demo.clone();
    appliance
}

fn copy_folder(from: &Path, to: &Path) {
    let inside = from.join(".");
    let done = Command::new("cp").arg("-a").arg(inside).arg(to).status().unwrap();
    assert!(done.success());
}

fn lists(appliance: &Appliance) -> Vec<Value> {
    let api = appliance.api("admin").unwrap();
    let paths = ["/operators", "/lots", "/certificates", "/devices", "/users"];
    paths.iter().flat_map(|path| api.list(path).unwrap()).collect()
}

/// Starting fails with exit code 1, and says all of this; nothing panics.
fn refused(appliance: &Appliance, wanted: &[&str]) -> Finished {
    let listen = appliance.setting.http.to_string();
    told(appliance, &["serve", "--listen", &listen], wanted)
}

fn told(appliance: &Appliance, verb: &[&str], wanted: &[&str]) -> Finished {
    let done = appliance.finish(verb).unwrap();
    assert_eq!(done.code, Some(1), "{verb:?}: {done:?}");
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    // What is found is printed, what stops it is an error.
    let said = format!("{}\n{}", done.stdout, done.stderr);
    for text in wanted {
        assert!(said.contains(text), "{verb:?} does not say {text}:\n{said}");
    }
    done
}

/// `verify` names the file by its place in the data folder, and the line.
fn verify_told(appliance: &Appliance, file: &Path, line: Option<usize>) {
    let file = file.strip_prefix(&appliance.setting.data).unwrap().to_str().unwrap();
    let line = line.map(|line| format!("line {line},")).unwrap_or_default();
    told(appliance, &["verify"], &["日志已损坏", file, &line, "备份"]);
}

/// It starts by itself with everything there.
fn heals(appliance: &mut Appliance) {
    appliance.serve().unwrap();
    assert_eq!(lists(appliance), template().lists);
    let page = appliance.get(&format!("/t/{}", template().code)).unwrap();
    assert_eq!(page.status, 200);
}

fn journal(appliance: &Appliance) -> PathBuf {
    appliance.setting.data.join("journal")
}

fn segment(appliance: &Appliance, first: usize) -> PathBuf {
    journal(appliance).join(format!("{first:016}.jsonl"))
}

fn flip(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at] ^= 0x04;
    std::fs::write(file, bytes).unwrap();
}

/// Byte at which each line begins, and the end.
fn line_starts(file: &Path) -> Vec<usize> {
    let bytes = std::fs::read(file).unwrap();
    let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}

/// Makes segments of the one there is, as a larger county would have; gives the first line of each.
fn split(appliance: &Appliance, parts: usize) -> Vec<usize> {
    let only = segment(appliance, 1);
    let text = std::fs::read_to_string(&only).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // Only after a whole group.
    let ends: Vec<usize> = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|l| l["seq"] == l["group"].as_u64().unwrap() + l["size"].as_u64().unwrap() - 1)
        .map(|l| usize::try_from(l["seq"].as_u64().unwrap()).unwrap())
        .collect();
    let mut firsts = vec![1];
    for part in 1..parts {
        let wanted = lines.len() * part / parts;
        firsts.push(ends.iter().find(|end| **end >= wanted).unwrap() + 1);
    }
    for (n, first) in firsts.iter().enumerate() {
        let next = firsts.get(n + 1).copied().unwrap_or(lines.len() + 1);
        std::fs::write(segment(appliance, *first), lines[first - 1..next - 1].concat()).unwrap();
    }
    firsts
}

#[test]
fn damage_in_the_journal_stops_and_names_the_place() {
    let lines = line_starts(&segment(&copy(), 1)).len() - 1;
    for line in [1, 2, lines / 2, lines - 1] {
        let mut appliance = copy();
        let file = segment(&appliance, 1);
        let whole = std::fs::read(&file).unwrap();
        flip(&file, line_starts(&file)[line - 1] + 60);
        let place = format!("第 {line} 行");
        let wanted = ["日志已损坏", file.to_str().unwrap(), &place, "备份", "tianyin doctor --fix"];
        refused(&appliance, &wanted);
        verify_told(&appliance, &file, Some(line));
        told(&appliance, &["rebuild"], &wanted[..3]);
        assert_eq!(std::fs::read(&file).unwrap().len(), whole.len(), "nothing was changed");
        // The way it says: the file from a backup.
        std::fs::write(&file, whole).unwrap();
        heals(&mut appliance);
    }
}

/// A last line that is damaged looks like a torn write. The store knows better.
#[test]
fn damage_in_the_last_line_is_no_torn_write() {
    let mut appliance = copy();
    let file = segment(&appliance, 1);
    let whole = std::fs::read(&file).unwrap();
    let starts = line_starts(&file);
    let lines = starts.len() - 1;
    flip(&file, starts[lines - 1] + 60);
    told(&appliance, &["verify"], &["日志"]);
    let head = format!("日志只到第 {} 行", lines - 1);
    let there = format!("第 {lines} 行");
    refused(&appliance, &[&head, &there, "备份", "tianyin rebuild --accept-loss"]);
    refused(&appliance, &[&head]);
    told(&appliance, &["rebuild"], &[&head]);
    let kept = std::fs::read_dir(journal(&appliance)).unwrap().flatten();
    assert!(kept.into_iter().any(|e| e.file_name().to_string_lossy().contains(".cut-")));
    // One way: the line comes back.
    std::fs::write(&file, whole).unwrap();
    heals(&mut appliance);
    appliance.stop().unwrap();
    // The other: what is lost is given up, said aloud. Counted scans made more lines meanwhile.
    let starts = line_starts(&file);
    flip(&file, starts[starts.len() - 2] + 60);
    refused(&appliance, &[&format!("日志只到第 {} 行", starts.len() - 2)]);
    appliance.run(&["rebuild", "--accept-loss"]).unwrap();
    appliance.serve().unwrap();
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
}

#[test]
fn lost_segments() {
    for lost in 0..3 {
        let mut appliance = copy();
        let firsts = split(&appliance, 3);
        appliance.run(&["verify"]).unwrap();
        let file = segment(&appliance, firsts[lost]);
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        if lost == 2 {
            let head = format!("日志只到第 {} 行", firsts[2] - 1);
            refused(&appliance, &[&head, "备份", "tianyin rebuild --accept-loss"]);
        } else {
            let wanted = ["日志已损坏", "segment is missing", "备份"];
            refused(&appliance, &wanted);
            told(&appliance, &["verify"], &wanted[..2]);
        }
        std::fs::write(&file, bytes).unwrap();
        heals(&mut appliance);
    }
}

/// Lines of sealed segments are not read at every start; `verify` reads them, and so does a rebuild.
#[test]
fn damage_in_an_earlier_segment() {
    let mut appliance = copy();
    let firsts = split(&appliance, 3);
    let file = segment(&appliance, firsts[1]);
    let whole = std::fs::read(&file).unwrap();
    flip(&file, line_starts(&file)[2] + 60);
    verify_told(&appliance, &file, Some(3));
    std::fs::remove_dir_all(appliance.setting.data.join("store")).unwrap();
    refused(&appliance, &["日志已损坏", file.to_str().unwrap()]);
    std::fs::write(&file, whole).unwrap();
    heals(&mut appliance);
}

/// An empty county must never take the place of one whose journal was lost.
#[test]
fn a_lost_journal_is_no_new_county() {
    for (what, with_store) in [("files", true), ("folder", true), ("folder", false)] {
        let mut appliance = copy();
        let (folder, kept) = (journal(&appliance), appliance.setting.data.join("kept"));
        copy_folder_to(&folder, &kept);
        match what {
            "files" => std::fs::remove_file(segment(&appliance, 1)).unwrap(),
            _ => std::fs::remove_dir_all(&folder).unwrap(),
        }
        if !with_store {
            std::fs::remove_dir_all(appliance.setting.data.join("store")).unwrap();
        }
        refused(&appliance, &["日志", "备份"]);
        refused(&appliance, &["日志", "备份"]);
        told(&appliance, &["rebuild"], &["日志", "备份"]);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::rename(&kept, &folder).unwrap();
        heals(&mut appliance);
    }
}

fn copy_folder_to(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    copy_folder(from, to);
}

#[test]
fn a_damaged_or_lost_store_is_built_anew() {
    let store = |appliance: &Appliance| appliance.setting.data.join("store");
    let size = store(&copy()).join("db").metadata().unwrap().len();
    for at in [0, 20, 4096, size / 4, size / 2] {
        let mut appliance = copy();
        flip(&store(&appliance).join("db"), usize::try_from(at).unwrap());
        heals(&mut appliance);
        appliance.stop().unwrap();
        appliance.run(&["verify"]).unwrap();
    }
    let mut appliance = copy();
    std::fs::write(store(&appliance).join("db"), vec![7; 1 << 20]).unwrap();
    heals(&mut appliance);
    assert!(appliance.log().contains("已由日志自动重建"), "{}", appliance.log());
    let mut appliance = copy();
    for entry in std::fs::read_dir(store(&appliance)).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            std::fs::write(entry.path(), b"torn").unwrap();
        }
    }
    heals(&mut appliance);
    let mut appliance = copy();
    std::fs::remove_dir_all(store(&appliance)).unwrap();
    heals(&mut appliance);
}

#[test]
fn secrets_and_keys() {
    // One person's password hash: only that person is stopped, and told what helps.
    let mut appliance = copy();
    let vault = appliance.setting.data.join("vault");
    for entry in std::fs::read_dir(&vault).unwrap().flatten() {
        let size = usize::try_from(entry.metadata().unwrap().len()).unwrap();
        if size > 100 {
            flip(&entry.path(), size / 2);
        }
    }
    appliance.serve().unwrap();
    let answer = api::sign_in(appliance.setting.http, "admin", appliance.demo.password()).unwrap();
    assert_eq!(answer.status, 503, "{}", answer.text());
    let told_to = answer.json().unwrap();
    assert_eq!(told_to["code"], "secret_damaged", "{told_to}");
    assert!(told_to["detail"].as_str().unwrap().contains("reset-password"), "{told_to}");
    assert_eq!(appliance.get(&format!("/t/{}", template().code)).unwrap().status, 200);
    appliance.stop().unwrap();
    let new = ["admin", "reset-password", "--username", "admin", "--password", "new-horse-2026"];
    appliance.run(&new).unwrap();
    appliance.serve().unwrap();
    let answer = api::sign_in(appliance.setting.http, "admin", "new-horse-2026").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());

    // The key of all secrets, the county's signing key and that of its codes cannot be replaced by new ones.
    for file in ["vault.key", "county.key.pem", "codes.key"] {
        for harm in ["flipped", "cut", "lost"] {
            let mut appliance = copy();
            let path = appliance.setting.data.join("keys").join(file);
            let whole = std::fs::read(&path).unwrap();
            match harm {
                "flipped" => flip(&path, whole.len() / 2),
                "cut" => std::fs::write(&path, &whole[..whole.len() / 2]).unwrap(),
                _ => std::fs::remove_file(&path).unwrap(),
            }
            refused(&appliance, &[&format!("keys/{file}"), "备份"]);
            assert_eq!(path.exists(), harm != "lost", "no new key was made");
            std::fs::write(&path, whole).unwrap();
            heals(&mut appliance);
        }
    }
    // The public key is made of the other one.
    let mut appliance = copy();
    let public = appliance.setting.data.join("keys/county.pem");
    let whole = std::fs::read(&public).unwrap();
    std::fs::write(&public, b"not a key").unwrap();
    heals(&mut appliance);
    assert_eq!(std::fs::read(&public).unwrap(), whole);
}

/// A photo is evidence: a damaged one is not shown, and comes back with the file.
#[test]
fn photos_and_documents() {
    let mut appliance = copy();
    appliance.serve().unwrap();
    let api = appliance.api("admin").unwrap();
    let photo = b"\xff\xd8\xff a photo";
    let blob = api.send("POST", "/blobs", &[], photo).unwrap().expect(200).unwrap();
    let mut blob = blob.json().unwrap();
    blob["name"] = "photo.jpg".into();
    let hash = blob["hash"].as_str().unwrap().to_owned();
    let model = api.list("/activities").unwrap().remove(0);
    let record = json!({
        "site": model["site"], "product": model["product"], "kind": "other",
        "date": model["date"], "attachments": [blob],
    });
    api.done("/activities", &record).unwrap();
    let file = appliance.setting.data.join("blobs").join(&hash[..2]).join(&hash);
    let whole = std::fs::read(&file).unwrap();
    let path = format!("/blobs/{hash}");
    for (harm, status, code) in [("flipped", 503, "blob_damaged"), ("lost", 404, "blob_missing")] {
        match harm {
            "flipped" => flip(&file, 10),
            _ => std::fs::remove_file(&file).unwrap(),
        }
        let answer = api.send("GET", &path, &[], &[]).unwrap();
        assert_eq!(answer.status, status, "{harm}: {}", answer.text());
        let told_to = answer.json().unwrap();
        assert_eq!(told_to["code"], code, "{told_to}");
        assert!(told_to["detail"].as_str().unwrap().contains("备份"), "{told_to}");
        std::fs::write(&file, &whole).unwrap();
        let answer = api.send("GET", &path, &[], &[]).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, &photo[..]), "{harm}");
    }
}

/// Sealed segments are compressed; a damaged one is found by its seal, or by its lines.
#[test]
fn sealed_segments() {
    let mut appliance = copy();
    split(&appliance, 3);
    let (journal_file, _) = Journal::open(&journal(&appliance), Options::default()).unwrap();
    let sealer = journal_file.sealer();
    while sealer.seal_next(true, &mut |_| ControlFlow::Continue(())).unwrap().is_some() {}
    drop(journal_file);
    let files = std::fs::read_dir(journal(&appliance)).unwrap().flatten().map(|e| e.path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|e| e == "gz")).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    files.sort();
    appliance.run(&["verify"]).unwrap();
    for file in files {
        let whole = std::fs::read(&file).unwrap();
        flip(&file, whole.len() / 2);
        verify_told(&appliance, &file, None);
        std::fs::remove_dir_all(appliance.setting.data.join("store")).unwrap();
        refused(&appliance, &["日志已损坏", file.to_str().unwrap(), "备份"]);
        std::fs::write(&file, whole).unwrap();
        heals(&mut appliance);
        appliance.stop().unwrap();
    }
}

#[test]
fn two_servers_on_one_folder() {
    let mut appliance = copy();
    appliance.serve().unwrap();
    let other = place::local(place::free_port().unwrap()).to_string();
    let mqtt = place::local(place::free_port().unwrap()).to_string();
    let mut second = Appliance::empty(Setting::new().unwrap()).unwrap();
    second.setting.data = appliance.setting.data.clone();
    second.setting = second.setting.clone().with("MQTT_LISTEN", &mqtt);
    let folder = appliance.setting.data.canonicalize().unwrap();
    told(
        &second,
        &["serve", "--listen", &other],
        &["正被另一个田印进程使用", folder.to_str().unwrap()],
    );
    // Verbs that need the files say so, or ask the running service.
    for verb in [&["rebuild"][..], &["verify"], &["demo"]] {
        let done = appliance.finish(verb).unwrap();
        assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
        let words = ["正被另一个田印进程使用", "服务正在此数据目录上运行"];
        let says = words.iter().any(|words| done.stderr.contains(words));
        assert!(done.code == Some(0) || (done.code == Some(1) && says), "{verb:?}: {done:?}");
    }
    assert_eq!(lists(&appliance), template().lists, "the first one is not disturbed");
    let scanned = appliance.get(&format!("/t/{}", template().code)).unwrap();
    assert_eq!(scanned.status, 200);
}
