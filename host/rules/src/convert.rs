//! JSON into rhai values, exactly: numbers become integers or decimals, null becomes `()`.

use rhai::{Array, Dynamic, Map};
use rust_decimal::Decimal;
use serde_json::Value;

/// Deepest nesting of an input.
const MAX_DEPTH: usize = 32;
/// Most values in an input.
const MAX_VALUES: usize = 100_000;

/// Why an input cannot be given to a script.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConvertError {
    /// Nested too deep.
    #[error("the input is nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// Too many values.
    #[error("the input has more than {MAX_VALUES} values")]
    TooLarge,
    /// A number neither an integer of 64 bits nor a decimal of 28 digits.
    #[error("the number {0} cannot be held exactly")]
    Number(String),
}

/// Converts an input.
pub fn to_dynamic(value: &Value) -> Result<Dynamic, ConvertError> {
    let mut left = MAX_VALUES;
    convert(value, 0, &mut left)
}

fn convert(value: &Value, depth: usize, left: &mut usize) -> Result<Dynamic, ConvertError> {
    if depth > MAX_DEPTH {
        return Err(ConvertError::TooDeep);
    }
    *left = left.checked_sub(1).ok_or(ConvertError::TooLarge)?;
    Ok(match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(flag) => (*flag).into(),
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => Dynamic::from_decimal(decimal(&number.to_string())?),
        },
        Value::Array(items) => {
            let items: Result<Array, _> =
                items.iter().map(|item| convert(item, depth + 1, left)).collect();
            Dynamic::from_array(items?)
        }
        Value::Object(fields) => {
            let mut map = Map::new();
            for (key, inner) in fields {
                map.insert(key.as_str().into(), convert(inner, depth + 1, left)?);
            }
            Dynamic::from_map(map)
        }
    })
}

fn decimal(text: &str) -> Result<Decimal, ConvertError> {
    Decimal::from_str_exact(text)
        .or_else(|_| Decimal::from_scientific(text))
        .map_err(|_| ConvertError::Number(text.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_stay_exact() {
        assert_eq!(to_dynamic(&json!(7)).unwrap().as_int(), Ok(7));
        let decimal = to_dynamic(&json!(49.96)).unwrap().as_decimal().unwrap();
        assert_eq!(decimal.to_string(), "49.96");
        assert!(matches!(to_dynamic(&json!(1e300)), Err(ConvertError::Number(_))));
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let mut deep = json!(1);
        for _ in 0..40 {
            deep = json!([deep]);
        }
        assert_eq!(to_dynamic(&deep).unwrap_err(), ConvertError::TooDeep);
        let wide = Value::Array(vec![Value::Null; MAX_VALUES]);
        assert_eq!(to_dynamic(&wide).unwrap_err(), ConvertError::TooLarge);
    }
}
