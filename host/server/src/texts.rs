//! The zh-CN catalogue: every text a person sees. Keys are dotted; `{name}` is a placeholder.

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

static CATALOGUE: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let mut all = HashMap::new();
    for file in FILES {
        match file.parse::<toml::Table>() {
            Ok(table) => flatten("", &table, &mut all),
            Err(e) => tracing::error!(error = %e, "a catalogue file is not readable"),
        }
    }
    all
});

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

/// Whether the catalogue has a key.
pub fn has(key: &str) -> bool {
    CATALOGUE.contains_key(key)
}

/// The text of a key with its placeholders filled.
pub fn tf<'a>(key: &str, params: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = t(key).to_owned();
    for (name, value) in params {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text
}
