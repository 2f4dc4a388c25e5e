//! What the appliance does, whoever asks: the services between HTTP, command line, devices and the
//! pure kernel.

mod access;
pub mod accounts;
mod ahead;
pub mod area_rows;
pub mod attachments;
pub mod bans;
pub mod base_map;
mod behind;
mod card_facts;
pub mod cards;
pub mod catalogue;
pub mod catalogue_import;
pub mod catalogue_rows;
pub mod certificate_stats;
pub mod certificates;
pub mod clock;
pub mod code_list;
pub mod codes;
pub mod collections;
mod committer;
pub mod conflict;
pub mod cure;
pub mod devices;
pub mod error;
pub mod feedback;
pub mod gate;
pub mod grid;
pub mod grouping;
pub mod health;
pub mod id_cards;
mod in_memory;
pub mod ingest;
pub mod input_words;
pub mod journal_care;
pub mod kin;
pub mod label_templates;
pub mod limit_sheet;
pub mod lineage;
pub mod live;
pub mod lost;
pub mod measures;
pub mod mirror;
pub mod names;
pub mod national_codes;
pub mod objections;
pub mod operators;
pub mod packs;
pub mod passwords;
pub mod people;
pub mod pipeline;
pub mod places;
pub mod plugins;
pub mod printing;
pub mod rebuild;
pub mod recalls;
pub mod records;
pub mod registers;
pub mod replay;
pub mod result_import;
pub mod result_rows;
pub mod result_subject;
pub mod result_value;
pub mod scan_areas;
pub mod scans;
pub mod sheet;
mod sight;
pub mod signing;
mod since;
pub mod space;
pub mod start;
pub mod tail;
pub mod test_stats;
pub mod testing;
pub mod tokens;
pub mod totp;
pub mod usage;
pub mod watch;
pub mod writer;

use std::sync::{Arc, OnceLock};

use tianyin_documents::Renderer;
use tianyin_domain::command::{Command, Envelope, Outcome};
use tianyin_domain::county::{COUNTY_ID, County};
use tianyin_domain::{Actor, State, Time};
use tianyin_gateway::Gateway;
use tianyin_rules::RuleSet;
use tianyin_store::Store;

pub use conflict::{Conflict, Versions};
pub use error::{AppError, field_text, read_only_text};

use crate::blobs::Blobs;
use crate::code_key::CodeKey;
use crate::config::Config;
use crate::tls::Tls;
use crate::vault::Vault;

/// The running appliance; shared by everything that serves.
///
/// The parts are behind a trait object: every page's future holds the appliance, and for each of them the
/// compiler would otherwise prove anew, through store, plugins and all, that it may go to another thread.
/// That took most of the time of a build.
pub struct App(Box<dyn Whole>);

trait Whole: Send + Sync {
    fn parts(&self) -> &Parts;
}

impl Whole for Parts {
    fn parts(&self) -> &Parts {
        self
    }
}

impl std::ops::Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        self.0.parts()
    }
}

/// What the appliance is made of.
pub struct Parts {
    /// Settings of this start.
    pub config: Config,
    /// The certificate for HTTPS and MQTTS; `None` when nothing listens with TLS.
    pub tls: Option<Tls>,
    /// Everything that is queried.
    pub store: Store,
    /// The one way to write.
    pub writer: writer::Writer,
    /// Whether the store is being rebuilt.
    pub rebuild: rebuild::Rebuild,
    /// Space on the disks.
    pub space: Arc<space::Space>,
    /// Sealing and second copy of the journal.
    pub journal_care: journal_care::JournalCare,
    /// Whether the clock can be believed.
    pub clock: Arc<clock::Clock>,
    /// What this start found and mended, in sentences for an administrator.
    pub start_notes: Vec<String>,
    /// Rules in force.
    pub rules: Arc<RuleSet>,
    /// What each rule cost and said.
    pub rule_stats: measures::RuleStats,
    /// Installed plugins.
    pub plugins: plugins::Plugins,
    /// Labels and papers.
    pub documents: Renderer,
    /// Costs that belong to no part with numbers of its own.
    pub stats: measures::Stats,
    /// The county's signature.
    pub signer: signing::Signer,
    /// Makes and reads codes of packs.
    pub code_key: CodeKey,
    /// Secrets.
    pub vault: Vault,
    /// Photos and documents.
    pub blobs: Blobs,
    /// Sessions, throttles, set-up.
    pub accounts: accounts::Accounts,
    /// Pairing and presence of devices.
    pub devices: devices::Devices,
    /// Scan counts not flushed yet.
    pub scans: scans::Scans,
    /// In which city an address is.
    pub areas: scan_areas::ScanAreas,
    /// The chain of all lots.
    pub kin: kin::Kin,
    /// Sheets that were checked and wait to be accepted.
    pub imports: registers::Imports,
    /// Names of operators, to search in.
    pub names: names::Names,
    /// Accounts, to search in.
    pub people: people::People,
    /// Places of sites, for maps.
    pub places: places::Places,
    /// The catalogue of inputs, to search in.
    pub catalogue: catalogue::Catalogue,
    /// Sheets of inputs that were checked and wait to be accepted.
    pub input_imports: catalogue_import::InputImports,
    /// Sheets of results that were checked and wait to be accepted.
    pub result_imports: result_import::ResultImports,
    /// Statistics of certificates that were counted a moment ago.
    pub certificate_figures: certificate_stats::Figures,
    /// Live pages.
    pub live: live::Live,
    /// Decoding and judging.
    pub pipeline: pipeline::Pipeline,
    /// Printing.
    pub printing: printing::Printing,
    /// Public pages as plain files.
    pub mirror: mirror::Mirror,
    health: health::HealthCache,
    gateway: OnceLock<Gateway>,
    /// When this start began.
    pub started_at: Time,
}

impl App {
    /// Submits a command and waits until it is durable.
    pub async fn submit(&self, actor: &Actor, command: Command) -> Result<Outcome, AppError> {
        self.submit_keyed(actor, command, None).await
    }

    /// The same with an idempotency key.
    pub async fn submit_keyed(
        &self,
        actor: &Actor,
        command: Command,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        self.submit_envelope(Envelope {
            actor: actor.clone(),
            command,
            time: crate::edge::now(),
            idempotency_key,
            based_on: Vec::new(),
        })
        .await
    }

    /// Submits a prepared envelope.
    pub async fn submit_envelope(&self, envelope: Envelope) -> Result<Outcome, AppError> {
        let answer = self.writer.submit(envelope)?;
        answer.await.map_err(|_| AppError::ReadOnly("the writer ended".into()))?
    }

    /// The same from a thread that may block.
    pub fn submit_blocking(&self, envelope: Envelope) -> Result<Outcome, AppError> {
        let answer = self.writer.submit(envelope)?;
        answer.blocking_recv().map_err(|_| AppError::ReadOnly("the writer ended".into()))?
    }

    /// Submits a command of the appliance itself, from a thread that may block. While the disk is
    /// full it waits: what was begun, such as a label that came out, is brought to its end.
    fn system(&self, job: &str, command: Command) -> Result<Outcome, AppError> {
        let envelope = Envelope {
            actor: Actor::system(job),
            command,
            time: crate::edge::now(),
            idempotency_key: None,
            based_on: Vec::new(),
        };
        loop {
            match self.submit_blocking(envelope.clone()) {
                Err(AppError::ReadOnly(reason)) if reason.heals() => self.wait_for_space()?,
                Err(AppError::Recorded(outcome)) => {
                    self.wait_for_space()?;
                    return Ok(outcome);
                }
                answer => return answer,
            }
        }
    }

    /// Blocks until something is taken in again; an error when that needs a restart.
    fn wait_for_space(&self) -> Result<(), AppError> {
        loop {
            match self.writer.read_only() {
                None => return Ok(()),
                Some(reason) if reason.heals() => std::thread::sleep(watch::EVERY),
                Some(reason) => return Err(AppError::ReadOnly(reason)),
            }
        }
    }

    /// Settings of the county; `None` before set-up.
    pub fn county(&self) -> Result<Option<County>, AppError> {
        let state: &dyn State = &self.store;
        Ok(state.get(COUNTY_ID)?)
    }

    /// The way to the devices, once it is started.
    pub fn gateway(&self) -> Option<&Gateway> {
        self.gateway.get()
    }
}
