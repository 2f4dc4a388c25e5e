//! Shapes of bodies and answers. One table per shape does three things: it is written into the
//! OpenAPI document, it checks what comes in and names every bad field, and it decides what of a
//! record goes out. A field that is not in the table is not accepted and not shown.

use serde_json::{Map, Value};
use tianyin_domain::position::Position;
use tianyin_domain::{Date, Decimal, Time};

use crate::http::problem::FieldProblem;
use crate::texts::{t, tf};

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Text.
    Text,
    /// Text of so many characters, without control characters but line feeds; see [`line`] and [`filled`].
    Chars(usize, usize),
    /// Text that this regular expression (ECMA-262) fits; the domain refuses other text in its own words.
    Formed(&'static str),
    /// A point on the ground: `longitude,latitude` in degrees.
    Position,
    /// Whole number.
    Integer,
    /// Whole number from the first to the second; who takes it refuses others in its own words.
    Whole(i64, i64),
    /// `true` or `false`.
    Boolean,
    /// Decimal number as a string: binary floats would change it.
    Decimal,
    /// Decimal above zero, below 10^12, with at most three places.
    Quantity,
    /// `2026-11-20`.
    Date,
    /// `2026-11-20T08:41:00Z`.
    Time,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list.
    List(&'static Kind),
    /// A list of so many items; the domain refuses others in its own words.
    Few(&'static Kind, usize, usize),
    /// Another shape.
    Object(&'static Schema),
    /// Any JSON.
    Any,
}

/// Text that may be empty.
pub const fn line(max: usize) -> Kind {
    Kind::Chars(0, max)
}

/// Text that is not blank.
pub const fn filled(max: usize) -> Kind {
    Kind::Chars(1, max)
}

/// A region code.
pub const AREA: Kind = Kind::Formed("^[0-9]{2,12}$");
/// A region code, or nothing.
pub const AREA_OR_NONE: Kind = Kind::Formed("^([0-9]{2,12})?$");

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

    /// Takes out the fields that are `null`: the same as absent.
    pub fn without_nulls(&self, value: &mut Value) {
        let Value::Object(given) = value else { return };
        for field in self.fields {
            match given.get_mut(field.name) {
                Some(Value::Null) => drop(given.remove(field.name)),
                Some(value) => field.kind.without_nulls(value),
                None => {}
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
    /// The kind of the items of a list, of lists' too; of anything else, itself.
    pub fn innermost(self) -> Self {
        match self {
            Self::List(inner) | Self::Few(inner, ..) => inner.innermost(),
            other => other,
        }
    }

    fn without_nulls(&self, value: &mut Value) {
        match (self, value) {
            (Self::Object(schema), value) => schema.without_nulls(value),
            (Self::List(kind) | Self::Few(kind, ..), Value::Array(items)) => {
                items.iter_mut().for_each(|item| kind.without_nulls(item));
            }
            _ => {}
        }
    }

    /// Adds every fault of `value` to `faults`, named by `path`.
    pub(super) fn check_value(&self, path: &str, value: &Value, faults: &mut Vec<FieldProblem>) {
        let text = value.as_str();
        let (good, word) = match self {
            Self::Chars(min, max) if text.is_some() => {
                faults.extend(fault_of_text(path, text.unwrap_or_default(), *min, *max));
                return;
            }
            Self::Text | Self::Chars(..) | Self::Formed(_) => (text.is_some(), "text"),
            Self::Position => (text.is_some_and(|t| t.parse::<Position>().is_ok()), "position"),
            Self::Integer | Self::Whole(..) => (value.is_i64() || value.is_u64(), "integer"),
            Self::Boolean => (value.is_boolean(), "boolean"),
            Self::Decimal | Self::Quantity => {
                (text.is_some_and(|t| t.parse::<Decimal>().is_ok()), "decimal")
            }
            // The parser would take a time for its day.
            Self::Date => {
                (text.is_some_and(|t| t.len() == 10 && t.parse::<Date>().is_ok()), "date")
            }
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
            Self::List(kind) | Self::Few(kind, ..) => {
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
            (Self::List(kind) | Self::Few(kind, ..), Value::Array(items)) => {
                Value::Array(items.iter().map(|item| kind.show(item)).collect())
            }
            _ => value.clone(),
        }
    }
}

/// What the domain says about texts, said of all of them before it is asked.
fn fault_of_text(path: &str, text: &str, min: usize, max: usize) -> Option<FieldProblem> {
    if min > 0 && text.trim().is_empty() {
        return Some(FieldProblem::new(path, "required", &[]));
    }
    if text.chars().count() > max {
        return Some(FieldProblem::new(path, "too_long", &[("max", &max.to_string())]));
    }
    let hidden = text.chars().any(|c| c.is_control() && c != '\n');
    hidden.then(|| FieldProblem::new(path, "control_characters", &[]))
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
            opt("note", line(3), ""),
            opt("why", filled(3), ""),
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
        assert_eq!(
            faults(json!({"name": "", "note": "", "why": "一二三", "on": "2026-02-28"})),
            []
        );
        let bad = json!({"name": "x", "note": "a\tb", "why": " ", "on": "2026-02-28T00:00:00"});
        assert_eq!(
            faults(bad),
            [
                fault("on", "wrong_type"),
                fault("note", "control_characters"),
                fault("why", "required"),
            ]
        );
        assert_eq!(faults(json!({"name": "x", "note": "一二三四"})), [fault("note", "too_long")]);
    }

    #[test]
    fn null_is_absent_at_every_depth() {
        let mut value = json!({"name": "x", "on": null, "z": null, "parts": [{"num": null}, null]});
        OUTER.without_nulls(&mut value);
        assert_eq!(value, json!({"name": "x", "z": null, "parts": [{}, null]}));
    }

    #[test]
    fn what_is_not_in_the_table_does_not_go_out() {
        let record = json!({"name": "x", "secret": "s", "parts": [{"num": "1", "secret": "s"}]});
        assert_eq!(OUTER.show(&record), json!({"name": "x", "parts": [{"num": "1"}]}));
    }
}
