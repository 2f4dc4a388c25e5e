//! One call: a fresh store with its limits, the guest, and what became of it.

use std::time::Duration;

use wasmtime::{ResourceLimiter, Store, Trap, WasmBacktrace};

use crate::abi;
use crate::convert;
use crate::engine::{CORE_INSTANCES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX};
use crate::error::{Failure, PluginError};
use crate::host::{DecodeInput, Decoded, LogLevel, LogLine, Plugin};
use crate::ticker::ticks;

/// Lines kept of one call.
const LOG_LINES_MAX: usize = 100;
/// Characters kept of one line.
const LOG_CHARS_MAX: usize = 1000;
/// Characters kept of an error's text.
const REASON_CHARS_MAX: usize = 500;

impl Plugin {
    /// Decodes one message in a fresh instance. Blocks at most for the time limit.
    pub fn decode(&self, input: &DecodeInput<'_>) -> Result<Decoded, PluginError> {
        let message = self.message(input).map_err(|failure| self.error(failure, Vec::new()))?;
        let _slot = self.shared.slots.take();
        let mut store = self.store();
        let answer = {
            let _running = self.shared.ticker.running();
            self.decoder
                .instantiate(&mut store)
                .and_then(|guest| guest.call_decode(&mut store, &message))
        };
        let decoded = match answer {
            Ok(Ok(decoded)) => {
                convert::decoded(decoded, input.bytes.len()).map_err(Failure::BadOutput)
            }
            Ok(Err(reason)) => Err(Failure::Refused(cut(&reason, REASON_CHARS_MAX))),
            Err(error) => Err(self.failure(&error, store.data())),
        };
        let logs = store.into_data().into_logs();
        match decoded {
            Ok(decoded) => Ok(Decoded { logs, ..decoded }),
            Err(failure) => Err(self.error(failure, logs)),
        }
    }

    fn message(&self, input: &DecodeInput<'_>) -> Result<abi::results::RawMessage, Failure> {
        let (len, max) = (input.bytes.len(), self.shared.options.input_bytes_max);
        if len > max {
            return Err(Failure::InputTooLarge { len, max });
        }
        let settings = self
            .manifest
            .settings_with_defaults(input.settings)
            .map_err(|error| Failure::Setting(Box::new(error)))?;
        Ok(abi::results::RawMessage {
            bytes: input.bytes.to_vec(),
            received_at: input.received_at.to_string(),
            settings,
        })
    }

    fn store(&self) -> Store<CallState> {
        let mut store = Store::new(&self.shared.engine, CallState::new(self.memory_bytes()));
        store.limiter(|state| state);
        store.set_epoch_deadline(ticks(self.time()));
        store.set_hostcall_fuel(self.shared.options.output_bytes_max);
        store
    }

    fn memory_bytes(&self) -> usize {
        let asked = self
            .manifest
            .limits
            .memory_mib
            .map_or(usize::MAX, |mib| (mib as usize).saturating_mul(1 << 20));
        asked.min(self.shared.options.memory_bytes_max)
    }

    fn time(&self) -> Duration {
        let asked = self
            .manifest
            .limits
            .timeout_ms
            .map_or(Duration::MAX, |ms| Duration::from_millis(ms.into()));
        asked.min(self.shared.options.time_max)
    }

    fn failure(&self, error: &wasmtime::Error, state: &CallState) -> Failure {
        if let Some(wanted) = state.memory_refused {
            return Failure::Memory { wanted, limit: state.memory_bytes_max };
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => {
                let limit_ms = u64::try_from(self.time().as_millis()).unwrap_or(u64::MAX);
                Failure::Timeout { limit_ms }
            }
            // wasmtime has no public type for it.
            None if format!("{error:#}").contains("fuel allocated for hostcalls") => {
                Failure::OutputTooLarge { limit: self.shared.options.output_bytes_max }
            }
            _ => Failure::Trap(cut(&crash(error, state), REASON_CHARS_MAX)),
        }
    }
}

/// Why a guest crashed: the text of its panic, which the guest crate logs last, or the trap and the
/// innermost functions as far as they carry readable names.
fn crash(error: &wasmtime::Error, state: &CallState) -> String {
    if let Some(LogLine { level: LogLevel::Error, text }) = state.logs.last() {
        return text.clone();
    }
    let frames =
        error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
    let mangled = |name: &str| name.starts_with("_R") || name.starts_with("_ZN");
    let names = frames.iter().filter_map(|frame| frame.func_name()).filter(|name| !mangled(name));
    let names: Vec<String> = names.take(6).map(|name| cut(name, 80)).collect();
    let place = if names.is_empty() { String::new() } else { format!(" in {}", names.join(" < ")) };
    format!("{}{place}", error.root_cause())
}

/// State of one call: what the guest logged, and its limits.
pub(crate) struct CallState {
    logs: Vec<LogLine>,
    logs_dropped: usize,
    memory_bytes_max: usize,
    memory_refused: Option<usize>,
}

impl CallState {
    fn new(memory_bytes_max: usize) -> Self {
        Self { logs: Vec::new(), logs_dropped: 0, memory_bytes_max, memory_refused: None }
    }

    fn into_logs(mut self) -> Vec<LogLine> {
        if self.logs_dropped > 0 {
            let text = format!("{} more lines were dropped before the last one", self.logs_dropped);
            self.logs.insert(self.logs.len() - 1, LogLine { level: LogLevel::Warn, text });
        }
        self.logs
    }
}

impl abi::results::Host for CallState {}

impl abi::log::Host for CallState {
    fn log(&mut self, level: abi::log::Level, text: String) {
        let level = match level {
            abi::log::Level::Debug => LogLevel::Debug,
            abi::log::Level::Info => LogLevel::Info,
            abi::log::Level::Warn => LogLevel::Warn,
            abi::log::Level::Error => LogLevel::Error,
        };
        if self.logs.len() == LOG_LINES_MAX {
            // The last line tells most: it may be the text of a panic.
            self.logs.pop();
            self.logs_dropped += 1;
        }
        self.logs.push(LogLine { level, text: cut(&text, LOG_CHARS_MAX) });
    }
}

impl ResourceLimiter for CallState {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired <= self.memory_bytes_max {
            return Ok(true);
        }
        // An error ends the guest; `false` would let it go on and fail somewhere less clear.
        self.memory_refused = Some(desired);
        Err(wasmtime::Error::msg("memory limit"))
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        1
    }
}

/// At most `chars_max` characters, with a mark where more was.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
