//! Bindings of the WIT package, version 0.1. A later version gets a module beside this one.

/// Version of the WIT package this host offers, as `plugin.toml` names it.
pub(crate) const API: &str = "0.1";
/// The one world so far.
pub(crate) const WORLD: &str = "decoder";

#[allow(missing_docs, reason = "generated code; the shapes are documented in sdk/wit")]
mod generated {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit",
        world: "decoder",
    });
}

pub(crate) use generated::tianyin::plugin::{log, results};
pub(crate) use generated::{Decoder, DecoderPre};
