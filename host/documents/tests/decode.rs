//! A hundred random labels of every size and resolution, read from the very dots by two independent
//! decoders.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{EMBEDDED_ONLY, assert_read, certificate};
use tianyin_documents::{
    Barcode, BarcodeKind, CertificatePaper, Dpi, LabelDesign, LabelField, LabelSize, bitmap_to_png,
};

/// Labels of each size and resolution.
const LABELS: usize = 100;
/// Characters of Crockford's base 32.
const CODE: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Numbers that look random and are the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end
    }

    fn pick(&mut self, from: &[u8], count: usize) -> String {
        (0..count).map(|_| char::from(from[self.below(from.len())])).collect()
    }

    /// A name half of whose characters are rare ones of persons and places.
    fn name(&mut self, least: usize, most: usize) -> String {
        let rare: Vec<char> = include_str!("../fonts/hanzi-standard.txt")
            .chars()
            .filter(|char| !char.is_whitespace())
            .collect();
        let usual: Vec<char> = "湘潭县花石镇示例莲业专业合作社家庭农场(甲)号".chars().collect();
        let count = least + self.below(most - least + 1);
        (0..count)
            .map(|_| {
                let from = if self.below(2) == 0 { &rare } else { &usual };
                from[self.below(from.len())]
            })
            .collect()
    }

    fn certificate(&mut self) -> CertificatePaper {
        let code = self.pick(CODE, 16);
        let length = 4 + self.below(56);
        let host = self.pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.", length);
        let quantity = 100_000_000_000 + self.below(899_999_999_999_usize);
        CertificatePaper {
            product: self.name(2, 8),
            quantity: format!("{quantity} 公斤"),
            producer: self.name(4, 14),
            contact: format!("0731-{}", self.pick(b"0123456789", 8)),
            lot_no: format!("L{}-{}", self.pick(b"0123456789", 8), self.pick(b"0123456789", 3)),
            qr_text: format!("HTTPS://{host}/T/{code}"),
            code_grouped: [&code[..4], &code[4..8], &code[8..12], &code[12..]].join("-"),
            code,
            ..certificate()
        }
    }

    /// A GTIN of China with its check digit.
    fn gtin(&mut self, digits: usize) -> String {
        let body = format!("69{}", self.pick(b"0123456789", digits - 3));
        let weighted = body.bytes().rev().zip([3, 1].into_iter().cycle());
        let sum: u32 = weighted.map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
        format!("{body}{}", (10 - sum % 10) % 10)
    }

    /// A design that the size has room for.
    fn design(&mut self, size: LabelSize) -> LabelDesign {
        let usual = LabelDesign { qr_left: self.below(2) == 0, ..LabelDesign::of_size(size) };
        let (gtin_8, gtin_13) = (self.gtin(8), self.gtin(13));
        let bars = |kind, gtin: &str| Some(Barcode { kind, gtin: gtin.to_owned() });
        let choices = match size {
            LabelSize::W30H20 => vec![],
            LabelSize::W40H30 => vec![bars(BarcodeKind::Gtin, &gtin_8)],
            LabelSize::W50H30 => {
                vec![bars(BarcodeKind::Gtin, &gtin_8), bars(BarcodeKind::Gtin, &gtin_13)]
            }
            _ => vec![
                bars(BarcodeKind::Gtin, &gtin_13),
                bars(BarcodeKind::Code, ""),
                bars(BarcodeKind::LotNo, ""),
            ],
        };
        if choices.is_empty() || self.below(3) == 0 {
            return usual;
        }
        let barcode = choices[self.below(choices.len())].clone();
        let small = matches!(size, LabelSize::W40H30 | LabelSize::W50H30);
        let fields = if small { vec![LabelField::Product] } else { usual.fields.clone() };
        LabelDesign { fields, barcode, commitment: size == LabelSize::W100H70, ..usual }
    }
}

fn all_are_read(size: LabelSize, dpi: Dpi) {
    let mut random =
        Random(0x9E37_79B9_7F4A_7C15 ^ u64::from(size.size_mm().0 * dpi.dots_per_mm()));
    let mut pngs = Vec::new();
    let mut expected = Vec::new();
    for n in 0..LABELS {
        let (paper, design) = (random.certificate(), random.design(size));
        let drawn = EMBEDDED_ONLY.label_bitmap(&paper, &design, dpi);
        let bitmap = drawn.unwrap_or_else(|error| panic!("{n}: {error}: {paper:?} {design:?}"));
        let bars = design.barcode.map(|barcode| match barcode.kind {
            BarcodeKind::Code => paper.code,
            BarcodeKind::LotNo => paper.lot_no,
            BarcodeKind::Gtin => barcode.gtin,
        });
        pngs.push(bitmap_to_png(&bitmap).unwrap());
        expected.push([paper.qr_text].into_iter().chain(bars).collect());
    }
    assert_read(pngs, expected);
}

#[test]
fn labels_of_30x20_are_read() {
    all_are_read(LabelSize::W30H20, Dpi::D203);
    all_are_read(LabelSize::W30H20, Dpi::D300);
}

#[test]
fn labels_of_40x30_are_read() {
    all_are_read(LabelSize::W40H30, Dpi::D203);
    all_are_read(LabelSize::W40H30, Dpi::D300);
}

#[test]
fn labels_of_50x30_are_read() {
    all_are_read(LabelSize::W50H30, Dpi::D203);
    all_are_read(LabelSize::W50H30, Dpi::D300);
}

#[test]
fn labels_of_60x40_are_read() {
    all_are_read(LabelSize::W60H40, Dpi::D203);
    all_are_read(LabelSize::W60H40, Dpi::D300);
}

#[test]
fn labels_of_70x50_are_read() {
    all_are_read(LabelSize::W70H50, Dpi::D203);
    all_are_read(LabelSize::W70H50, Dpi::D300);
}

#[test]
fn labels_of_100x70_are_read() {
    all_are_read(LabelSize::W100H70, Dpi::D203);
    all_are_read(LabelSize::W100H70, Dpi::D300);
}
