//! Offices have Chromium 80 (domestic browsers on its engine): style sheets, scripts and templates keep to what it
//! understands. A property it does not know it drops in silence, and a selector takes its whole rule along, so
//! nobody would see it on a newer machine.
//!
//! What is newer and only adds may stand in an `@supports` block.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use tianyin_tests::place;

/// Properties, and the first Chromium that knows them. With two names the second must stand beside it.
const PROPERTIES: [(&str, u32, &str); 24] = [
    ("accent-color", 93, ""),
    ("animation-composition", 112, ""),
    ("appearance", 84, "-webkit-appearance"),
    ("aspect-ratio", 88, ""),
    ("color-scheme", 81, ""),
    ("contain-intrinsic-size", 83, ""),
    ("container-type", 105, ""),
    ("content-visibility", 85, ""),
    ("field-sizing", 123, ""),
    ("font-palette", 101, ""),
    ("inset", 87, ""),
    ("inset-block", 87, ""),
    ("inset-inline", 87, ""),
    ("margin-inline", 87, ""),
    ("margin-block", 87, ""),
    ("padding-inline", 87, ""),
    ("padding-block", 87, ""),
    ("print-color-adjust", 136, "-webkit-print-color-adjust"),
    ("rotate", 104, ""),
    ("scale", 104, ""),
    ("scrollbar-color", 121, ""),
    ("scrollbar-gutter", 94, ""),
    ("text-wrap", 114, ""),
    ("translate", 104, ""),
];

/// Parts of values.
const VALUES: [(&str, u32); 9] = [
    ("color-mix(", 111),
    ("oklch(", 111),
    ("light-dark(", 123),
    ("overflow: clip", 90),
    ("dvh", 108),
    ("svh", 108),
    ("revert-layer", 99),
    ("subgrid", 117),
    ("round(", 125),
];

/// Parts of selectors. Chromium drops a rule with a selector that it does not know.
const SELECTORS: [(&str, u32); 9] = [
    (":is(", 88),
    (":where(", 88),
    (":has(", 105),
    (":user-valid", 119),
    (":user-invalid", 119),
    (":popover-open", 114),
    (":modal", 105),
    (":dir(", 120),
    ("::marker", 86),
];

/// Rules of their own.
const AT_RULES: [(&str, u32); 5] = [
    ("@layer", 99),
    ("@container", 105),
    ("@property", 85),
    ("@scope", 118),
    ("@starting-style", 117),
];

/// Parts of scripts.
const SCRIPT: [(&str, u32); 20] = [
    // 80 knows these two, its close relatives with another script engine do not.
    ("?.", 80),
    ("??", 80),
    ("||=", 85),
    ("&&=", 85),
    (".submitter", 81),
    (".replaceAll(", 85),
    ("Promise.any(", 85),
    (".replaceChildren(", 86),
    (".at(", 92),
    ("randomUUID(", 92),
    ("Object.hasOwn(", 93),
    ("structuredClone(", 98),
    (".findLast(", 97),
    (".toSorted(", 110),
    (".showPopover(", 114),
    (".inert", 102),
    ("AbortSignal.timeout(", 103),
    ("Object.groupBy(", 117),
    (".requestClose(", 134),
    (".checkVisibility(", 105),
];

/// Parts of templates.
const MARKUP: [(&str, u32); 7] = [
    (" inert", 102),
    (" popover", 114),
    ("<search", 118),
    ("fetchpriority=", 101),
    ("until-found", 102),
    (" commandfor=", 135),
    ("<details name=", 120),
];

/// A rule of a style sheet.
struct Rule {
    /// The rules around it, such as `@media print`.
    around: Vec<String>,
    selector: String,
    declarations: Vec<(String, String)>,
}

/// The rules of a style sheet of ours: no strings with braces, no nesting but of at-rules.
fn rules(sheet: &str) -> Vec<Rule> {
    let mut text = String::new();
    let mut rest = sheet;
    while let Some((before, after)) = rest.split_once("/*") {
        text.push_str(before);
        rest = after.split_once("*/").expect("a comment that ends").1;
    }
    text.push_str(rest);
    let (mut around, mut found, mut begun) = (Vec::new(), Vec::new(), String::new());
    let mut last: Option<Rule> = None;
    for c in text.chars() {
        match c {
            '{' => {
                let head = std::mem::take(&mut begun).trim().to_owned();
                let is_plain = head.starts_with("@page") || head.starts_with("@font-face");
                if head.starts_with('@') && !is_plain {
                    around.push(head);
                } else {
                    let rule =
                        Rule { around: around.clone(), selector: head, declarations: vec![] };
                    last = Some(rule);
                }
            }
            '}' => match last.take() {
                Some(mut rule) => {
                    let parts = std::mem::take(&mut begun);
                    let pairs = parts.split(';').filter_map(|part| part.split_once(':'));
                    rule.declarations
                        .extend(pairs.map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned())));
                    found.push(rule);
                }
                None => {
                    around.pop().expect("no brace too many");
                }
            },
            c => begun.push(c),
        }
    }
    assert!(around.is_empty() && last.is_none(), "a brace is missing");
    found
}

/// What of a style sheet Chromium 80 does not understand.
fn faults_of_sheet(sheet: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, version) in AT_RULES {
        if sheet.contains(at) {
            faults.push(format!("{at} ({version})"));
        }
    }
    let rules = rules(sheet);
    // What a selector has in all its rules together: display, and whether there is a gap.
    let mut boxes: BTreeMap<(Vec<String>, String), (bool, bool)> = BTreeMap::new();
    for rule in &rules {
        if rule.around.iter().any(|at| at.starts_with("@supports")) {
            continue;
        }
        faults.extend(faults_of_rule(rule));
        for selector in rule.selector.split(',') {
            let seen = boxes.entry((rule.around.clone(), selector.trim().to_owned())).or_default();
            for (name, value) in &rule.declarations {
                if name == "display" {
                    seen.0 = value.ends_with("flex");
                }
                seen.1 |= matches!(name.as_str(), "gap" | "row-gap" | "column-gap") && value != "0";
            }
        }
    }
    // A rule within `@media` adds to the one without.
    let outside = |selector: &String| boxes.get(&(Vec::new(), selector.clone())).copied();
    for ((around, selector), (is_flex, has_gap)) in &boxes {
        let base = outside(selector).unwrap_or_default();
        let is_flex = *is_flex || (!around.is_empty() && *has_gap && base.0);
        if is_flex && (*has_gap || base.1) {
            faults.push(format!("{selector}: gap in a flex box (84)"));
        }
    }
    let hides_bars = rules.iter().any(|rule| rule.selector.contains("::-webkit-scrollbar"));
    let bars = rules.iter().flat_map(|rule| &rule.declarations).any(|d| d.0 == "scrollbar-width");
    if bars && !hides_bars {
        faults.push("scrollbar-width (121) without ::-webkit-scrollbar".into());
    }
    faults
}

fn faults_of_rule(rule: &Rule) -> Vec<String> {
    let mut faults = Vec::new();
    let selector = &rule.selector;
    for (part, version) in SELECTORS {
        if selector.contains(part) {
            faults.push(format!("{selector}: {part} ({version})"));
        }
    }
    // Known or not, `:focus` shows the focus; this takes it from the mouse only.
    if selector.replace(":not(:focus-visible)", "").contains(":focus-visible") {
        faults.push(format!("{selector}: :focus-visible (86), but for :not(:focus-visible)"));
    }
    for (name, value) in &rule.declarations {
        for (newer, version, beside) in PROPERTIES {
            let has_other = rule.declarations.iter().any(|(name, _)| name == beside);
            if name == newer && !has_other {
                faults.push(format!("{selector}: {name} ({version})"));
            }
        }
        let declared = format!("{name}: {value}");
        for (part, version) in VALUES {
            if declared.contains(part) {
                faults.push(format!("{selector}: {declared} ({version})"));
            }
        }
    }
    faults
}

fn faults_of_text(text: &str, known: &[(&str, u32)]) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let text: Vec<&str> = lines.collect();
    let text = text.join("\n");
    let newer = known.iter().filter(|(part, _)| text.contains(part));
    newer.map(|(part, version)| format!("{part} ({version})")).collect()
}

/// Files of the server's folder with this ending, not those of others.
fn files(folder: &str, ending: &str) -> Vec<(PathBuf, String)> {
    let (mut found, mut left) = (Vec::new(), vec![place::root().join("host/server").join(folder)]);
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("vendor") {
                left.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no {ending} in {folder}");
    found
}

#[test]
fn style_sheets_work_in_chromium_80() {
    let mut sheets = files("assets", ".css");
    sheets.extend(files("templates", ".css"));
    assert!(sheets.len() >= 3);
    for (path, sheet) in sheets {
        let faults = faults_of_sheet(&sheet);
        assert!(faults.is_empty(), "{}: newer than Chromium 80: {faults:#?}", path.display());
    }
}

#[test]
fn scripts_work_in_chromium_80() {
    for (path, script) in files("assets", ".js") {
        let faults = faults_of_text(&script, &SCRIPT);
        assert!(faults.is_empty(), "{}: newer than Chromium 80: {faults:?}", path.display());
    }
}

#[test]
fn templates_work_in_chromium_80() {
    for (path, template) in files("templates", ".html") {
        let faults = faults_of_text(&template, &MARKUP);
        assert!(faults.is_empty(), "{}: newer than Chromium 80: {faults:?}", path.display());
        let fault = "a policy forbids styles in place, and checks do not look there";
        assert!(!template.contains(" style=\""), "{}: {fault}", path.display());
    }
}

#[test]
fn what_is_newer_is_found() {
    for bad in [
        ".a { display: flex; gap: 4px; }",
        ".a { display: inline-flex; } .b, .a { gap: 4px 2px; }",
        ".a { display: flex; } @media print { .a { gap: 4px; } }",
        ".a { gap: 4px; } @media print { .a { display: flex; } }",
        ".a { inset: 0; }",
        ".a { appearance: none; }",
        ".a:focus-visible { color: red; }",
        ".a:is(.b) { color: red; }",
        ".a { scrollbar-width: none; }",
        "@layer x { .a { color: red; } }",
        "@media print { .a { height: 100dvh; } }",
    ] {
        assert!(!faults_of_sheet(bad).is_empty(), "{bad}");
    }
    for good in [
        ".a { display: grid; gap: 4px; }",
        ".a { display: flex; gap: 0; } .a > * + * { margin-left: 4px; }",
        ".a { clip-path: inset(50%); box-shadow: inset 0 0 1px red; }",
        ".a { -webkit-appearance: none; appearance: none; }",
        ":focus:not(:focus-visible) { outline: none; }",
        "@supports (accent-color: red) { input { accent-color: red; } }",
        ".a { scrollbar-width: none; } .a::-webkit-scrollbar { display: none; }",
    ] {
        assert_eq!(faults_of_sheet(good), Vec::<String>::new(), "{good}");
    }
    assert_eq!(faults_of_text("a?.b", &SCRIPT), ["?. (80)"]);
    assert!(faults_of_text("// a?.b\na ? .5 : b", &SCRIPT).is_empty());
}
