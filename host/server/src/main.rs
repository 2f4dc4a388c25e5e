//! The one binary of the appliance.

use std::process::ExitCode;

fn main() -> ExitCode {
    tianyin::cli::run()
}
