//! Print jobs: a label on its way to a printer. Never lost, and what may have come out is not printed again
//! unless a person says why.

use serde::{Deserialize, Serialize};

use crate::certificate::{Certificate, CertificateStatus};
use crate::check::Check;
use crate::command::Command;
use crate::decide::Context;
use crate::device::{Device, DeviceKind, DeviceStatus};
use crate::error::DomainError;
use crate::event::Event;
use crate::id::new_id;
use crate::label_template::{self, LabelTemplate};
use crate::state::{Entity, Entry, Index, Overlay, StateError, Table};
use crate::time::{Time, china_date, china_minute};

/// Characters of a reason.
pub const REASON_CHARS_MAX: usize = 128;
/// Jobs of one certificate; they are all looked at before another one is made.
pub const JOBS_MAX: usize = 500;
/// Times that one job is tried again by a person.
const RETRIES_MAX: u32 = 100;
/// Errors of jobs of which nobody knows whether they came out; the first also of the time when nobody
/// noted that a job began.
const UNCERTAIN: [&str; 2] = ["interrupted", "printer_timeout"];

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrintStatus {
    /// Waits for the printer; nothing was sent.
    Queued,
    /// Is on its way: from here on something may come out.
    Printing,
    /// The printer took every byte.
    Printed,
    /// The printer did not take it; a person decides what next.
    Failed,
    /// A person took it back while it waited.
    Cancelled,
}

impl PrintStatus {
    /// Every status, in the order of a choice list.
    pub const ALL: [Self; 5] =
        [Self::Failed, Self::Queued, Self::Printing, Self::Printed, Self::Cancelled];

    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Printing => "printing",
            Self::Printed => "printed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A print job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrintJob {
    /// Id, `job_…`.
    pub id: String,
    /// Certificate.
    pub certificate: String,
    /// Printer.
    pub printer: String,
    /// Copies.
    pub copies: u32,
    /// Status.
    pub status: PrintStatus,
    /// Why it failed: a code of the catalogue and, after a bar, its detail.
    #[serde(default)]
    pub error: String,
    /// When it was queued.
    pub queued_at: Time,
    /// When it was printed, failed or cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// Operator of the certificate.
    pub operator: String,
    /// Region code.
    pub area: String,
    /// Why it is printed although the certificate was, or may have been, printed before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Template of the label; `None` for the one that is usual for the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// How often a person had it tried again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// When the last try began that may have put something on paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<Time>,
    /// Who had it printed, or tried again, as [`crate::Actor::name`]; empty in lines of the time when the
    /// beginning of a job was not noted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub queued_by: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl PrintJob {
    /// Whether a label may have come out, now or in an earlier try.
    pub fn may_be_on_paper(&self) -> bool {
        let code = self.error.split('|').next().unwrap_or_default();
        matches!(self.status, PrintStatus::Printed | PrintStatus::Printing)
            || self.begun_at.is_some()
            || (self.status == PrintStatus::Failed && UNCERTAIN.contains(&code))
    }

    /// Whether it waits or is on its way.
    pub fn is_under_way(&self) -> bool {
        matches!(self.status, PrintStatus::Queued | PrintStatus::Printing)
    }

    /// When a label of it came out, or may have.
    pub fn on_paper_at(&self) -> Time {
        let ended = self.ended_at.filter(|_| self.status == PrintStatus::Printed);
        ended.or(self.begun_at).or(self.ended_at).unwrap_or(self.queued_at)
    }
}

/// By certificate.
pub const BY_CERTIFICATE: Index = Index("print_job.certificate");
/// By status; part `""` holds all.
pub const BY_STATUS: Index = Index("print_job.status");
/// Those that wait, by printer; the oldest first.
pub const WAITING: Index = Index("print_job.waiting");

impl Entity for PrintJob {
    const TABLE: Table = Table("print_job");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![
            Entry::new(BY_CERTIFICATE, &self.certificate, &self.id),
            Entry::new(BY_STATUS, self.status.as_str(), &self.id),
            Entry::new(BY_STATUS, "", &self.id),
        ];
        if self.status == PrintStatus::Queued {
            entries.push(Entry::new(WAITING, &self.printer, &self.id));
        }
        entries
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: prints a certificate's label.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueuePrint {
    /// Certificate.
    pub certificate: String,
    /// Printer.
    pub printer: String,
    /// 1 to 1000.
    pub copies: u32,
    /// Why it is printed again, at most 128 characters; must be given when it was, or may have been,
    /// printed before, or waits for a printer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Template of the label; `None` for the one that is usual for the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// Command and event payload, of the appliance: the first byte is about to go to the printer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginPrint {
    /// Job.
    pub job: String,
}

/// Command and event payload: how a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndPrint {
    /// Job.
    pub job: String,
    /// Why it failed; empty when printed.
    #[serde(default)]
    pub error: String,
}

/// Command and event payload: a job that waits is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelPrint {
    /// Job.
    pub job: String,
}

/// Command: a job that failed is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryPrint {
    /// Job.
    pub job: String,
    /// Why, at most 128 characters; must be given when a label may have come out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Event payload: a job that failed waits again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrintRetried {
    /// Job.
    pub job: String,
    /// Why, where it was asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Who, as [`crate::Actor::name`].
    pub by: String,
}

pub(crate) fn queue(ctx: &mut Context<'_>, c: QueuePrint) -> Result<PrintJob, DomainError> {
    let certificate: Certificate = ctx.require("certificate", &c.certificate)?;
    let printer: Device = ctx.require("device", &c.printer)?;
    let mut check = Check::new();
    check.ensure((1..=1000).contains(&c.copies), "copies", "bad_copies");
    check_printer(&mut check, &printer);
    check.optional_text("reason", &c.reason, REASON_CHARS_MAX);
    if let Some(id) = &c.template {
        let template = template_of(ctx, &certificate, id)?;
        check.ensure(template.design.size.is_roll(), "template", "not_a_roll");
    }
    check.done()?;
    not_void(&certificate)?;
    let jobs = jobs_of(ctx, &c.certificate)?;
    if jobs.len() >= JOBS_MAX {
        return Err(too_many(&c.certificate));
    }
    let reason = c.reason.trim().to_owned();
    if reason.is_empty() {
        nothing_out(ctx, &jobs)?;
    }
    let job = one_copy(ctx, &certificate, printer.id);
    Ok(PrintJob { copies: c.copies, reason, template: c.template, ..job })
}

/// The job of a certificate that is being issued, so it has no other; `None` where there is no such printer. One
/// that is not in use any more fails the job, for people to see, and never the certificate.
pub(crate) fn first(
    ctx: &mut Context<'_>,
    certificate: &Certificate,
    printer: &str,
) -> Result<Option<PrintJob>, DomainError> {
    let printer: Option<Device> = ctx.state.get(printer)?;
    let printer = printer.filter(|one| one.kind == DeviceKind::Printer);
    Ok(printer.map(|printer| one_copy(ctx, certificate, printer.id)))
}

fn one_copy(ctx: &mut Context<'_>, certificate: &Certificate, printer: String) -> PrintJob {
    PrintJob {
        id: new_id("job", ctx.time, ctx.random),
        certificate: certificate.content.code.clone(),
        printer,
        copies: 1,
        status: PrintStatus::Queued,
        error: String::new(),
        queued_at: ctx.time,
        ended_at: None,
        operator: certificate.operator.clone(),
        area: certificate.area.clone(),
        reason: String::new(),
        template: None,
        retries: 0,
        begun_at: None,
        queued_by: ctx.actor.name(),
    }
}

/// What follows on a job that was queued: the job and the event.
pub(crate) fn follow(ctx: &Context<'_>, command: Command) -> Result<(String, Event), DomainError> {
    Ok(match command {
        Command::BeginPrint(c) => (c.job.clone(), Event::PrintBegun(begin(ctx, c)?)),
        Command::EndPrint(c) => (c.job.clone(), Event::PrintEnded(end(ctx, c)?)),
        Command::CancelPrint(c) => (c.job.clone(), Event::PrintCancelled(cancel(ctx, c)?)),
        Command::RetryPrint(c) => (c.job.clone(), Event::PrintRetried(retry(ctx, c)?)),
        other => return Err(DomainError::Forbidden { action: other.name() }),
    })
}

fn begin(ctx: &Context<'_>, c: BeginPrint) -> Result<BeginPrint, DomainError> {
    let job: PrintJob = ctx.require("print_job", &c.job)?;
    is_waiting(&job)?;
    not_void(&ctx.require::<Certificate>("certificate", &job.certificate)?)?;
    Ok(c)
}

fn end(ctx: &Context<'_>, c: EndPrint) -> Result<EndPrint, DomainError> {
    let job: PrintJob = ctx.require("print_job", &c.job)?;
    match job.status {
        PrintStatus::Printing => Ok(c),
        // What was never sent can fail, but not be printed.
        PrintStatus::Queued if !c.error.is_empty() => Ok(c),
        PrintStatus::Queued => Err(DomainError::refused("print_not_begun", &[("id", &job.id)])),
        _ => Err(DomainError::refused("print_ended", &[("id", &job.id)])),
    }
}

fn cancel(ctx: &Context<'_>, c: CancelPrint) -> Result<CancelPrint, DomainError> {
    is_waiting(&ctx.require("print_job", &c.job)?)?;
    Ok(c)
}

fn retry(ctx: &Context<'_>, c: RetryPrint) -> Result<PrintRetried, DomainError> {
    let job: PrintJob = ctx.require("print_job", &c.job)?;
    let certificate: Certificate = ctx.require("certificate", &job.certificate)?;
    let printer: Device = ctx.require("device", &job.printer)?;
    let mut check = Check::new();
    check_printer(&mut check, &printer);
    check.optional_text("reason", &c.reason, REASON_CHARS_MAX);
    check.done()?;
    if job.status != PrintStatus::Failed {
        return Err(DomainError::refused("print_not_failed", &[("id", &job.id)]));
    }
    not_void(&certificate)?;
    if job.retries >= RETRIES_MAX {
        return Err(too_many(&job.certificate));
    }
    let reason = c.reason.trim().to_owned();
    if reason.is_empty() {
        // The reason that the job came with spoke of what was there before it, not of itself or later ones.
        let mut jobs = jobs_of(ctx, &job.certificate)?;
        jobs.retain(|one| job.reason.is_empty() || one.id >= job.id);
        nothing_out(ctx, &jobs)?;
    }
    Ok(PrintRetried { job: job.id, reason, by: ctx.actor.name() })
}

/// The job as it is after what followed.
pub(crate) fn followed(o: &mut Overlay<'_>, event: &Event, time: Time) -> Result<(), StateError> {
    match event {
        Event::PrintBegun(e) => o.update::<PrintJob>(&e.job, |job| {
            job.status = PrintStatus::Printing;
            job.begun_at = Some(time);
        }),
        Event::PrintEnded(e) => o.update::<PrintJob>(&e.job, |job| {
            let failed = !e.error.is_empty();
            job.status = if failed { PrintStatus::Failed } else { PrintStatus::Printed };
            job.error.clone_from(&e.error);
            job.ended_at = Some(time);
        }),
        Event::PrintCancelled(e) => o.update::<PrintJob>(&e.job, |job| {
            job.status = PrintStatus::Cancelled;
            job.ended_at = Some(time);
        }),
        Event::PrintRetried(e) => o.update::<PrintJob>(&e.job, |job| retried(job, e)),
        _ => Ok(()),
    }
}

fn retried(job: &mut PrintJob, event: &PrintRetried) {
    if job.may_be_on_paper() {
        // Of the time when the beginning was not noted.
        job.begun_at = Some(job.on_paper_at());
    }
    job.status = PrintStatus::Queued;
    job.error.clear();
    job.ended_at = None;
    job.retries = job.retries.saturating_add(1);
    job.queued_by.clone_from(&event.by);
    if !event.reason.is_empty() {
        job.reason.clone_from(&event.reason);
    }
}

fn check_printer(check: &mut Check, printer: &Device) {
    check.ensure(printer.kind == DeviceKind::Printer, "printer", "not_a_printer").ensure(
        printer.status == DeviceStatus::Approved,
        "printer",
        "device_not_approved",
    );
}

fn not_void(certificate: &Certificate) -> Result<(), DomainError> {
    if certificate.status == CertificateStatus::Void {
        let code = &certificate.content.code;
        return Err(DomainError::refused("certificate_void", &[("code", code)]));
    }
    Ok(())
}

fn is_waiting(job: &PrintJob) -> Result<(), DomainError> {
    if job.status == PrintStatus::Queued {
        Ok(())
    } else {
        Err(DomainError::refused("print_not_queued", &[("id", &job.id)]))
    }
}

fn too_many(certificate: &str) -> DomainError {
    DomainError::refused("too_many_prints", &[("code", certificate)])
}

fn jobs_of(ctx: &Context<'_>, certificate: &str) -> Result<Vec<PrintJob>, DomainError> {
    Ok(ctx.state.list(BY_CERTIFICATE, certificate, JOBS_MAX)?)
}

/// Refused, and the reason asked, when one of the jobs is under way, or may have put a label on paper.
fn nothing_out(ctx: &Context<'_>, jobs: &[PrintJob]) -> Result<(), DomainError> {
    // The last of them, in whatever order the state lists what this group stacked.
    let last = |which: fn(&PrintJob) -> bool| {
        jobs.iter().filter(|one| which(one)).max_by_key(|one| (one.on_paper_at(), one.id.as_str()))
    };
    let (under_way, on_paper) = (last(PrintJob::is_under_way), last(PrintJob::may_be_on_paper));
    let (code, job, at) = match (under_way, on_paper) {
        (Some(job), _) => ("already_queued", job, job.queued_at),
        (None, Some(job)) => ("reprint_reason", job, job.on_paper_at()),
        (None, None) => return Ok(()),
    };
    let printer: Option<Device> = ctx.state.get(&job.printer)?;
    let printer = printer.map_or_else(|| job.printer.clone(), |printer| printer.name);
    Err(DomainError::refused(code, &[("printer", &printer), ("at", &china_minute(at))]))
}

/// The template, if it may be used for the certificate; one of another's product or brand is told like one
/// that does not exist.
fn template_of(
    ctx: &Context<'_>,
    certificate: &Certificate,
    id: &str,
) -> Result<LabelTemplate, DomainError> {
    let template: LabelTemplate = ctx.require("label_template", id)?;
    let fits = label_template::serves(ctx.state, &template, certificate, china_date(ctx.time))?;
    if !fits {
        return Err(DomainError::NotFound { noun: "label_template", id: template.id });
    }
    match &template.closed {
        Some(reason) => Err(DomainError::refused("template_closed", &[("reason", reason)])),
        None => Ok(template),
    }
}
