//! Names with characters beyond the first plane of Unicode, one that no font has, and quantities of twelve digits, from
//! the register to the label and the scan page.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tianyin_tests::api::Api;
use tianyin_tests::appliance::{Setting, test_folder};
use tianyin_tests::device::Printer;
use tianyin_tests::{Appliance, tools, until};

const WAIT: Duration = Duration::from_secs(20);
/// Two of the second plane, two of the first that are in few fonts.
const RARE: &str = "𠮷䶮㼆𬭎";
/// Of private use: what old programs wrote for a character that they did not know. It is in no font.
const NOWHERE: char = '\u{10abcd}';
/// What the appliance says of it.
const MISSING: &str =
    "字库里没有这些字:\u{10abcd}。请把含有这些字的字体文件放进数据目录的 fonts 文件夹";

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// An operator with all it takes to certify what it harvested yesterday.
struct Farm {
    api: Api,
    site: String,
    product: String,
    day: String,
}

impl Farm {
    /// `kind` is that of the operator; places and goods are called after `name`.
    fn of(api: &Api, (kind, uscc): (&str, &str), operator: &str, name: &str) -> Self {
        let place = format!("湘潭县花石镇{name}村");
        let operator = json!({
            "kind": kind, "uscc": uscc, "name": operator, "area": "430321103", "area_name": place,
            "contact_name": "示例联系人", "contact_phone": "13800000077",
        });
        let operator = text(&api.done("/operators", &operator).unwrap()["id"]);
        let approved = json!({ "status": "approved" });
        api.done(&format!("/operators/{operator}/review"), &approved).unwrap();
        let site = json!({ "operator": operator, "name": format!("{name}地"), "size_mu": "3" });
        let site = text(&api.done("/sites", &site).unwrap()["id"]);
        let product = json!({
            "operator": operator, "name": format!("{name}辣椒"), "class": "vegetable", "crop": "辣椒",
            "unit": "公斤",
        });
        let product = text(&api.done("/products", &product).unwrap()["id"]);
        let china = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
        let today = jiff::Timestamp::now().to_zoned(china).date();
        let day = today.yesterday().unwrap().to_string();
        let authorised = json!({
            "operator": operator, "granted_by": "示例负责人", "evidence": "示例授权书", "valid_from": day,
        });
        api.done("/authorisations", &authorised).unwrap();
        let harvest = json!({
            "site": site, "product": product, "kind": "harvest", "date": day, "note": name,
        });
        api.done("/activities", &harvest).unwrap();
        Self { api: api.clone(), site, product, day }
    }

    fn lot(&self, quantity: &str) -> Value {
        json!({
            "site": self.site, "product": self.product, "quantity": quantity, "harvested_on": self.day,
        })
    }

    /// A lot of this quantity, and the code of a certificate of all of it.
    fn certified(&self, quantity: &str) -> (String, String) {
        let lot = text(&self.api.done("/lots", &self.lot(quantity)).unwrap()["id"]);
        let request = json!({ "lot": lot, "quantity": quantity, "basis": ["quality_control"] });
        let issued = self.api.done("/certificates", &request).unwrap();
        assert_eq!(issued["content"]["quantity"], quantity, "{issued}");
        (lot, text(&issued["content"]["code"]))
    }
}

/// What the papers of both sizes say, without white space.
fn papers(api: &Api, code: &str) -> [String; 2] {
    let folder = test_folder().unwrap();
    ["a4", "a5"].map(|size| {
        let path = format!("/certificates/{code}/paper.pdf?size={size}");
        let pdf = api.send("GET", &path, &[], &[]).unwrap().expect(200).unwrap();
        let file = folder.join(format!("{size}.pdf"));
        std::fs::write(&file, pdf.body).unwrap();
        tools::pdf_text(&file).unwrap()
    })
}

fn scanned(appliance: &Appliance, code: &str) -> String {
    appliance.get(&format!("/t/{code}")).unwrap().expect(200).unwrap().text()
}

fn has_all(page: &str, wanted: &[&str]) {
    for one in wanted {
        assert!(page.contains(one), "{one} in {page}");
    }
}

/// Sends a label to the printer; the job.
fn print(appliance: &Appliance, api: &Api, code: &str) -> String {
    let printer = appliance.demo.printer();
    let job = json!({ "certificate": code, "printer": printer, "copies": 1 });
    text(&api.done("/print_jobs", &job).unwrap()["id"])
}

/// A label of the certificate comes out that a scanner reads.
fn comes_out(appliance: &Appliance, api: &Api, code: &str, printer: &mut Printer) {
    print(appliance, api, code);
    let label = printer.next_label(WAIT).unwrap();
    assert_eq!(read(&label), format!("HTTP://{}/T/{code}", appliance.setting.http));
}

fn read(label: &Path) -> String {
    let codes = tools::read_codes(label).unwrap();
    assert_eq!(codes.len(), 1, "{codes:?}");
    codes[0].clone()
}

/// What the proof of a certificate says, as it is checked without the appliance.
fn proved(appliance: &Appliance, code: &str) -> Value {
    let page = appliance.get(&format!("/t/{code}.json")).unwrap().json().unwrap();
    let key = test_folder().unwrap().join("county.pem");
    let pem = appliance.get("/keys/county.pem").unwrap().expect(200).unwrap();
    std::fs::write(&key, pem.body).unwrap();
    let proof = text(&page["certificate"]["proof"]);
    let check = ["check", "--json", "--key", key.to_str().unwrap(), &proof];
    let mut told: Value = serde_json::from_str(&appliance.run(&check).unwrap()).unwrap();
    told["proofs"][0]["fields"].take()
}

#[test]
fn rare_characters_are_on_label_paper_and_scan_page() {
    let setting = Setting::new().unwrap();
    let mut printer = Printer::start(setting.printer, &setting.data.join("labels")).unwrap();
    let mut appliance = Appliance::start_with(setting).unwrap();
    let api = appliance.api("admin").unwrap();
    let name = format!("示例{RARE}合作社");
    let farm = Farm::of(&api, ("cooperative", "91310110666007217T"), &name, RARE);
    let (lot, code) = farm.certified("100");
    let (product, place) = (format!("{RARE}辣椒"), format!("湘潭县花石镇{RARE}村"));
    let wanted = [name.as_str(), &product, &place];
    has_all(&scanned(&appliance, &code), &wanted);
    for paper in papers(&api, &code) {
        has_all(&paper, &wanted);
    }
    comes_out(&appliance, &api, &code, &mut printer);
    // They are looked for as they are written.
    let found = api.list("/operators?q=%F0%A0%AE%B7%E4%B6%AE").unwrap();
    assert_eq!((found.len(), &found[0]["name"]), (1, &json!(name)), "{found:?}");
    let producer = proved(&appliance, &code)["producer"].take();
    assert_eq!(producer, name);

    // A person's name is masked by characters, wherever they stand in Unicode.
    let person = Farm::of(&api, ("farmer", ""), "𠮷㼆某", "𬭎");
    let (_, code) = person.certified("5");
    let page = scanned(&appliance, &code);
    assert!(page.contains("𠮷**") && !page.contains("㼆"), "{page}");
    assert!(!page.contains("13800000077"), "{page}");
    for paper in papers(&api, &code) {
        has_all(&paper, &["𠮷㼆某", "13800000077"]);
    }
    comes_out(&appliance, &api, &code, &mut printer);
    assert_eq!(api.get(&format!("/lots/{lot}")).unwrap()["product_name"], product.as_str());
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
    appliance.run(&["rebuild"]).unwrap();
    appliance.serve().unwrap();
    has_all(&scanned(&appliance, &code), &["𠮷**", "𬭎辣椒"]);
}

#[test]
fn a_character_that_no_font_has_is_named_and_never_a_box() {
    let setting = Setting::new().unwrap();
    let mut printer = Printer::start(setting.printer, &setting.data.join("labels")).unwrap();
    let appliance = Appliance::start_with(setting).unwrap();
    let api = appliance.api("admin").unwrap();
    let name = format!("示例{NOWHERE}合作社");
    let farm = Farm::of(&api, ("cooperative", "91310110666007217T"), &name, "示例");
    // The certificate itself stands: what cannot be set in type can be signed and looked up.
    let (_, code) = farm.certified("100");
    has_all(&scanned(&appliance, &code), &["真实有效", &name]);
    for file in ["paper.pdf", "paper.pdf?size=a5", "paper.png", "label.png"] {
        let refused = api.send("GET", &format!("/certificates/{code}/{file}"), &[], &[]).unwrap();
        assert_eq!(refused.status, 409, "{file}: {}", refused.text());
        let told = refused.json().unwrap();
        assert_eq!(told["code"], "label_missing_glyphs", "{file}: {told}");
        has_all(&text(&told["detail"]), &[MISSING]);
    }
    let job = print(&appliance, &api, &code);
    let failed = until("the job to fail", WAIT, || {
        let job = api.get(&format!("/print_jobs/{job}"))?;
        Ok((job["status"] == "failed").then_some(job))
    });
    let failed = failed.unwrap();
    has_all(&text(&failed["error"]), &["label_failed", MISSING]);
    // Nothing of it went to the printer, which goes on with the next.
    let other = tianyin_tests::journey::issued(&appliance, "小白菜", "1").unwrap();
    comes_out(&appliance, &api, &text(&other["content"]["code"]), &mut printer);
}

#[test]
fn twelve_digits_are_the_most_and_fit_on_the_label() {
    let setting = Setting::new().unwrap();
    let mut printer = Printer::start(setting.printer, &setting.data.join("labels")).unwrap();
    let mut appliance = Appliance::start_with(setting).unwrap();
    let api = appliance.api("admin").unwrap();
    let farm = Farm::of(&api, ("cooperative", "91310110666007217T"), "示例大户合作社", "示例");
    for quantity in ["999999999999", "999999999999.999"] {
        let (lot, code) = farm.certified(quantity);
        let shown = format!("{quantity} 公斤");
        has_all(&scanned(&appliance, &code), &[&shown]);
        for paper in papers(&api, &code) {
            has_all(&paper, &[&shown.replace(' ', "")]);
        }
        comes_out(&appliance, &api, &code, &mut printer);
        // To the last gram.
        let told = api.get(&format!("/lots/{lot}")).unwrap();
        assert_eq!((&told["quantity"], &told["certified"]), (&json!(quantity), &json!(quantity)));
        let more = json!({ "lot": lot, "quantity": "0.001", "basis": ["quality_control"] });
        let refused = api.post("/certificates", &more).unwrap();
        assert_eq!(refused.status, 409, "{}", refused.text());
        has_all(&refused.text(), &["lot_exhausted", "剩余可开数量只有 0 公斤"]);
    }
    for quantity in [
        "1000000000000",
        "999999999999.9999",
        "0",
        "-1",
        "1e12",
        "99999999999999999999999999999999",
    ] {
        let refused = api.post("/lots", &farm.lot(quantity)).unwrap();
        assert_eq!(refused.status, 422, "{quantity}: {}", refused.text());
        let fault = refused.json().unwrap()["errors"][0].take();
        assert_eq!(fault["field"], "quantity", "{quantity}: {fault}");
        assert!(!text(&fault["detail"]).is_ascii(), "{quantity}: {fault}");
    }
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
}
