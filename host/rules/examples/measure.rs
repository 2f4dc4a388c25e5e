//! Time of one `certificate/issue` decision with 50 activities, as JSON.
//!
//! `cargo run -p tianyin-rules --example measure`

use std::time::Instant;

use serde_json::{Value, json};
use tianyin_rules::RuleSet;

const ROUNDS: usize = 500;

fn main() -> Result<(), String> {
    let started = Instant::now();
    let rules = RuleSet::shipped().map_err(|found| format!("{found:?}"))?;
    let load_micros = started.elapsed().as_micros();
    let input = input();
    let mut micros = Vec::with_capacity(ROUNDS);
    let mut last = rules.evaluate("certificate/issue", input.clone());
    for _ in 0..ROUNDS {
        last = rules.evaluate("certificate/issue", input.clone());
        micros.push(last.micros);
    }
    micros.sort_unstable();
    let at = |percent: usize| micros.get(ROUNDS * percent / 100).copied().unwrap_or(0);
    println!(
        "{}",
        json!({
            "rule": "certificate/issue", "activities": 50, "rounds": ROUNDS,
            "load_us": u64::try_from(load_micros).unwrap_or(u64::MAX),
            "p50_us": at(50), "p99_us": at(99), "ops": last.ops,
            "verdict": last.judgement.verdict, "findings": last.judgement.findings.len(),
        })
    );
    Ok(())
}

fn input() -> Value {
    let substances = ["辛硫磷", "敌百虫", "抗蚜威", "马拉硫磷"];
    let mut activities: Vec<Value> = (0..49)
        .map(|at: usize| {
            let substance = substances[at % substances.len()];
            json!({
                "id": format!("act_{at}"), "kind": "treatment",
                "date": format!("2026-{:02}-{:02}", 5 + at / 25, 1 + at % 25), "stop": null,
                "input": { "name": format!("{substance}乳油"), "kind": "pesticide",
                           "substances": [substance], "interval_days": 7 }
            })
        })
        .collect();
    activities.push(json!({
        "id": "act_h", "kind": "harvest", "date": "2026-11-19", "stop": null, "input": null
    }));
    json!({
        "form": "producer-2026", "issued_on": "2026-11-20", "basis": ["self_test", "quality_control"],
        "operator": { "id": "opr_1", "name": "示例合作社", "kind": "cooperative", "status": "approved" },
        "product": { "id": "prd_1", "name": "辣椒", "class": "vegetable", "crop": "辣椒" },
        "lot": { "id": "lot_1", "no": "L20261119-0001", "harvested_on": "2026-11-19",
                 "quantity": "200", "unit": "公斤", "status": "open", "mixed": false },
        "activities": activities,
        "tests": [{ "id": "tst_1", "verdict": "pass", "method": "enzyme_inhibition",
                    "item_code": "pesticide_op_carb", "item_name": "有机磷和氨基甲酸酯类农药",
                    "substances": [], "tested_on": "2026-11-19", "conducted_by": "self" }]
    })
}
