//! Settings: TOML file, every key also as environment variable `TIANYIN_SECTION_KEY`, then the
//! command line. An unknown key is an error that names the key.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

use crate::tls::{Https, Mqtts, TlsSettings};

/// Everything that is set at start; what people change while it runs stands in the journal.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Data folder.
    #[serde(skip)]
    pub data: PathBuf,
    /// Somebody made sure that the clock is right, whatever the journal says.
    #[serde(skip)]
    pub trust_clock: bool,
    /// `[http]`.
    pub http: Http,
    /// `[https]`.
    pub https: Https,
    /// `[mqtt]`.
    pub mqtt: Mqtt,
    /// `[mqtts]`.
    pub mqtts: Mqtts,
    /// `[tls]`.
    pub tls: TlsSettings,
    /// `[store]`.
    pub store: StoreConfig,
    /// `[disk]`.
    pub disk: Disk,
    /// `[journal]`.
    pub journal: JournalConfig,
    /// `[log]`.
    pub log: Log,
    /// `[mirror]`.
    pub mirror: MirrorConfig,
}

/// `[http]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port.
    pub listen: SocketAddr,
    /// Proxies whose `X-Forwarded-For` is believed, so that rate limits see the visitor.
    pub trusted_proxies: Vec<std::net::IpAddr>,
}

/// `[mqtt]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mqtt {
    /// Address and port of the embedded broker; not used with `url`.
    pub listen: SocketAddr,
    /// Most connections of one address at once; not used with `url`.
    pub connections_per_address: u32,
    /// Whether `listen` was set by somebody.
    #[serde(skip)]
    pub listen_given: bool,
    /// External broker, `mqtt://HOST:1883` or `mqtts://HOST:8883`; empty for the embedded one.
    pub url: String,
    /// The appliance's user at the external broker.
    pub username: String,
    /// File with its password.
    pub password_file: Option<PathBuf>,
    /// PEM file with the authorities believed with `mqtts`; by default those of the system.
    pub ca_file: Option<PathBuf>,
    /// MQTT client id at the external broker; by default one of this installation.
    pub client_id: String,
}

impl Mqtt {
    fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            (1..=4096).contains(&self.connections_per_address),
            "settings: mqtt.connections_per_address must be 1 to 4096"
        );
        if self.is_external() {
            let _: tianyin_gateway::BrokerUrl = self.url.parse().context("settings: mqtt.url")?;
            anyhow::ensure!(
                self.password_file.is_none() || !self.username.is_empty(),
                "settings: mqtt.password_file needs mqtt.username"
            );
            return Ok(());
        }
        let alone = [
            ("mqtt.username", !self.username.is_empty()),
            ("mqtt.password_file", self.password_file.is_some()),
            ("mqtt.ca_file", self.ca_file.is_some()),
            ("mqtt.client_id", !self.client_id.is_empty()),
        ];
        match alone.iter().find(|(_, set)| *set) {
            Some((key, _)) => {
                anyhow::bail!("settings: {key} is for an external broker, but mqtt.url is not set")
            }
            None => Ok(()),
        }
    }

    /// Whether devices come through an external broker.
    pub fn is_external(&self) -> bool {
        !self.url.is_empty()
    }
}

/// `[store]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Cache of the store in MiB.
    pub cache_mib: u64,
}

/// `[disk]`: what is kept free.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Disk {
    /// Size of the ballast file in MiB, given back when the disk is full; 0 for none.
    pub ballast_mib: u64,
    /// Below this many free MiB the appliance is read-only; 0 waits until a write fails.
    pub free_min_mib: u64,
}

/// `[journal]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JournalConfig {
    /// Folder of the second copy, which must exist, on another disk if possible; none by default.
    pub copy: Option<PathBuf>,
    /// A new segment begins after so many MiB.
    pub segment_mib: u64,
    /// Whether full segments are compressed.
    pub compress: bool,
}

/// `[log]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text` or `json`.
    pub format: String,
    /// Filter as of tracing: `info`, `tianyin=debug`, …
    pub filter: String,
}

/// `[mirror]`: public pages as plain files, for any web host.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MirrorConfig {
    /// Folder of the files, in the data folder unless the path is absolute; none by default. It is made
    /// when the folder above it is there.
    pub dir: Option<PathBuf>,
}

impl MirrorConfig {
    /// Folders of the data folder that hold something else.
    const TAKEN: [&str; 8] =
        ["journal", "store", "vault", "blobs", "keys", "plugins", "rules", "fonts"];

    /// The folder as a whole path. Pages are for everybody: a folder of secrets is no place for them, nor
    /// one that would take the data folder along to the web host.
    fn settle(&mut self, data: &Path) -> anyhow::Result<()> {
        let Some(dir) = &self.dir else { return Ok(()) };
        anyhow::ensure!(!dir.as_os_str().is_empty(), "settings: mirror.dir must not be empty");
        let goes_up = dir.components().any(|one| one == std::path::Component::ParentDir);
        anyhow::ensure!(!goes_up, "settings: mirror.dir must not hold `..`");
        let data = std::path::absolute(data).context("settings: mirror.dir")?;
        let dir = data.join(dir);
        let inside = dir.strip_prefix(&data).ok().and_then(|rest| rest.components().next());
        let taken = inside.is_some_and(|first| {
            Self::TAKEN.iter().any(|name| first.as_os_str() == std::ffi::OsStr::new(name))
        });
        anyhow::ensure!(
            !data.starts_with(&dir) && !taken,
            "settings: mirror.dir must be a folder of its own"
        );
        self.dir = Some(dir);
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("tianyin-data"),
            trust_clock: false,
            http: Http::default(),
            https: Https::default(),
            mqtt: Mqtt::default(),
            mqtts: Mqtts::default(),
            tls: TlsSettings::default(),
            store: StoreConfig::default(),
            disk: Disk::default(),
            journal: JournalConfig::default(),
            log: Log::default(),
            mirror: MirrorConfig::default(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: ([127, 0, 0, 1], 8080).into(), trusted_proxies: Vec::new() }
    }
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 1883).into(),
            connections_per_address: 256,
            listen_given: false,
            url: String::new(),
            username: String::new(),
            password_file: None,
            ca_file: None,
            client_id: String::new(),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { cache_mib: 32 }
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self { ballast_mib: 64, free_min_mib: 256 }
    }
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self { copy: None, segment_mib: 64, compress: true }
    }
}

impl JournalConfig {
    /// What the journal is opened with.
    pub fn options(&self) -> tianyin_journal::Options {
        tianyin_journal::Options {
            segment_bytes_max: self.segment_mib << 20,
            ..tianyin_journal::Options::default()
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            (1..=1024).contains(&self.segment_mib),
            "settings: journal.segment_mib must be 1 to 1024"
        );
        anyhow::ensure!(
            self.copy.as_ref().is_none_or(|folder| folder.is_absolute()),
            "settings: journal.copy must be an absolute path"
        );
        Ok(())
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: "text".into(), filter: "info,rmqtt=warn".into() }
    }
}

/// A terabyte.
const MIB_MAX: u64 = 1 << 20;

const KEYS: [&str; 23] = [
    "http.listen",
    "http.trusted_proxies",
    "https.listen",
    "mqtt.listen",
    "mqtt.url",
    "mqtt.username",
    "mqtt.password_file",
    "mqtt.ca_file",
    "mqtt.client_id",
    "mqtt.connections_per_address",
    "mqtts.listen",
    "tls.certificate",
    "tls.key",
    "tls.names",
    "store.cache_mib",
    "disk.ballast_mib",
    "disk.free_min_mib",
    "journal.copy",
    "journal.segment_mib",
    "journal.compress",
    "log.format",
    "log.filter",
    "mirror.dir",
];

impl Config {
    /// Reads the file (by default `tianyin.toml` in the data folder, if there is one) and the
    /// environment.
    pub fn load(data: &Path, file: Option<&Path>) -> anyhow::Result<Self> {
        let default_file = data.join("tianyin.toml");
        let path = match file {
            Some(path) => Some(path),
            None if default_file.exists() => Some(default_file.as_path()),
            None => None,
        };
        let mut table = match path {
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("read {}", path.display()))?
                .parse::<toml::Table>()
                .with_context(|| format!("{} is not TOML", path.display()))?,
            None => toml::Table::new(),
        };
        merge_environment(&mut table, std::env::vars())?;
        let listen_given = table.get("mqtt").is_some_and(|mqtt| mqtt.get("listen").is_some());
        let mut config: Self = table.try_into().context("settings")?;
        config.data = data.to_owned();
        config.mqtt.listen_given = listen_given;
        config.mqtt.check()?;
        anyhow::ensure!(
            matches!(config.log.format.as_str(), "text" | "json"),
            "settings: log.format must be text or json"
        );
        anyhow::ensure!(
            (8..=4096).contains(&config.store.cache_mib),
            "settings: store.cache_mib must be 8 to 4096"
        );
        for (key, mib) in
            [("ballast_mib", config.disk.ballast_mib), ("free_min_mib", config.disk.free_min_mib)]
        {
            anyhow::ensure!(mib <= MIB_MAX, "settings: disk.{key} must be 0 to {MIB_MAX}");
        }
        config.journal.check()?;
        config.mirror.settle(data)?;
        config.tls.check()?;
        anyhow::ensure!(
            config.mqtts.listen.is_none() || !config.mqtt.is_external(),
            "settings: mqtts.listen is for the embedded broker, but mqtt.url is set"
        );
        Ok(config)
    }
}

fn merge_environment(
    table: &mut toml::Table,
    vars: impl Iterator<Item = (String, String)>,
) -> anyhow::Result<()> {
    for (name, value) in vars {
        let Some(rest) = name.strip_prefix("TIANYIN_") else { continue };
        // Reserved for the command line and builds.
        if matches!(rest, "DATA" | "CONFIG" | "BUNDLED_PLUGINS" | "LANG") {
            continue;
        }
        let lower = rest.to_ascii_lowercase();
        let Some((section, key)) = lower.split_once('_') else {
            anyhow::bail!("environment variable {name}: no such setting");
        };
        let dotted = format!("{section}.{key}");
        anyhow::ensure!(
            KEYS.contains(&dotted.as_str()),
            "environment variable {name}: no such setting {dotted}"
        );
        let value = match (dotted.as_str(), value.parse::<i64>()) {
            (
                "store.cache_mib"
                | "disk.ballast_mib"
                | "disk.free_min_mib"
                | "journal.segment_mib"
                | "mqtt.connections_per_address",
                Ok(number),
            ) => toml::Value::Integer(number),
            ("journal.compress", _) if matches!(value.as_str(), "true" | "false") => {
                toml::Value::Boolean(value == "true")
            }
            ("http.trusted_proxies" | "tls.names", _) => toml::Value::Array(
                value
                    .split(',')
                    .map(str::trim)
                    .filter(|v| !v.is_empty())
                    .map(|v| toml::Value::String(v.into()))
                    .collect(),
            ),
            _ => toml::Value::String(value),
        };
        let entry = table
            .entry(section.to_owned())
            .or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if let toml::Value::Table(inner) = entry {
            inner.insert(key.to_owned(), value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn unknown_keys_are_named() {
        let table: toml::Table = "[http]\nlisten_port = 1".parse().unwrap();
        let error = Config::deserialize(table).unwrap_err().to_string();
        assert!(error.contains("listen_port"), "{error}");
        let vars = [("TIANYIN_HTTP_PORT".to_owned(), "1".to_owned())];
        let error = merge_environment(&mut toml::Table::new(), vars.into_iter()).unwrap_err();
        assert!(error.to_string().contains("TIANYIN_HTTP_PORT"), "{error}");
    }

    #[test]
    fn an_external_broker_is_checked_before_anything_starts() {
        let mqtt = |text: &str| Mqtt::deserialize(text.parse::<toml::Table>().unwrap()).unwrap();
        mqtt("url = \"mqtts://broker\"\nusername = \"tianyin\"\npassword_file = \"/p\"")
            .check()
            .unwrap();
        for (bad, named) in [
            ("url = \"http://broker\"", "mqtt.url"),
            ("url = \"mqtt://broker\"\npassword_file = \"/p\"", "mqtt.username"),
            ("ca_file = \"/ca.pem\"", "mqtt.ca_file"),
        ] {
            let error = format!("{:#}", mqtt(bad).check().unwrap_err());
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn the_journal_is_set_by_file_and_environment() {
        let vars = [
            ("TIANYIN_JOURNAL_COPY", "/mnt/usb/tianyin"),
            ("TIANYIN_JOURNAL_SEGMENT_MIB", "8"),
            ("TIANYIN_JOURNAL_COMPRESS", "false"),
        ];
        let mut table: toml::Table = "[journal]\ncompress = true".parse().unwrap();
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
        merge_environment(&mut table, vars.into_iter()).unwrap();
        let journal = Config::deserialize(table).unwrap().journal;
        assert_eq!(journal.copy.as_deref(), Some(Path::new("/mnt/usb/tianyin")));
        assert!(journal.options().segment_bytes_max == 8 << 20 && !journal.compress);
        journal.check().unwrap();
        for (key, bad) in [
            ("copy", JournalConfig { copy: Some("usb".into()), ..JournalConfig::default() }),
            ("segment_mib", JournalConfig { segment_mib: 0, ..JournalConfig::default() }),
            ("segment_mib", JournalConfig { segment_mib: 1025, ..JournalConfig::default() }),
        ] {
            assert!(bad.check().unwrap_err().to_string().contains(key));
        }
    }

    #[test]
    fn the_mirror_has_a_folder_of_its_own() {
        let settled = |dir: &str| {
            let mut mirror = MirrorConfig { dir: Some(dir.into()) };
            mirror.settle(Path::new("/srv/tianyin")).map(|()| mirror.dir.unwrap())
        };
        assert_eq!(settled("mirror").unwrap(), Path::new("/srv/tianyin/mirror"));
        assert_eq!(settled("/mnt/usb/www").unwrap(), Path::new("/mnt/usb/www"));
        for bad in ["", ".", "/", "/srv", "/srv/tianyin", "keys", "vault/x", "../tianyin", "a/.."] {
            assert!(settled(bad).is_err(), "{bad}");
        }
        MirrorConfig::default().settle(Path::new("/srv/tianyin")).unwrap();
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let mut table: toml::Table = "[http]\nlisten = \"127.0.0.1:1\"".parse().unwrap();
        let vars = [("TIANYIN_HTTP_LISTEN".to_owned(), "127.0.0.1:2".to_owned())];
        merge_environment(&mut table, vars.into_iter()).unwrap();
        assert_eq!(Config::deserialize(table).unwrap().http.listen.port(), 2);
    }
}
