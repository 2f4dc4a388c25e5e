//! Objections (异议) to a positive result, and the retest (复检) that decides them, with the clocks of law
//! art 51: 4 hours against a rapid result, 5 working days against a laboratory's, 7 working days for the
//! report of the retest.

use serde::{Deserialize, Serialize};

use crate::attachment::{self, Attachment};
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::measurement::Method;
use crate::state::{Entity, Entry, Index, State, Table};
use crate::test::{self, Test, TestVerdict};
use crate::time::{Date, Time, china_date, china_minute};

/// Hours for an objection to a rapid result, by the clock, across midnight (law art 51).
pub const RAPID_HOURS: i64 = 4;
/// Working days for an objection to a laboratory's result (law art 51).
pub const LABORATORY_DAYS: u32 = 5;
/// Working days from receipt of the sample to the report of the retest (law art 51).
pub const REPORT_DAYS: u32 = 7;
/// Retests of one objection that are looked at.
const RETESTS_MAX: usize = 100;

/// How far an objection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectionStatus {
    /// Handed in; a laboratory is to be named.
    Filed,
    /// A laboratory was named; results are awaited.
    Ordered,
    /// The retest agrees with the first result.
    Upheld,
    /// The retest does not agree: the lot is free again.
    Overturned,
    /// Taken back by the operator.
    Withdrawn,
}

impl ObjectionStatus {
    /// The index part and API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Filed => "filed",
            Self::Ordered => "ordered",
            Self::Upheld => "upheld",
            Self::Overturned => "overturned",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether something is still to be done.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Filed | Self::Ordered)
    }
}

/// An objection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objection {
    /// Id, `obj_…`.
    pub id: String,
    /// Test that is objected to.
    pub test: String,
    /// Its lot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// Product's name.
    pub product_name: String,
    /// Operator.
    pub operator: String,
    /// Region code.
    pub area: String,
    /// Why.
    pub reason: String,
    /// When it was handed in.
    pub filed_at: Time,
    /// Until when it could be handed in.
    pub until: Time,
    /// Who entered it.
    pub filed_by: String,
    /// Papers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Status.
    pub status: ObjectionStatus,
    /// Laboratory of the retest.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub laboratory: String,
    /// Method of the retest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Day the laboratory received the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_on: Option<Date>,
    /// Last day of the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_on: Option<Date>,
    /// What was said at the end.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub conclusion: String,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concluded_at: Option<Time>,
}

/// By status; part `""` holds all.
pub const BY_STATUS: Index = Index("objection.status");
/// By the test objected to.
pub const BY_TEST: Index = Index("objection.test");
/// By operator.
pub const BY_OPERATOR: Index = Index("objection.operator");
/// By digest of an attachment.
pub const BY_ATTACHMENT: Index = Index("objection.attachment");

impl Entity for Objection {
    const TABLE: Table = Table("objection");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut out = vec![
            Entry::new(BY_STATUS, "", &self.id),
            Entry::new(BY_STATUS, self.status.as_str(), &self.id),
            Entry::new(BY_TEST, &self.test, &self.id),
            Entry::new(BY_OPERATOR, &self.operator, &self.id),
        ];
        out.extend(self.attachments.iter().map(|a| Entry::new(BY_ATTACHMENT, &a.hash, &self.id)));
        out
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: an objection was handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileObjection {
    /// Test.
    pub test: String,
    /// Why, at most 256 characters.
    pub reason: String,
    /// When it was handed in, which may be before it is entered.
    pub filed_at: Time,
    /// Papers, uploaded before.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
}

/// Command and event payload: a laboratory is to test again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRetest {
    /// Objection.
    pub objection: String,
    /// Laboratory, at most 64 characters; not the first one.
    pub laboratory: String,
    /// Method; not a rapid one.
    pub method: Method,
}

/// Command and event payload: the laboratory has the sample, and its clock runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiveRetestSample {
    /// Objection.
    pub objection: String,
    /// Day of receipt.
    pub received_on: Date,
    /// Last day of the report, of the calendar; the appliance fills it in.
    pub due_on: Date,
}

/// What ends an objection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The results of the retest say what it comes to.
    Decided,
    /// The operator takes it back.
    Withdrawn,
}

/// Command: ends an objection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConcludeObjection {
    /// Objection.
    pub objection: String,
    /// How.
    pub ending: Ending,
    /// In words, at most 256 characters.
    pub note: String,
}

/// Event payload: an objection ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectionConcluded {
    /// Objection.
    pub objection: String,
    /// What it came to.
    pub status: ObjectionStatus,
    /// In words.
    pub note: String,
    /// The test that decided, for a lot that is free again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_test: Option<String>,
}

pub(crate) fn file(ctx: &mut Context<'_>, c: FileObjection) -> Result<Objection, DomainError> {
    let test: Test = ctx.require("test", &c.test)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 256).ensure(c.filed_at <= ctx.time, "filed_at", "in_future");
    attachment::check(&mut check, &c.attachments);
    check.done()?;
    if test.verdict != TestVerdict::Fail || test.struck.is_some() {
        return Err(DomainError::refused("objection_to_nothing", &[]));
    }
    if test.objection.is_some() {
        return Err(DomainError::refused("retest_is_final", &[]));
    }
    let Some(delivered) = &test.delivered else {
        return Err(DomainError::refused("result_not_delivered", &[]));
    };
    if c.filed_at < delivered.at {
        return Err(DomainError::field("filed_at", "before_delivery"));
    }
    if c.filed_at > delivered.until {
        let (at, until) = (china_minute(delivered.at), china_minute(delivered.until));
        return Err(DomainError::refused("objection_late", &[("at", &at), ("until", &until)]));
    }
    let before: Vec<Objection> = ctx.state.list(BY_TEST, &test.id, RETESTS_MAX)?;
    if before.iter().any(|one| one.status != ObjectionStatus::Withdrawn) {
        return Err(DomainError::refused("objection_known", &[]));
    }
    Ok(Objection {
        id: new_id("obj", ctx.time, ctx.random),
        lot: test.lot,
        product_name: test.product_name,
        operator: test.operator,
        area: test.area,
        reason: c.reason.trim().to_owned(),
        filed_at: c.filed_at,
        until: delivered.until,
        test: test.id,
        filed_by: ctx.actor.name(),
        attachments: c.attachments,
        status: ObjectionStatus::Filed,
        laboratory: String::new(),
        method: None,
        received_on: None,
        due_on: None,
        conclusion: String::new(),
        concluded_at: None,
    })
}

/// Names of laboratories are compared without blanks and in one case.
fn same_laboratory(one: &str, other: &str) -> bool {
    let bare = |name: &str| -> String {
        name.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
    };
    !one.trim().is_empty() && bare(one) == bare(other)
}

pub(crate) fn order(ctx: &mut Context<'_>, c: OrderRetest) -> Result<OrderRetest, DomainError> {
    let objection = open(ctx, &c.objection)?;
    let first: Test = ctx.require("test", &objection.test)?;
    let mut check = Check::new();
    check.text("laboratory", &c.laboratory, 64);
    check.done()?;
    if c.method.is_rapid() {
        return Err(DomainError::refused("retest_rapid", &[]));
    }
    if same_laboratory(&c.laboratory, &first.laboratory) {
        return Err(DomainError::refused(
            "retest_same_laboratory",
            &[("laboratory", c.laboratory.trim())],
        ));
    }
    if objection.received_on.is_some() {
        return Err(DomainError::refused("retest_under_way", &[]));
    }
    Ok(OrderRetest { laboratory: c.laboratory.trim().to_owned(), ..c })
}

pub(crate) fn receive(
    ctx: &mut Context<'_>,
    c: ReceiveRetestSample,
) -> Result<ReceiveRetestSample, DomainError> {
    let objection = open(ctx, &c.objection)?;
    if objection.status != ObjectionStatus::Ordered {
        return Err(DomainError::refused("retest_not_ordered", &[]));
    }
    let mut check = Check::new();
    check.day_done("received_on", c.received_on, china_date(ctx.time)).ensure(
        c.received_on >= china_date(objection.filed_at),
        "received_on",
        "before_objection",
    );
    check.done()?;
    Ok(c)
}

/// A result of the retest: by the laboratory that was named, and by no rapid method.
pub(crate) fn check_retest(
    state: &dyn State,
    objection: &str,
    method: Method,
    item: &str,
    laboratory: &str,
) -> Result<Objection, DomainError> {
    let objection: Objection = state.require("objection", objection)?;
    let first: Test = state.require("test", &objection.test)?;
    // A screening names groups of substances; what a laboratory found, another one looks for again.
    let named = &first.measurement.item.name;
    if !first.measurement.method.is_rapid() && item.trim() != named.trim() {
        return Err(DomainError::refused("retest_other_item", &[("item", named)]));
    }
    if objection.status != ObjectionStatus::Ordered {
        return Err(DomainError::refused("retest_not_ordered", &[]));
    }
    if method.is_rapid() {
        return Err(DomainError::refused("retest_rapid", &[]));
    }
    if !laboratory.is_empty() && !same_laboratory(laboratory, &objection.laboratory) {
        let params = [("laboratory", objection.laboratory.as_str())];
        return Err(DomainError::refused("retest_other_laboratory", &params));
    }
    Ok(objection)
}

pub(crate) fn conclude(
    ctx: &mut Context<'_>,
    c: ConcludeObjection,
) -> Result<(Objection, ObjectionConcluded), DomainError> {
    let objection = open(ctx, &c.objection)?;
    let mut check = Check::new();
    check.text("note", &c.note, 256);
    check.done()?;
    let note = c.note.trim().to_owned();
    let ended = |status, by_test| ObjectionConcluded {
        objection: objection.id.clone(),
        status,
        note,
        by_test,
    };
    if c.ending == Ending::Withdrawn {
        let ended = ended(ObjectionStatus::Withdrawn, None);
        return Ok((objection, ended));
    }
    let retests: Vec<Test> = ctx.state.list(test::BY_OBJECTION, &objection.id, RETESTS_MAX)?;
    let standing: Vec<&Test> = retests.iter().filter(|one| one.struck.is_none()).collect();
    let decided = |one: &&Test| one.counts() && one.verdict != TestVerdict::Invalid;
    if standing.is_empty() || !standing.iter().all(decided) {
        return Err(DomainError::refused("retest_open", &[]));
    }
    let failed = standing.iter().any(|one| one.verdict == TestVerdict::Fail);
    let by_test = standing.last().filter(|_| !failed).map(|one| one.id.clone());
    let status = if failed { ObjectionStatus::Upheld } else { ObjectionStatus::Overturned };
    let ended = ended(status, by_test);
    Ok((objection, ended))
}

fn open(ctx: &Context<'_>, id: &str) -> Result<Objection, DomainError> {
    let objection: Objection = ctx.require("objection", id)?;
    match objection.status.is_open() {
        true => Ok(objection),
        false => Err(DomainError::refused("objection_closed", &[])),
    }
}
