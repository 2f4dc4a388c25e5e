//! The result in a row of a laboratory's sheet: value, qualifier and unit as people write them. Nothing is
//! guessed: what contradicts itself, or could mean two things, is a fault and no result.

use tianyin_domain::Decimal;
use tianyin_domain::measurement::{Qualifier, Value, ValueKind};

use crate::texts::t;

/// Characters of a number, as the domain takes it.
const NUMBER_MAX: usize = 32;
/// Significant digits that a spreadsheet keeps; what it says behind them is noise of its arithmetic.
const DIGITS_MAX: usize = 15;

/// A fault of a cell: its column, and the code of its sentence in the catalogue (`sheet_fault`).
pub type Fault = (&'static str, &'static str);

/// What the cell of the value holds.
enum Content<'a> {
    /// Nothing.
    Nothing,
    /// A word of a qualitative result, as the API has it.
    Word(&'static str),
    /// Below a limit, without a number.
    Below(Qualifier),
    /// A sign, if there is one, and what should be a number.
    Number(Option<Qualifier>, &'a str),
}

/// The result of a row. A unit of `%` makes it an inhibition rate in percent, a word a qualitative result;
/// everything else is a concentration in the unit of the row.
///
/// # Errors
/// The column at fault, with a code.
pub fn value_of(value: &str, qualifier: &str, unit: &str) -> Result<Value, Fault> {
    let cell = plain(value);
    let unit = squeezed(&plain(unit));
    let said = qualifier_of(&plain(qualifier))?;
    match content(&cell) {
        Content::Nothing => match said {
            Some(op) if op.stands_alone() => below(op, unit),
            _ => Err(("value", "required")),
        },
        Content::Below(op) if said.is_none_or(|said| said == op) => below(op, unit),
        Content::Word(word) if said.is_none_or(|said| said == Qualifier::Equal) => Ok(Value {
            num: word.to_owned(),
            unit,
            kind: ValueKind::Qualitative,
            op: Qualifier::Equal,
        }),
        Content::Number(own, text) => number(text, sign(own, said)?, unit),
        Content::Below(_) | Content::Word(_) => Err(("qualifier", "signs_differ")),
    }
}

/// A decimal number as it was written; `None` for what is none, such as `1e-3`, `1,000` and `.5`. More than
/// 15 significant digits are rounded to 15: they come from the arithmetic of a spreadsheet
/// (`0.30000000000000004`).
pub fn decimal_of(text: &str) -> Option<String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(part) {
        return None;
    }
    let number: Decimal = text.parse().ok()?;
    let significant = digits.bytes().filter(u8::is_ascii_digit).skip_while(|b| *b == b'0').count();
    let told = match significant > DIGITS_MAX {
        true => number.round_sf(15)?.normalize().to_string(),
        false => text.to_owned(),
    };
    Some(told).filter(|text| text.len() <= NUMBER_MAX)
}

/// Full-width signs, digits and letters as the plain ones, and nothing around them: `＜ ０．０１` is `< 0.01`.
pub fn plain(text: &str) -> String {
    let half = |c: char| match c {
        '\u{FF01}'..='\u{FF5E}' => {
            u32::from(c).checked_sub(0xFEE0).and_then(char::from_u32).unwrap_or(c)
        }
        // The brackets that an input method offers for the signs, and the two other minus signs.
        '\u{3008}' => '<',
        '\u{3009}' => '>',
        '\u{2212}' | '\u{2013}' => '-',
        c => c,
    };
    // Without what cannot be seen: a byte-order mark, a blank of no width.
    let seen = text.chars().filter(|c| !matches!(c, '\u{FEFF}' | '\u{200B}'));
    seen.map(half).collect::<String>().trim().to_owned()
}

/// The same without blanks inside.
pub fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Whether a text is one of the words that the catalogue lists under a key.
fn is_one_of(text: &str, key: &str) -> bool {
    let text = squeezed(text);
    t(key).split(' ').any(|word| word.eq_ignore_ascii_case(&text))
}

fn content(cell: &str) -> Content<'_> {
    if cell.is_empty() {
        return Content::Nothing;
    }
    for (key, word) in [
        ("result_cell.negative", "negative"),
        ("result_cell.positive", "positive"),
        ("result_cell.invalid", "invalid"),
    ] {
        if is_one_of(cell, key) {
            return Content::Word(word);
        }
    }
    if let Some(op) = below_word(cell) {
        return Content::Below(op);
    }
    let signs = [('<', Qualifier::Less), ('>', Qualifier::Greater), ('=', Qualifier::Equal)];
    for (sign, op) in signs {
        if let Some(rest) = cell.strip_prefix(sign) {
            return Content::Number(Some(op), rest.trim_start());
        }
    }
    Content::Number(None, cell)
}

fn below_word(text: &str) -> Option<Qualifier> {
    if is_one_of(text, "result_cell.not_detected") {
        return Some(Qualifier::NotDetected);
    }
    is_one_of(text, "result_cell.below_quantification").then_some(Qualifier::BelowQuantification)
}

/// The cell of the qualifier; `None` when it is empty.
fn qualifier_of(text: &str) -> Result<Option<Qualifier>, Fault> {
    match text {
        "" => Ok(None),
        "=" => Ok(Some(Qualifier::Equal)),
        "<" => Ok(Some(Qualifier::Less)),
        ">" => Ok(Some(Qualifier::Greater)),
        text => below_word(text).map(Some).ok_or(("qualifier", "unknown_sign")),
    }
}

/// The sign of a number: the qualifier's, else the value's own; both must say the same.
fn sign(own: Option<Qualifier>, said: Option<Qualifier>) -> Result<Qualifier, Fault> {
    match (own, said) {
        (_, Some(said)) if said.stands_alone() => Err(("value", "number_of_nothing")),
        (Some(own), Some(said)) if own != said => Err(("qualifier", "signs_differ")),
        (own, said) => Ok(said.or(own).unwrap_or_default()),
    }
}

/// Below a limit. An inhibition rate has a number, or a word.
fn below(op: Qualifier, unit: String) -> Result<Value, Fault> {
    match unit == "%" {
        true => Err(("value", "no_rate")),
        false => Ok(Value { num: String::new(), unit, kind: ValueKind::Concentration, op }),
    }
}

fn number(text: &str, op: Qualifier, unit: String) -> Result<Value, Fault> {
    // A spreadsheet writes a cell of percent as `12.3%` when it saves CSV.
    let (text, unit) = match text.strip_suffix('%') {
        Some(rate) if unit.is_empty() || unit == "%" => (rate.trim_end(), "%".to_owned()),
        _ => (text, unit),
    };
    let num = decimal_of(text).ok_or(("value", "no_result"))?;
    let kind = match unit.as_str() {
        "" => return Err(("unit", "unit_required")),
        "%" => ValueKind::InhibitionRate,
        _ if num.starts_with('-') => return Err(("value", "negative")),
        _ => ValueKind::Concentration,
    };
    Ok(Value { num, unit, kind, op })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Told = Result<(String, Qualifier, ValueKind, String), Fault>;

    fn told(value: &str, qualifier: &str, unit: &str) -> Told {
        value_of(value, qualifier, unit).map(|one| (one.num, one.op, one.kind, one.unit))
    }

    fn good(num: &str, op: Qualifier, kind: ValueKind, unit: &str) -> Told {
        Ok((num.to_owned(), op, kind, unit.to_owned()))
    }

    #[test]
    fn numbers_are_kept_as_they_were_written() {
        use Qualifier::{Equal, Greater, Less};
        use ValueKind::{Concentration, InhibitionRate};
        for (cells, num, op) in [
            (["0.05", "", "mg/kg"], "0.05", Equal),
            (["0.050", "", "mg/kg"], "0.050", Equal),
            (["0", "", "mg/kg"], "0", Equal),
            (["12", "=", "mg/kg"], "12", Equal),
            (["=0.05", "", "mg/kg"], "0.05", Equal),
            (["<0.01", "", "mg/kg"], "0.01", Less),
            (["< 0.01", "", "mg/kg"], "0.01", Less),
            (["\u{FF1C}0.01", "", "mg/kg"], "0.01", Less),
            ([" \u{FF1C}\u{3000}０．０１ ", "", "ｍｇ／ｋｇ"], "0.01", Less),
            (["〈0.01", "", "mg/kg"], "0.01", Less),
            (["<0.01", "<", "mg/kg"], "0.01", Less),
            (["0.01", "＜", "mg / kg"], "0.01", Less),
            ([">2", "", "mg/kg"], "2", Greater),
            (["＞２", "", "mg/kg"], "2", Greater),
            (["2", ">", "mg/kg"], "2", Greater),
            (["\u{FEFF}0.05\u{200B}", "", "mg/kg"], "0.05", Equal),
            (["\u{A0}0.05\u{A0}", "", "mg/kg"], "0.05", Equal),
            (["0.30000000000000004", "", "mg/kg"], "0.3", Equal),
            (["0.21000000000000002", "", "mg/kg"], "0.21", Equal),
            (["0.0000001", "", "mg/kg"], "0.0000001", Equal),
        ] {
            let [value, qualifier, unit] = cells;
            let expected = good(num, op, Concentration, "mg/kg");
            assert_eq!(told(value, qualifier, unit), expected, "{cells:?}");
        }
        for (cells, num, op) in [
            (["16.54", "", "%"], "16.54", Equal),
            (["16.54", "", "％"], "16.54", Equal),
            (["16.54%", "", ""], "16.54", Equal),
            (["16.54 ％", "", "%"], "16.54", Equal),
            (["-3.2", "", "%"], "-3.2", Equal),
            (["\u{2212}3.2", "", "%"], "-3.2", Equal),
            (["<10", "", "%"], "10", Less),
        ] {
            let [value, qualifier, unit] = cells;
            assert_eq!(
                told(value, qualifier, unit),
                good(num, op, InhibitionRate, "%"),
                "{cells:?}"
            );
        }
    }

    #[test]
    fn words_stand_for_themselves() {
        use Qualifier::{BelowQuantification, Equal, NotDetected};
        use ValueKind::{Concentration, Qualitative};
        for text in
            ["未检出", "未 检出", "ND", "nd", "N.D.", "ＮＤ", "<LOD", "＜ lod", "低于检出限"]
        {
            let expected = good("", NotDetected, Concentration, "mg/kg");
            assert_eq!(told(text, "", "mg/kg"), expected, "{text}");
            assert_eq!(told("", text, "mg/kg"), expected, "{text}");
            assert_eq!(told(text, "ND", "mg/kg"), expected, "{text}");
        }
        for text in ["<LOQ", "< LOQ", "＜LOQ", "<loq", "低于定量限"] {
            let expected = good("", BelowQuantification, Concentration, "");
            assert_eq!(told(text, "", ""), expected, "{text}");
            assert_eq!(told("", text, ""), expected, "{text}");
        }
        for (text, word) in [
            ("阴性", "negative"),
            ("阴性（-）", "negative"),
            ("negative", "negative"),
            ("阳性", "positive"),
            ("阳 性", "positive"),
            ("Positive", "positive"),
            ("无效", "invalid"),
        ] {
            assert_eq!(told(text, "", ""), good(word, Equal, Qualitative, ""), "{text}");
            assert_eq!(told(text, "=", ""), good(word, Equal, Qualitative, ""), "{text}");
        }
    }

    #[test]
    fn what_is_doubtful_is_no_result() {
        for (cells, fault) in [
            (["", "", "mg/kg"], ("value", "required")),
            (["", "<", "mg/kg"], ("value", "required")),
            ([" \u{3000} ", "=", "mg/kg"], ("value", "required")),
            (["0.05", "", ""], ("unit", "unit_required")),
            (["<0.01", "", " "], ("unit", "unit_required")),
            (["0.05mg/kg", "", ""], ("value", "no_result")),
            (["0.05mg/kg", "", "mg/kg"], ("value", "no_result")),
            (["1e-3", "", "mg/kg"], ("value", "no_result")),
            (["1E3", "", "mg/kg"], ("value", "no_result")),
            (["1,000", "", "mg/kg"], ("value", "no_result")),
            (["0，05", "", "mg/kg"], ("value", "no_result")),
            (["0.05.1", "", "mg/kg"], ("value", "no_result")),
            ([".5", "", "mg/kg"], ("value", "no_result")),
            (["5.", "", "mg/kg"], ("value", "no_result")),
            (["1 2", "", "mg/kg"], ("value", "no_result")),
            (["+0.05", "", "mg/kg"], ("value", "no_result")),
            (["0.01~0.02", "", "mg/kg"], ("value", "no_result")),
            (["≤0.01", "", "mg/kg"], ("value", "no_result")),
            (["<<0.01", "", "mg/kg"], ("value", "no_result")),
            (["<", "", "mg/kg"], ("value", "no_result")),
            (["-", "", "mg/kg"], ("value", "no_result")),
            (["/", "", "mg/kg"], ("value", "no_result")),
            (["合格", "", "mg/kg"], ("value", "no_result")),
            (["LOQ", "<", "mg/kg"], ("value", "no_result")),
            (["未检出(<0.01)", "", "mg/kg"], ("value", "no_result")),
            (["NaN", "", "mg/kg"], ("value", "no_result")),
            (["12%", "", "mg/kg"], ("value", "no_result")),
            (["-0.05", "", "mg/kg"], ("value", "negative")),
            (["<-1", "", "mg/kg"], ("value", "negative")),
            (["0.05", "ND", "mg/kg"], ("value", "number_of_nothing")),
            (["0.05", "<LOQ", "mg/kg"], ("value", "number_of_nothing")),
            (["<0.05", ">", "mg/kg"], ("qualifier", "signs_differ")),
            (["<0.05", "=", "mg/kg"], ("qualifier", "signs_differ")),
            (["未检出", "<", "mg/kg"], ("qualifier", "signs_differ")),
            (["ND", "<LOQ", "mg/kg"], ("qualifier", "signs_differ")),
            (["阴性", "<", ""], ("qualifier", "signs_differ")),
            (["阴性", "ND", ""], ("qualifier", "signs_differ")),
            (["0.05", "≤", "mg/kg"], ("qualifier", "unknown_sign")),
            (["0.05", "约", "mg/kg"], ("qualifier", "unknown_sign")),
            (["未检出", "", "%"], ("value", "no_rate")),
        ] {
            let [value, qualifier, unit] = cells;
            assert_eq!(told(value, qualifier, unit), Err(fault), "{cells:?}");
        }
        assert_eq!(decimal_of(&"9".repeat(40)), None);
    }
}
