//! Who sits at the command line: an account of the operating system.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tianyin_domain::Actor;

/// Bytes of an account's name that are kept.
const NAME_BYTES_MAX: usize = 32;

/// An account of the operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Its number.
    pub uid: u32,
    /// Its name, or its number when it has none.
    pub name: String,
}

impl Who {
    /// The account with this number.
    pub fn of(uid: u32) -> Self {
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = name_in(&accounts, uid).unwrap_or_else(|| uid.to_string());
        Self { uid, name }
    }

    /// The account of this process.
    pub fn me() -> std::io::Result<Self> {
        // The kernel gives a process's folder to whoever it runs as.
        Ok(Self::of(std::fs::metadata("/proc/self")?.uid()))
    }

    /// The owner of a file or folder.
    pub fn owner_of(path: &Path) -> std::io::Result<Self> {
        Ok(Self::of(std::fs::metadata(path)?.uid()))
    }

    /// As the journal names it: `system/cli/root(0)`.
    pub fn actor(&self) -> Actor {
        Actor::system(&format!("cli/{}({})", self.name, self.uid))
    }
}

/// The name in the format of passwd(5).
fn name_in(accounts: &str, uid: u32) -> Option<String> {
    let of_uid = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let found = fields.nth(1)?.parse::<u32>().ok()?;
        let plain = name.bytes().all(|b| b.is_ascii_graphic());
        (found == uid && plain && !name.is_empty() && name.len() <= NAME_BYTES_MAX)
            .then(|| name.to_owned())
    };
    accounts.lines().find_map(of_uid)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_come_from_passwd() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\nbad line\n:x:7:7::/:\ntianyin:x:998:998::/var/lib/tianyin:/sbin/nologin\n";
        assert_eq!(name_in(accounts, 998).unwrap(), "tianyin");
        assert_eq!(name_in(accounts, 0).unwrap(), "root");
        assert_eq!((name_in(accounts, 7), name_in(accounts, 5)), (None, None));
        let who = Who { uid: 0, name: "root".into() };
        assert_eq!(who.actor().name(), "system/cli/root(0)");
        assert_eq!(Who::of(4_000_000_000).name, "4000000000");
    }
}
