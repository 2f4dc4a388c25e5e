//! Collects every bad field of a command, so that a person mends them all at once.

use crate::error::{DomainError, FieldError, Params};
use crate::time::Date;

/// Gathers field errors; [`Check::done`] fails when there are any.
#[derive(Debug, Default)]
pub struct Check(Vec<FieldError>);

impl Check {
    /// Nothing found yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records a bad field.
    pub fn bad(&mut self, field: &str, code: &str) -> &mut Self {
        self.bad_with(field, code, &[])
    }

    /// Records a bad field with values for the message.
    pub fn bad_with(&mut self, field: &str, code: &str, params: &[(&str, &str)]) -> &mut Self {
        let params: Params = params.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        self.0.push(FieldError { field: field.into(), code: code.into(), params });
        self
    }

    /// The text must be present and at most `max_chars` characters, without control characters.
    pub fn text(&mut self, field: &str, value: &str, max_chars: usize) -> &mut Self {
        if value.trim().is_empty() {
            return self.bad(field, "required");
        }
        self.optional_text(field, value, max_chars)
    }

    /// The text may be empty, and is at most `max_chars` characters, without control characters.
    pub fn optional_text(&mut self, field: &str, value: &str, max_chars: usize) -> &mut Self {
        if value.chars().count() > max_chars {
            return self.bad_with(field, "too_long", &[("max", &max_chars.to_string())]);
        }
        if value.chars().any(|c| c.is_control() && c != '\n') {
            return self.bad(field, "control_characters");
        }
        self
    }

    /// Records a bad field unless `ok`.
    pub fn ensure(&mut self, ok: bool, field: &str, code: &str) -> &mut Self {
        if !ok {
            self.bad(field, code);
        }
        self
    }

    /// Fails when any field was bad.
    pub fn done(&mut self) -> Result<(), DomainError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(DomainError::Invalid(std::mem::take(&mut self.0)))
        }
    }
}

impl Check {
    /// A region code: 2 to 12 digits (GB/T 2260 and township, village digits).
    pub fn area(&mut self, field: &str, value: &str) -> &mut Self {
        let ok = (2..=12).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
        self.ensure(ok, field, "bad_region_code")
    }

    /// A day on which something was done: not after `today`, not before the year 2000.
    pub fn day_done(&mut self, field: &str, day: Date, today: Date) -> &mut Self {
        self.ensure(day <= today, field, "in_future").ensure(day.year() >= 2000, field, "bad_date")
    }

    /// A quantity: above zero, below 10^12, at most 3 decimal places.
    pub fn quantity(&mut self, field: &str, value: rust_decimal::Decimal) -> &mut Self {
        use rust_decimal::Decimal;
        let ok = value > Decimal::ZERO
            && value < Decimal::from(1_000_000_000_000_i64)
            && value.normalize().scale() <= 3;
        self.ensure(ok, field, "bad_quantity")
    }
}
