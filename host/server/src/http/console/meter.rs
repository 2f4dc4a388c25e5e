//! A measured value drawn against its limit.

use askama::Template;
use tianyin_domain::Decimal;
use tianyin_domain::measurement::{Measurement, Qualifier, ValueKind};
use tianyin_domain::test::{Test, TestVerdict};

use super::filters;
use crate::app::App;
use crate::http::public::meter::Limit;
use crate::texts::t;

/// Width of the drawing.
const WIDTH: i64 = 200;

/// The drawing, and the value in words.
#[derive(Debug, Clone, Template)]
#[template(path = "_meter.html")]
pub struct Meter {
    /// The value with qualifier and unit.
    pub value: String,
    limit: String,
    bar: Option<Bar>,
    bad: bool,
}

impl askama::filters::HtmlSafe for Meter {}

#[derive(Debug, Clone)]
struct Bar {
    value_x: i64,
    limit_x: i64,
}

impl Meter {
    /// The drawing for a test; without a number or limit only the words.
    pub fn of(app: &App, test: &Test) -> Self {
        let m = &test.measurement;
        let limit = Limit::of(app, test).map(|l| l.num).filter(|l| *l > Decimal::ZERO);
        let bar = match (m.value.decimal(), limit) {
            (Some(value), Some(limit)) => bar(value, limit, m.value.kind),
            _ => None,
        };
        Self {
            value: value_text(m),
            limit: limit.map(|l| format!("{} %", l.normalize())).unwrap_or_default(),
            bar,
            bad: test.verdict == TestVerdict::Fail,
        }
    }
}

/// The value as people read it: `< 0.05 mg/kg`, or a word.
pub fn value_text(m: &Measurement) -> String {
    if m.value.kind == ValueKind::Qualitative {
        let key = format!("qualitative.{}", m.value.num);
        let known = crate::texts::has(&key);
        return if known { crate::texts::t(&key).to_owned() } else { m.value.num.clone() };
    }
    if m.value.op.stands_alone() {
        return below_text(m);
    }
    let sign = match m.value.op {
        Qualifier::Equal => "",
        Qualifier::Less => "< ",
        Qualifier::Greater => "> ",
        Qualifier::NotDetected | Qualifier::BelowQuantification => "",
    };
    format!("{sign}{} {}", m.value.num, m.value.unit).trim().to_owned()
}

/// What lies below a limit of the run, with that limit: `未检出(检出限 0.01 mg/kg)`.
fn below_text(m: &Measurement) -> String {
    let (word, bound, named) = match m.value.op {
        Qualifier::NotDetected => (t("qualifier.not_detected"), &m.lod, t("facts.lod")),
        _ => (t("qualifier.below_quantification"), &m.loq, t("facts.loq")),
    };
    if bound.is_empty() {
        return word.to_owned();
    }
    format!("{word}({named} {bound} {})", m.value.unit)
}

fn bar(value: Decimal, limit: Decimal, kind: ValueKind) -> Option<Bar> {
    let end = match kind {
        ValueKind::InhibitionRate => Decimal::ONE_HUNDRED,
        _ => limit.checked_mul(Decimal::TWO)?,
    };
    let x = |n: Decimal| -> Option<i64> {
        let x = n.checked_mul(Decimal::from(WIDTH))?.checked_div(end)?.round();
        i64::try_from(x).ok().map(|x| x.clamp(1, WIDTH - 1))
    };
    Some(Bar { value_x: x(value)?, limit_x: x(limit)? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_mark_stands_where_the_value_is() {
        let dec = |text: &str| text.parse::<Decimal>().unwrap();
        let at = |value, limit, kind| {
            let bar = bar(dec(value), dec(limit), kind).unwrap();
            (bar.value_x, bar.limit_x)
        };
        assert_eq!(at("16.5", "50", ValueKind::InhibitionRate), (33, 100));
        assert_eq!(at("-3", "50", ValueKind::InhibitionRate), (1, 100));
        assert_eq!(at("250", "50", ValueKind::InhibitionRate), (199, 100));
        assert_eq!(at("0.05", "0.2", ValueKind::Concentration), (25, 100));
        assert!(bar(Decimal::MAX, Decimal::MAX, ValueKind::Concentration).is_none());
    }
}
