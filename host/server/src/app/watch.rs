//! The watchman: one thread that looks at the disks every half second, and at what depends on them.

use std::sync::Weak;
use std::thread::JoinHandle;
use std::time::Duration;

use super::App;

/// Pause between two looks.
pub const EVERY: Duration = Duration::from_millis(500);

/// Watches until the application is gone.
pub fn start(app: Weak<App>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("watch".into()).spawn(move || {
        while let Some(app) = app.upgrade() {
            app.watch_space();
            drop(app);
            std::thread::sleep(EVERY);
        }
    })
}

impl App {
    fn watch_space(&self) {
        let gate = self.writer.gate();
        if gate.to_mend() && self.space.is_enough() {
            self.writer.mend();
        }
        if self.space.check(gate) {
            tracing::info!("there is space again: no longer read-only");
        }
        self.space.keep_ballast();
    }
}
