//! Sealed segments and the second copy of the journal, at the real binary: under load, after a
//! `kill -9`, with the copy's disk away, and what the verifier in Python says to it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tianyin_gateway::UpKind;
use tianyin_gateway::client::{DeviceClient, Options};
use tianyin_tests::appliance::{Setting, test_folder};
use tianyin_tests::tools::verify_journal;
use tianyin_tests::{Appliance, until};

const DEVICE: &str = "json-ysh-01";
const LANES: u16 = 4;
const WAIT: Duration = Duration::from_secs(90);

/// Sends large messages, one after the other in a few lanes, until it is told to stop or cut off.
struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Load {
    fn start(appliance: &Appliance, round: u64) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (mqtt, token) =
            (appliance.setting.mqtt.to_string(), appliance.demo.token(DEVICE).to_owned());
        let (stopping, counted): (_, Arc<AtomicU64>) = (stop.clone(), Arc::clone(&acknowledged));
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let options = Options { in_flight_max: LANES, ..Options::default() };
                let client = DeviceClient::connect(&mqtt, DEVICE, &token, options).await.unwrap();
                let client = Arc::new(client);
                let mut lanes = tokio::task::JoinSet::new();
                for lane in 0..LANES {
                    let (client, stop) = (client.clone(), stopping.clone());
                    let counted = counted.clone();
                    lanes.spawn(async move {
                        for number in 0u64.. {
                            let payload = payload(round, lane, number);
                            if stop.load(Ordering::SeqCst)
                                || client.publish_acked(UpKind::Raw, payload, WAIT).await.is_err()
                            {
                                return;
                            }
                            counted.fetch_add(1, Ordering::SeqCst);
                        }
                    });
                }
                while lanes.join_next().await.is_some() {}
            });
        });
        Self { stop, acknowledged, thread }
    }

    /// Ends it; how many were acknowledged.
    fn end(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        self.acknowledged.load(Ordering::SeqCst)
    }
}

/// 40 KiB that no two messages share.
fn payload(round: u64, lane: u16, number: u64) -> Vec<u8> {
    let line = format!("round {round} lane {lane} message {number} ");
    line.bytes().cycle().take(40 << 10).collect()
}

fn appliance(copy: &Path) -> Appliance {
    let mut setting = Setting::new().unwrap();
    setting.environment = vec![
        ("TIANYIN_JOURNAL_COPY".into(), copy.to_str().unwrap().into()),
        ("TIANYIN_JOURNAL_SEGMENT_MIB".into(), "1".into()),
    ];
    Appliance::made(setting).unwrap()
}

fn journal(appliance: &Appliance) -> PathBuf {
    appliance.setting.data.join("journal")
}

fn compressed(dir: &Path) -> usize {
    let files = std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|e| e == "gz")).count()
}

fn seq(appliance: &Appliance) -> u64 {
    let metrics = appliance.get("/metrics").unwrap().text();
    let line = metrics.lines().find(|line| line.starts_with("tianyin_journal_seq")).unwrap();
    line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64
}

/// Waits until so many lines are in a folder, and whole.
fn wait_for_lines(dir: &Path, lines: u64) {
    until("the copy to have the lines", WAIT, || {
        Ok((verify_journal(dir).is_ok_and(|(copied, _)| copied >= lines)).then_some(()))
    })
    .unwrap();
}

/// What `tianyin verify` says of the journal: lines and head.
fn verified(appliance: &Appliance) -> (u64, String) {
    let told = appliance.run(&["verify", "--json"]).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    (told["head"].as_u64().unwrap(), told["hash"].as_str().unwrap().to_owned())
}

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for (path, bytes) in files(from).into_iter().filter(|(path, _)| path.is_file()) {
        std::fs::write(to.join(path.file_name().unwrap()), bytes).unwrap();
    }
}

#[test]
fn the_copy_survives_a_kill_and_restores_everything() {
    let copy = test_folder().unwrap();
    let mut appliance = appliance(&copy);
    appliance.serve().unwrap();
    let load = Load::start(&appliance, 1);
    until("segments to be compressed here and there", WAIT, || {
        Ok((compressed(&journal(&appliance)) > 1 && compressed(&copy) > 1).then_some(()))
    })
    .unwrap();
    let known = seq(&appliance);
    wait_for_lines(&copy, known);
    appliance.kill();
    let acknowledged = load.end();

    let (copied, _) = verify_journal(&copy).unwrap();
    let (lines, head) = verify_journal(&journal(&appliance)).unwrap();
    assert_eq!(verified(&appliance), (lines, head));
    assert!(copied >= known && copied <= lines, "{known} {copied} {lines}");
    assert!(acknowledged > 20 && lines >= acknowledged);

    // It goes on from where it was, and an orderly stop leaves it complete.
    appliance.serve().unwrap();
    let load = Load::start(&appliance, 2);
    std::thread::sleep(Duration::from_secs(1));
    assert!(load.end() > 0);
    wait_for_lines(&copy, lines);
    appliance.stop().unwrap();
    let whole = verify_journal(&journal(&appliance)).unwrap();
    assert_eq!(verify_journal(&copy).unwrap(), whole);
    assert_eq!(verified(&appliance), whole);

    // The copy in place of a lost journal.
    let restored = Appliance::empty(Setting::new().unwrap()).unwrap();
    copy_files(&copy, &journal(&restored));
    for kept in ["keys", "vault"] {
        copy_files(&appliance.setting.data.join(kept), &restored.setting.data.join(kept));
    }
    restored.run(&["rebuild"]).unwrap();
    assert_eq!(verified(&restored), whole);
    println!(
        "{} lines, {} acknowledged before the kill, {copied} of {lines} in the copy",
        whole.0, acknowledged
    );
}

#[test]
fn work_goes_on_without_the_copy_and_it_catches_up() {
    let copy = test_folder().unwrap();
    let aside = copy.with_extension("aside");
    let mut appliance = appliance(&copy);
    appliance.serve().unwrap();
    wait_for_lines(&copy, seq(&appliance));
    std::fs::rename(&copy, &aside).unwrap();
    let load = Load::start(&appliance, 1);
    until("the missing copy to be told", WAIT, || {
        Ok(appliance.log().contains("copy of the journal cannot go on").then_some(()))
    })
    .unwrap();
    assert!(load.end() > 0);
    assert!(!copy.exists(), "a disk that is away is not made up for");
    std::fs::rename(&aside, &copy).unwrap();
    wait_for_lines(&copy, seq(&appliance));
    appliance.stop().unwrap();
    assert_eq!(verify_journal(&copy).unwrap(), verified(&appliance));
}

#[test]
fn the_copy_of_another_appliance_is_left_alone() {
    let copy = test_folder().unwrap();
    let other = appliance(&copy);
    wait_for_lines(&copy, verified(&other).0);
    let before = files(&copy);
    let mut appliance = appliance(&copy);
    appliance.serve().unwrap();
    until("the refusal", WAIT, || Ok(appliance.log().contains("another journal").then_some(())))
        .unwrap();
    let load = Load::start(&appliance, 1);
    std::thread::sleep(Duration::from_millis(500));
    assert!(load.end() > 0);
    appliance.stop().unwrap();
    assert_eq!(files(&copy), before);
}
