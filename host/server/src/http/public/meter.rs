//! A measured value against the limit it was judged by, drawn.

use serde::Serialize;
use tianyin_domain::Decimal;
use tianyin_domain::measurement::{Value, ValueKind};
use tianyin_domain::test::Test;

use crate::app::App;

/// Width of the drawing in its own units.
const WIDTH: u32 = 320;

/// The limit of a verdict that rests on one number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// Number.
    pub num: Decimal,
    /// Unit.
    pub unit: String,
    /// Standard it comes from.
    pub source: String,
}

impl Limit {
    /// The limit a test was judged by. Only inhibition rates have one that the shipped tables hold;
    /// when the table has changed since, nothing is drawn rather than another limit.
    pub fn of(app: &App, test: &Test) -> Option<Self> {
        let m = &test.measurement;
        let same_table = app.rules.revision(&test.judgement.rule) == Some(&test.judgement.revision);
        if m.value.kind != ValueKind::InhibitionRate || !same_table {
            return None;
        }
        let methods = app.rules.methods()?;
        let known = methods.standard("enzyme_inhibition", &m.limit.basis);
        let standard = known.or_else(|| methods.standard("enzyme_inhibition", ""))?;
        Some(Self {
            num: standard.positive_from.normalize(),
            unit: "%".into(),
            source: standard.id.clone(),
        })
    }
}

/// Positions of value and limit on a bar, in units of [`Meter::width`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meter {
    /// Position of the value.
    pub value_x: u32,
    /// Position of the limit.
    pub limit_x: u32,
}

impl Meter {
    /// The limit stands in the middle; what is beyond twice the limit stands at the end.
    pub fn of(value: &Value, limit: &Limit) -> Option<Self> {
        let number = value.decimal()?;
        if limit.num <= Decimal::ZERO {
            return None;
        }
        let limit_x = WIDTH / 2;
        let share = number.checked_div(limit.num)?.clamp(Decimal::ZERO, Decimal::TWO);
        let x = (share * Decimal::from(limit_x)).round();
        let value_x = u32::try_from(x).unwrap_or(limit_x);
        // A value that is not at the limit must not be drawn on it.
        let value_x = match number.cmp(&limit.num) {
            std::cmp::Ordering::Less => value_x.min(limit_x - 4),
            std::cmp::Ordering::Equal => limit_x,
            std::cmp::Ordering::Greater => value_x.max(limit_x + 4),
        };
        Some(Self { value_x: value_x.clamp(3, WIDTH - 3), limit_x })
    }

    /// Width of the drawing.
    pub fn width(&self) -> u32 {
        WIDTH
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(num: &str) -> Option<u32> {
        let limit = Limit { num: 50.into(), unit: "%".into(), source: String::new() };
        let value = Value {
            num: num.into(),
            unit: "%".into(),
            kind: ValueKind::InhibitionRate,
            op: tianyin_domain::measurement::Qualifier::Equal,
        };
        Meter::of(&value, &limit).map(|m| m.value_x)
    }

    #[test]
    fn where_values_stand() {
        assert_eq!(at("16.54"), Some(53));
        assert_eq!(at("50"), Some(160));
        // A hair below the limit is left of it, a hair above right of it.
        assert_eq!(at("49.96"), Some(156));
        assert_eq!(at("50.04"), Some(164));
        assert_eq!(at("-3"), Some(3));
        assert_eq!(at("100"), Some(317));
        assert_eq!(at("1000000000000"), Some(317));
        assert_eq!(at(""), None);
        assert_eq!(at("negative"), None);
    }
}
