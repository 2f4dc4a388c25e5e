//! Where things stand on a label. All lengths are eighths of a mm, one dot at 203 dpi, so that
//! equal strokes get equal dots.
//!
//! ```text
//!   +--------------------------+------+     30 x 20 mm:
//!   | heading                  |      |     +----------+-------+
//!   | title                    |  QR  |     |          | head. |
//!   | fields                   |      |     |    QR    | words |
//!   |                          | words|     |          | code  |
//!   | (commitment, bars)       | code |     |          | field |
//!   +--------------------------+------+     +----------+-------+
//!   | basis, commitment, note         |     | note             |
//!   | bars                            |     +------------------+
//!   +---------------------------------+
//! ```

use serde::Serialize;
use tianyin_domain::label_template::{LabelDesign, LabelSize};

use crate::barcode::{BarDots, Bars};
use crate::plan::{Plan, Types, plan};
use crate::qr::{QUIET, QrModules};
use crate::{DocumentError, Dpi};

/// Blank rim of a label: no printer feeds paper more exactly.
pub(crate) const EDGE: u32 = 4;
/// Room for the digits beneath bars.
const DIGITS: u32 = 20;
/// Lowest and highest bars with their digits.
const BARS_MIN: u32 = 32 + DIGITS;
const BARS_MAX: u32 = 80 + DIGITS;
/// Below this a commitment has no room at the foot, and goes beneath the fields.
const COMMITMENT_MIN: u32 = 56;
/// One line of the note.
const NOTE_LINE: u32 = 20;
/// One line of the fields at the smallest type.
const FIELD_LINE: u32 = 19;

/// A place in eighths of a mm; the templates see mm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "RectMm")]
pub(crate) struct Rect {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

#[derive(Serialize)]
struct RectMm {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl From<Rect> for RectMm {
    fn from(rect: Rect) -> Self {
        let [x, y, width, height] =
            [rect.x, rect.y, rect.width, rect.height].map(|eighths| f64::from(eighths) / 8.0);
        Self { x, y, width, height }
    }
}

impl Rect {
    fn new(x: u32, y: u32, width: u32, height: u32) -> Self {
        Self { x, y, width, height }
    }

    /// The same at the other side of a label.
    fn mirrored(self, label: u32) -> Self {
        Self { x: label - self.x - self.width, ..self }
    }
}

/// Refuses office paper.
pub(crate) fn require_label(size: LabelSize) -> Result<(), DocumentError> {
    plan(size).map(drop)
}

/// Where everything of one label stands; the template reads it as `g`.
#[derive(Debug, Serialize)]
pub(crate) struct Layout {
    width: f64,
    height: f64,
    heading: Option<Rect>,
    title: Option<Rect>,
    /// Fields, and the commitment if it has no room at the foot.
    text: Rect,
    /// Whether fields have their labels before them.
    labelled: bool,
    #[serde(skip)]
    pub qr: Rect,
    /// The QR code as drawn in vectors, in mm: whole dots at 203 dpi, as in the bitmap.
    qr_drawn: [f64; 3],
    words: Rect,
    /// Lines of the words, and groups of the code in a line.
    words_lines: u32,
    code: Rect,
    code_groups: usize,
    /// Commitment and note, the whole width.
    foot: Rect,
    commitment_at_foot: bool,
    note_at_foot: bool,
    /// Where a note across everything goes.
    across: Rect,
    types: Types,
    bars: Option<BarsPlace>,
    /// Height in mm that the bars took from the fields, and from the foot.
    bars_took: (f64, f64),
}

/// Where the bars are drawn; the template sees mm.
#[derive(Debug, Serialize)]
struct BarsPlace {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    /// How far guards reach down.
    guard: f64,
    /// One module.
    module: f64,
    /// Left end of the quiet zone.
    left: f64,
    #[serde(skip)]
    dots: BarDots,
}

impl Layout {
    /// Lays out a design with the codes of one certificate.
    ///
    /// # Errors
    /// `NotALabel`, `QrTooLarge`, or `Overflow` of `barcode`.
    pub fn new(
        design: &LabelDesign,
        code: &QrModules,
        bars: Option<&Bars>,
        dpi: Dpi,
        template: &'static str,
    ) -> Result<Self, DocumentError> {
        let plan = plan(design.size)?;
        let mut layout = match design.size {
            LabelSize::W30H20 => beside(design, &plan),
            _ => above(design, &plan),
        };
        if design.qr_left {
            layout.mirror(design.size.size_mm().0 * 8);
        }
        if let Some(bars) = bars {
            let field = "barcode".to_owned();
            let overflow = DocumentError::Overflow { field, template };
            layout.place_bars(design, bars, dpi).ok_or(overflow)?;
        }
        layout.commitment_at_foot = design.commitment && layout.foot.height >= COMMITMENT_MIN;
        layout.note_at_foot = layout.foot.height >= NOTE_LINE;
        if layout.commitment_at_foot {
            layout.end_text_above_foot();
        }
        let modules = code.side() + 2 * QUIET;
        let (room, module_min) = (layout.qr.width, Dpi::D203.module_dots_min());
        let module = room / modules;
        if module < module_min {
            return Err(DocumentError::QrTooLarge { modules, room, module_min });
        }
        let drawn = module * modules;
        let margin = f64::from(layout.qr.width - drawn) / 2.0;
        layout.qr_drawn = [
            (f64::from(layout.qr.x) + margin) / 8.0,
            (f64::from(layout.qr.y) + margin) / 8.0,
            f64::from(drawn) / 8.0,
        ];
        Ok(layout)
    }

    /// Puts the bars at the bottom, or beneath the fields, and takes their room away.
    fn place_bars(&mut self, design: &LabelDesign, bars: &Bars, dpi: Dpi) -> Option<()> {
        let dots_per_eighth = f64::from(dpi.dots_per_mm()) / 8.0;
        let module_for = |room: u32| {
            let dots = (f64::from(room) * dots_per_eighth) as u32;
            let module = (dots / bars.modules()).min(dpi.dots_per_mm() / 2);
            (module >= dpi.bar_dots_min()).then_some(module)
        };
        let label = (self.width * 8.0) as u32;
        let kept = if design.commitment { COMMITMENT_MIN + 4 } else { 0 }
            + if design.note.is_empty() { 0 } else { NOTE_LINE + 4 };
        let free = self.foot.height.saturating_sub(kept);
        let before = (self.text.height, self.foot.height);
        let (room, module) = match module_for(label - 2 * EDGE) {
            Some(module) if free >= BARS_MIN => {
                // What the commitment needs not is shared, so that it can be set larger.
                let spare = if design.commitment { (free - BARS_MIN) / 3 } else { free - BARS_MIN };
                let height = (BARS_MIN + spare).min(BARS_MAX);
                let y = self.foot.y + self.foot.height - height;
                self.foot.height = self.foot.height.saturating_sub(height + 4);
                self.text.height = self.text.height.min(y - 6 - self.text.y);
                (Rect::new(EDGE, y, label - 2 * EDGE, height), module)
            }
            _ => {
                // Beneath the fields the quiet zone may reach into the margin.
                let (x, width) = if design.qr_left {
                    (self.text.x, label - EDGE - self.text.x)
                } else {
                    (EDGE, self.text.x + self.text.width - EDGE)
                };
                let lines = design.fields.len() as u32;
                if kept > 0 && self.foot.height >= kept {
                    self.end_text_above_foot();
                }
                let bottom = self.text.y + self.text.height;
                let spare = self.text.height.checked_sub(lines * FIELD_LINE + 4 + BARS_MIN)?;
                let height = BARS_MIN + (spare / 3).min(BARS_MAX - BARS_MIN);
                self.text.height -= height + 4;
                (Rect::new(x, bottom - height, width, height), module_for(width)?)
            }
        };
        self.bars_took = (
            f64::from(before.0 - self.text.height) / 8.0,
            f64::from(before.1 - self.foot.height) / 8.0,
        );
        let to_dots = |eighths: u32| (f64::from(eighths) * dots_per_eighth) as u32;
        let all = module * bars.modules();
        let left = to_dots(room.x) + (to_dots(room.width) - all) / 2;
        let dots = BarDots {
            left: left + module * bars.quiet_left(),
            top: to_dots(room.y),
            module,
            height: to_dots(room.height - DIGITS),
            guard: (module * 5).min(to_dots(DIGITS / 2)),
        };
        let mm = |dots: u32| f64::from(dots) / f64::from(dpi.dots_per_mm());
        self.bars = Some(BarsPlace {
            x: mm(dots.left),
            y: mm(dots.top),
            width: mm(module * bars.modules_drawn()),
            height: mm(dots.height),
            guard: mm(dots.guard),
            module: mm(module),
            left: mm(left),
            dots,
        });
        Some(())
    }

    /// The QR code to the left.
    fn mirror(&mut self, label: u32) {
        for rect in
            [&mut self.text, &mut self.qr, &mut self.words, &mut self.code, &mut self.across]
        {
            *rect = rect.mirrored(label);
        }
        for rect in [&mut self.heading, &mut self.title].into_iter().flatten() {
            *rect = rect.mirrored(label);
        }
    }

    fn end_text_above_foot(&mut self) {
        self.text.height = self.text.height.min(self.foot.y - 5 - self.text.y);
    }

    /// Height of the bars and of what guards have more, in modules.
    pub fn bars_in_modules(&self) -> Option<(f64, f64)> {
        let bars = self.bars.as_ref()?;
        Some((bars.height / bars.module, bars.guard / bars.module))
    }

    /// Where the bars are drawn, in dots.
    pub fn bar_dots(&self) -> Option<&BarDots> {
        self.bars.as_ref().map(|bars| &bars.dots)
    }
}

/// The QR code with its words and the code at the right, the text at the left.
fn above(design: &LabelDesign, plan: &Plan) -> Layout {
    let (width, height) = design.size.size_mm();
    let (right, bottom) = (width * 8, height * 8 - plan.edge - 2);
    let qr = Rect::new(right - plan.edge - plan.qr, plan.edge, plan.qr, plan.qr);
    let words = Rect::new(qr.x, qr.y + qr.height, qr.width, plan.words);
    let code = Rect::new(qr.x, words.y + words.height + 5, qr.width, 2 * plan.code_pitch);
    let left =
        |y: u32, height: u32| Rect::new(plan.margin, y, qr.x - plan.gap - plan.margin, height);
    let mut y = plan.edge + 4;
    let heading = (!design.heading.is_empty()).then(|| left(y, tallest(plan.types.heading)));
    y += heading.map_or(0, |heading| heading.height + 4);
    // A rule goes beneath the title.
    let title = (!plan.types.title.is_empty()).then(|| left(y, tallest(plan.types.title)));
    y += title.map_or(0, |title| title.height + 9);
    let foot_y = code.y + code.height + 3;
    Layout {
        heading,
        title,
        text: left(y, bottom - y),
        labelled: true,
        words_lines: if plan.words > plan.qr / 3 { 2 } else { 1 },
        code_groups: 2,
        foot: Rect::new(
            plan.margin,
            foot_y,
            right - 2 * plan.margin,
            bottom.saturating_sub(foot_y),
        ),
        across: left(y, foot_y - y),
        ..Layout::empty(design, plan, qr, words, code)
    }
}

/// The smallest label: words, code and perhaps a field beside the QR code, which is as high as the
/// label if nothing else is wanted.
fn beside(design: &LabelDesign, plan: &Plan) -> Layout {
    let (width, height) = design.size.size_mm();
    let (right, bottom) = (width * 8 - EDGE, height * 8 - EDGE);
    let plain = design.fields.is_empty()
        && design.heading.is_empty()
        && design.note.is_empty()
        && !design.commitment;
    let side = if plain { plan.qr } else { 124 };
    let qr = Rect::new(right - side, if plain { 6 } else { EDGE }, side, side);
    let column =
        |y: u32, height: u32| Rect::new(plan.margin, y, qr.x - plan.gap - plan.margin, height);
    let mut y = qr.y;
    let heading = (!design.heading.is_empty()).then(|| column(y, tallest(plan.types.heading)));
    y += heading.map_or(0, |heading| heading.height + 2);
    let words = column(y, if plain { 66 } else { 44 });
    let code_lines = if plain { 4 } else { 2 };
    let code = column(words.y + words.height + 3, code_lines * plan.code_pitch);
    let (text_y, foot_y) = (code.y + code.height + 2, qr.y + qr.height + 2);
    let text_bottom = if design.note.is_empty() { bottom } else { foot_y };
    Layout {
        heading,
        text: column(text_y, text_bottom.saturating_sub(text_y)),
        labelled: false,
        words_lines: if plain { 3 } else { 2 },
        code_groups: if plain { 1 } else { 2 },
        foot: Rect::new(
            plan.margin,
            foot_y,
            right - 4 - plan.margin,
            bottom.saturating_sub(foot_y),
        ),
        across: column(qr.y, qr.height),
        ..Layout::empty(design, plan, qr, words, code)
    }
}

impl Layout {
    fn empty(design: &LabelDesign, plan: &Plan, qr: Rect, words: Rect, code: Rect) -> Self {
        let (width, height) = design.size.size_mm();
        let nothing = Rect::new(0, 0, 0, 0);
        Self {
            width: f64::from(width),
            height: f64::from(height),
            heading: None,
            title: None,
            text: nothing,
            labelled: true,
            qr,
            qr_drawn: [0.0; 3],
            words,
            words_lines: 1,
            code,
            code_groups: 2,
            foot: nothing,
            commitment_at_foot: false,
            note_at_foot: false,
            across: nothing,
            types: plan.types,
            bars: None,
            bars_took: (0.0, 0.0),
        }
    }
}

/// Height of a line of the largest of these types.
fn tallest(sizes: &[f64]) -> u32 {
    (sizes.first().copied().unwrap_or_default() * 8.0) as u32
}
