use std::collections::BTreeMap;

use crate::error::{StoreError, guard};
use crate::key;
use crate::store::Store;

/// Keys that differ at first sight and are looked at again; with more, the store is another one.
const SUSPECTS_MAX: usize = 10_000;
/// A key that keeps changing while it is looked at is taken for sound after so many looks.
const LOOKS_MAX: usize = 50;

/// A key on which a store and its rebuild do not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What the key holds: `record`, `index`, `count` or `version`.
    pub kind: &'static str,
    /// Its components: table and id, or index, part, sort key and id.
    pub key: String,
    /// What is wrong in the store: `missing`, `extra` or `other`.
    pub fault: &'static str,
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Keys compared.
    pub keys: u64,
    /// The first differences in the order of keys.
    pub differences: Vec<Difference>,
    /// There may be more than these.
    pub more: bool,
}

impl Store {
    /// Compares every key with those of `fresh`, a store built anew from the journal, and gives at
    /// most `differences_max`. This store may be written meanwhile: what differs is looked at again
    /// after `catch_up(seq)` has brought `fresh` to the line that this store is at.
    pub fn compare<E: From<StoreError>>(
        &self,
        fresh: &Self,
        differences_max: usize,
        catch_up: &mut dyn FnMut(u64) -> Result<(), E>,
    ) -> Result<Comparison, E> {
        catch_up(guard(|| self.number(key::APPLIED))?)?;
        let (keys, suspects) = guard(|| suspects(&drained(self)?, &drained(fresh)?))?;
        let mut found =
            Comparison { keys, more: suspects.len() >= SUSPECTS_MAX, ..Default::default() };
        for suspect in suspects {
            if found.differences.len() == differences_max {
                found.more = true;
                break;
            }
            if let Some(fault) = self.fault(fresh, &suspect, catch_up)? {
                let (kind, key) = name(&suspect);
                found.differences.push(Difference { kind, key, fault });
            }
        }
        Ok(found)
    }

    /// What is wrong with a key, if anything, both stores being at the same line.
    fn fault<E: From<StoreError>>(
        &self,
        fresh: &Self,
        suspect: &[u8],
        catch_up: &mut dyn FnMut(u64) -> Result<(), E>,
    ) -> Result<Option<&'static str>, E> {
        for _ in 0..LOOKS_MAX {
            let before = guard(|| self.number(key::APPLIED))?;
            let own = guard(|| self.tree()?.get(suspect))?;
            let after = guard(|| self.number(key::APPLIED))?;
            if before != after {
                continue;
            }
            catch_up(before)?;
            let right = guard(|| fresh.tree()?.get(suspect))?;
            return Ok(match (own, right) {
                (own, right) if own == right => None,
                (None, _) => Some("missing"),
                (_, None) => Some("extra"),
                _ => Some("other"),
            });
        }
        Ok(None)
    }

    /// Number of records in each table, by reading every key.
    pub fn record_counts(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        guard(|| {
            let mut counts = BTreeMap::new();
            for key in drained(self)?.scan_prefix([key::RECORD]).keys() {
                let (_, name) = name(&key?);
                let table = name.split('/').next().unwrap_or_default().to_owned();
                *counts.entry(table).or_default() += 1;
            }
            Ok(counts)
        })
    }
}

/// What sled has, with everything up to now in it. What is written while it is read may be missing.
fn drained(store: &Store) -> Result<sled::Tree, StoreError> {
    let tree = store.tree()?;
    tree.drain()?;
    Ok(tree.sled().clone())
}

/// Walks both trees side by side: number of keys, and those that differ.
fn suspects(own: &sled::Tree, fresh: &sled::Tree) -> Result<(u64, Vec<sled::IVec>), StoreError> {
    let mut suspects = Vec::new();
    let (mut left, mut right) = (own.iter(), fresh.iter());
    let (mut a, mut b) = (left.next().transpose()?, right.next().transpose()?);
    let mut keys = 0;
    while suspects.len() < SUSPECTS_MAX {
        let order = match (&a, &b) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        keys += 1;
        let differs = !order.is_eq() || a.as_ref().map(|a| &a.1) != b.as_ref().map(|b| &b.1);
        let key = if order.is_gt() { &b } else { &a };
        if differs
            && let Some((key, _)) = key
            && !key.starts_with(&[key::META])
        {
            suspects.push(key.clone());
        }
        if order.is_le() {
            a = left.next().transpose()?;
        }
        if order.is_ge() {
            b = right.next().transpose()?;
        }
    }
    Ok((keys, suspects))
}

/// A key in words.
fn name(key: &[u8]) -> (&'static str, String) {
    let (kind, mut rest) = match key.split_first() {
        Some((&key::RECORD, rest)) => ("record", rest),
        Some((&key::INDEX, rest)) => ("index", rest),
        Some((&key::COUNT, rest)) => ("count", rest),
        Some((&key::VERSION, rest)) => ("version", rest),
        _ => ("unknown", key),
    };
    let mut parts = Vec::new();
    while let Some(part) = key::take(&mut rest) {
        parts.push(String::from_utf8_lossy(&part).into_owned());
    }
    (kind, parts.join("/"))
}
