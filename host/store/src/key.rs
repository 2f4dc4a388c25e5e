//! Keys of the tree. A component is written with 0x00 as 0x00 0xFF and ends with 0x00 0x00, so that
//! keys sort like the tuples of their components and no bytes in one component can pass for another.

use tianyin_domain::state::{Index, Table};

/// Of a sort key, only so many bytes sort; among equal ones the id decides. Keeps keys and cursors short.
pub(crate) const SORT_BYTES_MAX: usize = 512;

pub(crate) const META: u8 = b'm';
pub(crate) const RECORD: u8 = b'r';
pub(crate) const INDEX: u8 = b'i';
pub(crate) const COUNT: u8 = b'c';
pub(crate) const VERSION: u8 = b'v';

/// Where the schema number stands.
pub(crate) const SCHEMA: &[u8] = b"mschema";
/// Stands in a store while it is filled.
pub(crate) const BULK: &[u8] = b"mbulk";
/// Where the applied sequence number stands.
pub(crate) const APPLIED: &[u8] = b"mapplied";

pub(crate) fn record(table: Table, id: &str) -> Vec<u8> {
    key(RECORD, &[table.0.as_bytes(), id.as_bytes()])
}

pub(crate) fn version(root: &str) -> Vec<u8> {
    key(VERSION, &[root.as_bytes()])
}

pub(crate) fn count(index: Index, part: &str) -> Vec<u8> {
    key(COUNT, &[index.0.as_bytes(), part.as_bytes()])
}

/// What all entries of a part begin with, or all records of a table.
pub(crate) fn part(index: Index, part: &str) -> Vec<u8> {
    match index.as_table() {
        Some(table) => key(RECORD, &[table.0.as_bytes()]),
        None => key(INDEX, &[index.0.as_bytes(), part.as_bytes()]),
    }
}

/// What all entries of a part begin with whose sort key begins with `prefix`.
pub(crate) fn part_prefix(index: Index, part_name: &str, prefix: &str) -> Vec<u8> {
    let mut out = part(index, part_name);
    push_open(&mut out, cut(prefix));
    out
}

/// The id is left out where the entry is sorted by it, as most are.
pub(crate) fn entry(index: Index, part_name: &str, sort: &str, id: &str) -> Vec<u8> {
    let all = [index.0.as_bytes(), part_name.as_bytes(), cut(sort), id.as_bytes()];
    let components = if cut(sort) == id.as_bytes() { &all[..3] } else { &all };
    key(INDEX, components)
}

/// What all entries of this one's part begin with.
pub(crate) fn part_of_entry(entry: &[u8]) -> Option<&[u8]> {
    let mut rest = entry.strip_prefix(&[INDEX])?;
    take(&mut rest)?;
    take(&mut rest)?;
    Some(&entry[..entry.len() - rest.len()])
}

/// The count that an entry is part of.
pub(crate) fn count_of_entry(entry: &[u8]) -> Option<Vec<u8>> {
    let mut out = part_of_entry(entry)?.to_vec();
    *out.first_mut()? = COUNT;
    Some(out)
}

/// Whether the entries of its part are counted; not those of a unique key.
pub(crate) fn is_counted(entry: &[u8]) -> bool {
    let name = entry.strip_prefix(&[INDEX]).and_then(|mut rest| take(&mut rest));
    !name.is_some_and(|name| name.ends_with(b"="))
}

/// What all entries begin with that a count is of.
pub(crate) fn part_of_count(count: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![INDEX];
    out.extend_from_slice(count.strip_prefix(&[COUNT])?);
    Some(out)
}

/// The id in what follows the part in an entry's key: sort, id and nothing else, or one that is both, as in
/// a record's key.
pub(crate) fn id_of_suffix(mut suffix: &[u8]) -> Option<String> {
    let sort = take(&mut suffix)?;
    let id = if suffix.is_empty() { sort } else { take(&mut suffix)? };
    suffix.is_empty().then_some(())?;
    String::from_utf8(id).ok()
}

/// The first key after all that begin with `prefix`.
pub(crate) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut out = prefix.to_vec();
    while let Some(last) = out.pop() {
        if last < 0xff {
            out.push(last + 1);
            return out;
        }
    }
    out
}

pub(crate) fn push(out: &mut Vec<u8>, component: &[u8]) {
    push_open(out, component);
    out.extend_from_slice(&[0, 0]);
}

/// Takes a component off the front.
pub(crate) fn take(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        match rest {
            [0, 0, tail @ ..] => {
                *rest = tail;
                return Some(out);
            }
            [0, 0xff, tail @ ..] => {
                out.push(0);
                *rest = tail;
            }
            [0, ..] | [] => return None,
            [byte, tail @ ..] => {
                out.push(*byte);
                *rest = tail;
            }
        }
    }
}

fn key(kind: u8, components: &[&[u8]]) -> Vec<u8> {
    let bytes: usize = components.iter().map(|c| c.len() + 2).sum();
    let mut out = Vec::with_capacity(1 + bytes);
    out.push(kind);
    for component in components {
        push(&mut out, component);
    }
    out
}

fn push_open(out: &mut Vec<u8>, component: &[u8]) {
    for byte in component {
        out.push(*byte);
        if *byte == 0 {
            out.push(0xff);
        }
    }
}

fn cut(sort: &str) -> &[u8] {
    &sort.as_bytes()[..sort.len().min(SORT_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Bytes around the escapes, so that collisions would show.
    fn component() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(0u8), Just(1), Just(0xfe), Just(0xff), any::<u8>()];
        prop::collection::vec(byte, 0..6)
    }

    fn tuple() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(component(), 0..4)
    }

    fn encode(tuple: &[Vec<u8>]) -> Vec<u8> {
        key(b'x', &tuple.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn keys_sort_like_tuples(a in tuple(), b in tuple()) {
            prop_assert_eq!(encode(&a).cmp(&encode(&b)), a.cmp(&b));
        }

        #[test]
        fn components_come_back(tuple in tuple()) {
            let bytes = encode(&tuple);
            let mut rest = &bytes[1..];
            for component in &tuple {
                prop_assert_eq!(&take(&mut rest).unwrap(), component);
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn prefix_ranges_hold_exactly_the_prefixed(prefix in component(), sort in component()) {
            let mut low = vec![b'x'];
            push_open(&mut low, &prefix);
            let entry = encode(&[sort.clone(), b"id".to_vec()]);
            let inside = entry >= low && entry < after_prefix(&low);
            prop_assert_eq!(inside, sort.starts_with(&prefix));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let _ = take(&mut bytes.as_slice());
            let _ = id_of_suffix(&bytes);
            let _ = count_of_entry(&bytes);
        }
    }

    #[test]
    fn entries_name_their_part_and_id() {
        let key = entry(Index("lot.by\0x"), "a\0", "2026", "lot_\0a");
        let prefix = part(Index("lot.by\0x"), "a\0");
        assert_eq!(id_of_suffix(key.strip_prefix(prefix.as_slice()).unwrap()).unwrap(), "lot_\0a");
        assert_eq!(count_of_entry(&key).unwrap(), count(Index("lot.by\0x"), "a\0"));
        let by_id = entry(Index("lot.by\0x"), "a\0", "lot_\0a", "lot_\0a");
        assert_eq!(
            id_of_suffix(by_id.strip_prefix(prefix.as_slice()).unwrap()).unwrap(),
            "lot_\0a"
        );
        assert_eq!(by_id.len(), prefix.len() + "lot_\0a".len() + 3);
        assert_eq!(after_prefix(&[1, 0xff, 0xff]), [2]);
    }
}
