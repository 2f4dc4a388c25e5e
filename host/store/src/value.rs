use std::collections::BTreeSet;

use tianyin_domain::Scope;

use crate::error::StoreError;
use crate::key::{push, take};

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

/// A record as it stands in the tree: row, index keys, JSON. The keys stand beside the JSON, so that
/// they can be dropped without knowing the record's type.
pub(crate) fn encode_record(row: &Row, index_keys: &BTreeSet<Vec<u8>>, json: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    row.encode(&mut head);
    for key in index_keys {
        push(&mut head, key);
    }
    let mut out = Vec::with_capacity(4 + head.len() + json.len());
    out.extend_from_slice(&(head.len() as u32).to_be_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(json);
    out
}

/// Row and JSON of a record, the index keys skipped.
pub(crate) fn decode_record(value: &[u8]) -> Result<(Row, &[u8]), StoreError> {
    let (mut head, json) = split(value)?;
    Ok((Row::decode(&mut head)?, json))
}

/// The JSON alone.
pub(crate) fn json_of(value: &[u8]) -> Result<&[u8], StoreError> {
    Ok(split(value)?.1)
}

/// Row and index keys of a record.
pub(crate) fn decode_keys(value: &[u8]) -> Result<(Row, BTreeSet<Vec<u8>>), StoreError> {
    let (mut head, _) = split(value)?;
    let row = Row::decode(&mut head)?;
    let mut keys = BTreeSet::new();
    while !head.is_empty() {
        keys.insert(take(&mut head).ok_or_else(damaged)?);
    }
    Ok((row, keys))
}

pub(crate) fn decode_number(value: &[u8]) -> Result<u64, StoreError> {
    Ok(u64::from_be_bytes(value.try_into().map_err(|_| damaged())?))
}

fn split(value: &[u8]) -> Result<(&[u8], &[u8]), StoreError> {
    let (bytes, rest) = value.split_first_chunk::<4>().ok_or_else(damaged)?;
    rest.split_at_checked(u32::from_be_bytes(*bytes) as usize).ok_or_else(damaged)
}

pub(crate) fn damaged() -> StoreError {
    StoreError::Damaged("a value is not in its format".into())
}
