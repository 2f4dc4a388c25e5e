//! Rebuilds the crate when a shipped rule, case or table changes: they are embedded.

fn main() {
    println!("cargo::rerun-if-changed=../../rules");
    println!("cargo::rerun-if-changed=build.rs");
}
