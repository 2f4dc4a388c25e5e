//! How a test comes to be on record: checked, told from what is known already, given its lot or sample.

use crate::actor::{Actor, Role};
use crate::check::Check;
use crate::decide::Context;
use crate::device::Device;
use crate::error::DomainError;
use crate::id::new_id;
use crate::lot::Lot;
use crate::measurement::{Measurement, ValueKind};
use crate::message::Message;
use crate::objection::{self, Objection};
use crate::sampling::{Purpose, Sampling, SamplingStatus};
use crate::test::{
    AssignTest, BY_DEVICE_ID, ConductedBy, MatchedBy, Origin, RecordTest, Test, TestAssigned,
    content_sha256, device_key,
};
use crate::time::Time;
use crate::trace_policy::TracePolicy;

/// What `record` found.
pub(crate) enum Recorded {
    New(Box<Test>),
    Duplicate(String),
    /// Same id, other content; the id of the test that stands.
    Conflict(String),
}

/// Skew of the device's clock that is flagged, in seconds.
const CLOCK_SKEW_S_MAX: i64 = 600;
/// A first measurement may be sent days later; older device time is flagged.
const CLOCK_AGE_S_MAX: i64 = 30 * 86_400;

fn clock_flags(measurement: &Measurement, received_at: Time) -> Vec<String> {
    let flag = match measurement.tested_at {
        None => Some("clock_none"),
        Some(t) => {
            let year = crate::time::china_date(t).year();
            let age_s = received_at.as_second() - t.as_second();
            if year <= 2000 {
                Some("clock_none")
            } else if !(-CLOCK_SKEW_S_MAX..=CLOCK_AGE_S_MAX).contains(&age_s) {
                Some("clock_off")
            } else {
                None
            }
        }
    };
    flag.into_iter().map(String::from).collect()
}

pub(crate) fn record(ctx: &mut Context<'_>, mut c: RecordTest) -> Result<Recorded, DomainError> {
    check_measurement(&c)?;
    let m = &c.measurement;
    if m.blank && (c.lot.is_some() || c.sampling.is_some() || c.objection.is_some()) {
        return Err(DomainError::refused("test_is_blank", &[]));
    }
    if !c.message.is_empty() {
        ctx.require::<Message>("message", &c.message)?;
    }
    let content_sha256 = content_sha256(m);
    if !c.device.is_empty()
        && let Some(known) =
            ctx.state.find::<Test>(BY_DEVICE_ID, &device_key(&c.device, &m.msg_id))?
    {
        return Ok(if known.content_sha256 == content_sha256 {
            Recorded::Duplicate(known.id)
        } else {
            Recorded::Conflict(known.id)
        });
    }
    let device = match c.device.as_str() {
        "" => None,
        id => Some(ctx.require::<Device>("device", id)?),
    };
    let objection = match &c.objection {
        Some(id) => {
            let (method, item) = (c.measurement.method, &c.measurement.item.name);
            Some(objection::check_retest(ctx.state, id, method, item, &c.laboratory)?)
        }
        None => None,
    };
    let whose = Whose::of(ctx, &mut c, device.as_ref(), objection)?;
    let flags = flags(ctx, &c)?;
    let typed = c.origin == Origin::Typed;
    let by_sample = whose.sampling.as_ref().map(|_| MatchedBy::Sample);
    Ok(Recorded::New(Box::new(Test {
        id: new_id("tst", ctx.time, ctx.random),
        device: c.device,
        device_name: device.as_ref().map(described).unwrap_or_default(),
        message: c.message,
        origin: c.origin,
        flags,
        needs_verification: whose.needs_verification(ctx, &c.measurement)?,
        measurement: c.measurement,
        content_sha256,
        lot: whose.lot,
        lot_no: whose.lot_no,
        product_name: whose.product_name,
        operator: whose.operator,
        matched_by: c.lot.map(|(_, by)| by).or(by_sample),
        conducted_by: whose.conducted_by,
        verdict: c.judgement.verdict.into(),
        judgement: c.judgement,
        received_at: c.received_at,
        area: whose.area,
        sampling: whose.sampling,
        sample_no: whose.sample_no,
        laboratory: whose.laboratory,
        entered_by: if typed { ctx.actor.name() } else { String::new() },
        verified: None,
        struck: None,
        delivered: None,
        objection: c.objection,
        settled: None,
    })))
}

fn check_measurement(c: &RecordTest) -> Result<(), DomainError> {
    let m = &c.measurement;
    let mut check = Check::new();
    check
        .ensure(m.v == 1, "v", "bad_version")
        .text("msg_id", &m.msg_id, 128)
        .optional_text("sample.no", &m.sample.no, 64)
        .optional_text("sample.name", &m.sample.name, 64)
        .optional_text("sample.batch_code", &m.sample.batch_code, 64)
        .optional_text("value.num", &m.value.num, 32)
        .optional_text("value.unit", &m.value.unit, 16)
        .optional_text("item.name", &m.item.name, 64)
        .optional_text("lod", &m.lod, 32)
        .optional_text("loq", &m.loq, 32)
        .optional_text("report_no", &m.report_no, 64)
        .optional_text("laboratory", &c.laboratory, 64);
    // Who typed it is known now only; a lot given later could not tell an own test any more.
    let whose = c.lot.is_some() || c.sampling.is_some() || c.objection.is_some();
    check.ensure(c.origin != Origin::Typed || whose, "lot", "required");
    check.done()
}

/// Whose sample a test is of, and who tested it.
#[derive(Default)]
struct Whose {
    lot: Option<String>,
    lot_no: String,
    product_name: String,
    operator: String,
    area: String,
    sampling: Option<String>,
    sample_no: String,
    laboratory: String,
    conducted_by: Option<ConductedBy>,
}

impl Whose {
    /// A sample fixes the lot; a retest is of the very lot, or sample, of the first test.
    fn of(
        ctx: &Context<'_>,
        c: &mut RecordTest,
        device: Option<&Device>,
        objection: Option<Objection>,
    ) -> Result<Self, DomainError> {
        if let Some(objection) = &objection {
            let first: Test = ctx.require("test", &objection.test)?;
            c.sampling = first.sampling;
            c.lot = first.lot.map(|lot| (lot, MatchedBy::Person));
        }
        let sampling: Option<Sampling> = match &c.sampling {
            Some(id) => Some(ctx.require("sampling", id)?),
            None => None,
        };
        if let Some(sampling) = &sampling {
            let official = sampling.purpose != Purpose::Own;
            if official && matches!(ctx.actor, Actor::User { role: Role::Producer, .. }) {
                return Err(DomainError::refused("sampling_is_official", &[]));
            }
            if sampling.status == SamplingStatus::Cancelled && c.origin == Origin::Typed {
                let params = [("no", sampling.no.as_str()), ("status", "cancelled")];
                return Err(DomainError::refused("sampling_status", &params));
            }
        }
        let of_sample = sampling.as_ref().and_then(|one| one.lot.clone());
        let lot = of_sample.or_else(|| c.lot.as_ref().map(|(lot, _)| lot.clone()));
        let mut whose = match lot {
            Some(lot) => Self::of_lot(ctx.require("lot", &lot)?),
            None => Self::default(),
        };
        whose.laboratory = c.laboratory.trim().to_owned();
        if let Some(sampling) = sampling {
            whose.takes(sampling);
        }
        if let Some(objection) = objection {
            whose.laboratory = objection.laboratory;
        }
        if let (true, Some(device)) = (whose.laboratory.is_empty(), device) {
            whose.laboratory.clone_from(&device.place);
        }
        if whose.operator.is_empty() {
            whose.area = device.map(|device| device.area.clone()).unwrap_or_default();
        } else if whose.conducted_by.is_none() {
            whose.conducted_by = Some(conducted_by(ctx.actor, device, &whose.operator));
        }
        Ok(whose)
    }

    fn of_lot(lot: Lot) -> Self {
        Self {
            lot: Some(lot.id),
            lot_no: lot.no,
            product_name: lot.product_name,
            operator: lot.operator,
            area: lot.area,
            ..Self::default()
        }
    }

    fn takes(&mut self, sampling: Sampling) {
        if self.lot.is_none() {
            self.product_name = sampling.product_name;
            self.operator = sampling.operator;
            self.area = sampling.area;
        }
        if self.laboratory.is_empty() {
            self.laboratory = sampling.laboratory;
        }
        if sampling.purpose != Purpose::Own {
            self.conducted_by = Some(ConductedBy::Commissioned);
        }
        (self.sampling, self.sample_no) = (Some(sampling.id), sampling.no);
    }

    /// Second-person verification: of quantitative results, as the county has set it for institutions and
    /// for operators' own tests.
    fn needs_verification(&self, ctx: &Context<'_>, m: &Measurement) -> Result<bool, DomainError> {
        let quantitative = m.value.kind == ValueKind::Concentration || !m.method.is_rapid();
        if !quantitative || m.blank {
            return Ok(false);
        }
        let policy = TracePolicy::of(ctx.state)?;
        Ok(match self.conducted_by {
            Some(ConductedBy::Own) => policy.verify_own,
            Some(ConductedBy::Commissioned) => policy.verify_institution,
            None => false,
        })
    }
}

/// Flags for people: of the clock, of a cancelled sample, of a repeat whose first is not known yet.
fn flags(ctx: &Context<'_>, c: &RecordTest) -> Result<Vec<String>, DomainError> {
    // A report is of the past.
    let mut flags = match c.origin {
        Origin::Device => clock_flags(&c.measurement, c.received_at),
        Origin::Typed => Vec::new(),
    };
    if let Some(sampling) = &c.sampling
        && let Some(sampling) = ctx.state.get::<Sampling>(sampling)?
        && sampling.status == SamplingStatus::Cancelled
    {
        flags.push("sample_cancelled".into());
    }
    if let Some(first) = c.measurement.retest_of.as_ref().filter(|one| !one.is_empty())
        && !c.device.is_empty()
        && ctx.state.find::<Test>(BY_DEVICE_ID, &device_key(&c.device, first))?.is_none()
    {
        flags.push("retest_first".into());
    }
    Ok(flags)
}

pub(crate) fn assign(ctx: &mut Context<'_>, c: AssignTest) -> Result<TestAssigned, DomainError> {
    let test: Test = ctx.require("test", &c.test)?;
    if test.lot.is_some() || test.sampling.is_some() {
        let no = if test.lot_no.is_empty() { &test.sample_no } else { &test.lot_no };
        return Err(DomainError::refused("test_has_lot", &[("no", no)]));
    }
    if test.measurement.blank {
        return Err(DomainError::refused("test_is_blank", &[]));
    }
    let device = ctx.state.get::<Device>(&test.device)?;
    let mut asked = RecordTest {
        device: test.device.clone(),
        message: String::new(),
        // Whose sample it was is a person's word, like a typed result: not one that came to nothing.
        origin: Origin::Typed,
        measurement: test.measurement.clone(),
        lot: (!c.lot.is_empty()).then(|| (c.lot.clone(), MatchedBy::Person)),
        judgement: c.judgement.clone(),
        received_at: test.received_at,
        sampling: c.sampling.clone(),
        laboratory: String::new(),
        objection: None,
    };
    if asked.lot.is_none() && asked.sampling.is_none() {
        return Err(DomainError::field("lot", "required"));
    }
    let whose = Whose::of(ctx, &mut asked, device.as_ref(), None)?;
    Ok(TestAssigned {
        needs_verification: whose.needs_verification(ctx, &test.measurement)?,
        test: test.id,
        conducted_by: whose.conducted_by.unwrap_or(ConductedBy::Commissioned),
        lot: whose.lot.unwrap_or_default(),
        lot_no: whose.lot_no,
        product_name: whose.product_name,
        operator: whose.operator,
        area: whose.area,
        judgement: c.judgement,
        sampling: whose.sampling,
        sample_no: whose.sample_no,
        laboratory: whose.laboratory,
    })
}

fn described(device: &Device) -> String {
    format!("{} {}", device.place, device.model).trim().to_owned()
}

/// A device of the operator itself, or a result its own people typed, makes it an own test;
/// anybody else's is a commissioned one.
fn conducted_by(actor: &Actor, device: Option<&Device>, operator: &str) -> ConductedBy {
    let own = match device {
        Some(device) => device.operator.as_deref() == Some(operator),
        None => matches!(actor, Actor::User { role: Role::Producer, .. }),
    };
    if own { ConductedBy::Own } else { ConductedBy::Commissioned }
}
