//! TLS of the appliance: which certificate it shows to browsers and devices, and how that changes
//! while it runs.
//!
//! Either a certificate is imported (`tls.certificate`, `tls.key`), or the appliance has a CA of
//! its own in `keys/tls/` and gives itself a certificate that it renews. A new certificate is used
//! for new connections; those that stand go on. What cannot be loaded changes nothing: the
//! certificate in use stays, and [`TlsStatus::last_error`] says why.

mod names;
mod own;
mod pair;
mod settings;
#[cfg(test)]
mod tests;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tianyin_domain::Time;
use tokio::sync::watch::{Receiver, Sender};

pub(crate) use names::is_name;
pub use pair::PairError;
pub use settings::{Https, Mqtts, TlsFiles, TlsSettings};
pub use watch::watch;

use crate::config::Config;
use crate::texts::tf;
use pair::{Pair, Stamp};

/// Protocols offered to browsers (ALPN).
const HTTP_1_1: &[u8] = b"http/1.1";

/// Where the certificate in use comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsSource {
    /// Signed by the appliance's own CA.
    Own,
    /// The files of `tls.certificate` and `tls.key`.
    Imported,
}

/// What the health page tells about the certificate.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TlsStatus {
    /// Where it comes from.
    pub source: TlsSource,
    /// Its last moment.
    pub not_after: Time,
    /// Names and addresses it is good for.
    pub names: Vec<String>,
    /// SHA-256 of the certificate, hex in pairs.
    pub fingerprint: String,
    /// Why the last attempt to load another one failed, a sentence of the catalogue; `None` when it
    /// did not.
    pub last_error: Option<String>,
    /// The certificate works, but not for everything: it lacks the host of `public_url`.
    pub warning: Option<String>,
}

/// The own CA's certificate, for phones and computers that shall trust it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaCertificate {
    /// DER.
    pub der: Vec<u8>,
    /// PEM.
    pub pem: String,
    /// SHA-256 of the DER bytes, hex in pairs.
    pub fingerprint: String,
    /// The name under which a phone lists it.
    pub name: String,
    /// Its last moment.
    pub not_after: Time,
}

/// The certificate in use, and how to change it.
pub struct Tls {
    own_dir: PathBuf,
    imported: Option<TlsFiles>,
    extra_names: Vec<String>,
    https: Sender<Arc<ServerConfig>>,
    mqtts: Sender<Arc<ServerConfig>>,
    is_imported: AtomicBool,
    https_port: OnceLock<u16>,
    state: Mutex<State>,
}

struct State {
    status: TlsStatus,
    ca: Option<Arc<CaCertificate>>,
    /// Of the imported files when they were last read, whatever came of it.
    read: Option<Stamp>,
    /// Of the imported files at the last look: files are read when they stand still.
    seen: Option<Stamp>,
    public_host: Option<String>,
}

/// A certificate that is ready to be used.
struct Loaded {
    pair: Pair,
    source: TlsSource,
    ca: Option<CaCertificate>,
}

impl Tls {
    /// Loads or makes the certificate. `None` when nothing listens with TLS. When the imported one
    /// cannot be used, the own one takes its place: the county must be able to work.
    ///
    /// # Errors
    /// `keys/tls/` cannot be written or read.
    pub fn open(
        config: &Config,
        public_url: Option<&str>,
        now: Time,
    ) -> anyhow::Result<Option<Self>> {
        if config.https.listen.is_none() && config.mqtts.listen.is_none() {
            return Ok(None);
        }
        let own_dir = config.data.join("keys/tls");
        let imported = config.tls.files();
        let host = public_url.and_then(names::host_of);
        let read = imported.as_ref().map(Stamp::of);
        let wanted = load(&own_dir, imported.as_ref(), &config.tls.names, host.as_deref(), now);
        let (loaded, last_error) = match wanted {
            Ok(loaded) => (loaded, None),
            Err(e) if imported.is_some() => {
                let text = text_of(&e);
                tracing::error!(
                    error = format!("{e:#}"),
                    "the imported certificate cannot be used; the appliance uses its own"
                );
                let own = load(&own_dir, None, &config.tls.names, host.as_deref(), now);
                (own.context("own certificate")?, Some(text))
            }
            Err(e) => return Err(e.context("own certificate")),
        };
        let configs = configs(&loaded.pair.key)?;
        let status = status_of(&loaded, host.as_deref(), last_error);
        log(&status);
        Ok(Some(Self {
            own_dir,
            imported,
            extra_names: config.tls.names.clone(),
            https: Sender::new(configs.0),
            mqtts: Sender::new(configs.1),
            is_imported: AtomicBool::new(status.source == TlsSource::Imported),
            https_port: OnceLock::new(),
            state: Mutex::new(State {
                status,
                ca: loaded.ca.map(Arc::new),
                seen: read.clone(),
                read,
                public_host: host,
            }),
        }))
    }

    /// Settings for new HTTPS connections; the receiver always has the newest.
    pub fn https(&self) -> Receiver<Arc<ServerConfig>> {
        self.https.subscribe()
    }

    /// Settings for new MQTTS connections; the receiver always has the newest.
    pub fn mqtts(&self) -> Receiver<Arc<ServerConfig>> {
        self.mqtts.subscribe()
    }

    /// What is in use now.
    pub fn status(&self) -> TlsStatus {
        self.state.lock().status.clone()
    }

    /// The own CA, while a certificate of it is in use.
    pub fn own_ca(&self) -> Option<Arc<CaCertificate>> {
        self.state.lock().ca.clone()
    }

    /// Told once HTTPS listens.
    pub fn set_https_port(&self, port: u16) {
        // A second listener is none of ours.
        let _ = self.https_port.set(port);
    }

    /// The port on which HTTPS listens, if it does.
    pub fn https_port(&self) -> Option<u16> {
        self.https_port.get().copied()
    }

    /// Whether browsers trust the certificate without our doing, so that they may be told to come
    /// by HTTPS only.
    pub fn is_imported(&self) -> bool {
        self.is_imported.load(Ordering::Relaxed)
    }

    /// Reads the files again and uses what they hold for new connections. Reads files: not for a
    /// thread that must not wait.
    ///
    /// # Errors
    /// The files cannot be used; the certificate in use stays.
    pub fn reload(&self, public_url: Option<&str>, now: Time) -> anyhow::Result<TlsStatus> {
        let mut state = self.state.lock();
        state.public_host = public_url.and_then(names::host_of);
        self.read_again(&mut state, now)
    }

    /// What the watcher does every few seconds: takes up imported files that changed, renews the own
    /// certificate when it gets old or the machine got another name or address.
    pub fn refresh(&self, public_url: Option<&str>, check_own: bool, now: Time) {
        let mut state = self.state.lock();
        let host = public_url.and_then(names::host_of);
        let mut due = check_own || host != state.public_host;
        state.public_host = host;
        let stamp = self.imported.as_ref().map(Stamp::of);
        let stands_still = state.seen == stamp;
        state.seen.clone_from(&stamp);
        if self.imported.is_some() {
            let changed = stands_still && stamp != state.read;
            // Known to be bad: only the own one in its place is looked after.
            let is_bad = state.status.source == TlsSource::Own;
            if changed || (due && !is_bad) {
                // The reason is in the log and the status.
                let _ = self.read_again(&mut state, now);
                due = false;
            }
        }
        if due && state.status.source == TlsSource::Own {
            self.renew_own(&mut state, now);
        }
    }

    fn read_again(&self, state: &mut State, now: Time) -> anyhow::Result<TlsStatus> {
        state.read = self.imported.as_ref().map(Stamp::of);
        let host = state.public_host.clone();
        let names = &self.extra_names;
        let loaded = load(&self.own_dir, self.imported.as_ref(), names, host.as_deref(), now)
            .and_then(|loaded| self.put_to_use(state, loaded, None));
        if let Err(e) = loaded {
            note(state, &e, "the certificate cannot be used; the one in use stays");
            return Err(e);
        }
        Ok(state.status.clone())
    }

    fn renew_own(&self, state: &mut State, now: Time) {
        let host = state.public_host.clone();
        let last_error = state.status.last_error.clone().filter(|_| self.imported.is_some());
        let renewed = load(&self.own_dir, None, &self.extra_names, host.as_deref(), now)
            .and_then(|loaded| self.put_to_use(state, loaded, last_error));
        if let Err(e) = renewed {
            note(state, &e, "the own certificate was not renewed");
        }
    }

    fn put_to_use(
        &self,
        state: &mut State,
        loaded: Loaded,
        last_error: Option<String>,
    ) -> anyhow::Result<()> {
        let status = status_of(&loaded, state.public_host.as_deref(), last_error);
        if status.fingerprint != state.status.fingerprint {
            let configs = configs(&loaded.pair.key)?;
            self.https.send_replace(configs.0);
            self.mqtts.send_replace(configs.1);
            log(&status);
        }
        self.is_imported.store(status.source == TlsSource::Imported, Ordering::Relaxed);
        state.status = status;
        state.ca = loaded.ca.map(Arc::new);
        Ok(())
    }
}

/// Keeps the reason, and logs it once: it is found again every minute.
fn note(state: &mut State, error: &anyhow::Error, what: &'static str) {
    let text = text_of(error);
    if state.status.last_error.as_ref() != Some(&text) {
        tracing::error!(error = format!("{error:#}"), "{what}");
    }
    state.status.last_error = Some(text);
}

/// What a page says about it.
fn text_of(error: &anyhow::Error) -> String {
    match error.downcast_ref::<PairError>() {
        Some(error) => error.text(),
        None => tf("tls.other", [("reason", format!("{error:#}").as_str())]),
    }
}

fn load(
    own_dir: &Path,
    imported: Option<&TlsFiles>,
    extra_names: &[String],
    public_host: Option<&str>,
    now: Time,
) -> anyhow::Result<Loaded> {
    if let Some(files) = imported {
        let pair = Pair::read(files, now)?;
        return Ok(Loaded { pair, source: TlsSource::Imported, ca: None });
    }
    let machine = names::Machine::here();
    let names = names::all(&machine, public_host, extra_names);
    let (pair, ca) = own::ensure(own_dir, &machine.host, &names, now)?;
    Ok(Loaded { pair, source: TlsSource::Own, ca: Some(ca) })
}

fn status_of(loaded: &Loaded, host: Option<&str>, last_error: Option<String>) -> TlsStatus {
    let pair = &loaded.pair;
    let uncovered = host.filter(|host| !pair.covers(host));
    TlsStatus {
        source: loaded.source,
        not_after: pair.not_after,
        names: pair.names.clone(),
        fingerprint: pair.fingerprint.clone(),
        last_error,
        warning: uncovered.map(|host| tf("tls.not_covered", [("host", host)])),
    }
}

fn log(status: &TlsStatus) {
    let TlsStatus { source, not_after, names, fingerprint, warning, .. } = status;
    tracing::info!(?source, %not_after, ?names, fingerprint, "certificate in use");
    if let Some(warning) = warning {
        tracing::warn!(warning, "certificate");
    }
}

/// The crypto library of everything TLS here.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Settings for browsers and for devices: TLS 1.2 and 1.3. Sessions cannot be resumed across a
/// change of the certificate, each has its own memory of them.
fn configs(key: &CertifiedKey) -> anyhow::Result<(Arc<ServerConfig>, Arc<ServerConfig>)> {
    let resolver = Arc::new(SingleCertAndKey::from(key.clone()));
    let make = |alpn: &[&[u8]]| -> anyhow::Result<Arc<ServerConfig>> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver.clone());
        config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
        Ok(Arc::new(config))
    };
    Ok((make(&[HTTP_1_1])?, make(&[])?))
}
