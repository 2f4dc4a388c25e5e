//! What can go wrong, said so that somebody can act on it.

use tianyin_package::SettingError;

use crate::host::LogLine;

/// The host itself cannot work.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// wasmtime cannot start on this machine.
    #[error("the plugin runtime cannot start: {0}")]
    Engine(String),
    /// No thread for the clock of the plugins.
    #[error("no thread for the time limit of plugins: {0}")]
    Thread(std::io::Error),
}

/// A plugin failed. The host goes on, and so do other calls of the same plugin.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("plugin {plugin} {version}: {failure}")]
pub struct PluginError {
    /// Id of the plugin.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// What happened.
    pub failure: Failure,
    /// What the plugin logged until then; a panic's text is its last line.
    pub logs: Vec<LogLine>,
}

/// What happened to a plugin.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Built for another version of the interface.
    #[error("needs plugin interface {needs}, this host offers {}", crate::abi::API)]
    Api {
        /// Version it was built for.
        needs: String,
    },
    /// Implements a world this host does not run.
    #[error("implements world {world:?}, this host runs {:?}", crate::abi::WORLD)]
    World {
        /// World it implements.
        world: String,
    },
    /// The component is damaged, or imports or exports something else than its world.
    #[error("the component cannot be used: {0}")]
    Component(String),
    /// Its own test vectors fail, so it is not loaded.
    #[error("its own cases fail: {0}")]
    Cases(String),
    /// A setting does not fit the plugin.
    #[error("{0}")]
    Setting(Box<SettingError>),
    /// The message is larger than the host allows.
    #[error("the message has {len} bytes, at most {max} are allowed")]
    InputTooLarge {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The plugin says that the message cannot be decoded.
    #[error("cannot decode the message: {0}")]
    Refused(String),
    /// Used more time than it may.
    #[error("stopped after {limit_ms} ms, its time limit")]
    Timeout {
        /// The limit.
        limit_ms: u64,
    },
    /// Asked for more memory than it may.
    #[error("stopped: wanted {wanted} bytes of memory, {limit} are allowed")]
    Memory {
        /// What it asked for.
        wanted: usize,
        /// The limit.
        limit: usize,
    },
    /// Gave more data than the host takes.
    #[error("stopped: gave more than {limit} bytes at once")]
    OutputTooLarge {
        /// The limit.
        limit: usize,
    },
    /// Crashed.
    #[error("crashed: {0}")]
    Trap(String),
    /// Answered something that is no valid result.
    #[error("gave a bad answer: {0}")]
    BadOutput(String),
}
