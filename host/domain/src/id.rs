//! Identifiers: a short prefix that tells the noun, and 26 characters of time and randomness.

use crate::time::Time;

/// Crockford's base 32: no I, L, O, U, so that no two characters look alike.
pub const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Where ids and codes get their random bits. The appliance hands in the operating system's
/// generator, tests a counter.
pub trait Random {
    /// Fills `buf` with random bytes.
    fn fill(&mut self, buf: &mut [u8]);

    /// The 128 bits of an id that is made at `ms`: 48 bits of milliseconds, 80 random bits (ULID layout).
    fn id_value(&mut self, ms: u64) -> u128 {
        let mut bytes = [0u8; 16];
        self.fill(&mut bytes[6..]);
        bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
        u128::from_be_bytes(bytes)
    }
}

/// A new id such as `op_01KAQ…`: `prefix`, milliseconds, random bits, so that ids of one noun sort by
/// creation; those of one millisecond, too, where `random` is [`Rising`].
pub fn new_id(prefix: &str, time: Time, random: &mut dyn Random) -> String {
    let ms = u64::try_from(time.as_millisecond()).unwrap_or(0);
    from_value(prefix, random.id_value(ms))
}

/// The random bits of an id that the first of a millisecond leaves to those after it.
const ROOM: u128 = 1 << 79;
/// By how much the next id of a millisecond is greater, at most: nobody guesses it from the one before, and
/// its last digits, which people are told, are as random as those of any other.
const STEP_MAX: u128 = 1 << 56;

/// Ids that are greater each than the one before, whenever they are made. What else is drawn, such as
/// codes, stays as random as its source.
#[derive(Debug, Clone, Default)]
pub struct Rising<R> {
    random: R,
    last: u128,
}

impl<R: Random> Random for Rising<R> {
    fn fill(&mut self, buf: &mut [u8]) {
        self.random.fill(buf);
    }

    fn id_value(&mut self, ms: u64) -> u128 {
        let drawn = self.random.id_value(ms);
        // A millisecond has room for 2^23 ids; the next would only be of a later one.
        self.last = match drawn >> 80 > self.last >> 80 {
            true => drawn & !ROOM,
            false => self.last + 1 + drawn % STEP_MAX,
        };
        self.last
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn rising(seed: u64) -> Rising<SeededRandom> {
        Rising { random: SeededRandom(seed), last: 0 }
    }

    fn at(ms: i64) -> Time {
        Time::from_millisecond(ms).unwrap_or(Time::UNIX_EPOCH)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn ids_of_one_millisecond_rise(seed: u64, ms in 1i64..4_000_000_000_000) {
            let mut random = rising(seed);
            let made = (0..10_000).map(|_| new_id("lot", at(ms), &mut random));
            let ids: Vec<String> = made.collect();
            prop_assert!(ids.windows(2).all(|two| two[0] < two[1]));
            // All of them are of their millisecond.
            let of = |id: &String| value_of(id).map(|value| value >> 80);
            prop_assert!(ids.iter().all(|id| of(id) == u128::try_from(ms).ok()));
            // A clerk finds each by its last eight digits.
            let tails: BTreeSet<&str> = ids.iter().map(|id| &id[id.len() - 8..]).collect();
            prop_assert!(tails.len() >= ids.len() - 1);
        }

        #[test]
        fn ids_rise_whatever_the_clock_does(
            seed: u64,
            times in prop::collection::vec(1i64..50, 1..200),
        ) {
            let mut random = rising(seed);
            let made = times.iter().map(|ms| new_id("lot", at(*ms), &mut random));
            let ids: Vec<String> = made.collect();
            prop_assert!(ids.windows(2).all(|two| two[0] < two[1]));
        }

        #[test]
        fn codes_are_drawn_as_ever(seed: u64) {
            let (mut plain, mut random) = (SeededRandom(seed), rising(seed));
            new_id("lot", at(7), &mut plain);
            new_id("lot", at(7), &mut random);
            prop_assert_eq!(crate::code::draw(&mut plain), crate::code::draw(&mut random));
        }
    }

    #[test]
    fn the_next_id_is_far_from_the_last() {
        let mut random = rising(1);
        let values: Vec<u128> = (0..1_000).map(|_| random.id_value(7)).collect();
        let steps: BTreeSet<u128> = values.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(steps.len(), 999);
        assert!(steps.iter().all(|step| *step <= STEP_MAX));
        assert!(steps.iter().any(|step| *step > STEP_MAX / 2));
    }
}
