//! The zh-CN catalogue: every text a person sees; and the English one of the pages for everybody. Keys are
//! dotted; `{name}` is a placeholder.

use std::collections::HashMap;
use std::sync::LazyLock;

const FILES: [&str; 9] = [
    include_str!("../i18n/zh-CN/errors.toml"),
    include_str!("../i18n/zh-CN/words.toml"),
    include_str!("../i18n/zh-CN/console.toml"),
    include_str!("../i18n/zh-CN/public.toml"),
    include_str!("../i18n/zh-CN/conflict.toml"),
    include_str!("../i18n/zh-CN/health.toml"),
    include_str!("../i18n/zh-CN/sheet.toml"),
    include_str!("../i18n/zh-CN/register.toml"),
    include_str!("../i18n/zh-CN/proof.toml"),
];

/// What the pages for everybody say in English.
const ENGLISH_FILES: [&str; 1] = [include_str!("../i18n/en/public.toml")];

static CATALOGUE: LazyLock<HashMap<String, String>> = LazyLock::new(|| read(&FILES));
static ENGLISH: LazyLock<HashMap<String, String>> = LazyLock::new(|| read(&ENGLISH_FILES));

/// Languages of the pages for everybody; everything else speaks Chinese.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Lang {
    /// Chinese.
    #[default]
    Zh,
    /// English. Names and certificates stay as they were issued.
    En,
}

impl Lang {
    /// The tag in pages (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    /// The one that a page offers to switch to.
    pub fn other(self) -> Self {
        match self {
            Self::Zh => Self::En,
            Self::En => Self::Zh,
        }
    }
}

fn read(files: &[&str]) -> HashMap<String, String> {
    let mut all = HashMap::new();
    for file in files {
        match file.parse::<toml::Table>() {
            Ok(table) => flatten("", &table, &mut all),
            Err(e) => tracing::error!(error = %e, "a catalogue file is not readable"),
        }
    }
    all
}

fn flatten(prefix: &str, table: &toml::Table, all: &mut HashMap<String, String>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, all),
            toml::Value::String(text) => {
                all.insert(key, text.clone());
            }
            _ => {}
        }
    }
}

/// The text of a key; the key itself when it is missing, which a test forbids.
pub fn t(key: &str) -> &str {
    t_static(key).unwrap_or(key)
}

/// The text of a key that was put together; `None` when it is missing.
pub fn t_static(key: &str) -> Option<&'static str> {
    CATALOGUE.get(key).map(String::as_str)
}

/// The text of a key in a language; in Chinese where English has none, which a test forbids.
pub fn t_in(lang: Lang, key: &str) -> &str {
    match lang {
        Lang::Zh => t(key),
        Lang::En => english(key).unwrap_or_else(|| t(key)),
    }
}

/// What only English pages say, such as the rendering of a wording; `None` when there is none.
pub fn english(key: &str) -> Option<&'static str> {
    ENGLISH.get(key).map(String::as_str)
}

/// Whether the catalogue has a key.
pub fn has(key: &str) -> bool {
    CATALOGUE.contains_key(key)
}

/// The text of a key with its placeholders filled.
pub fn tf<'a>(key: &str, params: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    tf_in(Lang::Zh, key, params)
}

/// The same in a language.
pub fn tf_in<'a>(
    lang: Lang,
    key: &str,
    params: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut text = t_in(lang, key).to_owned();
    for (name, value) in params {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Tables that pages in both languages take their words from.
    const BOTH: [&str; 11] = [
        "public",
        "operator_kind",
        "activity_kind",
        "step_kind",
        "brand_kind",
        "method",
        "test_verdict",
        "conducted_by",
        "qualifier",
        "qualitative",
        "basis",
    ];
    /// Pages of [`BOTH`] that are in Chinese only, by the beginning of their keys: for people of the county, and
    /// what is answered in Chinese.
    const CHINESE_ONLY: [&str; 4] =
        ["public.ca_", "public.error_", "public.feedback.", "public.lost"];
    /// What is Chinese on record and only rendered in English.
    const ENGLISH_ONLY: [&str; 4] = ["translation", "commitment", "certification", "form"];

    fn keys<'a>(all: &'a HashMap<String, String>, table: &str) -> BTreeSet<&'a str> {
        let of_table = |key: &&str| key.split_once('.').is_some_and(|(name, _)| name == table);
        let is_told = |key: &&str| !CHINESE_ONLY.iter().any(|start| key.starts_with(start));
        all.keys().map(String::as_str).filter(of_table).filter(is_told).collect()
    }

    #[test]
    fn both_languages_say_the_same() {
        let mut seen = 0;
        for table in BOTH {
            let chinese = keys(&CATALOGUE, table);
            assert_eq!(chinese, keys(&ENGLISH, table), "[{table}] of i18n/en/public.toml");
            for key in chinese {
                assert_eq!(places(t(key)), places(t_in(Lang::En, key)), "placeholders of {key}");
                seen += 1;
            }
        }
        assert!(seen > 100, "only {seen} texts were compared");
        let known = |name: &str| BOTH.contains(&name) || ENGLISH_ONLY.contains(&name);
        for key in ENGLISH.keys() {
            assert!(key.split_once('.').is_some_and(|(name, _)| known(name)), "{key}");
        }
    }

    fn places(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(n, _)| n).collect()
    }

    #[test]
    fn wordings_of_the_law_have_a_rendering() {
        for form in crate::proof::FORMS {
            assert!(english(&format!("form.{form}")).is_some(), "{form}");
            assert!(english(&format!("commitment.{form}")).is_some(), "{form}");
        }
    }
}
