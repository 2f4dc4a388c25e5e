//! ID cards (农产品“身份证”, R-060 to R-067): one product, one code. Collected (采录), reviewed (审核),
//! published (发布); what is published is kept as it was, until another edition takes its place.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::attachment::{self, Attachment};
use crate::brand::Brand;
use crate::check::Check;
use crate::code;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::product::{Product, ProductClass};
use crate::state::{Entity, Entry, Index, Table};
use crate::time::Time;

/// Fields that people fill in.
pub const FIELDS_MAX: usize = 40;
/// Characters of one of them.
pub const FIELD_CHARS_MAX: usize = 1000;
/// Characters of a field's code.
const CODE_CHARS_MAX: usize = 32;

/// Where a card stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdCardStatus {
    /// 采录中.
    Draft,
    /// 待审核.
    Submitted,
    /// 退回.
    Returned,
    /// 审核通过,待发布.
    Approved,
    /// 已发布.
    Published,
    /// 已下架.
    Withdrawn,
}

impl IdCardStatus {
    /// Every status, in the order of a list.
    pub const ALL: [Self; 6] = [
        Self::Submitted,
        Self::Approved,
        Self::Published,
        Self::Draft,
        Self::Returned,
        Self::Withdrawn,
    ];

    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Returned => "returned",
            Self::Approved => "approved",
            Self::Published => "published",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// One line of a card, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Code of the field in the table `id_card`.
    pub code: String,
    /// Its label then.
    pub label: String,
    /// What it says.
    pub value: String,
}

/// What a card says, composed from the register and what people filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Lines in order; those without a value are left out.
    pub lines: Vec<Line>,
    /// Pictures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Completeness against the table's list for the product's class, 0 to 100.
    pub complete_percent: u8,
    /// Labels of what is required and missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// An edition that was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edition {
    /// Number, from 1.
    pub number: u32,
    /// When.
    pub at: Time,
    /// Who published it, such as `user/usr_…`.
    pub by: String,
    /// What it says.
    pub content: Content,
}

/// A card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdCard {
    /// Id, `idc_…`.
    pub id: String,
    /// The product it is of; a product has one card.
    pub product: String,
    /// Operator.
    pub operator: String,
    /// Region code of the operator.
    pub area: String,
    /// Class of the product when the card was saved last.
    pub class: ProductClass,
    /// Brand it is sold under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Status.
    pub status: IdCardStatus,
    /// The reviewer's reason, or why it was withdrawn.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status_reason: String,
    /// What people filled in, by code of the field.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// Pictures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Trace code on the packages, drawn with the first edition and kept with every later one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// What everybody sees now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition: Option<Edition>,
    /// Editions there were.
    #[serde(default)]
    pub editions: u32,
    /// Last change.
    pub changed_at: Time,
}

/// By product.
pub const BY_PRODUCT: Index = Index("id_card.product=");
/// By code.
pub const BY_CODE: Index = Index("id_card.code=");
/// By status; part `""` holds all.
pub const BY_STATUS: Index = Index("id_card.status");
/// Published ones by industry.
pub const BY_INDUSTRY: Index = Index("id_card.industry");
/// Published ones by brand.
pub const BY_BRAND: Index = Index("id_card.brand");
/// By digest of a picture.
pub const BY_ATTACHMENT: Index = Index("id_card.attachment");

impl Entity for IdCard {
    const TABLE: Table = Table("id_card");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![
            Entry::new(BY_PRODUCT, &self.product, ""),
            Entry::new(BY_STATUS, "", &self.id),
            Entry::new(BY_STATUS, self.status.as_str(), &self.id),
        ];
        if !self.code.is_empty() {
            entries.push(Entry::new(BY_CODE, &self.code, ""));
        }
        if self.edition.is_some() {
            entries.push(Entry::new(BY_INDUSTRY, self.class.industry().as_str(), &self.id));
            entries.extend(self.brand.iter().map(|id| Entry::new(BY_BRAND, id, &self.id)));
        }
        let mut hashes: Vec<&str> = self.attachments.iter().map(|one| one.hash.as_str()).collect();
        let shown = self.edition.iter().flat_map(|edition| &edition.content.attachments);
        hashes.extend(shown.map(|one| one.hash.as_str()));
        hashes.sort_unstable();
        hashes.dedup();
        entries.extend(hashes.into_iter().map(|hash| Entry::new(BY_ATTACHMENT, hash, &self.id)));
        entries
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: collects what a card is to say; whatever is under way with it begins anew, and what is
/// published stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaveIdCard {
    /// Product.
    pub product: String,
    /// Brand it is sold under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Values by code of the field, at most [`FIELDS_MAX`] of [`FIELD_CHARS_MAX`] characters.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// Pictures, each uploaded before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// Event payload: what was collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdCardSaved {
    /// Card; a new one when there was none.
    pub id_card: String,
    /// Operator.
    pub operator: String,
    /// Region code.
    pub area: String,
    /// Class of the product.
    pub class: ProductClass,
    /// What was saved.
    pub data: SaveIdCard,
}

/// Command: hands a card in for review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitIdCard {
    /// Card.
    pub id_card: String,
    /// What it would say, composed by the appliance from the versions it was based on.
    pub content: Content,
}

/// Event payload: a card waits for review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdCardSubmitted {
    /// Card.
    pub id_card: String,
    /// Completeness then.
    pub complete_percent: u8,
}

/// Command and event payload: the county's review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewIdCard {
    /// Card.
    pub id_card: String,
    /// `approved` or `returned`.
    pub status: IdCardStatus,
    /// Reason; required unless approved.
    #[serde(default)]
    pub reason: String,
}

/// Command: publishes a card that was approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishIdCard {
    /// Card.
    pub id_card: String,
    /// What it says, composed by the appliance from the versions it was based on.
    pub content: Content,
}

/// Event payload: an edition everybody sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdCardPublished {
    /// Card.
    pub id_card: String,
    /// Trace code.
    pub code: String,
    /// The edition.
    pub edition: Edition,
}

/// Command and event payload: a card is taken from sight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithdrawIdCard {
    /// Card.
    pub id_card: String,
    /// Why, for everybody to read.
    pub reason: String,
}

pub(crate) fn save(ctx: &mut Context<'_>, c: SaveIdCard) -> Result<IdCardSaved, DomainError> {
    let product: Product = ctx.require("product", &c.product)?;
    crate::product::not_closed(&product)?;
    let brand = c.brand.filter(|id| !id.is_empty());
    let mut check = Check::new();
    check.ensure(c.fields.len() <= FIELDS_MAX, "fields", "too_many");
    for (code, value) in c.fields.iter().take(FIELDS_MAX) {
        let good = code.len() <= CODE_CHARS_MAX
            && !code.is_empty()
            && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        check.ensure(good, "fields", "bad_choice");
        check.optional_text(if good { code } else { "fields" }, value, FIELD_CHARS_MAX);
    }
    attachment::check(&mut check, &c.attachments);
    check.ensure(
        c.attachments.iter().all(|one| one.kind.is_picture()),
        "attachments",
        "not_a_picture",
    );
    if let Some(id) = &brand {
        let brand: Brand = ctx.require("brand", id)?;
        check.ensure(brand.closed.is_none(), "brand", "bad_choice");
    }
    check.done()?;
    let known = ctx.state.find::<IdCard>(BY_PRODUCT, &product.id)?;
    let id_card = match known {
        Some(card) => card.id,
        None => new_id("idc", ctx.time, ctx.random),
    };
    let clean = |(code, value): (String, String)| (code, value.trim().to_owned());
    let fields = c.fields.into_iter().map(clean).filter(|(_, value)| !value.is_empty()).collect();
    Ok(IdCardSaved {
        id_card,
        operator: product.operator,
        area: product.area,
        class: product.class,
        data: SaveIdCard { product: product.id, brand, fields, attachments: c.attachments },
    })
}

/// The card after that; `before` is the one there was.
pub(crate) fn saved(before: Option<IdCard>, e: &IdCardSaved, at: Time) -> IdCard {
    let (code, edition, editions) =
        before.map_or_else(Default::default, |card| (card.code, card.edition, card.editions));
    IdCard {
        id: e.id_card.clone(),
        product: e.data.product.clone(),
        operator: e.operator.clone(),
        area: e.area.clone(),
        class: e.class,
        brand: e.data.brand.clone(),
        status: IdCardStatus::Draft,
        status_reason: String::new(),
        fields: e.data.fields.clone(),
        attachments: e.data.attachments.clone(),
        code,
        edition,
        editions,
        changed_at: at,
    }
}

pub(crate) fn submit(
    ctx: &mut Context<'_>,
    c: SubmitIdCard,
) -> Result<IdCardSubmitted, DomainError> {
    let card: IdCard = ctx.require("id_card", &c.id_card)?;
    if !matches!(card.status, IdCardStatus::Draft | IdCardStatus::Returned) {
        return Err(not_from_here(ctx, &card)?);
    }
    complete(&c.content)?;
    Ok(IdCardSubmitted { id_card: card.id, complete_percent: c.content.complete_percent })
}

/// A card with holes helps nobody: what the list requires is there before anybody is asked to look.
fn complete(content: &Content) -> Result<(), DomainError> {
    if content.missing.is_empty() {
        return Ok(());
    }
    Err(DomainError::refused("id_card_incomplete", &[("missing", &content.missing.join("、"))]))
}

fn not_from_here(ctx: &Context<'_>, card: &IdCard) -> Result<DomainError, DomainError> {
    let product: Product = ctx.require("product", &card.product)?;
    Ok(DomainError::refused("not_from_here", &[("name", &product.name)]))
}

pub(crate) fn review(ctx: &mut Context<'_>, c: ReviewIdCard) -> Result<ReviewIdCard, DomainError> {
    let card: IdCard = ctx.require("id_card", &c.id_card)?;
    let approves = c.status == IdCardStatus::Approved;
    let mut check = Check::new();
    check.ensure(approves || c.status == IdCardStatus::Returned, "status", "bad_choice");
    if approves {
        check.optional_text("reason", &c.reason, 256);
    } else {
        check.text("reason", &c.reason, 256);
    }
    check.done()?;
    let may = match card.status {
        IdCardStatus::Submitted => true,
        IdCardStatus::Approved => !approves,
        _ => false,
    };
    if may { Ok(c) } else { Err(not_from_here(ctx, &card)?) }
}

pub(crate) fn publish(
    ctx: &mut Context<'_>,
    c: PublishIdCard,
) -> Result<IdCardPublished, DomainError> {
    let card: IdCard = ctx.require("id_card", &c.id_card)?;
    if card.status != IdCardStatus::Approved {
        return Err(not_from_here(ctx, &card)?);
    }
    complete(&c.content)?;
    let code = if card.code.is_empty() { code::draw(ctx.random) } else { card.code };
    let edition = Edition {
        number: card.editions + 1,
        at: ctx.time,
        by: ctx.actor.name(),
        content: c.content,
    };
    Ok(IdCardPublished { id_card: card.id, code, edition })
}

pub(crate) fn withdraw(
    ctx: &mut Context<'_>,
    c: WithdrawIdCard,
) -> Result<WithdrawIdCard, DomainError> {
    let card: IdCard = ctx.require("id_card", &c.id_card)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 256);
    check.done()?;
    if card.edition.is_none() {
        return Err(not_from_here(ctx, &card)?);
    }
    Ok(WithdrawIdCard { id_card: card.id, reason: c.reason.trim().into() })
}
