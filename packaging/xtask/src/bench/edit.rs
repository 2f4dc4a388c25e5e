//! How long one waits after an edit of the kernel until its tests have run.

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use tianyin_tests::place;

use super::{Line, Must, median};

const ROUNDS: usize = 3;
const TEST: [&str; 4] = ["test", "--quiet", "--package", "tianyin-domain"];

pub(super) fn measure() -> Result<Vec<Line>> {
    let edited = place::root().join("host/domain/src/certificate.rs");
    test()?;
    let mut times_s = Vec::new();
    for _ in 0..ROUNDS {
        let file = std::fs::File::options().append(true).open(&edited)?;
        file.set_modified(std::time::SystemTime::now()).context("touch")?;
        let started = Instant::now();
        test()?;
        times_s.push(started.elapsed().as_secs_f64());
    }
    let value = median(times_s)?;
    let must = Some(Must::Below(10.0));
    Ok(vec![Line { what: "edit the domain, build and run its tests", value, unit: "s", must }])
}

fn test() -> Result<()> {
    let mut cargo = crate::build::cargo_command();
    cargo.args(TEST).stdout(Stdio::null()).stderr(Stdio::null());
    ensure!(cargo.status()?.success(), "the tests of the domain fail");
    Ok(())
}
