//! Measures the decode of one frame, each time in a fresh instance; prints JSON in microseconds.
//! `decode_bench [PACKAGE.tyx]`, without a package the one in `target/plugins`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tianyin_plugins::{DecodeInput, HostOptions, Package, PluginHost};

const CALLS: usize = 5000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).map_or_else(first_built, |path| Ok(PathBuf::from(path)))?;
    let package = Package::read(&std::fs::read(&path)?)?;
    let host = PluginHost::new(HostOptions::default())?;
    let start = Instant::now();
    let plugin = host.load_tested(&package)?;
    let load_ms = start.elapsed().as_millis();
    let shortest = package
        .cases
        .iter()
        .filter(|case| !case.input.is_empty())
        .min_by_key(|case| case.input.len());
    let message = shortest.ok_or("the package has no case")?;
    let settings = BTreeMap::new();
    let input =
        DecodeInput { bytes: &message.input, received_at: Default::default(), settings: &settings };
    let mut times_us = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let start = Instant::now();
        let decoded = plugin.decode(&input)?;
        times_us.push(start.elapsed().as_secs_f64() * 1e6);
        if decoded.measurements.is_empty() {
            return Err("the case gives no result to measure".into());
        }
    }
    times_us.sort_by(f64::total_cmp);
    let at = |share: usize| times_us[CALLS * share / 100];
    println!(
        "{{\"p50_us\":{:.1},\"p95_us\":{:.1},\"p99_us\":{:.1},\"calls\":{CALLS},\"bytes\":{},\"load_ms\":{load_ms},\"pooled\":{}}}",
        at(50),
        at(95),
        at(99),
        message.input.len(),
        host.is_pooled()
    );
    Ok(())
}

fn first_built() -> Result<PathBuf, Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    let packages =
        std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let first =
        packages.filter(|path| path.extension().is_some_and(|ending| ending == "tyx")).min();
    first.ok_or_else(|| {
        format!("no package in {}: run `cargo xtask plugins` first", folder.display()).into()
    })
}
