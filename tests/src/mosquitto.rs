//! Debian's mosquitto as the broker between devices and the appliance, set up as the handbook says.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::appliance::{Demo, Setting};
use crate::child::{self, Running};
use crate::{place, until};

/// The appliance's own user at the broker.
const APPLIANCE: (&str, &str) = ("tianyin", "password of the appliance");
const TIMEOUT: Duration = Duration::from_secs(20);
const ACL: &str = "\
pattern write tianyin/v1/%u/up/#
pattern read tianyin/v1/%u/down/#

user tianyin
topic read tianyin/v1/+/up/#
topic write tianyin/v1/+/down/#
";

/// A running mosquitto with persistence, one plain listener and one with TLS. Killed when dropped.
pub struct Mosquitto {
    folder: PathBuf,
    /// Without TLS.
    pub address: SocketAddr,
    /// With TLS.
    pub tls: SocketAddr,
    running: Option<Running>,
}

impl Mosquitto {
    /// Starts one at the setting's MQTT address that lets these users in, besides the appliance.
    pub fn start(setting: &Setting, users: &[(&str, &str)]) -> Result<Self> {
        let folder = setting.data.with_extension("mosquitto");
        std::fs::create_dir_all(&folder)?;
        let tls = place::local(place::free_port()?);
        let mut broker = Self { folder, address: setting.mqtt, tls, running: None };
        broker.write_settings(users)?;
        broker.restart()?;
        Ok(broker)
    }

    /// Users of the demo county's devices.
    pub fn users_of<'a>(demo: &'a Demo, devices: &[&'a str]) -> Vec<(&'a str, &'a str)> {
        devices.iter().map(|device| (*device, demo.token(device))).collect()
    }

    fn write_settings(&self, users: &[(&str, &str)]) -> Result<()> {
        let file = |name: &str| self.folder.join(name);
        let all = users.iter().chain([&APPLIANCE]);
        let passwords: String = all.map(|(user, word)| format!("{user}:{word}\n")).collect();
        std::fs::write(file("passwords"), passwords)?;
        let hash = |c: &mut std::process::Command| {
            c.arg("-U").arg(file("passwords"));
        };
        child::run(Path::new("mosquitto_passwd"), hash, TIMEOUT)?;
        std::fs::write(file("acl"), ACL)?;
        std::fs::write(file("password"), format!("{}\n", APPLIANCE.1))?;
        self.make_certificate()?;
        let settings = format!(
            "user root\nallow_anonymous false\npassword_file {folder}/passwords\n\
             acl_file {folder}/acl\npersistence true\npersistence_location {folder}/\n\
             autosave_interval 1\nautosave_on_changes true\nmax_queued_messages 0\n\
             max_inflight_messages 200\nmessage_size_limit 65536\nlog_dest stderr\n\
             listener {} 127.0.0.1\nlistener {} 127.0.0.1\n\
             certfile {folder}/cert.pem\nkeyfile {folder}/key.pem\n",
            self.address.port(),
            self.tls.port(),
            folder = self.folder.display(),
        );
        std::fs::write(file("mosquitto.conf"), settings)?;
        Ok(())
    }

    fn make_certificate(&self) -> Result<()> {
        let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                         -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
                         -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem";
        let prepare = |c: &mut std::process::Command| {
            c.current_dir(&self.folder).args(arguments.split_whitespace());
        };
        child::run(Path::new("openssl"), prepare, TIMEOUT).map(|_| ())
    }

    /// The appliance's settings, as environment variables, for this broker.
    pub fn environment(&self, with_tls: bool) -> Vec<(String, String)> {
        let (scheme, address) = if with_tls { ("mqtts", self.tls) } else { ("mqtt", self.address) };
        let file = |name: &str| self.folder.join(name).display().to_string();
        let mut all = vec![
            ("TIANYIN_MQTT_URL".to_owned(), format!("{scheme}://{address}")),
            ("TIANYIN_MQTT_USERNAME".to_owned(), APPLIANCE.0.to_owned()),
            ("TIANYIN_MQTT_PASSWORD_FILE".to_owned(), file("password")),
        ];
        if with_tls {
            all.push(("TIANYIN_MQTT_CA_FILE".to_owned(), file("cert.pem")));
        }
        all
    }

    /// Starts it again with what it had saved, and waits until it listens.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        let settings = self.folder.join("mosquitto.conf");
        let mut running = Running::start("mosquitto", Path::new("mosquitto"), |command| {
            command.arg("-c").arg(&settings);
        })?;
        until("mosquitto to listen", TIMEOUT, || {
            anyhow::ensure!(running.is_running(), "it ended:\n{}", running.output());
            Ok(std::net::TcpStream::connect(self.address).ok())
        })
        .with_context(|| running.output())?;
        self.running = Some(running);
        Ok(())
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill();
        }
    }

    /// What it has logged since it was started last.
    pub fn log(&self) -> String {
        self.running.as_ref().map(Running::output).unwrap_or_default()
    }
}
