//! What a design asks of a label: its lines, its side, its bar code; and what has no room.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{
    EMBEDDED_ONLY, assert_read, certificate, crop, form_of_2021, rolls, usual, worst_case,
};
use tianyin_documents::{
    Barcode, BarcodeKind, CertificatePaper, DocumentError, Dpi, LabelDesign, LabelField, LabelSize,
    bitmap_to_png,
};
use tianyin_domain::bitmap::Bitmap;

fn label(paper: &CertificatePaper, design: &LabelDesign) -> Result<Bitmap, DocumentError> {
    EMBEDDED_ONLY.label_bitmap(paper, design, Dpi::D203)
}

/// The field that does not fit.
fn refused(paper: &CertificatePaper, design: &LabelDesign) -> String {
    for dpi in [Dpi::D300, Dpi::D203] {
        match EMBEDDED_ONLY.label_bitmap(paper, design, dpi) {
            Err(DocumentError::Overflow { field, template: "labels.typ" }) => {
                if dpi == Dpi::D203 {
                    return field;
                }
            }
            Err(other) => panic!("{}: {other}", design.size.as_str()),
            Ok(_) => return format!("nothing of {}", design.size.as_str()),
        }
    }
    unreachable!()
}

fn bars(kind: BarcodeKind, gtin: &str) -> Option<Barcode> {
    Some(Barcode { kind, gtin: gtin.to_owned() })
}

#[test]
fn each_choice_of_a_design_is_seen_and_the_code_still_scans() {
    let paper = CertificatePaper { lot_no: "L20261120-001".to_owned(), ..certificate() };
    for size in rolls() {
        let plain = LabelDesign { commitment: false, ..LabelDesign::of_size(size) };
        let mut reversed = plain.clone();
        reversed.fields.reverse();
        let one = vec![LabelField::LotNo];
        let mut designs = vec![
            plain.clone(),
            LabelDesign { qr_left: true, ..plain.clone() },
            LabelDesign { heading: "湘潭湘莲".to_owned(), ..plain.clone() },
            LabelDesign { note: "贮存:阴凉干燥".to_owned(), ..plain.clone() },
            LabelDesign { fields: vec![LabelField::Product], ..plain.clone() },
            LabelDesign { fields: one, ..plain.clone() },
        ];
        if size != LabelSize::W30H20 {
            designs.push(reversed);
            designs.push(LabelDesign {
                barcode: bars(BarcodeKind::Gtin, "96385074"),
                fields: vec![],
                ..plain.clone()
            });
            designs.push(LabelDesign { commitment: true, fields: vec![], ..plain.clone() });
        }
        let drawn: Vec<_> = designs.iter().map(|design| label(&paper, design).unwrap()).collect();
        for (n, bitmap) in drawn.iter().enumerate() {
            assert!(drawn[..n].iter().all(|other| other != bitmap), "{} {n}", size.as_str());
        }
        let expected = designs.iter().map(|design| {
            let gtin = design.barcode.iter().map(|barcode| barcode.gtin.clone());
            [paper.qr_text.clone()].into_iter().chain(gtin).collect()
        });
        assert_read(drawn.iter().map(|bitmap| bitmap_to_png(bitmap).unwrap()), expected.collect());
    }
}

#[test]
fn the_code_stands_on_the_side_that_is_asked_for() {
    for size in rolls() {
        let fields = vec![LabelField::Product];
        let right = LabelDesign { fields, commitment: false, ..LabelDesign::of_size(size) };
        let left = LabelDesign { qr_left: true, ..right.clone() };
        // A little more than the half on the side of the code; the other part holds no code.
        let part = |design: &LabelDesign, right: bool| {
            let bitmap = label(&certificate(), design).unwrap();
            let width = bitmap.width * 11 / 20;
            let from = if right { bitmap.width - width } else { 0 };
            crop(&bitmap, [from, 0, width, bitmap.height])
        };
        let found = vec![certificate().qr_text];
        assert_read(
            [part(&right, true), part(&right, false), part(&left, true), part(&left, false)],
            vec![found.clone(), vec![], vec![], found],
        );
    }
}

#[test]
fn bars_are_read_at_both_resolutions() {
    let lot = |text: &str| CertificatePaper { lot_no: text.to_owned(), ..certificate() };
    let wide = LabelDesign { commitment: false, ..LabelDesign::of_size(LabelSize::W100H70) };
    let cases = [
        (certificate(), bars(BarcodeKind::Code, ""), "8K2M7Q4D9XPR3TWA"),
        (lot("L20261120-001"), bars(BarcodeKind::LotNo, ""), "L20261120-001"),
        (lot("20261120"), bars(BarcodeKind::LotNo, ""), "20261120"),
        (lot("2026112"), bars(BarcodeKind::LotNo, ""), "2026112"),
        (lot("lot/26#7 (a)~"), bars(BarcodeKind::LotNo, ""), "lot/26#7 (a)~"),
        (certificate(), bars(BarcodeKind::Gtin, "6901234567892"), "6901234567892"),
        (certificate(), bars(BarcodeKind::Gtin, "96385074"), "96385074"),
    ];
    let mut pngs = Vec::new();
    let mut expected = Vec::new();
    for (paper, barcode, text) in cases {
        let design = LabelDesign { barcode, ..wide.clone() };
        for dpi in [Dpi::D203, Dpi::D300] {
            let bitmap = EMBEDDED_ONLY.label_bitmap(&paper, &design, dpi).unwrap();
            pngs.push(bitmap_to_png(&bitmap).unwrap());
            expected.push(vec![paper.qr_text.clone(), text.to_owned()]);
        }
    }
    assert_read(pngs, expected);
}

#[test]
fn what_has_no_lot_has_no_bars_for_it_and_other_letters_are_refused() {
    let design = LabelDesign { barcode: bars(BarcodeKind::LotNo, ""), ..usual() };
    let without = LabelDesign { barcode: None, ..usual() };
    assert_eq!(label(&certificate(), &design).unwrap(), label(&certificate(), &without).unwrap());
    let chinese = CertificatePaper { lot_no: "第一批".to_owned(), ..certificate() };
    let error = label(&chinese, &design).unwrap_err();
    assert!(matches!(error, DocumentError::BarcodeText { .. }), "{error}");
}

#[test]
fn bars_without_room_are_refused_as_such() {
    let code = bars(BarcodeKind::Code, "");
    let gtin = bars(BarcodeKind::Gtin, "6901234567892");
    let of = |size| LabelDesign::of_size(size);
    let paper = CertificatePaper {
        lot_no: "L2026-1120-湘".replace('湘', &"X1".repeat(20)),
        ..certificate()
    };
    for design in [
        LabelDesign { barcode: bars(BarcodeKind::Gtin, "96385074"), ..of(LabelSize::W30H20) },
        LabelDesign { barcode: gtin.clone(), ..of(LabelSize::W40H30) },
        LabelDesign { barcode: code.clone(), ..of(LabelSize::W40H30) },
        LabelDesign { barcode: code.clone(), ..of(LabelSize::W50H30) },
        LabelDesign { barcode: code.clone(), ..of(LabelSize::W60H40) },
        LabelDesign { barcode: gtin, ..of(LabelSize::W60H40) },
        LabelDesign { barcode: code, ..of(LabelSize::W70H50) },
        LabelDesign { barcode: bars(BarcodeKind::LotNo, ""), ..of(LabelSize::W100H70) },
    ] {
        assert_eq!(refused(&paper, &design), "barcode", "{design:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name_on_every_size() {
    let long = |n: usize| "湘莲".repeat(n);
    for size in rolls() {
        let design = LabelDesign::of_size(size);
        let small = design.size.size_mm().0 < 60;
        for field in LabelField::ALL {
            // A small label has no room for it alone, a large one has none beside lesser ones.
            let text = |this| long(if this == field { 60 } else { 20 });
            let paper = CertificatePaper {
                product: text(LabelField::Product),
                quantity: text(LabelField::Quantity),
                origin: text(LabelField::Origin),
                producer: text(LabelField::Producer),
                contact: text(LabelField::Contact),
                issued_on: text(LabelField::IssuedOn),
                lot_no: text(LabelField::LotNo),
                ..certificate()
            };
            let fields = if small { vec![field] } else { LabelField::ALL.to_vec() };
            let design = LabelDesign { fields, commitment: !small, ..design.clone() };
            assert_eq!(refused(&paper, &design), field.as_str(), "{}", size.as_str());
        }
        let heading = LabelDesign { heading: long(20), ..design.clone() };
        assert_eq!(refused(&certificate(), &heading), "heading");
        if size != LabelSize::W100H70 {
            let note = LabelDesign { note: long(60), ..design.clone() };
            assert_eq!(refused(&certificate(), &note), "note");
        }
        let full = LabelDesign { commitment: true, ..design.clone() };
        let paper = CertificatePaper { commitment: long(200), ..certificate() };
        assert_eq!(refused(&paper, &full), "commitment");
        let title = CertificatePaper { title: long(30), ..certificate() };
        if size.size_mm().0 >= 60 {
            assert_eq!(refused(&title, &design), "title");
        }
    }
}

#[test]
fn many_bases_are_blamed_themselves() {
    let mut paper = form_of_2021();
    paper.commitment_items.clear();
    let option = paper.basis_options[0].clone();
    paper.basis_options = vec![option; 8];
    for option in &mut paper.basis_options {
        option.text = "委托检测合格并且自我检测合格".to_owned();
    }
    assert_eq!(refused(&paper, &usual()), "basis_options");
}

#[test]
fn a_note_on_the_usual_label_stands_above_the_commitment() {
    let design = LabelDesign { note: "贮存:阴凉干燥处".to_owned(), ..usual() };
    label(&certificate(), &design).unwrap();
    assert_eq!(
        refused(&worst_case(), &LabelDesign { note: "贮存:".repeat(20), ..usual() }),
        "note"
    );
}

#[test]
fn office_paper_is_no_label() {
    for size in [LabelSize::A5, LabelSize::A4] {
        let error = label(&certificate(), &LabelDesign::of_size(size)).unwrap_err();
        assert_eq!(error.to_string(), format!("{} is office paper and no label", size.as_str()));
    }
}

#[test]
fn texts_of_a_design_are_data_too() {
    let evil = r##"#panic("overflow:x")"##.to_owned();
    let design = LabelDesign {
        heading: evil.clone(),
        note: evil,
        ..LabelDesign::of_size(LabelSize::W100H70)
    };
    label(&certificate(), &design).unwrap();
    let error = label(&certificate(), &LabelDesign { note: "a\nb".to_owned(), ..design.clone() });
    assert!(matches!(error, Err(DocumentError::Unprintable { field: "note", char: '\n' })));
    let error = label(&certificate(), &LabelDesign { heading: "𰻝".to_owned(), ..design });
    assert!(matches!(error, Err(DocumentError::MissingGlyphs { .. })));
}
