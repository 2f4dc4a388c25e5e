//! Guests that misbehave: each is stopped, named, and leaves the host as it was.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::time::{Duration, Instant};

use common::{component, decode, guest, module, package, package_with};
use tianyin_plugins::{Failure, HostOptions, LogLevel, PluginError, PluginHost};

/// Answers `Err("no")`: discriminant 1, then pointer and length of the text.
const REFUSE: &str =
    r#"(data (i32.const 64) "\01\00\00\00\50\00\00\00\02\00\00\00") (data (i32.const 80) "no")"#;
const ANSWER: &str = "(i32.const 64)";

fn host() -> PluginHost {
    PluginHost::new(HostOptions { time_max: Duration::from_millis(100), ..HostOptions::default() })
        .unwrap()
}

/// Runs a guest twice and a well-behaved one afterwards; gives the failure of the second run.
fn fails(fields: &str, body: &str) -> PluginError {
    let host = host();
    let plugin = host.load(&guest(fields, body)).unwrap();
    let first = decode(&plugin, &[1]).unwrap_err();
    let second = decode(&plugin, &[1]).unwrap_err();
    assert_eq!(first, second, "nothing is left of the first call");
    assert!(second.to_string().starts_with("plugin rogue 6.6.6: "), "{second}");
    let tame = host.load(&guest(REFUSE, ANSWER)).unwrap();
    assert_eq!(decode(&tame, &[1]).unwrap_err().failure, Failure::Refused("no".into()));
    second
}

#[test]
fn an_endless_loop_is_stopped_in_time() {
    let start = Instant::now();
    let error = fails("", "(loop (br 0)) (unreachable)");
    assert_eq!(error.failure, Failure::Timeout { limit_ms: 100 });
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn an_endless_loop_at_start_is_stopped_too() {
    let error = fails("(func $spin (loop (br 0))) (start $spin)", ANSWER);
    assert_eq!(error.failure, Failure::Timeout { limit_ms: 100 });
}

#[test]
fn memory_is_limited() {
    let error = fails("", "(drop (memory.grow (i32.const 2000))) (i32.const 64)");
    assert_eq!(error.failure, Failure::Memory { wanted: 2002 << 16, limit: 64 << 20 });
}

#[test]
fn a_plugin_gets_no_more_than_it_asked_for() {
    let wasm = component(
        &module(
            REFUSE,
            "(memory (export \"memory\") 2)",
            "(drop (memory.grow (i32.const 20))) (i32.const 64)",
        ),
        None,
    );
    let greedy = host().load(&package(&wasm, "[limits]\nmemory_mib = 1\n")).unwrap();
    assert!(matches!(
        decode(&greedy, &[1]).unwrap_err().failure,
        Failure::Memory { limit: 1_048_576, .. }
    ));
    let wide = host().load(&package(&wasm, "[limits]\nmemory_mib = 4000\n")).unwrap();
    assert_eq!(decode(&wide, &[1]).unwrap_err().failure, Failure::Refused("no".into()));
    let looping = component(
        &module("", "(memory (export \"memory\") 2)", "(loop (br 0)) (unreachable)"),
        None,
    );
    let hasty = host().load(&package(&looping, "[limits]\ntimeout_ms = 20\n")).unwrap();
    assert_eq!(decode(&hasty, &[1]).unwrap_err().failure, Failure::Timeout { limit_ms: 20 });
    let patient = host().load(&package(&looping, "[limits]\ntimeout_ms = 3600000\n")).unwrap();
    assert_eq!(decode(&patient, &[1]).unwrap_err().failure, Failure::Timeout { limit_ms: 100 });
}

#[test]
fn a_trap_is_told_with_the_function() {
    let error = fails("(func $boom unreachable)", "(call $boom) (i32.const 64)");
    assert!(
        matches!(&error.failure, Failure::Trap(text) if text.contains("unreachable") && text.contains("boom")),
        "{error}"
    );
}

#[test]
fn a_panic_is_told_with_its_text() {
    // What the guest crate does: the text goes to the log, then the guest traps.
    let error = fails(
        r#"(import "tianyin:plugin/log@0.1.0" "log" (func $log (param i32 i32 i32)))
           (data (i32.const 200) "index out of bounds")"#,
        "(call $log (i32.const 3) (i32.const 200) (i32.const 19)) (unreachable)",
    );
    assert_eq!(error.to_string(), "plugin rogue 6.6.6: crashed: index out of bounds");
}

#[test]
fn endless_recursion_is_a_trap() {
    let error = fails("(func $deep (call $deep))", "(call $deep) (i32.const 64)");
    assert!(matches!(&error.failure, Failure::Trap(text) if text.contains("stack")), "{error}");
}

#[test]
fn pointers_that_lead_nowhere_are_traps() {
    // Answer beyond memory; text beyond memory; text that is not UTF-8.
    fails("", "(i32.const 0x7ffffff0)");
    fails(r#"(data (i32.const 64) "\01\00\00\00\50\00\00\00\ff\ff\ff\7f")"#, ANSWER);
    fails(
        r#"(data (i32.const 64) "\01\00\00\00\50\00\00\00\02\00\00\00\00\00\00\00\ff\fe")"#,
        ANSWER,
    );
    // A list of two hundred million results.
    fails(r#"(data (i32.const 64) "\00\00\00\00\00\01\00\00\00\c2\eb\0b")"#, ANSWER);
}

#[test]
fn more_output_than_allowed_is_refused() {
    // Err(text of 20 MiB) out of 40 MiB of memory.
    let wat = module(
        r#"(data (i32.const 64) "\01\00\00\00\00\00\00\00\00\00\40\01")"#,
        "(memory (export \"memory\") 640)",
        ANSWER,
    );
    let plugin = host().load(&package(&component(&wat, None), "")).unwrap();
    let error = decode(&plugin, &[1]).unwrap_err();
    assert_eq!(error.failure, Failure::OutputTooLarge { limit: 16 << 20 }, "{error}");
}

#[test]
fn an_answer_about_bytes_that_are_not_there_is_refused() {
    // Ok: no results, one problem at 96: offset 0, length 2, reason "crc", text "".
    let error = fails(
        r#"(data (i32.const 64) "\00\00\00\00\00\00\00\00\00\00\00\00\60\00\00\00\01\00\00\00\00\00\00\00")
           (data (i32.const 96) "\00\00\00\00\02\00\00\00\80\00\00\00\03\00\00\00\00\00\00\00\00\00\00\00")
           (data (i32.const 128) "crc")"#,
        ANSWER,
    );
    assert_eq!(error.failure, Failure::BadOutput("problem 0: bytes 0..2 of a message of 1".into()));
}

#[test]
fn the_log_is_bounded_and_its_last_line_kept() {
    let wat = module(
        &format!(
            r#"(import "tianyin:plugin/log@0.1.0" "log" (func $log (param i32 i32 i32)))
               {REFUSE} (data (i32.const 200) "the end")"#
        ),
        "(memory (export \"memory\") 2)",
        "(local $i i32)
         (loop
            (call $log (i32.const 1) (i32.const 1024) (i32.const 2048))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $i) (i32.const 500))))
         (call $log (i32.const 3) (i32.const 200) (i32.const 7))
         (i32.const 64)",
    );
    let plugin = host().load(&package(&component(&wat, None), "")).unwrap();
    let error = decode(&plugin, &[1]).unwrap_err();
    assert_eq!(error.logs.len(), 101);
    assert!(error.logs.iter().all(|line| line.text.chars().count() <= 1001));
    assert!(error.logs[99].text.contains("401 more lines"), "{:?}", error.logs[99]);
    assert_eq!(
        (error.logs[100].level, error.logs[100].text.as_str()),
        (LogLevel::Error, "the end")
    );
}

#[test]
fn what_a_component_asks_for_beyond_its_world_is_refused_by_name() {
    let wit = "package evil:pack@1.0.0;
        interface net { send: func(); }
        world decoder { import net; export decode: func(a: list<u8>, b: list<u8>, c: list<u8>) -> string; }";
    let wat = module(
        r#"(import "evil:pack/net@1.0.0" "send" (func $send))"#,
        "(memory (export \"memory\") 2)",
        "(call $send) (i32.const 64)",
    );
    let error = host().load(&package(&component(&wat, Some(wit)), "")).unwrap_err();
    assert!(
        matches!(&error.failure, Failure::Component(text) if text.contains("evil:pack/net")),
        "{error}"
    );
    let wit = "package evil:pack@1.0.0;
        world decoder { export decode: func(a: list<u8>, b: list<u8>, c: list<u8>) -> string; }";
    let error = host()
        .load(&package(
            &component(&module("", "(memory (export \"memory\") 2)", ANSWER), Some(wit)),
            "",
        ))
        .unwrap_err();
    assert!(
        matches!(&error.failure, Failure::Component(text) if text.contains("decode")),
        "{error}"
    );
}

#[test]
fn another_interface_or_world_is_refused_before_compiling() {
    let manifest = |api: &str, world: &str| {
        format!(
            "id = \"next\"\nversion = \"1.0.0\"\napi = \"{api}\"\nworld = \"{world}\"\ntitle = {{ zh = \"新\", en = \"Next\" }}\n"
        )
    };
    let load = |manifest: String| {
        host().load(&package_with(b"\0asm\x0d\0\x01\0", &manifest, b"", b"{}")).unwrap_err()
    };
    let error = load(manifest("9.1", "decoder"));
    assert_eq!(
        error.to_string(),
        "plugin next 1.0.0: needs plugin interface 9.1, this host offers 0.1"
    );
    assert_eq!(
        load(manifest("0.1", "connector")).failure,
        Failure::World { world: "connector".into() }
    );
}

#[test]
fn failing_cases_keep_a_plugin_out() {
    let wasm = component(&module(REFUSE, "(memory (export \"memory\") 2)", ANSWER), None);
    let manifest = "id = \"rogue\"\nversion = \"6.6.6\"\napi = \"0.1\"\nworld = \"decoder\"\ntitle = { zh = \"坏\", en = \"Rogue\" }\n";
    let failing = |expected: &[u8]| {
        host().load_tested(&package_with(&wasm, manifest, b"00", expected)).unwrap_err().to_string()
    };
    assert!(failing(b"{}").contains("one: "), "{}", failing(b"{}"));
    assert!(failing(br#"{"error": "yes"}"#).contains("one: "));
    assert!(failing(br#"{"eror": "no"}"#).contains("eror"));
    host().load_tested(&package_with(&wasm, manifest, b"00", br#"{"error": "no"}"#)).unwrap();
}
