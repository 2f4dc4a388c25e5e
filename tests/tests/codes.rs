//! Codes and papers on their way through a county, in real Chromium: what a buyer collects and certifies anew,
//! blank forms, packs for a printing house, and labels that somebody copied.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tianyin_tests::api::Api;
use tianyin_tests::appliance::{DemoLot, Setting, test_folder};
use tianyin_tests::device::Printer;
use tianyin_tests::person::{DESK, Person};
use tianyin_tests::webdriver::Browser;
use tianyin_tests::{Appliance, http, journey, tools};

const WAIT: Duration = Duration::from_secs(20);
/// The password that the county gives to a buyer, and the one that the buyer chooses.
const INITIAL: &str = "bamboo-grove-2026";
const PASSWORD: &str = "lotus-river-2026";
/// Form to issue a certificate on.
const ISSUE: &str = "form[action$='/issue']";
/// The basis that records, or collected certificates, prove.
const BASIS: &str = "质量安全控制符合要求";

fn last_part(path: &str) -> String {
    path.rsplit('/').next().unwrap().to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Days before today, in China.
fn days_ago(days: i32) -> String {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8)));
    today.date().checked_sub(jiff::Span::new().days(days)).unwrap().to_string()
}

fn lot(appliance: &Appliance, product: &str) -> DemoLot {
    appliance.demo.lot(product).unwrap().clone()
}

fn issued(appliance: &Appliance, product: &str, quantity: &str) -> Value {
    journey::issued(appliance, product, quantity).unwrap()
}

fn code_of(certificate: &Value) -> String {
    text(&certificate["content"]["code"])
}

/// The public page of a code.
fn scanned(appliance: &Appliance, code: &str) -> String {
    appliance.get(&format!("/t/{code}")).unwrap().expect(200).unwrap().text()
}

/// Closes the browser, whose console may only tell of forms that were filled in wrong on purpose, and looks
/// at what the appliance leaves behind.
fn finish(browser: Browser, mut appliance: Appliance) {
    let mut complaints = browser.complaints().unwrap();
    complaints.retain(|line| !line.contains("status of 422"));
    assert!(complaints.is_empty(), "the pages' console says:\n{}", complaints.join("\n"));
    drop(browser);
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
}

#[test]
fn a_buyer_collects_mixes_and_certifies_on_form_2() {
    let setting = Setting::new().unwrap();
    let mut printer = Printer::start(setting.printer, &setting.data.join("labels")).unwrap();
    let appliance = Appliance::start_with(setting).unwrap();
    let greens = issued(&appliance, "小白菜", "100");
    let peppers = issued(&appliance, "辣椒", "50");
    let withdrawn = code_of(&issued(&appliance, "小白菜", "10"));
    let void = json!({ "reason": "数量填错" });
    let clerk = appliance.api("clerk").unwrap();
    clerk.done(&format!("/certificates/{withdrawn}/void"), &void).unwrap();
    let browser = Browser::start(DESK.0, DESK.1).unwrap();
    let visit = Person::at(&browser, &appliance);
    let buyer = buyer(&visit, &appliance);
    let own = Api::sign_in(appliance.setting.http, "buyer", PASSWORD).unwrap();

    // As a scanner sends it, and as people type it.
    let address = format!("HTTP://{}/T/{}", appliance.setting.http, code_of(&greens));
    let (_, first) = collect(&visit, &own, &address, &greens, "30");
    let (proof, second) = collect(&visit, &own, &code_of(&peppers), &peppers, "20");
    look(&visit, &code_of(&greens), "70 / 100 公斤");
    cannot_be_collected(&visit, &own, &buyer, &withdrawn);

    let mixed = mix(&own, &buyer, &[(&first, "30"), (&second, "20")]);
    let certified = certify(&visit, &own, &mixed);
    at_the_station(&appliance, &mut printer, &certified);
    let again = issue_again(&visit, &certified, "20");
    visit.go(&format!("/t/{certified}"));
    browser.wait_for("已作废").unwrap();
    browser.find(&format!(".reason a[href='/t/{again}']")).unwrap();
    let again = own.get(&format!("/certificates/{again}")).unwrap();
    assert_eq!(again["content"]["form"], "buyer-2026");
    strike(&visit, &proof);
    let no = text(&own.get(&format!("/lots/{second}")).unwrap()["no"]);
    visit.go(&format!("/lots/{mixed}/issue"));
    browser.choose(ISSUE, "basis", BASIS).unwrap();
    visit.press(ISSUE, "确认开具", "按现行规则不能开具");
    browser.wait_for(&format!("来源批次 {no} 没有收取供货方的合格证")).unwrap();
    visit.picture("codes-source-missing");
    assert_eq!(own.list(&format!("/certificates?lot={mixed}")).unwrap().len(), 2);
    finish(browser, appliance);
}

/// A buying station with an account, whose person is signed in then; its id.
fn buyer(visit: &Person<'_>, appliance: &Appliance) -> String {
    let admin = appliance.api("admin").unwrap();
    let operators = admin.list("/operators").unwrap();
    let station = operators.iter().find(|one| one["name"] == "示例收购站").expect("a buyer");
    let buyer = text(&station["id"]);
    let approved = json!({ "status": "approved" });
    admin.done(&format!("/operators/{buyer}/review"), &approved).unwrap();
    let account = json!({
        "username": "buyer", "name": "示例收购员", "role": "producer", "operator": buyer,
        "password": INITIAL,
    });
    admin.done("/users", &account).unwrap();
    visit.sign_in("buyer", INITIAL, "现在的密码是别人给您设置的");
    let form = "form[action='/sign-in/password']";
    visit.fill(form, &[("password", PASSWORD), ("password_again", PASSWORD)]);
    visit.press(form, "修改并登录", "今日工作");
    buyer
}

/// Looks a certificate up on the page that collects.
fn look(visit: &Person<'_>, typed: &str, then: &str) {
    visit.go("/collections/new");
    let form = "form[action='/collections/new']";
    visit.browser.fill(form, "code", typed).unwrap();
    visit.press(form, "查看", then);
}

/// Collects part of the goods of a certificate; the collection, and the buyer's lot of them.
fn collect(
    visit: &Person<'_>,
    own: &Api,
    typed: &str,
    certificate: &Value,
    quantity: &str,
) -> (String, String) {
    let content = &certificate["content"];
    let all = text(&content["quantity"]);
    look(visit, typed, &format!("{all} / {all} 公斤"));
    visit.browser.wait_for(&text(&content["producer"])).unwrap();
    visit.picture("codes-collect");
    let form = "form[action='/collections']";
    visit.browser.fill(form, "quantity", quantity).unwrap();
    visit.press(form, "收取并入库", "货物已记入批次。");
    let collection = last_part(&visit.path("/collections/col_"));
    let told = own.get(&format!("/collections/{collection}")).unwrap();
    assert_eq!((&told["code"], &told["quantity"]), (&content["code"], &json!(quantity)));
    (collection, text(&told["lot"]))
}

fn cannot_be_collected(visit: &Person<'_>, own: &Api, buyer: &str, code: &str) {
    look(visit, code, "这张合格证已作废");
    let offered = visit.browser.all("form[action='/collections']").unwrap();
    assert!(offered.is_empty(), "a void certificate is offered");
    let request =
        json!({ "operator": buyer, "code": code, "quantity": "1", "collected_on": days_ago(0) });
    let refused = own.post("/collections", &request).unwrap();
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert_eq!(refused.json().unwrap()["code"], "certificate_void");
}

/// Lots of the buyer in one, under a name of the buyer's own; the new lot.
fn mix(own: &Api, buyer: &str, parts: &[(&str, &str)]) -> String {
    let product = json!({
        "operator": buyer, "name": "示例净菜组合", "class": "vegetable", "crop": "白菜", "unit": "公斤",
    });
    let product = text(&own.done("/products", &product).unwrap()["id"]);
    let part = |(lot, quantity): &(&str, &str)| json!({ "lot": lot, "quantity": quantity });
    let inputs: Vec<Value> = parts.iter().map(part).collect();
    let outputs = json!([{ "quantity": "50", "product": product }]);
    let step = json!({ "kind": "mix", "date": days_ago(0), "inputs": inputs, "outputs": outputs });
    text(&own.done("/steps", &step).unwrap()["outputs"][0]["lot"])
}

/// The station prints the label of somebody's certificate.
fn at_the_station(appliance: &Appliance, printer: &mut Printer, code: &str) {
    let browser = Browser::start(DESK.0, DESK.1).unwrap();
    let visit = Person::at(&browser, appliance);
    visit.sign_in("clerk", appliance.demo.password(), "今日工作");
    print(&visit, printer, code, &format!("HTTP://{}/T/{code}", appliance.setting.http));
}

/// The buyer's own certificate for part of what it mixed; its code.
fn certify(visit: &Person<'_>, own: &Api, lot: &str) -> String {
    let browser = visit.browser;
    visit.go(&format!("/lots/{lot}/issue"));
    for shown in ["由生产者本人开具", "2026 年样式二", "已按规定收取并保存"] {
        browser.wait_for(shown).unwrap();
    }
    browser.fill(ISSUE, "quantity", "20").unwrap();
    browser.choose(ISSUE, "basis", BASIS).unwrap();
    browser.wait_for("已收取并保存来源合格证明 2 份").unwrap();
    visit.picture("codes-issue-buyer");
    visit.press(ISSUE, "确认开具", "合格证已开具。");
    let code = last_part(&visit.path("/certificates/"));
    let certificate = own.get(&format!("/certificates/{code}")).unwrap();
    assert_eq!(certificate["content"]["form"], "buyer-2026");
    assert_eq!(certificate["form"]["id"], "buyer-2026");
    let commitment = text(&certificate["content"]["commitment"]);
    assert!(commitment.starts_with("已按规定收取并保存"), "{commitment}");
    assert!(certificate["authorisation"].is_null(), "its own act: {certificate}");
    visit.go(&format!("/t/{code}"));
    browser.wait_for("真实有效").unwrap();
    browser.wait_for("已按规定收取并保存").unwrap();
    visit.picture("codes-scan-buyer");
    code
}

/// What was collected does not count any more.
fn strike(visit: &Person<'_>, collection: &str) {
    visit.go(&format!("/collections/{collection}"));
    visit.browser.click_css("details.add summary").unwrap();
    let form = "form[action$='/strike']";
    visit.browser.fill(form, "reason", "收错了别家的合格证").unwrap();
    visit.press(form, "划掉这份凭证", "已划掉这份凭证。");
}

/// Orders a pack on the page; the page of the pack.
fn order(visit: &Person<'_>, kind: &str, size: &str, scratch: bool) -> String {
    visit.go("/packs/new");
    let form = "form[action='/packs']";
    visit.browser.choose(form, "kind", kind).unwrap();
    visit.fill(form, &[("size", size), ("note", "示例印刷厂")]);
    if scratch {
        visit.browser.choose(form, "scratch", "每个码配一个刮开验证码").unwrap();
    }
    visit.press(form, "生成码包", "码包已生成。");
    visit.path("/packs/pck_")
}

/// The list for the printing house: number, code, code in groups, text of the QR, and what is scratched free.
fn rows(api: &Api, pack: &str, count: usize) -> Vec<Vec<String>> {
    let list = api.send("GET", &format!("{pack}/codes.csv"), &[], &[]).unwrap();
    let list = list.expect(200).unwrap();
    assert_eq!(list.header("x-rows"), Some(count.to_string().as_str()));
    let text = list.text();
    let cells = |row: &str| row.split(',').map(str::to_owned).collect();
    let rows: Vec<Vec<String>> = text.lines().skip(1).map(cells).collect();
    assert_eq!(rows.len(), count);
    rows
}

#[test]
fn a_blank_form_is_printed_filled_in_and_entered() {
    let setting = Setting::new().unwrap();
    let mut printer = Printer::start(setting.printer, &setting.data.join("labels")).unwrap();
    let appliance = Appliance::start_with(setting).unwrap();
    let browser = Browser::start(DESK.0, DESK.1).unwrap();
    let visit = Person::at(&browser, &appliance);
    visit.sign_in("admin", appliance.demo.password(), "今日工作");
    let admin = appliance.api("admin").unwrap();
    let pack = order(&visit, "空白合格证", "20", false);
    let rows = rows(&admin, &pack, 20);

    let pages = blanks(&visit, &admin, &pack);
    let printed = pages.iter().map(|page| tools::read_qr_codes(page).unwrap());
    let printed: Vec<Vec<String>> = printed.collect();
    let expected: Vec<Vec<String>> = rows.iter().map(|row| vec![row[3].clone()]).collect();
    assert_eq!(printed, expected, "every form has its code, in order");
    let (number, code, url) = (&rows[2][0], &rows[2][1], &rows[2][3]);
    assert_eq!(*url, format!("HTTP://{}/T/{code}", appliance.setting.http));
    browser.open(url).unwrap();
    browser.wait_for("空白合格证尚未录入").unwrap();
    visit.picture("codes-scan-blank");

    let (lot, day) = (lot(&appliance, "小白菜").id, days_ago(1));
    visit.go(&format!("/lots/{lot}/issue"));
    browser.click_words("补录手写的合格证").unwrap();
    visit.fill(ISSUE, &[("quantity", "50"), ("code", number)]);
    browser.fill_date(ISSUE, "issued_on", &day).unwrap();
    browser.choose(ISSUE, "basis", BASIS).unwrap();
    let chooser = browser.find("[data-photos] input[multiple]").unwrap();
    browser.type_into(&chooser, pages[2].to_str().unwrap()).unwrap();
    browser.find(".thumbs img").unwrap();
    visit.picture("codes-enter-form");
    visit.press(ISSUE, "确认开具", "合格证已开具。");
    assert_eq!(visit.path("/certificates/"), format!("/certificates/{code}"));
    let certificate = admin.get(&format!("/certificates/{code}")).unwrap();
    assert_eq!(certificate["content"]["issued_on"], day.as_str());
    assert_eq!(certificate["paper"]["attachments"][0]["kind"], "png");
    browser.open(url).unwrap();
    for shown in ["真实有效", "小白菜", day.as_str()] {
        browser.wait_for(shown).unwrap();
    }
    visit.go(&pack);
    browser.find(&format!("#ranges a[href='/certificates/{code}']")).unwrap();

    print(&visit, &mut printer, code, url);
    let new = issue_again(&visit, code, "50");
    visit.go(&format!("/t/{code}"));
    browser.wait_for("已作废").unwrap();
    browser.wait_for("标签贴错").unwrap();
    browser.find(&format!(".reason a[href='/t/{new}']")).unwrap();
    visit.picture("codes-scan-replaced");
    visit.go(&format!("/t/{new}"));
    browser.wait_for("真实有效").unwrap();
    finish(browser, appliance);
}

/// Pictures of the pack's blank forms, as the form of its page asks for them.
fn blanks(visit: &Person<'_>, admin: &Api, pack: &str) -> Vec<PathBuf> {
    visit.go(pack);
    visit.browser.click_words("空白合格证").unwrap();
    visit.picture("codes-pack-of-forms");
    let script = "const f=document.querySelector(\"form[action$='/sheets.pdf']\");\
                  return f.getAttribute('action')+'?'+new URLSearchParams(new FormData(f))";
    let asked = text(&visit.browser.run(script, &json!([])).unwrap());
    let cookie = format!("tianyin={}", admin.token());
    let answer = http::send(admin.address, "GET", &asked, &[("Cookie", &cookie)], &[]);
    let answer = answer.unwrap().expect(200).unwrap();
    assert_eq!(answer.header("content-type"), Some("application/pdf"));
    let file = test_folder().unwrap().join("forms.pdf");
    std::fs::write(&file, answer.body).unwrap();
    tools::pdf_pages(&file, 150).unwrap()
}

/// A label of the certificate says where its page is.
fn print(visit: &Person<'_>, printer: &mut Printer, code: &str, url: &str) {
    visit.go(&format!("/certificates/{code}"));
    let form = "form[action$='/print']";
    visit.browser.choose(form, "printer", "花石站标签打印机").unwrap();
    visit.browser.press(form, "打印").unwrap();
    let label = printer.next_label(WAIT).unwrap();
    visit.browser.wait_for("已打印").unwrap();
    assert_eq!(tools::read_codes(&label).unwrap(), [url]);
}

/// Voids a certificate and issues another one in its place; its code.
fn issue_again(visit: &Person<'_>, code: &str, quantity: &str) -> String {
    let browser = visit.browser;
    visit.go(&format!("/certificates/{code}"));
    let form = "form[action$='/void']";
    browser.fill(form, "reason", "标签贴错").unwrap();
    browser.press(form, "作废这张合格证").unwrap();
    visit.press("#ask", "确定", "合格证已作废。");
    browser.click_words("重新开具").unwrap();
    browser.wait_for_url(&format!("/issue?replaces={code}")).unwrap();
    browser.fill(ISSUE, "quantity", quantity).unwrap();
    browser.choose(ISSUE, "basis", BASIS).unwrap();
    visit.press(ISSUE, "确认开具", "合格证已开具。");
    let new = last_part(&visit.path("/certificates/"));
    browser.find(&format!("main a[href='/certificates/{code}']")).unwrap();
    visit.go(&format!("/certificates/{code}"));
    browser.find(&format!(".held a[href='/certificates/{new}']")).unwrap();
    visit.picture("codes-replaced");
    new
}

#[test]
fn a_pack_for_the_printing_house() {
    let appliance = Appliance::start().unwrap();
    let [greens, peppers] = ["小白菜", "辣椒"].map(|product| {
        issued(&appliance, product, "50");
        lot(&appliance, product)
    });
    let browser = Browser::start(DESK.0, DESK.1).unwrap();
    let visit = Person::at(&browser, &appliance);
    visit.sign_in("admin", appliance.demo.password(), "今日工作");
    let admin = appliance.api("admin").unwrap();
    let pack = order(&visit, "单品码", "1000", true);
    let rows = rows(&admin, &pack, 1_000);
    let codes: HashSet<&str> = rows.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(codes.len(), 1_000, "every code is another one");
    for (serial, row) in (1..).zip(&rows) {
        let unit = admin.get(&format!("/codes/{}", row[1])).unwrap()["unit"].take();
        assert_eq!((&unit["serial"], &unit["number"]), (&json!(serial), &json!(row[0])), "{unit}");
        assert_eq!((&unit["pack"], &unit["state"]), (&json!(last_part(&pack)), &json!("free")));
    }

    mark(&visit, &pack, ("1", "500"), "已绑定", ("lot", &greens.no));
    mark(&visit, &pack, ("501", "600"), "已绑定", ("lot", &peppers.no));
    mark(&visit, &pack, ("800", "810"), "作废", ("reason", "整卷标签丢失"));
    mark(&visit, &pack, ("900", "900"), "损耗", ("reason", "印糊了"));
    visit.picture("codes-pack-of-units");
    let counts = json!({ "free": 388, "assigned": 0, "bound": 600, "waste": 1, "void": 11 });
    assert_eq!(admin.get(&pack).unwrap()["counts"], counts);

    let code = |serial: usize| rows[serial - 1][1].as_str();
    for (serial, bound, other) in
        [(1, &greens, &peppers), (500, &greens, &peppers), (501, &peppers, &greens)]
    {
        let page = scanned(&appliance, code(serial));
        let told = ["真实有效", bound.no.as_str(), bound.product.as_str()];
        assert!(told.iter().all(|one| page.contains(one)), "{serial}: {page}");
        assert!(!page.contains(&other.no), "{serial}: {page}");
    }
    for (serial, words) in [
        (700, "此码已印制"),
        (799, "此码已印制"),
        (800, "整卷标签丢失"),
        (810, "此码已作废"),
        (900, "此码已登记为损耗"),
    ] {
        let page = scanned(&appliance, code(serial));
        assert!(page.contains(words) && !page.contains("真实有效"), "{serial}: {page}");
        assert!(!page.contains(&greens.no) && !page.contains(&peppers.no), "{serial}: {page}");
    }
    visit.go(&format!("/t/{}", code(810)));
    browser.wait_for("整卷标签丢失").unwrap();
    visit.picture("codes-scan-void-unit");
    scratch_free(&visit, code(10), &rows[9][4]);
    finish(browser, appliance);
}

/// Tells on the page of a pack what became of codes of it.
fn mark(visit: &Person<'_>, pack: &str, (from, to): (&str, &str), state: &str, told: (&str, &str)) {
    visit.go(pack);
    let form = "form[action$='/ranges']";
    visit.fill(form, &[("from", from), ("to", to), told]);
    visit.browser.choose(form, "state", state).unwrap();
    visit.press(form, "登记", "已登记。");
}

/// The number under the layer: a wrong one is refused, the right one is the first only once.
fn scratch_free(visit: &Person<'_>, code: &str, number: &str) {
    visit.go(&format!("/t/{code}"));
    visit.browser.click_words("刮开涂层").unwrap();
    assert_eq!(visit.path("/scratch"), format!("/t/{code}/scratch"));
    visit.picture("codes-scratch");
    let last = if number.ends_with('0') { '1' } else { '0' };
    let wrong = format!("{}{last}", &number[..number.len() - 1]);
    for (name, typed, then) in [
        ("wrong", wrong.as_str(), "验证码不对"),
        ("first", number, "这是第一次验证"),
        ("before", number, "验证过了"),
        ("wrong", wrong.as_str(), "验证码不对"),
    ] {
        visit.go(&format!("/t/{code}/scratch"));
        visit.fill("form.pin", &[("number", typed)]);
        visit.press("form.pin", "验证", then);
        let page = visit.browser.text("body").unwrap();
        assert_eq!(page.contains("第一次验证"), name == "first", "{name}: {page}");
        visit.picture(&format!("codes-scratch-{name}"));
    }
}

#[test]
fn a_copied_label_is_noticed_in_the_third_city() {
    // Everybody comes through the county's proxy.
    let setting = Setting::new().unwrap().with("HTTP_TRUSTED_PROXIES", "127.0.0.1");
    let mut appliance = Appliance::made(setting).unwrap();
    let table = test_folder().unwrap().join("areas.csv");
    // Changsha, Shenzhen, Shanghai.
    let ranges = "first,last,area\n192.0.2.0,192.0.2.255,4301\n198.51.100.0/24,440300\n\
                  203.0.113.0/24,3101\n";
    std::fs::write(&table, ranges).unwrap();
    let told = appliance.run(&["codes", "import-areas", table.to_str().unwrap()]).unwrap();
    assert!(told.contains("3 行"), "{told}");
    appliance.serve().unwrap();
    let code = code_of(&issued(&appliance, "小白菜", "50"));
    let open = |appliance: &Appliance| appliance.api("admin").unwrap().list("/suspicions").unwrap();

    let first = scanned_from(&appliance, "192.0.2.7", &code);
    assert!(first.contains("长沙市"), "{first}");
    scanned_from(&appliance, "198.51.100.7", &code);
    flush(&mut appliance);
    assert!(open(&appliance).is_empty(), "two cities are no suspicion");
    let third = scanned_from(&appliance, "203.0.113.7", &code);
    assert!(third.contains("出现在 3 个地市") && !third.contains("此码扫描异常"), "{third}");
    flush(&mut appliance);
    let noticed = open(&appliance);
    assert_eq!((noticed.len(), &noticed[0]["code"]), (1, &json!(code)));
    assert_eq!(noticed[0]["suspicion"]["cause"], "cities");

    let browser = Browser::start(DESK.0, DESK.1).unwrap();
    let visit = Person::at(&browser, &appliance);
    visit.go(&format!("/t/{code}"));
    browser.wait_for("此码扫描异常").unwrap();
    browser.find("p.reason.amber").unwrap();
    browser.find(".hero.held h1").unwrap();
    browser.wait_for("请先核对").unwrap();
    visit.picture("codes-scan-suspected");
    visit.sign_in("admin", appliance.demo.password(), "今日工作");
    visit.go("/suspicions");
    for shown in ["在多个地市出现", "长沙市 1", "深圳市 1", "上海市 1", "待核实", "小白菜"]
    {
        browser.wait_for(shown).unwrap();
    }
    visit.picture("codes-suspicions");
    browser.click_css(&format!("a[href='/suspicions/{code}']")).unwrap();
    let form = "form[action$='/settle']";
    browser.choose(form, "status", "确认复制").unwrap();
    browser.fill(form, "note", "三地市场上都查到了同一个码").unwrap();
    visit.picture("codes-suspicion");
    visit.press(form, "保存", "核实结果已保存。");
    visit.go("/suspicions");
    browser.wait_for("没有这样的码").unwrap();

    visit.go(&format!("/t/{code}"));
    browser.wait_for("县里已经核实").unwrap();
    browser.find("p.reason:not(.amber)").unwrap();
    browser.find(".hero.copied h1").unwrap();
    assert!(!scanned(&appliance, &code).contains("真实有效"), "the verdict is the warning");
    let colour = "return getComputedStyle(document.querySelector('p.reason')).color";
    assert_eq!(browser.run(colour, &json!([])).unwrap(), "rgb(125, 35, 21)", "it is said in red");
    assert!(!scanned(&appliance, &code).contains("三地市场"), "what was found is the county's");
    visit.picture("codes-scan-copied");
    finish(browser, appliance);
}

/// The page of a code as a visitor with this address sees it.
fn scanned_from(appliance: &Appliance, address: &str, code: &str) -> String {
    let from = [("X-Forwarded-For", address)];
    let page = http::send(appliance.setting.http, "GET", &format!("/t/{code}"), &from, &[]);
    page.unwrap().expect(200).unwrap().text()
}

/// An orderly stop writes down what was scanned.
fn flush(appliance: &mut Appliance) {
    appliance.stop().unwrap();
    appliance.serve().unwrap();
}
