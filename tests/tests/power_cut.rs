//! The power goes at any moment and what the disk had not been asked to keep is lost: the appliance
//! starts by itself, and everything it acknowledged is there, once.
//!
//! The real binary runs under a mixed load and a preloaded recorder. At random points of the record the
//! disk is rebuilt as it may be found (see `tianyin_tests::power`), and the binary started on it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod faults;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use faults::{check, load};
use serde_json::{Value, json};
use tianyin_tests::appliance::{Demo, Setting, test_folder};
use tianyin_tests::power::{Action, Disk, Mark, Model, Random, Recorder, Recording};
use tianyin_tests::{Appliance, until};

const CUTS: u64 = 50;
const CUTS_TORTURE: u64 = 150;
/// After every so many cuts the lists are compared with those after a rebuild, too, although `verify`
/// compares the store with one already.
const REBUILT: usize = 5;
const WORKERS: usize = 2;
const WAIT: Duration = Duration::from_secs(60);

/// Where the power goes, and what the disk does then.
#[derive(Debug, Clone, Copy)]
struct Cut {
    /// Records before it.
    index: usize,
    model: Model,
}

struct Record {
    recording: Recording,
    marks: Vec<Mark>,
    demo: Demo,
    base: PathBuf,
}

#[test]
fn what_was_acknowledged_survives_power_cuts() {
    let seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let record = record(seed).unwrap();
    let mut left = faults::Rounds::new(CUTS, CUTS_TORTURE);
    let (mut cuts, mut acknowledged) = (0, 0);
    println!("seed {seed}");
    // Under torture in rounds, as long as there is time.
    loop {
        let batch: Vec<u64> = left.by_ref().take(CUTS as usize).collect();
        let Some(first) = batch.first() else { break };
        let mut batch: Vec<Cut> = choose(&record, seed.wrapping_add(*first), batch.len());
        batch.sort_by_key(|cut| cut.index);
        let found = AtomicUsize::new(0);
        let failed: Vec<String> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS)
                .map(|n| {
                    let mine: Vec<Cut> = batch.iter().skip(n).step_by(WORKERS).copied().collect();
                    let (record, found) = (&record, &found);
                    scope.spawn(move || try_all(record, &mine, found))
                })
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        assert!(
            failed.is_empty(),
            "seed {seed}, {} cuts failed:\n{}",
            failed.len(),
            failed.join("\n")
        );
        cuts += batch.len();
        acknowledged += found.into_inner();
    }
    faults::report("power cuts", cuts as u64);
    faults::report("acknowledged items looked for after power cuts", acknowledged as u64);
}

/// Small segments of the journal, so that some are sealed and compressed.
fn setting() -> Result<Setting> {
    let mut setting = Setting::new()?;
    let small = [("TIANYIN_JOURNAL_SEGMENT_MIB", "1"), ("TIANYIN_JOURNAL_COMPRESS", "true")];
    setting.environment.extend(small.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Ok(setting)
}

/// Three runs of the appliance under load, on a folder that was empty before.
fn record(seed: u64) -> Result<Record> {
    let mut setting = setting()?;
    let base = test_folder()?;
    let recorder = Recorder::of(&mut setting)?;
    let mut appliance = Appliance::made(setting)?;
    recorder.mark(&json!({ "phase": "county" }))?;
    let mut again = BTreeMap::new();
    for run in 0..3 {
        appliance.serve()?;
        recorder.mark(&json!({ "phase": "serving" }))?;
        let marking = recorder.clone();
        let hear = Arc::new(move |what: &Value| marking.mark(what).unwrap());
        let shape = load::Shape {
            name: format!("s{seed}-r{run}"),
            clients: 2,
            in_flight: 4,
            pause: Duration::from_millis(20),
            people: 2,
            photos: true,
        };
        let load = load::Load::start(&appliance, &shape, std::mem::take(&mut again), hear);
        until("enough acknowledgements", WAIT, || Ok((load.acknowledged() > 200).then_some(())))?;
        let mut told = load.end();
        ensure!(told.refused.is_empty(), "{:#?}", told.refused);
        again = std::mem::take(&mut told.open);
        if run > 0 {
            until("a full segment to be compressed", WAIT, || {
                let names = std::fs::read_dir(appliance.setting.data.join("journal"))?.flatten();
                let mut paths = names.map(|entry| entry.path());
                Ok(paths.any(|path| path.extension().is_some_and(|e| e == "gz")).then_some(()))
            })?;
        }
        appliance.stop()?;
    }
    let recording = recorder.read()?;
    let marks = recording.marks();
    recorder_saw_everything(&recording, &base, &appliance.setting.data)?;
    Ok(Record { recording, marks, demo: appliance.demo.clone(), base })
}

/// Without this the rest would prove nothing.
fn recorder_saw_everything(recording: &Recording, base: &Path, data: &Path) -> Result<()> {
    let mut disk = Disk::new(recording, base)?;
    disk.play_until(recording.records.len())?;
    let mut differences = disk.differences(data)?;
    // Allocated by a system call of its own; it holds nothing and is made again.
    differences.retain(|path| !path.contains("/ballast.bin:"));
    ensure!(differences.is_empty(), "not all was recorded: {differences:#?}");
    let written = |place: &str| {
        let is_write = |action: &Action| matches!(action, Action::Write { .. });
        let of = |path: &str| path.starts_with(place);
        recording.paths().iter().filter(|(r, path)| is_write(&r.action) && of(path)).count()
    };
    for place in ["journal/", "store/db", "vault/", "keys/"] {
        ensure!(written(place) > 0, "no write to {place} was seen");
    }
    ensure!(recording.syncs(|path| path.starts_with("journal/")) > 100, "no syncs were seen");
    Ok(())
}

/// Some anywhere, some between a write of the journal and the end of its sync, a few while the county is
/// being set up.
fn choose(record: &Record, seed: u64, count: usize) -> Vec<Cut> {
    let mut random = Random::new(seed);
    let records = &record.recording.records;
    let county = record.marks.iter().find(|mark| mark.what["phase"] == "county").unwrap().index;
    let is_sync = |index: &usize| {
        matches!(records[*index].action, Action::SyncBegin { .. } | Action::SyncEnd { .. })
    };
    let syncs: Vec<usize> = (county..records.len()).filter(is_sync).collect();
    let cuts = (0..count).map(|n| {
        let index = match n % 6 {
            0 => random.below(county),
            1 | 2 => syncs[random.below(syncs.len())],
            _ => county + 1 + random.below(records.len() - county),
        };
        let seed = random.number() >> 1;
        let model = if n % 4 == 1 { Model::OnlySynced } else { Model::Some(seed) };
        Cut { index, model }
    });
    cuts.collect()
}

/// Tries cuts in the order of the record; tells which of them failed.
fn try_all(record: &Record, cuts: &[Cut], found: &AtomicUsize) -> Vec<String> {
    let mut disk = Disk::new(&record.recording, &record.base).unwrap();
    let mut failed = Vec::new();
    for cut in cuts {
        disk.play_until(cut.index).unwrap();
        let mut appliance = None;
        match start_after(record, &disk, *cut, &mut appliance) {
            Ok(items) => {
                found.fetch_add(items, Ordering::Relaxed);
            }
            Err(error) => {
                let log = appliance.as_ref().map(Appliance::log).unwrap_or_default();
                failed.push(format!("{cut:?}: {error:#}\n{log}"));
            }
        }
        if let (Some(appliance), true) = (appliance, failed.is_empty()) {
            let data = appliance.setting.data.clone();
            drop(appliance);
            std::fs::remove_dir_all(data).unwrap();
        }
    }
    failed
}

/// Starts on what is left; gives the number of acknowledged items that were looked for.
fn start_after(
    record: &Record,
    disk: &Disk<'_>,
    cut: Cut,
    place: &mut Option<Appliance>,
) -> Result<usize> {
    let setting = setting()?;
    std::fs::remove_dir(&setting.data)?;
    disk.write_out(cut.model, &setting.data)?;
    let appliance = place.insert(Appliance::empty(setting)?);
    appliance.demo = record.demo.clone();
    appliance.serve().context("start")?;
    let is_set_up = record.marks.iter().any(|m| m.index < cut.index && m.what["phase"] == "county");
    if !is_set_up {
        appliance.stop()?;
        appliance.run(&["verify"])?;
        return Ok(0);
    }
    check::settle(appliance)?;
    let before = check::lists(appliance)?;
    let told = record.marks.iter().filter(|mark| mark.index < cut.index);
    let told = told.map(|mark| &mark.what).filter(|what| what["what"].is_string());
    let items = check::acknowledged_is_there(appliance, &before, told)?;
    check::nothing_is_half_done(appliance, &before)?;
    appliance.stop()?;
    appliance.run(&["verify"]).context("verify")?;
    check::lines_are_whole(&appliance.setting.data.join("journal"))?;
    if !cut.index.is_multiple_of(REBUILT) {
        return Ok(items);
    }
    appliance.run(&["rebuild"]).context("rebuild")?;
    appliance.serve().context("start after a rebuild")?;
    check::settle(appliance)?;
    check::same(&before, &check::lists(appliance)?, "after a rebuild from the journal")?;
    appliance.kill();
    Ok(items)
}
