//! What each size of label asks for, in eighths of a mm; types in mm.

use serde::Serialize;
use tianyin_domain::label_template::LabelSize;

use crate::DocumentError;
use crate::layout::EDGE;

/// What a size asks for: the square of the QR code with its quiet zone, heights, and types in mm,
/// the largest first.
pub(crate) struct Plan {
    /// Blank left of the text, and between it and the QR code.
    pub margin: u32,
    pub gap: u32,
    /// Blank right of and above the QR code.
    pub edge: u32,
    pub qr: u32,
    pub words: u32,
    pub code_pitch: u32,
    pub types: Types,
}

/// Sizes of type in mm, the largest first.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Types {
    pub heading: &'static [f64],
    /// None: there is no room, the words at the QR code stand for it.
    pub title: &'static [f64],
    /// With the distance of lines.
    pub text: &'static [(f64, f64)],
    /// Of the basis and of the commitment.
    pub foot: &'static [(f64, f64)],
    pub words: &'static [f64],
    pub code: &'static [f64],
    pub note: &'static [f64],
}

const SMALL_TEXT: &[(f64, f64)] =
    &[(3.0, 3.75), (2.75, 3.375), (2.5, 3.0), (2.375, 3.0), (2.375, 2.625), (2.25, 2.375)];
const SMALL_FOOT: &[(f64, f64)] = &[(2.375, 2.5), (2.375, 2.375), (2.25, 2.5), (2.25, 2.25)];

/// The plan of a size.
///
/// # Errors
/// `NotALabel` for office paper.
pub(crate) fn plan(size: LabelSize) -> Result<Plan, DocumentError> {
    let small = Types {
        heading: &[3.0, 2.75, 2.5, 2.25],
        title: &[],
        text: SMALL_TEXT,
        foot: SMALL_FOOT,
        words: &[2.25, 2.0],
        code: &[2.375, 2.25],
        note: &[2.375, 2.25],
    };
    Ok(match size {
        LabelSize::W30H20 => Plan {
            margin: 6,
            gap: 2,
            edge: EDGE,
            qr: 148,
            words: 0,
            code_pitch: 19,
            types: Types {
                text: &[(2.5, 2.625), (2.25, 2.375)],
                code: &[2.375, 2.25, 2.125],
                ..small
            },
        },
        LabelSize::W40H30 => {
            Plan { margin: 8, gap: 6, edge: EDGE, qr: 124, words: 52, code_pitch: 22, types: small }
        }
        LabelSize::W50H30 => Plan {
            margin: 10,
            gap: 8,
            edge: EDGE,
            qr: 148,
            words: 26,
            code_pitch: 22,
            types: Types { words: &[2.375, 2.25], ..small },
        },
        LabelSize::W60H40 => Plan {
            margin: 12,
            gap: 12,
            edge: EDGE,
            qr: 148,
            words: 26,
            code_pitch: 22,
            types: Types {
                heading: &[3.25, 2.75, 2.25],
                title: &[4.5, 4.0],
                text: &[(2.5, 3.0), (2.5, 2.75), (2.375, 2.625), (2.25, 2.375)],
                words: &[2.375, 2.25],
                ..small
            },
        },
        LabelSize::W70H50 => Plan {
            margin: 14,
            gap: 14,
            edge: 6,
            qr: 186,
            words: 34,
            code_pitch: 27,
            types: Types {
                heading: &[4.0, 3.5, 3.0, 2.5, 2.25],
                title: &[5.25, 4.5],
                text: &[(3.25, 4.0), (3.0, 3.5), (2.75, 3.125), (2.5, 2.75), (2.25, 2.375)],
                foot: &[(2.875, 3.125), (2.75, 3.0), (2.5, 2.75), (2.375, 2.5), (2.25, 2.25)],
                words: &[3.0, 2.75],
                code: &[3.0, 2.75],
                note: &[2.75, 2.5, 2.25],
            },
        },
        LabelSize::W100H70 => Plan {
            margin: 20,
            gap: 20,
            edge: 12,
            qr: 260,
            words: 46,
            code_pitch: 37,
            types: Types {
                heading: &[5.25, 4.5, 3.5, 2.5],
                title: &[7.5, 6.5, 5.5],
                text: &[
                    (4.5, 5.75),
                    (4.25, 5.0),
                    (3.75, 4.25),
                    (3.25, 3.625),
                    (2.75, 3.0),
                    (2.25, 2.375),
                ],
                foot: &[(4.0, 4.375), (3.75, 4.0), (3.25, 3.5), (2.75, 3.0), (2.25, 2.25)],
                words: &[4.25, 3.75],
                code: &[4.125, 3.75],
                note: &[3.5, 3.0, 2.5, 2.25],
            },
        },
        LabelSize::A5 | LabelSize::A4 => {
            return Err(DocumentError::NotALabel { size: size.as_str() });
        }
    })
}
