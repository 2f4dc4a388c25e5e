//! The key that codes of packs are made with. A code is the pack's number and the place in it, under a
//! keyed permutation of 75 bits (FF1 with AES-256, NIST SP 800-38G): a generator in counter mode, whose
//! outputs nobody without the key tells from random ones, which never repeats, and which can be read back.
//! So a million codes take no room, and no list of them can be stolen with the store or a backup's index.

use std::path::Path;

use aes::Aes256;
use anyhow::Context as _;
use fpe::ff1::{FF1, FlexibleNumeralString};
use ring::hmac;
use sm3::{Digest as _, Sm3};
use tianyin_domain::code::{self, CODE_LENGTH};
use tianyin_domain::id::Random as _;

use crate::edge::OsRandom;
use crate::keys::write_private;

const FILE: &str = "codes.key";
const KEY_BYTES: usize = 32;
/// Values of 5 bits that hold a number of a pack, and of a code in it.
const PART: usize = 4;
/// Values of a code; those behind the two numbers are zero, or it is none of ours.
const VALUES: usize = CODE_LENGTH - 1;
/// A number under a scratch layer has so many digits.
pub const PIN_DIGITS: usize = 6;

/// Makes codes of packs, and reads them back.
pub struct CodeKey {
    permutation: FF1<Aes256>,
    pins: hmac::Key,
    check: String,
}

impl CodeKey {
    /// Reads the key below `dir`, or makes it where there may be none yet. `known` is the check of the key
    /// that packs on record were made with.
    pub fn open(dir: &Path, known: Option<&str>) -> anyhow::Result<Self> {
        let path = dir.join(FILE);
        if !path.exists() {
            anyhow::ensure!(known.is_none(), "{}", key_gone(&path));
            let mut key = [0u8; KEY_BYTES];
            OsRandom.fill(&mut key);
            write_private(&path, &key)?;
        }
        let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let key = Self::of(&bytes)?;
        let fits = bytes.len() == KEY_BYTES && known.is_none_or(|known| known == key.check);
        anyhow::ensure!(fits, "{}", key_gone(&path));
        Ok(key)
    }

    /// What tells the key of a file from another; `None` when that is no key.
    pub fn check_of(bytes: &[u8]) -> Option<String> {
        let key = (bytes.len() == KEY_BYTES).then(|| Self::of(bytes));
        Some(key?.ok()?.check)
    }

    fn of(bytes: &[u8]) -> anyhow::Result<Self> {
        let derived = |use_of: &str| Sm3::new().chain_update(use_of).chain_update(bytes).finalize();
        let permutation = FF1::<Aes256>::new(&derived("tianyin codes"), 32)
            .map_err(|e| anyhow::anyhow!("code permutation: {e:?}"))?;
        let pins = hmac::Key::new(hmac::HMAC_SHA256, &derived("tianyin scratch"));
        let check = hex::encode(&derived("tianyin check")[..8]);
        Ok(Self { permutation, pins, check })
    }

    /// What tells this key from another, for the record.
    pub fn check(&self) -> &str {
        &self.check
    }

    /// The code with a number in a pack; both below 2^20.
    pub fn code(&self, pack: u32, serial: u32) -> Option<String> {
        let part = |number: u32| (0..PART).rev().map(move |at| ((number >> (5 * at)) & 31) as u16);
        let plain: Vec<u16> =
            part(pack).chain(part(serial)).chain([0; VALUES - 2 * PART]).collect();
        let sealed = self.permutation.encrypt(&[], &FlexibleNumeralString::from(plain)).ok()?;
        let values: Vec<u8> = Vec::<u16>::from(sealed).into_iter().map(|v| v as u8).collect();
        code::of_values(&values)
    }

    /// The pack's number and the place in it that a code was made of; `None` for a code of no pack.
    pub fn place(&self, code: &str) -> Option<(u32, u32)> {
        let values: Vec<u16> = code::values_of(code)?.iter().map(|v| u16::from(*v)).collect();
        let plain = self.permutation.decrypt(&[], &FlexibleNumeralString::from(values)).ok()?;
        let plain = Vec::<u16>::from(plain);
        let (numbers, rest) = plain.split_at_checked(2 * PART)?;
        if rest.iter().any(|v| *v != 0) {
            return None;
        }
        let number = |part: &[u16]| part.iter().fold(0, |n, v| (n << 5) | u32::from(*v));
        let (pack, serial) = numbers.split_at(PART);
        Some((number(pack), number(serial)))
    }

    /// The number under the scratch layer beside a code.
    pub fn pin(&self, code: &str) -> String {
        let tag = hmac::sign(&self.pins, code.as_bytes());
        let head = tag.as_ref().iter().take(8).fold(0u64, |n, byte| (n << 8) | u64::from(*byte));
        format!("{:0PIN_DIGITS$}", head % 10u64.pow(PIN_DIGITS as u32))
    }

    /// Whether a number is the one beside a code. It takes as long for every wrong one, so that nobody
    /// learns its digits one by one.
    pub fn is_pin(&self, code: &str, typed: &str) -> bool {
        let pin = self.pin(code);
        let differing = pin.bytes().zip(typed.bytes()).fold(0, |seen, (a, b)| seen | (a ^ b));
        typed.len() == pin.len() && std::hint::black_box(differing) == 0
    }
}

fn key_gone(path: &Path) -> String {
    let path = path.display();
    format!(
        "码包密钥 {path} 丢失、损坏或被换成了别的密钥:已印的码会全部认不出来。请运行 tianyin doctor --fix --backup \
         备份文件,或从备份取回这个文件 / the key of the code packs is lost, damaged or another one: run \
         `tianyin doctor --fix --backup FILE`, or take {path} from a backup"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use tianyin_domain::code::CodeText;

    use super::*;

    fn key() -> (tempfile::TempDir, CodeKey) {
        let dir = tempfile::tempdir().unwrap();
        let key = CodeKey::open(dir.path(), None).unwrap();
        (dir, key)
    }

    #[test]
    fn a_code_tells_its_place_and_no_two_are_alike() {
        let (_dir, key) = key();
        let mut seen = HashSet::new();
        for pack in [1, 2, (1 << 20) - 1] {
            for serial in (1..200).chain([1_000_000]) {
                let code = key.code(pack, serial).unwrap();
                assert_eq!(code::parse(&code), CodeText::Valid(code.clone()));
                assert_eq!(key.place(&code), Some((pack, serial)));
                let pin = key.pin(&code);
                assert_eq!(pin.len(), PIN_DIGITS);
                assert!(key.is_pin(&code, &pin) && !key.is_pin(&code, &pin[1..]));
                assert!(!key.is_pin(&code, &format!("{pin}0")) && !key.is_pin(&code, ""));
                let last = if pin.ends_with('0') { "1" } else { "0" };
                assert!(!key.is_pin(&code, &format!("{}{last}", &pin[..PIN_DIGITS - 1])));
                assert!(seen.insert(code));
            }
        }
    }

    /// Neighbours share nothing: on average one letter in 32 is the same by chance.
    #[test]
    fn neighbours_are_not_alike() {
        let (_dir, key) = key();
        let codes: Vec<String> = (1..=400).map(|serial| key.code(7, serial).unwrap()).collect();
        let alike: usize = codes
            .windows(2)
            .map(|two| two[0].bytes().zip(two[1].bytes()).filter(|(a, b)| a == b).count())
            .sum();
        let per_pair = alike as f64 / (codes.len() - 1) as f64;
        assert!((0.2..1.0).contains(&per_pair), "{per_pair} letters alike of 16, expected 0.5");
    }

    #[test]
    fn what_was_drawn_or_made_by_another_key_is_of_no_pack() {
        let (_dir, key) = key();
        let (_other_dir, other) = self::key();
        for serial in 1..200 {
            assert_eq!(key.place(&other.code(1, serial).unwrap()), None);
            assert_eq!(key.place(&code::draw(&mut OsRandom)), None);
        }
        assert_eq!(key.place("short"), None);
    }

    #[test]
    fn a_lost_or_exchanged_key_is_told() {
        let (dir, key) = key();
        let known = key.check().to_owned();
        assert_eq!(CodeKey::open(dir.path(), Some(&known)).unwrap().check(), known);
        let file = std::fs::read(dir.path().join(FILE)).unwrap();
        assert_eq!(CodeKey::check_of(&file), Some(known.clone()));
        assert_eq!(CodeKey::check_of(&file[1..]), None);
        assert_ne!(CodeKey::check_of(&[0; KEY_BYTES]), Some(known.clone()));
        assert!(CodeKey::open(dir.path(), Some("0000000000000000")).is_err());
        std::fs::remove_file(dir.path().join(FILE)).unwrap();
        assert!(CodeKey::open(dir.path(), Some(&known)).is_err());
        assert!(!dir.path().join(FILE).exists(), "no new key in its place");
    }
}
