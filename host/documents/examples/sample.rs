//! Writes a sample label and A4 certificate to `target/samples/` and prints timings as JSON.
//!
//! ```text
//! cargo run -p tianyin-documents --example sample
//! ```

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use tianyin_documents::{
    BasisOption, CertificatePaper, Dpi, FontOptions, LabelSize, Paper, Renderer, bitmap_to_png,
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/samples");
    std::fs::create_dir_all(&folder)?;

    let start = Instant::now();
    let renderer = Renderer::new(FontOptions::default())?;
    let new_ms = ms(start);
    let new_kb = resident_kb();

    let start = Instant::now();
    let label = renderer.label_bitmap(&sample(0), LabelSize::W60H40, Dpi::D203)?;
    let first_ms = ms(start);
    std::fs::write(folder.join("label-203.png"), bitmap_to_png(&label)?)?;
    let label = renderer.label_bitmap(&sample(0), LabelSize::W60H40, Dpi::D300)?;
    std::fs::write(folder.join("label-300.png"), bitmap_to_png(&label)?)?;
    std::fs::write(folder.join("label.svg"), renderer.label_svg(&sample(0), LabelSize::W60H40)?)?;
    std::fs::write(folder.join("certificate.png"), renderer.png(&sample(0), Paper::A4, 110)?)?;
    let void =
        CertificatePaper {
            status_note: Some("作废".to_owned()), proof_qr_text: None, ..sample(0)
        };
    std::fs::write(folder.join("certificate-void.png"), renderer.png(&void, Paper::A4, 80)?)?;
    let label = renderer.label_bitmap(&void, LabelSize::W60H40, Dpi::D203)?;
    std::fs::write(folder.join("label-void.png"), bitmap_to_png(&label)?)?;

    let start = Instant::now();
    std::fs::write(folder.join("certificate.pdf"), renderer.pdf(&sample(0))?)?;
    let pdf_first_ms = ms(start);

    let pictures_kb = resident_kb();
    let label_203_ms =
        median(200, |n| renderer.label_bitmap(&sample(n), LabelSize::W60H40, Dpi::D203).map(drop))?;
    let label_300_ms =
        median(100, |n| renderer.label_bitmap(&sample(n), LabelSize::W60H40, Dpi::D300).map(drop))?;
    let labels_kb = resident_kb();
    let pdf_ms = median(40, |n| renderer.pdf(&sample(n)).map(drop))?;
    let pdfs_kb = resident_kb();
    let rare =
        |n| CertificatePaper { producer: "示例𰻝𰻝面合作社".to_owned(), ..sample(n) };
    let rare_ms =
        median(10, |n| renderer.label_bitmap(&rare(n), LabelSize::W60H40, Dpi::D203).map(drop));
    println!(
        "{}",
        serde_json::json!({
            "new_ms": new_ms, "label_first_ms": first_ms, "label_203_median_ms": label_203_ms,
            "label_300_median_ms": label_300_ms, "pdf_first_ms": pdf_first_ms, "pdf_median_ms": pdf_ms,
            "label_with_system_font_median_ms": rare_ms.ok(), "folder": folder,
            "resident_kb": { "new": new_kb, "samples": pictures_kb, "labels": labels_kb, "pdfs": pdfs_kb, "system_font": resident_kb() },
        })
    );
    Ok(())
}

/// Certificate number `n`: other texts each time, so that no cache can answer.
fn sample(n: usize) -> CertificatePaper {
    let basis = |text: &str, ticked| BasisOption { text: text.to_owned(), ticked };
    let code = format!("8K2M7Q4D9XPR{n:04}");
    CertificatePaper {
        title: "承诺达标合格证".to_owned(),
        form: "2026 样式一".to_owned(),
        commitment: "我承诺生产销售的食用农产品 未使用禁用农药、兽药及其他化合物;使用的常规农药、兽药残留不超标。".to_owned(),
        basis_options: vec![
            basis("质量安全控制符合要求", false),
            basis("自行检测合格", true),
            basis("委托检测合格", false),
        ],
        product: "湘潭湘莲(干莲)".to_owned(),
        quantity: format!("{} 公斤", 500 + n),
        origin: "湖南省湘潭县花石镇罗汉村".to_owned(),
        producer: "湘潭县花石镇示例莲业专业合作社".to_owned(),
        contact: format!("0731-5788{n:04}"),
        issued_on: "2026-11-20".to_owned(),
        code_grouped: format!("8K2M-7Q4D-9XPR-{n:04}"),
        qr_text: format!("HTTPS://XIANGTAN.EXAMPLE.CN/T/{code}"),
        code,
        proof_qr_text: Some(format!("TY1.{}.{}", "eyJhIjoi5rmY5r2t5rmY6I6yIn0".repeat(18), "c2lnbmF0dXJl".repeat(8))),
        county: "湘潭县".to_owned(),
        status_note: None,
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
