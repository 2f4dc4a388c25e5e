//! The world outside the pure kernel: the clock, random bits, small digests.

use sha2::{Digest, Sha256};
use tianyin_domain::Time;
use tianyin_domain::id::Random;

/// The operating system's random generator.
#[derive(Debug, Default, Clone, Copy)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&mut self, buf: &mut [u8]) {
        if let Err(e) = getrandom::fill(buf) {
            // Codes and tokens made without randomness would be guessable: nothing can go on.
            tracing::error!(error = %e, "the operating system gives no random bytes");
            std::process::abort();
        }
    }
}

/// Now, in whole milliseconds.
pub fn now() -> Time {
    tianyin_domain::time::to_millisecond(Time::now())
}

/// A token of 256 random bits, URL-safe base64.
pub fn new_token() -> String {
    use base64::Engine as _;
    let mut bytes = [0u8; 32];
    OsRandom.fill(&mut bytes);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// SHA-256 in hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
