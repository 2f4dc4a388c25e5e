//! Takes up new certificates while the appliance runs: by looking at the files, and on SIGHUP.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::TlsStatus;
use crate::app::App;
use crate::edge::now;

/// Between two looks at the imported files.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Looks between two checks of the own certificate's age and names: a minute.
const OWN_EVERY: u32 = 20;

impl App {
    /// Reads the certificate files again and uses what they hold for new connections; those that
    /// stand go on. `None` when nothing listens with TLS. Reads files: not for a thread that must
    /// not wait.
    ///
    /// # Errors
    /// The files cannot be used; the certificate in use stays.
    pub fn reload_tls(&self) -> anyhow::Result<Option<TlsStatus>> {
        let Some(tls) = &self.tls else { return Ok(None) };
        tls.reload(self.public_url().as_deref(), now()).map(Some)
    }

    fn refresh_tls(&self, check_own: bool) {
        if let Some(tls) = &self.tls {
            tls.refresh(self.public_url().as_deref(), check_own, now());
        }
    }

    /// The address printed in QR codes, once the county has one.
    fn public_url(&self) -> Option<String> {
        self.county().ok().flatten().map(|county| county.public_url)
    }
}

/// Runs until the appliance is gone.
pub async fn watch(app: Weak<App>) {
    let mut hang_up = match signal(SignalKind::hangup()) {
        Ok(hang_up) => Some(hang_up),
        Err(e) => {
            tracing::warn!(error = %e, "SIGHUP is not heard");
            None
        }
    };
    for look in 1u32.. {
        let asked = tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => false,
            heard = async {
                match &mut hang_up {
                    Some(signal) => signal.recv().await,
                    None => std::future::pending().await,
                }
            } => heard.is_some(),
        };
        let Some(app) = app.upgrade() else { return };
        let work = move || work(&app, asked, look.is_multiple_of(OWN_EVERY));
        if let Err(e) = tokio::task::spawn_blocking(work).await {
            tracing::error!(error = %e, "looking after the certificate failed");
        }
    }
}

fn work(app: &Arc<App>, asked: bool, check_own: bool) {
    if !asked {
        return app.refresh_tls(check_own);
    }
    match app.reload_tls() {
        Ok(Some(status)) => {
            tracing::info!(fingerprint = status.fingerprint, "certificate read again")
        }
        Ok(None) => tracing::info!("SIGHUP: nothing listens with TLS"),
        // Logged where it happened.
        Err(_) => {}
    }
}
