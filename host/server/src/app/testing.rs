//! Judging measurements: what the rule `testing/judge` gets to see, and whose sample it was.

use serde_json::json;
use tianyin_domain::actor::{Actor, Scope};
use tianyin_domain::code::{self, Code, CodeText};
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::device::{Bench, Device};
use tianyin_domain::finding::Judgement;
use tianyin_domain::lot::{self, Lot};
use tianyin_domain::measurement::Measurement;
use tianyin_domain::objection::Objection;
use tianyin_domain::product::Product;
use tianyin_domain::sampling::{self, Sampling};
use tianyin_domain::state::Entity as _;
use tianyin_domain::test::{AssignTest, MatchedBy, Origin, RecordTest, Test};
use tianyin_domain::time::china_date;
use tianyin_domain::{Date, State, Time};

use super::{App, AppError};
use crate::edge::now;

/// A scan on the bench is good for the next results within this time.
const BENCH_SCAN_S_MAX: i64 = 30 * 60;

impl App {
    /// Judges a measurement; the product is known once the lot is, the day of sampling once the sample.
    pub fn judge(
        &self,
        measurement: &Measurement,
        product: Option<&Product>,
        sampled_on: Option<Date>,
        received_at: Time,
    ) -> Judgement {
        let tested = measurement.tested_at.unwrap_or(received_at);
        let sampled_on = sampled_on.unwrap_or_else(|| china_date(tested));
        let product = product.map(|p| {
            json!({
                "name": p.name,
                "class": p.class,
                "crop": p.crop,
                "method_unsuitable": p.method_unsuitable,
            })
        });
        let input = json!({
            "measurement": measurement,
            "product": product,
            "sampled_on": sampled_on.to_string(),
            // The standard is the one the device names, else the default of the data table.
            "config": {},
        });
        self.evaluate("testing/judge", input)
    }

    /// Runs a rule; a failure of the script is logged here once and holds.
    pub fn evaluate(&self, rule: &str, input: serde_json::Value) -> Judgement {
        let evaluation = self.rules.evaluate(rule, input);
        self.rule_stats.note(rule, &evaluation);
        if let Some(failure) = &evaluation.error {
            tracing::error!(rule, kind = ?failure.kind, line = failure.line, error = %failure.message, "rule failed: hold");
        }
        evaluation.judgement
    }

    /// Whose sample a device's result is: a number in the message, else what was scanned on its
    /// bench shortly before.
    pub fn match_target(
        &self,
        device: &Device,
        measurement: &Measurement,
        received_at: Time,
    ) -> Result<Option<(Target, MatchedBy)>, AppError> {
        if measurement.blank {
            return Ok(None);
        }
        let told = |text: &str| self.target_of_text(text, &Scope::everything());
        let (one, other) = (told(&measurement.sample.batch_code)?, told(&measurement.sample.no)?);
        if let Some(found) = one_of(one, other) {
            return Ok(found);
        }
        if device.bench.is_empty() || !measurement.sample.batch_code.is_empty() {
            return Ok(None);
        }
        let state: &dyn State = &self.store;
        let Some(bench) = state.get::<Bench>(&device.bench)? else { return Ok(None) };
        let age_s = received_at.as_second() - bench.scanned_at.as_second();
        if !(0..=BENCH_SCAN_S_MAX).contains(&age_s) {
            return Ok(None);
        }
        let scanned = match &bench.sampling {
            Some(sample) => state.get(sample)?.map(Target::Sample),
            None => state.get(&bench.lot)?.map(Target::Lot),
        };
        Ok(scanned.map(|target| (target, MatchedBy::Bench)))
    }

    /// What a text names: a sample by its number, else a lot by its number or by a trace code.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn target_of_text(&self, text: &str, scope: &Scope) -> Result<Option<Target>, AppError> {
        let state: &dyn State = &self.store;
        let no = text.trim().to_ascii_uppercase();
        if no.len() <= 64
            && let Some(sample) = state.find::<Sampling>(sampling::BY_NO, &no)?
        {
            let seen = scope.covers(sample.area(), sample.owner());
            return Ok(seen.then_some(Target::Sample(sample)));
        }
        Ok(self.lot_of_text(text, scope)?.map(Target::Lot))
    }

    /// The lot that a text names: a lot number, a code of the national platform, or a trace code on a label.
    pub fn lot_of_text(&self, text: &str, scope: &Scope) -> Result<Option<Lot>, AppError> {
        let text = text.trim();
        if text.is_empty() || text.len() > 256 {
            return Ok(None);
        }
        let state: &dyn State = &self.store;
        let mut found: Option<Lot> = state.find(lot::BY_NO, &text.to_ascii_uppercase())?;
        if found.is_none() {
            found = self.lot_of_national(text)?;
        }
        if found.is_none() {
            let last = text.rsplit('/').next().unwrap_or(text);
            if let CodeText::Valid(code) = code::parse(last)
                && let Some(code) = state.get::<Code>(&code)?
            {
                found = state.get(&code.lot)?;
            }
        }
        Ok(found.filter(|l| scope.covers(l.area(), l.owner())))
    }

    /// A person says whose sample a test was.
    pub async fn assign_test(
        &self,
        actor: &Actor,
        test: &str,
        target: &Target,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let state: &dyn State = &self.store;
        let found: Test = state.require("test", test)?;
        let (lot, sampling) = target.ids();
        let judgement =
            self.judge_of(&found.measurement, lot.as_deref(), target.sample(), found.received_at)?;
        let (test, lot) = (found.id, lot.unwrap_or_default());
        let command = AssignTest { test, lot, judgement, sampling };
        self.submit_keyed(actor, Command::AssignTest(command), idempotency_key).await
    }

    /// A result that a person entered, judged, as the command that puts it on record.
    ///
    /// # Errors
    /// Of a lot, sample or objection that is not there.
    pub fn entered(&self, entry: Entry) -> Result<RecordTest, AppError> {
        let state: &dyn State = &self.store;
        let received_at = now();
        let mut entry = entry;
        if let Some(objection) = &entry.objection {
            let objection: Objection = state.require("objection", objection)?;
            let first: Test = state.require("test", &objection.test)?;
            (entry.lot, entry.sampling) = (first.lot, first.sampling);
        }
        let sampling: Option<Sampling> = match &entry.sampling {
            Some(sampling) => Some(state.require("sampling", sampling)?),
            None => None,
        };
        entry.measurement.v = 1;
        if entry.measurement.msg_id.is_empty() {
            entry.measurement.msg_id = crate::edge::new_token();
        }
        let lot = sampling.as_ref().map_or(entry.lot.clone(), |one| one.lot.clone());
        let judgement =
            self.judge_of(&entry.measurement, lot.as_deref(), sampling.as_ref(), received_at)?;
        Ok(RecordTest {
            device: String::new(),
            message: String::new(),
            origin: Origin::Typed,
            measurement: entry.measurement,
            lot: lot.filter(|_| entry.sampling.is_none()).map(|lot| (lot, MatchedBy::Person)),
            judgement,
            received_at,
            sampling: entry.sampling,
            laboratory: entry.laboratory,
            objection: entry.objection,
        })
    }

    /// A person types a result, of a lot, a sample or a retest.
    pub async fn enter_test(
        &self,
        actor: &Actor,
        entry: Entry,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let command = self.entered(entry)?;
        self.submit_keyed(actor, Command::RecordTest(Box::new(command)), idempotency_key).await
    }

    /// Judges by the product of the lot or sample, and by the day the sample was taken.
    pub fn judge_of(
        &self,
        measurement: &Measurement,
        lot: Option<&str>,
        sampling: Option<&Sampling>,
        received_at: Time,
    ) -> Result<Judgement, AppError> {
        let state: &dyn State = &self.store;
        let lot: Option<Lot> = match lot {
            Some(lot) => Some(state.require("lot", lot)?),
            None => None,
        };
        let product = lot.map(|lot| lot.product).or_else(|| sampling.map(|s| s.product.clone()));
        let product: Option<Product> = match product {
            Some(product) => state.get(&product)?,
            None => None,
        };
        let sampled_on = sampling.map(|one| one.sampled_on);
        Ok(self.judge(measurement, product.as_ref(), sampled_on, received_at))
    }
}

/// What the two numbers of a message come to; `None` when neither is known. A sample says more than the lot
/// that it is of. Where they contradict each other a person has to say whose sample it was.
fn one_of(one: Option<Target>, other: Option<Target>) -> Option<Option<(Target, MatchedBy)>> {
    let (sample, lot) = match (one, other) {
        (None, None) => return None,
        (Some(Target::Sample(sample)), Some(Target::Lot(lot)))
        | (Some(Target::Lot(lot)), Some(Target::Sample(sample))) => (sample, Some(lot)),
        (Some(Target::Sample(sample)), _) | (_, Some(Target::Sample(sample))) => (sample, None),
        (Some(Target::Lot(lot)), _) | (None, Some(Target::Lot(lot))) => {
            return Some(Some((Target::Lot(lot), MatchedBy::Number)));
        }
    };
    let fits = |lot: Lot| sample.lot.as_ref().is_none_or(|own| *own == lot.id);
    let agrees = lot.is_none_or(fits);
    Some(agrees.then_some((Target::Sample(sample), MatchedBy::Sample)))
}

/// Whose a result can be.
#[derive(Debug, Clone)]
pub enum Target {
    /// A lot.
    Lot(Lot),
    /// A sample, of a lot or of what was not harvested yet.
    Sample(Sampling),
}

impl Target {
    /// Ids of the lot and of the sample.
    pub fn ids(&self) -> (Option<String>, Option<String>) {
        match self {
            Self::Lot(lot) => (Some(lot.id.clone()), None),
            Self::Sample(sample) => (sample.lot.clone(), Some(sample.id.clone())),
        }
    }

    fn sample(&self) -> Option<&Sampling> {
        match self {
            Self::Lot(_) => None,
            Self::Sample(sample) => Some(sample),
        }
    }
}

/// A result as a person enters it.
pub struct Entry {
    /// What was measured.
    pub measurement: Measurement,
    /// Lot.
    pub lot: Option<String>,
    /// Sample; its lot goes before the other.
    pub sampling: Option<String>,
    /// Testing party, where it is told.
    pub laboratory: String,
    /// Objection that it decides; lot and sample are those of the first test.
    pub objection: Option<String>,
}
