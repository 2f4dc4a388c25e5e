//! What an input says, in words: for people who compare two versions, and for sheets.

use tianyin_domain::input::{InputKind, RegisteredUse};

use crate::texts::{t, tf};

/// The word of a kind.
pub fn kind_text(kind: InputKind) -> &'static str {
    crate::texts::t_static(&format!("input_kind.{}", kind_word(kind))).unwrap_or_default()
}

/// The API word of a kind.
pub fn kind_word(kind: InputKind) -> &'static str {
    match kind {
        InputKind::Pesticide => "pesticide",
        InputKind::VeterinaryDrug => "veterinary_drug",
        InputKind::Fertiliser => "fertiliser",
        InputKind::Feed => "feed",
        InputKind::Other => "other",
    }
}

/// The crop of a use; one without is for every crop.
pub fn crop_text(one: &RegisteredUse) -> &str {
    if one.crop.is_empty() { t("use_words.every_crop") } else { &one.crop }
}

/// What is registered for a crop: `间隔 7 天,每季最多 2 次,30 毫升/亩`.
pub fn use_text(one: &RegisteredUse) -> String {
    label_words((one.interval_days, one.interval_degree_days), one.max_uses, &one.dose)
}

/// The same of a label's parts: the interval in days and in degree-days, most uses, dose.
pub fn label_words(
    (days, degree_days): (Option<u32>, Option<u32>),
    max_uses: Option<u32>,
    dose: &str,
) -> String {
    let number =
        |key: &str, number: Option<u32>| number.map(|n| tf(key, [("n", n.to_string().as_str())]));
    let parts = [
        number("use_words.days", days),
        number("use_words.degree_days", degree_days),
        number("use_words.max_uses", max_uses),
        Some(dose.to_owned()).filter(|dose| !dose.is_empty()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(t("use_words.and"))
}

/// All uses, each with its crop.
pub fn uses_text(uses: &[RegisteredUse]) -> String {
    let all = uses.iter().map(|one| format!("{}:{}", crop_text(one), use_text(one)));
    all.collect::<Vec<_>>().join(t("use_words.next"))
}
