//! The store is built anew while the appliance works: nobody who reads or writes notices.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tianyin_tests::api::Api;
use tianyin_tests::appliance::Setting;
use tianyin_tests::tmpfs::{Tmpfs, with_mounts};
use tianyin_tests::{Appliance, http, until};

const LISTS: [&str; 9] = [
    "/operators",
    "/messages",
    "/print_jobs",
    "/inputs",
    "/lots",
    "/tests",
    "/certificates",
    "/devices",
    "/users",
];
const WRITERS: usize = 4;
const WAIT: Duration = Duration::from_secs(60);

/// Clients that write and read until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    /// Ids of what was acknowledged.
    acknowledged: Arc<Mutex<Vec<String>>>,
    reads: Arc<AtomicU64>,
    /// Why something was refused or could not be read.
    failures: Arc<Mutex<Vec<String>>>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(appliance: &Appliance, round: usize) -> Self {
        let mut load = Self {
            stop: Arc::default(),
            acknowledged: Arc::default(),
            reads: Arc::default(),
            failures: Arc::default(),
            clients: Vec::new(),
        };
        for n in 0..WRITERS {
            let api = appliance.api("admin").unwrap();
            let (stop, acknowledged) = (load.stop.clone(), load.acknowledged.clone());
            let failures = load.failures.clone();
            load.clients.push(std::thread::spawn(move || {
                write(&api, &format!("{round}-{n}"), &stop, &acknowledged, &failures);
            }));
        }
        let lot = appliance.demo.lots[0].id.clone();
        for path in [format!("/lots/{lot}"), "/lots".to_owned(), "/operators".to_owned()] {
            let api = appliance.api("clerk").unwrap();
            let (stop, reads) = (load.stop.clone(), load.reads.clone());
            let failures = load.failures.clone();
            load.clients.push(std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    match api.get(&path) {
                        Ok(_) => {
                            reads.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(e) => failed(&failures, format!("GET {path}: {e:#}")),
                    }
                }
            }));
        }
        load
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            client.join().unwrap();
        }
    }

    fn acknowledged(&self) -> Vec<String> {
        self.acknowledged.lock().unwrap().clone()
    }
}

fn write(
    api: &Api,
    name: &str,
    stop: &AtomicBool,
    acknowledged: &Mutex<Vec<String>>,
    failures: &Mutex<Vec<String>>,
) {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let input = json!({
            "name": format!("农药 {name}-{n}"), "kind": "pesticide",
            "registration_no": format!("PD{name}-{n}"), "substances": ["吡虫啉"],
        });
        match api.done("/inputs", &input) {
            Ok(made) => acknowledged.lock().unwrap().push(made["id"].as_str().unwrap().to_owned()),
            Err(e) => failed(failures, format!("POST /inputs: {e:#}")),
        }
    }
}

fn failed(failures: &Mutex<Vec<String>>, why: String) {
    failures.lock().unwrap().push(why);
    std::thread::sleep(Duration::from_millis(20));
}

fn lists(appliance: &Appliance) -> Vec<(&'static str, Vec<Value>)> {
    let api = appliance.api("admin").unwrap();
    LISTS.map(|path| (path, api.list(path).unwrap())).into_iter().collect()
}

fn assert_all_there(appliance: &Appliance, acknowledged: &[String]) {
    let api = appliance.api("admin").unwrap();
    assert!(!acknowledged.is_empty());
    for id in acknowledged {
        let found = api.send("GET", &format!("/inputs/{id}"), &[], &[]).unwrap();
        assert_eq!(found.status, 200, "{id} was acknowledged");
    }
}

fn stores(appliance: &Appliance) -> Vec<String> {
    let entries = std::fs::read_dir(&appliance.setting.data).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("store")).collect();
    names.sort();
    names
}

fn rebuild(appliance: &Appliance) -> Value {
    serde_json::from_str(&appliance.run(&["rebuild", "--json"]).unwrap()).unwrap()
}

#[test]
fn readers_and_writers_go_on_while_it_is_rebuilt() {
    let mut appliance = Appliance::start().unwrap();
    let quiet = lists(&appliance);
    let ended = rebuild(&appliance);
    assert!(ended["lines"].as_u64().unwrap() > 50, "{ended}");
    assert_eq!(lists(&appliance), quiet, "the same as before");

    let mut load = Load::start(&appliance, 0);
    for round in 0..5 {
        let (reads, written) = (load.reads.load(Ordering::Relaxed), load.acknowledged().len());
        let ended = rebuild(&appliance);
        assert!(ended["pause_ms"].as_u64().unwrap() < 5_000, "{ended}");
        until("reads and writes after the swap", WAIT, || {
            let on = load.reads.load(Ordering::Relaxed) > reads + 10
                && load.acknowledged().len() > written + 10;
            Ok(on.then_some(()))
        })
        .unwrap_or_else(|e| panic!("round {round}: {e:#}\n{:?}", load.failures.lock().unwrap()));
    }
    load.end();
    let failures = load.failures.lock().unwrap().clone();
    assert!(failures.is_empty(), "{} failures, such as {:?}", failures.len(), failures.first());
    let acknowledged = load.acknowledged();
    assert_all_there(&appliance, &acknowledged);

    let before = lists(&appliance);
    let status: Value =
        serde_json::from_str(&appliance.run(&["status", "--json"]).unwrap()).unwrap();
    assert_eq!(status["seq"], status["applied_seq"], "{status}");
    assert_eq!(status["rebuild"]["running"], Value::Null, "{status}");
    assert_eq!(status["rebuild"]["last"]["failure"], Value::Null, "{status}");
    until(
        "the old store to be removed",
        WAIT,
        || Ok((stores(&appliance).len() == 2).then_some(())),
    )
    .unwrap();
    appliance.stop().unwrap();
    appliance.serve().unwrap();
    assert_eq!(lists(&appliance), before, "after a restart");
    assert_eq!(stores(&appliance), ["store"], "under its own name again");
    assert_all_there(&appliance, &acknowledged);
    rebuild(&appliance);
    appliance.run(&["verify"]).unwrap();
    appliance.stop().unwrap();
    // Until the next opening it has the name under which it was built: that is no damage.
    assert!(stores(&appliance).contains(&"store.current".to_owned()));
    appliance.run(&["verify"]).unwrap();
    appliance.run(&["doctor"]).unwrap();
    appliance.run(&["rebuild"]).unwrap();
    appliance.run(&["verify"]).unwrap();
    assert_eq!(stores(&appliance), ["store"]);
}

#[test]
fn a_kill_at_any_moment_of_a_rebuild_loses_nothing() {
    let mut appliance = Appliance::start().unwrap();
    let mut acknowledged = Vec::new();
    for round in 1..=8 {
        let mut load = Load::start(&appliance, round);
        until("some records", WAIT, || Ok((load.acknowledged().len() > 40).then_some(()))).unwrap();
        let beside = appliance.setting.data.join("store.new");
        let killed = std::thread::scope(|scope| {
            let rebuilding = scope.spawn(|| appliance.finish(&["rebuild"]).unwrap());
            until("the new store", WAIT, || Ok(beside.exists().then_some(()))).unwrap();
            // Another moment in every round: filling, catching up, swapping, removing the old one.
            std::thread::sleep(Duration::from_millis(25 * (round as u64 - 1)));
            let service = appliance.service().unwrap().id();
            kill(service);
            rebuilding.join().unwrap()
        });
        // It told the end of the service, or had ended before.
        assert!(killed.code == Some(1) || killed.stdout.contains("lines"), "{killed:?}");
        appliance.kill();
        load.end();
        acknowledged.extend(load.acknowledged());
        appliance.serve().unwrap();
        assert_eq!(stores(&appliance), ["store"], "round {round}");
    }
    assert_all_there(&appliance, &acknowledged);
    let before = lists(&appliance);
    rebuild(&appliance);
    assert_eq!(lists(&appliance), before);
}

fn kill(process: u32) {
    let told = std::process::Command::new("kill").args(["-KILL", &process.to_string()]).status();
    assert!(told.unwrap().success());
}

#[test]
fn without_space_for_a_second_store_it_does_not_begin() {
    let test = "without_space_for_a_second_store_it_does_not_begin";
    with_mounts(test, || {
        let setting = Setting::new().unwrap();
        let disk = Tmpfs::mount(&setting.data, 200 << 10).unwrap();
        let setting = setting.with("DISK_BALLAST_MIB", 4).with("DISK_FREE_MIN_MIB", 2);
        let appliance = Appliance::start_with(setting).unwrap();
        rebuild(&appliance);
        disk.leave_kib(20 << 10).unwrap();
        let refused = appliance.finish(&["rebuild"]).unwrap();
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("没有开始重建"), "{refused:?}");
        assert!(!stores(&appliance).contains(&"store.new2".to_owned()));
        appliance.api("admin").unwrap().get("/lots").unwrap();
        disk.resize(200 << 10).unwrap();
        rebuild(&appliance);
    })
    .unwrap();
}

#[test]
fn progress_is_told_and_the_asker_may_leave() {
    let appliance = Appliance::start().unwrap();
    let done = appliance.finish(&["rebuild"]).unwrap();
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stderr.contains("重建数据库 / rebuilding"), "{done:?}");
    // Whoever leaves in the middle ends nothing.
    let mut stream = std::os::unix::net::UnixStream::connect(socket(&appliance)).unwrap();
    std::io::Write::write_all(&mut stream, b"POST /store/rebuild HTTP/1.0\r\n\r\n").unwrap();
    drop(stream);
    let started = Instant::now();
    until("the rebuild to end by itself", WAIT, || {
        let status = appliance.run(&["status", "--json"])?;
        let status: Value = serde_json::from_str(&status)?;
        Ok((status["rebuild"]["running"].is_null() && started.elapsed() > Duration::from_secs(1))
            .then_some(()))
    })
    .unwrap();
    assert_eq!(http::get(appliance.setting.http, "/readyz").unwrap().status, 200);
}

fn socket(appliance: &Appliance) -> PathBuf {
    appliance.setting.data.join("admin.sock")
}
