//! The watchman: one thread that looks at the disks every half second, and at what depends on them.

use std::sync::{Arc, Weak};
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
            if app.clock.take_healed() {
                app.catch_up_beside();
            }
            drop(app);
            std::thread::sleep(EVERY);
        }
    })
}

impl App {
    /// What waited for space or for the right time is looked at again. The lanes may be full, so not
    /// here; what is done already is known by its status or key.
    fn catch_up_beside(self: &Arc<Self>) {
        let app = self.clone();
        let work = move || {
            if let Err(e) = app.catch_up() {
                tracing::error!(error = %e, "what waited was not taken up");
            }
        };
        if let Err(e) = std::thread::Builder::new().name("catch-up".into()).spawn(work) {
            tracing::error!(error = %e, "what waited was not taken up");
        }
    }

    fn watch_space(self: &Arc<Self>) {
        let gate = self.writer.gate();
        if gate.reason().is_none() && self.store.probe().is_err() {
            self.writer.look_at_store();
        }
        if gate.to_mend() && self.space.is_enough() {
            self.writer.mend();
        }
        self.space.check(gate);
        // The writer looks at the disks, too, and may have opened it.
        if gate.take_opened() {
            tracing::info!("there is space again: no longer read-only");
            self.catch_up_beside();
        }
        self.space.keep_ballast();
    }
}
