//! The decoder on messages built here as the device builds them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod device;

use analyzer_lz4000t::frame::{crc8, split};
use analyzer_lz4000t::message::{Settings, decode};
use device::{Rec, frame};
use tianyin_plugin::Decoded;

const SIGNED: Settings = Settings { signed: true };

fn run(bytes: &[u8]) -> Decoded {
    decode(bytes, SIGNED).expect("decodes")
}

fn reasons(decoded: &Decoded) -> Vec<(u32, u32, &str)> {
    decoded.problems.iter().map(|p| (p.offset, p.length, p.reason.as_str())).collect()
}

#[test]
fn checksum_agrees_with_published_frames() {
    for (text, sum) in [
        ("0002000000", 0x07),
        ("010100ff", 0x71),
        ("020400ff021010", 0xf8),
        ("150400ffffffff", 0x4d),
    ] {
        let bytes: Vec<u8> = (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect();
        assert_eq!(crc8(&bytes), sum, "{text}");
    }
}

#[test]
fn every_field_of_a_record_is_where_the_protocol_says() {
    let bytes = [
        0x7E, 0x11, 0x14, 0x00, // 0-3
        1, 0xA1, 0xA2, 0xA3, // 4 total count, 5-7 not documented
        0x39, 0x30, // 8-9 record 12345
        0xB2, 0xA4, 0xB2, 0xCB, 0, 0, // 10-15 菠菜
        26, 11, 21, 9, 0, 7, // 16-21
        0x76, 0x06, // 22-23 16.54
    ];
    let mut whole = bytes.to_vec();
    whole.extend([crc8(&bytes[1..]), 0xAA]);
    assert_eq!(whole.len(), 26);
    let decoded = run(&whole);
    assert!(decoded.problems.is_empty(), "{:?}", decoded.problems);
    assert_eq!(decoded.announced_count, Some(1));
    let result = &decoded.measurements[0];
    assert_eq!(result.msg_id, "261121-090007-12345");
    assert_eq!(result.record_no, Some(12345));
    assert_eq!(result.sample.name, "菠菜");
    assert_eq!(result.tested_at.as_deref(), Some("2026-11-21T09:00:07+08:00"));
    assert_eq!((result.value.num.as_str(), result.value.unit.as_str()), ("16.54", "%"));
    // What the frame does not say stays unknown.
    assert_eq!(result.device_verdict, None);
    assert_eq!(result.channel, None);
    assert!(
        result.limit.num.is_empty() && result.device.sn.is_empty() && result.item.code.is_empty()
    );
}

#[test]
fn inhibition_is_exact_and_signed_by_setting() {
    for (raw, signed, num) in [
        (0, true, "0.00"),
        (5, true, "0.05"),
        (4996, true, "49.96"),
        (5000, true, "50.00"),
        (-5i16 as u16, true, "-0.05"),
        (-1234i16 as u16, true, "-12.34"),
        (-5i16 as u16, false, "655.31"),
    ] {
        let message = Rec { inhibition: raw, ..Rec::default() }.bytes();
        let decoded = decode(&message, Settings { signed }).unwrap();
        assert_eq!(decoded.measurements[0].value.num, num);
    }
}

#[test]
fn names_are_read_as_far_as_they_are_whole() {
    for (gbk, text, problem) in [
        (*b"\xB2\xA4\xB2\xCB\0\0", "菠菜", None),
        (*b"\xB4\xF3\xB0\xD7\xB2\xCB", "大白菜", None),
        (*b"\xB2\xA4\xB2\xCB  ", "菠菜", None),
        (*b"\0\0\0\0\0\0", "", None),
        (*b"A\xB4\xF3\xB0\xD7\xB2", "A大白", Some((15, 1, "name_cut"))),
        (*b"\xB2\xA4\xFF\xFF\xFF\xFF", "菠", Some((12, 4, "name_encoding"))),
        (*b"\xB2\xA4\0\xB2\xCBx", "菠", Some((12, 4, "name_encoding"))),
        (*b"\xB2\0\0\0\0\0", "", Some((10, 6, "name_cut"))),
        (*b"ab~\x7E1\xAA", "ab~~1", Some((15, 1, "name_cut"))),
    ] {
        let decoded = run(&Rec { name: gbk, ..Rec::default() }.bytes());
        assert_eq!(decoded.measurements[0].sample.name, text, "{gbk:02X?}");
        assert_eq!(reasons(&decoded), Vec::from_iter(problem), "{gbk:02X?}");
    }
}

#[test]
fn a_clock_that_is_not_set_leaves_the_time_empty_and_says_so() {
    for stamp in [
        [0, 1, 1, 8, 0, 0],
        [70, 1, 1, 0, 0, 0],
        [26, 2, 29, 1, 0, 0],
        [26, 13, 1, 0, 0, 0],
        [26, 4, 31, 0, 0, 0],
        [26, 1, 0, 0, 0, 0],
        [26, 1, 1, 24, 0, 0],
        [26, 1, 1, 0, 60, 0],
        [255; 6],
    ] {
        let decoded = run(&Rec { stamp, number: 9, ..Rec::default() }.bytes());
        assert_eq!(decoded.measurements.len(), 1, "kept, not dropped");
        assert_eq!(decoded.measurements[0].tested_at, None, "{stamp:?}");
        assert_eq!(reasons(&decoded), [(16, 6, "clock")], "{stamp:?}");
    }
    let leap = run(&Rec { stamp: [28, 2, 29, 23, 59, 59], ..Rec::default() }.bytes());
    assert_eq!(leap.measurements[0].tested_at.as_deref(), Some("2028-02-29T23:59:59+08:00"));
}

#[test]
fn noise_around_frames_is_reported_byte_for_byte() {
    let good = Rec::default().bytes();
    let mut message = vec![0x00, 0xFF, 0x55]; // garbage
    message.push(0x7E); // doubled start
    message.extend(&good); // at 4
    message.extend(frame(0x01, &[])); // ping reply, 6 bytes, at 30
    message.extend(frame(0x13, &[26, 11, 21, 1])); // count reply, 10 bytes, at 36
    message.extend(frame(0x42, &[1])); // at 46, 7 bytes
    message.extend(&good[..11]); // cut, at 53
    let decoded = run(&message);
    assert_eq!(decoded.measurements.len(), 1);
    assert_eq!(
        reasons(&decoded),
        [
            (0, 3, "garbage"),
            (3, 1, "doubled_start"),
            (46, 7, "unknown_command"),
            (53, 11, "truncated")
        ]
    );
}

#[test]
fn a_failed_frame_costs_no_other() {
    let records = [1, 2, 3].map(|number| Rec { number, announced: 3, ..Rec::default() }.bytes());
    for (at, to) in
        [(24, 0x00), (25, 0x00), (2, 0x30), (2, 0x7E), (3, 0x01), (1, 0x42), (0, 0x00), (2, 0x02)]
    {
        let mut damaged = records[1].clone();
        assert_ne!(damaged[at], to);
        damaged[at] = to;
        let message = [records[0].clone(), damaged, records[2].clone()].concat();
        let decoded = run(&message);
        let numbers: Vec<_> = decoded.measurements.iter().map(|m| m.record_no.unwrap()).collect();
        assert_eq!(numbers, [1, 3], "byte {at} damaged");
        assert_eq!(decoded.announced_count, Some(3));
        let why = reasons(&decoded);
        assert_eq!(why[0].2, "missing_records", "{why:?}");
        assert_eq!(
            why[1..].iter().map(|p| p.1).sum::<u32>(),
            26,
            "the damaged frame is covered: {why:?}"
        );
    }
}

#[test]
fn announced_counts_are_compared_day_by_day() {
    let day = |dd, number, announced| {
        Rec { stamp: [26, 11, dd, 9, 0, 0], number, announced, ..Rec::default() }.bytes()
    };
    let complete = run(&[day(20, 1, 2), day(20, 2, 2), day(21, 3, 1), day(21, 3, 1)].concat());
    assert_eq!(complete.announced_count, Some(3));
    assert!(
        complete.problems.is_empty(),
        "a record asked for twice is not a surplus: {:?}",
        complete.problems
    );
    assert_eq!(complete.measurements.len(), 4);
    let lacking = run(&[day(20, 1, 2), day(21, 3, 1)].concat());
    assert_eq!(reasons(&lacking), [(0, 0, "missing_records")]);
    assert!(lacking.problems[0].text.contains("2026-11-20"), "{}", lacking.problems[0].text);
    assert_eq!(reasons(&run(&[day(20, 1, 1), day(20, 2, 1)].concat())), [(0, 0, "count_differs")]);
}

#[test]
fn start_bytes_inside_data_do_not_split_a_frame() {
    let record = Rec { number: 0x7E7E, name: *b"~~~~~~", inhibition: 0x7E11, ..Rec::default() };
    let decoded = run(&record.bytes());
    assert_eq!(decoded.measurements[0].record_no, Some(0x7E7E));
    assert_eq!(decoded.measurements[0].sample.name, "~~~~~~");
    assert!(decoded.problems.is_empty());
}

#[test]
fn what_is_not_a_message_is_refused_or_reported() {
    assert_eq!(decode(&[], SIGNED), Err("the message is empty".into()));
    let decoded = run(b"hello");
    assert!(decoded.measurements.is_empty());
    assert_eq!(reasons(&decoded), [(0, 5, "garbage")]);
    assert_eq!(reasons(&run(&frame(0x11, &[0; 19]))), [(0, 25, "record_length")]);
    assert_eq!(split(&[]).frames.len(), 0);
}

#[test]
fn a_bad_setting_is_named() {
    assert_eq!(Settings::read(|_| None), Ok(SIGNED));
    assert_eq!(Settings::read(|_| Some("false")), Ok(Settings { signed: false }));
    assert!(Settings::read(|_| Some("yes")).unwrap_err().contains("signed"));
}

#[test]
fn noise_that_looks_like_a_frame_does_not_swallow_a_record() {
    let record = Rec {
        announced: 1,
        number: 7,
        name: *b"abcdef",
        stamp: [26, 11, 21, 9, 0, 7],
        inhibition: 1654,
    };
    // A "ping" whose length, checksum and end fit by chance, with a whole record inside.
    let bytes = frame(0x00, &record.bytes());
    let decoded = run(&bytes);
    assert_eq!(decoded.measurements.len(), 1);
    assert_eq!(decoded.measurements[0].record_no, Some(7));
    assert_eq!(reasons(&decoded), [(0, 4, "garbage"), (30, 2, "garbage")]);
}
