//! The API against its own document: schemathesis makes requests from `openapi.json`, good and bad ones, and looks
//! whether every answer is one that the document names.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tianyin_tests::api::Api;
use tianyin_tests::appliance::Setting;
use tianyin_tests::device::Printer;
use tianyin_tests::{Appliance, journey, place};

use crate::{build, deps};

/// The version that was looked at; another may ask for more.
const TOOL: &str = "schemathesis==4.32.5";
/// Where its settings are.
const SETTINGS: &str = "packaging/xtask/api-check";
/// Requests an operation is tried with, when nobody says.
const EXAMPLES: u32 = 100;
/// The one operation left out: it ends the session that all others are sent with.
const LEFT_OUT: &str = "delete_session";
/// Who asks; nobody last.
const CALLERS: [&str; 3] = ["admin", "producer", ""];

/// Tries the API as administrator, as producer and without a token.
pub(crate) fn run(examples: Option<u32>) -> Result<()> {
    deps::ensure(&[deps::BUILD, deps::DEMO])?;
    let tool = installed()?;
    build::everything()?;
    let mut failed = Vec::new();
    for caller in CALLERS {
        // Each on a county of its own: thousands of requests leave little as it was.
        let setting = Setting::new()?;
        let mut printer = Printer::start(setting.printer, &setting.data.join("labels"))?;
        let appliance = Appliance::start_with(setting)?;
        // Something of everything is there: a message, a test, a certificate, a label.
        journey::main_job(&appliance, &mut printer, &mut |_, _| {})?;
        let name = if caller.is_empty() { "nobody" } else { caller };
        println!("xtask: the API as {name}");
        if !tried(&tool, &appliance, caller, examples.unwrap_or(EXAMPLES))? {
            failed.push(name);
        }
        let ready = appliance.get("/readyz")?;
        ensure!(ready.status == 200, "it does not work any more: {}", ready.text());
    }
    ensure!(failed.is_empty(), "the API is not as its document says for: {}", failed.join(", "));
    println!("the API is as its document says");
    Ok(())
}

/// One run of the tool; false when it found something.
fn tried(tool: &Path, appliance: &Appliance, caller: &str, examples: u32) -> Result<bool> {
    let address = appliance.setting.http;
    let base = format!("http://{address}/api/v1");
    let mut run = Command::new(tool);
    run.current_dir(place::root().join(SETTINGS)).env("PYTHONDONTWRITEBYTECODE", "1");
    run.args(["--config-file", "schemathesis.toml", "run"]).arg(format!("{base}/openapi.json"));
    run.args(["--exclude-operation-id", LEFT_OUT, "--max-examples", &examples.to_string()]);
    run.arg("--no-color").env("API_CHECK_BASE", &base);
    if !caller.is_empty() {
        let api = Api::sign_in(address, caller, appliance.demo.password())?;
        run.env("API_CHECK_TOKEN", api.token());
        run.arg("--header").arg(format!("Authorization: Bearer {}", api.token()));
    }
    Ok(run.status().context("start schemathesis")?.success())
}

/// The tool in an environment of its own below `target`, installed from PyPI the first time.
fn installed() -> Result<PathBuf> {
    let folder = place::root().join("target/api-check");
    let (tool, mark) = (folder.join("bin/schemathesis"), folder.join(TOOL));
    if tool.exists() && mark.exists() {
        return Ok(tool);
    }
    let made = || {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&folder);
        venv.status().is_ok_and(|status| status.success())
    };
    if !made() {
        deps::install(&["python3-venv"])?;
        ensure!(made(), "no Python environment in {}", folder.display());
    }
    let mut pip = Command::new(folder.join("bin/pip"));
    let status = pip.args(["install", "--quiet", TOOL]).status().context("start pip")?;
    ensure!(status.success(), "{TOOL} could not be installed: PyPI must be in reach");
    std::fs::write(&mark, "")?;
    Ok(tool)
}
