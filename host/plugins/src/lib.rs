//! The plugin host: loads packages, runs their components, and survives whatever they do.
//! The only crate that knows wasmtime.
//!
//! A plugin is compiled once ([`PluginHost::load`]) and gets a fresh instance for every call, so
//! that nothing leaks from one call into the next. Memory, time, stack, output and log of a call
//! are limited; every failure is a [`PluginError`] that names plugin and version and carries its log.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tianyin_plugins::{DecodeInput, HostOptions, Package, PluginHost};
//!
//! let host = PluginHost::new(HostOptions::default())?;
//! let package = Package::read(&std::fs::read("analyzer-lz4000t-0.1.0.tyx")?)?;
//! let plugin = host.load_tested(&package)?;
//! let received_at = "2026-11-21T09:00:10+08:00".parse()?;
//! let decoded = plugin.decode(&DecodeInput { bytes: &[0x7E], received_at, settings: &Default::default() })?;
//! println!("{} results, {} problems", decoded.measurements.len(), decoded.problems.len());
//! # Ok(()) }
//! ```

mod abi;
mod call;
mod cases;
mod convert;
mod engine;
mod error;
mod host;
mod ticker;

pub use cases::CaseOutcome;
pub use convert::{MEASUREMENTS_MAX, PROBLEMS_MAX};
pub use error::{Failure, HostError, PluginError};
pub use host::{DecodeInput, Decoded, HostOptions, LogLevel, LogLine, Plugin, PluginHost, Problem};
pub use tianyin_package::{
    Case, Manifest, PACKAGE_BYTES_MAX, Package, PackageError, SettingError, Signature,
};
