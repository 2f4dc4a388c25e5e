//! What must hold for every input: no panic, no byte unaccounted for, no intact frame lost.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod device;

use analyzer_lz4000t::frame::{Split, crc8, split};
use analyzer_lz4000t::message::{Settings, decode};
use device::Rec;
use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes in which the protocol's own are frequent.
fn noise(max_len: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        3 => any::<u8>(),
        2 => Just(0x7E), 1 => Just(0xAA), 1 => Just(0x11), 1 => Just(0x14), 2 => Just(0x00),
    ];
    vec(byte, 0..max_len)
}

fn record() -> impl Strategy<Value = Rec> {
    let some_start_bytes = prop_oneof![3 => any::<u8>(), 1 => Just(0x7E)];
    (any::<u8>(), any::<u16>(), vec(some_start_bytes, 6), any::<[u8; 6]>(), any::<u16>()).prop_map(
        |(announced, number, name, stamp, inhibition)| Rec {
            announced,
            number,
            name: name.try_into().unwrap(),
            stamp,
            inhibition,
        },
    )
}

/// Frames and problems tile the input: sorted, without gap, without overlap.
fn assert_tiles(split: &Split<'_>, len: usize) {
    let frames = split.frames.iter().map(|f| (f.offset, f.total_len()));
    let problems = split.problems.iter().map(|p| (p.offset as usize, p.length as usize));
    let mut spans: Vec<_> = frames.chain(problems).collect();
    spans.sort_unstable();
    let mut at = 0;
    for (offset, length) in spans {
        assert_eq!(offset, at);
        assert!(length > 0);
        at += length;
    }
    assert_eq!(at, len);
}

/// Places that look like a whole record. Noise that makes one more by chance cannot be told apart.
fn record_like(bytes: &[u8]) -> usize {
    let whole = |f: &&[u8]| {
        f.starts_with(&[0x7E, 0x11, 20, 0]) && f[25] == 0xAA && f[24] == crc8(&f[1..24])
    };
    bytes.windows(26).filter(whole).count()
}

fn numbers(bytes: &[u8]) -> Vec<u64> {
    let decoded = decode(bytes, Settings { signed: true }).unwrap();
    decoded.measurements.iter().map(|m| m.record_no.unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_is_accounted_for(bytes in noise(400)) {
        assert_tiles(&split(&bytes), bytes.len());
        let decoded = decode(&bytes, Settings { signed: true });
        prop_assert_eq!(decoded.is_err(), bytes.is_empty());
    }

    #[test]
    fn records_survive_noise_between_them(sent in vec((noise(40), record()), 1..8), tail in noise(20)) {
        let mut bytes: Vec<u8> = sent.iter().flat_map(|(noise, record)| [noise.clone(), record.bytes()].concat()).collect();
        bytes.extend(&tail);
        assert_tiles(&split(&bytes), bytes.len());
        prop_assume!(record_like(&bytes) == sent.len());
        let expected: Vec<u64> = sent.iter().map(|(_, record)| record.number.into()).collect();
        prop_assert_eq!(numbers(&bytes), expected);
    }

    #[test]
    fn a_damaged_byte_costs_one_record(sent in vec(record(), 1..6), at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut bytes: Vec<u8> = sent.iter().flat_map(Rec::bytes).collect();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        assert_tiles(&split(&bytes), bytes.len());
        let mut expected: Vec<u64> = sent.iter().map(|record| record.number.into()).collect();
        expected.remove(at / 26);
        prop_assert_eq!(numbers(&bytes), expected);
    }

    #[test]
    fn a_message_cut_anywhere_keeps_what_is_whole(sent in vec(record(), 1..6), keep in any::<prop::sample::Index>()) {
        let mut bytes: Vec<u8> = sent.iter().flat_map(Rec::bytes).collect();
        bytes.truncate(1 + keep.index(bytes.len() - 1));
        assert_tiles(&split(&bytes), bytes.len());
        prop_assert_eq!(numbers(&bytes).len(), bytes.len() / 26);
    }

    #[test]
    fn fields_come_back_as_sent(record in record()) {
        let bytes = record.bytes();
        let framed = split(&bytes);
        prop_assert_eq!(framed.frames.len(), 1);
        let read = analyzer_lz4000t::record::Record::read(&framed.frames[0]).unwrap();
        let again = Rec { announced: read.announced, number: read.number, name: read.name, stamp: read.stamp, inhibition: read.inhibition };
        prop_assert_eq!(again, record);
    }
}
