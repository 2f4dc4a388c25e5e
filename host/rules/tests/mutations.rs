//! Small mistakes in shipped rules and tables must be noticed by the shipped cases.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use tianyin_rules::{Limits, RuleSet};

const MUTATIONS: [(&str, &str, &str); 29] = [
    ("testing/judge.rhai", "value >= from", "value > from"),
    ("testing/judge.rhai", "value <= from", "value < from"),
    ("testing/judge.rhai", "m.value.op != \"<\" && value", "value"),
    ("testing/judge.rhai", "if m.blank {", "if false {"),
    ("testing/judge.rhai", "m.device_verdict == \"invalid\"", "false"),
    ("testing/judge.rhai", "control <= dec(\"0\")", "control < dec(\"0\")"),
    ("testing/judge.rhai", "control < range.min", "control <= range.min"),
    ("testing/judge.rhai", "control > range.max", "control >= range.max"),
    ("testing/judge.rhai", "value > limit.num", "value >= limit.num"),
    ("testing/judge.rhai", "value >= limit.num", "value > limit.num"),
    ("testing/judge.rhai", "\"fail\" => \"deny\"", "\"fail\" => \"pass\""),
    ("testing/judge.rhai", "dec(\"0.001\")", "dec(\"1\")"),
    ("certificate/issue.rhai", "ctx.operator.status == \"approved\"", "true"),
    ("certificate/issue.rhai", "ctx.lot.status == \"open\"", "true"),
    (
        "certificate/issue.rhai",
        "ctx.issued_on < form.valid_from",
        "ctx.issued_on <= form.valid_from",
    ),
    ("certificate/issue.rhai", "ctx.issued_on > form.valid_to", "ctx.issued_on >= form.valid_to"),
    ("certificate/issue.rhai", "ctx.issued_on < ctx.lot.harvested_on", "false"),
    ("certificate/issue.rhai", "earliest > harvest", "earliest >= harvest"),
    ("certificate/issue.rhai", "a.date > harvest", "a.date >= harvest"),
    ("certificate/issue.rhai", "a.get(\"stop\") ??", "() ??"),
    ("certificate/issue.rhai", "?? a.get(\"stopped_on\") ??", "??"),
    ("certificate/issue.rhai", "t.tested_on >= used.day", "true"),
    ("certificate/issue.rhai", "t.conducted_by == conducted_by", "true"),
    ("certificate/issue.rhai", "t.verdict == \"pass\"", "true"),
    ("certificate/issue.rhai", "t.get(\"superseded\") != true", "true"),
    ("certificate/issue.rhai", "known.limit_exempt", "false"),
    ("data/banned.toml", "from = \"2026-06-01\"", "from = \"2026-06-02\""),
    ("data/banned.toml", "from = \"2024-09-01\"", "from = \"2024-08-31\""),
    ("data/methods.toml", "positive_from = \"70\"", "positive_from = \"69.99\""),
];

#[test]
fn every_mutation_fails_a_case() {
    let base = RuleSet::shipped().unwrap().files().clone();
    let mut survivors = Vec::new();
    for (path, from, to) in MUTATIONS {
        let mut files = base.clone();
        let text = files.get_mut(path).unwrap();
        assert!(text.contains(from), "{path} has no {from:?}");
        *text = text.replacen(from, to, 1);
        let set = RuleSet::from_files(files, Limits::default())
            .unwrap_or_else(|found| panic!("{from} -> {to}: {found:?}"));
        if set.run_cases("").ok() {
            survivors.push((from, to));
        }
    }
    assert!(survivors.is_empty(), "no case notices {survivors:?}");
}
