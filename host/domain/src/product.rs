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
}

/// By operator; part `""` holds all.
pub const BY_OPERATOR: Index = Index("product.operator");

impl Entity for Product {
    const TABLE: Table = Table("product");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![
            Entry::new(BY_OPERATOR, &self.operator, &self.id),
            Entry::new(BY_OPERATOR, "", &self.id),
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

pub(crate) fn add(ctx: &mut Context<'_>, c: AddProduct) -> Result<Product, DomainError> {
    let operator: Operator = ctx.require("operator", &c.operator)?;
    let mut check = Check::new();
    check
        .text("name", &c.name, 64)
        .optional_text("crop", &c.crop, 32)
        .optional_text("variety", &c.variety, 32)
        .text("unit", &c.unit, 8);
    check.done()?;
    Ok(Product {
        id: new_id("prd", ctx.time, ctx.random),
        operator: operator.id,
        name: c.name.trim().into(),
        class: c.class,
        crop: c.crop.trim().into(),
        variety: c.variety.trim().into(),
        unit: c.unit.trim().into(),
        method_unsuitable: c.method_unsuitable,
        area: operator.area,
    })
}
