//! Installed plugins: the packages that come with the binary and those in the data folder. A
//! package that does not load is listed with its reason and never keeps the appliance from starting.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::RwLock;
use tianyin_domain::Time;
pub use tianyin_plugins::PACKAGE_BYTES_MAX;
use tianyin_plugins::{
    DecodeInput, Decoded, HostOptions, LogLevel, Package, Plugin, PluginError, PluginHost,
};

use crate::meter::{Counter, Histogram};

/// First-party packages embedded by the build: file name and bytes.
const BUNDLED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/bundled_plugins.rs"));

/// A plugin as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginInfo {
    /// Id, which a device names as its decoder.
    pub id: String,
    /// Version.
    pub version: String,
    /// Chinese title.
    pub title: String,
    /// Came with the binary.
    pub bundled: bool,
    /// An administrator switched it off.
    pub disabled: bool,
    /// Why it does not work.
    pub failure: Option<String>,
}

struct Installed {
    info: PluginInfo,
    plugin: Option<Plugin>,
    stats: Arc<PluginStats>,
}

/// What one plugin cost since start.
#[derive(Debug)]
pub struct PluginStats {
    /// Time of each call, µs, failed ones too.
    pub call_us: Histogram,
    /// Calls that failed.
    pub failures: Counter,
}

impl Default for PluginStats {
    fn default() -> Self {
        Self { call_us: Histogram::of_time(), failures: Counter::default() }
    }
}

/// Every plugin of this appliance.
pub struct Plugins {
    dir: PathBuf,
    host: PluginHost,
    installed: RwLock<BTreeMap<String, Installed>>,
}

impl Plugins {
    /// Loads what is bundled, then what the folder holds; a package there replaces a bundled one of
    /// the same id.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        crate::folders::make(dir)?;
        let host = PluginHost::new(HostOptions::default())?;
        let plugins = Self { dir: dir.to_owned(), host, installed: RwLock::default() };
        for (name, bytes) in BUNDLED {
            plugins.load(name, bytes, true);
        }
        for path in packages_in(dir)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match std::fs::read(&path) {
                Ok(bytes) => plugins.load(&name, &bytes, false),
                Err(e) => tracing::error!(package = name, error = %e, "plugin package unreadable"),
            }
        }
        Ok(plugins)
    }

    fn load(&self, name: &str, bytes: &[u8], bundled: bool) {
        let package = match Package::read(bytes) {
            Ok(package) => package,
            Err(e) => {
                tracing::error!(package = name, error = %e, "plugin package refused");
                let info = PluginInfo {
                    id: name.into(),
                    version: String::new(),
                    title: name.into(),
                    bundled,
                    disabled: false,
                    failure: Some(e.to_string()),
                };
                let failed = Installed { info, plugin: None, stats: Arc::default() };
                self.installed.write().insert(name.into(), failed);
                return;
            }
        };
        let loaded = self.host.load(&package);
        let manifest = &package.manifest;
        if let Err(e) = &loaded {
            tracing::error!(plugin = %manifest.id, error = %e, "plugin does not load");
        }
        let failure = loaded.as_ref().err().map(ToString::to_string);
        let info = self.info(&package, bundled, failure);
        let installed = Installed { info, plugin: loaded.ok(), stats: Arc::default() };
        self.installed.write().insert(manifest.id.clone(), installed);
    }

    fn info(&self, package: &Package, bundled: bool, failure: Option<String>) -> PluginInfo {
        let manifest = &package.manifest;
        PluginInfo {
            id: manifest.id.clone(),
            version: manifest.version.clone(),
            title: manifest.title.zh.clone(),
            bundled,
            disabled: self.switch_file(&manifest.id).exists(),
            failure,
        }
    }

    /// All plugins, by id.
    pub fn list(&self) -> Vec<PluginInfo> {
        self.installed.read().values().map(|i| i.info.clone()).collect()
    }

    /// What each plugin cost, by id.
    pub fn stats(&self) -> Vec<(String, Arc<PluginStats>)> {
        let installed = self.installed.read();
        installed.iter().map(|(id, one)| (id.clone(), one.stats.clone())).collect()
    }

    /// Checks a package with its own cases, puts it into the folder in place of another one of its id,
    /// and works with it from now on. What is being decoded ends with the one it began with.
    pub fn install(&self, bytes: &[u8]) -> anyhow::Result<(PluginInfo, PathBuf)> {
        let package = Package::read(bytes)?;
        let plugin = self.host.load_tested(&package)?;
        let mut installed = self.installed.write();
        let target = self.dir.join(package.file_name());
        crate::keys::write_private(&target, bytes)?;
        for other in packages_in(&self.dir)?.into_iter().filter(|other| *other != target) {
            let read = std::fs::read(&other).ok().and_then(|b| Package::read(&b).ok());
            if read.is_some_and(|p| p.manifest.id == package.manifest.id) {
                std::fs::remove_file(&other)?;
            }
        }
        let info = self.info(&package, false, None);
        let entry = Installed { info: info.clone(), plugin: Some(plugin), stats: Arc::default() };
        installed.insert(info.id.clone(), entry);
        Ok((info, target))
    }

    /// Switches a plugin off or on, also for the starts to come; `None` when there is none of this id.
    /// What a device sends while its decoder is off becomes a dead letter that can be taken up again.
    pub fn switch(&self, id: &str, on: bool) -> std::io::Result<Option<PluginInfo>> {
        let mut installed = self.installed.write();
        let Some(entry) = installed.get_mut(id) else { return Ok(None) };
        let file = self.switch_file(id);
        match on {
            true if file.exists() => std::fs::remove_file(&file)?,
            true => {}
            false => std::fs::File::create(&file)?.sync_all()?,
        }
        std::fs::File::open(&self.dir)?.sync_all()?;
        entry.info.disabled = !on;
        Ok(Some(entry.info.clone()))
    }

    /// There while the plugin is switched off.
    fn switch_file(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.disabled"))
    }

    /// Decodes with a plugin; `None` when it is not installed, is switched off or does not load.
    pub fn decode(
        &self,
        id: &str,
        bytes: &[u8],
        received_at: Time,
    ) -> Result<Option<Decoded>, PluginError> {
        let usable = |i: &Installed| i.plugin.clone().filter(|_| !i.info.disabled);
        let found = self.installed.read().get(id).map(|i| (usable(i), i.stats.clone()));
        let Some((Some(plugin), stats)) = found else { return Ok(None) };
        let settings = BTreeMap::new();
        let started = Instant::now();
        let decoded = plugin.decode(&DecodeInput { bytes, received_at, settings: &settings });
        stats.call_us.see_since(started);
        let decoded = decoded.inspect_err(|_| stats.failures.inc())?;
        for line in decoded.logs.iter().filter(|l| l.level != LogLevel::Debug) {
            tracing::info!(plugin = id, level = ?line.level, "{}", line.text);
        }
        Ok(Some(decoded))
    }
}

fn packages_in(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if dir.exists() {
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "tyx") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
