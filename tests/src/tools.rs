//! Programs of other people that check our work: a QR decoder, a reader of PDF, OpenSSL, an MQTT client.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Appliance;
use crate::child::{self, Finished};
use crate::place;

const TIMEOUT: Duration = Duration::from_secs(60);
/// Identity that GM/T 0009 sets where the signer has no other.
const SM2_IDENTITY: &str = "distid:1234567812345678";

/// The texts of all codes that `zbarimg` finds in a picture.
pub fn read_codes(picture: &Path) -> Result<Vec<String>> {
    let zbarimg = Path::new("zbarimg");
    let texts = child::run(
        zbarimg,
        |c| {
            c.args(["--quiet", "--raw"]).arg(picture);
        },
        TIMEOUT,
    );
    let texts = texts.with_context(|| format!("no code in {}", picture.display()))?;
    Ok(texts.lines().map(str::to_owned).collect())
}

/// The texts of the QR codes that `zbarimg` finds on a page. Between lines of text it may see bars as well,
/// which are none.
pub fn read_qr_codes(page: &Path) -> Result<Vec<String>> {
    let prepare = |c: &mut std::process::Command| {
        c.args(["--quiet", "--raw", "-Sdisable", "-Sqr.enable"]).arg(page);
    };
    let texts = child::run(Path::new("zbarimg"), prepare, TIMEOUT);
    let texts = texts.with_context(|| format!("no code in {}", page.display()))?;
    Ok(texts.lines().map(str::to_owned).collect())
}

/// The pages of a PDF as grey pictures in a new folder beside it, in order, by poppler.
pub fn pdf_pages(pdf: &Path, dpi: u32) -> Result<Vec<PathBuf>> {
    let folder = pdf.with_extension("pages");
    std::fs::create_dir(&folder).with_context(|| format!("create {}", folder.display()))?;
    let prepare = |c: &mut std::process::Command| {
        c.args(["-r", &dpi.to_string(), "-gray", "-png"]).arg(pdf).arg(folder.join("page"));
    };
    child::run(Path::new("pdftoppm"), prepare, TIMEOUT)?;
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        pages.push(entry?.path());
    }
    // The numbers in their names have as many digits as the last one.
    pages.sort();
    Ok(pages)
}

/// The text of a PDF by poppler, without white space and without the signs where a line may break.
pub fn pdf_text(pdf: &Path) -> Result<String> {
    let prepare = |c: &mut std::process::Command| {
        c.args(["-raw", "-enc", "UTF-8"]).arg(pdf).arg("-");
    };
    let text = child::run(Path::new("pdftotext"), prepare, TIMEOUT)?;
    let is_shown = |c: &char| !c.is_whitespace() && !matches!(c, '\u{200b}' | '\u{2060}');
    Ok(text.chars().filter(is_shown).collect())
}

/// Verifies an offline proof `TY1.fields.signature` with OpenSSL alone; gives its fields.
pub fn openssl_verify(folder: &Path, public_pem: &str, proof: &str) -> Result<serde_json::Value> {
    let mut parts = proof.trim().split('.').skip(1);
    let mut part = || {
        let text = parts.next().context("a proof has three parts")?;
        URL_SAFE_NO_PAD.decode(text).context("base64url")
    };
    let (fields, signature) = (part()?, part()?);
    for (name, bytes) in [
        ("county.pem", public_pem.as_bytes()),
        ("fields.json", &fields),
        ("fields.sig", &signature),
    ] {
        std::fs::write(folder.join(name), bytes)?;
    }
    let verify = ["dgst", "-sm3", "-verify", "county.pem", "-signature", "fields.sig"];
    let prepare = |command: &mut std::process::Command| {
        command.current_dir(folder).args(verify).args(["-sigopt", SM2_IDENTITY, "fields.json"]);
    };
    let told = child::run(Path::new("openssl"), prepare, TIMEOUT)?;
    ensure!(told.contains("Verified OK"), "openssl: {told}");
    Ok(serde_json::from_slice(&fields)?)
}

/// Checks a journal with the verifier in Python; its lines and the hash of the last one.
pub fn verify_journal(folder: &Path) -> Result<(u64, String)> {
    let script = place::root().join("packaging/verify_journal.py");
    let prepare = |command: &mut std::process::Command| {
        command.arg(script).arg(folder);
    };
    let told = child::run(Path::new("python3"), prepare, TIMEOUT)?;
    let parsed = told
        .split_once(" lines, head ")
        .and_then(|(lines, head)| Some((lines.parse().ok()?, head.get(..64)?.to_owned())));
    parsed.with_context(|| format!("verify_journal.py: {told}"))
}

/// Publishes a payload with `mosquitto_pub` at QoS 1, as any foreign client would.
pub fn mosquitto_pub(
    appliance: &Appliance,
    (device, token): (&str, &str),
    topic: &str,
    payload: &[u8],
) -> Result<Finished> {
    let file = appliance.setting.data.join(format!("payload-{}", topic.replace('/', "-")));
    std::fs::write(&file, payload)?;
    let (host, port) = (appliance.setting.mqtt.ip().to_string(), appliance.setting.mqtt.port());
    let prepare = |command: &mut std::process::Command| {
        command.args(["-h", &host, "-p", &port.to_string(), "-V", "mqttv311", "-q", "1"]);
        command.args(["-u", device, "-P", token, "-i", device, "-t", topic]).arg("-f").arg(&file);
    };
    child::finish(Path::new("mosquitto_pub"), prepare, TIMEOUT)
}
