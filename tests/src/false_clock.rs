//! A clock that a test sets: Debian's libfaketime reads the offset from a file at every call.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "for tests only, which tell the place")]

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::appliance::Setting;

/// The clock of an appliance whose setting it was put into.
pub struct FalseClock(PathBuf);

impl FalseClock {
    /// Puts one into a setting. It shows the true time to begin with.
    pub fn on(setting: &mut Setting) -> Self {
        let library = Path::new("/usr/lib")
            .read_dir()
            .unwrap()
            .flatten()
            .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"))
            .find(|path| path.exists())
            .expect("libfaketime is missing: apt-get install faketime");
        let file = setting.data.with_extension("clock");
        let mut set = |name: &str, value: &str| {
            setting.environment.push((name.to_owned(), value.to_owned()));
        };
        set("LD_PRELOAD", library.to_str().unwrap());
        set("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap());
        set("FAKETIME_NO_CACHE", "1");
        // As on a real machine, the uptime goes on whatever is done to the clock.
        set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let clock = Self(file);
        clock.set_s(0);
        clock
    }

    /// Seconds ahead of the true time.
    pub fn set_s(&self, ahead_s: i64) {
        let next = self.0.with_extension("next");
        std::fs::write(&next, format!("{ahead_s:+}\n")).unwrap();
        std::fs::rename(next, &self.0).unwrap();
    }

    /// The second since 1970 that it shows now; it goes on from there.
    pub fn set_second(&self, second: i64) {
        let true_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.set_s(second - i64::try_from(true_s).unwrap());
    }
}
