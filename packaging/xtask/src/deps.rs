//! Debian packages that building, testing and measuring need.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail, ensure};

/// A package and the file by which it is known to be there, whoever installed it.
type Package = (&'static str, &'static str);

/// To compile the few dependencies that hold C.
pub(crate) const BUILD: &[Package] = &[
    ("gcc", "gcc"),
    ("libc6-dev", "/usr/include/stdio.h"),
    // Benches put SQLite beside the journal.
    ("libsqlite3-dev", "/usr/include/sqlite3.h"),
];
/// What checks the main job from outside.
pub(crate) const DEMO: &[Package] = &[("zbar-tools", "zbarimg"), ("openssl", "openssl")];
/// Foreign client, browser, and what reads papers.
pub(crate) const TEST: &[Package] = &[
    ("mosquitto-clients", "mosquitto_pub"),
    // The external broker.
    ("mosquitto", "mosquitto"),
    ("chromium", "chromium"),
    ("chromium-driver", "chromedriver"),
    ("fonts-noto-cjk", "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"),
    ("poppler-utils", "pdftotext"),
    // The second decoder of labels, of another make than zbar.
    ("zxing-cpp-tools", "ZXingReader"),
    // Wrong clocks.
    ("faketime", "faketime"),
    // A host of the static mirror.
    ("nginx-light", "nginx"),
];
/// What the appliance is measured with and against.
pub(crate) const BENCH: &[Package] = &[
    ("nginx-light", "nginx"),
    ("wrk", "wrk"),
    ("mosquitto", "mosquitto"),
    ("mosquitto-clients", "mosquitto_sub"),
];

const FOLDERS: [&str; 4] = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin"];

/// Installs what is missing of these groups.
pub(crate) fn ensure(groups: &[&[Package]]) -> Result<()> {
    let missing: Vec<&str> =
        groups.iter().copied().flatten().filter(|p| !is_there(p)).map(|p| p.0).collect();
    install(&missing)
}

fn is_there(&(package, file): &Package) -> bool {
    let found = match file.strip_prefix('/') {
        Some(_) => Path::new(file).exists(),
        None => FOLDERS.iter().any(|folder| Path::new(folder).join(file).exists()),
    };
    found || is_installed(package)
}

/// Asks dpkg whether a package is installed.
pub(crate) fn is_installed(package: &str) -> bool {
    let ask = ["--show", "--showformat=${db:Status-Status}", package];
    let state = Command::new("dpkg-query").args(ask).output();
    state.is_ok_and(|state| state.stdout == b"installed")
}

/// Installs packages as root; otherwise fails with the command that does.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    let by_hand = format!("sudo apt-get update && sudo apt-get install -y {names}");
    if !is_root() {
        bail!("Debian packages are missing. Run\n  {by_hand}");
    }
    println!("installing {names}");
    let options = ["install", "-y", "--no-install-recommends"];
    let install = [&options[..], packages].concat();
    // Package lists may be absent or old on a fresh machine.
    let done = apt_get(&install) || (apt_get(&["update"]) && apt_get(&install));
    ensure!(done, "apt-get failed. By hand:\n  {by_hand}");
    Ok(())
}

fn apt_get(arguments: &[&str]) -> bool {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").args(arguments).stdout(Stdio::null());
    apt.status().is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}
