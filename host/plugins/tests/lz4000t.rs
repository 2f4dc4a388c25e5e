//! The first-party decoder as it is really built and packed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use common::{built, decode, decode_with};
use tianyin_domain::measurement::{Method, ValueKind};
use tianyin_plugins::{Failure, HostOptions, Package, Plugin, PluginHost};

const ID: &str = "analyzer-lz4000t";

fn host() -> PluginHost {
    PluginHost::new(HostOptions::default()).unwrap()
}

/// Compiled once for all tests.
fn loaded() -> &'static (Package, Plugin) {
    static LOADED: OnceLock<(Package, Plugin)> = OnceLock::new();
    LOADED.get_or_init(|| {
        let package = built(ID);
        let plugin = host().load(&package).unwrap();
        (package, plugin)
    })
}

fn case(package: &Package, name: &str) -> Vec<u8> {
    package.cases.iter().find(|case| case.name == name).expect("case").input.clone()
}

#[test]
fn its_own_cases_pass_in_the_host() {
    let package = built(ID);
    assert!(package.cases.len() >= 5);
    let plugin = host().load_tested(&package).unwrap();
    assert!(plugin.run_cases(&package.cases).iter().all(|outcome| outcome.failure.is_none()));
}

#[test]
fn a_day_becomes_canonical_results() {
    let (package, plugin) = loaded();
    let decoded = decode(plugin, &case(package, "day")).unwrap();
    assert_eq!((decoded.measurements.len(), decoded.announced), (3, Some(3)));
    assert!(decoded.problems.is_empty() && decoded.logs.is_empty());
    let result = &decoded.measurements[1];
    assert_eq!(
        (result.method, result.value.kind),
        (Method::EnzymeInhibition, ValueKind::InhibitionRate)
    );
    assert_eq!(result.value.decimal().unwrap().to_string(), "50.00");
    assert_eq!(result.tested_at.unwrap().to_string(), "2026-11-21T01:12:30Z");
    assert_eq!((result.device_verdict, result.limit.num.as_str()), (None, ""));
}

#[test]
fn damage_is_survived_and_reported() {
    let (package, plugin) = loaded();
    let decoded = decode(plugin, &case(package, "line-noise")).unwrap();
    let numbers: Vec<_> = decoded.measurements.iter().map(|m| m.record_no.unwrap()).collect();
    let reasons: Vec<_> = decoded.problems.iter().map(|p| p.reason.as_str()).collect();
    assert_eq!(numbers, [1, 3]);
    assert_eq!(reasons, ["missing_records", "garbage", "doubled_start", "crc", "truncated"]);
}

#[test]
fn settings_and_size_are_checked_before_the_guest_runs() {
    let (package, plugin) = loaded();
    let bytes = case(package, "unsigned");
    let num = |settings: &[(&str, &str)]| {
        decode_with(plugin, &bytes, settings).map(|d| d.measurements[0].value.num.clone())
    };
    assert_eq!(num(&[]).unwrap(), "-0.05");
    assert_eq!(num(&[("signed", "false")]).unwrap(), "655.31");
    assert!(num(&[("signed", "maybe")]).unwrap_err().to_string().contains("signed"));
    assert!(num(&[("sined", "true")]).unwrap_err().to_string().contains("sined"));
    let error = decode(plugin, &vec![0; (1 << 20) + 1]).unwrap_err();
    assert!(matches!(error.failure, Failure::InputTooLarge { .. }), "{error}");
    assert_eq!(
        decode(plugin, &[]).unwrap_err().failure,
        Failure::Refused("the message is empty".into())
    );
}

#[test]
fn the_largest_message_is_decoded_within_the_limits() {
    let (package, plugin) = loaded();
    let frame = &case(package, "clock-not-set")[..26];
    let decoded = decode(plugin, &frame.repeat((64 << 10) / 26)).unwrap();
    assert_eq!(decoded.measurements.len(), 2520);
    // Noise of the worst kind: every byte may start a frame.
    let noise = decode(plugin, &[0x7E, 0x11].repeat(32 << 10)).unwrap();
    assert!(noise.measurements.is_empty() && !noise.problems.is_empty());
}

#[test]
fn many_calls_run_at_once() {
    let package = built(ID);
    let options = HostOptions { calls_max: 4, ..HostOptions::default() };
    let plugin = PluginHost::new(options).unwrap().load(&package).unwrap();
    let bytes = case(&package, "day");
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(decode(&plugin, &bytes).unwrap().measurements.len(), 3);
                }
            });
        }
    });
}

#[test]
fn damaged_components_are_refused_or_run_but_never_take_the_host_down() {
    let package = built(ID);
    let host = host();
    let sound = package.wasm();
    let mut refused = 0;
    for step in 0..12usize {
        let mut wasm = sound.to_vec();
        let at = 8 + (step * 7919 * 13) % (wasm.len() - 8);
        wasm[at] ^= 1 << (step % 8);
        match host.load(&common::package(&wasm, "")) {
            Err(error) => {
                assert!(matches!(error.failure, Failure::Component(_)), "{error}");
                refused += 1;
            }
            Ok(plugin) => drop(decode(&plugin, &[0x7E])),
        }
    }
    assert!(host.load(&common::package(&sound[..sound.len() / 2], "")).is_err());
    assert!(refused > 0);
    decode(&host.load(&package).unwrap(), &[0x7E]).unwrap();
}

#[test]
fn settings_form_is_complete() {
    let manifest = built(ID).manifest;
    assert_eq!(
        manifest.settings_with_defaults(&BTreeMap::new()).unwrap(),
        [("signed".to_owned(), "true".to_owned())]
    );
    assert!(!manifest.title.zh.is_empty());
}

#[test]
fn without_room_for_the_pool_it_works_all_the_same() {
    // 64 memories of 4 TiB do not fit into 47 bits of addresses.
    let options = HostOptions { memory_bytes_max: 1 << 42, ..HostOptions::default() };
    let host = PluginHost::new(options).unwrap();
    assert!(!host.is_pooled());
    let (package, _) = loaded();
    let plugin = host.load_tested(package).unwrap();
    assert_eq!(decode(&plugin, &case(package, "day")).unwrap().measurements.len(), 3);
}
