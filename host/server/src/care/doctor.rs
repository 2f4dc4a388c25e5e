//! `doctor`: what is wrong with a data folder and the machine it is on, and what cures it.

use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use super::cure::Remedy;
use super::finding::Finding;
use super::on_record::OnRecord;
use super::scratch::SCRATCH;
use super::verify::{self, Report};
use super::{CODE_KEY_FILE, Folder, KEY_FILES};

/// Less free disk than this is trouble soon.
const FREE_WARN_MIB: u64 = 2048;
/// Less free disk than this is trouble now.
const FREE_MIN_MIB: u64 = 256;
/// The clock may be this far behind the last line: it was adjusted.
const CLOCK_BEHIND_S: i64 = 120;
/// Without a line for so long, the clock may be ahead.
const CLOCK_AHEAD_S: i64 = 366 * 24 * 3600;
/// Nothing was recorded before this program was written.
const FIRST_YEAR: i16 = 2026;
const PRINTER_WAIT: Duration = Duration::from_millis(1500);

/// What to look at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Leaves the store out.
    pub quick: bool,
    /// Connects to every printer.
    pub printers: bool,
}

/// Looks at everything; changes nothing.
pub fn examine(
    folder: &Folder,
    options: Options,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> anyhow::Result<Report> {
    let mut findings = Vec::new();
    permissions(folder.data(), &mut findings)?;
    leftovers(folder, &mut findings)?;
    disk(folder.data(), &mut findings)?;
    fonts(folder.data(), &mut findings);
    if folder.live.is_none() {
        port("http.listen", folder.config.http.listen, &mut findings);
        if folder.config.mqtt.url.is_empty() {
            port("mqtt.listen", folder.config.mqtt.listen, &mut findings);
        }
    }
    let mut report = verify::verify(folder, verify::Options { quick: options.quick }, progress)?;
    let (on_record, _) = OnRecord::read(&folder.journal(), report.head);
    clock(&on_record, &mut findings);
    if options.printers {
        printers(&on_record, &mut findings);
    }
    report.findings.append(&mut findings);
    report.findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    report.ok = super::finding::worst(&report.findings) < Some(super::finding::Severity::Damage);
    Ok(report)
}

/// Bytes that may still be written to the disk of a folder.
pub fn free_bytes(dir: &Path) -> anyhow::Result<u64> {
    let stat = rustix::fs::statvfs(dir).with_context(|| format!("disk of {}", dir.display()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Others on this machine have no business in keys, secrets and photos; the service must get at all.
fn permissions(data: &Path, findings: &mut Vec<Finding>) -> anyhow::Result<()> {
    for name in ["keys", "vault", "blobs"] {
        let dir = data.join(name);
        let Ok(meta) = dir.metadata() else { continue };
        if meta.permissions().mode() & 0o077 != 0 {
            findings.push(Finding::new("folder_open", name, &[]).cured_by(Remedy::Restrict(dir)));
        }
    }
    for name in KEY_FILES.into_iter().chain([CODE_KEY_FILE]) {
        let path = data.join(name);
        let Ok(meta) = path.metadata() else { continue };
        let mode = meta.permissions().mode() & 0o777;
        if mode & 0o077 != 0 || mode & 0o400 == 0 {
            let mode = format!("{mode:o}");
            let finding = Finding::new("key_open", name, &[("mode", &mode)]);
            findings.push(finding.cured_by(Remedy::Restrict(path)));
        }
    }
    let owner = data.metadata().with_context(|| format!("folder {}", data.display()))?.uid();
    for name in ["journal", "store", "keys", "vault", "blobs", "plugins"] {
        let Ok(meta) = data.join(name).metadata() else { continue };
        if meta.uid() != owner {
            let (owner, uid) = (owner.to_string(), meta.uid().to_string());
            let values = [("owner", owner.as_str()), ("uid", uid.as_str())];
            findings.push(Finding::new("folder_foreign", name, &values));
        }
    }
    Ok(())
}

/// What a crash in the middle of work leaves in the data folder.
fn leftovers(folder: &Folder, findings: &mut Vec<Finding>) -> anyhow::Result<()> {
    // Beside a running service another check may be at work.
    if folder.live.is_some() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder.data())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(SCRATCH) {
            let remedy = Remedy::SetAside(entry.path());
            findings.push(Finding::new("scratch_left", name, &[]).cured_by(remedy));
        }
    }
    Ok(())
}

fn disk(data: &Path, findings: &mut Vec<Finding>) -> anyhow::Result<()> {
    let free_mib = free_bytes(data)? >> 20;
    let (free, place) = (free_mib.to_string(), data.display().to_string());
    let values = [("free", free.as_str())];
    if free_mib < FREE_MIN_MIB {
        findings.push(Finding::new("disk_full", place, &values));
    } else if free_mib < FREE_WARN_MIB {
        findings.push(Finding::new("disk_low", place, &values));
    }
    Ok(())
}

/// The embedded fonts cover the usual characters; rare ones in names need one of the system's.
fn fonts(data: &Path, findings: &mut Vec<Finding>) {
    let mut dirs = tianyin_documents::FontOptions::default().system_dirs;
    dirs.push(data.join("fonts"));
    if !dirs.iter().any(|dir| holds_font(dir, 0)) {
        findings.push(Finding::new("fonts_few", dirs[0].display().to_string(), &[]));
    }
}

fn holds_font(dir: &Path, depth: usize) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else { return false };
    entries.flatten().map(|entry| entry.path()).any(|path| {
        let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        let is_font = matches!(ending.as_deref(), Some("ttf" | "otf" | "ttc"));
        is_font || (depth < 6 && path.is_dir() && holds_font(&path, depth + 1))
    })
}

fn port(key: &str, address: SocketAddr, findings: &mut Vec<Finding>) {
    if let Err(e) = TcpListener::bind(address) {
        let (place, reason) = (format!("{key} {address}"), e.to_string());
        findings.push(Finding::new("port_busy", place, &[("reason", &reason)]));
    }
}

/// The journal's times never run back; a clock that does would date records wrongly.
fn clock(on_record: &OnRecord, findings: &mut Vec<Finding>) {
    let now = crate::edge::now();
    let now_text = now.to_string();
    if tianyin_domain::time::china_date(now).year() < FIRST_YEAR {
        findings.push(Finding::new("clock_unset", &now_text, &[]));
        return;
    }
    let Some(last) = on_record.last_time else { return };
    let (passed_s, last) = (now.as_second() - last.as_second(), last.to_string());
    let values = [("last", last.as_str())];
    if passed_s < -CLOCK_BEHIND_S {
        findings.push(Finding::new("clock_behind", &now_text, &values));
    } else if passed_s > CLOCK_AHEAD_S {
        findings.push(Finding::new("clock_ahead", &now_text, &values));
    }
}

fn printers(on_record: &OnRecord, findings: &mut Vec<Finding>) {
    for (id, address) in &on_record.printers {
        let reached = address.to_socket_addrs().map_err(|e| e.to_string()).and_then(|mut found| {
            let address = found.next().ok_or("no address")?;
            TcpStream::connect_timeout(&address, PRINTER_WAIT).map_err(|e| e.to_string())
        });
        if let Err(reason) = reached {
            let place = format!("device/{id} {address}");
            findings.push(Finding::new("printer_unreachable", place, &[("reason", &reason)]));
        }
    }
}
