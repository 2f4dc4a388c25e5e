//! Builds with cargo. Demo, tests and benches use one build: the same profile and the same features,
//! so that the heavy libraries are compiled once.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use tianyin_tests::place;

use crate::wasm;

/// Plugin packages first, because the binary embeds them; then all programs, tests and examples.
pub(crate) fn everything() -> Result<()> {
    let started = Instant::now();
    wasm::build_plugins(&place::root())?;
    took("plugins", started);
    cargo("build", &["build", "--workspace", "--all-targets"])
}

/// Runs cargo in the checkout and says how long it took.
pub(crate) fn cargo(phase: &str, arguments: &[&str]) -> Result<()> {
    let started = Instant::now();
    let status = cargo_command().args(arguments).status().context("start cargo")?;
    took(phase, started);
    ensure!(status.success(), "cargo {} failed: {status}", arguments.join(" "));
    Ok(())
}

/// A cargo that does not see what the cargo that runs us has set for this program: build scripts
/// that look at it would otherwise run again whenever one changes between `cargo xtask` and `cargo`.
pub(crate) fn cargo_command() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(place::root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            cargo.env_remove(&name);
        }
    }
    cargo
}

fn took(phase: &str, started: Instant) {
    println!("xtask: {phase} took {:.1} s", started.elapsed().as_secs_f64());
}
