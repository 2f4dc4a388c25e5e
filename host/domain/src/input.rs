//! Agricultural inputs (投入品) with the interval of each registered use: it belongs to the
//! registration (product × crop), not to the ingredient (domain/rules-of-law, section 8).

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::state::{Entity, Entry, Index, Table};

/// Kind of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// 农药.
    Pesticide,
    /// 兽药.
    VeterinaryDrug,
    /// 肥料.
    Fertiliser,
    /// 饲料.
    Feed,
    /// Seed and everything else.
    Other,
}

impl InputKind {
    /// Every kind, in the order of a choice list.
    pub const ALL: [Self; 5] =
        [Self::Pesticide, Self::VeterinaryDrug, Self::Fertiliser, Self::Feed, Self::Other];
}

/// A registered use on one crop or species.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredUse {
    /// Crop or species; empty stands for every one.
    #[serde(default)]
    pub crop: String,
    /// Pre-harvest interval or withdrawal period in days.
    pub interval_days: u32,
    /// Dose as on the label.
    #[serde(default)]
    pub dose: String,
}

/// An input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Id, `inp_…`.
    pub id: String,
    /// Trade name.
    pub name: String,
    /// Kind.
    pub kind: InputKind,
    /// Registration number; empty when unknown.
    #[serde(default)]
    pub registration_no: String,
    /// Active substances by common Chinese name.
    #[serde(default)]
    pub substances: Vec<String>,
    /// Registered uses.
    #[serde(default)]
    pub uses: Vec<RegisteredUse>,
}

impl Input {
    /// Interval on a crop; `None` when the label has no such use.
    pub fn interval_days(&self, crop: &str) -> Option<u32> {
        let exact = self.uses.iter().find(|u| u.crop == crop && !crop.is_empty());
        exact.or_else(|| self.uses.iter().find(|u| u.crop.is_empty())).map(|u| u.interval_days)
    }
}

/// All inputs by name.
pub const ALL: Index = Index("input.all");

impl Entity for Input {
    const TABLE: Table = Table("input");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(ALL, "", &self.name)]
    }
}

/// Command: adds an input to the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddInput {
    /// Trade name.
    pub name: String,
    /// Kind.
    pub kind: InputKind,
    /// Registration number.
    #[serde(default)]
    pub registration_no: String,
    /// Active substances.
    #[serde(default)]
    pub substances: Vec<String>,
    /// Registered uses.
    #[serde(default)]
    pub uses: Vec<RegisteredUse>,
}

pub(crate) fn add(ctx: &mut Context<'_>, c: AddInput) -> Result<Input, DomainError> {
    let mut check = Check::new();
    check.text("name", &c.name, 64).optional_text("registration_no", &c.registration_no, 32);
    check.ensure(c.substances.len() <= 8, "substances", "too_many");
    check.ensure(c.uses.len() <= 64, "uses", "too_many");
    for substance in &c.substances {
        check.text("substances", substance, 32);
    }
    for one in &c.uses {
        check.optional_text("uses", &one.crop, 32).optional_text("uses", &one.dose, 64);
        check.ensure(one.interval_days <= 730, "uses", "bad_interval");
    }
    check.done()?;
    Ok(Input {
        id: new_id("inp", ctx.time, ctx.random),
        name: c.name.trim().into(),
        kind: c.kind,
        registration_no: c.registration_no,
        substances: c.substances,
        uses: c.uses,
    })
}
