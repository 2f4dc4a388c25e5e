//! Builds the plugins: guest crate → core module → component → `target/plugins/NAME-VERSION.tyx`.
//!
//! The standard library for wasm comes from one of two places: the rustup target, or, where rustup
//! cannot add it, Debian's rustc with the sources of its standard library.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use tianyin_package::{Manifest, Package};

use crate::deps;

const TARGET: &str = "wasm32-unknown-unknown";
/// Must agree with `[profile.plugin]` in the root `Cargo.toml`.
const PROFILE: &str = "plugin";
/// A rustup that can reach its server needs seconds; one that cannot would try for minutes.
const RUSTUP_PATIENCE: Duration = Duration::from_secs(60);

const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "lld-19"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LINKER: &str = "/usr/bin/wasm-ld-19";

/// Builds every `plugins/*/plugin.toml` whose package is older than its sources. Gives the paths of
/// all packages, in order of their names.
pub(crate) fn build_plugins(root: &Path) -> Result<Vec<PathBuf>> {
    let plugins = find_plugins(root)?;
    let shared = newest(
        &["sdk", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"].map(|name| root.join(name)),
    )?;
    let mut route = None;
    for plugin in &plugins {
        if is_fresh(plugin, shared)? {
            continue;
        }
        let route = match route {
            Some(route) => route,
            None => *route.insert(choose_route(root)?),
        };
        build(root, plugin, route)?;
    }
    Ok(plugins.into_iter().map(|plugin| plugin.package).collect())
}

/// A plugin's crate: its folder, crate and id share one name.
struct Plugin {
    id: String,
    folder: PathBuf,
    package: PathBuf,
}

fn find_plugins(root: &Path) -> Result<Vec<Plugin>> {
    let mut plugins = Vec::new();
    for entry in std::fs::read_dir(root.join("plugins")).context("reading plugins/")? {
        let folder = entry?.path();
        let toml = folder.join("plugin.toml");
        if !toml.is_file() {
            continue;
        }
        let manifest =
            Manifest::parse(&std::fs::read(&toml)?).with_context(|| toml.display().to_string())?;
        ensure!(
            folder.file_name().is_some_and(|name| name == manifest.id.as_str()),
            "{}: id {:?} must be the name of its folder and crate",
            toml.display(),
            manifest.id
        );
        let package = root.join("target/plugins").join(manifest.file_name());
        plugins.push(Plugin { id: manifest.id, folder, package });
    }
    plugins.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(plugins)
}

fn is_fresh(plugin: &Plugin, shared: SystemTime) -> Result<bool> {
    let Ok(built) = std::fs::metadata(&plugin.package).and_then(|file| file.modified()) else {
        return Ok(false);
    };
    Ok(built > shared && built > newest(std::slice::from_ref(&plugin.folder))?)
}

/// Time of the newest file at or below the paths.
fn newest(paths: &[PathBuf]) -> Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    let mut left = paths.to_vec();
    while let Some(path) = left.pop() {
        let file = std::fs::metadata(&path).with_context(|| path.display().to_string())?;
        newest = newest.max(file.modified()?);
        if file.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                left.push(entry?.path());
            }
        }
    }
    Ok(newest)
}

/// Where the standard library for wasm comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    Rustup,
    Debian,
}

/// Prefers what is installed already, then what rustup can add, then Debian's packages.
fn choose_route(root: &Path) -> Result<Route> {
    let (route, why) = if rustup_has_target(root) {
        (Route::Rustup, "rustup has the target")
    } else if missing_debian_packages().is_empty() {
        (Route::Debian, "rustup has no wasm target, Debian's rustc-web is installed")
    } else if rustup_can_add_target(root) {
        (Route::Rustup, "rustup added the target")
    } else {
        install_debian_packages()?;
        (Route::Debian, "rustup could not add the target, Debian's rustc-web was installed")
    };
    let name =
        if route == Route::Rustup { TARGET } else { "rustc-web with its own standard library" };
    println!("plugins: building with {name} ({why})");
    Ok(route)
}

fn rustup_has_target(root: &Path) -> bool {
    let listed =
        Command::new("rustup").current_dir(root).args(["target", "list", "--installed"]).output();
    listed.is_ok_and(|listed| {
        String::from_utf8_lossy(&listed.stdout).lines().any(|line| line == TARGET)
    })
}

fn rustup_can_add_target(root: &Path) -> bool {
    let mut rustup = Command::new("rustup");
    rustup
        .current_dir(root)
        .args(["target", "add", TARGET])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let Ok(mut rustup) = rustup.spawn() else { return false };
    let start = Instant::now();
    while start.elapsed() < RUSTUP_PATIENCE {
        match rustup.try_wait() {
            Ok(Some(status)) => return status.success() && rustup_has_target(root),
            Ok(None) => std::thread::sleep(Duration::from_millis(100)),
            Err(_) => break,
        }
    }
    let _ = rustup.kill();
    let _ = rustup.wait();
    false
}

/// Asks dpkg, not the file system: `/usr/bin/rustc` may also be Debian's much older plain rustc.
fn missing_debian_packages() -> Vec<&'static str> {
    DEBIAN_PACKAGES.into_iter().filter(|package| !deps::is_installed(package)).collect()
}

fn install_debian_packages() -> Result<()> {
    let other_way = || {
        format!("plugins need a wasm standard library; `rustup target add {TARGET}` gives one, too")
    };
    deps::install(&missing_debian_packages()).with_context(other_way)?;
    let still = missing_debian_packages();
    ensure!(still.is_empty(), "{} did not get installed; {}", still.join(" "), other_way());
    Ok(())
}

fn build(root: &Path, plugin: &Plugin, route: Route) -> Result<()> {
    let Plugin { id, folder, package } = plugin;
    let module = compile(root, id, route)?;
    let component =
        to_component(&module).with_context(|| format!("turning {id} into a component"))?;
    let size = component.len();
    let bytes = Package::build(Package::collect(folder, component)?)
        .with_context(|| format!("packing {id}"))?;
    remove_other_versions(plugin)?;
    // Renamed into place: a reader never sees half a package.
    let unfinished = package.with_extension("tyx.tmp");
    std::fs::write(&unfinished, bytes).with_context(|| unfinished.display().to_string())?;
    std::fs::rename(&unfinished, package)?;
    println!("plugins: {} ({} kB component)", package.display(), size / 1000);
    Ok(())
}

fn compile(root: &Path, id: &str, route: Route) -> Result<Vec<u8>> {
    let target_dir = root.join("target/wasm");
    // A plain `cargo` lets rustup pick the toolchain of rust-toolchain.toml; what the cargo that
    // runs us has set for itself must not leak into a build for another target.
    let mut cargo = crate::build::cargo_command();
    cargo
        .current_dir(root)
        .env_remove("RUSTC")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    cargo.args([
        "build",
        "--quiet",
        "--lib",
        "--package",
        id,
        "--profile",
        PROFILE,
        "--target",
        TARGET,
    ]);
    cargo
        .arg("--target-dir")
        .arg(&target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", remapped_paths(root).join("\x1f"));
    if route == Route::Debian {
        cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER);
        cargo.arg("-Zbuild-std=std,panic_abort");
    }
    let status = cargo.status().context("starting cargo")?;
    ensure!(status.success(), "building plugin {id} failed: {status}");
    let module =
        target_dir.join(TARGET).join(PROFILE).join(format!("{}.wasm", id.replace('-', "_")));
    std::fs::read(&module).with_context(|| module.display().to_string())
}

/// Panic messages hold source paths; a package must not tell on which machine it was built.
fn remapped_paths(root: &Path) -> Vec<String> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo_home =
        std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    [(root.to_owned(), "tianyin"), (cargo_home, "cargo")]
        .map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display()))
        .to_vec()
}

fn to_component(module: &[u8]) -> Result<Vec<u8>> {
    wit_component::ComponentEncoder::default().module(module)?.validate(true).encode()
}

/// One package per plugin, so that nothing picks up an old one.
fn remove_other_versions(plugin: &Plugin) -> Result<()> {
    let folder = plugin.package.parent().context("target/plugins")?;
    std::fs::create_dir_all(folder)?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let version = name.strip_prefix(&plugin.id).and_then(|rest| rest.strip_prefix('-'));
        if version.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit())) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}
