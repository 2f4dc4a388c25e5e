//! From a guest's answer to the domain's types. A guest is not trusted: every text is bounded and
//! every number, time and position is checked. An error says which field of which result is bad.

use tianyin_domain::measurement as domain;
use tianyin_domain::{Decimal, Time};

use crate::abi::results as abi;
use crate::call::cut;
use crate::host::{Decoded, Problem};

/// Most results of one message.
pub const MEASUREMENTS_MAX: usize = 20_000;
/// Most problems of one message.
pub const PROBLEMS_MAX: usize = 20_000;

const ID_CHARS_MAX: usize = 128;
const FIELD_CHARS_MAX: usize = 200;
const NUMBER_CHARS_MAX: usize = 32;
const GEO_CHARS_MAX: usize = 2000;
const REASON_CHARS_MAX: usize = 64;
const TEXT_CHARS_MAX: usize = 500;

/// Checks and converts an answer to a message of `input_len` bytes.
pub(crate) fn decoded(answer: abi::Decoded, input_len: usize) -> Result<Decoded, String> {
    at_most(answer.measurements.len(), MEASUREMENTS_MAX, "results")?;
    at_most(answer.problems.len(), PROBLEMS_MAX, "problems")?;
    let measurements = answer.measurements.into_iter().enumerate();
    let measurements =
        measurements.map(|(i, m)| measurement(m).map_err(|why| format!("result {i}: {why}")));
    let problems = answer.problems.into_iter().enumerate();
    let problems =
        problems.map(|(i, p)| problem(p, input_len).map_err(|why| format!("problem {i}: {why}")));
    Ok(Decoded {
        measurements: measurements.collect::<Result<_, _>>()?,
        problems: problems.collect::<Result<_, _>>()?,
        announced: answer.announced_count,
        logs: Vec::new(),
    })
}

fn at_most(count: usize, max: usize, what: &str) -> Result<(), String> {
    if count > max { Err(format!("{count} {what}, at most {max} are allowed")) } else { Ok(()) }
}

fn measurement(m: abi::Measurement) -> Result<domain::Measurement, String> {
    if m.msg_id.trim().is_empty() {
        return Err("msg-id is empty".into());
    }
    Ok(domain::Measurement {
        v: 1,
        msg_id: text("msg-id", m.msg_id, ID_CHARS_MAX)?,
        device: domain::DeviceInfo {
            sn: field("device.sn", m.device.sn)?,
            model: field("device.model", m.device.model)?,
            vendor: field("device.vendor", m.device.vendor)?,
            fw: field("device.fw", m.device.fw)?,
        },
        record_no: m.record_no,
        channel: m.channel,
        kind: match m.kind {
            abi::ResultKind::Initial => domain::ResultKind::Initial,
            abi::ResultKind::Retest => domain::ResultKind::Retest,
        },
        retest_of: m.retest_of.map(|id| text("retest-of", id, ID_CHARS_MAX)).transpose()?,
        sample: sample(m.sample)?,
        method: match m.method {
            abi::Method::EnzymeInhibition => domain::Method::EnzymeInhibition,
            abi::Method::ColloidalGold => domain::Method::ColloidalGold,
            abi::Method::Elisa => domain::Method::Elisa,
            abi::Method::Other => domain::Method::Other,
        },
        item: domain::Item {
            code: field("item.code", m.item.code)?,
            name: field("item.name", m.item.name)?,
        },
        value: value(m.value)?,
        lod: String::new(),
        loq: String::new(),
        report_no: String::new(),
        raw: readings(m.raw)?,
        limit: domain::DeviceLimit {
            num: decimal("limit.num", m.limit.num)?,
            unit: field("limit.unit", m.limit.unit)?,
            basis: field("limit.basis", m.limit.basis)?,
        },
        device_verdict: m.device_verdict.map(verdict),
        tested_at: m.tested_at.map(|at| time("tested-at", &at)).transpose()?,
        clock: m
            .clock
            .map(|c| domain::DeviceClock { synced: c.synced, uptime_ms: c.uptime_ms })
            .unwrap_or_default(),
        operator: domain::Person {
            id: field("operator.id", m.operator.id)?,
            name: field("operator.name", m.operator.name)?,
        },
        blank: m.blank,
        geo: geo(m.geo)?,
    })
}

fn sample(s: abi::Sample) -> Result<domain::Sample, String> {
    Ok(domain::Sample {
        no: field("sample.no", s.no)?,
        name: field("sample.name", s.name)?,
        batch_code: field("sample.batch-code", s.batch_code)?,
        unit_under_test: field("sample.unit-under-test", s.unit_under_test)?,
        stall: field("sample.stall", s.stall)?,
    })
}

fn value(v: abi::Value) -> Result<domain::Value, String> {
    let kind = match v.kind {
        abi::ValueKind::InhibitionRate => domain::ValueKind::InhibitionRate,
        abi::ValueKind::Concentration => domain::ValueKind::Concentration,
        abi::ValueKind::Qualitative => domain::ValueKind::Qualitative,
    };
    let num = match kind {
        domain::ValueKind::Qualitative
            if !matches!(v.num.as_str(), "" | "negative" | "positive" | "invalid") =>
        {
            return Err(format!(
                "value.num {:?} is none of negative, positive, invalid",
                cut(&v.num, 40)
            ));
        }
        domain::ValueKind::Qualitative => v.num,
        _ => decimal("value.num", v.num)?,
    };
    let op = match v.op {
        abi::Qualifier::Equal => domain::Qualifier::Equal,
        abi::Qualifier::Less => domain::Qualifier::Less,
        abi::Qualifier::Greater => domain::Qualifier::Greater,
    };
    Ok(domain::Value { num, unit: text("value.unit", v.unit, 16)?, kind, op })
}

fn readings(r: abi::RawReadings) -> Result<domain::RawReadings, String> {
    Ok(domain::RawReadings {
        absorbance: field("raw.absorbance", r.absorbance)?,
        delta_a: field("raw.delta-a", r.delta_a)?,
        control_delta_a: field("raw.control-delta-a", r.control_delta_a)?,
        ct_ratio: field("raw.ct-ratio", r.ct_ratio)?,
    })
}

fn verdict(verdict: abi::DeviceVerdict) -> domain::DeviceVerdict {
    match verdict {
        abi::DeviceVerdict::Pass => domain::DeviceVerdict::Pass,
        abi::DeviceVerdict::Fail => domain::DeviceVerdict::Fail,
        abi::DeviceVerdict::Suspect => domain::DeviceVerdict::Suspect,
        abi::DeviceVerdict::Invalid => domain::DeviceVerdict::Invalid,
    }
}

fn problem(p: abi::Problem, input_len: usize) -> Result<Problem, String> {
    let end = u64::from(p.offset) + u64::from(p.length);
    if end > input_len as u64 {
        return Err(format!("bytes {}..{end} of a message of {input_len}", p.offset));
    }
    let in_snake_case = p
        .reason
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if p.reason.is_empty() || p.reason.len() > REASON_CHARS_MAX || !in_snake_case {
        return Err(format!("reason {:?} is not a code in snake_case", cut(&p.reason, 40)));
    }
    // Only for reading, so it is cut where a value would be refused.
    Ok(Problem {
        offset: p.offset,
        length: p.length,
        reason: p.reason,
        text: cut(&p.text, TEXT_CHARS_MAX),
    })
}

fn field(name: &str, value: String) -> Result<String, String> {
    text(name, value, FIELD_CHARS_MAX)
}

fn text(name: &str, value: String, chars_max: usize) -> Result<String, String> {
    if value.chars().count() > chars_max {
        return Err(format!("{name} has more than {chars_max} characters"));
    }
    if value.chars().any(char::is_control) {
        return Err(format!("{name} has control characters: {:?}", cut(&value, 40)));
    }
    Ok(value)
}

/// A plain decimal or nothing: no exponent, no digit groups, no sign but a leading minus.
fn decimal(name: &str, value: String) -> Result<String, String> {
    let value = text(name, value, NUMBER_CHARS_MAX)?;
    let plain = value.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'));
    if value.is_empty() || (plain && value.parse::<Decimal>().is_ok()) {
        return Ok(value);
    }
    Err(format!("{name} {value:?} is not a decimal number"))
}

fn time(name: &str, value: &str) -> Result<Time, String> {
    value
        .parse()
        .map_err(|_| format!("{name} {:?} is not an RFC 3339 time with offset", cut(value, 40)))
}

fn geo(value: String) -> Result<serde_json::Value, String> {
    if value.is_empty() {
        return Ok(serde_json::Value::Null);
    }
    if value.len() > GEO_CHARS_MAX {
        return Err(format!("geo has more than {GEO_CHARS_MAX} bytes"));
    }
    serde_json::from_str(&value).map_err(|error| format!("geo is not JSON: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn sound() -> abi::Measurement {
        let unknown = String::new;
        abi::Measurement {
            msg_id: "261121-090007-1".into(),
            device: abi::DeviceInfo {
                sn: unknown(),
                model: unknown(),
                vendor: unknown(),
                fw: unknown(),
            },
            record_no: Some(1),
            channel: None,
            kind: abi::ResultKind::Initial,
            retest_of: None,
            sample: abi::Sample {
                no: unknown(),
                name: "菠菜".into(),
                batch_code: unknown(),
                unit_under_test: unknown(),
                stall: unknown(),
            },
            method: abi::Method::EnzymeInhibition,
            item: abi::Item { code: unknown(), name: unknown() },
            value: abi::Value {
                num: "-0.05".into(),
                unit: "%".into(),
                kind: abi::ValueKind::InhibitionRate,
                op: abi::Qualifier::Equal,
            },
            raw: abi::RawReadings {
                absorbance: unknown(),
                delta_a: unknown(),
                control_delta_a: unknown(),
                ct_ratio: unknown(),
            },
            limit: abi::DeviceLimit { num: unknown(), unit: unknown(), basis: unknown() },
            device_verdict: Some(abi::DeviceVerdict::Suspect),
            tested_at: Some("2026-11-21T09:00:07+08:00".into()),
            clock: None,
            operator: abi::Person { id: unknown(), name: unknown() },
            blank: false,
            geo: r#"{"lat":27.7}"#.into(),
        }
    }

    fn changed(change: impl FnOnce(&mut abi::Measurement)) -> Result<domain::Measurement, String> {
        let mut m = sound();
        change(&mut m);
        measurement(m)
    }

    #[test]
    fn a_sound_result_keeps_all_it_says() {
        let m = measurement(sound()).unwrap();
        assert_eq!((m.v, m.msg_id.as_str(), m.record_no), (1, "261121-090007-1", Some(1)));
        assert_eq!((m.value.num.as_str(), m.sample.name.as_str()), ("-0.05", "菠菜"));
        assert_eq!(m.device_verdict, Some(domain::DeviceVerdict::Suspect));
        assert_eq!(m.tested_at.unwrap().to_string(), "2026-11-21T01:00:07Z");
        assert_eq!(m.geo, serde_json::json!({"lat": 27.7}));
    }

    #[test]
    fn a_bad_field_is_named() {
        let long = "字".repeat(300);
        let bad: [(&str, Result<domain::Measurement, String>); 15] = [
            ("msg-id", changed(|m| m.msg_id = " ".into())),
            ("msg-id", changed(|m| m.msg_id = "1".repeat(129))),
            ("retest-of", changed(|m| m.retest_of = Some("a\nb".into()))),
            ("sample.name", changed(|m| m.sample.name = long.clone())),
            ("device.sn", changed(|m| m.device.sn = "\0".into())),
            ("value.num", changed(|m| m.value.num = "1e3".into())),
            ("value.num", changed(|m| m.value.num = "1_000".into())),
            ("value.num", changed(|m| m.value.num = "+5".into())),
            ("value.num", changed(|m| m.value.num = "9".repeat(31))),
            ("value.num", changed(|m| m.value.kind = abi::ValueKind::Qualitative)),
            ("limit.num", changed(|m| m.limit.num = "fifty".into())),
            ("tested-at", changed(|m| m.tested_at = Some("2026-11-21 09:00:07".into()))),
            ("tested-at", changed(|m| m.tested_at = Some("2026-13-21T09:00:07+08:00".into()))),
            ("geo", changed(|m| m.geo = "{".into())),
            ("geo", changed(|m| m.geo = format!("\"{}\"", "x".repeat(3000)))),
        ];
        for (field, result) in bad {
            let error = result.expect_err(field);
            assert!(error.starts_with(field), "{field}: {error}");
        }
    }

    #[test]
    fn too_many_results_are_refused() {
        let answer = |count| abi::Decoded {
            measurements: vec![sound(); count],
            problems: vec![],
            announced_count: None,
        };
        assert_eq!(decoded(answer(3), 10).unwrap().measurements.len(), 3);
        assert!(decoded(answer(MEASUREMENTS_MAX + 1), 10).unwrap_err().contains("20001 results"));
    }

    #[test]
    fn a_problem_must_lie_inside_the_message() {
        let at = |offset, length, reason: &str| {
            problem(
                abi::Problem { offset, length, reason: reason.into(), text: "t".repeat(600) },
                10,
            )
        };
        assert_eq!(at(4, 6, "crc").unwrap().text.chars().count(), 501);
        assert!(at(4, 7, "crc").is_err());
        assert!(at(u32::MAX, u32::MAX, "crc").is_err());
        for reason in ["", "Bad", "no blank", &"x".repeat(65)] {
            assert!(at(0, 0, reason).is_err(), "{reason}");
        }
    }
}
