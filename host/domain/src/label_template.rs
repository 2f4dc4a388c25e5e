//! Label templates (标签样式): what a label of a product, a brand or the whole county looks like. The county
//! edits them; what is printed is composed from the frozen certificate, so a template changes the look and
//! never what is certified.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::brand::{self, Brand, BrandLicence};
use crate::certificate::Certificate;
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::id_card::{self, IdCard};
use crate::product::Product;
use crate::state::{Entity, Entry, Index, State, StateError, Table};
use crate::time::Date;

/// Characters of the line above the fields and of the one at the foot.
const HEADING_CHARS_MAX: usize = 24;
const NOTE_CHARS_MAX: usize = 80;
/// Templates of one subject that count.
const TEMPLATES_MAX: usize = 50;
/// Brands and licences of an operator that are looked at.
const BRANDS_MAX: usize = 500;

/// Size of a label, width by height.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LabelSize {
    /// 30 x 20 mm.
    #[serde(rename = "30x20")]
    W30H20,
    /// 40 x 30 mm.
    #[serde(rename = "40x30")]
    W40H30,
    /// 50 x 30 mm.
    #[serde(rename = "50x30")]
    W50H30,
    /// 60 x 40 mm.
    #[default]
    #[serde(rename = "60x40")]
    W60H40,
    /// 70 x 50 mm.
    #[serde(rename = "70x50")]
    W70H50,
    /// 100 x 70 mm.
    #[serde(rename = "100x70")]
    W100H70,
    /// Office paper, 148 x 210 mm.
    #[serde(rename = "a5")]
    A5,
    /// Office paper, 210 x 297 mm.
    #[serde(rename = "a4")]
    A4,
}

impl LabelSize {
    /// Every size, the smallest first.
    pub const ALL: [Self; 8] = [
        Self::W30H20,
        Self::W40H30,
        Self::W50H30,
        Self::W60H40,
        Self::W70H50,
        Self::W100H70,
        Self::A5,
        Self::A4,
    ];

    /// Width and height in mm.
    pub fn size_mm(self) -> (u32, u32) {
        match self {
            Self::W30H20 => (30, 20),
            Self::W40H30 => (40, 30),
            Self::W50H30 => (50, 30),
            Self::W60H40 => (60, 40),
            Self::W70H50 => (70, 50),
            Self::W100H70 => (100, 70),
            Self::A5 => (148, 210),
            Self::A4 => (210, 297),
        }
    }

    /// The API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::W30H20 => "30x20",
            Self::W40H30 => "40x30",
            Self::W50H30 => "50x30",
            Self::W60H40 => "60x40",
            Self::W70H50 => "70x50",
            Self::W100H70 => "100x70",
            Self::A5 => "a5",
            Self::A4 => "a4",
        }
    }

    /// Whether it goes on a label printer's roll; the others are office paper.
    pub fn is_roll(self) -> bool {
        !matches!(self, Self::A5 | Self::A4)
    }
}

/// A line of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelField {
    /// 产品名称.
    Product,
    /// 数量.
    Quantity,
    /// 产地.
    Origin,
    /// 生产者 / 收购者.
    Producer,
    /// 联系方式.
    Contact,
    /// 开具日期.
    IssuedOn,
    /// 批次号.
    LotNo,
}

impl LabelField {
    /// Every line, in the order of the form.
    pub const ALL: [Self; 7] = [
        Self::Product,
        Self::Quantity,
        Self::Origin,
        Self::Producer,
        Self::Contact,
        Self::IssuedOn,
        Self::LotNo,
    ];

    /// The API word, and the name of the field on the paper.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Quantity => "quantity",
            Self::Origin => "origin",
            Self::Producer => "producer",
            Self::Contact => "contact",
            Self::IssuedOn => "issued_on",
            Self::LotNo => "lot_no",
        }
    }
}

/// What a bar code beside the QR says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BarcodeKind {
    /// The trace code as Code 128.
    Code,
    /// The lot's number as Code 128.
    LotNo,
    /// A trade item number (GTIN-13 or GTIN-8) as EAN.
    Gtin,
}

impl BarcodeKind {
    /// Every kind, in the order of a choice list.
    pub const ALL: [Self; 3] = [Self::Code, Self::LotNo, Self::Gtin];

    /// The API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::LotNo => "lot_no",
            Self::Gtin => "gtin",
        }
    }
}

/// A bar code beside the QR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Barcode {
    /// What it says.
    pub kind: BarcodeKind,
    /// Digits of the trade item number, for [`BarcodeKind::Gtin`] only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub gtin: String,
}

/// What a label looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelDesign {
    /// Size.
    #[serde(default)]
    pub size: LabelSize,
    /// Lines, in order.
    pub fields: Vec<LabelField>,
    /// A line of the county's or brand's own above everything, such as 湘潭湘莲; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub heading: String,
    /// A line at the foot, such as 贮存:阴凉干燥处; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Whether the commitment and its basis are printed.
    #[serde(default)]
    pub commitment: bool,
    /// Whether the QR code stands at the left instead of at the right.
    #[serde(default)]
    pub qr_left: bool,
    /// Bar code beside the QR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barcode: Option<Barcode>,
}

impl LabelDesign {
    /// The design of a size where nobody made another: as much of the form as the size takes.
    pub fn of_size(size: LabelSize) -> Self {
        use LabelField::{Contact, IssuedOn, Origin, Producer, Product, Quantity};
        let fields = match size {
            LabelSize::W30H20 => vec![],
            LabelSize::W40H30 => vec![Product, Producer, IssuedOn],
            LabelSize::W50H30 => vec![Product, Quantity, Origin, Producer, IssuedOn],
            _ => vec![Product, Quantity, Origin, Producer, Contact, IssuedOn],
        };
        let commitment = !matches!(size, LabelSize::W30H20 | LabelSize::W40H30 | LabelSize::W50H30);
        Self {
            size,
            fields,
            heading: String::new(),
            note: String::new(),
            commitment,
            qr_left: false,
            barcode: None,
        }
    }

    /// Whether it is one; what does not fit its size is found when it is drawn.
    pub fn check(&self, check: &mut Check) {
        let repeated =
            self.fields.iter().enumerate().any(|(at, one)| self.fields[..at].contains(one));
        check
            .ensure(!repeated, "fields", "repeated")
            .optional_text("heading", &self.heading, HEADING_CHARS_MAX)
            .optional_text("note", &self.note, NOTE_CHARS_MAX);
        if let Some(barcode) = &self.barcode {
            let good = match barcode.kind {
                BarcodeKind::Gtin => is_gtin(&barcode.gtin),
                _ => barcode.gtin.is_empty(),
            };
            check.ensure(good, "gtin", "bad_gtin");
        }
    }
}

/// Whether the digits are a GTIN-13 or GTIN-8 with its check digit (GS1 general specifications, 7.9:
/// weights 3 and 1 from the right).
pub fn is_gtin(digits: &str) -> bool {
    if !matches!(digits.len(), 8 | 13) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let weighted = digits.bytes().rev().enumerate().map(|(at, digit)| {
        let weight = if at % 2 == 0 { 1 } else { 3 };
        u32::from(digit - b'0') * weight
    });
    weighted.sum::<u32>().is_multiple_of(10)
}

/// A template on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelTemplate {
    /// Id, `tpl_…`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// The one product it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The one brand it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Operator of the product or owner of the brand; empty for the county's own.
    #[serde(default)]
    pub operator: String,
    /// Region code.
    pub area: String,
    /// What it looks like.
    pub design: LabelDesign,
    /// Why it is not used any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
}

/// All templates, by id.
pub const ALL: Index = Index("label_template.all");
/// Those in use by subject: `product/…`, `brand/…` or `county`.
pub const BY_SUBJECT: Index = Index("label_template.subject");

impl LabelTemplate {
    /// What it is for, as the part of [`BY_SUBJECT`].
    pub fn subject(&self) -> String {
        match (&self.product, &self.brand) {
            (Some(product), _) => format!("product/{product}"),
            (None, Some(brand)) => format!("brand/{brand}"),
            (None, None) => "county".into(),
        }
    }
}

impl Entity for LabelTemplate {
    const TABLE: Table = Table("label_template");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![Entry::new(ALL, "", &self.id)];
        if self.closed.is_none() {
            entries.push(Entry::new(BY_SUBJECT, self.subject(), &self.id));
        }
        entries
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: makes a template, or changes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaveLabelTemplate {
    /// Template to change; absent for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_template: Option<String>,
    /// Name for people, at most 32 characters.
    pub name: String,
    /// The one product it is for. A template keeps its subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The one brand it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// What it looks like; drawn before with a certificate, so that it is known to fit.
    pub design: LabelDesign,
}

/// Command and event payload: a template is not used any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseLabelTemplate {
    /// Template.
    pub label_template: String,
    /// Why, at most 128 characters.
    pub reason: String,
}

pub(crate) fn save(
    ctx: &mut Context<'_>,
    c: SaveLabelTemplate,
) -> Result<LabelTemplate, DomainError> {
    let mut check = Check::new();
    check.text("name", &c.name, 32);
    check.ensure(c.product.is_none() || c.brand.is_none(), "brand", "bad_choice");
    c.design.check(&mut check);
    check.done()?;
    let name = c.name.trim().to_owned();
    let mut design = c.design;
    for text in [&mut design.heading, &mut design.note] {
        *text = text.trim().to_owned();
    }
    if let Some(id) = &c.label_template {
        let old: LabelTemplate = ctx.require("label_template", id)?;
        if let Some(reason) = &old.closed {
            return Err(DomainError::refused("template_closed", &[("reason", reason)]));
        }
        return Ok(LabelTemplate { name, design, ..old });
    }
    let (operator, area) = match (&c.product, &c.brand) {
        (Some(id), _) => {
            let product: Product = ctx.require("product", id)?;
            crate::product::not_closed(&product)?;
            (product.operator, product.area)
        }
        (None, Some(id)) => {
            let brand: Brand = ctx.require("brand", id)?;
            brand::not_closed(&brand)?;
            (brand.owner.unwrap_or_default(), brand.area)
        }
        (None, None) => {
            let county: crate::county::County = ctx.require("county", crate::county::COUNTY_ID)?;
            (String::new(), county.area)
        }
    };
    let made = LabelTemplate {
        id: new_id("tpl", ctx.time, ctx.random),
        name,
        product: c.product,
        brand: c.brand,
        operator,
        area,
        design,
        closed: None,
    };
    let known = ctx.state.ids(BY_SUBJECT, &made.subject(), TEMPLATES_MAX)?;
    if known.len() >= TEMPLATES_MAX {
        return Err(DomainError::refused("too_many_templates", &[]));
    }
    Ok(made)
}

pub(crate) fn close(
    ctx: &mut Context<'_>,
    c: CloseLabelTemplate,
) -> Result<CloseLabelTemplate, DomainError> {
    let old: LabelTemplate = ctx.require("label_template", &c.label_template)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    match &old.closed {
        Some(reason) => Err(DomainError::refused("template_closed", &[("reason", reason)])),
        None => Ok(CloseLabelTemplate { label_template: old.id, reason: c.reason.trim().into() }),
    }
}

/// Templates that labels of a certificate may be printed with: its product's, those of the brands it may
/// be sold under (the one on its ID card first), then the county's; the newest of each first.
pub fn fitting(
    state: &dyn State,
    certificate: &Certificate,
    day: Date,
) -> Result<Vec<LabelTemplate>, StateError> {
    let mut subjects = vec![format!("product/{}", certificate.product)];
    let brands = brands_of(state, certificate, day)?;
    subjects.extend(brands.iter().map(|brand| format!("brand/{brand}")));
    subjects.push("county".into());
    let mut found = Vec::new();
    for subject in subjects {
        let mut some: Vec<LabelTemplate> = state.list(BY_SUBJECT, &subject, TEMPLATES_MAX)?;
        some.sort_by(|a, b| b.id.cmp(&a.id));
        found.extend(some);
    }
    Ok(found)
}

/// Whether a template, in use or not any more, is one for a certificate's labels.
pub fn serves(
    state: &dyn State,
    template: &LabelTemplate,
    certificate: &Certificate,
    day: Date,
) -> Result<bool, StateError> {
    match (&template.product, &template.brand) {
        (Some(product), _) => Ok(*product == certificate.product),
        (None, Some(brand)) => Ok(brands_of(state, certificate, day)?.contains(brand)),
        (None, None) => Ok(true),
    }
}

/// Brands that the certified product may be sold under on a day: the one on its published ID card, which the
/// county has reviewed, those licensed, those its operator owns; not those that do not count any more.
fn brands_of(
    state: &dyn State,
    certificate: &Certificate,
    day: Date,
) -> Result<Vec<String>, StateError> {
    let (product, operator) = (&certificate.product, &certificate.operator);
    let card: Option<IdCard> = state.find(id_card::BY_PRODUCT, product)?;
    let published = card.filter(|card| card.edition.is_some());
    let mut named: Vec<String> = published.and_then(|card| card.brand).into_iter().collect();
    let licences: Vec<BrandLicence> =
        state.list(brand::LICENCES_BY_OPERATOR, operator, BRANDS_MAX)?;
    let covering = licences.into_iter().filter(|one| one.covers(product, day));
    named.extend(covering.map(|one| one.brand));
    named.extend(state.ids(brand::BY_OWNER, operator, BRANDS_MAX)?);
    let (mut brands, mut known) = (Vec::new(), BTreeSet::new());
    for id in named {
        let counts = |brand: Brand| brand.closed.is_none();
        if known.insert(id.clone()) && state.get::<Brand>(&id)?.is_some_and(counts) {
            brands.push(id);
        }
    }
    Ok(brands)
}
