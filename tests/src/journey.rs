//! The main job, end to end, once: a lot is scanned and measured, its certificate is issued, printed,
//! scanned by a market and a consumer, and verified without the appliance. Every step is checked.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::api::Api;
use crate::device::{Printer, Sample};
use crate::{Appliance, http, tools, until};

const WAIT: Duration = Duration::from_secs(20);
/// Producers of this lot let the county issue by itself when a test passes.
const AUTOMATIC: &str = "湘莲";
/// A producer of this lot issues by hand.
const BY_HAND: &str = "小白菜";

/// What came of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Number of the lot.
    pub lot_no: String,
    /// Code of the certificate.
    pub code: String,
    /// Address in the QR code, as decoded from the label.
    pub url: String,
    /// Picture of the label.
    pub label: PathBuf,
    /// What `/t/CODE.json` answered.
    pub page: Value,
    /// What the market's scanner was answered.
    pub check: Value,
    /// The test of the other lot, which arrived as JSON.
    pub json_test: Value,
    /// What the offline proof says.
    pub proof: Value,
}

/// Drives the main job; `report` hears each step after it was verified, in Chinese, with its time.
pub fn main_job(
    appliance: &Appliance,
    printer: &mut Printer,
    report: &mut dyn FnMut(&str, Duration),
) -> Result<Outcome> {
    let mut step = Steps { last: Instant::now(), report };
    let lot = appliance.demo.lot(AUTOMATIC)?.clone();
    let api = appliance.api("admin")?;

    let receipt = appliance.scan("scan-hs-01", &lot.no)?;
    ensure!(receipt["status"] == "accepted", "scan of {}: {receipt}", lot.no);
    ensure!(receipt["lot"]["no"] == lot.no.as_str(), "{receipt}");
    step.done(&format!("检测台扫码 {}:{}", lot.no, lot.product));

    let sample = Sample { model: "lz4000t", lot: "", name: "湘莲", inhibition: "16.54" };
    let receipt = appliance.measure("lz4000t-hs-01", sample)?;
    ensure!(receipt["status"] == "accepted", "{receipt}");
    step.done("LZ-4000T 原始帧经 MQTT 送达,WASM 插件解码,回执 accepted");

    let test = until("the test of the scanned lot", WAIT, || test_of(&api, &lot.id))?;
    ensure!(test["verdict"] == "pass" && test["matched_by"] == "bench", "{test}");
    ensure!(test["measurement"]["value"]["num"] == "16.54", "{test}");
    step.done("规则判定:抑制率 16.54 %,合格;按检测台扫码归入批次");

    let label = printer.next_label(WAIT)?;
    step.done(&format!("长期授权自动开证,标签已打印:{}", label.display()));

    let codes = tools::read_codes(&label)?;
    let [url] = codes.as_slice() else { anyhow::bail!("the label has the codes {codes:?}") };
    let code = code_of(appliance, &api, url, &lot.id)?;
    step.done(&format!("标签二维码由 zbarimg 从打印位图读出:{url}"));

    let page = consumer(url, &code, &lot.product)?;
    step.done("扫码页可打开:产品、合格证、检测结论和数值一致");

    let check = appliance.scan("scan-market-01", url)?["check"].clone();
    ensure!(check["status"] == "valid" && check["code"] == code.as_str(), "{check}");
    step.done("批发市场扫码枪查验:有效");

    let other = appliance.demo.lot(BY_HAND)?.clone();
    let sample = Sample { model: "json", lot: &other.no, name: BY_HAND, inhibition: "23.10" };
    let receipt = appliance.measure("json-ysh-01", sample)?;
    ensure!(receipt["status"] == "accepted", "{receipt}");
    let json_test = until("the test of the other lot", WAIT, || test_of(&api, &other.id))?;
    ensure!(json_test["verdict"] == "pass" && json_test["matched_by"] == "number", "{json_test}");
    step.done(&format!("另一台仪器以 JSON 上报批次 {}:合格", other.no));

    let proof = offline(appliance, &page)?;
    ensure!(proof["code"] == code.as_str(), "{proof}");
    step.done("离线凭证(SM2)用 tianyin check 和 OpenSSL 分别验证通过");

    let url = url.clone();
    Ok(Outcome { lot_no: lot.no, code, url, label, page, check, json_test, proof })
}

struct Steps<'a> {
    last: Instant,
    report: &'a mut dyn FnMut(&str, Duration),
}

impl Steps<'_> {
    fn done(&mut self, text: &str) {
        (self.report)(text, self.last.elapsed());
        self.last = Instant::now();
    }
}

/// The latest test of a lot, once there is one.
pub fn test_of(api: &Api, lot: &str) -> Result<Option<Value>> {
    Ok(api.list("/tests")?.into_iter().find(|test| test["lot"] == lot))
}

/// Issues a certificate for part of a lot of the demo county, on the strength of its records.
pub fn issued(appliance: &Appliance, product: &str, quantity: &str) -> Result<Value> {
    let lot = &appliance.demo.lot(product)?.id;
    let request = json!({ "lot": lot, "quantity": quantity, "basis": ["quality_control"] });
    appliance.api("clerk")?.done("/certificates", &request)
}

/// The code in a label's address, which must be the upper-case address of the lot's certificate.
fn code_of(appliance: &Appliance, api: &Api, url: &str, lot: &str) -> Result<String> {
    let head = format!("HTTP://{}/T/", appliance.setting.http);
    let code = url.strip_prefix(&head).with_context(|| format!("{url} does not start {head}"))?;
    let certificate = api.get(&format!("/certificates/{code}"))?;
    ensure!(certificate["lot"] == lot, "the code {code} is of another lot: {certificate}");
    Ok(code.to_owned())
}

/// A consumer's phone opens the address.
fn consumer(url: &str, code: &str, product: &str) -> Result<Value> {
    let html = http::get_url(url)?.expect(200)?.text();
    for wanted in [product, "真实有效", "16.54"] {
        ensure!(html.contains(wanted), "the scan page does not show {wanted}");
    }
    let page = http::get_url(&format!("{url}.json"))?.expect(200)?.json()?;
    ensure!(page["code"] == code && page["status"] == "valid", "{page}");
    ensure!(page["certificate"]["product"] == product, "{page}");
    let test = &page["tests"][0];
    ensure!(test["verdict"]["code"] == "pass" && test["value"] == "16.54", "{page}");
    Ok(page)
}

/// Verifies the certificate's proof without the appliance, in two ways.
fn offline(appliance: &Appliance, page: &Value) -> Result<Value> {
    let proof = page["certificate"]["proof"].as_str().context("the page has no proof")?;
    let pem = appliance.get("/keys/county.pem")?.expect(200)?.text();
    let folder = appliance.setting.data.with_extension("proof");
    std::fs::create_dir_all(&folder)?;
    let by_openssl = tools::openssl_verify(&folder, &pem, proof)?;
    let key = folder.join("county.pem");
    let key = key.to_string_lossy();
    let by_us = appliance.run(&["check", "--key", &key, "--json", proof])?;
    let by_us = serde_json::from_str::<Value>(&by_us)?["proofs"][0]["fields"].take();
    ensure!(by_us == by_openssl, "the two readings differ: {by_us} {by_openssl}");
    std::fs::remove_dir_all(&folder)?;
    Ok(by_us)
}
