//! Decoder of the LZ-4000T residue analyzer (enzyme inhibition): frames of its serial protocol in,
//! canonical results out. What it must survive is told in `README.md` beside this crate.

pub mod frame;
pub mod message;
pub mod name;
pub mod record;

use tianyin_plugin::{Decoded, Decoder, RawMessage, export_decoder, setting};

use message::Settings;

/// The plugin.
pub struct Lz4000t;

impl Decoder for Lz4000t {
    fn decode(message: RawMessage) -> Result<Decoded, String> {
        let settings = Settings::read(|key| setting(&message, key))?;
        message::decode(&message.bytes, settings)
    }
}

export_decoder!(Lz4000t);
