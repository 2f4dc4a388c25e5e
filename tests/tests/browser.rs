//! The whole job by hand, in real Chromium, as the people of a county would do it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use serde_json::json;
use tianyin_domain::identity::uscc_check_char;
use tianyin_gateway::client::{DeviceClient, Options};
use tianyin_gateway::{DownKind, UpKind};
use tianyin_tests::api::Api;
use tianyin_tests::appliance::Setting;
use tianyin_tests::device::Printer;
use tianyin_tests::person::{DESK, Person};
use tianyin_tests::webdriver::Browser;
use tianyin_tests::{Appliance, journey, tools};

const WAIT: Duration = Duration::from_secs(20);
const PASSWORD: &str = "correct-horse-2026";
const DEVICE: &str = "analyzer-hs-02";

#[test]
fn the_whole_job_by_hand() {
    let setting = Setting::new().unwrap();
    let mut printer = Printer::start(setting.printer, &setting.data.join("labels")).unwrap();
    let mut appliance = Appliance::empty(setting).unwrap();
    appliance.serve().unwrap();
    let browser = Browser::start(DESK.0, DESK.1).unwrap();
    let person =
        Person { browser: &browser, address: format!("http://{}", appliance.setting.http) };

    set_up(&person, &appliance);
    let operator = register_operator(&person);
    add_input(&person);
    let lot_no = open_lot(&person, &operator);
    let token = pair_device(&person, &appliance);
    live_result(&person, &appliance, &token);
    assign(&person, &lot_no);
    issue(&person, &lot_no);
    let code = print(&person, &appliance, &mut printer);
    void(&person, &code);

    // Only the forms that were filled in wrong on purpose.
    let mut complaints = browser.complaints().unwrap();
    complaints.retain(|line| !line.contains("status of 422"));
    assert!(complaints.is_empty(), "the pages' console says:\n{}", complaints.join("\n"));
    drop(browser);
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
}

fn set_up(person: &Person<'_>, appliance: &Appliance) {
    let link = appliance.service().unwrap().line("set-up link", 0, WAIT, |line| {
        line.contains("/setup?token=").then(|| line.trim().to_owned())
    });
    let browser = person.browser;
    browser.open(&link.unwrap()).unwrap();
    let form = "form[action='/setup']";
    browser.fill(form, "county", "湘潭县").unwrap();
    browser.choose("#counties", "area", "湘潭县").unwrap();
    let names = [("name", "示例管理员"), ("username", "admin")];
    person.fill(form, &names);
    person.fill(form, &[("password", PASSWORD), ("password_again", PASSWORD)]);
    person.picture("setup");
    person.press(form, "下一步:建立机构", "县和管理员已经建立");

    // Every body and station of the county at one press.
    person.picture("agencies-start");
    person.press("form[action='/agencies/start']", "建立勾选的机构", "机构已建立");
    person.go("/");
    person.picture("start");

    // Out and in again.
    browser.click_css("details.who summary").unwrap();
    person.press("form[action='/sign-out']", "退出登录", "您已退出登录");
    let form = "form[action='/sign-in']";
    person.fill(form, &[("username", "admin"), ("password", "wrong-password")]);
    person.press(form, "登录", "用户名或密码不对");
    person.fill(form, &[("username", "admin"), ("password", PASSWORD)]);
    person.picture("sign-in");
    person.press(form, "登录", "今日工作");
}

fn register_operator(person: &Person<'_>) -> String {
    let browser = person.browser;
    person.go("/operators");
    browser.click_words("新增主体").unwrap();
    let form = "form[action='/operators'][method='post']";
    browser.choose(form, "kind", "农民专业合作社").unwrap();
    let body = "93430321MATEDE001";
    let check = uscc_check_char(body).unwrap();
    // One wrong character is noticed while typing.
    let wrong = if check == '7' { '8' } else { '7' };
    person.fill(form, &[("name", "示例花石莲业合作社"), ("uscc", &format!("{body}{wrong}"))]);
    browser.wait_for(&format!("按规则应为“{check}”")).unwrap();
    browser.fill(form, "uscc", &format!("{body}{check}")).unwrap();
    browser.wait_for("信用代码校验通过").unwrap();
    browser.choose(form, "area", "花石镇").unwrap();
    person.fill(form, &[("contact_name", "示例联系人"), ("contact_phone", "0731-57000099")]);
    person.press(form, "登记", "已登记,等待审核");
    person.press("#review form", "审核通过", "审核结果已记录");
    let operator = browser.wait_for_url("/operators/opr_").unwrap();
    let operator = operator.rsplit('/').next().unwrap().split('#').next().unwrap().to_owned();

    let form = "form[action$='/sites']";
    person.fill(form, &[("name", "花石二号莲田"), ("size_mu", "12.5")]);
    browser.choose(form, "area", "花石镇").unwrap();
    person.press(form, "添加产地", "产地已添加");
    let form = "form[action$='/products']";
    browser.fill(form, "name", "湘潭湘莲(鲜莲)").unwrap();
    browser.choose(form, "class", "蔬菜").unwrap();
    person.fill(form, &[("crop", "莲"), ("unit", "公斤")]);
    person.press(form, "添加产品", "产品已添加");

    browser.click_css("#authorisations details.add summary").unwrap();
    let form = "form[action$='/authorisations']";
    person.fill(form, &[("granted_by", "示例负责人"), ("evidence", "授权书 2026-013")]);
    person.press(form, "登记授权", "授权已登记");
    person.picture("operator");
    operator
}

fn add_input(person: &Person<'_>) {
    person.go("/inputs/new");
    let form = "form[action='/inputs']";
    person.browser.choose(form, "kind", "农药").unwrap();
    person.fill(form, &[("name", "示例 40% 辛硫磷乳油"), ("substances", "辛硫磷")]);
    person.fill(form, &[("crop_0", "莲"), ("interval_0", "15")]);
    person.press(form, "添加", "投入品已添加");
}

/// A lot, and what was done on its site before.
fn open_lot(person: &Person<'_>, operator: &str) -> String {
    let browser = person.browser;
    let days_ago = |days: i64| {
        let then = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days);
        jiff::tz::Offset::constant(8).to_datetime(then).date().to_string()
    };
    person.go(&format!("/activities/new?operator={operator}"));
    let form = "form[action='/activities']";
    browser.choose(form, "kind", "用药").unwrap();
    browser.choose(form, "product", "湘潭湘莲").unwrap();
    browser.choose(form, "site", "花石二号莲田").unwrap();
    browser.fill_date(form, "date", &days_ago(30)).unwrap();
    browser.choose(form, "input", "辛硫磷").unwrap();
    browser.fill(form, "dose", "60 毫升/亩").unwrap();
    person.picture("activity");
    person.press(form, "保存记录", "已记录");

    person.go(&format!("/lots/new?operator={operator}"));
    let form = "form[action='/lots']";
    browser.choose(form, "product", "湘潭湘莲").unwrap();
    browser.choose(form, "site", "花石二号莲田").unwrap();
    browser.fill(form, "quantity", "320").unwrap();
    person.press(form, "建立批次", "批次已建立");
    browser.wait_for("辛硫磷").unwrap();
    browser.text(".head .code").unwrap()
}

/// An analyzer nobody knows connects with the pairing code; an administrator approves it.
fn pair_device(person: &Person<'_>, appliance: &Appliance) -> String {
    let browser = person.browser;
    person.go("/devices");
    browser.click_words("打开配对").unwrap();
    browser.wait_for("配对已打开").unwrap();
    let code = browser.text(".pair-code").unwrap().replace(' ', "");
    let mqtt = appliance.setting.mqtt.to_string();
    block_on(async {
        let client = DeviceClient::connect(&mqtt, DEVICE, &code, Options::default()).await.unwrap();
        client.publish_acked(UpKind::Result, result("in-quarantine", "8.8"), WAIT).await.unwrap();
        client.disconnect().await;
    });
    person.go("/devices");
    browser.wait_for(DEVICE).unwrap();
    person.picture("pairing");
    browser.click_css(&format!("a.primary[href='/devices/{DEVICE}']")).unwrap();
    let form = &format!("form[action='/devices/{DEVICE}']");
    browser.choose(form, "kind", "残留检测仪").unwrap();
    person.fill(form, &[("name", "花石站检测仪"), ("place", "花石镇检测室")]);
    person.press(form, "审核通过", "密码只显示这一次");
    browser.text("#token").unwrap()
}

/// A result arrives in the list while somebody looks at it: no reload.
fn live_result(person: &Person<'_>, appliance: &Appliance, token: &str) {
    let browser = person.browser;
    person.go("/tests");
    browser.wait_for("实时").unwrap();
    // What was sent in quarantine is there since the approval.
    browser.wait_for("8.8").unwrap();
    browser.run("window.sameAsBefore = true", &json!([])).unwrap();
    let mqtt = appliance.setting.mqtt.to_string();
    block_on(async {
        let client = DeviceClient::connect(&mqtt, DEVICE, token, Options::default()).await.unwrap();
        client.publish_acked(UpKind::Result, result("live", "16.54"), WAIT).await.unwrap();
        while client.next_down(WAIT).await.unwrap().kind != DownKind::Receipt {}
        client.disconnect().await;
    });
    browser.wait_for("16.54").unwrap();
    let same = browser.run("return window.sameAsBefore === true", &json!([])).unwrap();
    assert_eq!(same, true, "the page was loaded again");
    person.picture("tests");
}

fn result(msg_id: &str, num: &str) -> Vec<u8> {
    let message = json!({
        "v": 1, "msg_id": msg_id, "method": "enzyme_inhibition",
        "item": { "code": "pesticide_op_carb", "name": "有机磷和氨基甲酸酯类农药" },
        "sample": { "name": "湘莲" },
        "value": { "num": num, "unit": "%", "kind": "inhibition_rate", "op": "=" },
        "tested_at": jiff::Timestamp::now().to_string(),
    });
    message.to_string().into_bytes()
}

fn assign(person: &Person<'_>, lot_no: &str) {
    let browser = person.browser;
    browser.click_css("tbody tr:first-child a").unwrap();
    browser.wait_for("16.54").unwrap();
    let form = "form[action$='/assign']";
    browser.fill(form, "lot_no", "L19990101-0001").unwrap();
    person.press(form, "归到这个批次", "没有找到");
    browser.fill(form, "lot_no", lot_no).unwrap();
    person.press(form, "归到这个批次", "已归到批次");
    person.picture("test");
}

fn issue(person: &Person<'_>, lot_no: &str) {
    let browser = person.browser;
    // As a scanner would: typed into the search box.
    person.go("/");
    let search = browser.find("#q").unwrap();
    browser.type_into(&search, &format!("{lot_no}\u{e007}")).unwrap();
    browser.wait_for_url("/lots/lot_").unwrap();
    person.picture("lot");
    browser.click_words("开具合格证").unwrap();
    let form = "form[action$='/issue']";
    browser.choose(form, "basis", "委托检测合格").unwrap();
    browser.wait_for("按现在的记录:").unwrap();
    person.picture("issue");
    person.press(form, "确认开具", "合格证已开具");
}

fn print(person: &Person<'_>, appliance: &Appliance, printer: &mut Printer) -> String {
    let browser = person.browser;
    let certificate = browser.wait_for_url("/certificates/").unwrap();
    let code = certificate.rsplit('/').next().unwrap().to_owned();
    person.go("/devices/new");
    let form = "form[action='/devices']";
    browser.choose(form, "kind", "标签打印机").unwrap();
    person.fill(form, &[("id", "printer-01"), ("name", "花石站标签打印机")]);
    person.fill(form, &[("address", &appliance.setting.printer.to_string())]);
    browser.choose(form, "dpi", "203").unwrap();
    person.press(form, "保存", "设备已保存");

    person.go(&format!("/certificates/{code}"));
    let form = "form[action$='/print']";
    browser.choose(form, "printer", "花石站标签打印机").unwrap();
    browser.press(form, "打印").unwrap();
    let label = printer.next_label(WAIT).unwrap();
    browser.wait_for("已打印").unwrap();
    person.picture("certificate");
    let codes = tools::read_codes(&label).unwrap();
    let url = format!("HTTP://{}/T/{code}", appliance.setting.http);
    assert_eq!(codes, [url.as_str()], "what the printed label says");

    browser.open(&url).unwrap();
    browser.wait_for("真实有效").unwrap();
    for shown in ["湘潭湘莲(鲜莲)", "16.54", "辛硫磷", "示例花石莲业合作社"] {
        browser.wait_for(shown).unwrap();
    }
    person.picture("scan-valid");
    code
}

fn void(person: &Person<'_>, code: &str) {
    let browser = person.browser;
    person.go(&format!("/certificates/{code}"));
    let form = "form[action$='/void']";
    browser.fill(form, "reason", "标签贴错").unwrap();
    browser.press(form, "作废这张合格证").unwrap();
    person.press("#ask", "确定", "合格证已作废");
    person.go(&format!("/t/{code}"));
    browser.wait_for("已作废").unwrap();
    browser.wait_for("标签贴错").unwrap();
    person.picture("scan-void");
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

/// Every page of a county at work, on a desk and on a phone: none too wide, none complains.
#[test]
fn every_page_of_the_demo_county() {
    let setting = Setting::new().unwrap();
    let mut printer = Printer::start(setting.printer, &setting.data.join("labels")).unwrap();
    let appliance = Appliance::start_with(setting).unwrap();
    let outcome = journey::main_job(&appliance, &mut printer, &mut |_, _| {}).unwrap();
    appliance.scan("scan-hs-01", "没有这个批次").unwrap();
    let browser = Browser::start(DESK.0, DESK.1).unwrap();
    let person =
        Person { browser: &browser, address: format!("http://{}", appliance.setting.http) };
    person.go("/sign-in");
    let form = "form[action='/sign-in']";
    person.fill(form, &[("username", "admin"), ("password", appliance.demo.password())]);
    person.press(form, "登录", "今日工作");

    let api = appliance.api("admin").unwrap();
    let first = |list: &str| api.list(list).unwrap()[0]["id"].as_str().unwrap().to_owned();
    let lot = appliance.demo.lots[0].id.clone();
    let pages = [
        ("today", "/".to_owned(), "最新检测"),
        ("operators", "/operators".to_owned(), "示例莲业专业合作社"),
        ("operator", format!("/operators/{}", first("/operators")), "登记信息"),
        (
            "operator-history",
            format!("/operators/{}/history", first("/operators")),
            "登记了这个主体",
        ),
        ("operators-import", "/operators/import".to_owned(), "下载空白表"),
        ("documents", "/documents".to_owned(), "还没有归档材料"),
        ("products", "/products".to_owned(), "湘潭湘莲"),
        ("inputs", "/inputs".to_owned(), "安全间隔期"),
        ("lots", "/lots".to_owned(), "L20"),
        ("lot", format!("/lots/{lot}"), "生产记录"),
        ("activities", "/activities".to_owned(), "用药"),
        ("tests", "/tests".to_owned(), "16.54"),
        ("test", format!("/tests/{}", first("/tests")), "系统判定"),
        ("certificates", "/certificates".to_owned(), "有效"),
        ("certificate", format!("/certificates/{}", outcome.code), "离线凭证"),
        ("print-jobs", "/print-jobs".to_owned(), "已打印"),
        ("devices", "/devices".to_owned(), "花石站检测仪"),
        ("messages", "/messages".to_owned(), "死信"),
        ("agencies", "/agencies".to_owned(), "监管站"),
        ("agency", format!("/agencies/{}", first("/agencies")), "变更记录"),
        ("agencies-start", "/agencies/start".to_owned(), "都已建立"),
        ("cells", "/cells".to_owned(), "没有网格的乡镇"),
        ("cell-new", "/cells/new".to_owned(), "责任人姓名"),
        ("users", "/users".to_owned(), "示例业务员"),
        ("user", format!("/users/{}", first("/users")), "账号变更"),
        ("accesses", "/accesses".to_owned(), "示例管理员"),
        ("health", "/health".to_owned(), "写入硬盘用时"),
        ("settings", "/settings".to_owned(), "公开地址"),
        ("help", "/help".to_owned(), "使用手册"),
        ("scan", format!("/t/{}", outcome.code), "真实有效"),
        ("api-docs", "/api/v1/docs".to_owned(), "OpenAPI"),
    ];
    for (name, path, shown) in &pages {
        person.go(path);
        browser.wait_for(shown).unwrap_or_else(|e| panic!("{path}: {e:#}"));
        person.picture(&format!("demo-{name}"));
        let complaints = browser.complaints().unwrap();
        assert!(complaints.is_empty(), "{path}: {}", complaints.join("\n"));
    }
    two_at_once(&person, &api);
    for (name, path, shown) in [
        ("scan-unknown", "/t/0000000000000000", "查无此码"),
        ("scan-mistyped", "/t/0000000000000001", "码输错了"),
        ("no-page", "/no-such-page", "没有这个页面"),
    ] {
        person.go(path);
        browser.wait_for(shown).unwrap_or_else(|e| panic!("{path}: {e:#}"));
        person.picture(&format!("demo-{name}"));
    }
}

/// Somebody else reviews an operator while the page is open: both values are shown, to choose.
fn two_at_once(person: &Person<'_>, api: &Api) {
    let operator = json!({
        "name": "示例蜂业家庭农场", "kind": "family_farm", "uscc": "91430321MA4L000009",
        "uscc_override": "示例代码", "area": "430321103", "area_name": "湖南省湘潭市湘潭县花石镇",
        "contact_name": "示例代表", "contact_phone": "0731-57000009",
    });
    let id = api.done("/operators", &operator).unwrap()["id"].as_str().unwrap().to_owned();
    person.go(&format!("/operators/{id}"));
    let returned = json!({ "status": "returned", "reason": "营业执照照片看不清,请重新上传" });
    api.done(&format!("/operators/{id}/review"), &returned).unwrap();
    person.press(&format!("form[action='/operators/{id}/review']"), "审核通过", "请选一个");
    person.picture("demo-conflict");
    let mut complaints = person.browser.complaints().unwrap();
    complaints.retain(|line| !line.contains("status of 409"));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    person.press("#clash form", "仍按我的提交", "审核结果已记录");
    assert_eq!(api.get(&format!("/operators/{id}")).unwrap()["status"], "approved");
}
