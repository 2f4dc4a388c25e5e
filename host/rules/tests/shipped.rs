//! The shipped pack loads, its cases pass, and its tables say where they come from.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use tianyin_rules::tables::{Coded, ProductMark};
use tianyin_rules::{RuleSet, Severity};

fn shipped() -> RuleSet {
    RuleSet::shipped().unwrap_or_else(|found| {
        panic!("{}", found.iter().map(|d| format!("{d}\n")).collect::<String>())
    })
}

#[test]
fn every_case_of_the_shipped_rules_passes() {
    let report = shipped().run_cases("");
    for failure in &report.failed {
        eprintln!("{} {} {:?}: {:#?}", failure.rule, failure.file, failure.case, failure.diffs);
        for finding in failure.judgement.iter().flat_map(|j| &j.findings) {
            eprintln!(
                "    {:?} {} {} (line {})",
                finding.verdict, finding.item, finding.text, finding.line
            );
        }
    }
    assert!(report.ok(), "{} failed, {} passed", report.failed.len(), report.passed);
    assert!(report.passed > 130, "only {} cases", report.passed);
}

#[test]
fn a_filter_that_fits_nothing_fails() {
    let report = shipped().run_cases("no/such/rule");
    assert!(!report.ok());
}

#[test]
fn check_names_tables_nobody_reviewed() {
    let remarks = shipped().check();
    assert!(remarks.iter().all(|d| d.severity == Severity::Warning));
    assert!(remarks.iter().any(|d| d.file == "data/banned.toml"));
}

#[test]
fn tables_name_source_and_date() {
    let tables = shipped().tables();
    assert_eq!(tables.len(), 12);
    for table in &tables {
        assert!(!table.about.source.is_empty() && !table.about.title.is_empty(), "{}", table.name);
    }
    let limits = tables.iter().find(|t| t.name == "limits").unwrap();
    assert_eq!(limits.rows, 0, "no invented limit may be shipped");
}

#[test]
fn the_folder_and_the_embedded_pack_are_the_same() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules");
    let loaded = RuleSet::load(folder).unwrap();
    let embedded = shipped();
    for rule in embedded.rules() {
        assert_eq!(loaded.revision(&rule.id), embedded.revision(&rule.id));
    }
}

#[test]
fn host_functions_are_documented() {
    let json = shipped().functions().unwrap();
    let functions = json["functions"].as_array().unwrap();
    for name in ["pass", "hold", "deny", "limit_for", "banned_on", "covers", "date_add", "dec"] {
        let found = functions.iter().find(|f| f["name"] == name).expect(name);
        assert!(found["docComments"].as_array().is_some_and(|d| !d.is_empty()), "{name}");
    }
}

/// The rule reads the record as the domain writes it, not only as the cases spell it.
#[test]
fn a_measurement_of_the_domain_is_judged() {
    let measurement: tianyin_domain::measurement::Measurement =
        serde_json::from_value(serde_json::json!({
            "v": 1, "msg_id": "m", "method": "enzyme_inhibition",
            "value": { "num": "49.96", "unit": "%", "kind": "inhibition_rate" }
        }))
        .unwrap();
    let input = serde_json::json!({
        "measurement": measurement, "product": null, "sampled_on": null, "config": {}
    });
    let answer = shipped().evaluate("testing/judge", input);
    assert_eq!(answer.error, None);
    assert_eq!(answer.judgement.verdict, tianyin_domain::Verdict::Pass);
}

#[test]
fn products_need_the_marks_that_their_class_and_brand_ask_for() {
    //
    let shipped = shipped();
    let coding = shipped.coding().unwrap();
    let needed = |class, name: &str, branded, certified| -> Vec<ProductMark> {
        let asked = Coded { class, names: &[name], branded, certified };
        coding.needed(asked).iter().map(|row| row.mark_needed).collect()
    };
    use ProductMark::{Certificate, IdCard, TraceCode};
    assert_eq!(needed("vegetable", "白菜", false, false), [Certificate]);
    assert_eq!(needed("vegetable", "本地豇豆", false, false), [Certificate, TraceCode]);
    assert_eq!(needed("fresh_tea", "毛尖", true, true), [Certificate, IdCard]);
    assert_eq!(needed("other", "莲子酒", false, false), []);
    assert_eq!(needed("other", "莲子酒", false, true), [IdCard]);
    assert!(!coding.national.compose, "a county says so itself");
}

#[test]
fn a_certification_that_has_ended_stays_known() {
    let shipped = shipped();
    let kinds = shipped.certifications().unwrap();
    let old = kinds.kind("pollution_free").unwrap();
    assert!(old.is_given_on("2019-12-19".parse().unwrap()));
    assert!(!old.is_given_on("2026-11-20".parse().unwrap()));
    assert!(kinds.kind("green").unwrap().card && kinds.kind("nothing").is_none());
}

#[test]
fn every_class_has_lines_of_an_id_card_and_some_are_required() {
    let shipped = shipped();
    let table = shipped.id_card().unwrap();
    for class in ["vegetable", "fruit", "fresh_tea", "livestock", "egg", "aquatic", "other"] {
        let lines: Vec<_> = table.of_class(class).collect();
        assert!(lines.iter().any(|line| line.required && line.from.is_none()), "{class}");
        assert_eq!(lines.iter().any(|line| line.code == "feeding"), class_is_fed(class), "{class}");
    }
}

fn class_is_fed(class: &str) -> bool {
    ["livestock", "egg", "aquatic"].contains(&class)
}
