//! The bitmap that a label printer burns.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{
    EMBEDDED_ONLY, certificate, dots, form_of_2019, form_of_2021, form_of_buyers, rolls, usual,
    worst_case, zbar_bitmap,
};
use tianyin_documents::{CertificatePaper, DocumentError, Dpi, LabelDesign, bitmap_to_png};
use tianyin_domain::bitmap::Bitmap;

fn label(paper: &CertificatePaper, dpi: Dpi) -> Result<Bitmap, DocumentError> {
    EMBEDDED_ONLY.label_bitmap(paper, &usual(), dpi)
}

/// Share of black dots, in per cent, of a rectangle in mm.
fn ink(bitmap: &Bitmap, dpi: Dpi, [x, y, width, height]: [f64; 4]) -> f64 {
    let dots = |mm: f64| (mm * f64::from(dpi.dots_per_mm())).round() as u32;
    let all =
        (dots(y)..dots(y + height)).flat_map(|y| (dots(x)..dots(x + width)).map(move |x| (x, y)));
    let black = all.clone().filter(|&(x, y)| bitmap.is_black(x, y)).count();
    100.0 * black as f64 / all.count() as f64
}

#[test]
fn a_label_has_the_dots_of_its_size() {
    for size in rolls() {
        for dpi in [Dpi::D203, Dpi::D300] {
            let design = LabelDesign::of_size(size);
            let bitmap = EMBEDDED_ONLY.label_bitmap(&certificate(), &design, dpi).unwrap();
            let (width, height) = size.size_mm();
            let dots = dpi.dots_per_mm();
            assert_eq!((bitmap.width, bitmap.height), (width * dots, height * dots));
            assert_eq!(bitmap.data.len(), bitmap.row_bytes() * (height * dots) as usize);
        }
    }
}

#[test]
fn every_form_fits_on_the_label_of_every_size() {
    for paper in [certificate(), form_of_buyers(), form_of_2021(), form_of_2019()] {
        for size in rolls() {
            let design = LabelDesign::of_size(size);
            for dpi in [Dpi::D203, Dpi::D300] {
                EMBEDDED_ONLY.label_bitmap(&paper, &design, dpi).unwrap();
            }
        }
    }
}

#[test]
fn an_independent_decoder_reads_the_code_from_the_dots() {
    for n in 0..12_u64 {
        // Different data bits make different symbols and masks.
        let code = format!("{:016X}", (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let qr_text = format!("HTTPS://XIANGTAN.EXAMPLE.CN/T/{code}");
        let paper =
            CertificatePaper { qr_text, ..if n % 2 == 0 { certificate() } else { worst_case() } };
        for dpi in [Dpi::D203, Dpi::D300] {
            assert_eq!(
                zbar_bitmap(&label(&paper, dpi).unwrap()),
                std::slice::from_ref(&paper.qr_text),
                "{n} {dpi:?}"
            );
        }
    }
}

#[test]
fn longer_addresses_need_smaller_modules_and_still_scan() {
    // Alphanumeric capacity at level M: version 2 = 38, 3 = 61, 4 = 90, 5 = 122, 6 = 154 characters.
    for length in [38, 61, 90, 122, 154] {
        let qr_text = format!("HTTPS://{:A>1$}", "B", length - 8);
        let paper = CertificatePaper { qr_text, ..certificate() };
        for dpi in [Dpi::D203, Dpi::D300] {
            assert_eq!(
                zbar_bitmap(&label(&paper, dpi).unwrap()),
                std::slice::from_ref(&paper.qr_text),
                "{length} {dpi:?}"
            );
        }
    }
    let paper = CertificatePaper { qr_text: "A".repeat(155), ..certificate() };
    let error = label(&paper, Dpi::D203).unwrap_err();
    assert!(
        matches!(error, DocumentError::QrTooLarge { modules: 53, room: 148, module_min: 3 }),
        "{error}"
    );
}

#[test]
fn every_region_holds_ink_and_the_rim_does_not() {
    for (dpi, paper) in
        [(Dpi::D203, certificate()), (Dpi::D300, certificate()), (Dpi::D203, worst_case())]
    {
        let bitmap = label(&paper, dpi).unwrap();
        for (region, at, range) in [
            ("title", [1.5, 1.0, 32.0, 4.5], 20.0..50.0),
            ("fields", [1.5, 6.6, 37.0, 21.5], 6.0..25.0),
            ("symbol", [43.0, 2.5, 14.5, 14.5], 40.0..60.0),
            ("words", [41.0, 19.0, 18.5, 3.25], 55.0..90.0),
            ("code", [43.0, 22.9, 15.0, 5.2], 10.0..40.0),
            ("basis and commitment", [1.5, 29.0, 55.0, 9.5], 8.0..32.0),
        ] {
            let found = ink(&bitmap, dpi, at);
            assert!(range.contains(&found), "{region} at {dpi:?}: {found:.1} % black");
        }
        let rim = [
            [0.0, 0.0, 60.0, 0.5],
            [0.0, 39.5, 60.0, 0.5],
            [0.0, 0.0, 0.5, 40.0],
            [59.5, 0.0, 0.5, 40.0],
        ];
        let quiet = [
            [41.0, 0.5, 18.5, 2.0],
            [41.0, 0.5, 2.0, 18.5],
            [57.5, 0.5, 2.0, 18.5],
            [41.0, 17.0, 18.5, 2.0],
        ];
        for at in rim.into_iter().chain(quiet) {
            assert_eq!(ink(&bitmap, dpi, at), 0.0, "{at:?} at {dpi:?}");
        }
    }
}

#[test]
fn a_changed_field_changes_the_dots_and_the_same_paper_does_not() {
    let before = label(&certificate(), Dpi::D203).unwrap();
    assert_eq!(before, label(&certificate(), Dpi::D203).unwrap());
    let mut basis_options = certificate().basis_options;
    basis_options[2].ticked = true;
    let changes = [
        CertificatePaper { product: "湘潭湘莲(鲜莲)".to_owned(), ..certificate() },
        CertificatePaper { quantity: "501 公斤".to_owned(), ..certificate() },
        CertificatePaper {
            origin: "湖南省湘潭县花石镇泉塘村".to_owned(), ..certificate()
        },
        CertificatePaper { producer: "示例农户".to_owned(), ..certificate() },
        CertificatePaper { producer_label: "收购者".to_owned(), ..certificate() },
        CertificatePaper { contact: "0731-57880001".to_owned(), ..certificate() },
        CertificatePaper { issued_on: "2026-11-21".to_owned(), ..certificate() },
        CertificatePaper { code_grouped: "8K2M-7Q4D-9XPR-3TWB".to_owned(), ..certificate() },
        CertificatePaper { commitment: "我承诺。".to_owned(), ..certificate() },
        CertificatePaper { status_note: Some("作废".to_owned()), ..certificate() },
        CertificatePaper { basis_options, ..certificate() },
    ];
    for changed in changes {
        assert_ne!(before, label(&changed, Dpi::D203).unwrap(), "{changed:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let long = |n: usize| "湘莲".repeat(n);
    let cases = [
        ("product", CertificatePaper { product: long(40), ..certificate() }),
        ("origin", CertificatePaper { origin: long(40), ..certificate() }),
        ("producer", CertificatePaper { producer: long(40), ..certificate() }),
        ("contact", CertificatePaper { contact: "0".repeat(100), ..certificate() }),
        ("commitment", CertificatePaper { commitment: long(60), ..certificate() }),
        ("title", CertificatePaper { title: long(10), ..certificate() }),
        ("code_grouped", CertificatePaper { code_grouped: "8".repeat(19), ..certificate() }),
        (
            "code_grouped",
            CertificatePaper {
                code_grouped: "8K2M-7Q4D-9XPR-3TWA-3TWA".to_owned(),
                ..certificate()
            },
        ),
        ("status_note", CertificatePaper { status_note: Some(long(20)), ..certificate() }),
    ];
    for (name, paper) in cases {
        match label(&paper, Dpi::D203).unwrap_err() {
            DocumentError::Overflow { field, template } => {
                assert_eq!((field.as_str(), template), (name, "labels.typ"));
            }
            other => panic!("{name}: {other}"),
        }
    }
}

#[test]
fn a_void_label_says_so_and_still_scans() {
    let paper = CertificatePaper { status_note: Some("作废".to_owned()), ..certificate() };
    let bitmap = label(&paper, Dpi::D203).unwrap();
    assert_eq!(zbar_bitmap(&bitmap), [paper.qr_text]);
    let field = [10.0, 10.0, 20.0, 14.0];
    assert!(
        ink(&bitmap, Dpi::D203, field)
            > 1.5 * ink(&label(&certificate(), Dpi::D203).unwrap(), Dpi::D203, field)
    );
}

#[test]
fn the_picture_for_screens_has_the_size_of_the_label() {
    let svg = EMBEDDED_ONLY.label_svg(&certificate(), &usual()).unwrap();
    assert!(
        svg.starts_with("<svg ")
            && svg.contains("width=\"60mm\" height=\"40mm\"")
            && svg.len() < 16_000
    );
}

#[test]
fn the_png_of_a_bitmap_holds_its_dots() {
    let mut bitmap = Bitmap::white(13, 5);
    for (x, y) in [(0, 0), (12, 0), (7, 2), (8, 2), (12, 4)] {
        bitmap.blacken(x, y);
    }
    let file = bitmap_to_png(&bitmap).unwrap();
    let read = dots(&file);
    for y in 0..5 {
        for x in 0..13 {
            assert_eq!(read.is_black(x, y), bitmap.is_black(x, y), "{x},{y}");
        }
    }
}
