//! Packages built, read again, and damaged in every way that matters.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use tianyin_package::{
    Files, Manifest, Package, PackageError, SettingError, Signature, TEXT_BYTES_MAX,
};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const TOML: &str = r#"
id = "meter"
version = "0.1.0"
api = "0.1"
world = "decoder"
title = { zh = "仪器", en = "Meter" }
[limits]
memory_mib = 8
[settings.mode]
type = "choice"
default = "fast"
choices = ["fast", "slow"]
title = { zh = "模式", en = "Mode" }
[settings.signed]
type = "boolean"
default = true
title = { zh = "有符号", en = "Signed" }
"#;

fn files() -> Files {
    let text = |text: &str| text.as_bytes().to_vec();
    Files::from([
        ("plugin.toml".into(), text(TOML)),
        ("plugin.wasm".into(), b"\0asm\x0d\0\x01\0".to_vec()),
        ("README.md".into(), text("# Meter\n")),
        ("cases/one.hex".into(), text("# a comment\n7E 01 # start\n\n02ff\n")),
        ("cases/one.json".into(), text("{}")),
    ])
}

fn with(name: &str, content: &[u8]) -> Files {
    let mut files = files();
    files.insert(name.into(), content.to_vec());
    files
}

fn without(name: &str) -> Files {
    let mut files = files();
    files.remove(name).unwrap();
    files
}

/// Zips whatever it is given.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn unzip(package: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(Cursor::new(package)).unwrap();
    let mut files = Vec::new();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).unwrap();
        let mut content = Vec::new();
        std::io::copy(&mut entry, &mut content).unwrap();
        files.push((entry.name().unwrap().into_owned(), content));
    }
    files
}

/// The package after `change` to its zip entries, hashes left as they were.
fn tampered(change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) -> Vec<u8> {
    let mut entries = unzip(&Package::build(files()).unwrap());
    change(&mut entries);
    zip(&entries
        .iter()
        .map(|(name, content)| (name.as_str(), content.as_slice()))
        .collect::<Vec<_>>())
}

fn refused(package: Vec<u8>) -> String {
    Package::read(&package).expect_err("refused").to_string()
}

#[test]
fn what_is_packed_comes_back() {
    let bytes = Package::build(files()).unwrap();
    let package = Package::read(&bytes).unwrap();
    assert_eq!(package.file_name(), "meter-0.1.0.tyx");
    assert_eq!(package.wasm(), b"\0asm\x0d\0\x01\0");
    assert_eq!(package.readme(), "# Meter\n");
    assert_eq!(package.signature, Signature::Unsigned);
    assert_eq!(package.manifest.limits.memory_mib, Some(8));
    assert_eq!(package.cases.len(), 1);
    assert_eq!(
        (package.cases[0].name.as_str(), package.cases[0].input.as_slice()),
        ("one", &[0x7E, 1, 2, 0xFF][..])
    );
    assert_eq!(bytes, Package::build(files()).unwrap(), "the same files give the same bytes");
    let other = Package::read(&Package::build(with("README.md", b"# Other\n")).unwrap()).unwrap();
    assert_ne!(other.content_hash, package.content_hash);
}

#[test]
fn a_signature_is_seen_but_not_trusted() {
    let signed = Package::read(&Package::build(with("SIGNATURE", b"x")).unwrap()).unwrap();
    assert_eq!(signed.signature, Signature::NotChecked);
    let unsigned = Package::read(&Package::build(files()).unwrap()).unwrap();
    assert_eq!(
        signed.content_hash, unsigned.content_hash,
        "a signature signs the content, not itself"
    );
}

#[test]
fn a_changed_file_is_named() {
    let changed = tampered(|entries| {
        entries.iter_mut().find(|(name, _)| name == "README.md").unwrap().1.push(b'!')
    });
    assert!(refused(changed).contains("README.md"));
    let added = tampered(|entries| entries.push(("cases/two.bin".into(), vec![1])));
    assert!(refused(added).contains("cases/two.bin"));
    let removed = tampered(|entries| entries.retain(|(name, _)| name != "cases/one.hex"));
    assert!(matches!(Package::read(&removed), Err(PackageError::Hash(_))));
    assert!(
        refused(tampered(|entries| entries.retain(|(name, _)| name != "MANIFEST")))
            .contains("MANIFEST is missing")
    );
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in [
        "../plugin.toml",
        "/etc/passwd",
        "cases/../x.json",
        "cases/a/b.json",
        "cases\\a.json",
        "C:/x",
        "native.so",
        "cases/.hidden",
        "cases/",
        "cases/图.json",
    ] {
        let error = Package::build(with(name, b"{}")).expect_err(name);
        assert!(matches!(&error, PackageError::FileName(bad) if bad == name), "{name}: {error}");
        let entries = zip(&[(name, b"{}"), ("plugin.toml", b"")]);
        assert!(Package::read(&entries).is_err(), "{name}");
    }
}

#[test]
fn what_unpacks_too_large_is_refused() {
    let bomb = zip(&[("cases/bomb.bin", &vec![0; TEXT_BYTES_MAX + 1])]);
    assert!(bomb.len() < 10_000);
    assert!(refused(bomb).contains("cases/bomb.bin is larger"));
    let names: Vec<String> = (0..600).map(|i| format!("cases/{i}.bin")).collect();
    assert!(
        refused(zip(&names.iter().map(|name| (name.as_str(), &b""[..])).collect::<Vec<_>>()))
            .contains("600 files")
    );
    assert!(refused(b"not a zip".to_vec()).contains("not a readable zip"));
    let whole = Package::build(files()).unwrap();
    for len in 0..whole.len() {
        assert!(Package::read(&whole[..len]).is_err(), "cut at {len}");
    }
}

#[test]
fn a_package_must_be_complete() {
    for name in ["plugin.toml", "plugin.wasm", "README.md", "cases/one.json", "cases/one.hex"] {
        let error = Package::build(without(name)).expect_err(name);
        assert!(
            matches!(&error, PackageError::Missing(missing) if missing == name),
            "{name}: {error}"
        );
    }
    let core_module = Package::build(with("plugin.wasm", b"\0asm\x01\0\0\0")).unwrap_err();
    assert!(core_module.to_string().contains("core module"), "{core_module}");
    assert!(
        Package::build(with("cases/one.hex", b"7E 0")).unwrap_err().to_string().contains("line 1")
    );
    assert!(Package::build(with("cases/one.bin", b"")).unwrap_err().to_string().contains("both"));
    assert!(
        Package::build(with("cases/one.txt", b""))
            .unwrap_err()
            .to_string()
            .contains("cases/one.txt")
    );
}

#[test]
fn mistakes_in_the_manifest_name_the_key() {
    for (from, to, named) in [
        ("memory_mib", "memory_mb", "memory_mb"),
        ("world =", "wordl =", "wordl"),
        ("id = \"meter\"", "id = \"Meter\"", "id"),
        ("version = \"0.1.0\"", "version = \"0.1\"", "version"),
        ("version = \"0.1.0\"", "version = \"0.01.0\"", "version"),
        ("api = \"0.1\"", "api = \"1\"", "api"),
        ("default = true", "default = \"maybe\"", "signed"),
        ("default = \"fast\"", "default = \"medium\"", "mode"),
        ("en = \"Meter\"", "en = \"\"", "title"),
        ("[limits]", "[permissions]", "permissions"),
    ] {
        let error = Manifest::parse(TOML.replace(from, to).as_bytes()).expect_err(to).to_string();
        assert!(error.contains(named), "{to}: {error}");
    }
}

#[test]
fn settings_are_completed_and_checked() {
    let manifest = Manifest::parse(TOML.as_bytes()).unwrap();
    let given = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        manifest.settings_with_defaults(&given("mode", "slow")).unwrap(),
        [pair("mode", "slow"), pair("signed", "true")]
    );
    assert_eq!(
        manifest.settings_with_defaults(&given("sped", "1")),
        Err(SettingError::Unknown("sped".into()))
    );
    let error = manifest.settings_with_defaults(&given("signed", "yes")).unwrap_err().to_string();
    assert!(error.contains("signed") && error.contains("true or false"), "{error}");
}
