//! Embeds the first-party plugin packages that `cargo xtask plugins` built. Without them the binary
//! is whole but has no decoder until one is installed; the build says so.

use std::fmt::Write as _;
use std::path::PathBuf;

fn main() {
    // The program's clock is wrong when it shows an earlier time than this.
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let built_at = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    let built_at: u64 = built_at.unwrap_or_else(|| now.map_or(0, |since| since.as_secs()));
    println!("cargo:rustc-env=TIANYIN_BUILT_AT={built_at}");
    let root = std::env::var("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let dir = root.join("../../target/plugins");
    println!("cargo:rerun-if-changed={}", dir.display());
    let mut packages: Vec<PathBuf> = std::fs::read_dir(&dir)
        .map(|entries| entries.filter_map(|e| e.ok().map(|e| e.path())).collect())
        .unwrap_or_default();
    packages.retain(|p| p.extension().is_some_and(|e| e == "tyx"));
    packages.sort();
    if packages.is_empty() {
        println!(
            "cargo:warning=no plugin packages in target/plugins: run `cargo xtask plugins` first"
        );
    }
    let mut source = String::from("&[\n");
    for path in &packages {
        println!("cargo:rerun-if-changed={}", path.display());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let full = path.canonicalize().unwrap_or_else(|_| path.clone());
        let _ =
            writeln!(source, "(r\"{name}\", include_bytes!(r\"{}\") as &[u8]),", full.display());
    }
    source.push_str("]\n");
    let out = std::env::var("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    if let Err(e) = std::fs::write(out.join("bundled_plugins.rs"), source) {
        println!("cargo:warning=bundled_plugins.rs: {e}");
        std::process::exit(1);
    }
}
