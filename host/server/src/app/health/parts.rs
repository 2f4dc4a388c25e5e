//! The rows: what is looked at, and from where on it is worth a word. Thresholds are for a county's
//! office: what a clerk can do something about, and no false alarms.

use std::sync::atomic::Ordering;

use tianyin_domain::device::{self, Device, DeviceKind};
use tianyin_domain::message;
use tianyin_domain::print_job::{self, PrintJob, PrintStatus};
use tianyin_domain::time::china_date;
use tianyin_domain::{Scope, State, StateError, Time};
use tianyin_store::PageQuery;

use super::HealthRow;
use super::HealthState::{Attention, Fault};
use super::words::{ago, bytes, span};
use crate::app::gate::ReadOnly;
use crate::app::{App, pipeline, read_only_text, writer};
use crate::edge::now;
use crate::http::metrics::folders;
use crate::texts::{t, tf};

/// A disk that takes longer than this for a sync, one time in a hundred, is slow.
const SYNC_SLOW_US: u64 = 500_000;
/// Share of a queue, in percent, from which on it is worth a word.
const QUEUE_FULL_PERCENT: u64 = 50;
/// Lines that may wait behind the journal.
const TAIL_LAG_MAX: u64 = 5_000;
/// An approved device that was not seen for this long is missed.
const SILENT_S: i64 = 3 * 24 * 3600;
/// Devices looked at.
const DEVICES_MAX: usize = 1_000;
/// Names told in one sentence.
const NAMES_MAX: usize = 3;
/// Newest print jobs looked at.
const PRINTS: usize = 50;
/// The own certificate is renewed 30 days before its end; another one must come from its owner.
const CERTIFICATE_DAYS_MIN: i64 = 21;
/// A plugin or rule whose runs take longer than this on average is slow.
const SLOW_RUN_US: u64 = 200_000;

/// Every row, in the order of the page.
pub(super) fn all(app: &App) -> Vec<HealthRow> {
    let readable = |part, row: Result<HealthRow, StateError>| {
        row.unwrap_or_else(|error| {
            let mut row = HealthRow::new(part);
            row.wrong(Fault, "unreadable", &[("error", &error.to_string())], None);
            row
        })
    };
    let rows = [
        data(app),
        storage(app),
        readable("devices", devices(app)),
        queues(app),
        readable("printers", printers(app)),
        rules(app),
    ];
    let more = certificate(app).into_iter().chain(mirror(app));
    rows.into_iter().chain(more).map(HealthRow::settled).collect()
}

/// Only where a folder is set.
fn mirror(app: &App) -> Option<HealthRow> {
    let state = app.mirror.state();
    state.folder.as_ref()?;
    let mut row = HealthRow::new("mirror");
    let complete = state.complete_at.map(|at| ago(at, now()));
    let complete = complete.unwrap_or_else(|| t("health_words.not_since_start").to_owned());
    row.fact("mirror_complete", complete);
    row.fact("mirror_waiting", state.waiting.to_string());
    row.fact("mirror_pages", state.pages.to_string());
    if let Some(error) = &state.error {
        row.wrong(Attention, "mirror_stuck", &[("error", error)], Some("/mirror"));
    }
    if let Some(error) = &state.units.error {
        row.wrong(Attention, "mirror_short", &[("error", error)], Some("/mirror"));
    }
    if let Some(fault) = &state.last_fault {
        let params = [("n", &*state.faults.to_string()), ("fault", fault.as_str())];
        row.wrong(Attention, "mirror_faults", &params, Some("/mirror"));
    }
    Some(row)
}

/// Only while something listens with TLS.
fn certificate(app: &App) -> Option<HealthRow> {
    let status = app.tls.as_ref()?.status();
    let mut row = HealthRow::new("certificate");
    let until = china_date(status.not_after).to_string();
    row.fact("certificate_until", &*until);
    let left_days = (status.not_after.as_second() - now().as_second()) / (24 * 3600);
    if status.not_after < now() {
        row.wrong(Fault, "certificate_ended", &[("date", &until)], None);
    } else if left_days < CERTIFICATE_DAYS_MIN {
        row.wrong(Attention, "certificate_ends", &[("date", &until)], None);
    }
    if let Some(reason) = &status.last_error {
        row.wrong(Attention, "certificate_refused", &[("reason", reason)], Some("/settings"));
    }
    if let Some(warning) = status.warning {
        let cure = t("health_cure.certificate_host").to_owned();
        row.say(Attention, warning, cure, Some("/settings"));
    }
    Some(row)
}

fn data(app: &App) -> HealthRow {
    let mut row = HealthRow::new("data");
    if let Some(ReadOnly::Broken(_)) = app.writer.read_only() {
        row.wrong(Fault, "read_only", &[], None);
    }
    if let Some(problem) = app.clock.problem() {
        row.say(Attention, problem.detail(), String::new(), None);
    }
    let stats = &app.writer.stats;
    row.fact("lines", tf("health_words.lines", [("n", &*app.store.applied_seq().to_string())]));
    let last_ms = stats.last_write_ms.load(Ordering::Relaxed);
    let last = Time::from_millisecond(last_ms).ok().filter(|_| last_ms > 0);
    row.fact(
        "last_write",
        match last {
            Some(at) => ago(at, now()),
            None => t("health_words.not_since_start").to_owned(),
        },
    );
    if let Some((p50_us, p99_us)) = stats.sync_recent_us.p50_p99() {
        let (usual, slow) = (span(p50_us), span(p99_us));
        row.fact("sync", tf("health_words.usual_slow", [("p50", &*usual), ("p99", &*slow)]));
        if p99_us > SYNC_SLOW_US {
            row.wrong(Attention, "sync_slow", &[("time", &slow)], None);
        }
    }
    row.fact("started", ago(app.started_at, now()));
    let rebuild = app.rebuild.state();
    if let Some(running) = rebuild.running {
        row.fact("rebuild", format!("{} %", running.percent()));
    } else if let Some(why) = rebuild.last.and_then(|last| last.failure) {
        row.wrong(Attention, "rebuild_failed", &[("error", &why)], None);
    }
    row
}

fn storage(app: &App) -> HealthRow {
    let mut row = HealthRow::new("storage");
    let space = app.space.state();
    let free = bytes(space.free_bytes);
    row.fact("free", &*free);
    match app.writer.read_only() {
        // Says how much to free and where.
        Some(full @ ReadOnly::DiskFull(_)) => {
            row.say(Fault, read_only_text(&full), String::new(), None);
        }
        _ if space.free_bytes < space.free_min_bytes * 4 => {
            let min = bytes(space.free_min_bytes);
            row.wrong(Attention, "space_low", &[("free", &free), ("min", &min)], None);
        }
        _ if space.ballast_bytes < space.ballast_wanted_bytes => {
            row.wrong(Attention, "no_ballast", &[], None);
        }
        _ => {}
    }
    for (part, size) in folders(&app.config.data) {
        row.fact(part, bytes(size));
    }
    row
}

fn devices(app: &App) -> Result<HealthRow, StateError> {
    let mut row = HealthRow::new("devices");
    if app.gateway().is_none() {
        row.wrong(Fault, "gateway_down", &[], None);
    }
    if let Some(link) = app.gateway().and_then(tianyin_gateway::Gateway::external_status) {
        if link.connected_since.is_none() {
            row.wrong(Fault, "broker_down", &[("error", &link.last_error)], None);
        }
        if link.sessions_lost > 0 {
            row.wrong(Attention, "broker_forgot", &[], None);
        }
    }
    let state: &dyn State = &app.store;
    let mut known: Vec<Device> = state.list(device::BY_STATUS, "approved", DEVICES_MAX)?;
    // A printer is dialled by the appliance; it has a row of its own.
    known.retain(|d| d.kind != DeviceKind::Printer);
    let (mut online, mut silent, mut refused) = (0, Vec::new(), Vec::new());
    let time = now();
    for device in &known {
        let presence = app.presence(&device.id);
        online += usize::from(presence.online);
        let since = presence.since.unwrap_or(app.started_at);
        if !presence.online && time.as_second() - since.as_second() > SILENT_S {
            silent.push(device.name.as_str());
        }
        if !presence.online && !presence.last_refusal.is_empty() {
            refused.push(device.name.as_str());
        }
    }
    let counted = [("n", online.to_string()), ("all", known.len().to_string())];
    row.fact("online", tf("health_words.of", counted.iter().map(|(k, v)| (*k, v.as_str()))));
    if !silent.is_empty() {
        row.wrong(Attention, "device_silent", &[("names", &names(&silent))], Some("/devices"));
    }
    if !refused.is_empty() {
        row.wrong(Attention, "device_refused", &[("names", &names(&refused))], Some("/devices"));
    }
    let dead =
        app.store.count(message::BY_STATUS, "dead").map_err(|e| StateError(e.to_string()))?;
    if dead > 0 {
        let count = dead.to_string();
        row.wrong(Attention, "dead_letters", &[("n", &count)], Some("/messages?status=dead"));
    }
    Ok(row)
}

fn queues(app: &App) -> HealthRow {
    let mut row = HealthRow::new("queues");
    let lane = app.pipeline.depths.iter().map(|d| d.get()).max().unwrap_or(0);
    let queues = [
        ("writer", app.writer.stats.queued.get(), writer::QUEUE_COMMANDS_MAX),
        ("pipeline", lane, pipeline::LANE_JOBS_MAX),
    ];
    for (queue, waiting, max) in queues {
        row.fact(queue, waiting.to_string());
        if waiting * 100 >= max as u64 * QUEUE_FULL_PERCENT {
            let name = t(&format!("health_fact.{queue}")).to_owned();
            let count = waiting.to_string();
            row.wrong(Attention, "queue_full", &[("queue", &*name), ("n", &count)], None);
        }
    }
    let committed = *app.writer.committed().borrow();
    let lag = committed.saturating_sub(app.live.tail_seq());
    if lag > TAIL_LAG_MAX {
        row.wrong(Attention, "tail_lag", &[("n", &lag.to_string())], None);
    }
    row
}

/// A printer is judged by its newest job: what failed before and works again is no news.
fn printers(app: &App) -> Result<HealthRow, StateError> {
    let mut row = HealthRow::new("printers");
    let state: &dyn State = &app.store;
    let mut known: Vec<Device> = state.list(device::BY_STATUS, "approved", DEVICES_MAX)?;
    known.retain(|d| d.kind == DeviceKind::Printer);
    let query =
        PageQuery { newest_first: true, limit: PRINTS, ..PageQuery::new(print_job::BY_STATUS, "") };
    let jobs = app.store.page::<PrintJob>(&query, &Scope::everything());
    let jobs = jobs.map_err(|e| StateError(e.to_string()))?.items;
    let newest = |printer: &Device| {
        let tells = |j: &PrintJob| matches!(j.status, PrintStatus::Printed | PrintStatus::Failed);
        jobs.iter().find(|j| j.printer == printer.id && tells(j))
    };
    let fails = |p: &&Device| newest(p).is_some_and(|j| j.status == PrintStatus::Failed);
    let failing: Vec<&str> = known.iter().filter(fails).map(|p| p.name.as_str()).collect();
    row.fact("printers", known.len().to_string());
    if !failing.is_empty() {
        let page = Some("/print-jobs?status=failed");
        row.wrong(Attention, "printer_failing", &[("names", &names(&failing))], page);
    }
    let count =
        |index, part: &str| app.store.count(index, part).map_err(|e| StateError(e.to_string()));
    row.fact("printing", count(print_job::BY_STATUS, "queued")?.to_string());
    let away = app.printing.away();
    let off: Vec<&Device> = known.iter().filter(|p| away.contains(&p.id)).collect();
    if !off.is_empty() {
        let waiting: u64 =
            off.iter().map(|p| count(print_job::WAITING, &p.id)).sum::<Result<u64, _>>()?;
        let off: Vec<&str> = off.iter().map(|p| p.name.as_str()).collect();
        let (names, waiting) = (names(&off), waiting.to_string());
        let page = Some("/print-jobs?status=queued");
        row.wrong(Attention, "printer_away", &[("names", &names), ("n", &waiting)], page);
    }
    Ok(row)
}

fn rules(app: &App) -> HealthRow {
    let mut row = HealthRow::new("rules");
    let plugins = app.plugins.list();
    row.fact("plugins", plugins.len().to_string());
    row.fact("rules", app.rules.rules().count().to_string());
    for plugin in plugins.iter().filter(|p| p.failure.is_some()) {
        row.wrong(Fault, "plugin_broken", &[("name", &plugin.title)], None);
    }
    for (id, stats) in app.plugins.stats() {
        let title = plugins.iter().find(|p| p.id == id).map_or(id.as_str(), |p| &p.title);
        let failures = stats.failures.get();
        if failures > 0 {
            let params = [("name", title), ("n", &*failures.to_string())];
            row.wrong(Attention, "plugin_failing", &params, Some("/messages?status=dead"));
        }
        slow(&mut row, title, &stats.call_us);
    }
    for (id, stats) in app.rule_stats.iter() {
        let title = app.rules.rules().find(|r| r.id == id).map_or(id, |r| r.title.as_str());
        let failures = stats.failures.get();
        if failures > 0 {
            let params = [("name", title), ("n", &*failures.to_string())];
            row.wrong(Attention, "rule_failing", &params, None);
        }
        slow(&mut row, title, &stats.run_us);
    }
    row
}

fn slow(row: &mut HealthRow, name: &str, took_us: &crate::meter::Histogram) {
    let seen = took_us.read();
    let mean_us = seen.sum.checked_div(seen.count).unwrap_or(0);
    if mean_us > SLOW_RUN_US {
        row.wrong(Attention, "slow_run", &[("name", name), ("time", &span(mean_us))], None);
    }
}

fn names(all: &[&str]) -> String {
    let shown = all.iter().take(NAMES_MAX).copied().collect::<Vec<_>>().join("、");
    match all.len() {
        0..=NAMES_MAX => shown,
        n => tf("health_words.and_more", [("names", &*shown), ("n", &*n.to_string())]),
    }
}
