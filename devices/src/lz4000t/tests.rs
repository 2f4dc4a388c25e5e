#![allow(clippy::unwrap_used, clippy::expect_used)]

use jiff::civil::datetime;
use proptest::prelude::*;

use super::*;

fn record(record_no: u16, name: &str, inhibition_hundredths: i16) -> Record {
    Record {
        record_no,
        name: name.into(),
        time: datetime(2026, 11, 21, 9, 5, 7, 0),
        inhibition_hundredths,
    }
}

#[test]
fn crc_of_the_documented_frames() {
    // The ping of this device, and the four requests of its sister TL-310, which shares the CRC.
    let table: [(&[u8], u8); 5] = [
        (&[0x00, 0x02, 0x00, 0x00, 0x00], 0x07),
        (&[0x01, 0x01, 0x00, 0xFF], 0x71),
        (&[0x02, 0x04, 0x00, 0xFF, 0x02, 0x10, 0x10], 0xF8),
        (&[0x15, 0x04, 0x00, 0xFF, 0x00, 0x00, 0x00], 0x2B),
        (&[0x15, 0x04, 0x00, 0xFF, 0xFF, 0xFF, 0xFF], 0x4D),
    ];
    for (bytes, crc) in table {
        assert_eq!(crc8(bytes), crc, "{bytes:02X?}");
    }
}

#[test]
fn a_record_frame_byte_by_byte() {
    let bytes = frames(&[record(0x0102, "白菜", 1654)]).unwrap();
    assert_eq!(bytes.len(), RECORD_FRAME_BYTES);
    assert_eq!(bytes[..4], [0x7E, 0x11, 20, 0]);
    assert_eq!(bytes[4], 1, "total");
    assert_eq!(bytes[8..10], [0x02, 0x01], "record number");
    assert_eq!(bytes[10..16], [0xB0, 0xD7, 0xB2, 0xCB, 0, 0], "name in GBK");
    assert_eq!(bytes[16..22], [26, 11, 21, 9, 5, 7], "time");
    assert_eq!(bytes[22..24], [0x76, 0x06], "inhibition");
    assert_eq!(bytes[24], crc8(&bytes[1..24]));
    assert_eq!(bytes[25], 0xAA);
}

#[test]
fn every_frame_announces_the_total_and_negative_values_are_signed() {
    let bytes = frames(&[record(1, "", -1), record(2, "", i16::MIN)]).unwrap();
    assert_eq!((bytes[4], bytes[RECORD_FRAME_BYTES + 4]), (2, 2));
    assert_eq!(bytes[22..24], [0xFF, 0xFF]);
}

#[test]
fn names_are_cut_as_the_device_cuts_them() {
    let table: [(&str, &[u8]); 6] = [
        ("", &[0, 0, 0, 0, 0, 0]),
        ("abc", b"abc\0\0\0"),
        ("小白菜", &[0xD0, 0xA1, 0xB0, 0xD7, 0xB2, 0xCB]),
        ("湘潭湘莲", &[0xCF, 0xE6, 0xCC, 0xB6, 0xCF, 0xE6]),
        ("A小白菜", &[b'A', 0xD0, 0xA1, 0xB0, 0xD7, 0xB2]),
        ("莲😀莲", &[0xC1, 0xAB, b'?', 0xC1, 0xAB, 0]),
    ];
    for (name, bytes) in table {
        assert_eq!(device_name(name), bytes, "{name}");
    }
}

#[test]
fn what_the_device_cannot_hold() {
    let many = vec![record(1, "", 0); 256];
    assert_eq!(frames(&many), Err(Lz4000tError::TooManyRecords { count: 256 }));
    assert_eq!(frames(&many[..255]).unwrap().len(), 255 * RECORD_FRAME_BYTES);
    let old = Record { time: datetime(1999, 1, 1, 0, 0, 0, 0), ..record(7, "", 0) };
    assert_eq!(frames(&[old]), Err(Lz4000tError::Year { record_no: 7, year: 1999 }));
}

#[test]
fn faults_damage_a_frame_as_named() {
    let good = frames(&[record(1, "白菜", 1654)]).unwrap();
    let doubled = Fault::DoubledStart.apply(&good);
    assert_eq!((&doubled[..2], &doubled[1..]), (&[START, START][..], &good[..]));
    assert_eq!(Fault::GarbageBefore(vec![1, 2]).apply(&good)[2..], good);
    let bad = Fault::CorruptedCrc.apply(&good);
    assert_eq!((&bad[..24], bad[24] == good[24], bad[25]), (&good[..24], false, END));
    assert_eq!(Fault::Truncated(5).apply(&good), good[..5]);
    assert_eq!(Fault::Truncated(500).apply(&good), good);
    assert!(Fault::CorruptedCrc.apply(&[]).is_empty());
}

const DAY: [u8; 3] = [26, 11, 21];

fn loaded() -> (Device, Vec<Record>) {
    let records: Vec<Record> = (1..=3).map(|n| record(n, "白菜", 126 * n as i16)).collect();
    let mut device = Device::new();
    records.iter().for_each(|r| device.store(r.clone()).unwrap());
    device.store(Record { time: datetime(2026, 11, 22, 0, 0, 0, 0), ..record(4, "", 0) }).unwrap();
    (device, records)
}

#[test]
fn the_device_answers_its_host() {
    let (mut device, records) = loaded();
    assert_eq!(device.on_bytes(&[0x7E, 0, 2, 0, 0, 0, 0x07, 0xAA]), frame(0x01, &[0, 0]));
    assert_eq!(device.on_bytes(&frame(0x12, &DAY)), frame(0x13, &[3, 0, 0, 0]));
    assert_eq!(device.on_bytes(&frame(0x10, &DAY)), frames(&records).unwrap());
    assert_eq!(device.on_bytes(&frame(0x12, &[25, 1, 1])), frame(0x13, &[0, 0, 0, 0]));
    assert!(device.on_bytes(&frame(0x10, &[25, 1, 1])).is_empty());
    assert_eq!(device.bad_requests(), 0);
}

#[test]
fn a_damaged_request_is_met_with_silence_and_the_next_one_answered() {
    let ping = frame(0x00, &[0, 0]);
    let pong = frame(0x01, &[0, 0]);
    let mut bad_crc = ping.clone();
    bad_crc[6] ^= 1;
    let table: [(&[u8], u64); 6] = [
        (b"garbage", 0),
        (&[START], 1),
        (&bad_crc, 1),
        (&[START, 0x10, 0xFF, 0xFF], 1),
        (&frame(0x55, &[]), 1),
        (&frame(0x10, &[26, 13, 1]), 1),
    ];
    for (before, bad) in table {
        let (mut device, _) = loaded();
        // A stray start byte makes the real one look like a command; it must be found again. Some more
        // bytes follow so that a length read from the wrong place is known to be wrong.
        let answers = device.on_bytes(&[before, &ping, &[0; 300]].concat());
        assert_eq!(answers, pong, "{before:02X?}");
        assert_eq!(device.bad_requests(), bad, "{before:02X?}");
    }
}

#[test]
fn spoilt_frames_come_in_turn() {
    let (mut device, records) = loaded();
    device.spoil_next(Fault::DoubledStart);
    device.spoil_next(Fault::CorruptedCrc);
    let good = frames(&records).unwrap();
    let frame_of = |n: usize| &good[n * RECORD_FRAME_BYTES..(n + 1) * RECORD_FRAME_BYTES];
    let expected = [
        Fault::DoubledStart.apply(frame_of(0)),
        Fault::CorruptedCrc.apply(frame_of(1)),
        frame_of(2).to_vec(),
    ];
    assert_eq!(device.on_bytes(&frame(0x10, &DAY)), expected.concat());
    assert_eq!(device.on_bytes(&frame(0x10, &DAY)), good, "only once");
}

#[test]
fn a_full_day_takes_no_more() {
    let mut device = Device::new();
    for n in 1..=255 {
        device.store(record(n, "", 0)).unwrap();
    }
    assert_eq!(device.store(record(256, "", 0)), Err(Lz4000tError::TooManyRecords { count: 256 }));
    assert_eq!(device.on_bytes(&frame(0x10, &DAY)).len(), 255 * RECORD_FRAME_BYTES);
}

proptest! {
    #[test]
    fn requests_may_come_in_pieces(cut in 1usize..9) {
        let (mut device, records) = loaded();
        let requests = [frame(0x00, &[START, START]), frame(0x10, &DAY)].concat();
        let answers: Vec<u8> = requests.chunks(cut).flat_map(|piece| device.on_bytes(piece)).collect();
        prop_assert_eq!(answers, [frame(0x01, &[START, START]), frames(&records).unwrap()].concat());
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let (mut device, _) = loaded();
        device.on_bytes(&bytes);
        prop_assert!(device.waiting() < 70, "a half request is bounded");
    }

    #[test]
    fn any_record_makes_a_frame_of_26_bytes(no: u16, name in "\\PC{0,12}", value: i16, total: u8) {
        let bytes = record_frame(&Record { record_no: no, ..record(0, &name, value) }, total).unwrap();
        prop_assert_eq!(bytes.len(), RECORD_FRAME_BYTES);
        prop_assert_eq!(i16::from_le_bytes([bytes[22], bytes[23]]), value);
        prop_assert_eq!(u16::from_le_bytes([bytes[8], bytes[9]]), no);
    }
}
