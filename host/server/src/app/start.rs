//! Opening and closing the appliance on a data folder.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use tianyin_documents::{FontOptions, Renderer};
use tianyin_domain::county::{COUNTY_ID, County};
use tianyin_domain::pack::{self, Pack};
use tianyin_domain::{Scope, Time};
use tianyin_gateway::{ExternalConfig, Gateway, GatewayConfig, TlsListen};
use tianyin_journal::{Journal, Reader, ReservingDisk};
use tianyin_rules::RuleSet;
use tianyin_store::{Opened, Options as StoreOptions, PageQuery, Store};

use super::clock::Clock;
use super::ingest::Intake;
use super::replay::{fill, replay};
use super::space::Space;
use super::writer::{AHEAD_COMMANDS_MIN, Files, Writer};
use super::{
    App, Parts, accounts, attachments, catalogue, catalogue_import, cure, devices, health,
    journal_care, live, lost, measures, mirror, names, people, pipeline, places, plugins, printing,
    rebuild, registers, scans, signing, tail, watch,
};
use crate::blobs::Blobs;
use crate::code_key::CodeKey;
use crate::config::Config;
use crate::edge::{now, sha256_hex};
use crate::key_files;
use crate::tls::Tls;
use crate::vault::Vault;

/// Progress of a long replay is logged this often, in lines.
const PROGRESS_LINES: u64 = 50_000;

impl App {
    /// Opens journal and store, brings the store up to the journal, and starts the threads. The
    /// gateway is started separately by [`App::start_gateway`].
    pub fn open(config: Config) -> anyhow::Result<Arc<Self>> {
        let (app, reader) = Self::assemble(config)?;
        app.start_threads(reader)?;
        Ok(app)
    }

    /// Opens the appliance for commands of the administrator beside no service: what is asked is
    /// done, nothing else is begun. What commands set off is taken up at the next start.
    pub fn open_for_commands(config: Config) -> anyhow::Result<Arc<Self>> {
        Ok(Self::assemble(config)?.0)
    }

    fn assemble(config: Config) -> anyhow::Result<(Arc<Self>, Reader)> {
        let data = config.data.clone();
        Self::open_files(config).map_err(|e| cure::explain(e, &data))
    }

    fn open_files(config: Config) -> anyhow::Result<(Arc<Self>, Reader)> {
        let data = config.data.clone();
        crate::folders::make(&data)?;
        let space = Arc::new(Space::new(&data, &config.disk));
        space.prepare_start(is_new(&data))?;
        let (folder, options) = (data.join("journal"), config.journal.options());
        let (journal, recovery) = Journal::open_on(Box::new(ReservingDisk), &folder, options)?;
        if let Some(cut) = &recovery.cut {
            tracing::warn!(bytes = cut.bytes, first_seq = cut.first_seq, kept_in = %cut.kept_in.display(), reason = %cut.reason, "an unfinished write was cut off the journal");
        }
        let head = journal.head().seq;
        if let Some(file) = crate::care::missing_key(&data, head) {
            anyhow::bail!(
                "密钥文件 {file} 不见了,服务没有启动,以免另造一把。请运行 tianyin doctor --fix --backup 备份文件 / \
                 {file} is missing: run `tianyin doctor --fix --backup FILE`"
            );
        }
        lost::check_journal(&data, head)?;
        let (store, opened) = open_store(&config, head)?;
        let start_notes = lost::notes(&recovery, &opened);
        for note in &start_notes {
            tracing::warn!("{note}");
        }
        let clock = Arc::new(Clock::new(last_time(&data, head)?, config.trust_clock));
        let keys = data.join("keys");
        let known_keys = tianyin_domain::signing_key::all(&store)?;
        let signer = signing::Signer::new(Arc::new(key_files::settle(&keys, &known_keys)?));
        let code_key = CodeKey::open(&keys, last_pack(&store)?.as_deref())?;
        let vault = Vault::open(&data.join("vault"), &keys)?;
        let blobs = Blobs::open(&data.join("blobs"))?;
        let plugins = plugins::Plugins::open(&data.join("plugins"))?;
        let documents = Renderer::new(fonts(&data))?;
        let own_rules = data.join("rules");
        let rules = RuleSet::shipped_under(&own_rules)
            .map_err(|d| anyhow::anyhow!("rules in {}: {}", own_rules.display(), join(&d)))?;
        let public_url = store.get::<County>(COUNTY_ID)?.map(|county| county.public_url);
        let tls = Tls::open(&config, public_url.as_deref(), now()).context("keys/tls")?;
        let sealer = journal.sealer();
        let (writer, _) = Writer::start(Files {
            journal,
            journal_dir: data.join("journal"),
            store: store.clone(),
            store_options: store_options(&config),
            space: space.clone(),
            clock: clock.clone(),
            ahead_commands_min: AHEAD_COMMANDS_MIN,
        })?;
        let journal_care = journal_care::JournalCare::start(
            &config.journal,
            &data.join("journal"),
            sealer,
            writer.committed(),
        )?;
        let mirror = mirror::Mirror::new(&config.mirror);
        let parts = Parts {
            config,
            tls,
            store,
            writer,
            rebuild: rebuild::Rebuild::default(),
            space,
            journal_care,
            rule_stats: measures::RuleStats::of(&rules),
            clock,
            start_notes,
            rules: Arc::new(rules),
            plugins,
            documents,
            stats: measures::Stats::default(),
            signer,
            code_key,
            vault,
            blobs,
            accounts: accounts::Accounts::default(),
            devices: devices::Devices::default(),
            scans: scans::Scans::default(),
            areas: super::scan_areas::ScanAreas::open(&data),
            kin: super::kin::Kin::default(),
            imports: registers::Imports::default(),
            names: names::Names::default(),
            people: people::People::default(),
            places: places::Places::default(),
            catalogue: catalogue::Catalogue::default(),
            input_imports: catalogue_import::InputImports::default(),
            result_imports: super::result_import::ResultImports::default(),
            certificate_figures: super::certificate_stats::Figures::default(),
            live: live::Live::default(),
            pipeline: pipeline::Pipeline::default(),
            printing: printing::Printing::default(),
            mirror,
            health: health::HealthCache::default(),
            gateway: OnceLock::new(),
            started_at: now(),
        };
        let app = Arc::new(Self(Box::new(parts)));
        app.live.tailed(head);
        let reader = Reader::new(&data.join("journal"), head + 1);
        Ok((app, reader))
    }

    fn start_threads(self: &Arc<Self>, reader: Reader) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Handle::try_current().context("needs a tokio runtime")?;
        let weak = Arc::downgrade(self);
        self.pipeline.start(&weak, &runtime)?;
        self.printing.start(&weak)?;
        let committed = self.writer.committed();
        tail::start(weak.clone(), reader, committed, runtime.clone())?;
        runtime.spawn(scans::run(weak.clone()));
        runtime.spawn(attachments::sweep(weak.clone()));
        watch::start(weak.clone())?;
        mirror::start(weak.clone())?;
        let resuming = runtime.clone();
        std::thread::Builder::new().name("catch-up".into()).spawn(move || {
            let Some(app) = weak.upgrade() else { return };
            let done = app.resume_prints().and_then(|()| app.catch_up());
            if let Err(e) = done {
                tracing::error!(error = %e, "work of the earlier run was not taken up");
            }
            if let Err(e) = resuming.block_on(app.resume_recalls()) {
                tracing::error!(error = %e, "lots of a running recall could not be held");
            }
        })?;
        Ok(())
    }

    fn embedded_broker(&self) -> GatewayConfig {
        let mut config = GatewayConfig::new(self.config.mqtt.listen);
        config.connections_per_address_max = self.config.mqtt.connections_per_address as usize;
        config.tls = self
            .tls
            .as_ref()
            .zip(self.config.mqtts.listen)
            .map(|(tls, listen)| TlsListen { listen, config: tls.mqtts() });
        config
    }

    /// Starts the way to the devices: the embedded broker, or the link to an external one. Gives the
    /// address that devices connect to.
    pub async fn start_gateway(self: &Arc<Self>) -> anyhow::Result<String> {
        let intake = Arc::new(Intake(Arc::downgrade(self)));
        let gateway = if self.config.mqtt.is_external() {
            Gateway::external(self.external_broker()?, intake).context("mqtt.url")?
        } else {
            Gateway::embedded(self.embedded_broker(), intake).await.context("mqtt.listen")?
        };
        let address = gateway.address();
        if self.gateway.set(gateway).is_err() {
            anyhow::bail!("the gateway was started twice");
        }
        Ok(address)
    }

    fn external_broker(&self) -> anyhow::Result<ExternalConfig> {
        let mqtt = &self.config.mqtt;
        if mqtt.listen_given {
            tracing::warn!(url = %mqtt.url, listen = %mqtt.listen, "mqtt.url is set: devices come through the external broker, mqtt.listen is not used");
        }
        let client_id = if mqtt.client_id.is_empty() {
            // Of the county's first key: the same for ever, and after a restore too.
            format!("tianyin-{}", &sha256_hex(self.first_key_pem()?.as_bytes())[..16])
        } else {
            mqtt.client_id.clone()
        };
        let mut config = ExternalConfig::new(mqtt.url.parse()?, client_id);
        config.username = (!mqtt.username.is_empty()).then(|| mqtt.username.clone());
        config.password_file.clone_from(&mqtt.password_file);
        config.ca_file.clone_from(&mqtt.ca_file);
        Ok(config)
    }

    /// Writes what is still in memory.
    pub async fn close(&self) {
        self.flush_scans().await;
        self.journal_care.settle().await;
        if let Err(e) = self.store.flush() {
            tracing::warn!(error = %e, "store checkpoint failed; the journal has it all");
        }
    }
}

/// The check of the key that the packs on record were made with.
fn last_pack(store: &Store) -> anyhow::Result<Option<String>> {
    let query = PageQuery { limit: 1, newest_first: true, ..PageQuery::new(pack::BY_KIND, "") };
    let newest = store.page::<Pack>(&query, &Scope::everything())?.items;
    Ok(newest.into_iter().next().map(|pack| pack.key_check))
}

/// System fonts, and those a county put into its data folder for rare characters.
fn fonts(data: &Path) -> FontOptions {
    let mut options = FontOptions::default();
    options.system_dirs.push(data.join("fonts"));
    options
}

/// Whether nothing was ever written to this data folder.
fn is_new(data: &Path) -> bool {
    std::fs::read_dir(data.join("journal")).map_or(true, |mut entries| entries.next().is_none())
}

pub(crate) fn store_options(config: &Config) -> StoreOptions {
    StoreOptions { cache_bytes: config.store.cache_mib << 20, ..StoreOptions::default() }
}

fn open_store(config: &Config, head: u64) -> anyhow::Result<(Store, Opened)> {
    let dir = config.data.join("store");
    let journal_dir = config.data.join("journal");
    let (store, opened) = Store::open(&dir, &store_options(config))?;
    tracing::debug!(?opened, "store opened");
    lost::check_store(&store, head)?;
    let behind = head - store.applied_seq();
    if behind > 0 {
        tracing::info!(lines = behind, "bringing the store up to the journal");
        if store.applied_seq() == 0 {
            fill(&store, Reader::new(&journal_dir, 1).checking_hashes(), head, progress(head))?;
        } else {
            let mut reader = Reader::new(&journal_dir, store.applied_seq() + 1);
            replay(&store, reader.lines_up_to(head), progress(head))?;
        }
    }
    Ok((store, opened))
}

/// Time of the journal's last line.
fn last_time(data: &Path, head: u64) -> anyhow::Result<Option<Time>> {
    let line = Reader::new(&data.join("journal"), head.max(1)).read_up_to(head)?;
    Ok(line.map(|line| line.time.parse()).transpose()?)
}

/// Builds the store of a stopped service anew from the journal, beside the old one, and swaps.
/// `told` hears the number of the last line applied.
pub fn rebuild(
    data: &Path,
    head: u64,
    options: &StoreOptions,
    told: impl FnMut(u64),
) -> anyhow::Result<()> {
    let journal_dir = data.join("journal");
    tianyin_store::rebuild(&data.join("store"), options, |store: &Store| {
        fill(store, Reader::new(&journal_dir, 1).checking_hashes(), head, told)
    })
}

fn progress(head: u64) -> impl FnMut(u64) {
    let mut next = PROGRESS_LINES;
    move |seq| {
        if seq >= next {
            tracing::info!(seq, head, "replaying the journal");
            next = seq + PROGRESS_LINES;
        }
    }
}

fn join(diagnostics: &[tianyin_rules::Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
