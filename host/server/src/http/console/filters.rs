//! Filters of the templates: texts of the catalogue, words of enumerations, times, codes, files.

use askama::Values;
use askama::filters::Safe;
use tianyin_domain::interval::Hindrance;
use tianyin_domain::{Decimal, Time, code, time};

use crate::texts;
pub use crate::words::Word;

/// The catalogue's text of a key.
#[askama::filter_fn]
pub fn t(key: &str, _: &dyn Values) -> askama::Result<String> {
    Ok(texts::t(key).to_owned())
}

/// The address of an embedded file.
#[askama::filter_fn]
pub fn asset(path: &str, _: &dyn Values) -> askama::Result<String> {
    Ok(crate::http::assets::url(path).to_owned())
}

/// An icon of the sprite, hidden from screen readers: the text beside it speaks.
#[askama::filter_fn]
pub fn icon(name: &str, _: &dyn Values) -> askama::Result<Safe<String>> {
    let sprite = crate::http::assets::url("icons.svg");
    Ok(Safe(format!(
        "<svg class=\"icon\" aria-hidden=\"true\"><use href=\"{sprite}#{name}\"></use></svg>"
    )))
}

/// `2026-11-20 08:41` in China.
#[askama::filter_fn]
pub fn minute(time: &Time, _: &dyn Values) -> askama::Result<String> {
    Ok(time::china_minute(*time))
}

/// A code in groups of four.
#[askama::filter_fn]
pub fn grouped(code: &str, _: &dyn Values) -> askama::Result<String> {
    Ok(code::grouped(code))
}

/// A number without trailing zeros.
#[askama::filter_fn]
pub fn num(number: &Decimal, _: &dyn Values) -> askama::Result<String> {
    Ok(number.normalize().to_string())
}

/// Tenths of a degree as degrees Celsius.
#[askama::filter_fn]
pub fn celsius(tenths: &i32, _: &dyn Values) -> askama::Result<String> {
    let celsius = Decimal::new(i64::from(*tenths), 1).normalize();
    Ok(format!("{celsius} {}", texts::t("activities.degrees")))
}

/// The sentence for what stands against a harvest.
#[askama::filter_fn]
pub fn hindrance(one: &Hindrance, _: &dyn Values) -> askama::Result<String> {
    Ok(crate::app::records::hindrance_text(one))
}

/// The first digits of a digest: enough to compare by eye.
#[askama::filter_fn]
pub fn short(digest: &str, _: &dyn Values) -> askama::Result<String> {
    Ok(digest.chars().take(12).collect())
}

/// The word of an enumeration's value.
#[askama::filter_fn]
pub fn word<T: Word>(value: &T, _: &dyn Values) -> askama::Result<String> {
    Ok(value.word())
}

/// The word as a tag, coloured by what it means.
#[askama::filter_fn]
pub fn tag<T: Word>(value: &T, _: &dyn Values) -> askama::Result<Safe<String>> {
    Ok(Safe(format!("<span class=\"tag {}\">{}</span>", value.tone(), value.word())))
}

/// Province, city and county of a county's code in words.
#[askama::filter_fn]
pub fn full_name(code: &str, _: &dyn Values) -> askama::Result<String> {
    Ok(crate::regions::full_name(code).unwrap_or_default())
}
