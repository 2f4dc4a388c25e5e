//! Judging measurements: what the rule `testing/judge` gets to see, and whose sample it was.

use serde_json::json;
use tianyin_domain::actor::{Actor, Scope};
use tianyin_domain::code::{self, Code, CodeText};
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::device::{Bench, Device};
use tianyin_domain::finding::Judgement;
use tianyin_domain::lot::{self, Lot};
use tianyin_domain::measurement::Measurement;
use tianyin_domain::product::Product;
use tianyin_domain::state::Entity as _;
use tianyin_domain::test::{AssignTest, MatchedBy, Origin, RecordTest, Test};
use tianyin_domain::time::china_date;
use tianyin_domain::{State, Time};

use super::{App, AppError};
use crate::edge::now;

/// A scan on the bench is good for the next results within this time.
const BENCH_SCAN_S_MAX: i64 = 30 * 60;

impl App {
    /// Judges a measurement; the product is known once the lot is.
    pub fn judge(
        &self,
        measurement: &Measurement,
        product: Option<&Product>,
        received_at: Time,
    ) -> Judgement {
        let sampled = measurement.tested_at.unwrap_or(received_at);
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
            "sampled_on": china_date(sampled).to_string(),
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
    pub fn match_lot(
        &self,
        device: &Device,
        measurement: &Measurement,
        received_at: Time,
    ) -> Result<Option<(Lot, MatchedBy)>, AppError> {
        if measurement.blank {
            return Ok(None);
        }
        for text in [&measurement.sample.batch_code, &measurement.sample.no] {
            if let Some(lot) = self.lot_of_text(text, &Scope::everything())? {
                return Ok(Some((lot, MatchedBy::Number)));
            }
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
        Ok(state.get::<Lot>(&bench.lot)?.map(|lot| (lot, MatchedBy::Bench)))
    }

    /// The lot that a text names: a lot number, or a trace code on a label.
    pub fn lot_of_text(&self, text: &str, scope: &Scope) -> Result<Option<Lot>, AppError> {
        let text = text.trim();
        if text.is_empty() || text.len() > 256 {
            return Ok(None);
        }
        let state: &dyn State = &self.store;
        let mut found: Option<Lot> = state.find(lot::BY_NO, &text.to_ascii_uppercase())?;
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
        lot: &str,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let state: &dyn State = &self.store;
        let found: Test = state.require("test", test)?;
        let target: Lot = state.require("lot", lot)?;
        let product: Option<Product> = state.get(&target.product)?;
        let judgement = self.judge(&found.measurement, product.as_ref(), found.received_at);
        let command = AssignTest { test: found.id, lot: target.id, judgement };
        self.submit_keyed(actor, Command::AssignTest(command), idempotency_key).await
    }

    /// A person types a result, for a lot.
    pub async fn enter_test(
        &self,
        actor: &Actor,
        mut measurement: Measurement,
        lot: &str,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let state: &dyn State = &self.store;
        let target: Lot = state.require("lot", lot)?;
        let product: Option<Product> = state.get(&target.product)?;
        let received_at = now();
        measurement.v = 1;
        if measurement.msg_id.is_empty() {
            measurement.msg_id = crate::edge::new_token();
        }
        let judgement = self.judge(&measurement, product.as_ref(), received_at);
        let command = RecordTest {
            device: String::new(),
            message: String::new(),
            origin: Origin::Typed,
            measurement,
            lot: Some((target.id, MatchedBy::Person)),
            judgement,
            received_at,
        };
        self.submit_keyed(actor, Command::RecordTest(Box::new(command)), idempotency_key).await
    }
}
