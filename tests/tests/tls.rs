//! HTTPS and MQTTS of the real binary: own CA, imported certificates, change without a restart, and
//! what comes in that is no TLS.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use tianyin_tests::appliance::Setting;
use tianyin_tests::{Appliance, place, until};

const WAIT: Duration = Duration::from_secs(30);
const SCANNER: &str = "scan-hs-01";

/// An appliance with TLS on ports of its own.
struct Secure {
    appliance: Appliance,
    https: SocketAddr,
    mqtts: SocketAddr,
}

fn start(more: &[(&str, &str)]) -> Secure {
    let mut setting = Setting::new().unwrap();
    let [https, mqtts] = [0; 2].map(|_| place::local(place::free_port().unwrap()));
    let mut set = |name: &str, value: &str| setting.environment.push((name.into(), value.into()));
    set("TIANYIN_HTTPS_LISTEN", &https.to_string());
    set("TIANYIN_MQTTS_LISTEN", &mqtts.to_string());
    for (name, value) in more {
        set(name, value);
    }
    Secure { appliance: Appliance::start_with(setting).unwrap(), https, mqtts }
}

fn run(program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).output().expect(program)
}

fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

impl Secure {
    fn ca(&self) -> PathBuf {
        self.appliance.setting.data.join("keys/tls/ca.pem")
    }

    fn curl(&self, path: &str, more: &[&str]) -> Output {
        let (ca, port) = (self.ca(), self.https.port());
        let url = format!("https://localhost:{port}{path}");
        run("curl", &[&["-sS", "-m", "20", "--cacert", text(&ca), &url], more].concat())
    }

    fn s_client(&self, port: u16, more: &[&str]) -> Output {
        let (ca, to) = (self.ca(), format!("127.0.0.1:{port}"));
        let fixed = ["s_client", "-connect", &to, "-CAfile", text(&ca), "-verify_return_error"];
        run("openssl", &[&fixed[..], more].concat())
    }

    /// A TLS connection that trusts the certificates of a PEM file only.
    fn connect(&self, trusted: &Path) -> anyhow::Result<Tls> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(trusted)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?;
        let stream = TcpStream::connect(self.https)?;
        stream.set_read_timeout(Some(WAIT))?;
        let mut tls = Tls(StreamOwned::new(client, stream));
        tls.get("/healthz")?;
        Ok(tls)
    }

    fn hang_up(&self) {
        let id = self.appliance.service().unwrap().id().to_string();
        assert!(run("kill", &["-HUP", &id]).status.success());
    }
}

/// A connection that is kept alive.
struct Tls(StreamOwned<ClientConnection, TcpStream>);

impl Tls {
    /// Head and body of the answer.
    fn get(&mut self, path: &str) -> anyhow::Result<String> {
        write!(self.0, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        self.0.flush()?;
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let read = self.0.read(&mut chunk)?;
            anyhow::ensure!(read > 0, "the connection ended");
            answer.extend_from_slice(&chunk[..read]);
            let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.is_none_or(|length| body.len() >= length.trim().parse().unwrap()) {
                anyhow::ensure!(text.starts_with("http/1.1 200"), "{text}");
                return Ok(text);
            }
        }
    }
}

#[test]
fn the_first_start_makes_a_ca_that_clients_can_trust() {
    let secure = start(&[]);
    let folder = secure.appliance.setting.data.join("keys/tls");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("ca.key.pem")), 0o600);
    assert_eq!(mode(&folder.join("server.pem")), 0o600);

    // What the phone page offers is the CA itself, over both.
    let pem = std::fs::read(secure.ca()).unwrap();
    assert_eq!(secure.appliance.get("/ca/county-ca.pem").unwrap().expect(200).unwrap().body, pem);
    let der = secure.appliance.get("/ca/county-ca.crt").unwrap().expect(200).unwrap();
    assert_eq!(der.header("content-type"), Some("application/x-x509-ca-cert"));
    assert_eq!(secure.curl("/ca/county-ca.crt", &[]).stdout, der.body);
    let ca = secure.ca();
    let exported = run("openssl", &["x509", "-in", text(&ca), "-outform", "DER"]);
    assert_eq!(exported.stdout, der.body, "{}", shown(&exported));
    let told = run("openssl", &["x509", "-in", text(&ca), "-noout", "-fingerprint", "-sha256"]);
    let fingerprint = shown(&told).split('=').nth(1).unwrap().trim().to_owned();
    let page = secure.appliance.get("/ca").unwrap().expect(200).unwrap().text();
    assert!(page.contains(&fingerprint[..23].replace(':', " ")), "{fingerprint} in {page}");

    for version in ["-tls1_2", "-tls1_3"] {
        for port in [secure.https.port(), secure.mqtts.port()] {
            let done = secure.s_client(port, &[version]);
            assert!(shown(&done).contains("Verify return code: 0"), "{}", shown(&done));
        }
    }
    let old = secure.s_client(secure.https.port(), &["-tls1_1"]);
    assert!(!old.status.success(), "{}", shown(&old));
    let ready = secure.curl("/readyz", &[]);
    assert!(ready.status.success(), "{}", shown(&ready));
    let stranger = run("curl", &["-sS", &format!("https://localhost:{}/", secure.https.port())]);
    assert_eq!(stranger.status.code(), Some(60), "{}", shown(&stranger));

    // A session that began over TLS never leaves it.
    let fields = format!("username=admin&password={}", secure.appliance.demo.password());
    let signed = shown(&secure.curl("/sign-in", &["-i", "-d", &fields]));
    let cookie =
        signed.lines().find(|l| l.to_ascii_lowercase().starts_with("set-cookie: tianyin="));
    let cookie = cookie.unwrap_or_else(|| panic!("{signed}"));
    assert!(cookie.contains("; Secure") && cookie.contains("; HttpOnly"), "{cookie}");
    assert!(!signed.contains("strict-transport-security"), "{signed}");

    // The same CA after a restart.
    let mut appliance = secure.appliance;
    appliance.stop().unwrap();
    appliance.serve().unwrap();
    assert_eq!(appliance.get("/ca/county-ca.pem").unwrap().body, pem);
}

#[test]
fn devices_come_over_tls() {
    let secure = start(&[]);
    let demo = &secure.appliance.demo;
    let (ca, url) = (secure.ca(), format!("mqtts://localhost:{}", secure.mqtts.port()));
    let lot = &demo.lots[0].no;
    let token = format!("--token={}", demo.token(SCANNER));
    let scan = ["device", "sim", "scanner", "--mqtt", &url, "--device", SCANNER, &token];
    let told = secure.appliance.run(&[&scan[..], &["--ca", text(&ca), lot]].concat()).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["receipt"]["status"], "accepted", "{told}");
    let without = secure.appliance.finish(&[&scan[..], &[lot]].concat()).unwrap();
    assert_eq!(without.code, Some(1), "{without:?}");

    // A client that is not ours.
    let (topic, body) =
        (format!("tianyin/v1/{SCANNER}/up/scan"), format!("{{\"text\":\"{lot}\"}}"));
    let port = secure.mqtts.port().to_string();
    let publish = |cafile: &str| {
        let to = ["-h", "localhost", "-p", &port, "--cafile", cafile, "-q", "1", "-i", "foreign"];
        let what = ["-u", SCANNER, "-P", demo.token(SCANNER), "-t", &topic, "-m", &body];
        run("mosquitto_pub", &[&to[..], &what].concat())
    };
    let count = || {
        let log = secure.appliance.get("/metrics").unwrap().text();
        let line =
            log.lines().find(|line| line.starts_with("tianyin_journal_lines_total ")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let before = count();
    let done = publish(text(&ca));
    assert!(done.status.success(), "{}", shown(&done));
    assert!(count() > before, "acknowledged, so it is on disk");
    let distrusted = publish("/etc/ssl/certs/ca-certificates.crt");
    assert!(!distrusted.status.success(), "{}", shown(&distrusted));
}

/// A certificate by openssl; the files are put into place at once, as a careful program does.
fn import(folder: &Path, name: &str, days: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) =
        (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    let subject = format!("/CN={name}");
    let made = run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            text(&key),
            "-out",
            text(&certificate),
            "-days",
            days,
            "-subj",
            &subject,
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ],
    );
    assert!(made.status.success(), "{}", shown(&made));
    (certificate, key)
}

#[test]
fn an_imported_certificate_changes_without_a_restart() {
    let folder = tianyin_tests::appliance::test_folder().unwrap();
    let (used, used_key) = (folder.join("used.pem"), folder.join("used.key"));
    let use_pair = |(certificate, key): &(PathBuf, PathBuf)| {
        std::fs::copy(certificate, &used).unwrap();
        std::fs::copy(key, &used_key).unwrap();
    };
    let [first, second, third] =
        ["first", "second", "third"].map(|name| import(&folder, name, "30"));
    use_pair(&first);
    let secure =
        start(&[("TIANYIN_TLS_CERTIFICATE", text(&used)), ("TIANYIN_TLS_KEY", text(&used_key))]);
    let mut kept = secure.connect(&first.0).unwrap();
    assert!(kept.get("/healthz").unwrap().contains("strict-transport-security: max-age="));
    assert!(secure.connect(&second.0).is_err(), "only the first is known");
    assert_eq!(secure.appliance.get("/ca").unwrap().status, 404);
    assert!(!secure.appliance.setting.data.join("keys/tls").exists());

    use_pair(&second);
    secure.hang_up();
    until("the second certificate", WAIT, || Ok(secure.connect(&second.0).ok())).unwrap();
    assert!(secure.connect(&first.0).is_err());
    kept.get("/healthz").expect("the old connection lives on");

    // The key of another certificate: nothing changes, and the log says why.
    std::fs::copy(&first.1, &used_key).unwrap();
    secure.hang_up();
    let complaint = "the private key does not belong to the certificate";
    until("the complaint", WAIT, || Ok(secure.appliance.log().contains(complaint).then_some(())))
        .unwrap();
    secure.connect(&second.0).expect("the one in use stays");
    let metrics = secure.appliance.get("/metrics").unwrap().text();
    assert!(metrics.contains("tianyin_certificate_refused 1"), "{metrics}");
    // What is told of the health is a few seconds old.
    until("the complaint in the status", WAIT, || {
        let told = secure.appliance.run(&["status", "--json"])?;
        Ok(told.contains("私钥与证书不是一对").then_some(()))
    })
    .unwrap();

    // Nobody says anything: it is noticed by itself.
    use_pair(&third);
    until("the third certificate", WAIT, || Ok(secure.connect(&third.0).ok())).unwrap();
    kept.get("/healthz").expect("the first connection still lives");
}

/// How long until the other side closes; fails when it does not.
fn closed_after(mut stream: TcpStream) -> Duration {
    let started = Instant::now();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    let mut rest = [0; 64];
    loop {
        match stream.read(&mut rest) {
            // An alert may come first.
            Ok(1..) => {}
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => panic!("it stays open"),
            Ok(0) | Err(_) => return started.elapsed(),
        }
    }
}

#[test]
fn silence_trickles_and_garbage_end_and_an_address_has_its_share() {
    let secure = start(&[("TIANYIN_MQTT_CONNECTIONS_PER_ADDRESS", "5")]);
    let mqtt = secure.appliance.setting.mqtt;
    let deadline = Duration::from_secs(10);
    std::thread::scope(|scope| {
        for address in [mqtt, secure.mqtts, secure.https] {
            scope.spawn(move || {
                let took = closed_after(TcpStream::connect(address).unwrap());
                assert!(took >= deadline - Duration::from_secs(1), "{address}: {took:?}");
                assert!(took < deadline * 2, "{address}: {took:?}");
            });
            // A byte a second of what would be right: a TLS hello, a CONNECT packet.
            scope.spawn(move || {
                let stream = TcpStream::connect(address).unwrap();
                let mut sending = stream.try_clone().unwrap();
                std::thread::spawn(move || {
                    let start: &[u8] =
                        if address == mqtt { &[0x10, 100, 0, 4] } else { &[0x16, 3, 1, 2, 0, 1] };
                    for byte in start.iter().copied().chain(std::iter::repeat_n(1, 60)) {
                        if sending.write_all(&[byte]).is_err() {
                            return;
                        }
                        std::thread::sleep(Duration::from_secs(1));
                    }
                });
                let took = closed_after(stream);
                assert!(took < deadline * 2, "{address}: {took:?}");
            });
        }
    });
    for address in [mqtt, secure.mqtts, secure.https] {
        for garbage in
            [&b"\x00\x01\x02 garbage \xff\xfe"[..], b"GET / HTTP/1.0\r\n\r\n", &[0xff; 4096]]
        {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(garbage).unwrap();
            let took = closed_after(stream);
            assert!(took < Duration::from_secs(5), "{address}: {took:?}");
        }
    }

    let held: Vec<TcpStream> = (0..5).map(|_| TcpStream::connect(mqtt).unwrap()).collect();
    // Plain and TLS count together.
    for address in [mqtt, secure.mqtts] {
        let took = closed_after(TcpStream::connect(address).unwrap());
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    drop(held);
    let lot = &secure.appliance.demo.lots[0].no;
    until("a place for a device", WAIT, || Ok(secure.appliance.scan(SCANNER, lot).ok())).unwrap();
}
