//! The one binary of the appliance.

use std::process::ExitCode;

/// sled allocates for every node it touches: with it a rebuild takes half the time (see the figures in
/// host/ARCHITECTURE.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tianyin::cli::run()
}
