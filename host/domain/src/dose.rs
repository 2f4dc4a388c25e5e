//! Doses as labels and growers write them, such as `30-40毫升/亩`, `每亩 30 克` or `1000倍液`: read as far as
//! two of them can be compared, so that an overdose is noticed (law art 29: 不得超剂量). What cannot be
//! read, or is told in another measure, is not judged.

use rust_decimal::Decimal;

/// What a dose is measured in; doses of the same measure can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Millilitres a mu.
    MlPerMu,
    /// Grams a mu.
    GramsPerMu,
    /// Times diluted: the more, the weaker.
    Dilution,
    /// Milligrams a kilogram of body or feed weight, or a litre of water.
    MgPerKg,
    /// Millilitres, with nothing told that it is spread over.
    Ml,
    /// Grams, with nothing told that they are spread over.
    Grams,
}

/// A range of doses, in the unit of its measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dose {
    /// Lowest number.
    pub low: Decimal,
    /// Highest number.
    pub high: Decimal,
    /// Measure.
    pub measure: Measure,
}

impl Dose {
    /// Reads a dose; `None` for what is not one number or one range with a known unit.
    pub fn parse(text: &str) -> Option<Self> {
        let text: String = plain(text);
        let (rest, low, high) = numbers(&text)?;
        let (measure, factor) = unit(&rest)?;
        let (low, high) = (low.checked_mul(factor)?, high.checked_mul(factor)?);
        (low > Decimal::ZERO && low <= high).then_some(Self { low, high, measure })
    }

    /// Whether this is more than a label allows; `None` when they are told in different measures.
    pub fn exceeds(&self, label: &Self) -> Option<bool> {
        (self.measure == label.measure).then(|| match self.measure {
            // 800 times is stronger than 1000 times.
            Measure::Dilution => self.low < label.low,
            _ => self.high > label.high,
        })
    }
}

/// Half width, lower case, without blanks and words that only introduce.
fn plain(text: &str) -> String {
    let text = crate::identity::normalise(text).to_lowercase();
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    ["制剂", "用量", "剂量", "约", ":"].iter().fold(text, |text, word| text.replace(word, ""))
}

/// The one number or range of a text, and the text without it.
fn numbers(text: &str) -> Option<(String, Decimal, Decimal)> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let start = text.find(is_number)?;
    let (before, from) = text.split_at(start);
    let split = |text: &str| {
        let end = text.find(|c| !is_number(c)).unwrap_or(text.len());
        let (number, rest) = text.split_at(end);
        number.parse::<Decimal>().ok().map(|number| (number, rest.to_owned()))
    };
    let (low, rest) = split(from)?;
    let dashed =
        ["--", "—", "–", "-", "~", "～", "至"].iter().find_map(|dash| rest.strip_prefix(dash));
    let (high, rest) = match dashed {
        Some(after) => split(after)?,
        None => (low, rest),
    };
    (!rest.contains(is_number)).then(|| (format!("{before}|{rest}"), low, high))
}

/// Measure of what stands around the number, and what the number is to be multiplied by.
fn unit(around: &str) -> Option<(Measure, Decimal)> {
    let (before, after) = around.split_once('|')?;
    if matches!(after, "倍" | "倍液" | "倍稀释" | "倍稀释液") {
        return Some((Measure::Dilution, Decimal::ONE));
    }
    if matches!(after, "毫克/千克" | "毫克/公斤" | "mg/kg" | "毫克/升" | "mg/l" | "ppm")
        || (matches!(before, "每千克体重" | "每公斤体重") && matches!(after, "毫克" | "mg"))
    {
        return Some((Measure::MgPerKg, Decimal::ONE));
    }
    let (amount, per) = match (before, after.split_once('/')) {
        ("", Some((amount, per))) => (amount, per),
        ("每亩" | "亩用" | "每667平方米", None) => (after, "亩"),
        ("", None) => (after, ""),
        _ => return None,
    };
    let (is_volume, factor) = match amount {
        "毫升" | "ml" => (true, 1),
        "升" | "l" => (true, 1000),
        "克" | "g" => (false, 1),
        "千克" | "公斤" | "kg" => (false, 1000),
        _ => return None,
    };
    let (measure, divisor) = match (per, is_volume) {
        ("亩" | "667平方米" | "667m2", true) => (Measure::MlPerMu, Decimal::ONE),
        ("亩" | "667平方米" | "667m2", false) => (Measure::GramsPerMu, Decimal::ONE),
        // One hectare is 15 mu.
        ("公顷" | "ha" | "hm2", true) => (Measure::MlPerMu, Decimal::from(15)),
        ("公顷" | "ha" | "hm2", false) => (Measure::GramsPerMu, Decimal::from(15)),
        ("", true) => (Measure::Ml, Decimal::ONE),
        ("", false) => (Measure::Grams, Decimal::ONE),
        _ => return None,
    };
    Decimal::from(factor).checked_div(divisor).map(|factor| (measure, factor))
}
