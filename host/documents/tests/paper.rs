//! The A4 certificate, the texts on it, and the fonts.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{
    COMMITMENT, EMBEDDED_ONLY, assert_read, certificate, form_of_2019, form_of_2021,
    form_of_buyers, options, pdf_text, poppler, usual, worst_case,
};
use tianyin_documents::{
    CertificatePaper, Detail, DocumentError, Dpi, FontOptions, PaperSize, Renderer,
};

const A4: PaperSize = PaperSize::A4;

#[test]
fn the_pdf_is_one_page_with_embedded_fonts_and_the_exact_wording() {
    let pdf = EMBEDDED_ONLY.pdf(&worst_case(), A4).unwrap();
    assert!(
        pdf.starts_with(b"%PDF-") && (20_000..400_000).contains(&pdf.len()),
        "{} bytes",
        pdf.len()
    );
    if let Some(info) = poppler("pdfinfo", &pdf, &["FILE"]) {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = info.lines().map(words).collect();
        assert!(lines.contains(&"Pages: 1".to_owned()), "{info}");
        assert!(
            lines.iter().any(|line| line.starts_with("Page size:") && line.ends_with("(A4)")),
            "{info}"
        );
    }
    if let Some(fonts) = poppler("pdffonts", &pdf, &["FILE"]) {
        assert!(
            fonts.contains("TianyinSans-Regular") && fonts.contains("TianyinSerif-Bold"),
            "{fonts}"
        );
        let embedded = |line: &&str| line.contains(" yes yes yes ");
        assert_eq!(
            fonts.lines().skip(2).count(),
            fonts.lines().filter(embedded).count(),
            "{fonts}"
        );
    }
    if let Some(text) = pdf_text(&pdf) {
        let paper = worst_case();
        assert!(text.contains(COMMITMENT), "{text}");
        for field in
            [&paper.product, &paper.quantity, &paper.origin, &paper.producer, &paper.contact]
        {
            assert!(text.contains(field.as_str()), "{field} in {text}");
        }
    }
}

#[test]
fn the_same_certificate_gives_the_same_pdf() {
    assert_eq!(
        EMBEDDED_ONLY.pdf(&certificate(), A4).unwrap(),
        EMBEDDED_ONLY.pdf(&certificate(), A4).unwrap()
    );
}

/// A proof as long as real ones.
fn proof() -> String {
    format!("TY1.{}.{}", "eyJhIjoi5rmY5r2t5rmY6I6yIn0".repeat(18), "c2lnbmF0dXJl".repeat(8))
}

#[test]
fn both_codes_of_a_paper_scan() {
    let paper = CertificatePaper { proof_qr_text: Some(proof()), ..worst_case() };
    let pngs = [(A4, 200), (PaperSize::A5, 280)]
        .map(|(size, dpi)| EMBEDDED_ONLY.png(&paper, size, dpi).unwrap());
    assert_read(pngs, vec![vec![paper.qr_text, proof()]; 2]);
}

#[test]
fn a_void_paper_still_scans() {
    let paper = CertificatePaper { status_note: Some("作废".to_owned()), ..certificate() };
    let png = EMBEDDED_ONLY.png(&paper, A4, 110).unwrap();
    assert_read([png], vec![vec![paper.qr_text]]);
}

#[test]
fn every_form_is_printed_whole_on_both_papers() {
    let more = [("开具方式", "一车一证"), ("车牌", "湘C·A1234"), ("包装件数", "120 件")];
    let details = more.map(|(label, text)| Detail { label: label.into(), text: text.into() });
    for form in [certificate(), form_of_buyers(), form_of_2021(), form_of_2019()] {
        let paper = CertificatePaper {
            lot_no: "L20261120-001".to_owned(),
            details: details.to_vec(),
            proof_qr_text: Some(proof()),
            ..form
        };
        for (size, points) in [(A4, "595.276 x 841.89"), (PaperSize::A5, "419.528 x 595.276")] {
            let pdf = EMBEDDED_ONLY.pdf(&paper, size).unwrap();
            if let Some(info) = poppler("pdfinfo", &pdf, &["FILE"]) {
                assert!(info.contains(points), "{info}");
            }
            let Some(text) = pdf_text(&pdf) else { continue };
            // Between a Chinese and another letter the typesetter leaves a gap.
            let text = text.replace(' ', "");
            let boxes = paper.commitment_items.iter().chain(&paper.basis_options);
            let words = boxes.map(|option| option.text.as_str());
            let words = words.chain(more.iter().flat_map(|(label, text)| [*label, *text]));
            let own = [&paper.title, &paper.form, &paper.commitment, &paper.lot_no];
            for word in own.into_iter().map(String::as_str).chain(words) {
                assert!(text.contains(&word.replace(' ', "")), "{word} in {text}");
            }
            let signature = format!("{}(签名或盖章)", paper.producer_label);
            assert!(text.contains(&signature), "{text}");
            assert_eq!(text.contains("承诺依据"), !paper.basis_options.is_empty(), "{text}");
            // The words at the code are those of the form's own time.
            let old = paper.title == "食用农产品合格证";
            assert_eq!(
                text.contains("承诺达标合格证"),
                !old || text.contains("批次农产品"),
                "{text}"
            );
        }
    }
}

#[test]
fn what_has_no_lot_has_no_row_for_it() {
    let with = CertificatePaper { lot_no: "L1".to_owned(), ..certificate() };
    let text = |paper| pdf_text(&EMBEDDED_ONLY.pdf(paper, A4).unwrap());
    assert!(text(&with).is_none_or(|text| text.contains("批次号")));
    assert!(text(&certificate()).is_none_or(|text| !text.contains("批次号")));
}

#[test]
fn what_is_too_long_for_a_paper_is_refused_by_name() {
    let long = |n: usize| "湘莲".repeat(n);
    let boxes = |n: usize| {
        options(&vec![("质量安全控制符合要求并且自行检测合格", true); n])
    };
    let details = vec![Detail { label: "去向".to_owned(), text: long(60) }; 6];
    let cases = [
        ("title", CertificatePaper { title: long(20), ..certificate() }),
        ("details", CertificatePaper { details, ..certificate() }),
        ("status_note", CertificatePaper { status_note: Some(long(20)), ..certificate() }),
        (
            "commitment",
            CertificatePaper { commitment: long(200), commitment_items: boxes(8), ..certificate() },
        ),
        (
            "basis_options",
            CertificatePaper {
                basis_options: options(&[(long(30).as_str(), true); 8]),
                ..certificate()
            },
        ),
    ];
    for (name, paper) in cases {
        for size in [A4, PaperSize::A5] {
            match EMBEDDED_ONLY.pdf(&paper, size).unwrap_err() {
                DocumentError::Overflow { field, template: "certificate.typ" } => {
                    assert_eq!(field, name);
                }
                other => panic!("{name}: {other}"),
            }
        }
    }
    let seven = vec![Detail { label: "去向".to_owned(), text: "长沙".to_owned() }; 7];
    let error = EMBEDDED_ONLY.pdf(&CertificatePaper { details: seven, ..certificate() }, A4);
    assert!(matches!(error, Err(DocumentError::TooLong { field: "details", length: 7, limit: 6 })));
}

#[test]
fn text_is_never_taken_for_markup() {
    let evil = [
        r##"#"] *_$ `x`"##,
        r##"#panic("overflow:x") #{1+1}"##,
        r#"\u{41} \ // /* <a> @b = + -"#,
        r##"") #import "x" $ sum_1^2 $"##,
        r#"'a' "b" -- --- ~ ..."#,
    ];
    for text in evil {
        let paper = CertificatePaper {
            product: text.to_owned(),
            producer: text.to_owned(),
            ..certificate()
        };
        if let Some(found) = pdf_text(&EMBEDDED_ONLY.pdf(&paper, A4).unwrap()) {
            assert_eq!(found.matches(text).count(), 2, "{text} in {found}");
        }
        EMBEDDED_ONLY.label_bitmap(&paper, &usual(), Dpi::D203).unwrap();
    }
}

#[test]
fn long_words_wrap_inside_their_column() {
    let contact = "someone.with.a.long.name@cooperative.example.com.cn".to_owned();
    let paper = CertificatePaper { contact: contact.clone(), ..certificate() };
    EMBEDDED_ONLY.label_bitmap(&paper, &usual(), Dpi::D203).unwrap();
    let text = pdf_text(&EMBEDDED_ONLY.pdf(&paper, A4).unwrap());
    assert!(text.is_none_or(|text| text.contains(&contact)));
}

#[test]
fn what_does_not_fit_on_a4_is_refused() {
    let long = "湘潭县花石镇示例莲业专业合作社".repeat(8);
    let paper = CertificatePaper {
        product: long.clone(),
        origin: long.clone(),
        producer: long.clone(),
        ..certificate()
    };
    let paper = CertificatePaper { contact: long.clone(), quantity: long.clone(), ..paper };
    EMBEDDED_ONLY.pdf(&paper, A4).unwrap();
    let details = vec![Detail { label: "去向".to_owned(), text: long }; 6];
    let error = EMBEDDED_ONLY.pdf(&CertificatePaper { details, ..paper }, A4).unwrap_err();
    assert!(
        matches!(error, DocumentError::Overflow { template: "certificate.typ", .. }),
        "{error}"
    );
}

#[test]
fn bad_texts_are_refused_by_name() {
    let bad = |paper: CertificatePaper| EMBEDDED_ONLY.pdf(&paper, A4).unwrap_err();
    let error = bad(CertificatePaper { product: " ".to_owned(), ..certificate() });
    assert!(matches!(error, DocumentError::Empty { field: "product" }), "{error}");
    let error = bad(CertificatePaper { origin: "镇".repeat(121), ..certificate() });
    assert!(
        matches!(error, DocumentError::TooLong { field: "origin", length: 121, limit: 120 }),
        "{error}"
    );
    for char in ['\n', '\t', '\u{202e}', '\u{200b}', '\0'] {
        let error = bad(CertificatePaper { producer: format!("示例{char}社"), ..certificate() });
        assert!(
            matches!(error, DocumentError::Unprintable { field: "producer", char: c } if c == char),
            "{error}"
        );
    }
    let error = bad(CertificatePaper { qr_text: "A".repeat(4000), ..certificate() });
    assert!(matches!(error, DocumentError::QrEncode { bytes: 4000, .. }), "{error}");
    let error = EMBEDDED_ONLY.png(&certificate(), A4, 1200).unwrap_err();
    assert!(matches!(error, DocumentError::Resolution { dpi: 1200 }), "{error}");
}

#[test]
fn names_with_rare_characters_are_printed_from_the_embedded_fonts() {
    for name in ["㙍头村", "䶮", "赟", "喆堃", "𬭎", "①ⅣⅪ㎏℃№%★"] {
        let paper =
            CertificatePaper { producer: format!("示例{name}合作社"), ..certificate() };
        EMBEDDED_ONLY.label_bitmap(&paper, &usual(), Dpi::D203).unwrap();
        if let Some(text) = pdf_text(&EMBEDDED_ONLY.pdf(&paper, A4).unwrap()) {
            assert!(text.contains(&paper.producer), "{text}");
        }
    }
}

#[test]
fn a_character_without_a_glyph_is_an_error_and_not_a_box() {
    let paper =
        CertificatePaper { producer: "示例𰻝𰻝面龘社".to_owned(), ..certificate() };
    let error = EMBEDDED_ONLY.pdf(&paper, A4).unwrap_err();
    assert_eq!(error.to_string(), "no font has a glyph for: 龘𰻝");
}

#[test]
fn a_missing_character_is_found_in_a_font_folder() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("broken.ttf"), b"not a font").unwrap();
    std::fs::write(deep.join("rare.otf"), include_bytes!("fonts/rare.otf")).unwrap();
    let system_dirs = vec![folder.path().join("missing"), folder.path().to_owned()];
    let renderer = Renderer::new(FontOptions { system_dirs }).unwrap();

    let paper =
        CertificatePaper { producer: "示例𰻝𰻝面龘社".to_owned(), ..certificate() };
    let pdf = renderer.pdf(&paper, A4).unwrap();
    if let Some(fonts) = poppler("pdffonts", &pdf, &["FILE"]) {
        assert!(fonts.contains("TianyinTestSC-Regular"), "{fonts}");
        assert!(pdf_text(&pdf).unwrap().contains(&paper.producer));
    }
    let with = renderer.label_bitmap(&paper, &usual(), Dpi::D203).unwrap();
    let other = CertificatePaper { producer: "示例龘龘面𰻝社".to_owned(), ..certificate() };
    assert_ne!(with, renderer.label_bitmap(&other, &usual(), Dpi::D203).unwrap());

    let paper = CertificatePaper { producer: "示例𰻝𠀀社".to_owned(), ..certificate() };
    let error = renderer.pdf(&paper, A4).unwrap_err();
    assert!(
        matches!(&error, DocumentError::MissingGlyphs { chars } if chars == &['𠀀']),
        "{error}"
    );
}

#[test]
fn threads_share_one_renderer() {
    let render = |n: usize| {
        let paper = CertificatePaper { quantity: format!("{n} 公斤"), ..certificate() };
        EMBEDDED_ONLY.label_bitmap(&paper, &usual(), Dpi::D203).unwrap()
    };
    let alone: Vec<_> = (0..12).map(render).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..12).map(|n| scope.spawn(move || render(n))).collect();
        handles.into_iter().map(|handle| handle.join().unwrap()).collect()
    });
    assert_eq!(alone, together);
}
