//! What holds for the code as a whole: who may know which library, what lies where, no leftovers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tianyin_tests::place;

/// Lines of a source file at most: longer ones hold more than one thing.
const LINES_MAX: usize = 600;

/// Libraries that one crate hides from all others.
const HIDDEN: [(&str, &str); 19] = [
    ("sled", "host/store"),
    ("wasmtime", "host/plugins"),
    ("rhai", "host/rules"),
    ("rmqtt", "host/gateway"),
    ("rumqttc", "host/gateway"),
    ("typst", "host/documents"),
    ("typst-pdf", "host/documents"),
    ("typst-render", "host/documents"),
    ("resvg", "host/documents"),
    ("qrcode", "host/documents"),
    ("barcoders", "host/documents"),
    ("fpe", "host/server"),
    ("calamine", "host/sheets"),
    ("csv", "host/sheets"),
    ("rust_xlsxwriter", "host/sheets"),
    ("axum", "host/server"),
    ("axum-extra", "host/server"),
    ("askama", "host/server"),
    ("tower-http", "host/server"),
];

/// What a crate of ours may use of ours; dependencies point one way.
const MAY_USE: [(&str, &[&str]); 10] = [
    ("host/domain", &[]),
    ("host/journal", &[]),
    ("host/store", &["tianyin-domain"]),
    ("host/rules", &["tianyin-domain"]),
    ("host/plugins", &["tianyin-domain", "tianyin-package"]),
    ("host/gateway", &[]),
    ("host/documents", &["tianyin-domain"]),
    ("host/sheets", &[]),
    ("devices", &["tianyin-domain"]),
    ("sdk", &[]),
];

/// The owner of the product gave these; the rest is what tools want at the root.
const TOP_LEVEL: [&str; 9] =
    ["Cargo.toml", "host", "plugins", "sdk", "rules", "devices", "tests", "packaging", "README.md"];
const FOR_TOOLS: [&str; 8] = [
    "Cargo.lock",
    "LICENSE",
    ".gitignore",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "clippy.toml",
    ".cargo",
    ".ci",
];
/// Of the checkout itself, not of the project.
const NOT_OURS: [&str; 2] = [".git", "target"];

fn files(endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![place::root()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_root = folder == place::root();
            if path.is_dir() {
                if !(is_root && NOT_OURS.contains(&name.as_str())) && name != "vendor" {
                    left.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty());
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(place::root()).unwrap().display().to_string()
}

/// Names of the dependencies in a manifest, those for tests left out on request.
fn dependencies(manifest: &str, with_dev: bool) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut counts = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            counts = section.ends_with("dependencies")
                && !section.starts_with("workspace")
                && (with_dev || !section.contains("dev-"));
        } else if counts && !line.is_empty() && !line.starts_with('#') {
            let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
            names.insert(line[..end.unwrap_or(line.len())].to_owned());
        }
    }
    names
}

#[test]
fn manifests_are_read_as_meant() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\nsled = \"1\"\na.workspace = true\n\
                    # no = 1\n[dev-dependencies]\nb = { path = \"..\" }\n[features]\nc = []\n";
    let names = |with_dev| dependencies(manifest, with_dev).into_iter().collect::<Vec<_>>();
    assert_eq!(names(true), ["a", "b", "sled"]);
    assert_eq!(names(false), ["a", "sled"]);
}

#[test]
fn every_library_stays_in_its_home() {
    let manifests = files(&["Cargo.toml"]);
    assert!(manifests.len() >= 14, "{manifests:?}");
    for path in &manifests {
        let folder = shown(path.parent().unwrap());
        let used = dependencies(&std::fs::read_to_string(path).unwrap(), true);
        for (library, home) in HIDDEN {
            assert!(
                !used.contains(library) || folder == home,
                "{folder} uses {library}, home of which is {home}"
            );
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    for (folder, allowed) in MAY_USE {
        let manifest = place::root().join(folder).join("Cargo.toml");
        let used = dependencies(&std::fs::read_to_string(&manifest).unwrap(), false);
        for name in used.iter().filter(|name| name.starts_with("tianyin")) {
            assert!(allowed.contains(&name.as_str()), "{folder} uses {name}");
        }
    }
}

#[test]
fn the_top_level_is_as_given() {
    let there: BTreeSet<String> = std::fs::read_dir(place::root())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !NOT_OURS.contains(&name.as_str()))
        .collect();
    for name in TOP_LEVEL {
        assert!(there.contains(name), "{name} is missing");
    }
    for name in &there {
        let known = TOP_LEVEL.contains(&name.as_str()) || FOR_TOOLS.contains(&name.as_str());
        assert!(known, "{name} does not belong at the top level");
    }
}

#[test]
fn files_stay_small() {
    for path in files(&[".rs", ".rhai", ".html", ".css", ".js"]) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", shown(&path));
    }
}

#[test]
fn nothing_is_left_undone() {
    // Written apart, so that this file does not find itself.
    let leftovers = [
        ["todo", "!("],
        ["unimplemented", "!("],
        ["dbg", "!("],
        ["FIX", "ME"],
        ["XX", "X "],
        ["#[ign", "ore"],
        ["lead", "check"],
        ["/wo", "rk/"],
        ["/ro", "ot/"],
    ]
    .map(|parts| parts.concat());
    for path in files(&[".rs", ".rhai", ".html", ".css", ".js", ".toml", ".md", ".typ", "run"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        for leftover in &leftovers {
            assert!(!text.contains(leftover.as_str()), "{} holds {leftover:?}", shown(&path));
        }
    }
}

#[test]
fn unsafe_code_is_only_where_it_is_allowed_by_name() {
    let word = ["uns", "afe "].concat();
    for path in files(&[".rs"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let uses = code.filter(|line| line.contains(&word)).count();
        let named = text.contains(&["unsafe", "_code"].concat());
        assert!(uses == 0 || named, "{} is {word}without saying so", shown(&path));
    }
}

#[test]
fn what_people_read_stands_in_the_catalogue() {
    let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    for path in files(&[".html"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        let bare = text.lines().find(|line| line.chars().any(is_chinese));
        assert!(bare.is_none(), "{}: {}", shown(&path), bare.unwrap_or_default());
    }
}

#[test]
fn every_crate_takes_part_in_the_lints() {
    for path in files(&["Cargo.toml"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        let is_member = text.contains("[package]");
        assert!(!is_member || text.contains("[lints]\nworkspace = true"), "{}", shown(&path));
    }
}
