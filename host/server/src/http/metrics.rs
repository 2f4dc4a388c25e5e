//! `/metrics` in Prometheus' text format. No names, no places, no codes: a label is a word of ours,
//! a rule or a plugin, and every list of them is bounded.
//!
//! What a part measures stands with the part; here it only gets its name. A new part gets a section
//! in [`page`].

mod process;
mod text;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use tianyin_domain::message::{self, MessageStatus};
use tianyin_domain::{certificate, device, print_job, test};

use self::text::Text;
use super::Problem;
use super::ops::{HttpStats, RouteClass};
use crate::app::clock::ClockState;
use crate::app::{App, pipeline, writer};

pub use process::{Process, folders};

/// Plugins that are told apart.
const PLUGINS_MAX: usize = 64;

/// Serves the page.
pub(super) async fn serve(
    State(app): State<Arc<App>>,
    Extension(stats): Extension<Arc<HttpStats>>,
) -> Result<Response, Problem> {
    // Counts and sizes come from the store and from /proc: not on a thread that serves others.
    let page = tokio::task::spawn_blocking(move || page(&app, &stats)).await;
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, text)], page.map_err(Problem::internal)??).into_response())
}

fn page(app: &App, http: &HttpStats) -> Result<String, Problem> {
    let mut page = Text::new();
    appliance(&mut page, app);
    writing(&mut page, app);
    after_commit(&mut page, app);
    requests(&mut page, app, http);
    devices(&mut page, app);
    external(&mut page, app);
    front(&mut page, app);
    tls_certificate(&mut page, app);
    mirror(&mut page, app);
    rules(&mut page, app);
    plugins(&mut page, app);
    records(&mut page, app)?;
    process(&mut page, app);
    Ok(page.0)
}

fn appliance(page: &mut Text, app: &App) {
    page.head("tianyin_build_info", "gauge", "Version of this build.");
    page.line("tianyin_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let uptime_ms = crate::edge::now().as_millisecond() - app.started_at.as_millisecond();
    page.gauge("tianyin_uptime_seconds", "Time since start.", uptime_ms as f64 / 1000.0);
    let read_only = u8::from(app.writer.read_only().is_some());
    page.gauge("tianyin_read_only", "1 when nothing can be written any more.", read_only.into());
}

fn writing(page: &mut Text, app: &App) {
    let w = &app.writer.stats;
    page.gauge("tianyin_writer_queue", "Commands that wait.", w.queued.get() as f64);
    let max = writer::QUEUE_COMMANDS_MAX as f64;
    page.gauge("tianyin_writer_queue_max", "Commands that may wait.", max);
    page.count("tianyin_journal_lines_total", "Lines written.", w.lines.get());
    let groups = w.group_lines.read();
    page.count("tianyin_journal_groups_total", "Groups, one sync each.", groups.count);
    page.sizes("tianyin_journal_group_lines", "Lines in one group.", &[], &groups);
    page.times("tianyin_journal_sync_seconds", "One write and sync.", &w.sync_us);
    page.times("tianyin_writer_decide_seconds", "Deciding and applying a group.", &w.decide_us);
    page.times("tianyin_store_commit_seconds", "One batch of the store.", &w.commit_us);
    page.count("tianyin_commands_refused_total", "Commands refused.", w.refused.get());
    page.count("tianyin_commands_repeated_total", "Commands known already.", w.repeated.get());
    let conflicts = w.conflicts.get();
    page.count("tianyin_conflicts_total", "Commands whose records had changed.", conflicts);
    page.count("tianyin_conflict_retries_total", "Commands made anew.", w.retried.get());
    let seq = app.store.applied_seq();
    page.gauge("tianyin_journal_seq", "Number of the last line applied.", seq as f64);
}

fn after_commit(page: &mut Text, app: &App) {
    let committed = *app.writer.committed().borrow();
    let lag = committed.saturating_sub(app.live.tail_seq());
    page.gauge("tianyin_tail_lag_lines", "Lines not handed on yet.", lag as f64);
    page.gauge("tianyin_live_pages", "Pages that listen.", app.live.listeners() as f64);
    page.head("tianyin_pipeline_queue", "gauge", "Work that waits, by lane.");
    for (n, depth) in app.pipeline.depths.iter().enumerate() {
        let lane = n.to_string();
        page.line("tianyin_pipeline_queue", &[("lane", &lane)], depth.get() as f64);
    }
    let max = pipeline::LANE_JOBS_MAX as f64;
    page.gauge("tianyin_pipeline_queue_max", "Work that may wait in one lane.", max);
    page.times("tianyin_pipeline_work_seconds", "One piece of work.", &app.pipeline.work_us);
    let printing = &app.printing;
    let away = printing.away().len() as f64;
    page.gauge("tianyin_printers_away", "Printers not reached when they were tried last.", away);
    page.times(
        "tianyin_print_seconds",
        "One job, from its printer's turn to its end.",
        &printing.job_us,
    );
    page.count("tianyin_print_failures_total", "Jobs that failed.", printing.failed.get());
    page.times("tianyin_render_seconds", "Drawing a label or paper.", &app.stats.render_us);
    let pending = app.scans_pending() as f64;
    page.gauge("tianyin_scans_pending", "Codes with scans not yet on record.", pending);
    let misses = app.stats.scan_misses.get();
    page.count("tianyin_scan_misses_total", "Codes asked for that there are not.", misses);
    let ranges = app.areas.told().ranges as f64;
    page.gauge("tianyin_scan_area_ranges", "Ranges of addresses whose city is known.", ranges);
}

fn requests(page: &mut Text, app: &App, http: &HttpStats) {
    let total = "tianyin_http_requests_total";
    page.head(total, "counter", "Requests answered, by class of status.");
    for (class, n) in ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(&http.classes) {
        page.line(total, &[("class", class)], n.get() as f64);
    }
    let under_way = http.in_flight.get() as f64;
    page.gauge("tianyin_http_in_flight", "Requests being answered.", under_way);
    let name = "tianyin_http_request_seconds";
    page.head(name, "histogram", "Time to an answer's head, by kind of address.");
    for class in RouteClass::ALL {
        let seen = http.took_us[class as usize].read();
        page.classes(name, &[("route", class.word())], &seen, 1e6);
    }
    let sessions = app.sessions_open() as f64;
    page.gauge("tianyin_sessions", "Sessions that have not ended.", sessions);
    let hashes = app.accounts.hashes_queued.get() as f64;
    page.gauge("tianyin_password_hashes_queue", "Password hashes waiting or made.", hashes);
    page.count("tianyin_vault_reads_total", "Secrets read.", app.vault.reads.get());
}

fn devices(page: &mut Text, app: &App) {
    let online = app.gateway().map_or(0, tianyin_gateway::Gateway::devices_online);
    page.gauge("tianyin_mqtt_devices_online", "Devices with a connection.", online as f64);
    let in_flight = app.stats.mqtt_in_flight.get() as f64;
    page.gauge("tianyin_mqtt_in_flight", "Messages on their way to the journal.", in_flight);
    let stored = &app.stats.mqtt_stored_us;
    page.times("tianyin_mqtt_stored_seconds", "From receipt to durability.", stored);
    let withheld = app.stats.mqtt_withheld.get();
    page.count("tianyin_mqtt_withheld_total", "Acknowledgements withheld.", withheld);
    let refused = app.stats.mqtt_refused.get();
    page.count("tianyin_mqtt_refused_total", "Connections and messages refused.", refused);
}

/// With the embedded broker: what happened at its door.
fn front(page: &mut Text, app: &App) {
    let Some(stats) = app.gateway().and_then(tianyin_gateway::Gateway::front_stats) else { return };
    for (name, help, n) in [
        ("tianyin_mqtt_connections_total", "Connections of devices.", &stats.accepted),
        ("tianyin_mqtt_crowded_total", "Closed: too many of one address.", &stats.refused),
        ("tianyin_mqtt_timed_out_total", "Closed: no CONNECT in time.", &stats.timed_out),
        ("tianyin_mqtt_malformed_total", "Closed: no MQTT, or no TLS.", &stats.malformed),
    ] {
        page.count(name, help, n.load(Ordering::Relaxed));
    }
}

fn tls_certificate(page: &mut Text, app: &App) {
    let Some(status) = app.tls.as_ref().map(crate::tls::Tls::status) else { return };
    let end_s = status.not_after.as_second() as f64;
    page.gauge("tianyin_certificate_end_seconds", "End of the certificate, Unix time.", end_s);
    let refused = u8::from(status.last_error.is_some());
    page.gauge("tianyin_certificate_refused", "1 when a new one was not taken.", refused.into());
}

/// Where a folder is set: how the static mirror is doing.
fn mirror(page: &mut Text, app: &App) {
    let state = app.mirror.state();
    if state.folder.is_none() {
        return;
    }
    page.count("tianyin_mirror_pages_total", "Pages made, changed or not.", state.pages);
    page.count("tianyin_mirror_files_total", "Files written.", state.files);
    page.count("tianyin_mirror_faults_total", "Pages or parts not made.", state.faults);
    let waiting = state.waiting as f64;
    page.gauge("tianyin_mirror_waiting", "Journal lines and work that wait.", waiting);
    let complete_s = state.complete_at.map_or(0, |at| at.as_second()) as f64;
    page.gauge("tianyin_mirror_complete_seconds", "Nothing waited last, Unix time.", complete_s);
    page.count("tianyin_mirror_codes_total", "Codes of packs looked at.", state.units.codes);
    let packs = state.units.packs as f64;
    page.gauge("tianyin_mirror_packs_waiting", "Packs whose codes wait for files.", packs);
    let stuck = u8::from(state.error.is_some());
    page.gauge("tianyin_mirror_stuck", "1 while it cannot go on.", stuck.into());
}

/// With an external broker: how the link to it is doing.
fn external(page: &mut Text, app: &App) {
    let Some(link) = app.gateway().and_then(tianyin_gateway::Gateway::external_status) else {
        return;
    };
    let up = u8::from(link.connected_since.is_some());
    page.gauge("tianyin_broker_connected", "1 while the external broker is there.", up.into());
    for (name, help, n) in [
        ("tianyin_broker_connections_total", "Connections made.", link.connections),
        ("tianyin_broker_failures_total", "Connections that ended.", link.failures),
        ("tianyin_broker_stalls_total", "Of these, given up as stuck.", link.stalls),
        ("tianyin_broker_sessions_lost_total", "Sessions the broker forgot.", link.sessions_lost),
        ("tianyin_broker_received_total", "Messages of devices.", link.received),
        ("tianyin_broker_acknowledged_total", "Of these, acknowledged.", link.acknowledged),
        ("tianyin_broker_refused_total", "Of these, refused.", link.refused),
        ("tianyin_broker_sent_total", "Messages to devices.", link.sent),
        ("tianyin_broker_dropped_total", "Receipts dropped.", link.outbox_dropped),
    ] {
        page.count(name, help, n);
    }
    let unacknowledged = link.unacknowledged as f64;
    page.gauge("tianyin_broker_unacknowledged", "Received, not yet acknowledged.", unacknowledged);
    let outbox = link.outbox_messages as f64;
    page.gauge("tianyin_broker_outbox", "Messages to devices that wait.", outbox);
}

fn rules(page: &mut Text, app: &App) {
    let name = "tianyin_rule_seconds";
    page.head(name, "histogram", "One run of a rule.");
    for (rule, stat) in app.rule_stats.iter() {
        page.classes(name, &[("rule", rule)], &stat.run_us.read(), 1e6);
    }
    let name = "tianyin_rule_operations";
    page.head(name, "histogram", "Operations of one run.");
    for (rule, stat) in app.rule_stats.iter() {
        page.classes(name, &[("rule", rule)], &stat.operations.read(), 1.0);
    }
    let name = "tianyin_rule_outcomes_total";
    page.head(name, "counter", "Runs that did not pass; a failure is a hold, too.");
    for (rule, stat) in app.rule_stats.iter() {
        let outcomes =
            [("hold", &stat.holds), ("deny", &stat.denials), ("failure", &stat.failures)];
        for (outcome, n) in outcomes {
            page.line(name, &[("rule", rule), ("outcome", outcome)], n.get() as f64);
        }
    }
}

fn plugins(page: &mut Text, app: &App) {
    let mut plugins = app.plugins.stats();
    plugins.truncate(PLUGINS_MAX);
    let name = "tianyin_plugin_seconds";
    page.head(name, "histogram", "One call of a plugin.");
    for (plugin, stat) in &plugins {
        page.classes(name, &[("plugin", plugin)], &stat.call_us.read(), 1e6);
    }
    let name = "tianyin_plugin_failures_total";
    page.head(name, "counter", "Calls that failed.");
    for (plugin, stat) in &plugins {
        page.line(name, &[("plugin", plugin)], stat.failures.get() as f64);
    }
}

fn records(page: &mut Text, app: &App) -> Result<(), Problem> {
    page.head("tianyin_messages", "gauge", "Messages of devices, by status.");
    for status in MESSAGE_STATUSES {
        let n = app.store.count(message::BY_STATUS, status.as_str())?;
        page.line("tianyin_messages", &[("status", status.as_str())], n as f64);
    }
    let records = [
        ("tianyin_tests", "Tests on record.", test::BY_VERDICT, ""),
        ("tianyin_tests_unmatched", "Tests that wait for a lot.", test::UNMATCHED, ""),
        ("tianyin_certificates_valid", "Certificates that stand.", certificate::BY_STATUS, "valid"),
        ("tianyin_devices_pending", "Devices to be approved.", device::BY_STATUS, "pending"),
        ("tianyin_print_queue", "Jobs that wait.", print_job::BY_STATUS, "queued"),
        (
            "tianyin_prints_failed",
            "Print jobs on record as failed.",
            print_job::BY_STATUS,
            "failed",
        ),
    ];
    for (name, help, index, part) in records {
        page.gauge(name, help, app.store.count(index, part)? as f64);
    }
    Ok(())
}

const MESSAGE_STATUSES: [MessageStatus; 6] = [
    MessageStatus::Received,
    MessageStatus::Quarantined,
    MessageStatus::Accepted,
    MessageStatus::Duplicate,
    MessageStatus::Conflict,
    MessageStatus::Dead,
];

fn process(page: &mut Text, app: &App) {
    let p = Process::read();
    page.gauge("process_resident_memory_bytes", "Memory in use.", p.resident_bytes as f64);
    page.gauge("process_open_fds", "Open files.", p.open_files as f64);
    page.gauge("process_max_fds", "Files that may be open.", p.open_files_max as f64);
    page.gauge("process_threads", "Threads.", p.threads as f64);
    page.head("process_cpu_seconds_total", "counter", "Time of the processors spent.");
    page.line("process_cpu_seconds_total", &[], p.cpu_seconds);
    let space = app.space.state();
    let free = "Free on the tightest disk of the data folder.";
    page.gauge("tianyin_disk_free_bytes", free, space.free_bytes as f64);
    let min = space.free_min_bytes as f64;
    page.gauge("tianyin_disk_free_min_bytes", "Below this it is read-only.", min);
    let ballast = space.ballast_bytes as f64;
    page.gauge("tianyin_disk_ballast_bytes", "Ballast that is there.", ballast);
    let wrong = f64::from(u8::from(app.clock.look() != ClockState::Right));
    page.gauge("tianyin_clock_wrong", "1 when the clock is known to be wrong.", wrong);
    page.head("tianyin_folder_bytes", "gauge", "Size of a part of the data folder.");
    for (part, bytes) in folders(&app.config.data) {
        page.line("tianyin_folder_bytes", &[("part", part)], bytes as f64);
    }
}
