//! Shapes of bodies and answers. One table per shape does three things: it is written into the
//! OpenAPI document, it checks what comes in and names every bad field, and it decides what of a
//! record goes out. A field that is not in the table is not accepted and not shown.

use serde_json::{Map, Value};
use tianyin_domain::{Date, Decimal, Time};

use crate::http::problem::FieldProblem;
use crate::texts::{t, tf};

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Text.
    Text,
    /// Whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// Decimal number as a string: binary floats would change it.
    Decimal,
    /// `2026-11-20`.
    Date,
    /// `2026-11-20T08:41:00Z`.
    Time,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list.
    List(&'static Kind),
    /// Another shape.
    Object(&'static Schema),
    /// Any JSON.
    Any,
}

/// A field of a shape.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Must be given, or is always there in an answer.
    pub required: bool,
    /// What it means.
    pub about: &'static str,
}

/// A shape: a JSON object.
#[derive(Debug)]
pub struct Schema {
    /// Name in the OpenAPI document.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

/// A field that must be there.
pub const fn req(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: true, about }
}

/// A field that may be absent or `null`.
pub const fn opt(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: false, about }
}

/// A type that is read from a body of this shape.
pub trait Described: serde::de::DeserializeOwned {
    /// Its shape.
    const SCHEMA: Schema;
}

impl Schema {
    /// Adds every fault of `value` to `faults`, fields named by their path.
    pub fn check(&self, value: &Value, faults: &mut Vec<FieldProblem>) {
        self.check_at("", value, faults);
    }

    fn check_at(&self, path: &str, value: &Value, faults: &mut Vec<FieldProblem>) {
        let Value::Object(given) = value else {
            return faults.push(wrong_type(
                if path.is_empty() { "body" } else { path },
                t("json_type.object"),
            ));
        };
        let at =
            |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        for name in given.keys().filter(|name| !self.fields.iter().any(|f| f.name == **name)) {
            let name: String = name.chars().take(64).collect();
            faults.push(FieldProblem::new(&at(&name), "unknown_field", &[]));
        }
        for field in self.fields {
            match given.get(field.name) {
                None | Some(Value::Null) if field.required => {
                    faults.push(FieldProblem::new(&at(field.name), "required", &[]));
                }
                None | Some(Value::Null) => {}
                Some(value) => field.kind.check_value(&at(field.name), value, faults),
            }
        }
    }

    /// The fields of `record` that this shape has.
    pub fn show(&self, record: &Value) -> Value {
        let mut shown = Map::new();
        for field in self.fields {
            match record.get(field.name) {
                None | Some(Value::Null) => {}
                Some(value) => {
                    shown.insert(field.name.to_owned(), field.kind.show(value));
                }
            }
        }
        Value::Object(shown)
    }
}

impl Kind {
    /// Adds every fault of `value` to `faults`, named by `path`.
    pub(super) fn check_value(&self, path: &str, value: &Value, faults: &mut Vec<FieldProblem>) {
        let text = value.as_str();
        let (good, word) = match self {
            Self::Text => (text.is_some(), "text"),
            Self::Integer => (value.is_i64() || value.is_u64(), "integer"),
            Self::Boolean => (value.is_boolean(), "boolean"),
            Self::Decimal => (text.is_some_and(|t| t.parse::<Decimal>().is_ok()), "decimal"),
            Self::Date => (text.is_some_and(|t| t.parse::<Date>().is_ok()), "date"),
            Self::Time => (text.is_some_and(|t| t.parse::<Time>().is_ok()), "time"),
            Self::Any => return,
            Self::Object(schema) => return schema.check_at(path, value, faults),
            Self::Choice(words) => {
                if !text.is_some_and(|t| words.contains(&t)) {
                    let expected = tf("json_type.choice", [("choices", words.join(" ").as_str())]);
                    faults.push(wrong_type(path, &expected));
                }
                return;
            }
            Self::List(kind) => {
                let Value::Array(items) = value else {
                    return faults.push(wrong_type(path, t("json_type.list")));
                };
                for (i, item) in items.iter().enumerate() {
                    kind.check_value(&format!("{path}[{i}]"), item, faults);
                }
                return;
            }
        };
        if !good {
            faults.push(wrong_type(path, t(&format!("json_type.{word}"))));
        }
    }

    fn show(&self, value: &Value) -> Value {
        match (self, value) {
            (Self::Object(schema), Value::Object(_)) => schema.show(value),
            (Self::List(kind), Value::Array(items)) => {
                Value::Array(items.iter().map(|item| kind.show(item)).collect())
            }
            _ => value.clone(),
        }
    }
}

fn wrong_type(path: &str, expected: &str) -> FieldProblem {
    FieldProblem::new(path, "wrong_type", &[("expected", expected)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    static INNER: Schema =
        Schema { name: "Inner", about: "", fields: &[req("num", Kind::Decimal, "")] };
    static OUTER: Schema = Schema {
        name: "Outer",
        about: "",
        fields: &[
            req("name", Kind::Text, ""),
            opt("on", Kind::Date, ""),
            opt("kind", Kind::Choice(&["a", "b"]), ""),
            opt("parts", Kind::List(&Kind::Object(&INNER)), ""),
        ],
    };

    fn faults(value: Value) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        OUTER.check(&value, &mut faults);
        faults.into_iter().map(|f| (f.field, f.code)).collect()
    }

    fn fault(field: &str, code: &str) -> (String, String) {
        (field.into(), code.into())
    }

    #[test]
    fn every_bad_field_is_named() {
        assert_eq!(faults(json!({"name": "x", "on": null, "parts": [{"num": "1.50"}]})), []);
        let bad = json!({"on": "2026-02-30", "kind": "c", "parts": [{"num": 1.5}, {}], "z": 1});
        assert_eq!(
            faults(bad),
            [
                fault("z", "unknown_field"),
                fault("name", "required"),
                fault("on", "wrong_type"),
                fault("kind", "wrong_type"),
                fault("parts[0].num", "wrong_type"),
                fault("parts[1].num", "required"),
            ]
        );
        assert_eq!(faults(json!([1])), [fault("body", "wrong_type")]);
    }

    #[test]
    fn what_is_not_in_the_table_does_not_go_out() {
        let record = json!({"name": "x", "secret": "s", "parts": [{"num": "1", "secret": "s"}]});
        assert_eq!(OUTER.show(&record), json!({"name": "x", "parts": [{"num": "1"}]}));
    }
}
