//! Steps of a lot on its way (流转环节): split, mixed, packed, processed, stored, handed over, shipped. What
//! goes in are lots, what comes out are lots: inbound and outbound batch of NY/T 4712, and the lineage that
//! re-certifying needs.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::attachment::Attachment;
use crate::lot::Lot;
use crate::state::{Entity, Entry, Index, Table};
use crate::time::{Date, Time};

/// Lots that go into one step, and that come out of it.
pub const PORTIONS_MAX: usize = 200;

/// Kind of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// 拆分: one lot becomes several.
    Split,
    /// 混装: several lots become one.
    Mix,
    /// 分装 / 包装: the same goods in other units.
    Repack,
    /// 加工 / 屠宰: other goods.
    Process,
    /// 贮存: nothing changes but the place.
    Store,
    /// 转给本县主体: the buyer is on record and has a lot of its own from then on.
    Transfer,
    /// 销售出库: to a buyer who is not on record.
    Ship,
}

impl StepKind {
    /// Every kind, in the order of a choice list.
    pub const ALL: [Self; 7] = [
        Self::Split,
        Self::Mix,
        Self::Repack,
        Self::Process,
        Self::Store,
        Self::Transfer,
        Self::Ship,
    ];

    /// The API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Mix => "mix",
            Self::Repack => "repack",
            Self::Process => "process",
            Self::Store => "store",
            Self::Transfer => "transfer",
            Self::Ship => "ship",
        }
    }

    /// Whether what goes in is used up for what comes out.
    pub fn makes(self) -> bool {
        matches!(self, Self::Split | Self::Mix | Self::Repack | Self::Process)
    }

    /// Whether what goes in leaves its operator.
    pub fn leaves(self) -> bool {
        matches!(self, Self::Transfer | Self::Ship)
    }
}

/// Part of a lot in a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portion {
    /// Lot.
    pub lot: String,
    /// Its number.
    pub no: String,
    /// Its product's name.
    pub product_name: String,
    /// Quantity.
    pub quantity: Decimal,
    /// Unit.
    pub unit: String,
}

/// Who goods went to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buyer {
    /// The operator, when on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Name.
    pub name: String,
    /// Where to, such as a market or a city.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Id, `stp_…`.
    pub id: String,
    /// Kind.
    pub kind: StepKind,
    /// Operator whose lots went in.
    pub operator: String,
    /// Region code.
    pub area: String,
    /// Day it was done.
    pub date: Date,
    /// What went in.
    pub inputs: Vec<Portion>,
    /// What came out.
    pub outputs: Vec<Portion>,
    /// What went in and did not come out, in `loss_unit`; only of steps that make lots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Decimal>,
    /// Unit of the loss.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub loss_unit: String,
    /// Who goods went to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer: Option<Buyer>,
    /// Where it was done or stored.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// Remarks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Photos and documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// When it was written down.
    pub recorded_at: Time,
    /// Why it was struck out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub struck: Option<String>,
}

/// By operator; part `""` holds all.
pub const BY_OPERATOR: Index = Index("step.operator");
/// By lot, in or out.
pub const BY_LOT: Index = Index("step.lot");
/// By digest of an attachment.
pub const BY_ATTACHMENT: Index = Index("step.attachment");

impl Entity for Step {
    const TABLE: Table = Table("step");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![
            Entry::new(BY_OPERATOR, "", &self.id),
            Entry::new(BY_OPERATOR, &self.operator, &self.id),
        ];
        let lots = self.inputs.iter().chain(&self.outputs);
        entries.extend(lots.map(|one| Entry::new(BY_LOT, &one.lot, &self.id)));
        let files = self.attachments.iter();
        entries.extend(files.map(|one| Entry::new(BY_ATTACHMENT, &one.hash, &self.id)));
        entries
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// What is taken of a lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// Lot.
    pub lot: String,
    /// Quantity in its unit.
    pub quantity: Decimal,
}

/// What comes out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// Quantity.
    pub quantity: Decimal,
    /// Unit; absent for that of what went in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Kilograms in one unit, where the unit is none of mass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_kg: Option<Decimal>,
    /// Product; absent for that of what went in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Lot that it is added to, one that was made by a step and of which nothing was used yet; absent
    /// for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<String>,
}

/// Command: takes a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakeStep {
    /// Kind.
    pub kind: StepKind,
    /// Day it was done; not in the future.
    pub date: Date,
    /// What goes in, all of one operator.
    pub inputs: Vec<Taken>,
    /// What comes out, of a step that makes lots.
    #[serde(default)]
    pub outputs: Vec<Made>,
    /// Who goods go to: for a transfer an operator, for a shipment a name.
    #[serde(default)]
    pub buyer: Option<Buyer>,
    /// Where it was done or stored.
    #[serde(default)]
    pub place: String,
    /// Remarks.
    #[serde(default)]
    pub note: String,
    /// Photos and documents, each uploaded before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// Event payload: a step and the lots that came out of it, as they stand after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTaken {
    /// The step.
    pub step: Step,
    /// Lots that came out.
    pub lots: Vec<Lot>,
}

/// Command and event payload: a step was not taken; nothing may have been done with what came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrikeStep {
    /// Step.
    pub step: String,
    /// Why, at most 128 characters.
    pub reason: String,
}
