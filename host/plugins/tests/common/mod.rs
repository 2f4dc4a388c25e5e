//! Packages for tests: the really built ones, and small guests made from text.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tianyin_plugins::{DecodeInput, Decoded, Package, Plugin, PluginError};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The newest package of a first-party plugin as `cargo xtask plugins` built it.
pub fn built(id: &str) -> Package {
    let folder = root().join("target/plugins");
    let newest = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&format!("{id}-")) && name.ends_with(".tyx")
        });
    let Some(path) =
        newest.max_by_key(|path| path.metadata().and_then(|file| file.modified()).ok())
    else {
        panic!("no package {id}-*.tyx in {}: run `cargo xtask plugins` first", folder.display());
    };
    Package::read(&std::fs::read(path).unwrap()).unwrap()
}

/// A guest with `(memory 2)`, an allocator, and this body of
/// `decode(bytes, bytes_len, received, received_len, settings, settings_len) -> answer`.
pub fn guest(fields: &str, decode_body: &str) -> Package {
    package(&component(&module(fields, "(memory (export \"memory\") 2)", decode_body), None), "")
}

/// A core module with what every guest needs.
pub fn module(fields: &str, memory: &str, decode_body: &str) -> String {
    format!(
        r#"(module
            {fields}
            {memory}
            (global $free (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.set $free (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            (func (export "decode") (param i32 i32 i32 i32 i32 i32) (result i32) {decode_body}))"#
    )
}

/// Makes a component of world `decoder`, or of the world `decoder` in another WIT text.
pub fn component(wat: &str, wit: Option<&str>) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = match wit {
        None => resolve.push_dir(root().join("sdk/wit")).unwrap().0,
        Some(text) => resolve.push_str("other.wit", text).unwrap(),
    };
    let world = resolve.select_world(&[package], Some("decoder")).unwrap();
    let mut module = wat::parse_str(wat).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

/// Wraps a component into a package; `toml` is added to its manifest.
pub fn package(wasm: &[u8], toml: &str) -> Package {
    let manifest = format!(
        "id = \"rogue\"\nversion = \"6.6.6\"\napi = \"0.1\"\nworld = \"decoder\"\ntitle = {{ zh = \"坏\", en = \"Rogue\" }}\n{toml}"
    );
    package_with(wasm, &manifest, b"00", b"{}")
}

pub fn package_with(wasm: &[u8], manifest: &str, input_hex: &[u8], expected: &[u8]) -> Package {
    let files = [
        ("plugin.toml", manifest.as_bytes()),
        ("plugin.wasm", wasm),
        ("README.md", b"rogue"),
        ("cases/one.hex", input_hex),
        ("cases/one.json", expected),
    ];
    let files =
        files.into_iter().map(|(name, content)| (name.to_owned(), content.to_vec())).collect();
    Package::read(&Package::build(files).unwrap()).unwrap()
}

pub fn decode(plugin: &Plugin, bytes: &[u8]) -> Result<Decoded, PluginError> {
    decode_with(plugin, bytes, &[])
}

pub fn decode_with(
    plugin: &Plugin,
    bytes: &[u8],
    settings: &[(&str, &str)],
) -> Result<Decoded, PluginError> {
    let settings: BTreeMap<_, _> =
        settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let received_at = "2026-11-21T09:00:10+08:00".parse().unwrap();
    plugin.decode(&DecodeInput { bytes, received_at, settings: &settings })
}
