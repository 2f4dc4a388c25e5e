//! Print jobs: a label on its way to a printer. Never lost, never sent twice by itself.

use serde::{Deserialize, Serialize};

use crate::certificate::{Certificate, CertificateStatus};
use crate::check::Check;
use crate::decide::Context;
use crate::device::{Device, DeviceKind, DeviceStatus};
use crate::error::DomainError;
use crate::id::new_id;
use crate::state::{Entity, Entry, Index, Table};
use crate::time::Time;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrintStatus {
    /// Waits for the printer.
    Queued,
    /// The printer took every byte.
    Printed,
    /// The printer did not take it; a person decides what next.
    Failed,
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
    /// Why it failed, a code of the catalogue.
    #[serde(default)]
    pub error: String,
    /// When it was queued.
    pub queued_at: Time,
    /// When it was printed or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// Operator of the certificate.
    pub operator: String,
    /// Region code.
    pub area: String,
}

/// By certificate.
pub const BY_CERTIFICATE: Index = Index("print_job.certificate");
/// By status; part `""` holds all.
pub const BY_STATUS: Index = Index("print_job.status");

impl Entity for PrintJob {
    const TABLE: Table = Table("print_job");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let status = match self.status {
            PrintStatus::Queued => "queued",
            PrintStatus::Printed => "printed",
            PrintStatus::Failed => "failed",
        };
        vec![
            Entry::new(BY_CERTIFICATE, &self.certificate, &self.id),
            Entry::new(BY_STATUS, status, &self.id),
            Entry::new(BY_STATUS, "", &self.id),
        ]
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: prints a certificate's label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueuePrint {
    /// Certificate.
    pub certificate: String,
    /// Printer.
    pub printer: String,
    /// 1 to 1000.
    pub copies: u32,
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

pub(crate) fn queue(ctx: &mut Context<'_>, c: QueuePrint) -> Result<PrintJob, DomainError> {
    let certificate: Certificate = ctx.require("certificate", &c.certificate)?;
    let printer: Device = ctx.require("device", &c.printer)?;
    let mut check = Check::new();
    check
        .ensure((1..=1000).contains(&c.copies), "copies", "bad_copies")
        .ensure(printer.kind == DeviceKind::Printer, "printer", "not_a_printer")
        .ensure(printer.status == DeviceStatus::Approved, "printer", "device_not_approved");
    check.done()?;
    if certificate.status == CertificateStatus::Void {
        return Err(DomainError::refused("certificate_void", &[("code", &c.certificate)]));
    }
    Ok(PrintJob {
        id: new_id("job", ctx.time, ctx.random),
        certificate: c.certificate,
        printer: printer.id,
        copies: c.copies,
        status: PrintStatus::Queued,
        error: String::new(),
        queued_at: ctx.time,
        ended_at: None,
        operator: certificate.operator,
        area: certificate.area,
    })
}

pub(crate) fn end(ctx: &mut Context<'_>, c: EndPrint) -> Result<EndPrint, DomainError> {
    let job: PrintJob = ctx.require("print_job", &c.job)?;
    if job.status == PrintStatus::Queued {
        Ok(c)
    } else {
        Err(DomainError::refused("print_ended", &[("id", &job.id)]))
    }
}
