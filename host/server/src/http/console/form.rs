//! Forms: the values as entered, what is wrong with each, and how a field is drawn.
//!
//! A form that was refused comes back with everything the person typed and with every field's error
//! beside the field. Reading a value records what is wrong, so that all faults show at once.

use serde::de::DeserializeOwned;
use tianyin_domain::time::{china_minute, from_china};
use tianyin_domain::{Date, Decimal, DomainError, Time};

use super::error::ConsoleError;
pub use super::field::{Choice, Field};
use crate::app::{AppError, field_text};
use crate::texts::{has, t, tf};

/// A form: values, errors, summary.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// Put before the ids of fields, where a page has several forms.
    name: &'static str,
    /// What the form is about: picks labels such as the operator's name.
    noun: &'static str,
    values: Vec<(String, String)>,
    errors: Vec<(String, String)>,
    /// Why it was refused, in one sentence.
    pub summary: Option<String>,
}

impl Form {
    /// An empty form.
    pub fn named(name: &'static str) -> Self {
        Self { name, noun: name, ..Self::default() }
    }

    /// A form with values to begin with.
    pub fn with(name: &'static str, values: &[(&str, &str)]) -> Self {
        let values = values.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Self { name, noun: name, values, ..Self::default() }
    }

    /// The values of a request.
    pub fn sent(values: Vec<(String, String)>) -> Self {
        Self { values, ..Self::default() }
    }

    /// The same form under a name, for its page.
    pub fn called(mut self, name: &'static str) -> Self {
        self.name = name;
        self.noun = name;
        self
    }

    /// Says what the form is about, for its labels.
    pub fn of(mut self, noun: &'static str) -> Self {
        self.noun = noun;
        self
    }

    /// The value of a field, trimmed; empty when it was not sent.
    pub fn get(&self, field: &str) -> &str {
        self.values.iter().find(|(k, _)| k == field).map_or("", |(_, v)| v.trim())
    }

    /// The value as it was sent, for passwords.
    pub fn raw(&self, field: &str) -> &str {
        self.values.iter().find(|(k, _)| k == field).map_or("", |(_, v)| v)
    }

    /// The value, unless empty.
    pub fn optional(&self, field: &str) -> Option<String> {
        Some(self.get(field)).filter(|v| !v.is_empty()).map(str::to_owned)
    }

    /// Every field as it was sent.
    pub fn values(&self) -> impl Iterator<Item = &(String, String)> {
        self.values.iter()
    }

    /// Every value of a field that may be ticked more than once.
    pub fn all<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(k, _)| k == field).map(|(_, v)| v.trim())
    }

    /// Sets a value.
    pub fn set(&mut self, field: &str, value: impl Into<String>) {
        self.values.retain(|(k, _)| k != field);
        self.values.push((field.into(), value.into()));
    }

    /// A box that is ticked or not.
    pub fn ticked(&self, field: &str) -> bool {
        !self.get(field).is_empty()
    }

    /// The key that makes a repeated press of the button one act.
    pub fn once(&self) -> Option<String> {
        self.optional("once")
    }
}

/// Reading with errors recorded.
impl Form {
    /// Records an error of the catalogue's table `field`.
    pub fn bad(&mut self, field: &str, code: &str) {
        self.bad_text(field, t(&format!("field.{code}")));
    }

    /// Records an error in words.
    pub fn bad_text(&mut self, field: &str, text: impl Into<String>) {
        if self.error(field).is_none() {
            self.errors.push((field.into(), text.into()));
        }
    }

    /// Whether nothing is wrong so far.
    pub fn is_good(&self) -> bool {
        self.errors.is_empty()
    }

    /// A text that must be there.
    pub fn text_of(&mut self, field: &str) -> String {
        let value = self.get(field).to_owned();
        if value.is_empty() {
            self.bad(field, "required");
        }
        value
    }

    /// A choice that must be made, from the words of an enumeration.
    pub fn choice_of<T: DeserializeOwned>(&mut self, field: &str) -> Option<T> {
        let word = self.text_of(field);
        let found = serde_json::from_value(serde_json::Value::String(word)).ok();
        if found.is_none() {
            self.bad(field, "bad_choice");
        }
        found
    }

    /// A day that must be there.
    pub fn date_of(&mut self, field: &str) -> Option<Date> {
        let text = self.text_of(field);
        self.parse_date(field, &text)
    }

    /// A day that may be left out.
    pub fn optional_date(&mut self, field: &str) -> Option<Date> {
        let text = self.optional(field)?;
        self.parse_date(field, &text)
    }

    /// An instant that must be there, told as a day and time in China.
    pub fn moment_of(&mut self, field: &str) -> Option<Time> {
        let text = self.text_of(field);
        let moment = text.parse().ok().and_then(from_china);
        if moment.is_none() {
            self.bad(field, "bad_time");
        }
        moment
    }

    /// Sets an instant as [`Form::moment_of`] reads it, to the minute.
    pub fn set_moment(&mut self, field: &str, time: Time) {
        self.set(field, china_minute(time).replacen(' ', "T", 1));
    }

    fn parse_date(&mut self, field: &str, text: &str) -> Option<Date> {
        let date = text.parse().ok();
        if date.is_none() {
            self.bad(field, "bad_date");
        }
        date
    }

    /// A number that must be there.
    pub fn decimal_of(&mut self, field: &str) -> Option<Decimal> {
        let number = self.text_of(field).parse().ok();
        if number.is_none() {
            self.bad(field, "bad_number");
        }
        number
    }

    /// A whole number that must be there.
    pub fn whole_of(&mut self, field: &str) -> Option<u32> {
        let number = self.text_of(field).parse().ok();
        if number.is_none() {
            self.bad(field, "bad_number");
        }
        number
    }

    /// Takes in a refusal that the person can mend; hands on every other error.
    pub fn refused(&mut self, error: AppError) -> Result<(), ConsoleError> {
        match &error {
            AppError::Domain(DomainError::Invalid(fields)) => {
                for field in fields {
                    self.bad_text(&field.field, field_text(field));
                }
                self.summarise();
                Ok(())
            }
            AppError::Domain(DomainError::RuleRefused(_)) => {
                self.summary = Some(t("forms.rule_refused").to_owned());
                Ok(())
            }
            AppError::Domain(DomainError::Forbidden { .. } | DomainError::State(_))
            | AppError::Internal(_) => Err(error.into()),
            _ => {
                self.summary = Some(error.detail());
                Ok(())
            }
        }
    }

    /// Says in one sentence how many fields are wrong.
    pub fn summarise(&mut self) {
        if !self.errors.is_empty() {
            let count = self.errors.len().to_string();
            self.summary = Some(tf("error.invalid_fields", [("count", count.as_str())]));
        }
    }

    /// The error of a field.
    pub fn error(&self, field: &str) -> Option<&str> {
        self.errors.iter().find(|(k, _)| k == field).map(|(_, text)| text.as_str())
    }

    /// Errors with the address of their field, for the summary.
    pub fn faults(&self) -> Vec<Fault> {
        self.errors
            .iter()
            .map(|(field, text)| Fault {
                id: self.id(field),
                label: self.label(field),
                text: text.clone(),
            })
            .collect()
    }

    /// `label.{noun}_{field}` where the catalogue has it, else `label.{field}`.
    fn label(&self, field: &str) -> String {
        // Of a form with lines, the second line's field is named like the first's.
        let line = |c: char| c.is_ascii_digit();
        let field = match field.rsplit_once('_') {
            Some((name, n)) if !n.is_empty() && n.chars().all(line) => name,
            _ => field,
        };
        let keys = [format!("label.{}_{field}", self.noun), format!("label.{field}")];
        let known = keys.iter().find(|key| has(key));
        known.map_or(field, |key| t(key)).to_owned()
    }

    fn id(&self, field: &str) -> String {
        if self.name.is_empty() { format!("f-{field}") } else { format!("{}-{field}", self.name) }
    }
}

/// One line of the summary.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Id of the field.
    pub id: String,
    /// Label of the field.
    pub label: String,
    /// What is wrong.
    pub text: String,
}

/// Drawing.
impl Form {
    /// A line of text.
    pub fn text(&self, field: &str) -> Field {
        self.field(field, "text")
    }

    /// A number; the keyboard of a phone shows digits.
    pub fn number(&self, field: &str) -> Field {
        let mut out = self.field(field, "text");
        out.mode = "decimal";
        out
    }

    /// A day.
    pub fn date(&self, field: &str) -> Field {
        self.field(field, "date")
    }

    /// A day and a time.
    pub fn moment(&self, field: &str) -> Field {
        self.field(field, "datetime-local")
    }

    /// A password, never filled in again.
    pub fn password(&self, field: &str) -> Field {
        let mut out = self.field(field, "password");
        out.value.clear();
        out
    }

    /// Several lines.
    pub fn area(&self, field: &str) -> Field {
        self.field(field, "textarea")
    }

    /// A list to choose from.
    pub fn select(&self, field: &str, choices: &[Choice]) -> Field {
        let mut out = self.field(field, "select");
        out.choices = choices.to_vec();
        out
    }

    /// A box to tick.
    pub fn tick(&self, field: &str) -> Field {
        self.field(field, "checkbox")
    }

    /// Boxes to tick, one per choice.
    pub fn ticks(&self, field: &str, choices: &[Choice]) -> Field {
        let mut out = self.field(field, "ticks");
        out.choices = choices.to_vec();
        for choice in &mut out.choices {
            choice.chosen = self.all(field).any(|v| v == choice.value);
        }
        out
    }

    fn field(&self, field: &str, kind: &'static str) -> Field {
        let mut out = Field::new(self.id(field), field, kind);
        out.label = self.label(field);
        out.value = self.get(field).into();
        out.error = self.error(field).map(str::to_owned);
        out
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tianyin_domain::operator::OperatorKind;

    fn sent(values: &[(&str, &str)]) -> Form {
        Form::sent(values.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect())
    }

    #[test]
    fn every_fault_is_told_and_every_value_kept() {
        let mut form =
            sent(&[("name", " 示例 "), ("kind", "nobody"), ("date", "31.12."), ("n", "x")]);
        form.text_of("name");
        form.text_of("missing");
        assert!(form.choice_of::<OperatorKind>("kind").is_none());
        assert!(form.date_of("date").is_none());
        assert!(form.decimal_of("n").is_none());
        let at_fault: Vec<_> = form.errors.iter().map(|(f, _)| f.as_str()).collect();
        assert_eq!(at_fault, ["missing", "kind", "date", "n"]);
        assert_eq!(form.get("name"), "示例");
        assert_eq!(form.get("date"), "31.12.");
    }

    #[test]
    fn a_field_binds_label_error_and_hint_and_escapes_its_value() {
        let mut form = sent(&[("name", "\"><script>")]);
        form.bad("name", "required");
        let html = form.text("name").required().hint("label.name").to_string();
        assert!(html.contains("for=\"f-name\"") && html.contains("id=\"f-name\""));
        assert!(html.contains("aria-describedby=\"f-name-error f-name-hint\""));
        assert!(html.contains("aria-invalid=\"true\""));
        assert!(!html.contains("<script>"));
    }

    #[test]
    fn labels_fit_the_noun_in_the_field_and_in_the_summary() {
        let mut form = sent(&[]).of("operator");
        form.text_of("name");
        assert_eq!(form.faults()[0].label, t("label.operator_name"));
        assert!(form.text("name").to_string().contains(t("label.operator_name")));
        assert_eq!(form.label("uscc"), t("label.uscc"));
    }

    #[test]
    fn a_password_is_never_sent_back() {
        let html = sent(&[("password", "secret-9")]).password("password").to_string();
        assert!(!html.contains("secret-9"));
    }

    #[test]
    fn ticked_boxes_stay_ticked() {
        let form = sent(&[("basis", "a"), ("basis", "c")]);
        let choices = ["a", "b", "c"].map(|v| Choice::new(v, v));
        let field = form.ticks("basis", &choices);
        let chosen: Vec<_> = field.choices.iter().map(|c| c.chosen).collect();
        assert_eq!(chosen, [true, false, true]);
    }
}
