//! What goes wrong on the line, for tests.

use super::START;

/// Damage to one frame, each observed on such devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The start byte comes twice.
    DoubledStart,
    /// These bytes come first.
    GarbageBefore(Vec<u8>),
    /// The check byte is wrong.
    CorruptedCrc,
    /// Only the first so many bytes arrive.
    Truncated(usize),
}

impl Fault {
    /// The damaged frame.
    pub fn apply(&self, frame: &[u8]) -> Vec<u8> {
        match self {
            Self::DoubledStart => [&[START], frame].concat(),
            Self::GarbageBefore(garbage) => [garbage, frame].concat(),
            Self::CorruptedCrc => {
                let mut out = frame.to_vec();
                if let Some(crc) = out.iter_mut().rev().nth(1) {
                    *crc ^= 0xFF;
                }
                out
            }
            Self::Truncated(bytes) => frame[..(*bytes).min(frame.len())].to_vec(),
        }
    }
}
