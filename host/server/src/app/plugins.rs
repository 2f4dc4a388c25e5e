//! Installed plugins: the packages that come with the binary and those in the data folder. A
//! package that does not load is listed with its reason and never keeps the appliance from starting.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use parking_lot::RwLock;
use tianyin_domain::Time;
use tianyin_plugins::{
    DecodeInput, Decoded, HostOptions, LogLevel, Package, Plugin, PluginError, PluginHost,
};

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
    /// Why it does not work.
    pub failure: Option<String>,
}

struct Installed {
    info: PluginInfo,
    plugin: Option<Plugin>,
}

/// Every plugin of this appliance.
pub struct Plugins {
    host: PluginHost,
    installed: RwLock<BTreeMap<String, Installed>>,
}

impl Plugins {
    /// Loads what is bundled, then what the folder holds; a package there replaces a bundled one of
    /// the same id.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        let host = PluginHost::new(HostOptions::default())?;
        let plugins = Self { host, installed: RwLock::default() };
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
                    failure: Some(e.to_string()),
                };
                self.installed.write().insert(name.into(), Installed { info, plugin: None });
                return;
            }
        };
        let loaded = self.host.load(&package);
        let manifest = &package.manifest;
        if let Err(e) = &loaded {
            tracing::error!(plugin = %manifest.id, error = %e, "plugin does not load");
        }
        let info = PluginInfo {
            id: manifest.id.clone(),
            version: manifest.version.clone(),
            title: manifest.title.zh.clone(),
            bundled,
            failure: loaded.as_ref().err().map(ToString::to_string),
        };
        self.installed.write().insert(manifest.id.clone(), Installed { info, plugin: loaded.ok() });
    }

    /// All plugins, by id.
    pub fn list(&self) -> Vec<PluginInfo> {
        self.installed.read().values().map(|i| i.info.clone()).collect()
    }

    /// Decodes with a plugin; `None` when it is not installed or does not load.
    pub fn decode(
        &self,
        id: &str,
        bytes: &[u8],
        received_at: Time,
    ) -> Result<Option<Decoded>, PluginError> {
        let Some(plugin) = self.installed.read().get(id).and_then(|i| i.plugin.clone()) else {
            return Ok(None);
        };
        let settings = BTreeMap::new();
        let decoded = plugin.decode(&DecodeInput { bytes, received_at, settings: &settings })?;
        for line in decoded.logs.iter().filter(|l| l.level != LogLevel::Debug) {
            tracing::info!(plugin = id, level = ?line.level, "{}", line.text);
        }
        Ok(Some(decoded))
    }
}

/// Checks a package with its own cases and puts it into the folder; it works from the next start on.
pub fn install(dir: &Path, file: &Path) -> anyhow::Result<(PluginInfo, PathBuf)> {
    let bytes = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let package = Package::read(&bytes)?;
    PluginHost::new(HostOptions::default())?.load_tested(&package)?;
    std::fs::create_dir_all(dir)?;
    let target = dir.join(package.file_name());
    for other in packages_in(dir)? {
        let same = std::fs::read(&other)
            .ok()
            .and_then(|b| Package::read(&b).ok())
            .is_some_and(|p| p.manifest.id == package.manifest.id);
        if same && other != target {
            std::fs::remove_file(&other)?;
        }
    }
    crate::keys::write_private(&target, &bytes)?;
    let manifest = package.manifest;
    let info = PluginInfo {
        id: manifest.id,
        version: manifest.version,
        title: manifest.title.zh,
        bundled: false,
        failure: None,
    };
    Ok((info, target))
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
