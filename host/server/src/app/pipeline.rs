//! From a durable message to a judged test: decode, match, judge, record, answer the device, and
//! issue where a standing authorisation says so. Work of one device stays in order.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::time::Instant;

use serde_json::json;
use tianyin_domain::actor::Actor;
use tianyin_domain::authorisation::covering;
use tianyin_domain::certificate::{Basis, CertificateRequest};
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::device::{Device, ScanLot};
use tianyin_domain::error::DomainError;
use tianyin_domain::lot::Lot;
use tianyin_domain::measurement::Measurement;
use tianyin_domain::message::{self, Message, MessageKind, MessageStatus, SettleMessage};
use tianyin_domain::scan::CodeChecked;
use tianyin_domain::test::{self, ConductedBy, MatchedBy, Origin, RecordTest, Test, TestVerdict};
use tianyin_domain::time::china_date;
use tianyin_domain::{Scope, State};
use tianyin_gateway::DownKind;
use tracing::field;

use super::codes::{Found, UnitStanding};
use super::testing::Target;
use super::{App, AppError};
use crate::edge::now;
use crate::meter::{Histogram, Level};

/// Threads that decode and judge.
const LANES: usize = 4;
/// Work that may wait in one lane; then the tailer waits, and the journal keeps the rest.
pub const LANE_JOBS_MAX: usize = 512;
/// Problems of one message that are kept beside it.
const PROBLEMS_SHOWN_MAX: usize = 100;
/// Messages looked at again at start.
const CATCH_UP_MAX: usize = 100_000;
/// Passing tests whose automatic certificate is looked at again at start.
const CATCH_UP_TESTS: usize = 200;

enum Job {
    /// Decode a message.
    Message(String),
    /// Answer once more for a message that was known already.
    Known(String),
    /// A test has its lot: issue where an authorisation says so.
    Tested { test: String },
}

/// The way in.
pub struct Pipeline {
    lanes: Vec<SyncSender<Job>>,
    work: parking_lot::Mutex<Vec<Receiver<Job>>>,
    /// What waits or is worked on, by lane; at most [`LANE_JOBS_MAX`] wait.
    pub depths: Arc<[Level; LANES]>,
    /// Time of one piece of work, µs.
    pub work_us: Histogram,
}

impl Default for Pipeline {
    fn default() -> Self {
        let (lanes, work) = (0..LANES).map(|_| sync_channel(LANE_JOBS_MAX)).unzip();
        Self {
            lanes,
            work: parking_lot::Mutex::new(work),
            depths: Arc::default(),
            work_us: Histogram::of_time(),
        }
    }
}

impl Pipeline {
    /// A message was received.
    pub fn message(&self, device: &str, message: &str) {
        self.send(device, Job::Message(message.to_owned()));
    }

    /// A message is to be decoded again.
    pub fn replayed(&self, message: &str) {
        self.send(message, Job::Message(message.to_owned()));
    }

    /// A test has its lot.
    pub fn tested(&self, test: &str, lot: &str) {
        self.send(lot, Job::Tested { test: test.to_owned() });
    }

    fn send(&self, key: &str, job: Job) {
        let hash = key.bytes().fold(0usize, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
        let lane = hash % self.lanes.len();
        self.depths[lane].enter();
        // Fails only when the lanes ended, that is, at shutdown; the journal keeps the work.
        let _ = self.lanes[lane].send(job);
    }

    /// Starts the threads.
    pub fn start(&self, app: &Weak<App>, runtime: &tokio::runtime::Handle) -> std::io::Result<()> {
        for (n, jobs) in self.work.lock().drain(..).enumerate() {
            let (app, runtime) = (app.clone(), runtime.clone());
            let depths = self.depths.clone();
            std::thread::Builder::new().name(format!("pipeline-{n}")).spawn(move || {
                while let Ok(job) = jobs.recv() {
                    let Some(app) = app.upgrade() else { return };
                    app.run_job(&job, &runtime);
                    depths[n].leave();
                }
            })?;
        }
        Ok(())
    }
}

/// What a message came to.
struct Settled {
    status: MessageStatus,
    reason: &'static str,
    detail: String,
    problems: Vec<String>,
}

impl Settled {
    fn as_is(status: MessageStatus) -> Self {
        Self { status, reason: "", detail: String::new(), problems: Vec::new() }
    }

    fn dead(reason: &'static str, detail: impl Into<String>) -> Self {
        let detail: String = detail.into().chars().take(500).collect();
        Self { status: MessageStatus::Dead, reason, detail, problems: Vec::new() }
    }
}

impl App {
    /// Work left over from an earlier run.
    pub fn catch_up(&self) -> Result<(), AppError> {
        let state: &dyn State = &self.store;
        let waiting = MessageStatus::Received.as_str();
        for id in state.ids(message::BY_STATUS, waiting, CATCH_UP_MAX)? {
            if let Some(message) = state.get::<Message>(&id)? {
                self.pipeline.message(&message.device, &id);
            }
        }
        let query = tianyin_store::PageQuery {
            newest_first: true,
            limit: CATCH_UP_TESTS,
            ..tianyin_store::PageQuery::new(test::BY_VERDICT, TestVerdict::Pass.as_str())
        };
        let recent = self.store.page::<Test>(&query, &Scope::everything());
        for test in recent.map_err(AppError::internal)?.items {
            if let Some(lot) = &test.lot {
                self.pipeline.tested(&test.id, lot);
            }
        }
        Ok(())
    }

    /// A message that was durable already: the device gets its receipt again.
    pub fn pipeline_known(&self, device: &str, message: &str) {
        self.pipeline.send(device, Job::Known(message.to_owned()));
    }

    fn run_job(&self, job: &Job, runtime: &tokio::runtime::Handle) {
        let started = Instant::now();
        let span = match job {
            Job::Message(id) | Job::Known(id) => {
                tracing::info_span!("message", message = %id, device = field::Empty)
            }
            Job::Tested { test } => tracing::info_span!("tested", test = %test),
        };
        let _entered = span.enter();
        let run = || match job {
            Job::Message(id) => self.process_message(id, runtime),
            Job::Known(id) => self.answer_known(id, runtime),
            Job::Tested { test } => self.issue_automatically(test, runtime),
        };
        let mut done = run();
        self.pipeline.work_us.see_since(started);
        // Each kind of work may be done again: what is on record already is known by its key.
        while matches!(&done, Err(AppError::ReadOnly(reason)) if reason.heals())
            || matches!(&done, Err(AppError::Recorded(_)))
        {
            done = self.wait_for_space().and_then(|()| run());
        }
        match done {
            Ok(()) => {}
            // Said once, when it began; the work is on record and is taken up at the next start.
            Err(AppError::ReadOnly(_)) => tracing::debug!("read-only: left for the next start"),
            Err(e) => tracing::error!(error = %e, detail = %e.detail(), "pipeline work failed"),
        }
    }

    fn process_message(&self, id: &str, runtime: &tokio::runtime::Handle) -> Result<(), AppError> {
        let state: &dyn State = &self.store;
        let Some(message) = state.get::<Message>(id)? else { return Ok(()) };
        let Some(device) = state.get::<Device>(&message.device)? else { return Ok(()) };
        if message.status != MessageStatus::Received {
            return Ok(());
        }
        tracing::Span::current().record("device", device.id.as_str());
        let settled = match message.kind {
            MessageKind::Result => self.take_result(&device, &message, runtime)?,
            MessageKind::Raw => self.take_raw(&device, &message, runtime)?,
            MessageKind::Scan => self.take_scan(&device, &message, runtime)?,
        };
        if settled.status == MessageStatus::Dead {
            tracing::warn!(reason = settled.reason, detail = %settled.detail, "dead letter");
        }
        self.system(
            "decode",
            Command::SettleMessage(SettleMessage {
                message: message.id,
                status: settled.status,
                reason: settled.reason.into(),
                detail: settled.detail,
                problems: settled.problems,
            }),
        )?;
        Ok(())
    }

    fn take_result(
        &self,
        device: &Device,
        message: &Message,
        runtime: &tokio::runtime::Handle,
    ) -> Result<Settled, AppError> {
        let bytes = message.payload.to_bytes();
        match serde_json::from_slice::<Measurement>(&bytes) {
            Ok(m) => self.take_measurements(device, message, vec![m], Vec::new(), runtime),
            Err(e) => {
                let msg_id = serde_json::from_slice::<serde_json::Value>(&bytes)
                    .ok()
                    .and_then(|v| v["msg_id"].as_str().map(|s| s.chars().take(128).collect()))
                    .unwrap_or_else(|| message.id.clone());
                self.receipt(device, &msg_id, "rejected", Some(&e.to_string()), runtime);
                Ok(Settled::dead("not_json", e.to_string()))
            }
        }
    }

    fn take_raw(
        &self,
        device: &Device,
        message: &Message,
        runtime: &tokio::runtime::Handle,
    ) -> Result<Settled, AppError> {
        let rejected = |reason: &'static str, detail: String| {
            self.receipt(device, &message.id, "rejected", Some(&detail), runtime);
            Ok(Settled::dead(reason, detail))
        };
        if device.decoder.is_empty() {
            return rejected("no_decoder", String::new());
        }
        let bytes = message.payload.to_bytes();
        let decoded = match self.plugins.decode(&device.decoder, &bytes, message.received_at) {
            Ok(Some(decoded)) => decoded,
            Ok(None) => return rejected("decoder_missing", device.decoder.clone()),
            Err(e) => return rejected("decoder_failed", e.to_string()),
        };
        let problems: Vec<String> = decoded
            .problems
            .iter()
            .take(PROBLEMS_SHOWN_MAX)
            .map(|p| format!("{} @{}+{}: {}", p.reason, p.offset, p.length, p.text))
            .collect();
        if decoded.measurements.is_empty() {
            let detail = problems.join("; ");
            let mut settled = rejected("decoder_empty", detail)?;
            settled.problems = problems;
            return Ok(settled);
        }
        self.take_measurements(device, message, decoded.measurements, problems, runtime)
    }

    /// Records every measurement of a message; the worst outcome is the message's.
    fn take_measurements(
        &self,
        device: &Device,
        message: &Message,
        measurements: Vec<Measurement>,
        problems: Vec<String>,
        runtime: &tokio::runtime::Handle,
    ) -> Result<Settled, AppError> {
        let (mut accepted, mut duplicates) = (0usize, 0usize);
        let mut worst: Option<Settled> = None;
        for m in measurements {
            let msg_id = m.msg_id.clone();
            let _entered = tracing::info_span!("measurement", msg_id).entered();
            match self.record_measurement(device, message, m) {
                Ok(outcome) => {
                    let status = match outcome.note {
                        "duplicate" => "duplicate",
                        "conflict" => "conflict",
                        _ => "accepted",
                    };
                    match status {
                        "accepted" => accepted += 1,
                        "duplicate" => duplicates += 1,
                        _ => {
                            worst.get_or_insert(Settled {
                                status: MessageStatus::Conflict,
                                reason: "test_conflict",
                                detail: format!("{msg_id} → {}", outcome.id),
                                problems: Vec::new(),
                            });
                        }
                    }
                    self.receipt(device, &msg_id, status, None, runtime);
                }
                Err(AppError::Domain(e @ DomainError::Invalid(_))) => {
                    self.receipt(device, &msg_id, "rejected", Some(&e.to_string()), runtime);
                    worst = Some(Settled::dead("test_refused", format!("{msg_id}: {e}")));
                }
                Err(e) => return Err(e),
            }
        }
        let mut settled = worst.unwrap_or_else(|| {
            Settled::as_is(match (accepted, duplicates) {
                (0, 1..) => MessageStatus::Duplicate,
                _ => MessageStatus::Accepted,
            })
        });
        settled.problems = problems;
        Ok(settled)
    }

    fn record_measurement(
        &self,
        device: &Device,
        message: &Message,
        measurement: Measurement,
    ) -> Result<Outcome, AppError> {
        let matched = self.match_target(device, &measurement, message.received_at)?;
        let (lot, sampling) = matched.as_ref().map(|(target, _)| target.ids()).unwrap_or_default();
        let by = matched.as_ref().map_or(MatchedBy::Number, |(_, by)| *by);
        let sample = match &matched {
            Some((Target::Sample(sample), _)) => Some(sample),
            _ => None,
        };
        let judgement = self.judge_of(&measurement, lot.as_deref(), sample, message.received_at)?;
        self.system(
            "decode",
            Command::RecordTest(Box::new(RecordTest {
                device: device.id.clone(),
                message: message.id.clone(),
                origin: Origin::Device,
                measurement,
                lot: lot.map(|lot| (lot, by)),
                judgement,
                received_at: message.received_at,
                sampling,
                laboratory: String::new(),
                objection: None,
            })),
        )
    }

    /// A scan is a lot put on the bench, or a code checked at a market.
    fn take_scan(
        &self,
        device: &Device,
        message: &Message,
        runtime: &tokio::runtime::Handle,
    ) -> Result<Settled, AppError> {
        let bytes = message.payload.to_bytes();
        let text = match serde_json::from_slice::<serde_json::Value>(&bytes) {
            Ok(v) => v["text"].as_str().unwrap_or_default().to_owned(),
            Err(e) => {
                self.receipt(device, &message.id, "rejected", Some(&e.to_string()), runtime);
                return Ok(Settled::dead("not_json", e.to_string()));
            }
        };
        let Ok(scan) = tianyin_devices::scan::parse(&text) else {
            self.receipt(device, &message.id, "rejected", Some("empty scan"), runtime);
            return Ok(Settled::dead("scan_empty", text));
        };
        let code = match &scan.content {
            tianyin_devices::scan::Content::Code { code, .. } => {
                match tianyin_domain::code::parse(code) {
                    tianyin_domain::code::CodeText::Valid(code) => Some(code),
                    _ => None,
                }
            }
            tianyin_devices::scan::Content::Text => None,
        };
        if let Some(code) = code
            && let Some(check) = self.check_code(device, message, &code)?
        {
            self.receipt_with(device, &message.id, "accepted", check, runtime);
            return Ok(Settled::as_is(MessageStatus::Accepted));
        }
        let Some(target) = self.target_of_text(&scan.text, &Scope::everything())? else {
            self.receipt(device, &message.id, "rejected", Some("unknown code"), runtime);
            return Ok(Settled::dead("scan_unknown", scan.text));
        };
        self.system(
            "decode",
            Command::ScanLot(ScanLot {
                device: device.id.clone(),
                bench: device.bench.clone(),
                lot: target.ids().0.unwrap_or_default(),
                sampling: target.ids().1,
            }),
        )?;
        let known = match &target {
            Target::Lot(lot) => json!({ "lot": { "no": lot.no, "product": lot.product_name } }),
            Target::Sample(one) => {
                json!({ "sample": { "no": one.no, "product": one.product_name } })
            }
        };
        self.receipt_with(device, &message.id, "accepted", known, runtime);
        Ok(Settled::as_is(MessageStatus::Accepted))
    }

    /// A code read by a scanner on record is a market check (查验), also one of a pack that should not be on
    /// the market.
    fn check_code(
        &self,
        device: &Device,
        message: &Message,
        code: &str,
    ) -> Result<Option<serde_json::Value>, AppError> {
        let check = match self.found(code)? {
            None => return Ok(None),
            Some(Found::Unit(standing)) => {
                let reason = match &standing {
                    UnitStanding::Void(reason) => Some(reason),
                    _ => None,
                };
                json!({ "status": standing.as_str(), "code": code, "reason": reason })
            }
            Some(Found::Certificate(record)) => {
                let certificate = self.certificate(&record.certificate, &Scope::everything())?;
                let c = &certificate.content;
                json!({
                    "status": certificate.status, "code": code, "product": c.product,
                    "producer": c.producer, "issued_on": c.issued_on.to_string(),
                })
            }
        };
        self.system(
            "decode",
            Command::CheckCode(CodeChecked {
                code: code.to_owned(),
                device: device.id.clone(),
                message: message.id.clone(),
                unit: self.unit_of(code)?,
            }),
        )?;
        Ok(Some(json!({ "check": check })))
    }

    fn answer_known(&self, id: &str, runtime: &tokio::runtime::Handle) -> Result<(), AppError> {
        let state: &dyn State = &self.store;
        let Some(message) = state.get::<Message>(id)? else { return Ok(()) };
        let Some(device) = state.get::<Device>(&message.device)? else { return Ok(()) };
        if message.tests.is_empty() {
            self.receipt(&device, &message.id, "duplicate", None, runtime);
        }
        for test in &message.tests {
            if let Some(test) = state.get::<Test>(test)? {
                self.receipt(&device, &test.measurement.msg_id, "duplicate", None, runtime);
            }
        }
        Ok(())
    }

    /// Issues and prints for a passing test, where a standing authorisation says so.
    fn issue_automatically(
        &self,
        test: &str,
        runtime: &tokio::runtime::Handle,
    ) -> Result<(), AppError> {
        let state: &dyn State = &self.store;
        let Some(test) = state.get::<Test>(test)? else { return Ok(()) };
        let (TestVerdict::Pass, Some(lot)) = (test.verdict, &test.lot) else { return Ok(()) };
        // What waits for a second person comes here again once it is verified.
        if !test.counts() {
            return Ok(());
        }
        let Some(lot) = state.get::<Lot>(lot)? else { return Ok(()) };
        let left = lot.left();
        let today = china_date(now());
        let authorisation = covering(state, &lot.operator, &lot.product, today)?;
        let Some(authorisation) = authorisation.filter(|a| a.auto_issue) else { return Ok(()) };
        if left <= tianyin_domain::Decimal::ZERO {
            return Ok(());
        }
        let basis = match test.conducted_by {
            Some(ConductedBy::Own) => Basis::SelfTest,
            _ => Basis::CommissionedTest,
        };
        let request = CertificateRequest::new(lot.id, left, vec![basis]);
        let actor = Actor::system("auto_issue");
        let key = Some(format!("auto/{}", test.id));
        match runtime.block_on(self.issue_labelled(&actor, request, key, authorisation.printer)) {
            Ok(_) => Ok(()),
            Err(AppError::Recorded(_)) => self.wait_for_space(),
            Err(AppError::Refused { code, .. }) => {
                // The clock: looked at again when it is right.
                tracing::warn!(lot = %lot.no, code, "no automatic certificate");
                Ok(())
            }
            Err(e @ (AppError::Domain(_) | AppError::Conflict(_))) => {
                // The lot's page shows the rule's findings; nothing was issued.
                tracing::info!(lot = %lot.no, error = %e, "no automatic certificate");
                Ok(())
            }
            Err(e) => Err(e),
        }
    }

    fn receipt(
        &self,
        device: &Device,
        msg_id: &str,
        status: &str,
        error: Option<&str>,
        runtime: &tokio::runtime::Handle,
    ) {
        let more = error.map_or(json!({}), |e| json!({ "error": e }));
        self.receipt_with(device, msg_id, status, more, runtime);
    }

    fn receipt_with(
        &self,
        device: &Device,
        msg_id: &str,
        status: &str,
        mut more: serde_json::Value,
        runtime: &tokio::runtime::Handle,
    ) {
        let Some(gateway) = self.gateway() else { return };
        more["msg_id"] = msg_id.into();
        more["status"] = status.into();
        let sent = gateway.send(&device.id, DownKind::Receipt, more.to_string().into_bytes());
        if let Err(e) = runtime.block_on(sent) {
            tracing::warn!(device = %device.id, error = %e, "receipt not sent");
        }
    }
}
