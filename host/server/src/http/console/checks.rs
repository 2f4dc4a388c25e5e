//! Checks over all templates and files of the console at once: texts, icons, files, policy.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::http::assets;
use crate::texts::has;

fn files(folder: &str, ending: &str) -> Vec<(PathBuf, String)> {
    let mut out = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let text = std::fs::read_to_string(&path).unwrap();
                out.push((path, text));
            }
        }
    }
    assert!(!out.is_empty());
    out
}

/// The console's own templates: other folders belong to the public pages.
fn templates() -> Vec<(PathBuf, String)> {
    let mut all = files("templates", ".html");
    all.retain(|(path, _)| !path.to_string_lossy().contains("/public/"));
    all
}

/// Sources without their tests, which may hold Chinese input.
fn sources() -> Vec<(PathBuf, String)> {
    let cut = |(path, text): (PathBuf, String)| {
        let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
        (path, text[..end].to_owned())
    };
    let mut all = files("src/http/console", ".rs");
    let is_test = |path: &Path| path.to_string_lossy().contains("/router_tests");
    all.retain(|(path, _)| !is_test(path) && !path.ends_with("checks.rs"));
    all.into_iter().map(cut).collect()
}

/// Every text between `before` and `after`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|part| part.split_once(after)).map(|(k, _)| k).collect()
}

/// The string literals that go through a filter: `"key"|filter`.
fn filtered(text: &str, filter: &str) -> BTreeSet<String> {
    let mark = format!("\"|{filter}");
    let mut out = BTreeSet::new();
    for (at, _) in text.match_indices(&mark) {
        let rest = &text[at + mark.len()..];
        if !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            out.insert(text[..at].rsplit('"').next().unwrap().to_owned());
        }
    }
    out
}

#[test]
fn every_command_a_template_asks_for_is_one() {
    let mut seen = 0;
    for (path, text) in templates() {
        for name in between(&text, "page.may(\"", "\"") {
            let known = name.parse::<tianyin_domain::command::CommandKind>();
            assert!(known.is_ok(), "{}: {name}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} were found: the check looks past them");
}

#[test]
fn every_text_of_a_template_is_in_the_catalogue() {
    let mut seen = 0;
    for (path, text) in templates() {
        let mut keys = filtered(&text, "t");
        for call in [".hint(\"", ".label(\""] {
            keys.extend(between(&text, call, "\"").into_iter().map(str::to_owned));
        }
        for key in keys {
            assert!(has(&key), "{} wants {key}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 300, "only {seen} texts were found: the check looks past them");
}

#[test]
fn every_text_of_a_source_is_in_the_catalogue() {
    let mut tables = between(include_str!("../../../i18n/zh-CN/console.toml"), "\n[", "]\n");
    tables.extend(between(include_str!("../../../i18n/zh-CN/register.toml"), "\n[", "]\n"));
    let mut seen = 0;
    for (path, text) in sources() {
        for literal in text.split('"').skip(1).step_by(2) {
            let known = literal.split_once('.').is_some_and(|(table, key)| {
                let plain = |c: char| c.is_ascii_lowercase() || c == '_';
                tables.contains(&table) && !key.is_empty() && key.chars().all(plain)
            });
            if known && !literal.ends_with(".html") {
                assert!(has(literal), "{} wants {literal}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 80, "only {seen} texts were found: the check looks past them");
}

#[test]
fn every_field_has_a_label() {
    for (path, text) in templates() {
        for kind in ["text", "number", "date", "password", "area", "select", "tick", "ticks"] {
            // A form by any name; a field whose name is made at run time brings its own label.
            for name in between(&text, &format!(".{kind}(\""), "\"") {
                let known = has(&format!("label.{name}")) || name.contains('{');
                assert!(known, "{}: {name}", path.display());
            }
        }
    }
}

#[test]
fn every_text_of_the_catalogue_is_used() {
    let mut all: String = templates().into_iter().map(|(_, text)| text).collect();
    all.extend(sources().into_iter().map(|(_, text)| text));
    // What the console shows of the certificate in use is said where the files are read.
    all += concat!(include_str!("../../tls/mod.rs"), include_str!("../../tls/pair.rs"));
    let table: toml::Table = include_str!("../../../i18n/zh-CN/console.toml").parse().unwrap();
    // Keys made at run time: names of fields and registers, facts of a measurement, words.
    let made =
        ["label", "facts", "evidence", "value_kind", "qualitative", "imports_of", "imports_hint"];
    for (name, keys) in table.iter().filter(|(name, _)| !made.contains(&name.as_str())) {
        for key in keys.as_table().unwrap().keys() {
            let key = format!("{name}.{key}");
            assert!(all.contains(&format!("\"{key}\"")), "{key} is used nowhere");
        }
    }
}

#[test]
fn no_chinese_outside_the_catalogue() {
    let is_han = |c: char| matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{FF00}'..='\u{FFEF}');
    for (path, text) in templates() {
        for (n, line) in text.lines().enumerate() {
            assert!(!line.contains(is_han), "{}:{}: {line}", path.display(), n + 1);
        }
    }
    for (path, text) in sources() {
        for (n, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap();
            assert!(!code.contains(is_han), "{}:{}: {line}", path.display(), n + 1);
        }
    }
}

#[test]
fn every_icon_and_file_exists() {
    let sprite = include_str!("../../../assets/icons.svg");
    let is_icon = |name: &str| sprite.contains(&format!("<symbol id=\"{name}\""));
    for (path, text) in templates() {
        for name in filtered(&text, "icon") {
            assert!(is_icon(&name), "{}: icon {name}", path.display());
        }
        for name in filtered(&text, "asset") {
            assert!(assets::has(&name), "{}: file {name}", path.display());
        }
    }
    for name in [
        "today", "people", "leaf", "drop", "box", "pen", "flask", "seal", "print", "device",
        "inbox", "key", "gear", "book",
    ] {
        assert!(is_icon(name), "menu: icon {name}");
    }
    assert!(assets::has("icons.svg"));
}

/// The policy of every page forbids them, so they would silently do nothing.
#[test]
fn no_inline_script_or_style() {
    for (path, text) in templates() {
        for bad in
            [" style=", "<style", "javascript:", " onclick=", " onsubmit=", "hx-on", "<script>"]
        {
            assert!(!text.contains(bad), "{}: {bad}", path.display());
        }
    }
}

/// A form that changes something proves that it comes from our page.
#[test]
fn every_post_form_is_guarded() {
    for (path, text) in templates() {
        let name = path.file_name().unwrap().to_string_lossy();
        // Nobody is signed in there.
        let open = ["setup.html", "sign_in.html", "apply.html", "door.html"];
        if open.contains(&name.as_ref()) {
            continue;
        }
        for form in text.split("<form method=\"post\"").skip(1) {
            let form = form.split("</form>").next().unwrap();
            let guarded = form.contains("page.guard()") || form.contains("name=\"form_token\"");
            assert!(guarded, "{}: {form}", path.display());
        }
    }
}
