//! Printing: a few workers take jobs to their printers, those of one printer one after the other. What
//! waits is read from the store, so that nothing is lost, however much waits and whatever happens.
//!
//! That a job begins is on record before its first byte goes to the printer, and it is sent once: of a job
//! that began and did not end nobody knows whether it came out, so a person decides. Until then nothing was
//! sent, and it is tried again by itself, while the printers of others go on.

mod desk;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Instant;

use tianyin_devices::transport::tcp::{PrintError, TcpPrinter};
use tianyin_devices::tspl::{LabelJob, encode};
use tianyin_domain::certificate::{Certificate, CertificateStatus};
use tianyin_domain::command::{Command, Envelope};
use tianyin_domain::device::{Device, DeviceStatus};
use tianyin_domain::print_job::{self, BeginPrint, EndPrint, PrintJob, PrintStatus};
use tianyin_domain::{Actor, DomainError, Scope, State};

use self::desk::{Desk, Taken, Then};
use super::certificates::dpi_of;
use super::{App, AppError};
use crate::edge::now;
use crate::meter::{Counter, Histogram};
use crate::texts::t;

/// Printers that are served at once. One that is stuck holds its worker for a minute at most.
const WORKERS: usize = 8;
/// Gap between labels on the roll, mm.
const GAP_MM: f64 = 2.0;

/// The way in.
pub struct Printing {
    desk: Arc<Desk>,
    /// One label is drawn at a time: rare characters take a large font into memory.
    drawing: parking_lot::Mutex<()>,
    /// Time from taking up a job to its end, µs.
    pub job_us: Histogram,
    /// Jobs that failed.
    pub failed: Counter,
}

impl Default for Printing {
    fn default() -> Self {
        Self {
            desk: Arc::default(),
            drawing: parking_lot::Mutex::default(),
            job_us: Histogram::of_time(),
            failed: Counter::default(),
        }
    }
}

impl Drop for Printing {
    fn drop(&mut self) {
        self.desk.close();
    }
}

impl Printing {
    /// Has what waits for a printer looked at now.
    pub fn call(&self, printer: &str) {
        self.desk.call(printer);
    }

    /// Ids of printers that were not reached when they were tried last.
    pub fn away(&self) -> Vec<String> {
        self.desk.away()
    }

    /// Starts the workers; they begin after [`App::resume_prints`].
    pub fn start(&self, app: &Weak<App>) -> std::io::Result<()> {
        for n in 0..WORKERS {
            let (desk, app) = (self.desk.clone(), app.clone());
            let name = format!("printing-{n}");
            std::thread::Builder::new().name(name).spawn(move || work(&desk, &app))?;
        }
        Ok(())
    }
}

fn work(desk: &Desk, app: &Weak<App>) {
    while let Some(taken) = desk.take() {
        let Some(app) = app.upgrade() else { return };
        let then = app.serve_printer(&taken).unwrap_or_else(|e| {
            // That nothing is taken in was said when it began.
            if !matches!(e, AppError::ReadOnly(_)) {
                tracing::warn!(printer = %taken.printer, error = %e, "printing waits");
            }
            Then::Later
        });
        drop(app);
        desk.put_back(&taken, &then);
    }
}

impl App {
    /// Ends the jobs that had begun when the appliance stopped – nobody knows whether they came out – and
    /// goes on with those that had not.
    pub fn resume_prints(&self) -> Result<(), AppError> {
        let (mut begun, mut printers) = (Vec::new(), BTreeSet::new());
        let sent = (print_job::BY_STATUS, PrintStatus::Printing.as_str());
        self.store.each(sent, |job: PrintJob| begun.push(job.id)).map_err(AppError::internal)?;
        let waiting = (print_job::BY_STATUS, PrintStatus::Queued.as_str());
        let look = |job: PrintJob| {
            // Of an appliance that did not note the beginning: it may have been sent.
            if job.queued_by.is_empty() {
                begun.push(job.id);
            } else {
                printers.insert(job.printer);
            }
        };
        self.store.each(waiting, look).map_err(AppError::internal)?;
        for id in begun {
            self.end_print(&id, "interrupted".into())?;
        }
        self.printing.desk.open(printers);
        Ok(())
    }

    /// Jobs of a certificate that is void now end soon, also where the printer is not to be reached.
    pub fn call_printers_of(&self, certificate: &str) {
        let state: &dyn State = &self.store;
        let max = print_job::JOBS_MAX;
        match state.list::<PrintJob>(print_job::BY_CERTIFICATE, certificate, max) {
            Ok(jobs) => {
                let waiting = jobs.iter().filter(|job| job.status == PrintStatus::Queued);
                waiting.for_each(|job| self.printing.call(&job.printer));
            }
            Err(e) => tracing::debug!(certificate, error = %e, "print jobs were not looked at"),
        }
    }

    /// Takes the first job that waits for a printer as far as it goes now.
    fn serve_printer(&self, taken: &Taken) -> Result<Then, AppError> {
        let state: &dyn State = &self.store;
        let job: Option<PrintJob> = state.find(print_job::WAITING, &taken.printer)?;
        let Some(job) = job else { return Ok(Then::Idle) };
        let started = Instant::now();
        let then = self.run_print(&job)?;
        match &then {
            Then::Away(error) if taken.is_last_try() => {
                self.give_up(&taken.printer, error)?;
                return Ok(Then::Next);
            }
            Then::Away(error) if taken.is_first_try() => {
                tracing::warn!(printer = %taken.printer, error, "labels wait for their printer");
            }
            Then::Next => self.printing.job_us.see_since(started),
            _ => {}
        }
        Ok(then)
    }

    fn run_print(&self, job: &PrintJob) -> Result<Then, AppError> {
        let state: &dyn State = &self.store;
        let printer: Option<Device> = state.get(&job.printer)?;
        let Some(printer) = printer.filter(|one| one.status == DeviceStatus::Approved) else {
            return self.ended(job, "printer_disabled".into());
        };
        let certificate = self.certificate(&job.certificate, &Scope::everything())?;
        if certificate.status == CertificateStatus::Void {
            return self.ended(job, "certificate_void".into());
        }
        // Its beginning could not be noted: no use in troubling the printer.
        if let Some(reason) = self.writer.read_only() {
            return Err(AppError::ReadOnly(reason));
        }
        let target = TcpPrinter::new(printer.address.clone());
        let open = match target.open() {
            Ok(open) => open,
            Err(PrintError::Status { .. }) => {
                return self.ended(job, format!("printer_refused|{}", printer.address));
            }
            Err(e) => {
                tracing::debug!(printer = %printer.id, error = %e, "not reached");
                return Ok(Then::Away(format!("printer_unreachable|{}", printer.address)));
            }
        };
        let bytes = match self.label_bytes(job, &certificate, &printer) {
            Ok(bytes) => bytes,
            Err(e @ AppError::Domain(DomainError::State(_))) => return Err(e),
            Err(e) => return self.ended(job, format!("label_failed|{}", e.detail())),
        };
        if !self.begin_print(&job.id)? {
            return Ok(Then::Next);
        }
        // Timed out or interrupted: part of it may have come out.
        let failed = |_: PrintError| format!("printer_timeout|{}", printer.address);
        self.ended(job, open.send(&bytes).err().map(failed).unwrap_or_default())
    }

    fn label_bytes(
        &self,
        job: &PrintJob,
        certificate: &Certificate,
        printer: &Device,
    ) -> Result<Vec<u8>, AppError> {
        let failed =
            |detail: String| AppError::refused_with("label_failed", vec![("detail", detail)]);
        let design = self.design_for(certificate, job.template.as_deref())?;
        if !design.size.is_roll() {
            return Err(failed(t("field.not_a_roll").to_owned()));
        }
        let bitmap = {
            let _one = self.printing.drawing.lock();
            self.label_bitmap(certificate, &design, dpi_of(printer.dpi))?
        };
        let (width_mm, height_mm) = design.size.size_mm();
        let label = LabelJob {
            bitmap: &bitmap,
            dpi: printer.dpi,
            width_mm: f64::from(width_mm),
            height_mm: f64::from(height_mm),
            gap_mm: GAP_MM,
            copies: job.copies,
            density: None,
            speed: None,
            offset: (0, 0),
        };
        encode(&label).map_err(|e| failed(e.to_string()))
    }

    /// Notes that the first byte is about to go to the printer; false when it is not to go any more.
    fn begin_print(&self, job: &str) -> Result<bool, AppError> {
        let begun = self.submit_blocking(Envelope {
            actor: Actor::system("printing"),
            command: Command::BeginPrint(BeginPrint { job: job.to_owned() }),
            time: now(),
            idempotency_key: None,
            based_on: Vec::new(),
        });
        match begun {
            // To be on record is enough.
            Ok(_) | Err(AppError::Recorded(_)) => Ok(true),
            Err(AppError::Domain(DomainError::Refused { .. })) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Everything that waits for a printer fails: it was not reached for so long that somebody has to see
    /// to it, and nobody counts on a label that comes out days later.
    fn give_up(&self, printer: &str, error: &str) -> Result<(), AppError> {
        let state: &dyn State = &self.store;
        while let Some(id) = state.ids(print_job::WAITING, printer, 1)?.pop() {
            self.end_print(&id, error.to_owned())?;
        }
        Ok(())
    }

    fn ended(&self, job: &PrintJob, error: String) -> Result<Then, AppError> {
        if !error.is_empty() {
            tracing::warn!(job = %job.id, printer = %job.printer, error, "label not printed");
        }
        self.end_print(&job.id, error).map(|()| Then::Next)
    }

    fn end_print(&self, job: &str, error: String) -> Result<(), AppError> {
        if !error.is_empty() {
            self.printing.failed.inc();
        }
        let ended = EndPrint { job: job.to_owned(), error };
        match self.system("printing", Command::EndPrint(ended)) {
            // A person took it back meanwhile.
            Ok(_) | Err(AppError::Domain(DomainError::Refused { .. })) => Ok(()),
            Err(e) => Err(e),
        }
    }
}
