//! Identifiers: a short prefix that tells the noun, and 26 characters of time and randomness.

use crate::time::Time;

/// Crockford's base 32: no I, L, O, U, so that no two characters look alike.
pub const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Where ids and codes get their random bits. The appliance hands in the operating system's
/// generator, tests a counter.
pub trait Random {
    /// Fills `buf` with random bytes.
    fn fill(&mut self, buf: &mut [u8]);
}

/// A new id such as `op_01KAQ…`: `prefix`, 48 bits of milliseconds, 80 random bits (ULID layout), so
/// that ids of one noun sort by creation.
pub fn new_id(prefix: &str, time: Time, random: &mut dyn Random) -> String {
    let mut bytes = [0u8; 16];
    random.fill(&mut bytes[6..]);
    let ms = u64::try_from(time.as_millisecond()).unwrap_or(0);
    bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
    from_value(prefix, u128::from_be_bytes(bytes))
}

/// The id with these 128 bits.
pub fn from_value(prefix: &str, value: u128) -> String {
    let mut out = String::with_capacity(prefix.len() + 27);
    out.push_str(prefix);
    out.push('_');
    for i in (0..26).rev() {
        out.push(CROCKFORD[(value >> (i * 5)) as usize & 31] as char);
    }
    out
}

/// The 128 bits of an id; `None` for what is none.
pub fn value_of(id: &str) -> Option<u128> {
    let (_, digits) = id.rsplit_once('_')?;
    // 26 digits of 5 bits are 130: the first holds 3.
    if digits.len() != 26 || digits.as_bytes().first().is_none_or(|first| *first > b'7') {
        return None;
    }
    digits.bytes().try_fold(0_u128, |value, digit| {
        let at = CROCKFORD.iter().position(|one| *one == digit)?;
        Some((value << 5) | at as u128)
    })
}

/// A repeatable source for tests: SplitMix64 from a seed.
#[derive(Debug, Clone)]
pub struct SeededRandom(pub u64);

impl Random for SeededRandom {
    fn fill(&mut self, buf: &mut [u8]) {
        for chunk in buf.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let bytes = (z ^ (z >> 31)).to_le_bytes();
            let n = chunk.len();
            chunk.copy_from_slice(&bytes[..n]);
        }
    }
}
