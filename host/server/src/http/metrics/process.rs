//! What the operating system knows of this process, from `/proc`, and the sizes of our folders. What
//! cannot be read is 0.

use std::path::Path;

/// Ticks of processor time per second; fixed on Linux for programs.
const TICKS_PER_S: f64 = 100.0;
/// Files looked at in one folder.
const FILES_MAX: usize = 100_000;

/// The process now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Process {
    /// Memory in use, bytes.
    pub resident_bytes: u64,
    /// Open files, sockets among them.
    pub open_files: u64,
    /// Files that may be open.
    pub open_files_max: u64,
    /// Threads.
    pub threads: u64,
    /// Time of the processors spent.
    pub cpu_seconds: f64,
}

impl Process {
    /// Reads `/proc/self`.
    pub fn read() -> Self {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}"));
        let status = read("status").unwrap_or_default();
        let limits = read("limits").unwrap_or_default();
        let open_files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        Self {
            resident_bytes: number_after(&status, "VmRSS:") * 1024,
            open_files: open_files as u64,
            open_files_max: number_after(&limits, "Max open files"),
            threads: number_after(&status, "Threads:"),
            cpu_seconds: cpu_seconds(&read("stat").unwrap_or_default()),
        }
    }
}

fn number_after(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// User and system time: the 14th and 15th field, counted behind the name, which may hold anything.
fn cpu_seconds(stat: &str) -> f64 {
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = behind_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_S
}

/// Sizes of journal and store on disk, bytes.
pub fn folders(data: &Path) -> [(&'static str, u64); 2] {
    // After a rebuild in use the store has another name until the next start.
    let store = data.join("store");
    let store = tianyin_store::folder_in_use(&store).unwrap_or(store);
    [("journal", data.join("journal")), ("store", store)]
        .map(|(part, folder)| (part, folder_bytes(&folder, 2)))
}

fn folder_bytes(dir: &Path, depth: usize) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let sizes = entries.flatten().take(FILES_MAX).map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() && depth > 0 => folder_bytes(&entry.path(), depth - 1),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive() {
        let p = Process::read();
        assert!(p.resident_bytes > 1 << 20 && p.threads > 0 && p.open_files > 2, "{p:?}");
        assert!(p.open_files_max >= p.open_files, "{p:?}");
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "1 (a) b) S 1 1 1 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0";
        assert!((cpu_seconds(stat) - 2.0).abs() < 1e-9);
    }
}
