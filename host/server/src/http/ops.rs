//! For whoever runs the appliance: `/healthz`, `/readyz`, `/metrics`. No names, no places: counts.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Serialize;
use tianyin_domain::message::{self, MessageStatus};
use tianyin_domain::{certificate, device, test};

use super::Problem;
use crate::app::App;
use crate::app::space::SpaceState;

/// Requests answered since start, by class of status.
#[derive(Debug, Default)]
pub struct HttpStats {
    classes: [AtomicU64; 5],
}

impl HttpStats {
    /// Counts one answer.
    pub fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.classes[class].fetch_add(1, Ordering::Relaxed);
    }
}

/// Routes for operations.
pub fn router(stats: Arc<HttpStats>) -> Router<Arc<App>> {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics).layer(Extension(stats)))
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    /// `None` when the store cannot be read.
    set_up: Option<bool>,
    read_only: Option<String>,
    space: SpaceState,
    gateway: bool,
    version: &'static str,
}

/// Ready is who can take in what people and devices bring; not set up yet is no fault.
async fn ready(State(app): State<Arc<App>>) -> Response {
    let read_only = app.writer.read_only().map(|reason| reason.to_string());
    let space = app.space.state();
    let gateway = app.gateway().is_some();
    let set_up = app.is_set_up().ok();
    let ready = read_only.is_none() && gateway && set_up.is_some();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let version = env!("CARGO_PKG_VERSION");
    (status, Json(Ready { ready, set_up, read_only, space, gateway, version })).into_response()
}

async fn metrics(
    State(app): State<Arc<App>>,
    Extension(stats): Extension<Arc<HttpStats>>,
) -> Result<Response, Problem> {
    let mut page = Page(String::with_capacity(2048));
    let writer = &app.writer.stats;
    let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
    page.head("tianyin_build_info", "gauge", "Version of this build.");
    page.line("tianyin_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let uptime_ms = crate::edge::now().as_millisecond() - app.started_at.as_millisecond();
    page.one("tianyin_uptime_seconds", "gauge", "Time since start.", uptime_ms as f64 / 1000.0);
    page.one("tianyin_read_only", "gauge", "1 when nothing can be written any more.", {
        f64::from(u8::from(app.writer.read_only().is_some()))
    });
    let space = app.space.state();
    let free = "Free on the tightest disk of the data folder.";
    page.one("tianyin_disk_free_bytes", "gauge", free, space.free_bytes as f64);
    page.one("tianyin_disk_free_min_bytes", "gauge", "Below this it is read-only.", {
        space.free_min_bytes as f64
    });
    page.one("tianyin_disk_ballast_bytes", "gauge", "Ballast that is there.", {
        space.ballast_bytes as f64
    });
    page.count("tianyin_journal_lines_total", "Lines written.", load(&writer.lines));
    page.count(
        "tianyin_journal_groups_total",
        "Groups of lines, one sync each.",
        load(&writer.groups),
    );
    page.one("tianyin_journal_sync_seconds_total", "counter", "Time in write and sync.", {
        load(&writer.sync_us) as f64 / 1e6
    });
    let seq = app.store.applied_seq();
    page.one("tianyin_journal_seq", "gauge", "Number of the last line applied.", seq as f64);
    page.head("tianyin_http_requests_total", "counter", "Requests answered, by class of status.");
    for (class, n) in ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(&stats.classes) {
        page.line("tianyin_http_requests_total", &[("class", class)], load(n) as f64);
    }
    page.head("tianyin_messages", "gauge", "Messages of devices, by status.");
    for status in MESSAGE_STATUSES {
        let n = app.store.count(message::BY_STATUS, status.as_str())?;
        page.line("tianyin_messages", &[("status", status.as_str())], n as f64);
    }
    let records = [
        ("tianyin_tests", "Tests on record.", test::BY_VERDICT, ""),
        ("tianyin_tests_unmatched", "Tests that wait for a lot.", test::UNMATCHED, ""),
        ("tianyin_certificates_valid", "Certificates that stand.", certificate::BY_STATUS, "valid"),
        (
            "tianyin_devices_pending",
            "Devices that wait for approval.",
            device::BY_STATUS,
            "pending",
        ),
    ];
    for (name, help, index, part) in records {
        page.one(name, "gauge", help, app.store.count(index, part)? as f64);
    }
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, text)], page.0).into_response())
}

const MESSAGE_STATUSES: [MessageStatus; 6] = [
    MessageStatus::Received,
    MessageStatus::Quarantined,
    MessageStatus::Accepted,
    MessageStatus::Duplicate,
    MessageStatus::Conflict,
    MessageStatus::Dead,
];

/// Prometheus text format; writing to a `String` cannot fail.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (i, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{text}\"", if i == 0 { '{' } else { ',' });
        }
        self.0.push_str(if labels.is_empty() { "" } else { "}" });
        let _ = writeln!(self.0, " {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.head(name, kind, help);
        self.line(name, &[], value);
    }

    fn count(&mut self, name: &str, help: &str, value: u64) {
        self.one(name, "counter", help, value as f64);
    }
}
