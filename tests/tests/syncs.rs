//! One sync for a group of commands, and what happens when a sync fails: nothing is acknowledged that is
//! not durable, nobody tries again, people are told.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod faults;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use faults::{check, load};
use serde_json::{Value, json};
use tianyin_tests::api::{self, Api};
use tianyin_tests::appliance::{Setting, test_folder};
use tianyin_tests::power::{Action, Disk, Model, Recorder};
use tianyin_tests::{Appliance, http, until};

const WAIT: Duration = Duration::from_secs(30);
const CALLERS: usize = 64;
const EACH: usize = 12;
const ALONE: usize = 60;
const RECORDS_MAX: usize = 500;

fn is_segment(path: &str) -> bool {
    path.starts_with("journal/") && path.ends_with(".jsonl")
}

fn metric(appliance: &Appliance, name: &str) -> u64 {
    let page = appliance.get("/metrics").unwrap().text();
    let line = page.lines().find(|line| line.split(' ').next() == Some(name));
    line.and_then(|line| line.split(' ').next_back()?.parse().ok()).expect(name)
}

fn record_of_field(api: &Api, lot: &Value, note: &str) -> http::Answer {
    let body = json!({
        "site": lot["site"], "product": lot["product"], "kind": "other", "note": note,
        "date": lot["harvested_on"],
    });
    api.post("/activities", &body).unwrap()
}

fn any_lot(appliance: &Appliance, api: &Api) -> Value {
    api.get(&format!("/lots/{}", appliance.demo.lots[0].id)).unwrap()
}

#[test]
fn a_group_of_commands_is_one_sync() {
    let mut setting = Setting::new().unwrap();
    let recorder = Recorder::counting(&mut setting).unwrap();
    let mut appliance = Appliance::start_with(setting).unwrap();
    let api = appliance.api("admin").unwrap();
    let lot = any_lot(&appliance, &api);
    check::settle(&appliance).unwrap();
    let numbers = |appliance: &Appliance| {
        let syncs = recorder.read().unwrap().syncs(is_segment) as u64;
        let groups = metric(appliance, "tianyin_journal_groups_total");
        (syncs, groups, metric(appliance, "tianyin_journal_lines_total"))
    };

    // One caller: every command is a group of its own.
    let before = numbers(&appliance);
    for n in 0..ALONE {
        assert_eq!(record_of_field(&api, &lot, &format!("alone-{n}")).status, 201);
    }
    let after = numbers(&appliance);
    let alone = (after.0 - before.0, after.1 - before.1, after.2 - before.2);
    assert_eq!(alone, (ALONE as u64, ALONE as u64, ALONE as u64), "syncs, groups, lines");

    // Many callers: fewer groups than commands, and still one sync for each.
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (api, lot) = (&api, &lot);
            scope.spawn(move || {
                for n in 0..EACH {
                    let note = format!("many-{caller}-{n}");
                    assert_eq!(record_of_field(api, lot, &note).status, 201);
                }
            });
        }
    });
    let end = numbers(&appliance);
    let (syncs, groups, lines) = (end.0 - after.0, end.1 - after.1, end.2 - after.2);
    assert_eq!(syncs, groups, "one sync for each group");
    assert_eq!(lines, (CALLERS * EACH) as u64);
    assert!(groups < lines, "{groups} groups of {lines} commands: nothing was grouped");
    appliance.stop().unwrap();

    // Exactly the syncs that the journal counts, not one more, over the whole life of the process.
    let recording = recorder.read().unwrap();
    let data_only = |action: &Action| matches!(action, Action::SyncBegin { data_only: true, .. });
    let writes = |action: &Action| matches!(action, Action::Write { .. });
    let count = |is: &dyn Fn(&Action) -> bool| {
        recording.paths().iter().filter(|(r, path)| is(&r.action) && is_segment(path)).count()
    };
    assert_eq!(count(&data_only), count(&writes), "one write, one fdatasync");
    println!("{lines} commands of {CALLERS} callers in {groups} groups with {syncs} syncs");
}

#[test]
fn a_failed_sync_of_the_journal_makes_it_read_only() {
    let mut setting = Setting::new().unwrap();
    let base = test_folder().unwrap();
    let trigger = setting.data.with_extension("fail");
    let fault = format!("sync,journal/,1,{}", trigger.display());
    let recorder = Recorder::with_faults(&mut setting, &fault).unwrap();
    let mut appliance = Appliance::start_with(setting).unwrap();
    let shape = load::Shape {
        name: "sync".into(),
        clients: 2,
        in_flight: 4,
        pause: Duration::from_millis(2),
        people: 2,
        photos: true,
    };
    let marking = recorder.clone();
    let hear = Arc::new(move |what: &Value| marking.mark(what).unwrap());
    let load = load::Load::start(&appliance, &shape, Default::default(), hear);
    until("acknowledgements", WAIT, || Ok((load.acknowledged() > 100).then_some(()))).unwrap();
    std::fs::write(&trigger, "").unwrap();
    until("the appliance to be read-only", WAIT, || {
        Ok((appliance.get("/readyz")?.status == 503).then_some(()))
    })
    .unwrap();
    people_are_told(&appliance);
    std::thread::sleep(Duration::from_millis(300));
    appliance.kill();
    let told = load.end();

    // Nothing is written or synced again.
    let recording = recorder.read().unwrap();
    let steps = recording.paths();
    let failed = steps.iter().position(|(r, _)| matches!(r.action, Action::Fault { .. }));
    let later = &steps[failed.expect("the sync did not fail") + 1..];
    let goes_on = |action: &Action| {
        matches!(action, Action::Write { .. } | Action::SyncBegin { .. } | Action::Resize { .. })
    };
    let again = later.iter().filter(|(r, path)| is_segment(path) && goes_on(&r.action)).count();
    assert_eq!(again, 0, "the journal was written or synced again");

    // With the pages that the failed sync left in the cache, and without them: then nothing of the
    // group is there, so nothing of it may have been acknowledged.
    let mut disk = Disk::new(&recording, &base).unwrap();
    disk.play_until(recording.records.len()).unwrap();
    let lost_cache = test_folder().unwrap();
    std::fs::remove_dir(&lost_cache).unwrap();
    disk.write_out(Model::OnlySynced, &lost_cache).unwrap();
    for data in [lost_cache, appliance.setting.data.clone()] {
        let setting = Setting { data, ..Setting::new().unwrap() };
        let mut again = Appliance::empty(setting).unwrap();
        again.demo = appliance.demo.clone();
        again.serve().unwrap();
        check::settle(&again).unwrap();
        let lists = check::lists(&again).unwrap();
        let found = check::acknowledged_is_there(&again, &lists, told.acknowledged.iter()).unwrap();
        assert!(found > 100);
        check::nothing_is_half_done(&again, &lists).unwrap();
        again.stop().unwrap();
        again.run(&["verify"]).unwrap();
    }
}

fn people_are_told(appliance: &Appliance) {
    let ready = appliance.get("/readyz").unwrap().json().unwrap();
    assert_eq!(ready["ready"], false);
    assert!(ready["read_only"].as_str().is_some_and(|why| !why.is_empty()), "{ready}");
    assert_eq!(metric(appliance, "tianyin_read_only"), 1);
    // Who is signed in reads on: accounts are read, nothing is written.
    let session = api::sign_in(appliance.setting.http, "admin", appliance.demo.password()).unwrap();
    let token = session.expect(200).unwrap().json().unwrap()["token"].as_str().unwrap().to_owned();
    let api = Api::with_token(appliance.setting.http, &token);
    let lot = any_lot(appliance, &api);
    let refused = record_of_field(&api, &lot, "too late");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    let problem = refused.json().unwrap();
    assert_eq!(problem["code"], "read_only", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("只读"), "{problem}");
    let cookie = format!("tianyin={token}");
    let page = http::send(appliance.setting.http, "GET", "/", &[("Cookie", &cookie)], &[]).unwrap();
    assert_eq!(page.status, 200);
    assert!(page.text().contains("系统已转为只读"), "no banner");
}

#[test]
fn a_secret_that_cannot_be_synced_is_not_promised() {
    let mut setting = Setting::new().unwrap();
    let trigger = setting.data.with_extension("fail");
    let fault = format!("sync,vault/,1,{}", trigger.display());
    Recorder::with_faults(&mut setting, &fault).unwrap();
    let mut appliance = Appliance::start_with(setting).unwrap();
    let api = appliance.api("admin").unwrap();
    let user = |name: &str| {
        let body = json!({
            "username": name, "name": "示例新人", "role": "clerk", "password": "示例-密码-2026-长",
        });
        api.post("/users", &body).unwrap()
    };
    std::fs::write(&trigger, "").unwrap();
    let refused = user("nobody");
    assert_eq!(refused.status, 500, "{}", refused.text());
    assert!(refused.json().unwrap()["detail"].as_str().unwrap().contains("日志"));
    assert!(!names(&api).contains(&"nobody".to_owned()));
    assert_eq!(appliance.get("/readyz").unwrap().status, 200, "all else goes on");
    // Only that one sync failed: the same person can be added now.
    assert!((200..300).contains(&user("nobody").status));
    appliance.kill();
    appliance.serve().unwrap();
    let api = appliance.api("admin").unwrap();
    assert!(names(&api).contains(&"nobody".to_owned()));
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
}

fn names(api: &Api) -> Vec<String> {
    let users = api.list("/users").unwrap();
    users.iter().filter_map(|user| user["username"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_store_that_cannot_be_synced_loses_nothing() {
    let mut setting = Setting::new().unwrap();
    let trigger = setting.data.with_extension("fail");
    // Of sled's two ways to sync only one tells of an error.
    let fault = |n: u32| format!("sync,store/db,{n},{}", trigger.display());
    let fault = (1..=4).map(fault).collect::<Vec<_>>().join(";");
    let recorder = Recorder::with_faults(&mut setting, &fault).unwrap();
    let mut appliance = Appliance::start_with(setting).unwrap();
    let api = appliance.api("admin").unwrap();
    let lot = any_lot(&appliance, &api);
    let mut kept = Vec::new();
    let mut tried = 0;
    // sled syncs twice a second, and tells of it with the next commit that is taken to it.
    while tried < RECORDS_MAX && appliance.get("/readyz").unwrap().status == 200 {
        let n = tried;
        tried += 1;
        if n == 20 {
            std::fs::write(&trigger, "").unwrap();
        }
        let note = format!("store-{n}");
        let answer = record_of_field(&api, &lot, &note);
        match answer.status {
            201 => kept.push(note),
            // The group that the store did not take is durable, and said to be.
            503 if answer.json().unwrap()["code"] == "recorded_not_shown" => kept.push(note),
            // From then on it is read-only, as when the journal fails.
            503 => assert_eq!(answer.json().unwrap()["code"], "read_only"),
            _ => panic!("{}", answer.text()),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let recording = recorder.read().unwrap();
    assert!(recording.records.iter().any(|r| matches!(r.action, Action::Fault { .. })));
    assert!(kept.len() >= 20);
    assert_eq!(appliance.get("/readyz").unwrap().status, 503, "{}", appliance.log());
    appliance.kill();
    std::fs::remove_file(&trigger).unwrap();
    appliance.serve().unwrap();
    let api = appliance.api("admin").unwrap();
    let there = api.list("/activities").unwrap();
    for note in &kept {
        assert_eq!(there.iter().filter(|item| item["note"] == note.as_str()).count(), 1, "{note}");
    }
    let before = check::lists(&appliance).unwrap();
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
    appliance.run(&["rebuild"]).unwrap();
    appliance.serve().unwrap();
    check::same(&before, &check::lists(&appliance).unwrap(), "after a rebuild").unwrap();
    println!("{} of {tried} were acknowledged", kept.len());
}

#[test]
fn keys_that_cannot_be_synced_stop_the_first_start() {
    for (place, name) in [("keys/county.key", "keys"), ("keys/vault", "keys"), ("journal$", "")] {
        let mut setting = Setting::new().unwrap();
        Recorder::with_faults(&mut setting, &format!("sync,{place},1,")).unwrap();
        let mut appliance = Appliance::empty(setting).unwrap();
        let made = |appliance: &Appliance| {
            appliance.finish(&["demo", "--public-url", "http://127.0.0.1:1"]).unwrap()
        };
        let failed = made(&appliance);
        assert_eq!(failed.code, Some(1), "{place}: {failed:?}");
        assert!(failed.stderr.contains(name) && failed.stderr.contains("os error 5"), "{failed:?}");
        // The disk is mended: the same folder is used again.
        appliance.setting.environment.retain(|(key, _)| key != "RECORDER_FAULTS");
        if !failed.stdout.contains('{') && !has_lines(&appliance.setting.data) {
            let done = made(&appliance);
            assert_eq!(done.code, Some(0), "{place}: {done:?}");
        }
        appliance.serve().unwrap();
        appliance.stop().unwrap();
        appliance.run(&["verify"]).unwrap();
    }
}

fn has_lines(data: &Path) -> bool {
    let segments: Vec<PathBuf> = std::fs::read_dir(data.join("journal"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    segments.iter().any(|path| {
        path.extension().is_some_and(|e| e == "jsonl") && path.metadata().unwrap().len() > 0
    })
}
