//! Products of an operator, with the class that decides which rules apply.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::operator::Operator;
use crate::state::{Entity, Entry, Index, Table};

/// Product class: the classes of 令2025年第4号 art 3, and everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProductClass {
    /// 蔬菜(含人工种植的食用菌).
    Vegetable,
    /// 水果.
    Fruit,
    /// 茶鲜叶.
    FreshTea,
    /// 畜禽.
    Livestock,
    /// 禽蛋.
    Egg,
    /// 养殖水产品.
    Aquatic,
    /// Outside the named classes: a certificate is voluntary.
    Other,
}

impl ProductClass {
    /// Every class, in the order of a choice list.
    pub const ALL: [Self; 7] = [
        Self::Vegetable,
        Self::Fruit,
        Self::FreshTea,
        Self::Livestock,
        Self::Egg,
        Self::Aquatic,
        Self::Other,
    ];

    /// The industry whose departments look after it.
    pub fn industry(self) -> Industry {
        match self {
            Self::Vegetable | Self::Fruit | Self::FreshTea => Industry::Planting,
            Self::Livestock | Self::Egg => Industry::Livestock,
            Self::Aquatic => Industry::Aquaculture,
            Self::Other => Industry::Other,
        }
    }

    /// The API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vegetable => "vegetable",
            Self::Fruit => "fruit",
            Self::FreshTea => "fresh_tea",
            Self::Livestock => "livestock",
            Self::Egg => "egg",
            Self::Aquatic => "aquatic",
            Self::Other => "other",
        }
    }
}

/// Industry: each department works on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Industry {
    /// 种植业.
    Planting,
    /// 畜牧业.
    Livestock,
    /// 渔业.
    Aquaculture,
    /// Not told by the class.
    Other,
}

impl Industry {
    /// Every industry, in the order of a choice list.
    pub const ALL: [Self; 4] = [Self::Planting, Self::Livestock, Self::Aquaculture, Self::Other];

    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planting => "planting",
            Self::Livestock => "livestock",
            Self::Aquaculture => "aquaculture",
            Self::Other => "other",
        }
    }
}

/// A product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Id, `prd_…`.
    pub id: String,
    /// Operator.
    pub operator: String,
    /// Name as sold, such as 湘潭湘莲(干莲).
    pub name: String,
    /// Class.
    pub class: ProductClass,
    /// Crop or species as pesticide registrations name it.
    #[serde(default)]
    pub crop: String,
    /// Variety.
    #[serde(default)]
    pub variety: String,
    /// Unit of quantity, such as 公斤.
    pub unit: String,
    /// Rapid enzyme inhibition does not work on it (domain/testing, section 2).
    #[serde(default)]
    pub method_unsuitable: bool,
    /// Region code, the operator's.
    pub area: String,
    /// Why it is not made any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
    /// Class of the national platform, 8 digits, see [`crate::national_code`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub national_class: String,
}

/// By operator; part `""` holds all.
pub const BY_OPERATOR: Index = Index("product.operator");
/// By class.
pub const BY_CLASS: Index = Index("product.class");

impl Entity for Product {
    const TABLE: Table = Table("product");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![
            Entry::new(BY_OPERATOR, &self.operator, &self.id),
            Entry::new(BY_OPERATOR, "", &self.id),
            Entry::new(BY_CLASS, self.class.as_str(), &self.id),
        ]
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: adds a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddProduct {
    /// Operator.
    pub operator: String,
    /// Name as sold.
    pub name: String,
    /// Class.
    pub class: ProductClass,
    /// Crop or species.
    #[serde(default)]
    pub crop: String,
    /// Variety.
    #[serde(default)]
    pub variety: String,
    /// Unit of quantity.
    pub unit: String,
    /// Whether enzyme inhibition is unsuitable.
    #[serde(default)]
    pub method_unsuitable: bool,
}

/// Command and event payload: a product is corrected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeProduct {
    /// Product.
    pub product: String,
    /// All of it, as it is to be; the operator stays.
    pub data: AddProduct,
}

/// Command and event payload: a product is not made any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseProduct {
    /// Product.
    pub product: String,
    /// Why.
    pub reason: String,
}

pub(crate) fn add(ctx: &mut Context<'_>, c: AddProduct) -> Result<Product, DomainError> {
    let operator: Operator = ctx.require("operator", &c.operator)?;
    let c = checked(c)?;
    Ok(Product {
        id: new_id("prd", ctx.time, ctx.random),
        operator: operator.id,
        name: c.name,
        class: c.class,
        crop: c.crop,
        variety: c.variety,
        unit: c.unit,
        method_unsuitable: c.method_unsuitable,
        area: operator.area,
        closed: None,
        national_class: String::new(),
    })
}

/// What was sent, checked and in its clean spelling.
fn checked(mut c: AddProduct) -> Result<AddProduct, DomainError> {
    let mut check = Check::new();
    check
        .text("name", &c.name, 64)
        .optional_text("crop", &c.crop, 32)
        .optional_text("variety", &c.variety, 32)
        .text("unit", &c.unit, 8);
    check.done()?;
    for text in [&mut c.name, &mut c.crop, &mut c.variety, &mut c.unit] {
        *text = text.trim().into();
    }
    Ok(c)
}

pub(crate) fn change(
    ctx: &mut Context<'_>,
    c: ChangeProduct,
) -> Result<ChangeProduct, DomainError> {
    let product: Product = ctx.require("product", &c.product)?;
    not_closed(&product)?;
    let data = checked(AddProduct { operator: product.operator, ..c.data })?;
    Ok(ChangeProduct { product: product.id, data })
}

/// The product after a change.
pub(crate) fn changed(product: &mut Product, data: &AddProduct) {
    let c = data.clone();
    (product.name, product.class, product.unit) = (c.name, c.class, c.unit);
    (product.crop, product.variety) = (c.crop, c.variety);
    product.method_unsuitable = c.method_unsuitable;
}

pub(crate) fn close(ctx: &mut Context<'_>, c: CloseProduct) -> Result<CloseProduct, DomainError> {
    let product: Product = ctx.require("product", &c.product)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    not_closed(&product)?;
    Ok(CloseProduct { product: product.id, reason: c.reason.trim().into() })
}

/// No new lots of a product that is not made any more.
pub(crate) fn not_closed(product: &Product) -> Result<(), DomainError> {
    match &product.closed {
        Some(_) => Err(DomainError::refused("product_closed", &[("name", &product.name)])),
        None => Ok(()),
    }
}
