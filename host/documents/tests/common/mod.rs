//! A certificate to vary, and foreign programs as judges.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use tianyin_documents::{BasisOption, CertificatePaper, FontOptions, Renderer, bitmap_to_png};
use tianyin_domain::bitmap::Bitmap;

/// The wording of form 1 of 2026, as the form's data hold it.
pub const COMMITMENT: &str =
    "我承诺生产销售的食用农产品 未使用禁用农药、兽药及其他化合物;使用的常规农药、兽药残留不超标。";

/// Only the embedded fonts: the same result on every machine.
pub static EMBEDDED_ONLY: LazyLock<Renderer> =
    LazyLock::new(|| Renderer::new(FontOptions { system_dirs: Vec::new() }).unwrap());

pub fn certificate() -> CertificatePaper {
    let basis = |text: &str, ticked| BasisOption { text: text.to_owned(), ticked };
    CertificatePaper {
        title: "承诺达标合格证".to_owned(),
        form: "2026 样式一".to_owned(),
        commitment: COMMITMENT.to_owned(),
        basis_options: vec![
            basis("质量安全控制符合要求", false),
            basis("自行检测合格", true),
            basis("委托检测合格", false),
        ],
        product: "湘潭湘莲(干莲)".to_owned(),
        quantity: "500 公斤".to_owned(),
        origin: "湖南省湘潭县花石镇罗汉村".to_owned(),
        producer: "湘潭县花石镇示例莲业专业合作社".to_owned(),
        contact: "0731-57880000".to_owned(),
        issued_on: "2026-11-20".to_owned(),
        code: "8K2M7Q4D9XPR3TWA".to_owned(),
        code_grouped: "8K2M-7Q4D-9XPR-3TWA".to_owned(),
        qr_text: "HTTPS://XIANGTAN.EXAMPLE.CN/T/8K2M7Q4D9XPR3TWA".to_owned(),
        proof_qr_text: None,
        county: "湘潭县".to_owned(),
        status_note: None,
    }
}

/// The longest texts that the label promises to take: two lines each for three fields.
pub fn worst_case() -> CertificatePaper {
    CertificatePaper {
        product: "湘潭湘莲(寸三莲 通芯白莲 一级 干品)".to_owned(),
        quantity: "123456789012.5 公斤".to_owned(),
        origin: "湖南省湘潭市湘潭县花石镇罗汉村示例片区".to_owned(),
        producer: "湘潭县花石镇示例湘莲种植专业合作社联合社".to_owned(),
        contact: "0731-57880000 转 8001".to_owned(),
        ..certificate()
    }
}

/// What zbar reads from a PNG; one line a code.
pub fn zbar(png: &[u8]) -> Vec<String> {
    let file = tempfile::Builder::new().suffix(".png").tempfile().unwrap();
    std::fs::write(file.path(), png).unwrap();
    let out = Command::new("zbarimg").args(["--quiet", "--raw"]).arg(file.path()).output();
    let out = out.expect("the decoder zbarimg is needed: install zbar-tools");
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}

pub fn zbar_bitmap(bitmap: &Bitmap) -> Vec<String> {
    zbar(&bitmap_to_png(bitmap).unwrap())
}

/// The text of a PDF in reading order without line ends, as poppler sees it; `None` without poppler.
pub fn pdf_text(pdf: &[u8]) -> Option<String> {
    let out = poppler("pdftotext", pdf, &["-raw", "-enc", "UTF-8", "FILE", "-"])?;
    Some(out.replace(['\n', '\u{c}', '\u{200b}'], ""))
}

/// Runs a program of poppler-utils on a PDF; `None` if it is not installed.
pub fn poppler(program: &str, pdf: &[u8], args: &[&str]) -> Option<String> {
    let file = tempfile::Builder::new().suffix(".pdf").tempfile().unwrap();
    std::fs::write(file.path(), pdf).unwrap();
    let path = |arg: &&str| if *arg == "FILE" { file.path() } else { Path::new(*arg) }.to_owned();
    match Command::new(program).args(args.iter().map(path)).output() {
        Ok(out) => {
            assert!(
                out.status.success(),
                "{program} refuses the file: {}",
                String::from_utf8_lossy(&out.stderr)
            );
            Some(String::from_utf8(out.stdout).unwrap())
        }
        Err(_) => {
            eprintln!("{program} is not installed, its part of the test is left out");
            None
        }
    }
}
