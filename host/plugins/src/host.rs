//! The host and its plugins as the rest of the appliance sees them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};
use tianyin_domain::Time;
use tianyin_domain::measurement::Measurement;
use tianyin_package::{Manifest, Package};
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::abi;
use crate::call::CallState;
use crate::cases::report;
use crate::engine::{self, Allocator};
use crate::error::{Failure, HostError, PluginError};
use crate::ticker::Ticker;

/// Limits of the host. What a plugin asks for in its manifest counts only below them.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// Memory of one call.
    pub memory_bytes_max: usize,
    /// Time of one call.
    pub time_max: Duration,
    /// Calls at the same time; further ones wait.
    pub calls_max: u32,
    /// Bytes of a message.
    pub input_bytes_max: usize,
    /// Bytes that a guest may hand over at once.
    pub output_bytes_max: usize,
}

impl Default for HostOptions {
    /// 64 MiB, 2 s, 64 calls, 1 MiB in, 16 MiB out.
    fn default() -> Self {
        Self {
            memory_bytes_max: 64 << 20,
            time_max: Duration::from_secs(2),
            calls_max: 64,
            input_bytes_max: 1 << 20,
            output_bytes_max: 16 << 20,
        }
    }
}

/// Runs plugins. Cheap to clone; ends with its last clone and last plugin.
#[derive(Clone)]
pub struct PluginHost {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) options: HostOptions,
    pub(crate) engine: Engine,
    pub(crate) ticker: Ticker,
    pub(crate) slots: Slots,
    allocator: Allocator,
    linker: Linker<CallState>,
}

impl PluginHost {
    /// Starts the runtime.
    pub fn new(options: HostOptions) -> Result<Self, HostError> {
        let (engine, allocator) = engine::start(&options)?;
        let mut linker = Linker::new(&engine);
        abi::Decoder::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)
            .map_err(|error| HostError::Engine(error.to_string()))?;
        let ticker = Ticker::start(&engine).map_err(HostError::Thread)?;
        let slots = Slots::new(options.calls_max);
        Ok(Self { shared: Arc::new(Shared { options, engine, ticker, slots, allocator, linker }) })
    }

    /// Compiles a package's component. Takes from a fraction of a second to seconds on all cores:
    /// not for a thread that serves people.
    pub fn load(&self, package: &Package) -> Result<Plugin, PluginError> {
        let manifest = package.manifest.clone();
        let decoder = self.compile(package).map_err(|failure| fail(&manifest, failure))?;
        Ok(Plugin { manifest: Arc::new(manifest), decoder, shared: self.shared.clone() })
    }

    /// Loads a package and runs its own cases: what installing does. A plugin that fails one of
    /// them is not loaded, so the one that ran before stays.
    pub fn load_tested(&self, package: &Package) -> Result<Plugin, PluginError> {
        let plugin = self.load(package)?;
        match report(&plugin.run_cases(&package.cases)) {
            None => Ok(plugin),
            Some(failures) => Err(plugin.error(Failure::Cases(failures), Vec::new())),
        }
    }

    /// Whether instances come from the pool; without it calls are slower.
    pub fn is_pooled(&self) -> bool {
        self.shared.allocator == Allocator::Pooling
    }

    fn compile(&self, package: &Package) -> Result<abi::DecoderPre<CallState>, Failure> {
        let Manifest { api, world, .. } = &package.manifest;
        if api != abi::API {
            return Err(Failure::Api { needs: api.clone() });
        }
        if world != abi::WORLD {
            return Err(Failure::World { world: world.clone() });
        }
        let unusable = |error: wasmtime::Error| Failure::Component(format!("{error:#}"));
        // Bytes from outside must not take the host down, not even through a fault of the compiler.
        let compiled = catch_unwind(AssertUnwindSafe(|| {
            Component::from_binary(&self.shared.engine, package.wasm())
        }));
        let component = compiled
            .map_err(|_| Failure::Component("the compiler failed on it".into()))?
            .map_err(unusable)?;
        let ready = self.shared.linker.instantiate_pre(&component).map_err(unusable)?;
        abi::DecoderPre::new(ready).map_err(unusable)
    }
}

/// A loaded plugin. Cheap to clone; calls run at the same time.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) decoder: abi::DecoderPre<CallState>,
    pub(crate) shared: Arc<Shared>,
}

impl Plugin {
    /// What the plugin says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(crate) fn error(&self, failure: Failure, logs: Vec<LogLine>) -> PluginError {
        PluginError { logs, ..fail(&self.manifest, failure) }
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plugin({} {})", self.manifest.id, self.manifest.version)
    }
}

fn fail(manifest: &Manifest, failure: Failure) -> PluginError {
    PluginError {
        plugin: manifest.id.clone(),
        version: manifest.version.clone(),
        failure,
        logs: Vec::new(),
    }
}

/// What a decoder gets.
#[derive(Debug, Clone, Copy)]
pub struct DecodeInput<'a> {
    /// One message of a device, as it came.
    pub bytes: &'a [u8],
    /// When it came.
    pub received_at: Time,
    /// Settings an administrator made; the plugin's defaults fill the rest.
    pub settings: &'a BTreeMap<String, String>,
}

/// What a decoder made of a message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decoded {
    /// Results, in order.
    pub measurements: Vec<Measurement>,
    /// What a person should know of.
    pub problems: Vec<Problem>,
    /// How many results the device announced.
    pub announced: Option<u32>,
    /// What the plugin logged.
    pub logs: Vec<LogLine>,
}

/// Something in a message that could not be read, or is doubtful.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// First byte concerned.
    pub offset: u32,
    /// How many bytes; 0 concerns the message as a whole.
    pub length: u32,
    /// Stable code in snake_case, such as `crc`.
    pub reason: String,
    /// One sentence with the particulars.
    pub text: String,
}

/// A line of a plugin's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// How serious it is.
    pub level: LogLevel,
    /// At most 1000 characters.
    pub text: String,
}

/// How serious a line of a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// For the plugin's author.
    Debug,
    /// Normal.
    Info,
    /// Unexpected.
    Warn,
    /// Failed.
    Error,
}

/// As many calls as the pool has slots; further ones wait for a free one.
pub(crate) struct Slots {
    free: Mutex<u32>,
    freed: Condvar,
}

impl Slots {
    fn new(count: u32) -> Self {
        Self { free: Mutex::new(count), freed: Condvar::new() }
    }

    /// Waits no longer than the calls in progress may take.
    pub(crate) fn take(&self) -> Slot<'_> {
        let mut free = self.free.lock();
        while *free == 0 {
            self.freed.wait(&mut free);
        }
        *free -= 1;
        Slot(self)
    }
}

/// A slot in use.
pub(crate) struct Slot<'a>(&'a Slots);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock() += 1;
        self.0.freed.notify_one();
    }
}
