//! The plugin's log: one stream per plugin, shown by the host beside the call.

pub use crate::bindings::tianyin::plugin::log::Level;

/// Adds a line.
pub fn line(level: Level, text: &str) {
    #[cfg(target_family = "wasm")]
    crate::bindings::tianyin::plugin::log::log(level, text);
    #[cfg(not(target_family = "wasm"))]
    eprintln!("{level:?}: {text}");
}

/// Adds a line for the plugin's author.
pub fn debug(text: &str) {
    line(Level::Debug, text);
}

/// Adds a line.
pub fn info(text: &str) {
    line(Level::Info, text);
}

/// Adds a line about something unexpected.
pub fn warn(text: &str) {
    line(Level::Warn, text);
}

/// Adds a line about something that failed.
pub fn error(text: &str) {
    line(Level::Error, text);
}

/// Sends the text of a panic to the log before the guest traps: the trap alone says only
/// `unreachable`. Called by the export macros.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| error(&panic.to_string())));
}
