//! Waiting for something to become true, never longer than said.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const POLL: Duration = Duration::from_millis(10);

/// Asks again and again until there is an answer. An error of the question itself ends the wait.
pub fn until<T>(
    what: &str,
    timeout: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if started.elapsed() > timeout {
            bail!("waited {:.1} s in vain for {what}", timeout.as_secs_f64());
        }
        std::thread::sleep(POLL);
    }
}
