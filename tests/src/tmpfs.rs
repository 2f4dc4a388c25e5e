//! A small disk of its own, whose size can be changed while it is in use.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::place;

const INSIDE: &str = "TEST_IN_OWN_NAMESPACE";

/// A mounted tmpfs. Unmounted when dropped.
#[derive(Debug)]
pub struct Tmpfs {
    /// Where it is mounted.
    pub dir: PathBuf,
}

impl Tmpfs {
    /// Mounts one of `kib` on a folder, which is made.
    pub fn mount(dir: &Path, kib: u64) -> Result<Self> {
        unmount_left_over()?;
        std::fs::create_dir_all(dir)?;
        let dir = dir.canonicalize()?;
        let size = format!("size={kib}k");
        mount(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tianyin-test"]).arg(&dir))?;
        Ok(Self { dir })
    }

    /// Changes its size; smaller than what is in it is not possible.
    pub fn resize(&self, kib: u64) -> Result<()> {
        let size = format!("remount,size={kib}k");
        mount(Command::new("mount").args(["-o", &size]).arg(&self.dir))
    }

    /// KiB in use.
    pub fn used_kib(&self) -> Result<u64> {
        let out = Command::new("df").args(["--output=used", "-k"]).arg(&self.dir).output()?;
        let text = String::from_utf8_lossy(&out.stdout);
        let used = text.lines().nth(1).context("df")?;
        Ok(used.trim().parse()?)
    }

    /// Makes the disk so small that this is left.
    pub fn leave_kib(&self, kib: u64) -> Result<()> {
        // What is being written meanwhile may not fit any more: then look again.
        let mut last = Ok(());
        for _ in 0..20 {
            last = self.resize((self.used_kib()? + kib).max(4));
            if last.is_ok() {
                break;
            }
        }
        last
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.dir).status();
    }
}

fn mount(command: &mut Command) -> Result<()> {
    let done = command.output().context("mount")?;
    let told = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{command:?}: {told}");
    Ok(())
}

/// Those of programs that were killed.
fn unmount_left_over() -> Result<()> {
    let all = place::root().join("target/test-data");
    for line in std::fs::read_to_string("/proc/mounts")?.lines() {
        let Some(path) = line.split(' ').nth(1).map(Path::new) else { continue };
        let Ok(rest) = path.strip_prefix(&all) else { continue };
        let name = rest.iter().next().unwrap_or_default().to_string_lossy().into_owned();
        let owner = name.split('-').next().unwrap_or_default();
        if !Path::new("/proc").join(owner).exists() {
            let _ = Command::new("umount").arg("-l").arg(path).status();
        }
    }
    Ok(())
}

/// Runs a test that mounts disks: as root at once, else once more in a namespace of its own, where
/// this user may mount. When neither is possible, the error says why.
pub fn with_mounts(test: &str, run: impl FnOnce()) -> Result<()> {
    let is_root = Command::new("id").arg("-u").output()?.stdout.trim_ascii() == b"0";
    if is_root || std::env::var_os(INSIDE).is_some() {
        run();
        return Ok(());
    }
    let program = std::env::current_exe()?;
    let mut inside = Command::new("unshare");
    inside.args(["--map-root-user", "--mount", "--"]).arg(program);
    let done = inside.args(["--exact", test, "--nocapture"]).env(INSIDE, "1").output()?;
    let told = String::from_utf8_lossy(&done.stderr);
    ensure!(
        done.status.success(),
        "this test mounts small disks: it needs root, or a kernel that lets users have mount \
         namespaces (sysctl kernel.unprivileged_userns_clone). In one of its own it said:\n{}{told}",
        String::from_utf8_lossy(&done.stdout)
    );
    Ok(())
}
