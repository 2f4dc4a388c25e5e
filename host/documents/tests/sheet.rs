//! Sheets of labels and of codes, and blank forms: every code on them is read from the page as a
//! printer would set it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{
    EMBEDDED_ONLY, assert_read, certificate, crop, dots, form_of_2019, form_of_2021, pdf_pages,
    pdf_text, rolls,
};
use tianyin_documents::{
    BLANKS_MAX, Barcode, BarcodeKind, BlankForm, BlankNo, CODE_LABELS_MAX, CertificatePaper,
    CodeLabel, DocumentError, LabelDesign, LabelSize, PaperSize, SHEET_LABELS_MAX, Sheet,
};

const SHEET: Sheet = Sheet { margin_mm: 8, gap_mm: 2, skip: 0 };

fn certificates(count: usize) -> Vec<CertificatePaper> {
    let one = |n| CertificatePaper {
        code: format!("8K2M7Q4D9XPR{n:04}"),
        code_grouped: format!("8K2M-7Q4D-9XPR-{n:04}"),
        qr_text: format!("HTTPS://XIANGTAN.EXAMPLE.CN/T/8K2M7Q4D9XPR{n:04}"),
        ..certificate()
    };
    (0..count).map(one).collect()
}

fn codes(count: usize) -> Vec<CodeLabel> {
    let one = |n| CodeLabel {
        qr_text: format!("HTTPS://XIANGTAN.EXAMPLE.CN/T/8K2M7Q4D9XPR{n:04}"),
        code_grouped: format!("8K2M-7Q4D-9XPR-{n:04}"),
        serial: format!("K0007-{n:07}"),
        pin: (n % 2 == 0).then(|| format!("{:06}", 482_913 + n)),
        heading: if n % 3 == 0 { String::new() } else { "湘潭湘莲".to_owned() },
    };
    (0..count).map(one).collect()
}

fn blanks(count: usize) -> Vec<BlankNo> {
    let one = |n| BlankNo {
        number: format!("P0001-{n:06}"),
        code_grouped: format!("8K2M-7Q4D-9XPR-{n:04}"),
        qr_text: format!("HTTPS://XIANGTAN.EXAMPLE.CN/T/8K2M7Q4D9XPR{n:04}"),
    };
    (0..count).map(one).collect()
}

fn blank_form(paper: &CertificatePaper) -> BlankForm {
    BlankForm {
        title: paper.title.clone(),
        form: paper.form.clone(),
        commitment: paper.commitment.clone(),
        commitment_items: paper.commitment_items.iter().map(|one| one.text.clone()).collect(),
        basis_options: paper.basis_options.iter().map(|one| one.text.clone()).collect(),
        producer_label: paper.producer_label.clone(),
        county: paper.county.clone(),
        producer: String::new(),
    }
}

/// Every place of every page as a picture of its own, with a little of what is around.
fn cells(pdf: &[u8], size: LabelSize, sheet: &Sheet) -> Vec<Vec<u8>> {
    let (width, height) = size.size_mm();
    let fit = |page: u32, label: u32| {
        (page - 2 * sheet.margin_mm + sheet.gap_mm) / (label + sheet.gap_mm)
    };
    let (columns, rows) = (fit(210, width), fit(297, height));
    let corner = |page: u32, label: u32, count: u32, at: u32| {
        (page - count * label - (count - 1) * sheet.gap_mm) * 5 + at * (label + sheet.gap_mm) * 10
    };
    let mut cells = Vec::new();
    for page in pdf_pages(pdf, 10.0 * 25.4) {
        let page = dots(&page);
        for at in 0..columns * rows {
            let (x, y) = (
                corner(210, width, columns, at % columns),
                corner(297, height, rows, at / columns),
            );
            cells.push(crop(&page, [x, y, width * 10, height * 10]));
        }
    }
    cells
}

/// What the places hold: nothing in those that are skipped, then a text each.
fn placed(texts: Vec<Vec<String>>, skip: usize, places: usize) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new(); skip];
    all.extend(texts);
    let pages = all.len().div_ceil(places);
    all.resize(pages * places, Vec::new());
    all
}

#[test]
fn as_many_labels_fit_on_a_sheet_as_their_size_allows() {
    let places = |size, margin_mm, gap_mm| Sheet { margin_mm, gap_mm, skip: 0 }.places(size);
    assert_eq!(places(LabelSize::W60H40, 8, 2), 3 * 6);
    assert_eq!(places(LabelSize::W30H20, 0, 0), 7 * 14);
    assert_eq!(places(LabelSize::W100H70, 0, 0), 2 * 4);
    assert_eq!(places(LabelSize::W70H50, 0, 0), 3 * 5);
    assert_eq!(places(LabelSize::W100H70, 56, 0), 0);
    assert_eq!(places(LabelSize::W30H20, u32::MAX, u32::MAX), 0);
}

#[test]
fn every_code_of_a_sheet_of_labels_is_read() {
    for size in rolls() {
        let sheet = Sheet { skip: 2, ..SHEET };
        let places = sheet.places(size) as usize;
        let papers = certificates(places + 1);
        let pdf =
            EMBEDDED_ONLY.label_sheet_pdf(&papers, &LabelDesign::of_size(size), &sheet).unwrap();
        let texts = papers.iter().map(|paper| vec![paper.qr_text.clone()]).collect();
        assert_read(cells(&pdf, size, &sheet), placed(texts, 2, places));
    }
}

#[test]
fn bars_on_a_sheet_are_read() {
    let barcode = Some(Barcode { kind: BarcodeKind::Code, gtin: String::new() });
    let size = LabelSize::W70H50;
    let design = LabelDesign { barcode, commitment: false, ..LabelDesign::of_size(size) };
    let papers = certificates(4);
    let pdf = EMBEDDED_ONLY.label_sheet_pdf(&papers, &design, &SHEET).unwrap();
    let texts = papers.iter().map(|paper| vec![paper.qr_text.clone(), paper.code.clone()]);
    let places = SHEET.places(size) as usize;
    assert_read(cells(&pdf, size, &SHEET), placed(texts.collect(), 0, places));
}

#[test]
fn used_places_of_the_first_sheet_stay_free() {
    let sheet = Sheet { skip: 17, ..SHEET };
    let papers = certificates(2);
    let design = LabelDesign::of_size(LabelSize::W60H40);
    let pdf = EMBEDDED_ONLY.label_sheet_pdf(&papers, &design, &sheet).unwrap();
    let texts = papers.iter().map(|paper| vec![paper.qr_text.clone()]).collect();
    assert_read(cells(&pdf, design.size, &sheet), placed(texts, 17, 18));
    let full = EMBEDDED_ONLY.label_sheet_pdf(&papers, &design, &Sheet { skip: 18, ..SHEET });
    assert!(matches!(full, Err(DocumentError::Sheet { places: 18, skip: 18, .. })));
}

#[test]
fn every_code_of_a_pack_is_read_and_its_texts_are_there() {
    for size in rolls() {
        let places = SHEET.places(size) as usize;
        let codes = codes(places + 1);
        let pdf = EMBEDDED_ONLY.code_sheet_pdf(&codes, size, &SHEET).unwrap();
        let texts = codes.iter().map(|code| vec![code.qr_text.clone()]).collect();
        assert_read(cells(&pdf, size, &SHEET), placed(texts, 0, places));
        let Some(text) = pdf_text(&pdf) else { continue };
        for code in &codes {
            let pin = code.pin.iter().map(String::as_str);
            for part in code.serial.split('-').chain(code.code_grouped.split('-')).chain(pin) {
                assert!(text.contains(part), "{part} in {text}");
            }
        }
        assert_eq!(text.matches("合格证").count(), codes.len());
    }
}

#[test]
fn blank_forms_have_their_number_their_code_and_room_to_write() {
    for form in [certificate(), form_of_2021(), form_of_2019()].iter().map(blank_form) {
        let blanks = blanks(3);
        let texts: Vec<_> = blanks.iter().map(|blank| blank.qr_text.clone()).collect();
        let pdf = EMBEDDED_ONLY.blank_forms_pdf(&form, &blanks, PaperSize::A4).unwrap();
        assert_read(pdf_pages(&pdf, 150.0), texts.chunks(2).map(<[String]>::to_vec).collect());
        let pdf = EMBEDDED_ONLY.blank_forms_pdf(&form, &blanks, PaperSize::A5).unwrap();
        assert_read(pdf_pages(&pdf, 150.0), texts.chunks(1).map(<[String]>::to_vec).collect());
        let Some(text) = pdf_text(&pdf) else { continue };
        let own =
            ["产品名称", "数量(重量)", "产地", "生产者", "联系方式", "开具日期", "签名或盖章"];
        let boxes = form.commitment_items.iter().chain(&form.basis_options).map(String::as_str);
        let numbers = blanks.iter().map(|blank| blank.number.as_str());
        for word in own.into_iter().chain(boxes).chain(numbers).chain([form.commitment.as_str()]) {
            assert!(text.contains(word), "{word} in {text}");
        }
    }
    let form = BlankForm {
        producer: "湘潭县花石镇示例莲业专业合作社".to_owned(),
        ..blank_form(&certificate())
    };
    let pdf = EMBEDDED_ONLY.blank_forms_pdf(&form, &blanks(1), PaperSize::A5).unwrap();
    assert!(pdf_text(&pdf).is_none_or(|text| text.contains(&form.producer)));
}

#[test]
fn the_same_sheet_gives_the_same_bytes() {
    let labels = || {
        let design = LabelDesign::of_size(LabelSize::W50H30);
        EMBEDDED_ONLY.label_sheet_pdf(&certificates(5), &design, &SHEET).unwrap()
    };
    assert_eq!(labels(), labels());
    let stickers = || EMBEDDED_ONLY.code_sheet_pdf(&codes(5), LabelSize::W40H30, &SHEET).unwrap();
    assert_eq!(stickers(), stickers());
    let form = blank_form(&certificate());
    let forms = || EMBEDDED_ONLY.blank_forms_pdf(&form, &blanks(3), PaperSize::A4).unwrap();
    assert_eq!(forms(), forms());
}

#[test]
fn jobs_that_make_no_sense_are_refused() {
    let design = LabelDesign::of_size(LabelSize::W60H40);
    let none = EMBEDDED_ONLY.label_sheet_pdf(&[], &design, &SHEET);
    assert!(matches!(none, Err(DocumentError::Empty { field: "labels" })));
    let many = EMBEDDED_ONLY.label_sheet_pdf(&certificates(SHEET_LABELS_MAX + 1), &design, &SHEET);
    assert!(matches!(many, Err(DocumentError::TooLong { field: "labels", .. })));
    let many = EMBEDDED_ONLY.code_sheet_pdf(&codes(CODE_LABELS_MAX + 1), design.size, &SHEET);
    assert!(matches!(many, Err(DocumentError::TooLong { field: "codes", .. })));
    let form = blank_form(&certificate());
    let many = EMBEDDED_ONLY.blank_forms_pdf(&form, &blanks(BLANKS_MAX + 1), PaperSize::A4);
    assert!(matches!(many, Err(DocumentError::TooLong { field: "blanks", .. })));
    let wide = Sheet { margin_mm: 80, ..SHEET };
    let none = EMBEDDED_ONLY.code_sheet_pdf(&codes(1), design.size, &wide);
    assert!(matches!(none, Err(DocumentError::Sheet { places: 0, .. })));
    let paper = EMBEDDED_ONLY.code_sheet_pdf(&codes(1), LabelSize::A4, &SHEET);
    assert!(matches!(paper, Err(DocumentError::NotALabel { size: "a4" })));
}

#[test]
fn what_does_not_fit_on_a_form_or_sticker_is_refused_by_name() {
    let long = "湘莲".repeat(60);
    let name = |result: Result<Vec<u8>, DocumentError>| match result.unwrap_err() {
        DocumentError::Overflow { field, .. } => field,
        other => panic!("{other}"),
    };
    let one = &codes(1)[0];
    let sticker = |code| name(EMBEDDED_ONLY.code_sheet_pdf(&[code], LabelSize::W30H20, &SHEET));
    assert_eq!(sticker(CodeLabel { heading: long.clone(), ..one.clone() }), "heading");
    assert_eq!(sticker(CodeLabel { serial: long.clone(), ..one.clone() }), "serial");
    assert_eq!(sticker(CodeLabel { pin: Some(long.clone()), ..one.clone() }), "pin");
    let form = blank_form(&certificate());
    let blank = |form| name(EMBEDDED_ONLY.blank_forms_pdf(&form, &blanks(1), PaperSize::A4));
    assert_eq!(blank(BlankForm { producer: long.clone(), ..form.clone() }), "producer");
    assert_eq!(blank(BlankForm { title: long.clone(), ..form.clone() }), "title");
    assert_eq!(
        blank(BlankForm {
            commitment: "湘莲".repeat(200),
            commitment_items: vec![long.clone(); 4],
            ..form.clone()
        }),
        "commitment"
    );
    assert_eq!(blank(BlankForm { basis_options: vec![long; 8], ..form }), "basis_options");
}
