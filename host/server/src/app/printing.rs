//! Printing: one thread takes queued jobs to their printers. A job is sent once; when it is not
//! certain whether it came out, a person decides.

use std::sync::Weak;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use tianyin_devices::transport::tcp::{PrintError, TcpPrinter};
use tianyin_devices::tspl::{LabelJob, encode};
use tianyin_domain::certificate::{Certificate, CertificateStatus};
use tianyin_domain::command::Command;
use tianyin_domain::device::Device;
use tianyin_domain::print_job::{self, EndPrint, PrintJob, PrintStatus};
use tianyin_domain::{Scope, State};

use super::certificates::dpi_of;
use super::{App, AppError};
use crate::meter::{Counter, Histogram, Level};

/// Jobs that may wait here; then the tailer waits.
pub const JOBS_MAX: usize = 1024;
/// Gap between labels on the roll, mm.
const GAP_MM: f64 = 2.0;

/// The way in.
pub struct Printing {
    jobs: SyncSender<String>,
    work: parking_lot::Mutex<Option<Receiver<String>>>,
    /// What waits or is being printed, of [`JOBS_MAX`].
    pub queued: Level,
    /// Time from taking up a job to its end, µs.
    pub job_us: Histogram,
    /// Jobs that failed.
    pub failed: Counter,
}

impl Default for Printing {
    fn default() -> Self {
        let (jobs, work) = sync_channel(JOBS_MAX);
        Self {
            jobs,
            work: parking_lot::Mutex::new(Some(work)),
            queued: Level::default(),
            job_us: Histogram::of_time(),
            failed: Counter::default(),
        }
    }
}

impl Printing {
    /// Queues a job that is on record.
    pub fn queue(&self, job: &str) {
        self.queued.enter();
        // Fails only at shutdown; the job is on record as queued.
        let _ = self.jobs.send(job.to_owned());
    }

    /// Starts the thread.
    pub fn start(&self, app: &Weak<App>) -> std::io::Result<()> {
        let Some(jobs) = self.work.lock().take() else { return Ok(()) };
        let app = app.clone();
        std::thread::Builder::new().name("printing".into()).spawn(move || {
            while let Ok(job) = jobs.recv() {
                let Some(app) = app.upgrade() else { return };
                let started = Instant::now();
                if let Err(e) = app.run_print(&job) {
                    tracing::error!(job, error = %e, "print job not ended");
                }
                app.printing.job_us.see_since(started);
                app.printing.queued.leave();
            }
        })?;
        Ok(())
    }
}

impl App {
    /// Jobs that were under way when the appliance stopped: nobody knows whether they came out, so
    /// they are not sent again by themselves.
    pub fn fail_interrupted_prints(&self) -> Result<(), AppError> {
        let state: &dyn State = &self.store;
        for id in state.ids(print_job::BY_STATUS, "queued", 10_000)? {
            self.end_print(&id, "interrupted".into())?;
        }
        Ok(())
    }

    fn run_print(&self, id: &str) -> Result<(), AppError> {
        let state: &dyn State = &self.store;
        let Some(job) = state.get::<PrintJob>(id)? else { return Ok(()) };
        if job.status != PrintStatus::Queued {
            return Ok(());
        }
        let error = self.send_to_printer(&job).err().unwrap_or_default();
        if !error.is_empty() {
            self.printing.failed.inc();
            tracing::warn!(job = id, printer = %job.printer, error, "label not printed");
        }
        self.end_print(id, error)
    }

    /// The error is a code of the catalogue and, after a bar, its detail.
    fn send_to_printer(&self, job: &PrintJob) -> Result<(), String> {
        let state: &dyn State = &self.store;
        let read = |e: tianyin_domain::StateError| format!("label_failed|{e}");
        let printer: Device = state
            .get(&job.printer)
            .map_err(read)?
            .ok_or_else(|| format!("printer_unreachable|{}", job.printer))?;
        let certificate: Certificate = self
            .certificate(&job.certificate, &Scope::everything())
            .map_err(|e| format!("label_failed|{e}"))?;
        if certificate.status == CertificateStatus::Void {
            return Err("certificate_void".into());
        }
        let bitmap = self
            .label_bitmap(&certificate, dpi_of(printer.dpi))
            .map_err(|e| format!("label_failed|{}", e.detail()))?;
        let bytes = encode(&LabelJob {
            bitmap: &bitmap,
            dpi: printer.dpi,
            width_mm: 60.0,
            height_mm: 40.0,
            gap_mm: GAP_MM,
            copies: job.copies,
            density: None,
            speed: None,
            offset: (0, 0),
        })
        .map_err(|e| format!("label_failed|{e}"))?;
        TcpPrinter::new(printer.address.clone()).send(&bytes).map(|_| ()).map_err(|e| {
            let code = match &e {
                PrintError::BadAddress { .. } | PrintError::Unreachable { .. } => {
                    "printer_unreachable"
                }
                PrintError::Status { .. } => "printer_refused",
                // Timed out or interrupted: part of it may have come out.
                _ => "printer_timeout",
            };
            format!("{code}|{}", printer.address)
        })
    }

    fn end_print(&self, job: &str, error: String) -> Result<(), AppError> {
        let ended = EndPrint { job: job.to_owned(), error };
        self.system("printing", Command::EndPrint(ended)).map(|_| ())
    }
}
