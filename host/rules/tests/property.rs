//! The inhibition verdict is exactly the comparison of decimals, for any number a device may send.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::OnceLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use tianyin_domain::{Decimal, Verdict};
use tianyin_rules::RuleSet;

fn rules() -> &'static RuleSet {
    static RULES: OnceLock<RuleSet> = OnceLock::new();
    RULES.get_or_init(|| RuleSet::shipped().unwrap())
}

fn input(num: &str, op: &str, standard: &str) -> Value {
    json!({
        "measurement": {
            "sample": { "name": "" }, "method": "enzyme_inhibition",
            "item": { "code": "", "name": "" },
            "value": { "num": num, "unit": "%", "kind": "inhibition_rate", "op": op },
            "raw": { "control_delta_a": "" }, "limit": { "basis": standard },
            "device_verdict": null, "blank": false
        },
        "product": null, "sampled_on": null, "config": null
    })
}

fn verdict(num: &str, op: &str, standard: &str) -> Verdict {
    let answer = rules().evaluate("testing/judge", input(num, op, standard));
    assert_eq!(answer.error, None, "{num}");
    answer.judgement.verdict
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn verdict_is_exact_decimal_comparison(
        mantissa in -200_000_000_000i64..200_000_000_000,
        scale in 0u32..10,
        near in any::<bool>(),
        strict in any::<bool>(),
    ) {
        let (standard, threshold) = if strict { ("GB/T 5009.199-2003", 50) } else { ("NY/T 448-2001", 70) };
        let threshold = Decimal::from(threshold);
        // Half of the numbers lie within a hair of the threshold.
        let value = if near {
            threshold + Decimal::new(mantissa % 100, 9)
        } else {
            Decimal::new(mantissa, scale)
        };
        let positive = value >= threshold;
        let text = value.to_string();
        let expected = if positive { Verdict::Deny } else { Verdict::Pass };
        prop_assert_eq!(verdict(&text, "=", standard), expected);
        // "<" passes only when everything below lies below; ">" only denies.
        let less = if value <= threshold { Verdict::Pass } else { Verdict::Hold };
        prop_assert_eq!(verdict(&text, "<", standard), less);
        let greater = if positive { Verdict::Deny } else { Verdict::Hold };
        prop_assert_eq!(verdict(&text, ">", standard), greater);
    }

    #[test]
    fn whatever_text_a_device_sends_it_never_passes_unless_it_is_a_decimal(text in "\\PC{0,12}") {
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.".contains(&b));
        if !(plain && Decimal::from_str_exact(&text).is_ok()) {
            prop_assert_eq!(verdict(&text, "=", ""), Verdict::Hold);
        }
    }
}
