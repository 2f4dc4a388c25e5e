//! A certificate to vary, and foreign programs as judges.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tianyin_documents::{
    CertificatePaper, FontOptions, LabelDesign, LabelSize, Renderer, bitmap_to_png,
};
use tianyin_domain::bitmap::Bitmap;

mod certificates;

pub use certificates::*;

/// Only the embedded fonts: the same result on every machine.
pub static EMBEDDED_ONLY: LazyLock<Renderer> =
    LazyLock::new(|| Renderer::new(FontOptions { system_dirs: Vec::new() }).unwrap());

/// The sizes that go on a roll.
pub fn rolls() -> impl Iterator<Item = LabelSize> {
    LabelSize::ALL.into_iter().filter(|size| size.is_roll())
}

/// The design of a label of 60 x 40 mm.
pub fn usual() -> LabelDesign {
    LabelDesign::of_size(LabelSize::W60H40)
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

/// What zbar reads from a PNG, sorted.
pub fn zbar(png: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    zbar_files(&write_all(folder.path(), [png])).remove(0)
}

/// Writes pictures to a folder.
pub fn write_all<T: AsRef<[u8]>>(folder: &Path, pngs: impl IntoIterator<Item = T>) -> Vec<PathBuf> {
    let write = |(n, png): (usize, T)| {
        let path = folder.join(format!("{n:04}.png"));
        std::fs::write(&path, png).unwrap();
        path
    };
    pngs.into_iter().enumerate().map(write).collect()
}

/// What zbar reads from each of many pictures, sorted.
pub fn zbar_files(files: &[PathBuf]) -> Vec<Vec<String>> {
    let options = [
        "-q",
        "--nodbus",
        "--xml",
        "-Sdisable",
        "-Sqr.enable",
        "-Scode128.enable",
        "-Sean13.enable",
        "-Sean8.enable",
    ];
    let out = Command::new("zbarimg").args(options).args(files).output();
    let out = out.expect("the decoder zbarimg is needed: install zbar-tools");
    let xml = String::from_utf8(out.stdout).unwrap();
    let of = |file: &PathBuf| {
        let source = format!("<source href='{}'>", file.display());
        let found =
            xml.split(source.as_str()).nth(1).and_then(|rest| rest.split("</source>").next());
        let texts = found.unwrap_or_default().split("<![CDATA[").skip(1);
        sorted(texts.map(|rest| rest.split("]]>").next().unwrap().to_owned()).collect())
    };
    files.iter().map(of).collect()
}

/// What ZXing reads from each of many pictures, sorted.
pub fn zxing_files(files: &[PathBuf]) -> Vec<Vec<String>> {
    // Without -noscale version 1.4 stops at an assertion of its own when it finds a bar code twice.
    let options = ["-1", "-noscale", "-format", "QRCode,Code128,EAN-13,EAN-8"];
    let out = Command::new("ZXingReader").args(options).args(files).output();
    let out = out.expect("the decoder ZXingReader is needed: install zxing-cpp-tools");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let lines = String::from_utf8(out.stdout).unwrap();
    // A line is: file format "text"
    let of = |file: &PathBuf| {
        let own = lines.lines().filter_map(|line| line.strip_prefix(file.to_str().unwrap()));
        let texts = own.filter_map(|line| line.split_once('"')?.1.strip_suffix('"'));
        sorted(texts.map(str::to_owned).collect())
    };
    files.iter().map(of).collect()
}

/// Every picture says just what is expected of it, by the word of both decoders.
pub fn assert_read<T: AsRef<[u8]>>(pngs: impl IntoIterator<Item = T>, expected: Vec<Vec<String>>) {
    let folder = tempfile::tempdir().unwrap();
    let files = write_all(folder.path(), pngs);
    let expected: Vec<_> = expected.into_iter().map(sorted).collect();
    assert_eq!(files.len(), expected.len());
    assert_eq!(zbar_files(&files), expected, "zbar");
    assert_eq!(zxing_files(&files), expected, "zxing");
}

pub fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

pub fn zbar_bitmap(bitmap: &Bitmap) -> Vec<String> {
    zbar(&bitmap_to_png(bitmap).unwrap())
}

/// The pages of a PDF as grey pictures, by poppler.
pub fn pdf_pages(pdf: &[u8], dpi: f64) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("paper.pdf");
    std::fs::write(&file, pdf).unwrap();
    let mut program = Command::new("pdftoppm");
    program
        .args(["-r", &dpi.to_string(), "-gray", "-png"])
        .arg(&file)
        .arg(folder.path().join("page"));
    let out = program.output().expect("pdftoppm is needed: install poppler-utils");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> = files.filter(|path| path.extension().unwrap() == "png").collect();
    pages.sort();
    pages.into_iter().map(|page| std::fs::read(page).unwrap()).collect()
}

/// A picture's dots, darker than mid grey or not.
pub fn dots(png: &[u8]) -> Bitmap {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut luma = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut luma).unwrap();
    // Grey, or the same three times.
    let pixel = info.color_type.samples();
    let mut bitmap = Bitmap::white(info.width, info.height);
    for (y, line) in (0..).zip(luma.chunks_exact(info.line_size)) {
        for (x, _) in (0..).zip(line.iter().step_by(pixel)).filter(|(_, luma)| **luma < 128) {
            bitmap.blacken(x, y);
        }
    }
    bitmap
}

/// A part of a picture: left, top, width and height in dots.
pub fn crop(bitmap: &Bitmap, [left, top, width, height]: [u32; 4]) -> Vec<u8> {
    let mut part = Bitmap::white(width, height);
    for y in 0..height {
        for x in (0..width).filter(|x| bitmap.is_black(left + x, top + y)) {
            part.blacken(x, y);
        }
    }
    bitmap_to_png(&part).unwrap()
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
