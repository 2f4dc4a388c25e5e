//! Writes samples of every label, paper and sheet to a folder (`target/samples/` if none is named)
//! and prints timings as JSON.
//!
//! ```text
//! cargo run -p tianyin-documents --example sample [FOLDER]
//! ```

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tianyin_documents::{
    Barcode, BarcodeKind, BasisOption, BlankForm, BlankNo, CertificatePaper, CodeLabel, Detail,
    Dpi, FontOptions, LabelDesign, LabelField, LabelSize, PaperSize, Renderer, Sheet,
    bitmap_to_png,
};

use certificates::{certificate, form_of_2019, form_of_2021, form_of_buyers};

#[path = "../tests/common/certificates.rs"]
mod certificates;

type Done = Result<(), Box<dyn Error>>;

fn main() -> Done {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/samples");
    let folder = std::env::args().nth(1).map_or(default, PathBuf::from);
    std::fs::create_dir_all(&folder)?;

    let start = Instant::now();
    let renderer = Renderer::new(FontOptions::default())?;
    let new_ms = ms(start);
    let new_kb = resident_kb();
    let design = LabelDesign::of_size(LabelSize::W60H40);
    let start = Instant::now();
    renderer.label_bitmap(&sample(0), &design, Dpi::D203)?;
    let first_ms = ms(start);

    labels(&renderer, &folder)?;
    papers(&renderer, &folder)?;
    let pictures_kb = resident_kb();
    let sheets = sheets(&renderer, &folder)?;
    let sheets_kb = resident_kb();
    let label_203_ms =
        median(200, |n| renderer.label_bitmap(&sample(n), &design, Dpi::D203).map(drop))?;
    let label_300_ms =
        median(100, |n| renderer.label_bitmap(&sample(n), &design, Dpi::D300).map(drop))?;
    let labels_kb = resident_kb();
    let pdf_ms = median(40, |n| renderer.pdf(&sample(n), PaperSize::A4).map(drop))?;
    let pdfs_kb = resident_kb();
    let rare =
        |n| CertificatePaper { producer: "示例𰻝𰻝面合作社".to_owned(), ..sample(n) };
    let rare_ms = median(10, |n| renderer.label_bitmap(&rare(n), &design, Dpi::D203).map(drop));
    println!(
        "{}",
        serde_json::json!({
            "new_ms": new_ms, "label_first_ms": first_ms, "label_203_median_ms": label_203_ms,
            "label_300_median_ms": label_300_ms, "pdf_median_ms": pdf_ms, "sheets_ms": sheets,
            "label_with_system_font_median_ms": rare_ms.ok(), "folder": folder,
            "resident_kb": { "new": new_kb, "samples": pictures_kb, "sheets": sheets_kb, "labels": labels_kb, "pdfs": pdfs_kb, "system_font": resident_kb() },
        })
    );
    Ok(())
}

/// Every size at both resolutions; then each choice of a design where it fits.
fn labels(renderer: &Renderer, folder: &Path) -> Done {
    let write = |name: String, paper: &CertificatePaper, design: &LabelDesign, dpi| -> Done {
        match renderer.label_bitmap(paper, design, dpi) {
            Ok(bitmap) => std::fs::write(folder.join(name + ".png"), bitmap_to_png(&bitmap)?)?,
            Err(error) => println!("{name}: {error}"),
        }
        Ok(())
    };
    let void = CertificatePaper { status_note: Some("作废".to_owned()), ..sample(0) };
    for size in LabelSize::ALL.into_iter().filter(|size| size.is_roll()) {
        let name = size.as_str();
        let design = LabelDesign::of_size(size);
        write(format!("label-{name}-203"), &sample(0), &design, Dpi::D203)?;
        write(format!("label-{name}-300"), &sample(0), &design, Dpi::D300)?;
        write(format!("label-{name}-void"), &void, &design, Dpi::D203)?;
        write(format!("label-{name}-2021"), &numbered(0, form_of_2021()), &design, Dpi::D203)?;
        write(format!("label-{name}-2019"), &numbered(0, form_of_2019()), &design, Dpi::D203)?;
        let bars = |kind, gtin: &str| Some(Barcode { kind, gtin: gtin.to_owned() });
        let plain = LabelDesign { commitment: false, ..design.clone() };
        let choices = [
            ("left", LabelDesign { qr_left: true, ..design.clone() }),
            ("heading", LabelDesign { heading: "湘潭湘莲".to_owned(), ..design.clone() }),
            ("note", LabelDesign { note: "贮存:阴凉干燥处".to_owned(), ..design.clone() }),
            (
                "bars-gtin",
                LabelDesign { barcode: bars(BarcodeKind::Gtin, "6901234567892"), ..design.clone() },
            ),
            (
                "bars-gtin8",
                LabelDesign {
                    barcode: bars(BarcodeKind::Gtin, "96385074"),
                    qr_left: true,
                    ..plain.clone()
                },
            ),
            ("bars-code", LabelDesign { barcode: bars(BarcodeKind::Code, ""), ..plain.clone() }),
            ("bars-lot", LabelDesign { barcode: bars(BarcodeKind::LotNo, ""), ..design.clone() }),
            ("plain", plain),
            (
                "product",
                LabelDesign {
                    fields: vec![LabelField::Product],
                    heading: "花石人家".to_owned(),
                    note: "花石镇出品".to_owned(),
                    ..design.clone()
                },
            ),
            (
                "all",
                LabelDesign {
                    fields: LabelField::ALL.to_vec(),
                    heading: "湘潭湘莲".to_owned(),
                    note: "贮存:阴凉干燥处;保质期十二个月".to_owned(),
                    ..design
                },
            ),
        ];
        for (choice, design) in choices {
            write(format!("label-{name}-{choice}"), &sample(0), &design, Dpi::D203)?;
        }
    }
    let design = LabelDesign::of_size(LabelSize::W60H40);
    std::fs::write(folder.join("label.svg"), renderer.label_svg(&sample(0), &design)?)?;
    Ok(())
}

fn papers(renderer: &Renderer, folder: &Path) -> Done {
    let many = |n: usize| {
        let pair =
            |label: &str, text: &str| Detail { label: label.to_owned(), text: text.to_owned() };
        let all = [
            pair("开具方式", "一车一证"),
            pair("车牌", "湘C·A1234"),
            pair("包装件数", "120 件"),
            pair("等级", "一级"),
        ];
        all[..n].to_vec()
    };
    let papers = [
        ("2026-producer", sample(0)),
        ("2026-buyer", CertificatePaper { details: many(3), ..numbered(0, form_of_buyers()) }),
        ("2021", CertificatePaper { details: many(1), ..numbered(0, form_of_2021()) }),
        ("2019", numbered(0, form_of_2019())),
        ("many", CertificatePaper { details: many(4), ..numbered(0, form_of_2021()) }),
        (
            "void",
            CertificatePaper {
                status_note: Some("作废".to_owned()),
                proof_qr_text: None,
                ..sample(0)
            },
        ),
    ];
    for (name, paper) in papers {
        for (size, suffix, dpi) in [(PaperSize::A4, "a4", 100), (PaperSize::A5, "a5", 140)] {
            std::fs::write(
                folder.join(format!("paper-{name}-{suffix}.png")),
                renderer.png(&paper, size, dpi)?,
            )?;
            std::fs::write(
                folder.join(format!("paper-{name}-{suffix}.pdf")),
                renderer.pdf(&paper, size)?,
            )?;
        }
    }
    Ok(())
}

fn sheets(renderer: &Renderer, folder: &Path) -> Result<serde_json::Value, Box<dyn Error>> {
    let mut timings = serde_json::Map::new();
    let mut write = |name: String, pdf: Vec<u8>, start: Instant| -> Done {
        timings.insert(name.clone(), ms(start).into());
        Ok(std::fs::write(folder.join(name + ".pdf"), pdf)?)
    };
    let sheet = Sheet { margin_mm: 8, gap_mm: 2, skip: 1 };
    let certificates: Vec<_> = (0..60).map(sample).collect();
    let codes: Vec<_> = (0..200).map(code_label).collect();
    for size in LabelSize::ALL.into_iter().filter(|size| size.is_roll()) {
        let start = Instant::now();
        let pdf = renderer.label_sheet_pdf(&certificates, &LabelDesign::of_size(size), &sheet)?;
        write(format!("sheet-{}", size.as_str()), pdf, start)?;
        let start = Instant::now();
        let pdf = renderer.code_sheet_pdf(&codes, size, &Sheet { skip: 0, ..sheet })?;
        write(format!("codes-{}", size.as_str()), pdf, start)?;
    }
    let blanks: Vec<_> = (0..3).map(blank).collect();
    for (name, form) in [
        ("2026", blank_form(&sample(0))),
        ("2021", blank_form(&numbered(0, form_of_2021()))),
        ("2019", blank_form(&numbered(0, form_of_2019()))),
    ] {
        for (size, suffix) in [(PaperSize::A4, "a4"), (PaperSize::A5, "a5")] {
            let start = Instant::now();
            let pdf = renderer.blank_forms_pdf(&form, &blanks, size)?;
            write(format!("blanks-{name}-{suffix}"), pdf, start)?;
        }
    }
    Ok(timings.into())
}

fn blank_form(c: &CertificatePaper) -> BlankForm {
    let texts =
        |options: &[BasisOption]| options.iter().map(|option| option.text.clone()).collect();
    BlankForm {
        title: c.title.clone(),
        form: c.form.clone(),
        commitment: c.commitment.clone(),
        commitment_items: texts(&c.commitment_items),
        basis_options: texts(&c.basis_options),
        producer_label: c.producer_label.clone(),
        county: c.county.clone(),
        producer: if c.basis_options.len() == 3 { c.producer.clone() } else { String::new() },
    }
}

fn blank(n: usize) -> BlankNo {
    BlankNo {
        number: format!("P0001-{:06}", 123 + n),
        code_grouped: format!("8K2M-7Q4D-9XPR-{n:04}"),
        qr_text: format!("HTTPS://XIANGTAN.EXAMPLE.CN/T/8K2M7Q4D9XPR{n:04}"),
    }
}

fn code_label(n: usize) -> CodeLabel {
    CodeLabel {
        qr_text: format!("HTTPS://XIANGTAN.EXAMPLE.CN/T/8K2M7Q4D9XPR{n:04}"),
        code_grouped: format!("8K2M-7Q4D-9XPR-{n:04}"),
        serial: format!("K0007-{n:07}"),
        pin: n.is_multiple_of(2).then(|| format!("{:06}", 100_003 * n % 999_983)),
        heading: "湘潭湘莲".to_owned(),
    }
}

/// Certificate number `n`: other texts each time, so that no cache can answer.
fn sample(n: usize) -> CertificatePaper {
    numbered(n, certificate())
}

/// A certificate with the texts of number `n`.
fn numbered(n: usize, form: CertificatePaper) -> CertificatePaper {
    let code = format!("8K2M7Q4D9XPR{n:04}");
    CertificatePaper {
        quantity: format!("{} 公斤", 500 + n),
        contact: format!("0731-5788{n:04}"),
        lot_no: format!("L20261120-{n:03}"),
        code_grouped: format!("8K2M-7Q4D-9XPR-{n:04}"),
        qr_text: format!("HTTPS://XIANGTAN.EXAMPLE.CN/T/{code}"),
        code,
        proof_qr_text: Some(format!(
            "TY1.{}.{}",
            "eyJhIjoi5rmY5r2t5rmY6I6yIn0".repeat(18),
            "c2lnbmF0dXJl".repeat(8)
        )),
        ..form
    }
}

fn ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

fn median<E>(times: usize, mut job: impl FnMut(usize) -> Result<(), E>) -> Result<f64, E> {
    let mut took = Vec::with_capacity(times);
    for n in 0..times {
        let start = Instant::now();
        job(n)?;
        took.push(ms(start));
    }
    took.sort_by(f64::total_cmp);
    Ok(took[times / 2])
}

/// Memory that is resident after all this (Linux), in kB.
fn resident_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse().ok()
    })
}
