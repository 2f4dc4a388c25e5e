//! The disk fills up, at every stage: nothing acknowledged is lost, people are told what to do, and
//! the appliance comes back by itself once there is space.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tianyin_gateway::UpKind;
use tianyin_gateway::client::{DeviceClient, Options};
use tianyin_tests::api::Api;
use tianyin_tests::appliance::Setting;
use tianyin_tests::http::{self, Answer};
use tianyin_tests::tmpfs::{Tmpfs, with_mounts};
use tianyin_tests::{Appliance, until};

const DEVICE: &str = "json-ysh-01";
const WAIT: Duration = Duration::from_secs(30);
const LARGE_KIB: u64 = 200 << 10;
/// What people are told, whatever the numbers.
const SENTENCE: &str = "磁盘空间不足";
const SAYS_WHAT_TO_DO: &str = "请再腾出至少";

fn is_long() -> bool {
    std::env::var_os("TIANYIN_TORTURE").is_some()
}

/// A setting on a disk of its own: ballast 4 MiB, read-only below `free_min_mib`.
fn small_disk(free_min_mib: u64) -> (Tmpfs, Setting) {
    let setting = Setting::new().unwrap();
    let disk = Tmpfs::mount(&setting.data, LARGE_KIB).unwrap();
    (disk, setting.with("DISK_BALLAST_MIB", 4).with("DISK_FREE_MIN_MIB", free_min_mib))
}

fn read_only(appliance: &Appliance) -> bool {
    let ready = appliance.get("/readyz").unwrap();
    let body = ready.json().unwrap();
    assert_eq!(ready.status == 503, !body["read_only"].is_null(), "{body}");
    ready.status == 503
}

fn wait_read_only(appliance: &Appliance) {
    until("read-only", WAIT, || Ok(read_only(appliance).then_some(()))).unwrap();
}

fn wait_writable(appliance: &Appliance) {
    let writable = until("writable again", WAIT, || Ok((!read_only(appliance)).then_some(())));
    writable.unwrap_or_else(|e| panic!("{e}\n{}", appliance.log()));
}

fn wait_ballast(appliance: &Appliance) {
    let ballast = appliance.setting.data.join("ballast.bin");
    until("a ballast", WAIT, || Ok(ballast.exists().then_some(()))).unwrap();
}

/// A refusal that says which folder, and how much.
fn assert_sentence(text: &str, appliance: &Appliance) {
    let folder = appliance.setting.data.canonicalize().unwrap();
    for wanted in [SENTENCE, SAYS_WHAT_TO_DO, folder.to_str().unwrap(), "MiB"] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
}

/// One device that sends until it is told to stop, and again what was not acknowledged.
struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
    last_ms: Arc<AtomicU64>,
    started: Instant,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    fn start(appliance: &Appliance, round: &str) -> Self {
        let mut load = Self {
            stop: Arc::default(),
            acknowledged: Arc::default(),
            last_ms: Arc::default(),
            started: Instant::now(),
            threads: Vec::new(),
        };
        for lane in 0..4 {
            let (stop, acknowledged) = (load.stop.clone(), load.acknowledged.clone());
            let (last_ms, started) = (load.last_ms.clone(), load.started);
            let (mqtt, token) =
                (appliance.setting.mqtt.to_string(), appliance.demo.token(DEVICE).to_owned());
            let lot = appliance.demo.lots[lane].no.clone();
            let prefix = format!("{round}-{lane}");
            load.threads.push(std::thread::spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let mut client = None;
                    let mut number = 0;
                    while !stop.load(Ordering::Relaxed) {
                        if client.as_ref().is_none_or(|c: &DeviceClient| !c.is_connected()) {
                            let options = Options {
                                client_id: Some(format!("{DEVICE}-{lane}")),
                                ..Options::default()
                            };
                            client =
                                DeviceClient::connect(&mqtt, DEVICE, &token, options).await.ok();
                        }
                        let Some(open) = &client else {
                            tokio::time::sleep(Duration::from_millis(50)).await;
                            continue;
                        };
                        let msg_id = format!("{prefix}-{number}");
                        let payload = result(&msg_id, &lot);
                        let wait = Duration::from_secs(2);
                        if open.publish_acked(UpKind::Result, payload, wait).await.is_ok() {
                            acknowledged.lock().unwrap().insert(msg_id);
                            let now = u64::try_from(started.elapsed().as_millis()).unwrap();
                            last_ms.store(now, Ordering::Relaxed);
                            number += 1;
                        } else {
                            client = None;
                        }
                    }
                });
            }));
        }
        load
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    fn wait_for_more(&self, n: usize) {
        let wanted = self.count() + n;
        until("acknowledgements", WAIT, || Ok((self.count() >= wanted).then_some(()))).unwrap();
    }

    fn is_quiet_since_ms(&self) -> u64 {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap();
        now - self.last_ms.load(Ordering::Relaxed)
    }

    fn end(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        Arc::into_inner(self.acknowledged).unwrap().into_inner().unwrap()
    }
}

fn result(msg_id: &str, lot: &str) -> Vec<u8> {
    let message = json!({
        "v": 1, "msg_id": msg_id, "method": "enzyme_inhibition",
        "item": { "code": "pesticide_op_carb", "name": "有机磷和氨基甲酸酯类农药" },
        "sample": { "batch_code": lot },
        "value": { "num": "12.5", "unit": "%", "kind": "inhibition_rate", "op": "=" },
        "tested_at": jiff::Timestamp::now().to_string(),
    });
    message.to_string().into_bytes()
}

/// Judging comes after the acknowledgement and may take its time, but it must go on.
fn wait_settled(appliance: &Appliance) {
    let waiting = || -> anyhow::Result<Option<u64>> {
        let metrics = appliance.get("/metrics")?.text();
        let mut lines = metrics.lines();
        let count = lines.find_map(|l| l.strip_prefix("tianyin_messages{status=\"received\"} "));
        Ok(count.and_then(|n| n.parse().ok()))
    };
    let mut before = u64::MAX;
    while before > 0 {
        let fewer = || Ok(waiting()?.filter(|now| *now < before));
        before = until("messages to be settled", WAIT, fewer)
            .unwrap_or_else(|e| panic!("{before} wait: {e}\n{}", appliance.log()));
    }
}

/// Every acknowledged result is a test, once, also after a rebuild; the journal is whole.
fn assert_nothing_lost(appliance: &mut Appliance, acknowledged: &BTreeSet<String>) {
    wait_settled(appliance);
    let before = tests(appliance);
    let ids: BTreeSet<&String> = before.iter().collect();
    assert_eq!(ids.len(), before.len(), "a test is recorded twice");
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !ids.contains(id)).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), acknowledged.len());
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
    // Also where the store is a disk of its own.
    for entry in std::fs::read_dir(appliance.setting.data.join("store")).unwrap().flatten() {
        let _ = std::fs::remove_dir_all(entry.path());
        let _ = std::fs::remove_file(entry.path());
    }
    appliance.serve().unwrap();
    assert_eq!(before, tests(appliance), "after a rebuild");
}

/// Message ids of all tests on record.
fn tests(appliance: &Appliance) -> Vec<String> {
    let api = appliance.api("admin").unwrap();
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/tests?limit=200{cursor}")).unwrap();
        let items = page["items"].as_array().unwrap();
        ids.extend(items.iter().map(|t| t["measurement"]["msg_id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={}", http::encode(next)),
            None => return ids,
        }
    }
}

/// A product to be added, of any operator.
fn product(api: &Api, name: &str) -> Value {
    let operator = api.list("/operators").unwrap()[0]["id"].clone();
    json!({ "operator": operator, "name": name, "class": "vegetable", "unit": "kg" })
}

#[test]
fn before_the_first_start() {
    with_mounts("before_the_first_start", || {
        let (disk, setting) = small_disk(16);
        let mut appliance = Appliance::empty(setting).unwrap();
        let listen = appliance.setting.http.to_string();
        disk.leave_kib(8 << 10).unwrap();
        let refused = appliance.finish(&["serve", "--listen", &listen]).unwrap();
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert_sentence(&refused.stderr, &appliance);
        let made = std::fs::read_dir(&appliance.setting.data).unwrap().count();
        assert_eq!(made, 0, "it begins nothing that it cannot finish");

        // Without the guard it fails wherever the disk ends: keys, journal, store.
        appliance.setting = appliance.setting.with("DISK_FREE_MIN_MIB", 0);
        let mut left_kib = 0;
        loop {
            disk.leave_kib(left_kib).unwrap();
            let done = appliance.finish(&["setup-link"]).unwrap();
            assert!(matches!(done.code, Some(0 | 1)), "{left_kib}: {done:?}");
            let done = appliance.finish(&["demo", "--password", "correct-horse-2026"]).unwrap();
            assert!(!done.stderr.contains("panicked"), "{left_kib} KiB left: {}", done.stderr);
            if done.code == Some(0) {
                break;
            }
            assert_eq!(done.code, Some(1), "{left_kib} KiB left: {done:?}");
            assert!(done.stderr.contains("磁盘"), "{left_kib} KiB left: {}", done.stderr);
            left_kib = left_kib * 4 + 4;
            assert!(left_kib < LARGE_KIB, "{done:?}");
            // A county that was begun on a full disk is thrown away and begun again.
            for entry in std::fs::read_dir(&appliance.setting.data).unwrap().flatten() {
                let _ = std::fs::remove_dir_all(entry.path());
                let _ = std::fs::remove_file(entry.path());
            }
        }
        disk.resize(LARGE_KIB).unwrap();
        appliance.serve().unwrap();
        appliance.stop().unwrap();
        appliance.run(&["verify"]).unwrap();
    })
    .unwrap();
}

fn set_up(appliance: &Appliance, token: &str) -> Answer {
    let fields = [
        ("token", token),
        ("area", "430321"),
        ("county", "湘潭县"),
        ("public_url", "http://trace.example.cn"),
        ("username", "admin"),
        ("name", "示例管理员"),
        ("password", "correct-horse-2026"),
        ("password_again", "correct-horse-2026"),
    ];
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "text/html")];
    let body = http::form(&fields);
    http::send(appliance.setting.http, "POST", "/setup", &headers, body.as_bytes()).unwrap()
}

#[test]
fn at_set_up() {
    with_mounts("at_set_up", || {
        for (free_min_mib, left_kib) in [(16, 8 << 10), (0, 0)] {
            let (disk, setting) = small_disk(free_min_mib);
            let mut appliance = Appliance::empty(setting).unwrap();
            appliance.serve().unwrap();
            let token = appliance.setup_token().unwrap();
            disk.leave_kib(left_kib).unwrap();
            if free_min_mib > 0 {
                wait_read_only(&appliance);
                let page = appliance.get(&format!("/setup?token={token}")).unwrap();
                assert_sentence(&page.text(), &appliance);
            }
            let refused = set_up(&appliance, &token);
            assert!(refused.status >= 400, "{}", refused.status);
            assert!(refused.text().contains("磁盘空间"), "{}", refused.text());
            disk.resize(LARGE_KIB).unwrap();
            wait_writable(&appliance);
            let done = set_up(&appliance, &token);
            assert_eq!(done.status, 303, "{}", done.text());
            appliance.stop().unwrap();
            appliance.run(&["verify"]).unwrap();
        }
    })
    .unwrap();
}

#[test]
fn the_guard_stops_before_anything_fails_and_goes_on_by_itself() {
    with_mounts("the_guard_stops_before_anything_fails_and_goes_on_by_itself", || {
        let (disk, setting) = small_disk(16);
        let mut appliance = Appliance::start_with(setting).unwrap();
        let api = appliance.api("admin").unwrap();
        until("a ballast", WAIT, || {
            let ready = appliance.get("/readyz")?.json()?;
            Ok((ready["space"]["ballast_bytes"] == 4 << 20).then_some(()))
        })
        .unwrap();
        let load = Load::start(&appliance, "guard");
        load.wait_for_more(50);
        let free_bytes = || {
            let ready = appliance.get("/readyz").unwrap().json().unwrap();
            ready["space"]["free_bytes"].as_u64().unwrap()
        };
        // A file that grows, as a log or a backup would: near the end by no more in the second between
        // two looks of the guard than it leaves room for.
        let hog = appliance.setting.data.join("hog");
        let mut file = std::fs::File::create(&hog).unwrap();
        while !read_only(&appliance) {
            let is_near = free_bytes() < 22 << 20;
            let more: &[u8] = if is_near { &[1; 1 << 18] } else { &[1; 1 << 20] };
            std::io::Write::write_all(&mut file, more).unwrap();
            if is_near {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        until("devices to be left waiting", WAIT, || {
            Ok((load.is_quiet_since_ms() > 700).then_some(()))
        })
        .unwrap();
        // People read on, and are told; so are programs, and who opens the console.
        let lots = api.list("/lots").unwrap();
        assert!(!lots.is_empty());
        let refused = api.post("/products", &product(&api, "满盘")).unwrap();
        assert_eq!(refused.status, 503, "{}", refused.text());
        let refused = refused.json().unwrap();
        assert_eq!(refused["code"], "disk_full");
        assert_sentence(refused["detail"].as_str().unwrap(), &appliance);
        assert_sentence(&appliance.get("/sign-in").unwrap().text(), &appliance);
        let free = free_bytes();
        // What was taken in still goes to the store, whose file grows by 4 MiB at a time.
        assert!(free > 4 << 20, "{free}: nothing failed yet");
        assert!(appliance.setting.data.join("ballast.bin").exists(), "still to be had");
        assert!(!appliance.log().contains("could not be written"), "{}", appliance.log());

        // Not at the first byte, or it would swing.
        drop(file);
        std::fs::File::options().write(true).open(&hog).unwrap().set_len(free_to(&hog, 4)).unwrap();
        std::thread::sleep(Duration::from_millis(1200));
        assert!(read_only(&appliance), "4 MiB more are not enough");
        std::fs::remove_file(&hog).unwrap();
        wait_writable(&appliance);
        load.wait_for_more(50);
        let acknowledged = load.end();
        api.done("/products", &product(&api, "满盘")).unwrap();
        assert_nothing_lost(&mut appliance, &acknowledged);
        drop(disk);
    })
    .unwrap();
}

/// Length of a file that is to give back so many MiB.
fn free_to(file: &std::path::Path, mib: u64) -> u64 {
    file.metadata().unwrap().len().saturating_sub(mib << 20)
}

/// Without the guard, as when somebody else's file takes the last byte between two looks.
#[test]
fn writes_that_fail_are_taken_back_and_it_goes_on_by_itself() {
    with_mounts("writes_that_fail_are_taken_back_and_it_goes_on_by_itself", || {
        let rounds = if is_long() { 20 } else { 2 };
        // Journal and store on disks of their own, so that each is the one that fails.
        for inside in ["journal", "store", ""] {
            let mut setting = Setting::new().unwrap().with("DISK_FREE_MIN_MIB", 0);
            setting = setting.with("DISK_BALLAST_MIB", 4);
            let disk = Tmpfs::mount(&setting.data.join(inside), LARGE_KIB).unwrap();
            let mut appliance = Appliance::start_with(setting).unwrap();
            let mut acknowledged = BTreeSet::new();
            let api = appliance.api("admin").unwrap();
            let product = product(&api, "满盘");
            for round in 0..rounds {
                let load = Load::start(&appliance, &format!("{inside}-{round}"));
                load.wait_for_more(20);
                disk.leave_kib(if inside == "journal" { 16 } else { 64 }).unwrap();
                wait_read_only(&appliance);
                assert_eq!(appliance.get("/healthz").unwrap().status, 200);
                match api.list("/lots") {
                    Ok(lots) => assert!(!lots.is_empty(), "reads go on"),
                    // After a write of its own accord that failed, sled answers nothing until there
                    // is space.
                    Err(error) => {
                        let may_fail = inside != "journal";
                        let text = format!("{error:#}");
                        assert!(may_fail && text.contains("store_unreadable"), "{text}");
                    }
                }
                let refused = api.post("/products", &product).unwrap();
                assert_eq!(refused.status, 503, "{}", refused.text());
                disk.resize(LARGE_KIB).unwrap();
                wait_writable(&appliance);
                load.wait_for_more(20);
                acknowledged.extend(load.end());
            }
            let log = appliance.log();
            let failed = match inside {
                "journal" => log.contains("the journal could not be written"),
                "store" => log.contains("the store could not be written"),
                _ => log.contains("could not be written"),
            };
            assert!(failed, "{inside}: nothing failed:\n{log}");
            // Many rounds leave more lines than there is room for a store of.
            disk.resize(8 * LARGE_KIB).unwrap();
            assert_nothing_lost(&mut appliance, &acknowledged);
        }
    })
    .unwrap();
}

/// A caller whose command is durable is not told that it failed, and its key finds it again.
#[test]
fn what_is_durable_but_not_shown_is_there_once() {
    with_mounts("what_is_durable_but_not_shown_is_there_once", || {
        let setting = Setting::new().unwrap().with("DISK_FREE_MIN_MIB", 0);
        let disk = Tmpfs::mount(&setting.data.join("store"), LARGE_KIB).unwrap();
        let appliance = Appliance::start_with(setting).unwrap();
        let api = appliance.api("admin").unwrap();
        let mut body = product(&api, "");
        let json = [("Content-Type", "application/json")];
        let mut post = |n: usize| {
            let key = format!("product-{n}");
            let headers = [&json[..], &[("Idempotency-Key", key.as_str())]].concat();
            body["name"] = format!("产品{n}").into();
            api.send("POST", "/products", &headers, body.to_string().as_bytes()).unwrap()
        };
        let mut n = 0;
        // The store's thread may come to the end of the disk between two commands: then the next one
        // is refused before it is durable, and it is begun again.
        for round in 0.. {
            assert!(round < 20, "the store's disk never failed at a durable command");
            disk.leave_kib(0).unwrap();
            let answer = (0..20_000).find_map(|_| {
                n += 1;
                Some(post(n)).filter(|answer| answer.status >= 300)
            });
            let answer = answer.expect("the store's disk never failed");
            assert_eq!(answer.status, 503, "{}", answer.text());
            let told = answer.json().unwrap();
            disk.resize((round + 2) * LARGE_KIB).unwrap();
            wait_writable(&appliance);
            let name = format!("产品{n}");
            let same = || {
                let products = api.list("/products").unwrap();
                products.iter().filter(|p| p["name"] == name.as_str()).count()
            };
            let was_durable = told["code"] == "recorded_not_shown";
            assert_eq!(same(), usize::from(was_durable), "{name} after {told}");
            // The store is opened anew a moment after the guard has seen the space: until then a caller
            // is told to come back.
            let again = until("the store to be read again", Duration::from_secs(20), || {
                Ok(Some(post(n)).filter(|answer| answer.status != 503))
            });
            let again = again.unwrap();
            assert!((200..300).contains(&again.status), "{}\n{}", again.text(), appliance.log());
            assert_eq!(same(), 1, "{name} among the newest after {told}");
            if was_durable {
                assert!(told["detail"].as_str().unwrap().contains("不要重复提交"), "{told}");
                break;
            }
        }
    })
    .unwrap();
}

#[test]
fn certificates_papers_and_labels() {
    with_mounts("certificates_papers_and_labels", || {
        let (disk, setting) = small_disk(16);
        let printer = std::net::TcpListener::bind(setting.printer).unwrap();
        let mut appliance = Appliance::start_with(setting).unwrap();
        let api = appliance.api("admin").unwrap();
        let lot = appliance.demo.lot("小白菜").unwrap().clone();
        let issue = json!({ "lot": lot.id, "quantity": "10", "basis": ["quality_control"] });
        let issued = api.done("/certificates", &issue).unwrap();
        let code = issued["content"]["code"].as_str().unwrap_or_default().to_owned();
        assert!(!code.is_empty(), "{issued}");
        let job = json!({ "certificate": code, "printer": appliance.demo.printer(), "copies": 1 });
        api.done("/print_jobs", &job).unwrap();
        // The printer takes the label while the disk fills up. That it began is on record by the time that
        // more arrives than a question for the status.
        let (mut label, _) = printer.accept().unwrap();
        let mut first = [0; 64];
        std::io::Read::read_exact(&mut label, &mut first).unwrap();
        disk.leave_kib(8 << 10).unwrap();
        wait_read_only(&appliance);
        let taken = std::thread::spawn(move || {
            let mut label = label;
            let mut bytes = Vec::new();
            label.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            let _ = std::io::Read::read_to_end(&mut label, &mut bytes);
            bytes.len()
        });
        assert!(taken.join().unwrap() > 0);

        let refused = api.post("/certificates", &issue).unwrap();
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert_sentence(refused.json().unwrap()["detail"].as_str().unwrap(), &appliance);
        let again = api.post("/print_jobs", &job).unwrap();
        assert_eq!(again.status, 503, "{}", again.text());
        // What was issued is shown and can be put on paper.
        assert_eq!(appliance.get(&format!("/t/{code}")).unwrap().status, 200);
        let paper = api.send("GET", &format!("/certificates/{code}/paper.pdf"), &[], &[]).unwrap();
        assert_eq!(paper.status, 200, "{}", paper.text());

        disk.resize(LARGE_KIB).unwrap();
        wait_writable(&appliance);
        // The job that was under way is brought to its end by itself, once.
        until("the print job to end", WAIT, || {
            let jobs = api.list("/print_jobs")?;
            let under_way = |job: &Value| job["status"] == "queued" || job["status"] == "printing";
            Ok((!jobs.iter().any(under_way)).then_some(()))
        })
        .unwrap();
        printer.set_nonblocking(true).unwrap();
        assert!(printer.accept().is_err(), "the label was sent twice");
        api.done("/certificates", &issue).unwrap();
        assert_nothing_lost(&mut appliance, &BTreeSet::new());
    })
    .unwrap();
}

#[test]
fn rebuild_and_restart_on_a_full_disk() {
    with_mounts("rebuild_and_restart_on_a_full_disk", || {
        let (disk, setting) = small_disk(16);
        let mut appliance = Appliance::start_with(setting).unwrap();
        let load = Load::start(&appliance, "restart");
        load.wait_for_more(100);
        let acknowledged = load.end();
        disk.leave_kib(8).unwrap();
        wait_read_only(&appliance);
        // In order or not, it ends, and what is there stays whole.
        appliance.stop().unwrap();
        // A write that failed meanwhile has used the ballast up: from here on there is one.
        disk.resize(LARGE_KIB).unwrap();
        appliance.serve().unwrap();
        wait_ballast(&appliance);
        appliance.stop().unwrap();
        disk.leave_kib(8).unwrap();
        let rebuilt = appliance.finish(&["rebuild"]).unwrap();
        assert_eq!(rebuilt.code, Some(1), "{rebuilt:?}");
        assert!(rebuilt.stderr.contains("磁盘"), "{}", rebuilt.stderr);
        assert!(!rebuilt.stderr.contains("panicked"), "{}", rebuilt.stderr);
        // The ballast lets it start and be read.
        assert!(appliance.setting.data.join("ballast.bin").exists());
        appliance.serve_until_ready_is(503).unwrap();
        until("the ballast to be used", WAIT, || {
            Ok((!appliance.setting.data.join("ballast.bin").exists()).then_some(()))
        })
        .unwrap();
        assert!(!appliance.api("admin").unwrap().list("/lots").unwrap().is_empty());
        appliance.kill();
        disk.leave_kib(8).unwrap();
        // Without ballast it may not start; then it says why, and harms nothing.
        let listen = appliance.setting.http.to_string();
        let told = appliance.serve_until_ready_is(503);
        if let Err(error) = told {
            let again = appliance.finish(&["serve", "--listen", &listen]).unwrap();
            assert_eq!(again.code, Some(1), "{again:?} after {error:#}");
            assert!(again.stderr.contains("磁盘"), "{}", again.stderr);
        } else {
            appliance.kill();
        }
        disk.resize(LARGE_KIB).unwrap();
        appliance.serve().unwrap();
        wait_ballast(&appliance);
        assert_nothing_lost(&mut appliance, &acknowledged);
    })
    .unwrap();
}
