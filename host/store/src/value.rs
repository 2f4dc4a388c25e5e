use std::collections::BTreeSet;

use lz4_flex::block::{compress, decompress};
use tianyin_domain::Scope;

use crate::error::StoreError;
use crate::key::{push, take};

/// A record is far smaller: what says that it is larger is damaged.
const RECORD_BYTES_MAX: usize = 64 << 20;

/// Area and owner of a row, as they stand in an index entry and before a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub area: String,
    pub owner: String,
}

impl Row {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        push(out, self.area.as_bytes());
        push(out, self.owner.as_bytes());
    }

    pub(crate) fn decode(rest: &mut &[u8]) -> Result<Self, StoreError> {
        let mut text = || String::from_utf8(take(rest)?).ok();
        match (text(), text()) {
            (Some(area), Some(owner)) => Ok(Self { area, owner }),
            _ => Err(damaged()),
        }
    }

    pub(crate) fn is_in(&self, scope: &Scope) -> bool {
        scope.covers(&self.area, &self.owner)
    }
}

/// A record as it stands in the tree: row, and compressed by LZ4 its JSON and its index keys. The keys
/// stand beside the JSON, so that they can be dropped without knowing the record's type. Compressed,
/// because what a key costs sled grows with its bytes much more than that.
pub(crate) fn encode_record(row: &Row, index_keys: &BTreeSet<Vec<u8>>, json: &[u8]) -> Vec<u8> {
    let keys_len: usize = index_keys.iter().map(|key| 2 * key.len() + 2).sum();
    let mut plain = Vec::with_capacity(json.len() + keys_len);
    plain.extend_from_slice(json);
    for key in index_keys {
        push(&mut plain, key);
    }
    let compressed = compress(&plain);
    let mut out = Vec::with_capacity(compressed.len() + row.area.len() + row.owner.len() + 12);
    row.encode(&mut out);
    for len in [json.len(), plain.len()] {
        out.extend_from_slice(&(len as u32).to_be_bytes());
    }
    out.extend_from_slice(&compressed);
    out
}

/// Row and JSON of a record.
pub(crate) fn decode_record(value: &[u8]) -> Result<(Row, Vec<u8>), StoreError> {
    let (row, mut plain, json_len) = decode(value)?;
    plain.truncate(json_len);
    Ok((row, plain))
}

/// Row and index keys of a record.
pub(crate) fn decode_keys(value: &[u8]) -> Result<(Row, BTreeSet<Vec<u8>>), StoreError> {
    let (row, plain, json_len) = decode(value)?;
    let mut rest = &plain[json_len..];
    let mut keys = BTreeSet::new();
    while !rest.is_empty() {
        keys.insert(take(&mut rest).ok_or_else(damaged)?);
    }
    Ok((row, keys))
}

/// Row, JSON followed by index keys, and how long the JSON is.
fn decode(value: &[u8]) -> Result<(Row, Vec<u8>, usize), StoreError> {
    let mut rest = value;
    let row = Row::decode(&mut rest)?;
    let mut number = || {
        let (number, tail) = rest.split_first_chunk::<4>()?;
        rest = tail;
        usize::try_from(u32::from_be_bytes(*number)).ok()
    };
    let (Some(json_len), Some(plain_len)) = (number(), number()) else { return Err(damaged()) };
    if json_len > plain_len || plain_len > RECORD_BYTES_MAX {
        return Err(damaged());
    }
    let plain = decompress(rest, plain_len).map_err(|_| damaged())?;
    if plain.len() == plain_len { Ok((row, plain, json_len)) } else { Err(damaged()) }
}

pub(crate) fn decode_number(value: &[u8]) -> Result<u64, StoreError> {
    Ok(u64::from_be_bytes(value.try_into().map_err(|_| damaged())?))
}

pub(crate) fn damaged() -> StoreError {
    StoreError::Damaged("a value is not in its format".into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_comes_back(
            (area, owner) in ("[0-9\0]{0,9}", "[a-z\0]{0,9}"),
            keys in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 0..20), 0..6),
            json in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let row = Row { area, owner };
            let value = encode_record(&row, &keys, &json);
            prop_assert_eq!(decode_record(&value).unwrap(), (row.clone(), json));
            prop_assert_eq!(decode_keys(&value).unwrap(), (row, keys));
            prop_assert!(decode_record(&value[..value.len() - 1]).is_err());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode_record(&bytes);
            let _ = decode_keys(&bytes);
        }
    }
}
