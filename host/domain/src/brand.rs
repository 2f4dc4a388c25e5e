//! Brands: regional public brands, local speciality brands (一县一特), brands of enterprises and
//! products; who owns them and who may use them.

use serde::{Deserialize, Serialize};

use crate::attachment::{self, Attachment};
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::operator::Operator;
use crate::product::Product;
use crate::state::{Entity, Entry, Index, Table};
use crate::time::Date;

/// Products named in one licence.
pub const LICENCE_PRODUCTS_MAX: usize = 50;

/// Kind of brand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrandKind {
    /// 区域公用品牌.
    Regional,
    /// 地方特色品牌(一县一特).
    Speciality,
    /// 企业品牌.
    Enterprise,
    /// 产品品牌.
    Product,
}

impl BrandKind {
    /// Every kind, in the order of a choice list.
    pub const ALL: [Self; 4] = [Self::Regional, Self::Speciality, Self::Enterprise, Self::Product];

    /// Whether others than its owner use it, by licence.
    pub fn is_public(self) -> bool {
        matches!(self, Self::Regional | Self::Speciality)
    }
}

/// A brand. Brands are for everybody to know: every signed-in person reads all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brand {
    /// Id, `brd_…`.
    pub id: String,
    /// Name, such as 湘潭湘莲.
    pub name: String,
    /// Kind.
    pub kind: BrandKind,
    /// The operator that owns it; `None` for an association or body outside the register.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Who owns it, in words.
    pub owner_name: String,
    /// Region code: the owner's, or that of the county.
    pub area: String,
    /// What it is for, such as 莲子及制品.
    #[serde(default)]
    pub goods: String,
    /// Number of the registered trade mark, where there is one.
    #[serde(default)]
    pub trademark_no: String,
    /// What makes it special, for consumers.
    #[serde(default)]
    pub about: String,
    /// Day since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Date>,
    /// Its sign and papers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Why it does not count any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
}

/// All brands, by id.
pub const ALL: Index = Index("brand.all");
/// By name.
pub const BY_NAME: Index = Index("brand.name");
/// By owner.
pub const BY_OWNER: Index = Index("brand.owner");
/// By digest of an attachment.
pub const BY_ATTACHMENT: Index = Index("brand.attachment");

impl Entity for Brand {
    const TABLE: Table = Table("brand");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![Entry::new(ALL, "", &self.id)];
        if self.closed.is_none() {
            entries.push(Entry::new(BY_NAME, &self.name, &self.id));
        }
        entries.extend(self.owner.iter().map(|owner| Entry::new(BY_OWNER, owner, &self.id)));
        let files = self.attachments.iter();
        entries.extend(files.map(|one| Entry::new(BY_ATTACHMENT, &one.hash, &self.id)));
        entries
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        self.owner.as_deref().unwrap_or_default()
    }
}

/// Who may use a brand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrandLicence {
    /// Id, `lic_…`.
    pub id: String,
    /// Brand.
    pub brand: String,
    /// Its name at the time.
    pub brand_name: String,
    /// Operator.
    pub operator: String,
    /// Products; empty stands for all of the operator's.
    #[serde(default)]
    pub products: Vec<String>,
    /// Number on the paper.
    #[serde(default)]
    pub number: String,
    /// First day.
    pub valid_from: Date,
    /// Last day; `None` without an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Date>,
    /// Region code of the operator.
    pub area: String,
    /// Why it was ended before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

impl BrandLicence {
    /// Whether a product may be sold under the brand on a day.
    pub fn covers(&self, product: &str, day: Date) -> bool {
        self.ended.is_none()
            && day >= self.valid_from
            && self.valid_to.is_none_or(|to| day <= to)
            && (self.products.is_empty() || self.products.iter().any(|one| one == product))
    }
}

/// Licences by brand.
pub const LICENCES_BY_BRAND: Index = Index("brand_licence.brand");
/// Licences by operator; part `""` holds all.
pub const LICENCES_BY_OPERATOR: Index = Index("brand_licence.operator");

impl Entity for BrandLicence {
    const TABLE: Table = Table("brand_licence");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![
            Entry::new(LICENCES_BY_BRAND, &self.brand, &self.id),
            Entry::new(LICENCES_BY_OPERATOR, &self.operator, &self.id),
            Entry::new(LICENCES_BY_OPERATOR, "", &self.id),
        ]
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: adds a brand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddBrand {
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: BrandKind,
    /// The operator that owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Who owns it; the operator's name when empty.
    #[serde(default)]
    pub owner_name: String,
    /// Region code; the operator's where one owns it.
    #[serde(default)]
    pub area: String,
    /// What it is for.
    #[serde(default)]
    pub goods: String,
    /// Number of the registered trade mark.
    #[serde(default)]
    pub trademark_no: String,
    /// What makes it special, at most 500 characters.
    #[serde(default)]
    pub about: String,
    /// Day since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Date>,
    /// Each uploaded before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// Command and event payload: a brand is corrected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeBrand {
    /// Brand.
    pub brand: String,
    /// All of it, as it is to be; the owner in the register stays.
    pub data: AddBrand,
}

/// Command and event payload: a brand does not count any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseBrand {
    /// Brand.
    pub brand: String,
    /// Why.
    pub reason: String,
}

/// Command: an operator may use a brand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LicenseBrand {
    /// Brand.
    pub brand: String,
    /// Operator.
    pub operator: String,
    /// Products of the operator, at most [`LICENCE_PRODUCTS_MAX`]; all when empty.
    #[serde(default)]
    pub products: Vec<String>,
    /// Number on the paper.
    #[serde(default)]
    pub number: String,
    /// First day.
    pub valid_from: Date,
    /// Last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Date>,
}

/// Command and event payload: an operator may not use a brand any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndBrandLicence {
    /// Licence.
    pub licence: String,
    /// Why.
    pub reason: String,
}

pub(crate) fn add(ctx: &mut Context<'_>, c: AddBrand) -> Result<Brand, DomainError> {
    let c = checked(ctx, c)?;
    let others = ctx.state.list::<Brand>(BY_NAME, &c.name, 20)?;
    if let Some(other) = others.iter().find(|other| other.owner_name == c.owner_name) {
        return Err(DomainError::refused("brand_known", &[("name", &other.name)]));
    }
    Ok(Brand {
        id: new_id("brd", ctx.time, ctx.random),
        name: c.name,
        kind: c.kind,
        owner: c.owner,
        owner_name: c.owner_name,
        area: c.area,
        goods: c.goods,
        trademark_no: c.trademark_no,
        about: c.about,
        since: c.since,
        attachments: c.attachments,
        closed: None,
    })
}

/// What was sent, checked and in its clean spelling.
fn checked(ctx: &Context<'_>, mut c: AddBrand) -> Result<AddBrand, DomainError> {
    c.owner = c.owner.filter(|id| !id.is_empty());
    if let Some(id) = &c.owner {
        let owner: Operator = ctx.require("operator", id)?;
        (c.owner_name, c.area) = (owner.name, owner.area);
    }
    let mut check = Check::new();
    check
        .text("name", &c.name, 32)
        .text("owner_name", &c.owner_name, 64)
        .area("area", &c.area)
        .optional_text("goods", &c.goods, 64)
        .optional_text("trademark_no", &c.trademark_no, 32)
        .optional_text("about", &c.about, 500);
    attachment::check(&mut check, &c.attachments);
    check.done()?;
    for text in [&mut c.name, &mut c.owner_name, &mut c.goods, &mut c.trademark_no, &mut c.about] {
        *text = text.trim().into();
    }
    Ok(c)
}

pub(crate) fn change(ctx: &mut Context<'_>, c: ChangeBrand) -> Result<ChangeBrand, DomainError> {
    let brand: Brand = ctx.require("brand", &c.brand)?;
    not_closed(&brand)?;
    let data = checked(ctx, AddBrand { owner: brand.owner, ..c.data })?;
    Ok(ChangeBrand { brand: brand.id, data })
}

/// The brand after a change.
pub(crate) fn changed(brand: &mut Brand, data: &AddBrand) {
    let c = data.clone();
    (brand.name, brand.kind, brand.owner_name, brand.area) = (c.name, c.kind, c.owner_name, c.area);
    (brand.goods, brand.trademark_no, brand.about) = (c.goods, c.trademark_no, c.about);
    (brand.since, brand.attachments) = (c.since, c.attachments);
}

pub(crate) fn close(ctx: &mut Context<'_>, c: CloseBrand) -> Result<CloseBrand, DomainError> {
    let brand: Brand = ctx.require("brand", &c.brand)?;
    not_closed(&brand)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    Ok(CloseBrand { brand: brand.id, reason: c.reason.trim().into() })
}

pub(crate) fn not_closed(brand: &Brand) -> Result<(), DomainError> {
    match &brand.closed {
        Some(_) => Err(DomainError::refused("brand_closed", &[("name", &brand.name)])),
        None => Ok(()),
    }
}

pub(crate) fn license(ctx: &mut Context<'_>, c: LicenseBrand) -> Result<BrandLicence, DomainError> {
    let brand: Brand = ctx.require("brand", &c.brand)?;
    let operator: Operator = ctx.require("operator", &c.operator)?;
    not_closed(&brand)?;
    let mut check = Check::new();
    check
        .optional_text("number", &c.number, 64)
        .ensure(c.products.len() <= LICENCE_PRODUCTS_MAX, "products", "too_many")
        .ensure(c.valid_to.is_none_or(|to| to >= c.valid_from), "valid_to", "bad_range");
    for id in c.products.iter().take(LICENCE_PRODUCTS_MAX) {
        let product: Product = ctx.require("product", id)?;
        check.ensure(product.operator == operator.id, "products", "other_operator");
    }
    check.done()?;
    Ok(BrandLicence {
        id: new_id("lic", ctx.time, ctx.random),
        brand: brand.id,
        brand_name: brand.name,
        operator: operator.id,
        products: c.products,
        number: c.number.trim().into(),
        valid_from: c.valid_from,
        valid_to: c.valid_to,
        area: operator.area,
        ended: None,
    })
}

pub(crate) fn end_licence(
    ctx: &mut Context<'_>,
    c: EndBrandLicence,
) -> Result<EndBrandLicence, DomainError> {
    let licence: BrandLicence = ctx.require("brand_licence", &c.licence)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    if licence.ended.is_some() {
        return Err(DomainError::refused("no_change", &[("name", &licence.brand_name)]));
    }
    Ok(EndBrandLicence { licence: licence.id, reason: c.reason.trim().into() })
}
