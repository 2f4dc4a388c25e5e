//! The command line: help in two languages, exit codes, rules, settings.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tianyin_tests::appliance::{Setting, test_folder};
use tianyin_tests::child::{self, Finished};
use tianyin_tests::{Appliance, api, place};

fn tianyin(arguments: &[&str]) -> Finished {
    let binary = place::binary().unwrap();
    let folder = test_folder().unwrap();
    let prepare = |command: &mut std::process::Command| {
        command.args(arguments).current_dir(&folder);
    };
    child::finish(&binary, prepare, Duration::from_secs(60)).unwrap()
}

fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// Verbs named in a help text.
fn verbs(help: &str) -> Vec<String> {
    let commands = help.split("Commands:").nth(1).unwrap_or_default();
    let commands = commands.split("\n\n").next().unwrap_or_default();
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    // Continuation lines are indented further.
    let lines = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    lines.filter_map(first).filter(|verb| verb != "help").collect()
}

#[test]
fn every_verb_explains_itself_in_two_languages() {
    let mut todo: Vec<Vec<String>> = vec![Vec::new()];
    let mut seen = 0;
    while let Some(path) = todo.pop() {
        let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = tianyin(&arguments);
        assert_eq!(help.code, Some(0), "{arguments:?}");
        // What the verb is for stands before its usage.
        let about = help.stdout.split("Usage:").next().unwrap();
        let english = about.chars().filter(char::is_ascii_alphabetic).count() >= 4;
        // "Lz4000t" values and the like have no other name; a verb always has one.
        assert!(about.chars().any(is_chinese) && english, "{path:?}: {about:?}");
        seen += 1;
        for verb in verbs(&help.stdout) {
            todo.push([path.clone(), vec![verb]].concat());
        }
    }
    assert!(seen >= 15, "only {seen} verbs");
}

/// A pipe that nobody reads any more.
fn left() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Stdio::from(writer)
}

#[test]
fn whoever_stops_reading_breaks_no_verb() {
    let binary = place::binary().unwrap();
    let run = |arguments: &[&str], stdout: Stdio, stderr: Stdio| {
        let mut command = Command::new(&binary);
        command.args(arguments).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let done = command.output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    for quiet in [&["version"][..], &["check", "--help"]] {
        assert_eq!(run(quiet, left(), Stdio::piped()), (Some(0), String::new()), "{quiet:?}");
    }
    // What it found is still in its exit code.
    let failing = ["check", "--key", "/no/such/key.pem", "TY1.a.b"];
    assert_eq!(run(&failing, left(), left()).0, Some(1));
    // Output that was wanted and is lost is no success.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (code, said) = run(&["version"], Stdio::from(full), Stdio::piped());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("output was lost") && !said.contains("panicked"), "{said}");
}

#[test]
fn exit_codes_are_0_1_2() {
    let version = tianyin(&["version"]);
    assert_eq!(version.code, Some(0));
    assert!(version.stdout.starts_with("tianyin 0."), "{}", version.stdout);
    for usage in [
        &[][..],
        &["no-such-verb"],
        &["serve", "--no-such-flag"],
        &["serve", "--listen", "not-an-address"],
        &["device", "sim", "analyzer"],
        &["check", "TY1.a.b"],
        &["keys", "rotate"],
    ] {
        let done = tianyin(usage);
        assert_eq!(done.code, Some(2), "{usage:?}: {done:?}");
        assert!(!done.stderr.is_empty(), "{usage:?} says nothing");
    }
    for failing in [
        &["check", "--key", "/no/such/key.pem", "TY1.a.b"][..],
        &["rules", "check", "/no/such/folder"],
        &["plugin", "install", "/no/such/package.tyx"],
        &[
            "device",
            "sim",
            "scanner",
            "--mqtt",
            "127.0.0.1:1",
            "--device",
            "x",
            "--token",
            "y",
            "text",
        ],
    ] {
        let done = tianyin(failing);
        assert_eq!(done.code, Some(1), "{failing:?}: {done:?}");
        assert!(!(done.stderr + &done.stdout).is_empty(), "{failing:?} says nothing");
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn rules_are_checked_and_tested() {
    let shipped = tianyin(&["rules", "test"]);
    assert_eq!(shipped.code, Some(0), "{shipped:?}");
    let passed: usize = shipped.stdout.split_whitespace().next().unwrap().parse().unwrap();
    assert!(passed > 50 && shipped.stdout.contains("0 failed"), "{}", shipped.stdout);
    assert_eq!(tianyin(&["rules", "check"]).code, Some(0));

    let folder = test_folder().unwrap().join("rules");
    copy_folder(&place::root().join("rules"), &folder);
    let path = folder.to_str().unwrap();
    let same = tianyin(&["rules", "test", path]);
    assert_eq!(
        (same.code, same.stdout),
        (Some(0), shipped.stdout),
        "the shipped rules are the files"
    );

    // A rule that says something else is found out by its cases.
    let rule = folder.join("testing/judge.rhai");
    let script = std::fs::read_to_string(&rule).unwrap();
    let cases = folder.join("testing/judge.cases.toml");
    let text = std::fs::read_to_string(&cases).unwrap();
    std::fs::write(&cases, text.replacen("verdict = \"pass\"", "verdict = \"deny\"", 1)).unwrap();
    let wrong = tianyin(&["rules", "test", path]);
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.stdout.contains("FAILED testing/judge"), "{}", wrong.stdout);
    std::fs::write(&cases, text).unwrap();

    std::fs::write(&rule, format!("{script}\nfn broken( {{")).unwrap();
    let broken = tianyin(&["rules", "check", path]);
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert!(broken.stdout.contains("judge.rhai"), "the place is not named: {broken:?}");
}

/// One edition of residue limits becomes the county's own table; a bad line leaves everything as it was.
#[test]
fn an_edition_of_limits_is_imported() {
    let data = test_folder().unwrap().join("limits-data");
    std::fs::create_dir_all(&data).unwrap();
    let import = |text: &str| {
        let sheet = data.join("limits.csv");
        std::fs::write(&sheet, text).unwrap();
        let (sheet, data) = (sheet.to_str().unwrap(), data.to_str().unwrap());
        let edition = ["--edition", "GB 2763-2026", "--from", "2026-03-01"];
        tianyin(&[&["rules", "import-limits", sheet, "--data", data][..], &edition].concat())
    };
    let table = data.join("rules/data/limits.toml");
    let bad = import("农药,食品,类别,限量,单位\n毒死蜱,辣椒,,约 1,mg/kg\n");
    assert_eq!(bad.code, Some(1), "{bad:?}");
    assert!(bad.stderr.contains("2: 限量 应为数字"), "{bad:?}");
    assert!(!table.exists());
    let good = import("农药,食品,类别,限量,单位\n毒死蜱,辣椒,,0.02,mg/kg\n毒死蜱,,水果,1,mg/kg\n");
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(good.stdout.contains("2 limits of GB 2763-2026"), "{good:?}");
    let written = std::fs::read_to_string(&table).unwrap();
    assert!(
        written.contains("num = \"0.02\"") && written.contains("class = \"fruit\""),
        "{written}"
    );
    let checked = tianyin(&["rules", "check", "--data", data.to_str().unwrap()]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

/// A table of address ranges becomes the data folder's own; a bad line leaves everything as it was.
#[test]
fn a_table_of_addresses_is_imported() {
    let data = test_folder().unwrap().join("areas-data");
    std::fs::create_dir_all(data.join("journal")).unwrap();
    let (rows, folder) = (data.join("rows.txt"), data.to_str().unwrap());
    let import = |text: &str| {
        std::fs::write(&rows, text).unwrap();
        tianyin(&["codes", "import-areas", rows.to_str().unwrap(), "--data", folder])
    };
    let told = || tianyin(&["codes", "areas", "--data", folder]).stdout;
    let table = data.join("scan-areas.csv");
    let bad = import("1.0.0.0/24,4301\n1.0.0.9,4401\n");
    assert_eq!(bad.code, Some(1), "{bad:?}");
    assert!(bad.stderr.contains("第 2 行与第 1 行"), "{bad:?}");
    assert!(!table.exists() && told().contains("none imported"), "{}", told());
    let good = import("9.0.0.0|9.0.0.255|中国|0|湖南省|某市|电信\n1.0.0.0/24,4301\n");
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(good.stdout.contains("湖南省某市"), "{good:?}");
    let written = std::fs::read_to_string(&table).unwrap();
    assert_eq!(written, "first,last,area\n1.0.0.0,1.0.0.255,4301\n");
    assert!(told().starts_with("1 段"), "{}", told());
}

#[test]
fn settings_that_do_not_exist_are_named() {
    let mut setting = Setting::new().unwrap();
    std::fs::write(setting.data.join("tianyin.toml"), "[http]\nlisten_port = 8080\n").unwrap();
    let wrong_file = Appliance::empty(setting.clone()).unwrap().finish(&["verify"]).unwrap();
    assert_eq!(wrong_file.code, Some(1));
    assert!(wrong_file.stderr.contains("listen_port"), "{}", wrong_file.stderr);

    std::fs::remove_file(setting.data.join("tianyin.toml")).unwrap();
    setting.environment = vec![("TIANYIN_MQTT_PORT".into(), "1883".into())];
    let wrong_name = Appliance::empty(setting).unwrap().finish(&["verify"]).unwrap();
    assert_eq!(wrong_name.code, Some(1));
    assert!(wrong_name.stderr.contains("TIANYIN_MQTT_PORT"), "{}", wrong_name.stderr);
}

#[test]
fn a_data_folder_has_one_owner_at_a_time() {
    let mut appliance = Appliance::start().unwrap();
    let beside = appliance.finish(&["demo"]).unwrap();
    assert_eq!(beside.code, Some(1), "beside the running service: {beside:?}");
    let listen = appliance.setting.http.to_string();
    let second = appliance.finish(&["serve", "--listen", &listen]).unwrap();
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("http.listen"), "{}", second.stderr);
    assert_eq!(appliance.get("/readyz").unwrap().status, 200, "the first one still serves");

    appliance.stop().unwrap();
    let again = appliance.finish(&["demo"]).unwrap();
    assert_eq!(again.code, Some(1), "a county is never filled twice: {again:?}");
    let verified = appliance.run(&["verify", "--json"]).unwrap();
    let verified: serde_json::Value = serde_json::from_str(&verified).unwrap();
    assert_eq!(verified["head"], verified["applied"]);

    // A forgotten password is replaced from the shell.
    let new = appliance.run(&["admin", "reset-password", "--username", "clerk"]).unwrap();
    let old = appliance.demo.password().to_owned();
    appliance.serve().unwrap();
    let address = appliance.setting.http;
    assert_eq!(api::sign_in(address, "clerk", &old).unwrap().status, 401);
    assert_eq!(api::sign_in(address, "clerk", new.trim()).unwrap().status, 200);
}

#[test]
fn the_decoder_plugin_comes_with_the_binary() {
    let appliance = Appliance::empty(Setting::new().unwrap()).unwrap();
    let list = appliance.run(&["plugin", "list"]).unwrap();
    let line = list.lines().find(|line| line.starts_with("analyzer-lz4000t")).unwrap_or_default();
    assert!(line.ends_with("\tok"), "{list}");
    let packages = std::fs::read_dir(place::root().join("target/plugins")).unwrap().flatten();
    let mut packages = packages.map(|entry| entry.path());
    let package = packages.find(|path| path.extension().is_some_and(|e| e == "tyx")).unwrap();
    let installed = appliance.run(&["plugin", "install", package.to_str().unwrap()]).unwrap();
    assert!(installed.contains("analyzer-lz4000t"), "{installed}");
    std::fs::write(appliance.setting.data.join("broken.tyx"), b"not a package").unwrap();
    let broken = appliance.setting.data.join("broken.tyx");
    let refused = appliance.finish(&["plugin", "install", broken.to_str().unwrap()]).unwrap();
    assert_eq!(refused.code, Some(1), "{refused:?}");
}
