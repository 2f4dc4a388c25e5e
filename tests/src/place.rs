//! Where things are: the checkout, the binary under test, free ports.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};

/// Below the range from which the kernel takes ports for outgoing connections.
const PORTS: std::ops::Range<u32> = 20_000..32_000;

/// The root of the checkout.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// The binary of the build that the running program belongs to.
pub fn binary() -> Result<PathBuf> {
    beside_binary("tianyin")
}

/// What a build has made for its users, beside the running program: a test lies in `PROFILE/deps`, a
/// program in `PROFILE`. Nothing is built here.
pub fn beside_binary(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("path of the running program")?;
    let beside = own.parent().into_iter().flat_map(|folder| [Some(folder), folder.parent()]);
    let found = beside.flatten().map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| {
        format!(
            "`{name}` is not beside {}: build it first with `cargo build --workspace \
             --all-targets`, or run `cargo xtask test`",
            own.display()
        )
    })
}

/// A port of this machine that nobody listens on now. Every call gives another one.
pub fn free_port() -> Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let ports = PORTS.end - PORTS.start;
    // Programs that run at the same time start in different places.
    let first = std::process::id().wrapping_mul(37) % ports;
    for _ in 0..ports {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + (first + step) % ports;
        let port = u16::try_from(port).context("port")?;
        if is_free(port) {
            return Ok(port);
        }
    }
    anyhow::bail!("no free port in {PORTS:?}")
}

/// Whether nobody listens on a port of this machine.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A port of this machine as an address.
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A new, empty folder below `target/`, removed by nobody: what is in it may be wanted afterwards.
pub fn new_folder(name: &str) -> Result<PathBuf> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let folder = root().join("target").join(format!("{name}-{}", now.as_millis()));
    ensure!(!folder.exists(), "{} exists", folder.display());
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    Ok(folder)
}
