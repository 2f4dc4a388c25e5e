//! Collected certificates (收取合格证): a buyer collects and keeps the supplier's certificate or other proof
//! (law art 39; R-043), and certifies what it mixed or packed anew only from what it collected.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::attachment::{self, Attachment};
use crate::certificate::{Certificate, CertificateStatus};
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::lot::{self, Lot};
use crate::state::{Entity, Entry, Index, State, StateError, Table};
use crate::step::{Buyer, StepKind, StepTaken, TakeStep, Taken};
use crate::step_take;
use crate::time::{Date, Time, china_date};

/// Collections of one certificate that are looked at.
const OF_CODE_MAX: usize = 1_000;
/// Collections of one lot that are looked at.
pub const OF_LOT_MAX: usize = 200;

/// What was collected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofKind {
    /// 承诺达标合格证.
    #[default]
    Certificate,
    /// 检疫证明 (livestock).
    Quarantine,
    /// 检测报告, or what else proves quality and safety (law art 39).
    Other,
}

impl ProofKind {
    /// Every kind, in the order of a choice list.
    pub const ALL: [Self; 3] = [Self::Certificate, Self::Quarantine, Self::Other];

    /// The API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Quarantine => "quarantine",
            Self::Other => "other",
        }
    }
}

/// What a supplier's paper says, as far as the buyer took it down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supplier {
    /// Who supplied.
    pub name: String,
    /// Phone or other contact on the paper.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub contact: String,
    /// Origin on the paper.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub origin: String,
    /// Number or code on the paper.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub number: String,
    /// Day of issue on the paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_on: Option<Date>,
}

/// A certificate that was collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// Id, `col_…`.
    pub id: String,
    /// The buyer.
    pub operator: String,
    /// The buyer's lot that it is for.
    pub lot: String,
    /// What it is.
    pub kind: ProofKind,
    /// The county's certificate, when it is one: looked up, so nothing is typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The supplier.
    pub supplier: Supplier,
    /// Goods on the paper.
    pub product_name: String,
    /// Quantity bought.
    pub quantity: Decimal,
    /// Unit.
    pub unit: String,
    /// Photos of the paper.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Day it was collected.
    pub collected_on: Date,
    /// When it was written down.
    pub recorded_at: Time,
    /// Region code of the buyer's lot.
    pub area: String,
    /// Why it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub struck: Option<String>,
}

/// By operator; part `""` holds all.
pub const BY_OPERATOR: Index = Index("collection.operator");
/// By the buyer's lot.
pub const BY_LOT: Index = Index("collection.lot");
/// By the county's certificate.
pub const BY_CODE: Index = Index("collection.code");
/// By digest of a photo.
pub const BY_ATTACHMENT: Index = Index("collection.attachment");

impl Entity for Collection {
    const TABLE: Table = Table("collection");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![
            Entry::new(BY_OPERATOR, "", &self.id),
            Entry::new(BY_OPERATOR, &self.operator, &self.id),
            Entry::new(BY_LOT, &self.lot, &self.id),
        ];
        entries.extend(self.code.iter().map(|code| Entry::new(BY_CODE, code, &self.id)));
        let photos = self.attachments.iter();
        entries.extend(photos.map(|one| Entry::new(BY_ATTACHMENT, &one.hash, &self.id)));
        entries
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: collects a supplier's certificate; with it the goods become a lot of the buyer, or it is added
/// to a lot that was handed over before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectProof {
    /// The buyer.
    pub operator: String,
    /// A certificate of this county; then nothing else is told of the paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What it is, otherwise.
    #[serde(default)]
    pub kind: ProofKind,
    /// What it says, otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplier: Option<Supplier>,
    /// The buyer's lot, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// The buyer's product, to open a lot of goods from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The buyer's premises, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Day of harvest, where the paper tells it; the day of issue or purchase otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harvested_on: Option<Date>,
    /// Quantity bought, in the unit of the buyer's product or lot; of a certificate of the county in its.
    pub quantity: Decimal,
    /// Day it was collected.
    pub collected_on: Date,
    /// Photos of the paper; required unless it is a certificate of the county.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// Command and event payload: a collection does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrikeCollection {
    /// Collection.
    pub collection: String,
    /// Why, at most 128 characters.
    pub reason: String,
}

/// A collection, with what it made of the goods.
pub(crate) struct Collected {
    pub collection: Collection,
    pub goods: Goods,
}

/// How the goods came to be the buyer's.
pub(crate) enum Goods {
    /// The lot is there.
    There,
    /// A lot is opened for them.
    Opened(Box<Lot>),
    /// The supplier's lot is handed over.
    HandedOver(Box<StepTaken>),
}

pub(crate) fn collect(ctx: &mut Context<'_>, c: CollectProof) -> Result<Collected, DomainError> {
    let today = china_date(ctx.time);
    let mut check = Check::new();
    check.quantity("quantity", c.quantity).day_done("collected_on", c.collected_on, today);
    attachment::check(&mut check, &c.attachments);
    if c.code.is_none() {
        check.ensure(!c.attachments.is_empty(), "attachments", "photo_required");
        told(&mut check, c.supplier.as_ref(), c.collected_on);
    }
    check.done()?;
    match c.code.clone() {
        Some(code) => of_the_county(ctx, c, &code),
        None => of_another(ctx, c),
    }
}

fn told(check: &mut Check, supplier: Option<&Supplier>, collected_on: Date) {
    let Some(supplier) = supplier else {
        check.bad("supplier.name", "required");
        return;
    };
    check
        .text("supplier.name", &supplier.name, 64)
        .optional_text("supplier.contact", &supplier.contact, 32)
        .optional_text("supplier.origin", &supplier.origin, 64)
        .optional_text("supplier.number", &supplier.number, 64);
    if let Some(day) = supplier.issued_on {
        check.day_done("supplier.issued_on", day, collected_on);
    }
}

/// A certificate of this county is looked up: it stands, and no more is bought on it than it says.
fn of_the_county(
    ctx: &mut Context<'_>,
    c: CollectProof,
    code: &str,
) -> Result<Collected, DomainError> {
    let certificate: Certificate = ctx.require("certificate", code)?;
    if certificate.status == CertificateStatus::Void {
        return Err(DomainError::refused("certificate_void", &[("code", code)]));
    }
    let source: Lot = ctx.require("lot", &certificate.lot)?;
    lot::not_held(&source)?;
    let left = left_of(ctx.state, &certificate)?;
    if c.quantity > left {
        let left = left.normalize().to_string();
        let params = [("left", &*left), ("unit", &*certificate.content.unit)];
        return Err(DomainError::refused("collected_too_much", &params));
    }
    let (own, goods) = match &c.lot {
        Some(id) => {
            let own: Lot = ctx.require("lot", id)?;
            if !own.sources.iter().any(|one| one.lot == source.id) {
                return Err(DomainError::field("lot", "not_of_certificate"));
            }
            (own, Goods::There)
        }
        None => handed_over(ctx, &c, &source)?,
    };
    if own.operator == certificate.operator {
        return Err(DomainError::field("operator", "own_operator"));
    }
    if own.operator != c.operator {
        return Err(DomainError::field("lot", "other_operator"));
    }
    let content = &certificate.content;
    let supplier = Supplier {
        name: content.producer.clone(),
        contact: content.contact.clone(),
        origin: content.origin.clone(),
        number: code.into(),
        issued_on: Some(content.issued_on),
    };
    let (product_name, unit) = (content.product.clone(), content.unit.clone());
    let code = Some(code.to_owned());
    let collection = Collection {
        code,
        kind: ProofKind::Certificate,
        supplier,
        product_name,
        unit,
        ..made(ctx, &c, &own)
    };
    Ok(Collected { collection, goods })
}

/// What of a certificate was not collected yet.
pub fn left_of(state: &dyn State, certificate: &Certificate) -> Result<Decimal, StateError> {
    let known: Vec<Collection> = state.list(BY_CODE, &certificate.content.code, OF_CODE_MAX)?;
    let counting = known.iter().filter(|one| one.struck.is_none());
    let taken: Decimal = counting.map(|one| one.quantity).sum();
    Ok((certificate.content.quantity - taken).max(Decimal::ZERO))
}

/// Who has the certificate has the goods: the supplier's lot is handed over to the buyer.
fn handed_over(
    ctx: &mut Context<'_>,
    c: &CollectProof,
    source: &Lot,
) -> Result<(Lot, Goods), DomainError> {
    let buyer =
        Buyer { operator: Some(c.operator.clone()), name: String::new(), place: String::new() };
    let step = TakeStep {
        kind: StepKind::Transfer,
        date: c.collected_on,
        inputs: vec![Taken { lot: source.id.clone(), quantity: c.quantity }],
        outputs: Vec::new(),
        buyer: Some(buyer),
        place: String::new(),
        note: String::new(),
        attachments: Vec::new(),
    };
    let taken = step_take::take(ctx, step)?;
    let lot = taken.lots.first().cloned().ok_or(DomainError::field("lot", "required"))?;
    Ok((lot, Goods::HandedOver(Box::new(taken))))
}

fn of_another(ctx: &mut Context<'_>, c: CollectProof) -> Result<Collected, DomainError> {
    let (own, goods) = match &c.lot {
        Some(id) => (ctx.require::<Lot>("lot", id)?, Goods::There),
        None => {
            let product = c.product.as_deref().ok_or(DomainError::field("product", "required"))?;
            let site = c.site.as_deref().ok_or(DomainError::field("site", "required"))?;
            let issued_on = c.supplier.as_ref().and_then(|one| one.issued_on);
            let harvested_on = c.harvested_on.or(issued_on).unwrap_or(c.collected_on);
            let opened = lot::open_bought(ctx, product, site, c.quantity, harvested_on)?;
            (opened.clone(), Goods::Opened(Box::new(opened)))
        }
    };
    if own.operator != c.operator {
        return Err(DomainError::field("lot", "other_operator"));
    }
    let known = ctx.state.ids(BY_LOT, &own.id, OF_LOT_MAX)?;
    if known.len() >= OF_LOT_MAX {
        return Err(DomainError::refused("too_many_collections", &[("no", &own.no)]));
    }
    let collection = made(ctx, &c, &own);
    Ok(Collected { collection, goods })
}

fn made(ctx: &mut Context<'_>, c: &CollectProof, own: &Lot) -> Collection {
    Collection {
        id: new_id("col", ctx.time, ctx.random),
        operator: own.operator.clone(),
        lot: own.id.clone(),
        kind: c.kind,
        code: None,
        supplier: c.supplier.clone().unwrap_or_default(),
        product_name: own.product_name.clone(),
        quantity: c.quantity.normalize(),
        unit: own.unit.clone(),
        attachments: c.attachments.clone(),
        collected_on: c.collected_on,
        recorded_at: ctx.time,
        area: own.area.clone(),
        struck: None,
    }
}

pub(crate) fn strike(
    ctx: &mut Context<'_>,
    c: StrikeCollection,
) -> Result<StrikeCollection, DomainError> {
    let collection: Collection = ctx.require("collection", &c.collection)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    match collection.struck {
        Some(_) => Err(DomainError::refused("collection_is_struck", &[])),
        None => Ok(StrikeCollection { collection: collection.id, reason: c.reason.trim().into() }),
    }
}
