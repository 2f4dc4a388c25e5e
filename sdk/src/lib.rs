//! Guest side of Tianyin plugins: types of the WIT package `tianyin:plugin`, a log, and the macro
//! that turns an implementation into a component's exports.
//!
//! ```
//! use tianyin_plugin::{Decoded, Decoder, RawMessage, export_decoder};
//!
//! struct Mine;
//!
//! impl Decoder for Mine {
//!     fn decode(message: RawMessage) -> Result<Decoded, String> {
//!         if message.bytes.is_empty() { Err("the message is empty".into()) } else { Ok(Decoded::default()) }
//!     }
//! }
//!
//! export_decoder!(Mine);
//! # assert!(Mine::decode(RawMessage { bytes: vec![], received_at: String::new(), settings: vec![] }).is_err());
//! ```
//!
//! The crate compiles natively too, so that a plugin's logic is tested with a plain `cargo test`;
//! natively the log goes to standard error and nothing is exported.

mod defaults;
pub mod log;

/// Generated from `sdk/wit`; the shapes are documented there.
#[allow(missing_docs, unsafe_code, clippy::all, reason = "generated code")]
pub mod bindings {
    wit_bindgen::generate!({
        world: "decoder",
        path: "wit",
        pub_export_macro: true,
        default_bindings_module: "tianyin_plugin::bindings",
        runtime_path: "::tianyin_plugin::wit_bindgen::rt",
        additional_derives: [PartialEq],
        generate_all,
    });
}

pub use bindings::tianyin::plugin::results::{
    Decoded, DeviceClock, DeviceInfo, DeviceLimit, DeviceVerdict, Item, Measurement, Method,
    Person, Problem, Qualifier, RawMessage, RawReadings, ResultKind, Sample, Value, ValueKind,
};
#[doc(hidden)]
pub use wit_bindgen;

extern crate self as tianyin_plugin;

/// A plugin of world `decoder`.
pub trait Decoder {
    /// Turns one message of a device into results; an error says why nothing could be decoded.
    fn decode(message: RawMessage) -> Result<Decoded, String>;
}

/// The value of a setting. The host fills in defaults, so a missing one means a message that did
/// not come through the host, such as in a native test.
pub fn setting<'a>(message: &'a RawMessage, key: &str) -> Option<&'a str> {
    message.settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

/// Exports a type that implements [`Decoder`] as the plugin. Does nothing in a native build.
#[rustfmt::skip]
#[macro_export]
macro_rules! export_decoder {
    ($decoder:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Exported;
            impl $crate::bindings::Guest for Exported {
                fn decode(
                    message: $crate::RawMessage,
                ) -> ::core::result::Result<$crate::Decoded, ::std::string::String> {
                    $crate::log::report_panics();
                    <$decoder as $crate::Decoder>::decode(message)
                }
            }
            $crate::bindings::export!(Exported with_types_in $crate::bindings);
        };
    };
}
