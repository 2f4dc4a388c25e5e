//! A change of a key, and changes as bytes: length of the key, length of the value, both.

use sled::IVec;

/// A change of a key; `None` removes it.
pub(crate) type Change = (IVec, Option<IVec>);

/// Stands for the length of a value that is not there.
const REMOVED: u32 = u32::MAX;

/// What a change weighs, in bytes of key and value.
pub(crate) fn size_of(key: &[u8], value: Option<&[u8]>) -> usize {
    key.len() + value.map_or(0, <[u8]>::len)
}

pub(crate) fn encode(out: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    let value_len = value.map_or(REMOVED, |value| value.len() as u32);
    out.extend_from_slice(&(key.len() as u32).to_be_bytes());
    out.extend_from_slice(&value_len.to_be_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(value.unwrap_or_default());
}

/// Takes a key and its value off the front; `None` when the bytes do not hold a whole change.
pub(crate) fn take<'a>(bytes: &mut &'a [u8]) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let (key_len, rest) = bytes.split_first_chunk()?;
    let (value_len, rest) = rest.split_first_chunk()?;
    let (key, rest) = rest.split_at_checked(u32::from_be_bytes(*key_len) as usize)?;
    let (value, rest) = match u32::from_be_bytes(*value_len) {
        REMOVED => (None, rest),
        len => rest.split_at_checked(len as usize).map(|(value, rest)| (Some(value), rest))?,
    };
    *bytes = rest;
    Some((key, value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(
            changes in prop::collection::vec(any::<(Vec<u8>, Option<Vec<u8>>)>(), 0..8),
        ) {
            let mut bytes = Vec::new();
            for (key, value) in &changes {
                encode(&mut bytes, key, value.as_deref());
            }
            let mut rest = bytes.as_slice();
            for (key, value) in &changes {
                prop_assert_eq!(take(&mut rest).unwrap(), (key.as_slice(), value.as_deref()));
            }
            prop_assert!(rest.is_empty());
            if let Some(cut) = bytes.len().checked_sub(1) {
                let mut rest = &bytes[..cut];
                while take(&mut rest).is_some() {}
                prop_assert!(!rest.is_empty());
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut rest = bytes.as_slice();
            while take(&mut rest).is_some() {}
        }
    }
}
