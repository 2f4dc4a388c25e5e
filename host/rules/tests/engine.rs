//! Limits, forbidden things, failures, determinism and revisions, on small packs made here.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use serde_json::{Value, json};
use tianyin_domain::Verdict;
use tianyin_rules::{Diagnostic, Evaluation, FailureKind, Files, Limits, RuleSet, Severity};

const METADATA: &str = r#"
id = "t/r"
title = "试验"
basis = []
valid_from = "2026-01-01"
entry = "run"
inputs = []
failure = "hold"
"#;

fn pack(script: &str) -> Files {
    Files::from([("t/r.rhai".into(), script.into()), ("t/r.toml".into(), METADATA.into())])
}

fn set(script: &str) -> Result<RuleSet, Vec<Diagnostic>> {
    RuleSet::from_files(pack(script), Limits::default())
}

fn run(script: &str) -> Evaluation {
    set(script).unwrap().evaluate("t/r", json!({}))
}

/// The one place where a script is refused.
fn refused(script: &str) -> Diagnostic {
    let Err(found) = set(script) else { panic!("accepted: {script}") };
    found.into_iter().find(|d| d.severity == Severity::Error).unwrap()
}

#[track_caller]
fn held(script: &str, kind: FailureKind) -> Evaluation {
    let answer = run(script);
    let error = answer.error.clone().unwrap_or_else(|| panic!("no error: {answer:?}"));
    assert_eq!(error.kind, kind, "{error:?}");
    assert_eq!(answer.judgement.verdict, Verdict::Hold);
    assert_eq!(answer.judgement.findings.last().unwrap().item, "rule_error");
    answer
}

#[test]
fn endless_loops_are_stopped_and_never_pass() {
    let loops = [
        "fn run(ctx) { pass(\"a\", \"b\"); loop { ctx; } }",
        "fn run(ctx) { pass(\"a\", \"b\"); while true { let x = 1; } }",
        "fn run(ctx) { pass(\"a\", \"b\"); for i in 0..9999999999 { ctx; } }",
        "fn run(ctx) { pass(\"a\", \"b\"); do { ctx; } while true; }",
    ];
    for script in loops {
        let answer = held(script, FailureKind::Limit);
        assert!(answer.error.unwrap().line <= 1, "an empty loop has no line of its own");
        assert_eq!(answer.judgement.findings[0].verdict, Verdict::Pass);
    }
}

#[test]
fn wall_time_is_bounded() {
    let limits = Limits { operations: u64::MAX, wall_ms: 30, ..Limits::default() };
    let rules = RuleSet::from_files(pack("fn run(ctx) { loop { } }"), limits).unwrap();
    let answer = rules.evaluate("t/r", json!({}));
    assert_eq!(answer.error.unwrap().kind, FailureKind::Limit);
    assert!(answer.micros >= 30_000 && answer.micros < 5_000_000, "{}", answer.micros);
}

#[test]
fn sleeping_and_leaving_are_refused() {
    held("fn run(ctx) { pass(\"a\", \"b\"); exit(); }", FailureKind::Script);
    held("fn run(ctx) { pass(\"a\", \"b\"); exit(1); }", FailureKind::Script);
    held("fn run(ctx) { pass(\"a\", \"b\"); [1].map(\"exit\"); }", FailureKind::Script);
    held("fn run(ctx) { sleep(3600); }", FailureKind::Script);
    held("fn run(ctx) { [3600].map(\"sleep\"); }", FailureKind::Script);
}

#[test]
fn deep_recursion_is_stopped() {
    held("fn run(ctx) { run(ctx) }", FailureKind::Limit);
    held("fn f(x) { g(x + 1) } fn g(x) { f(x + 1) } fn run(ctx) { f(1) }", FailureKind::Limit);
}

#[test]
fn giant_values_are_stopped() {
    held("fn run(ctx) { let s = \"x\"; loop { s += s; } }", FailureKind::Limit);
    held("fn run(ctx) { let s = \"x\"; s.pad(100000000, 'y'); }", FailureKind::Limit);
    held("fn run(ctx) { let a = [1]; loop { a += a; } }", FailureKind::Limit);
    held("fn run(ctx) { let a = []; a.pad(100000000, 1); }", FailureKind::Limit);
    held("fn run(ctx) { let a = [[]]; loop { a.push(a); } }", FailureKind::Limit);
    let map = "fn run(ctx) { let m = #{}; for i in 0..10000000 { m[`${i}`] = i; } }";
    held(map, FailureKind::Limit);
}

#[test]
fn too_many_or_too_long_findings_are_an_error() {
    let answer =
        held("fn run(ctx) { for i in 0..1000 { pass(\"a\", \"b\"); } }", FailureKind::Script);
    assert_eq!(answer.judgement.findings.len(), 501);
    let long = "fn run(ctx) { let s = \"x\"; s.pad(1001, 'y'); pass(\"a\", s); }";
    held(long, FailureKind::Script);
    held("fn run(ctx) { pass(\"\", \"text\"); }", FailureKind::Script);
    held("fn run(ctx) { pass(\"a\", \"text\", [1]); }", FailureKind::Script);
}

#[test]
fn what_a_rule_must_not_do_does_not_compile() {
    let scripts = [
        "fn run(ctx) { eval(\"1\") }",
        "import \"other\" as o; fn run(ctx) { }",
        "fn run(ctx) { import \"/etc/passwd\" as p; }",
        "fn run(ctx) { let f = Fn(\"sleep\"); }",
        "fn run(ctx) { try { date_add(\"x\", 1); } catch { pass(\"a\", \"b\"); } }",
        "fn run(ctx) { let f = |x| x; }",
        "fn run(ctx) { let x = 1; let x = 2; }",
        "fn run(ctx) { unknown_variable }",
        "fn run(ctx) { let x = ; }",
    ];
    for script in scripts {
        let found = refused(script);
        assert_eq!((found.file.as_str(), found.line), ("t/r.rhai", 1), "{script}: {found}");
        assert!(found.column > 0, "{script}: {found}");
    }
    let deep = format!("fn run(ctx) {{ {}1{} }}", "(1+".repeat(60), ")".repeat(60));
    refused(&deep);
    let many: String = (0..200).map(|i| format!("fn f{i}() {{}}\n")).collect();
    refused(&format!("{many} fn run(ctx) {{}}"));
    refused(&format!("fn run(ctx) {{ }} //{}", "x".repeat(70_000)));
}

#[test]
fn eval_is_out_of_reach_by_name_too() {
    held("fn run(ctx) { [\"1\"].map(\"eval\"); }", FailureKind::Script);
    held("fn run(ctx) { timestamp(); }", FailureKind::Script);
}

#[test]
fn failures_of_the_script_hold_with_line_and_reason() {
    let cases = [
        ("fn run(ctx) {\n pass(\"a\", \"b\");\n ctx.missing }", 3),
        ("fn run(ctx) {\n\n 1 / 0 }", 3),
        ("fn run(ctx) {\n dec(\"1\") / dec(\"0\") }", 2),
        ("fn run(ctx) {\n dec(\"79228162514264337593543950335\") + dec(\"1\") }", 2),
        ("fn run(ctx) {\n dec(\"NA\") }", 2),
        ("fn run(ctx) {\n no_such_function(1) }", 2),
        ("fn run(ctx) {\n throw \"no\" }", 2),
        ("fn run(ctx) {\n days_between(\"2026-02-30\", \"2026-03-01\") }", 2),
        ("fn run(ctx) {\n date_add(\"2026-01-01\", 9223372036854775807) }", 2),
        ("fn run(ctx) {\n limit_for(\"a\", \"b\", \"c\", \"2026-01-01\") }", 2),
    ];
    for (script, line) in cases {
        let answer = held(script, FailureKind::Script);
        assert_eq!(answer.error.clone().unwrap().line, line, "{script}: {:?}", answer.error);
        assert!(answer.judgement.findings.last().unwrap().text.contains("不能据此放行"));
    }
}

#[test]
fn a_deny_before_an_error_stays_a_deny() {
    let answer = run("fn run(ctx) { deny(\"a\", \"b\"); ctx.missing }");
    assert!(answer.error.is_some());
    assert_eq!(answer.judgement.verdict, Verdict::Deny);
}

#[test]
fn silence_is_not_consent() {
    held("fn run(ctx) { }", FailureKind::NoFinding);
    held("fn run(ctx) { true }", FailureKind::NoFinding);
}

#[test]
fn an_unknown_rule_holds() {
    let answer = set("fn run(ctx) { pass(\"a\", \"b\"); }").unwrap().evaluate("t/other", json!({}));
    assert_eq!(answer.error.unwrap().kind, FailureKind::UnknownRule);
    assert_eq!(answer.judgement.verdict, Verdict::Hold);
}

#[test]
fn inputs_that_cannot_be_held_exactly_hold() {
    let rules = set("fn run(ctx) { pass(\"a\", \"b\"); }").unwrap();
    let deep = (0..100).fold(json!(1), |inner, _| json!({ "x": inner }));
    for input in [deep, json!({ "x": 1e300 }), json!({ "x": vec![0; 200_000] })] {
        let answer = rules.evaluate("t/r", input);
        assert_eq!(answer.error.unwrap().kind, FailureKind::Input);
        assert_eq!(answer.judgement.verdict, Verdict::Hold);
    }
    for input in [json!(null), json!([]), json!("text"), json!(7)] {
        assert_eq!(rules.evaluate("t/r", input).judgement.verdict, Verdict::Pass);
    }
}

#[test]
fn findings_carry_the_line_that_made_them() {
    let answer =
        run("fn run(ctx) {\n  pass(\"a\", \"一\", [\"lot/1\"]);\n  hold(\"b\", \"二\");\n}");
    let lines: Vec<u32> = answer.judgement.findings.iter().map(|f| f.line).collect();
    assert_eq!(lines, [2, 3]);
    assert_eq!(answer.judgement.findings[0].evidence, ["lot/1"]);
    assert_eq!(answer.judgement.verdict, Verdict::Hold);
    assert!(answer.ops > 0 && answer.error.is_none());
}

#[test]
fn decimals_and_dates_are_exact() {
    let script = r#"fn run(ctx) {
        if dec("0.1") + dec("0.2") != dec("0.3") { deny("sum", "x"); }
        if dec("49.96") >= dec("50") { deny("order", "x"); }
        if days_between("2024-02-28", "2024-03-01") != 2 { deny("leap", "x"); }
        if date_add("2026-12-31", 1) != "2027-01-01" { deny("year", "x"); }
        if date_add("2026-03-01", -1) != "2026-02-28" { deny("back", "x"); }
        if is_date("2026-1-1") || is_date("2026-11-20T08:00") || is_date(()) { deny("date", "x"); }
        if is_dec("NA") || is_dec("") || is_dec(" 1") || is_dec("1e3") || is_dec(()) { deny("dec", "x"); }
        if ctx.number != dec("49.96") { deny("number", `${ctx.number}`); }
        pass("all", "x");
    }"#;
    let answer = set(script).unwrap().evaluate("t/r", json!({ "number": 49.96 }));
    assert_eq!(answer.judgement.verdict, Verdict::Pass, "{:?}", answer.judgement.findings);
}

#[test]
fn the_same_input_gives_the_same_answer_on_every_thread() {
    let rules = Arc::new(RuleSet::shipped().unwrap());
    let input = issue_input();
    let first = rules.evaluate("certificate/issue", input.clone());
    let handles: Vec<_> = (0..4)
        .map(|_| {
            let (rules, input) = (Arc::clone(&rules), input.clone());
            std::thread::spawn(move || {
                (0..20).map(|_| rules.evaluate("certificate/issue", input.clone())).collect()
            })
        })
        .collect();
    for handle in handles {
        let answers: Vec<Evaluation> = handle.join().unwrap();
        for answer in answers {
            assert_eq!(answer.judgement, first.judgement);
            assert_eq!(answer.ops, first.ops);
        }
    }
}

#[test]
fn a_failed_evaluation_leaves_the_set_usable() {
    let rules = set("fn run(ctx) { if ctx.bad { loop { } } pass(\"a\", \"b\"); }").unwrap();
    assert!(rules.evaluate("t/r", json!({ "bad": true })).error.is_some());
    assert_eq!(rules.evaluate("t/r", json!({ "bad": false })).judgement.verdict, Verdict::Pass);
}

#[test]
fn the_revision_covers_script_metadata_and_data() {
    let shipped = RuleSet::shipped().unwrap();
    let before = shipped.revision("testing/judge").unwrap().to_owned();
    assert_eq!(before.len(), 64);
    let changed = |path: &str, from: &str, to: &str| {
        let mut files = shipped.files().clone();
        let text = files.get_mut(path).unwrap();
        assert!(text.contains(from), "{path}");
        *text = text.replacen(from, to, 1);
        let set = RuleSet::from_files(files, Limits::default()).unwrap();
        set.revision("testing/judge").unwrap().to_owned()
    };
    assert_ne!(changed("testing/judge.rhai", "// ", "//  "), before);
    assert_ne!(changed("testing/judge.toml", "判定", "评判"), before);
    assert_ne!(changed("data/methods.toml", "\"50\"", "\"51\""), before);
    assert_ne!(changed("data/banned.toml", "2026-06-01", "2026-07-01"), before);
    // Cases do not change what a rule says.
    assert_eq!(changed("testing/judge.cases.toml", "plainly", "clearly"), before);
}

#[test]
fn changed_data_changes_the_answer() {
    let mut files = RuleSet::shipped().unwrap().files().clone();
    let methods = files.get_mut("data/methods.toml").unwrap();
    *methods = methods.replace("positive_from = \"50\"", "positive_from = \"10\"");
    let rules = RuleSet::from_files(files, Limits::default()).unwrap();
    let report = rules.run_cases("testing/judge");
    assert!(!report.ok() && report.failed.iter().any(|f| f.case == "plainly below the threshold"));
}

#[test]
fn broken_packs_are_refused_with_their_place() {
    let base = RuleSet::shipped().unwrap().files().clone();
    let broken = |path: &str, text: &str| {
        let mut files = base.clone();
        files.insert(path.into(), text.into());
        let Err(found) = RuleSet::from_files(files, Limits::default()) else {
            panic!("accepted {path}");
        };
        found.into_iter().find(|d| d.severity == Severity::Error).unwrap()
    };
    let at = broken("data/banned.toml", "[about]\ntitle = 3\n");
    assert_eq!((at.file.as_str(), at.line, at.column), ("data/banned.toml", 2, 9));
    assert_eq!(broken("data/unknown.toml", "").file, "data/unknown.toml");
    assert_eq!(broken("testing/judge.toml", METADATA).file, "testing/judge.toml");
    assert_eq!(broken("testing/judge.cases.toml", "input = '{'").file, "testing/judge.cases.toml");
    assert_eq!(broken("testing/juge.cases.toml", "").file, "testing/juge.cases.toml");
    assert_eq!(broken("new/rule.rhai", "fn run(ctx) { }").file, "new/rule.toml");

    let open = METADATA.replace("\"hold\"", "\"pass\"");
    let files = Files::from([
        ("t/r.rhai".to_owned(), "fn run(ctx) { }".to_owned()),
        ("t/r.toml".to_owned(), open),
    ]);
    assert!(RuleSet::from_files(files, Limits::default()).is_err(), "fails open");

    let mut files = base.clone();
    files.remove("data/limits.toml");
    let found = RuleSet::from_files(files, Limits::default()).err().unwrap();
    assert!(found.iter().any(|d| d.message.contains("data/limits.toml")));
    assert!(RuleSet::from_files(Files::new(), Limits::default()).is_err(), "empty pack");
}

#[test]
fn an_entry_function_that_is_not_there_is_refused() {
    assert!(refused("fn other(ctx) { }").message.contains("run(ctx)"));
    assert!(refused("fn run() { }").message.contains("run(ctx)"));
}

#[test]
fn rules_without_cases_are_named_and_fail_the_run() {
    let rules = set("fn run(ctx) { pass(\"a\", \"b\"); }").unwrap();
    assert!(rules.check().iter().any(|d| d.message.contains("no cases")));
    assert!(!rules.run_cases("").ok());
}

#[test]
fn folders_are_read_without_following_links() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("t")).unwrap();
    for (path, text) in pack("fn run(ctx) { pass(\"a\", \"b\"); }") {
        std::fs::write(dir.path().join(path), text).unwrap();
    }
    assert!(RuleSet::load(dir.path()).is_ok());
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("t/x.toml")).unwrap();
        assert!(RuleSet::load(dir.path()).is_ok());
    }
    let missing = RuleSet::load(dir.path().join("missing")).err().unwrap();
    assert!(missing[0].message.contains("missing"));
}

#[test]
fn cases_notice_every_kind_of_difference() {
    let cases = r#"
input = '{"x": {"y": [1]}}'
[[case]]
name = "right"
verdict = "deny"
findings = [{ item = "a", verdict = "deny", text = "bc" }]
[[case]]
name = "wrong verdict"
verdict = "pass"
findings = [{ item = "a", verdict = "deny" }]
[[case]]
name = "reason not listed"
verdict = "deny"
[[case]]
name = "other text"
verdict = "deny"
findings = [{ item = "a", verdict = "deny", text = "zzz" }]
[[case]]
name = "should be absent"
verdict = "deny"
findings = [{ item = "a", verdict = "deny" }]
absent = ["p"]
[[case]]
name = "no such place"
set = { "x.z.q" = 1 }
verdict = "deny"
"#;
    let mut files = pack("fn run(ctx) { pass(\"p\", \"q\"); deny(\"a\", \"bcd\"); }");
    files.insert("t/r.cases.toml".into(), cases.into());
    let report = RuleSet::from_files(files, Limits::default()).unwrap().run_cases("t/");
    assert_eq!(report.passed, 1);
    let names: Vec<&str> = report.failed.iter().map(|f| f.case.as_str()).collect();
    let wrong =
        ["wrong verdict", "reason not listed", "other text", "should be absent", "no such place"];
    assert_eq!(names, wrong);
}

fn issue_input() -> Value {
    json!({
        "form": "producer-2026", "issued_on": "2026-11-20", "basis": ["quality_control"],
        "operator": { "id": "o", "name": "示例", "kind": "farmer", "status": "approved" },
        "product": { "id": "p", "name": "辣椒", "class": "vegetable", "crop": "" },
        "lot": { "id": "l", "no": "L1", "harvested_on": "2026-11-19", "quantity": "1",
                 "unit": "公斤", "status": "open", "mixed": false },
        "activities": [{ "id": "a", "kind": "harvest", "date": "2026-11-19", "stop": null, "input": null }],
        "tests": []
    })
}
