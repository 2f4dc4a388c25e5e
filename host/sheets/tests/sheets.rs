//! What goes out comes back; what is no table, or too much of one, is refused for what it is.
#![allow(clippy::unwrap_used)]

use std::io::Write as _;

use encoding_rs::{GB18030, UTF_16LE};
use proptest::prelude::*;
use rust_xlsxwriter::Workbook;
use tianyin_sheets::{
    COLUMNS_MAX, Cell, FILE_BYTES_MAX, ROWS_MAX, Sheet, SheetError, csv, read, xlsx,
};
use zip::write::SimpleFileOptions;

fn texts(sheet: &Sheet) -> Vec<Vec<String>> {
    let row = |row: &tianyin_sheets::Row| {
        row.cells.iter().map(|cell| cell.text().unwrap().to_owned()).collect()
    };
    sheet.rows.iter().map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Codes, phones, formulas, quotes, commas, line ends, characters beyond the BMP.
    #[test]
    fn what_goes_out_comes_back(
        rows in prop::collection::vec(
            prop::collection::vec("[\u{20}-\u{7e}\u{4e00}-\u{9fa5}\u{20000}-\u{20010}\n]{0,12}", 3), 1..8)
    ) {
        // Spaces around a text do not count, rows without any are not kept.
        let trimmed = |cell: &String| cell.trim().replace("\r\n", "\n");
        let wanted: Vec<Vec<String>> = rows.iter()
            .map(|row| row.iter().map(trimmed).collect::<Vec<_>>())
            .filter(|row| row.iter().any(|cell| !cell.is_empty()))
            .collect();
        prop_assume!(!wanted.is_empty());
        // An apostrophe before a formula is taken for the guard that it is on the way out.
        prop_assume!(!wanted.iter().flatten().any(|cell| cell.starts_with('\'')));
        let header = ["名称", "代码", "电话"];
        for bytes in [
            csv(&header, &wanted, false),
            csv(&header, &wanted, true),
            xlsx("主体", &header, &wanted).unwrap(),
        ] {
            let back = read(&bytes).unwrap();
            prop_assert_eq!(&back.header, &header);
            prop_assert_eq!(texts(&back), wanted.clone());
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), zip in any::<bool>()) {
        let bytes = if zip { [b"PK\x03\x04", bytes.as_slice()].concat() } else { bytes };
        let _ = read(&bytes);
    }
}

#[test]
fn encodings_and_separators() {
    let text = "名称\t电话\r\n甲社\t'-1\r\n\r\n乙社\t\r\n";
    let utf16: Vec<u8> =
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(UTF_16LE.decode(&utf16).0, text);
    let gb = GB18030.encode(text).0.into_owned();
    for bytes in [utf16, gb, text.as_bytes().to_vec(), text.replace('\t', ";").into_bytes()] {
        let sheet = read(&bytes).unwrap();
        assert_eq!(sheet.header, ["名称", "电话"]);
        assert_eq!(texts(&sheet), [["甲社", "-1"], ["乙社", ""]]);
        assert_eq!([sheet.rows[0].line, sheet.rows[1].line], [2, 4]);
    }
    // A row may be shorter or longer than the header.
    let sheet = read("a,b\n1\n1,2,3\n".as_bytes()).unwrap();
    assert_eq!(texts(&sheet), [["1", ""], ["1", "2"]]);
}

#[test]
fn a_formula_does_not_leave_as_one() {
    let rows = [vec!["=cmd|' /C calc'!A0".to_owned(), "+86 731".to_owned(), "-5".to_owned()]];
    let text = String::from_utf8(csv(&["a", "b", "c"], &rows, false)).unwrap();
    assert!(text.contains("'=cmd") && text.contains("'+86") && text.contains("'-5"), "{text}");
}

#[test]
fn what_a_spreadsheet_spoilt_is_said_to_be_spoilt() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, name) in (0..).zip(["代码", "面积", "日期"]) {
        sheet.write_string(0, column, name).unwrap();
    }
    // A credit code of digits only, typed into a cell that was not made a text.
    sheet.write_number(1, 0, 914_301_020_000_000_010.0).unwrap();
    sheet.write_number(1, 1, 12.5).unwrap();
    let date = rust_xlsxwriter::ExcelDateTime::from_ymd(2026, 11, 20).unwrap();
    let format = rust_xlsxwriter::Format::new().set_num_format("yyyy-mm-dd");
    sheet.write_datetime_with_format(1, 2, &date, &format).unwrap();
    sheet.write_string(2, 0, "长".repeat(1001)).unwrap();
    let read = read(&book.save_to_buffer().unwrap()).unwrap();
    let text = |text: &str| Cell::Text(text.into());
    assert_eq!(read.rows[0].cells, [Cell::SpoiltNumber, text("12.5"), text("2026-11-20")]);
    assert_eq!(read.rows[1].cells[0], Cell::TooLong);
}

#[test]
fn what_is_no_table_is_refused_for_what_it_is() {
    let old = [&b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"[..], &[0; 600]].concat();
    assert_eq!(read(&old), Err(SheetError::OldOrLocked));
    let picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01".to_vec();
    assert!(matches!(read(&picture), Err(SheetError::NotASheet(_))));
    assert!(matches!(read(b"PK\x03\x04 no archive"), Err(SheetError::NotASheet(_))));
    for empty in [&b""[..], b"\xef\xbb\xbf", "名称,电话\n".as_bytes(), b"\n\n,,\n"] {
        assert_eq!(read(empty), Err(SheetError::Empty));
    }
    assert_eq!(read(&vec![b'a'; FILE_BYTES_MAX + 1]), Err(SheetError::FileTooLarge));
    let many = "a\n".repeat(ROWS_MAX + 2);
    assert_eq!(read(many.as_bytes()), Err(SheetError::TooManyRows));
    let wide = "a,".repeat(COLUMNS_MAX) + "a\n1\n";
    assert_eq!(read(wide.as_bytes()), Err(SheetError::TooManyColumns));
    // Empty columns that a spreadsheet leaves behind are none.
    let trailing = format!("a{}\n1{0}\n", ",".repeat(200));
    assert_eq!(texts(&read(trailing.as_bytes()).unwrap()), [["1"]]);
}

/// An archive of some kilobytes that unpacks to a gigabyte.
#[test]
fn a_zip_bomb_is_not_unpacked() {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("xl/sharedStrings.xml", SimpleFileOptions::default()).unwrap();
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..300 {
        archive.write_all(&zeros).unwrap();
    }
    let bytes = archive.finish().unwrap().into_inner();
    assert!(bytes.len() < 1 << 20, "{}", bytes.len());
    assert_eq!(read(&bytes), Err(SheetError::UnpacksTooLarge));
}

/// Two cells, one at the far end: as a table that would be 17 thousand million.
#[test]
fn a_cell_far_away_takes_no_memory() {
    let far = |row, column| {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        sheet.write_string(0, 0, "名称").unwrap();
        sheet.write_string(row, column, "x").unwrap();
        book.save_to_buffer().unwrap()
    };
    assert_eq!(read(&far(1_048_575, 0)), Err(SheetError::TooManyRows));
    assert_eq!(read(&far(1, 16_383)), Err(SheetError::TooManyColumns));
}
