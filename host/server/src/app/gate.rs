//! Whether anything is taken in, and why not. One gate before the writer, read by everybody.

use parking_lot::RwLock;

/// Too little space, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// The folder whose disk is short.
    pub folder: String,
    /// What is left, MiB.
    pub free_mib: u64,
    /// How much has to be freed before it goes on, MiB.
    pub need_mib: u64,
}

/// Why nothing is taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadOnly {
    /// Too little space. It ends by itself once there is space again.
    DiskFull(Shortage),
    /// What is on disk is not known any more; a restart finds out.
    Broken(String),
}

impl ReadOnly {
    /// Whether it ends without a restart.
    pub fn heals(&self) -> bool {
        matches!(self, Self::DiskFull(_))
    }
}

impl From<&str> for ReadOnly {
    fn from(reason: &str) -> Self {
        Self::Broken(reason.to_owned())
    }
}

impl std::fmt::Display for ReadOnly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DiskFull(Shortage { folder, free_mib, need_mib }) => {
                write!(f, "disk of {folder} is full: {free_mib} MiB left, free {need_mib} MiB more")
            }
            Self::Broken(reason) => f.write_str(reason),
        }
    }
}

/// The gate.
#[derive(Debug, Default)]
pub struct Gate(RwLock<Shut>);

#[derive(Debug, Default)]
struct Shut {
    broken: Option<String>,
    shortage: Option<Shortage>,
    /// A write found the disk full: the writer has to put itself right before it goes on.
    to_mend: bool,
    /// It was opened, and nobody has taken up yet what waited for that.
    opened: bool,
}

impl Gate {
    /// Why nothing is taken in, if so.
    pub fn reason(&self) -> Option<ReadOnly> {
        let shut = self.0.read();
        if let Some(reason) = &shut.broken {
            return Some(ReadOnly::Broken(reason.clone()));
        }
        shut.shortage.clone().map(ReadOnly::DiskFull)
    }

    /// Shuts it until the next start.
    pub fn shut_for_good(&self, reason: &str) {
        self.0.write().broken = Some(reason.to_owned());
    }

    /// Shuts it until there is space, with work for the writer before it opens again.
    pub fn shut_full(&self, shortage: Shortage) {
        let mut shut = self.0.write();
        (shut.shortage, shut.to_mend) = (Some(shortage), true);
    }

    /// Shuts it, or tells newer numbers.
    pub fn shut_low(&self, shortage: Shortage) {
        self.0.write().shortage = Some(shortage);
    }

    /// Opens it when space was all that was missing.
    pub fn open(&self) {
        let mut shut = self.0.write();
        if !shut.to_mend && shut.shortage.take().is_some() && shut.broken.is_none() {
            shut.opened = true;
        }
    }

    /// Whether it was opened since this was last asked.
    pub fn take_opened(&self) -> bool {
        std::mem::take(&mut self.0.write().opened)
    }

    /// Whether the writer has to put itself right.
    pub fn to_mend(&self) -> bool {
        self.0.read().to_mend
    }

    /// The writer has put itself right.
    pub fn mended(&self) {
        self.0.write().to_mend = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short() -> Shortage {
        Shortage { folder: "/d".into(), free_mib: 1, need_mib: 9 }
    }

    #[test]
    fn it_opens_by_itself_only_for_want_of_space() {
        let gate = Gate::default();
        gate.open();
        assert!(gate.reason().is_none() && !gate.take_opened());
        gate.shut_low(short());
        assert!(gate.reason().is_some_and(|r| r.heals()));
        gate.open();
        assert!(gate.reason().is_none() && gate.take_opened() && !gate.take_opened());

        gate.shut_full(short());
        gate.open();
        assert!(gate.to_mend() && !gate.take_opened() && gate.reason().is_some());
        gate.mended();
        gate.open();
        assert!(gate.take_opened());

        gate.shut_low(short());
        gate.shut_for_good("sync failed");
        gate.open();
        assert!(!gate.take_opened());
        assert!(gate.reason().is_some_and(|r| !r.heals()));
    }
}
