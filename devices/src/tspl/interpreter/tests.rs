#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::super::{LabelJob, encode, status::Problem};
use super::*;

fn labels(events: Vec<Event>) -> Vec<PrintedLabel> {
    events
        .into_iter()
        .filter_map(|e| if let Event::Label(label) = e { Some(label) } else { None })
        .collect()
}

fn reasons(events: &[Event]) -> Vec<Reason> {
    events
        .iter()
        .filter_map(|e| if let Event::Refused(r) = e { Some(r.reason) } else { None })
        .collect()
}

#[test]
fn a_label_typed_by_hand() {
    let mut printer = Interpreter::new(203);
    // The data hold CR LF, a comma and ESC ! ? on purpose: all of it is picture.
    let mut bytes = b"size 16 dot,6 dot\ngap 0.12,0\nDirection 0\nDENSITY 10\nSPEED 4.5\nCLS\nBITMAP 0,1,1,5,0,".to_vec();
    bytes.extend([0x0D, 0x0A, 0x2C, 0x1B, 0xFE]);
    bytes.extend(b"\r\nSOUND 1,200\r\nPRINT 2,3\r\n");
    let events = printer.feed(&bytes);
    assert_eq!(reasons(&events), []);
    let printed = labels(events);
    let mut expected = Bitmap::white(16, 6);
    for (row, byte) in [0x0Du8, 0x0A, 0x2C, 0x1B, 0xFE].iter().enumerate() {
        expected.data[(row + 1) * 2] = !byte;
    }
    assert_eq!(printed.len(), 1);
    assert_eq!(printed[0].bitmap, expected);
    assert_eq!(
        (printed[0].copies, printed[0].direction, printed[0].density, printed[0].speed),
        (6, 0, Some(10), Some(4.5))
    );
    assert!((printed[0].gap_mm - 3.048).abs() < 1e-9);
}

#[test]
fn sizes_in_every_unit() {
    for (size, width, height) in [
        ("60 mm,40 mm", 480, 320),
        ("60mm,40mm", 480, 320),
        ("2,1.5", 407, 305),
        ("480 dot,320 dot", 480, 320),
        ("50 mm", 400, 320),
    ] {
        let printed =
            labels(Interpreter::new(203).feed(format!("SIZE {size}\r\nPRINT 1\r\n").as_bytes()));
        assert_eq!((printed[0].bitmap.width, printed[0].bitmap.height), (width, height), "{size}");
    }
}

#[test]
fn the_image_stays_until_cls_and_modes_combine() {
    let mut printer = Interpreter::new(203);
    let draw = |mode: u8, byte: u8| {
        [format!("BITMAP 0,0,1,1,{mode},").as_bytes(), &[byte], b"\r\nPRINT 1\r\n"].concat()
    };
    printer.feed(b"SIZE 8 dot,1 dot\r\nCLS\r\n");
    let mut first = |bytes: &[u8]| labels(printer.feed(bytes))[0].bitmap.data[0];
    assert_eq!(first(&draw(0, !0b1100_0000)), 0b1100_0000);
    assert_eq!(first(&draw(1, !0b0110_0000)), 0b1110_0000);
    assert_eq!(first(&draw(2, !0b0011_0000)), 0b1101_0000);
    assert_eq!(first(&draw(0, !0b0000_0001)), 0b0000_0001);
    assert_eq!(first(b"PRINT 1\r\n"), 0b0000_0001);
    assert_eq!(first(b"CLS\r\nPRINT 1\r\n"), 0);
}

#[test]
fn the_origin_moves_pictures_and_what_is_outside_is_lost() {
    let mut printer = Interpreter::new(203);
    let events = printer.feed(
        b"SIZE 16 dot,2 dot\r\nREFERENCE 4,1\r\nCLS\r\nBITMAP -2,0,2,2,0,\0\0\0\0\r\nPRINT 1\r\n",
    );
    assert_eq!(labels(events)[0].bitmap.data, [0, 0, 0x3F, 0xFF]);
}

#[test]
fn a_status_query_is_answered_between_commands() {
    let mut printer = Interpreter::new(203);
    assert_eq!(printer.feed(b"\x1B!?"), [Event::Reply(vec![0])]);
    printer.set_status(Problem::PaperOut.into());
    assert_eq!(printer.feed(b"CLS\r\n\x1B"), []);
    assert_eq!(printer.feed(b"!"), []);
    assert_eq!(printer.feed(b"?CLS\r\n"), [Event::Reply(vec![4])]);
    assert_eq!(reasons(&printer.feed(b"\x1B!Z")), [Reason::Unknown]);
}

#[test]
fn what_cannot_be_done_is_said() {
    let table: [(&[u8], Reason); 17] = [
        (b"^XA", Reason::Unknown),
        (b"\xFF\xFE", Reason::Unknown),
        (b"TEXT 10,10,\"3\",0,1,1,\"HI\"", Reason::NotDrawn),
        (b"QRCODE 10,10,L,4,A,0,\"X\"", Reason::NotDrawn),
        (b"SIZE 60 km,40 mm", Reason::BadParameter),
        (b"SIZE 999 mm,40 mm", Reason::BadParameter),
        (b"SIZE -1 mm,40 mm", Reason::BadParameter),
        (b"SIZE nan,1", Reason::BadParameter),
        (b"SIZE", Reason::BadParameter),
        (b"DENSITY 16", Reason::BadParameter),
        (b"SPEED 0", Reason::BadParameter),
        (b"DIRECTION 2", Reason::BadParameter),
        (b"DIRECTION 0,1", Reason::BadParameter),
        (b"PRINT 0", Reason::BadParameter),
        (b"PRINT 999999,999999", Reason::BadParameter),
        (b"BITMAP 0,0,99999,99999,0,", Reason::BadParameter),
        (b"BITMAP 0,0,1,1", Reason::BadParameter),
    ];
    for (command, reason) in table {
        let mut printer = Interpreter::new(203);
        let events = printer.feed(&[command, b"\r\nCLS\r\n"].concat());
        assert_eq!(reasons(&events), [reason], "{}", String::from_utf8_lossy(command));
        assert_eq!(labels(printer.feed(b"PRINT 1\r\n")).len(), 1, "reads on afterwards");
    }
}

#[test]
fn garbage_is_bounded() {
    let mut printer = Interpreter::new(203);
    let events = printer.feed(&vec![b'x'; 10 * MAX_LINE_BYTES]);
    assert_eq!(reasons(&events), [Reason::TooLong]);
    let events = printer.feed("\r\nwhat\r\n".repeat(500).as_bytes());
    assert_eq!(events.len() as u64, MAX_REFUSALS - 1);
    assert_eq!(printer.refused(), 501);
}

#[test]
fn a_sender_that_stops_half_way_is_reported_and_forgotten() {
    let mut printer = Interpreter::new(203);
    printer.feed(b"CLS\r\nBITMAP 0,0,4,4,0,abc");
    let refusal = printer.abort().unwrap();
    assert_eq!(
        (refusal.command.as_str(), refusal.reason),
        ("BITMAP 0,0,4,4 (3 of 16 bytes)", Reason::CutShort)
    );
    assert_eq!(printer.abort(), None);
    assert_eq!(labels(printer.feed(b"PRINT 1\r\n")).len(), 1);
}

fn bitmaps() -> impl Strategy<Value = Bitmap> {
    (1u32..100, 1u32..60).prop_flat_map(|(width, height)| {
        let bytes = (width.div_ceil(8) * height) as usize;
        proptest::collection::vec(any::<u8>(), bytes).prop_map(move |data| Bitmap {
            width,
            height,
            data,
        })
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_printed(
        bitmap in bitmaps(), x in 0u32..100, y in 0u32..60, copies in 1u32..=999,
        density in proptest::option::of(0u8..=15), chunks in proptest::collection::vec(1usize..400, 1..40),
    ) {
        let job = LabelJob {
            bitmap: &bitmap, dpi: 203, width_mm: 25.0, height_mm: 15.0, gap_mm: 2.0, copies, density, speed: None, offset: (x, y),
        };
        let bytes = encode(&job).unwrap();
        let mut printer = Interpreter::new(203);
        let mut events = Vec::new();
        let (mut rest, mut sizes) = (&bytes[..], chunks.iter().cycle());
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            events.extend(printer.feed(piece));
            rest = tail;
        }
        prop_assert_eq!(printer.abort(), None);
        prop_assert_eq!(events.len(), 1);
        let printed = labels(events).remove(0);
        prop_assert_eq!((printed.bitmap.width, printed.bitmap.height), (200, 120));
        prop_assert_eq!((printed.copies, printed.density, printed.direction), (copies, density, 1));
        for py in 0..120 {
            for px in 0..200 {
                let want = px >= x && py >= y && bitmap.is_black(px - x, py - y);
                prop_assert_eq!(printed.bitmap.is_black(px, py), want, "dot {},{}", px, py);
            }
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        Interpreter::new(300).feed(&bytes);
    }

    #[test]
    fn how_bytes_are_split_does_not_matter(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "SIZE 10 mm,5 mm", "CLS", "PRINT 1", "\r\n", "\n", "BITMAP 0,0,1,2,0,", "\x1B!?", "ab", "\r", " ", ",", "DENSITY 3",
            ]), 0..30),
        cut in 1usize..7,
    ) {
        let bytes = words.concat().into_bytes();
        let whole = Interpreter::new(203).feed(&bytes);
        let mut printer = Interpreter::new(203);
        let pieces: Vec<Event> = bytes.chunks(cut).flat_map(|piece| printer.feed(piece)).collect();
        prop_assert_eq!(pieces, whole);
    }
}
