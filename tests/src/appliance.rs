//! One appliance: the real binary on a data folder of its own and on free ports.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::child::{self, Finished, Running};
use crate::http::{self, Answer};
use crate::{place, until};

/// How long the service may take to be ready, on a machine that is busy.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const VERB_TIMEOUT: Duration = Duration::from_secs(60);

/// A lot of the demo county.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoLot {
    /// Record id.
    pub id: String,
    /// Number on the box.
    pub no: String,
    /// Product name.
    pub product: String,
    /// Name of its operator.
    pub operator: String,
    /// Whether a passing test issues its certificate by itself.
    pub auto_issue: bool,
}

/// What the demo county's maker told: names, tokens, lots.
#[derive(Debug, Clone)]
pub struct Demo {
    told: Value,
    /// Lots, in order.
    pub lots: Vec<DemoLot>,
}

impl Demo {
    fn parse(json: &str) -> Result<Self> {
        let told: Value = serde_json::from_str(json).with_context(|| format!("demo: {json}"))?;
        let lots = told["lots"].as_array().context("demo: no lots")?;
        let text = |lot: &Value, key: &str| lot[key].as_str().unwrap_or_default().to_owned();
        let lots = lots
            .iter()
            .map(|lot| DemoLot {
                id: text(lot, "id"),
                no: text(lot, "no"),
                product: text(lot, "product"),
                operator: text(lot, "operator"),
                auto_issue: lot["auto_issue"] == true,
            })
            .collect();
        Ok(Self { told, lots })
    }

    /// The token of a device; empty for one that the demo county does not have.
    pub fn token(&self, device: &str) -> &str {
        self.told["devices"][device].as_str().unwrap_or_default()
    }

    /// Password of every demo user.
    pub fn password(&self) -> &str {
        self.told["password"].as_str().unwrap_or_default()
    }

    /// Device id of the label printer.
    pub fn printer(&self) -> &str {
        self.told["printer"].as_str().unwrap_or_default()
    }

    /// The first lot of a product whose name contains a text.
    pub fn lot(&self, product: &str) -> Result<&DemoLot> {
        let found = self.lots.iter().find(|lot| lot.product.contains(product));
        found.with_context(|| format!("the demo county has no lot of {product}"))
    }
}

/// Where an appliance keeps its data and listens.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Data folder.
    pub data: PathBuf,
    /// HTTP.
    pub http: SocketAddr,
    /// MQTT.
    pub mqtt: SocketAddr,
    /// Address of the label printer of the demo county.
    pub printer: SocketAddr,
    /// Further settings as environment variables.
    pub environment: Vec<(String, String)>,
}

impl Setting {
    /// A new folder for tests and free ports; nothing listens at the printer's address.
    pub fn new() -> Result<Self> {
        Ok(Self {
            data: test_folder()?,
            http: place::local(place::free_port()?),
            mqtt: place::local(place::free_port()?),
            printer: place::local(place::free_port()?),
            // Many at a time on one disk.
            environment: vec![("TIANYIN_DISK_BALLAST_MIB".into(), "1".into())],
        })
    }

    /// Sets a setting, such as `DISK_FREE_MIN_MIB`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        let name = format!("TIANYIN_{name}");
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.to_string()));
        self
    }
}

/// The real binary, serving. Killed when dropped.
pub struct Appliance {
    /// Where it is.
    pub setting: Setting,
    /// What is in the demo county; empty when it was started without.
    pub demo: Demo,
    running: Option<Running>,
}

impl Appliance {
    /// Starts the demo county on a setting of its own.
    pub fn start() -> Result<Self> {
        Self::start_with(Setting::new()?)
    }

    /// Fills the data folder with the demo county, and serves it.
    pub fn start_with(setting: Setting) -> Result<Self> {
        let mut appliance = Self::made(setting)?;
        appliance.serve()?;
        Ok(appliance)
    }

    /// Fills the data folder with the demo county, but does not serve it yet.
    pub fn made(setting: Setting) -> Result<Self> {
        let mut appliance = Self::empty(setting)?;
        let url = format!("http://{}", appliance.setting.http);
        let printer = appliance.setting.printer.to_string();
        let demo = ["demo", "--public-url", &url, "--printer", &printer];
        appliance.demo = Demo::parse(&appliance.run(&demo)?)?;
        Ok(appliance)
    }

    /// An appliance without any data, not serving yet.
    pub fn empty(setting: Setting) -> Result<Self> {
        std::fs::create_dir_all(&setting.data)?;
        Ok(Self { setting, demo: Demo { told: Value::Null, lots: Vec::new() }, running: None })
    }

    /// Starts the service and waits until it is ready.
    pub fn serve(&mut self) -> Result<()> {
        self.serve_as(&[], 200)
    }

    /// The same with more arguments.
    pub fn serve_with(&mut self, arguments: &[&str]) -> Result<()> {
        self.serve_as(arguments, 200)
    }

    /// Starts the service and waits until `/readyz` answers with a status: 503 when it is read-only.
    pub fn serve_until_ready_is(&mut self, status: u16) -> Result<()> {
        self.serve_as(&[], status)
    }

    fn serve_as(&mut self, arguments: &[&str], status: u16) -> Result<()> {
        ensure!(self.running.is_none(), "it serves already");
        let listen = self.setting.http.to_string();
        let serve = ["serve", "--listen", &listen];
        let mut running = self.begin(&[&serve[..], arguments].concat())?;
        let ready = until("the service to be ready", READY_TIMEOUT, || {
            ensure!(running.is_running(), "the service ended");
            let answer = http::get(self.setting.http, "/readyz");
            Ok(answer.ok().filter(|answer| answer.status == status).map(|_| ()))
        });
        ready.with_context(|| format!("its output:\n{}", running.output()))?;
        self.running = Some(running);
        Ok(())
    }

    /// Starts a verb of the command line on this data folder, and waits for nothing.
    pub fn begin(&self, arguments: &[&str]) -> Result<Running> {
        let name = format!("tianyin {}", arguments.first().copied().unwrap_or_default());
        Running::start(&name, &place::binary()?, |command| {
            command.args(arguments);
            self.set_environment(command);
        })
    }

    /// Runs a verb of the command line on this data folder; gives its output, fails when it fails.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let done = self.finish(arguments)?;
        ensure!(done.code == Some(0), "tianyin {arguments:?} ended with {done:?}");
        Ok(done.stdout)
    }

    /// Runs a verb of the command line on this data folder, whatever it ends with.
    pub fn finish(&self, arguments: &[&str]) -> Result<Finished> {
        self.finish_within(arguments, VERB_TIMEOUT)
    }

    /// The same for a verb that may take longer than others.
    pub fn finish_within(&self, arguments: &[&str], timeout: Duration) -> Result<Finished> {
        let prepare = |command: &mut Command| {
            command.args(arguments);
            self.set_environment(command);
        };
        child::finish(&place::binary()?, prepare, timeout)
    }

    fn set_environment(&self, command: &mut Command) {
        command.env("TIANYIN_DATA", &self.setting.data);
        command.env("TIANYIN_MQTT_LISTEN", self.setting.mqtt.to_string());
        command.envs(self.setting.environment.iter().map(|(name, value)| (name, value)));
    }

    /// Kills the service at once, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill();
        }
    }

    /// Ends the service in order; an error unless its exit code is 0.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let status = running.stop(STOP_TIMEOUT)?;
        ensure!(status.success(), "the service ended with {status}:\n{}", running.output());
        Ok(())
    }

    /// The running service.
    pub fn service(&self) -> Result<&Running> {
        self.running.as_ref().context("it does not serve")
    }

    /// The token in the set-up link that the service prints when it starts.
    pub fn setup_token(&self) -> Result<String> {
        self.service()?.line("set-up link", 0, READY_TIMEOUT, |line| {
            line.split_once("/setup?token=").map(|(_, token)| token.trim().to_owned())
        })
    }

    /// What the service has logged, as far as it is kept.
    pub fn log(&self) -> String {
        self.running.as_ref().map(Running::output).unwrap_or_default()
    }

    /// `GET` without a session.
    pub fn get(&self, path: &str) -> Result<Answer> {
        http::get(self.setting.http, path)
    }

    /// Signs in to the API as a user of the demo county.
    pub fn api(&self, username: &str) -> Result<crate::api::Api> {
        crate::api::Api::sign_in(self.setting.http, username, self.demo.password())
    }
}

/// A new folder below `target/test-data`. Those of programs that ended are removed first.
pub fn test_folder() -> Result<PathBuf> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let all = place::root().join("target/test-data");
    std::fs::create_dir_all(&all).with_context(|| format!("create {}", all.display()))?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    if number == 0 {
        remove_old(&all)?;
    }
    let folder = all.join(format!("{}-{number}", std::process::id()));
    std::fs::create_dir(&folder).with_context(|| format!("create {}", folder.display()))?;
    Ok(folder)
}

fn remove_old(all: &Path) -> Result<()> {
    for entry in std::fs::read_dir(all)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.split('-').next().unwrap_or_default();
        if !Path::new("/proc").join(owner).exists() {
            // Another program may be removing the same.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}
