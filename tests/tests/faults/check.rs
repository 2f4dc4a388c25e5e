//! Everything acknowledged is there, once; nothing is half done; the store is what the journal says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tianyin_tests::{Appliance, http, until};

use super::load::{photo, post_keyed};

/// Requests that are repeated with their key.
const REPEATED_MAX: usize = 6;
/// Photos that are looked at.
const PHOTOS_MAX: usize = 20;

/// All items of the lists that a load touches.
pub type Lists = BTreeMap<&'static str, Vec<Value>>;

const PATHS: [&str; 7] =
    ["/tests", "/messages", "/certificates", "/lots", "/activities", "/print_jobs", "/operators"];

/// Waits until everything that was durable is decoded, judged, issued and printed (or not).
pub fn settle(appliance: &Appliance) -> Result<()> {
    let mut last = String::new();
    until("the work left over to be done", Duration::from_secs(90), || {
        std::thread::sleep(Duration::from_millis(200));
        let metrics = appliance.get("/metrics")?.text();
        let at = |name: &str| {
            metrics.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned()
        };
        let now = at("tianyin_journal_seq");
        let done = at("tianyin_messages{status=\"received\"}").ends_with(" 0") && now == last;
        last = now;
        Ok(done.then_some(()))
    })
}

/// Reads the lists to their ends.
pub fn lists(appliance: &Appliance) -> Result<Lists> {
    let api = appliance.api("admin")?;
    let mut lists = BTreeMap::new();
    for path in PATHS {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = api.get(&format!("{path}?limit=200{cursor}"))?;
            items.extend(page["items"].as_array().context("no items")?.iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={}", http::encode(next)),
                None => break,
            }
        }
        lists.insert(path, items);
    }
    Ok(lists)
}

/// Everything acknowledged is there exactly once, and a repeated request does nothing again.
pub fn acknowledged_is_there<'a>(
    appliance: &Appliance,
    lists: &Lists,
    acknowledged: impl Iterator<Item = &'a Value>,
) -> Result<usize> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let count = |path: &str, name: &dyn Fn(&Value) -> String| {
        let mut counted: BTreeMap<String, usize> = BTreeMap::new();
        lists[path].iter().for_each(|item| *counted.entry(name(item)).or_default() += 1);
        counted
    };
    let results = count("/tests", &|test| text(&test["measurement"]["msg_id"]));
    let activities = count("/activities", &|item| text(&item["id"]));
    let notes = count("/activities", &|item| text(&item["note"]));
    let lots = count("/lots", &|item| text(&item["id"]));
    let jobs = count("/print_jobs", &|item| text(&item["id"]));
    let codes = count("/certificates", &|item| text(&item["content"]["code"]));
    let twice: Vec<_> = results.iter().filter(|(_, n)| **n != 1).collect();
    ensure!(twice.is_empty(), "results recorded more than once: {twice:?}");
    let void: BTreeSet<String> = lists["/certificates"]
        .iter()
        .filter(|item| item["status"] == "void")
        .map(|item| text(&item["content"]["code"]))
        .collect();
    let (mut lost, mut keyed, mut checked) = (Vec::new(), Vec::new(), 0);
    for item in acknowledged {
        let id = text(&item["id"]);
        let there = match item["what"].as_str().context("what")? {
            "result" => results.get(&id),
            "activity" => activities.get(&id).filter(|_| notes[&text(&item["body"]["note"])] == 1),
            "lot" => lots.get(&id),
            "print_job" => jobs.get(&id),
            "certificate" => codes.get(&id),
            "void" => codes.get(&id).filter(|_| void.contains(&id)),
            other => anyhow::bail!("what is {other}?"),
        };
        checked += 1;
        if there != Some(&1) {
            lost.push(format!("{} {id}: {there:?}", item["what"]));
        } else if item["key"].is_string() {
            keyed.push(item);
        }
    }
    ensure!(lost.is_empty(), "{} of {checked} acknowledged are lost: {lost:#?}", lost.len());
    repeat(appliance, &keyed)?;
    photos(appliance, &keyed)?;
    Ok(checked)
}

/// The last photos of records.
fn photos(appliance: &Appliance, keyed: &[&Value]) -> Result<()> {
    let api = appliance.api("admin")?;
    let with_photo = keyed.iter().rev().filter(|item| item["body"]["attachments"][0].is_object());
    for item in with_photo.take(PHOTOS_MAX) {
        let hash = item["body"]["attachments"][0]["hash"].as_str().context("hash")?;
        let file = api.send("GET", &format!("/blobs/{hash}"), &[], &[])?;
        let note = item["body"]["note"].as_str().context("note")?;
        ensure!(file.status == 200 && file.body == photo(note), "{item}: its photo is another");
    }
    Ok(())
}

/// The last requests again, with their keys.
fn repeat(appliance: &Appliance, keyed: &[&Value]) -> Result<()> {
    let api = appliance.api("admin")?;
    for item in keyed.iter().rev().take(REPEATED_MAX) {
        let (path, key) = (item["path"].as_str().context("path")?, item["key"].as_str());
        let answer = post_keyed(&api, path, key.context("key")?, &item["body"])?;
        ensure!(answer.status == 200, "{item} again: {} {}", answer.status, answer.text());
        let again = answer.json()?;
        let id = again["id"].as_str().or(again["content"]["code"].as_str());
        ensure!(id == item["id"].as_str(), "{item} again made {again}");
    }
    Ok(())
}

/// Nothing is half done: tests have their messages, certificates their codes, lots what was certified.
pub fn nothing_is_half_done(appliance: &Appliance, lists: &Lists) -> Result<()> {
    let ids = |path: &str| -> BTreeSet<&str> {
        lists[path].iter().filter_map(|item| item["id"].as_str()).collect()
    };
    let (messages, lots, tests) = (ids("/messages"), ids("/lots"), ids("/tests"));
    for test in &lists["/tests"] {
        ensure!(test["message"].as_str().is_some_and(|id| messages.contains(id)), "{test}");
    }
    let mut certified: BTreeMap<&str, f64> = BTreeMap::new();
    for certificate in &lists["/certificates"] {
        let lot = certificate["lot"].as_str().unwrap_or_default();
        ensure!(lots.contains(lot), "a certificate without its lot: {certificate}");
        for test in certificate["tests"].as_array().context("tests")? {
            ensure!(test.as_str().is_some_and(|id| tests.contains(id)), "{certificate}");
        }
        if certificate["status"] == "valid" {
            let quantity = certificate["content"]["quantity"].as_str().context("quantity")?;
            *certified.entry(lot).or_default() += quantity.parse::<f64>()?;
        }
    }
    for lot in &lists["/lots"] {
        let told = lot["certified"].as_str().context("certified")?.parse::<f64>()?;
        let found = certified.get(lot["id"].as_str().unwrap_or_default()).copied();
        ensure!((told - found.unwrap_or_default()).abs() < 1e-6, "{lot}: certified {found:?}");
    }
    for certificate in lists["/certificates"].iter().rev().take(20) {
        let code = certificate["content"]["code"].as_str().context("code")?;
        let page = appliance.get(&format!("/t/{code}"))?;
        ensure!(page.status == 200, "{code}: {}", page.status);
    }
    Ok(())
}

/// The same lists, item for item.
pub fn same(before: &Lists, after: &Lists, when: &str) -> Result<()> {
    for (path, list) in before {
        let other = &after[path];
        ensure!(list.len() == other.len(), "{path} {when}: {} and {}", list.len(), other.len());
        for (a, b) in list.iter().zip(other) {
            ensure!(a == b, "{path} differs {when}:\n{a}\n{b}");
        }
    }
    Ok(())
}

/// By the tool that everybody has.
fn unzip(bytes: &[u8]) -> Result<String> {
    let mut zcat = Command::new("zcat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = zcat.stdin.take().context("zcat")?;
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = zcat.wait_with_output()?;
    writer.join().ok().context("zcat")??;
    ensure!(output.status.success(), "zcat: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// Every line of the journal is one whole command with its place in the chain.
pub fn lines_are_whole(folder: &Path) -> Result<()> {
    let mut seqs = Vec::new();
    for entry in std::fs::read_dir(folder)?.flatten() {
        let bytes = std::fs::read(entry.path())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = match name.rsplit_once(".jsonl") {
            Some((_, "")) => String::from_utf8(bytes)?,
            Some((_, ".gz")) => unzip(&bytes)?,
            _ => continue,
        };
        // The last one may end in reserved space; `verify` has seen that it is no other.
        for line in text.trim_end_matches('\0').lines() {
            let line: Value =
                serde_json::from_str(line).with_context(|| format!("{name}: {line}"))?;
            ensure!(line["events"].as_array().is_some_and(|events| !events.is_empty()), "{line}");
            seqs.push(line["seq"].as_u64().context("seq")?);
        }
    }
    seqs.sort_unstable();
    ensure!(!seqs.is_empty(), "no lines");
    ensure!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "a line is missing or twice there");
    Ok(())
}
