//! The clock that plugins are stopped by: a thread that advances wasmtime's epoch while calls run,
//! and sleeps while none does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// Length of one epoch, so the precision of the time limit.
const TICK: Duration = Duration::from_millis(10);

/// How many epochs a time limit lasts; the first may begin just before its end.
pub(crate) fn ticks(limit: Duration) -> u64 {
    u64::try_from(limit.as_millis().div_ceil(TICK.as_millis()))
        .unwrap_or(u64::MAX / 2)
        .saturating_add(1)
}

/// Owns the thread; dropping it ends the thread.
pub(crate) struct Ticker {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    calls: AtomicUsize,
    stop: AtomicBool,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let state = Arc::new(State::default());
        let (seen, weak) = (state.clone(), engine.weak());
        let thread = std::thread::Builder::new()
            .name("plugin-clock".into())
            .spawn(move || run(&seen, &weak))?;
        Ok(Self { state, thread: Some(thread) })
    }

    /// The epoch advances while what is returned lives.
    pub(crate) fn running(&self) -> Running<'_> {
        if self.state.calls.fetch_add(1, Ordering::SeqCst) == 0 {
            self.wake();
        }
        Running(&self.state.calls)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It does nothing that can panic.
            let _ = thread.join();
        }
    }
}

/// A call in progress.
pub(crate) struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn run(state: &State, engine: &EngineWeak) {
    while !state.stop.load(Ordering::SeqCst) {
        if state.calls.load(Ordering::SeqCst) == 0 {
            // An unpark between the check and this line is not lost: park returns at once.
            std::thread::park();
            continue;
        }
        std::thread::sleep(TICK);
        match engine.upgrade() {
            Some(engine) => engine.increment_epoch(),
            None => return,
        }
    }
}
