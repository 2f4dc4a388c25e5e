//! Papers of former forms in real Chromium: what was written by hand in 2022 or 2020 is entered, printed, scanned,
//! voided and issued again. Those of 2026, of producers and of buyers, are in `codes.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use serde_json::{Value, json};
use tianyin_tests::api::Api;
use tianyin_tests::appliance::{Setting, test_folder};
use tianyin_tests::device::Printer;
use tianyin_tests::person::{DESK, Person};
use tianyin_tests::webdriver::Browser;
use tianyin_tests::{Appliance, tools};

const WAIT: Duration = Duration::from_secs(20);
/// Form to issue a certificate on.
const ISSUE: &str = "form[action$='/issue']";
const REASON: &str = "纸质证上数量写错";

/// A paper of a form that is not in force any more.
struct Former {
    form: &'static str,
    name: &'static str,
    title: &'static str,
    harvested: &'static str,
    /// The day on the paper.
    day: &'static str,
    /// The commitment and its lines, to the byte (domain/rules-of-law, section 2).
    oath: &'static [&'static str],
    /// The box that is ticked on it, where the form has any.
    basis: Option<&'static str>,
    /// Boxes of the form that are not ticked.
    others: &'static [&'static str],
}

const OF_2021: Former = Former {
    form: "producer-2021",
    name: "2021 年样式",
    title: "承诺达标合格证",
    harvested: "2022-03-10",
    day: "2022-03-12",
    oath: &[
        "我承诺对生产销售的食用农产品:",
        "不使用禁用农药兽药、停用兽药和非法添加物",
        "常规农药兽药残留不超标",
        "对承诺的真实性负责",
    ],
    basis: Some("内部质量控制"),
    others: &["委托检测", "自我检测", "自我承诺"],
};

const OF_2019: Former = Former {
    form: "producer-2019",
    name: "2019 年样式(食用农产品合格证)",
    title: "食用农产品合格证",
    harvested: "2020-05-18",
    day: "2020-05-20",
    oath: &[
        "我承诺对产品质量安全以及合格证真实性负责:",
        "不使用禁限用农药兽药",
        "不使用非法添加物",
        "遵守农药安全间隔期、兽药休药期规定",
        "销售的食用农产品符合农药兽药残留食品安全国家强制性标准",
    ],
    basis: None,
    others: &[],
};

/// A number of a blank paper, and the code that it stands for.
struct Number {
    number: String,
    code: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn last_part(path: &str) -> String {
    path.rsplit('/').next().unwrap().to_owned()
}

#[test]
fn papers_of_2021_and_2019_are_entered_printed_scanned_voided_and_issued_again() {
    let setting = Setting::new().unwrap();
    let mut printer = Printer::start(setting.printer, &setting.data.join("labels")).unwrap();
    let mut appliance = Appliance::start_with(setting).unwrap();
    let browser = Browser::start(DESK.0, DESK.1).unwrap();
    let walk = Walk {
        visit: Person::at(&browser, &appliance),
        admin: appliance.api("admin").unwrap(),
        greens: appliance.demo.lot("小白菜").unwrap().id.clone(),
    };
    walk.visit.sign_in("admin", appliance.demo.password(), "今日工作");
    let [first, second, third]: [Number; 3] =
        walk.numbers(3).try_into().unwrap_or_else(|_| panic!("three numbers"));

    let lot = walk.harvest(&OF_2021);
    walk.enter(&OF_2021, &lot, &first);
    walk.is_on_paper(&OF_2021, &first.code);
    walk.print(&OF_2021, &first.code, &mut printer);
    walk.void(&first.code);
    // In its place one of today.
    browser.fill(ISSUE, "quantity", "100").unwrap();
    browser.choose(ISSUE, "basis", "质量安全控制符合要求").unwrap();
    let new = walk.issued("producer-2026");
    walk.was_replaced(&OF_2021, &first.code, &new);

    let lot = walk.harvest(&OF_2019);
    walk.enter(&OF_2019, &lot, &second);
    walk.is_on_paper(&OF_2019, &second.code);
    walk.print(&OF_2019, &second.code, &mut printer);
    walk.void(&second.code);
    // In its place another paper of that day.
    walk.write(&OF_2019, &third.number);
    browser.wait_for(OF_2019.name).unwrap();
    walk.photograph();
    let new = walk.issued("producer-2019");
    assert_eq!(new, third.code);
    walk.was_replaced(&OF_2019, &second.code, &new);

    // Only the forms that were filled in wrong on purpose.
    let mut complaints = browser.complaints().unwrap();
    complaints.retain(|line| !line.contains("status of 422"));
    assert!(complaints.is_empty(), "the pages' console says:\n{}", complaints.join("\n"));
    drop(browser);
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
}

/// A clerk at a desk.
struct Walk<'a> {
    visit: Person<'a>,
    admin: Api,
    /// A lot of the operator whose papers they are.
    greens: String,
}

impl Walk<'_> {
    /// Numbers of a pack of papers: an old paper has none of the county's, so one is stuck on it.
    fn numbers(&self, count: usize) -> Vec<Number> {
        let order = json!({ "kind": "paper", "size": count, "note": "补录旧合格证" });
        let pack = self.admin.done("/packs", &order).unwrap();
        let path = format!("/packs/{}/codes.csv", text(&pack["id"]));
        let list = self.admin.send("GET", &path, &[], &[]).unwrap().expect(200).unwrap().text();
        let number = |row: &str| {
            let mut cells = row.split(',').map(str::to_owned);
            Number { number: cells.next().unwrap(), code: cells.next().unwrap() }
        };
        list.lines().skip(1).map(number).collect()
    }

    /// A lot of years ago, opened today; its id.
    fn harvest(&self, paper: &Former) -> String {
        let lot = self.admin.get(&format!("/lots/{}", self.greens)).unwrap();
        let record = json!({
            "site": lot["site"], "product": lot["product"], "kind": "harvest",
            "date": paper.harvested, "note": "据旧台账补记",
        });
        self.admin.done("/activities", &record).unwrap();
        self.visit.go(&format!("/lots/new?operator={}", text(&lot["operator"])));
        let form = "form[action='/lots']";
        self.visit.browser.choose(form, "product", "小白菜").unwrap();
        self.visit.fill(form, &[("quantity", "300")]);
        self.visit.browser.fill_date(form, "harvested_on", paper.harvested).unwrap();
        self.visit.press(form, "建立批次", "批次已建立");
        let id = last_part(&self.visit.path("/lots/lot_"));
        let opened = self.admin.get(&format!("/lots/{id}")).unwrap();
        assert_eq!(opened["harvested_on"], paper.harvested, "{opened}");
        id
    }

    /// Fills in what stands on a paper, but for its basis.
    fn write(&self, paper: &Former, number: &str) {
        let browser = self.visit.browser;
        browser.click_words("补录手写的合格证").unwrap();
        self.visit.fill(ISSUE, &[("quantity", "100"), ("code", number)]);
        browser.fill_date(ISSUE, "issued_on", paper.day).unwrap();
    }

    /// Chooses a photo of the paper; here one of the screen.
    fn photograph(&self) {
        let browser = self.visit.browser;
        let photo = browser.screenshot("forms-photo").unwrap();
        let chooser = browser.find("[data-photos] input[multiple]").unwrap();
        browser.type_into(&chooser, photo.to_str().unwrap()).unwrap();
        browser.find(".thumbs img").unwrap();
    }

    /// Enters a paper: first without a photo, then as it should be, on the form of the day on it.
    fn enter(&self, paper: &Former, lot: &str, number: &Number) {
        let browser = self.visit.browser;
        self.visit.go(&format!("/lots/{lot}/issue"));
        self.write(paper, &number.number);
        // The day on the paper brings its own commitment and boxes.
        browser.wait_for(paper.name).unwrap();
        self.shows(paper);
        for other in paper.others {
            browser.wait_for(other).unwrap();
        }
        match paper.basis {
            Some(basis) => browser.choose(ISSUE, "basis", basis).unwrap(),
            None => {
                assert_eq!(browser.all(&format!("{ISSUE} input[name='basis']")).unwrap().len(), 0)
            }
        }
        self.visit.press(ISSUE, "确认开具", "请拍一张照片,或选一个文件。");
        self.shows(paper);
        self.photograph();
        self.visit.picture(&format!("forms-enter-{}", paper.form));
        assert_eq!(self.issued(paper.form), number.code);
        let certificate = self.admin.get(&format!("/certificates/{}", number.code)).unwrap();
        let content = &certificate["content"];
        assert_eq!(content["issued_on"], paper.day, "{certificate}");
        assert_eq!(content["commitment"], paper.oath.join("\n"), "{certificate}");
        assert_eq!(certificate["form"]["name"], paper.name, "{certificate}");
        assert_eq!(certificate["paper"]["attachments"][0]["kind"], "png", "{certificate}");
    }

    /// Sends the form that is filled in; the code of the certificate, which is on this form.
    fn issued(&self, form: &str) -> String {
        self.visit.press(ISSUE, "确认开具", "合格证已开具。");
        let code = last_part(&self.visit.path("/certificates/"));
        let certificate = self.admin.get(&format!("/certificates/{code}")).unwrap();
        assert_eq!(certificate["content"]["form"], form, "{certificate}");
        code
    }

    /// The page says what the commitment of the form says.
    fn shows(&self, paper: &Former) {
        for line in paper.oath {
            self.visit.browser.wait_for(line).unwrap();
        }
    }

    /// The office paper is of the form.
    fn is_on_paper(&self, paper: &Former, code: &str) {
        let path = format!("/certificates/{code}/paper.pdf");
        let pdf = self.admin.send("GET", &path, &[], &[]).unwrap().expect(200).unwrap();
        let file = test_folder().unwrap().join("paper.pdf");
        std::fs::write(&file, pdf.body).unwrap();
        let printed = tools::pdf_text(&file).unwrap();
        let wanted = [paper.title, paper.name, paper.day].into_iter();
        let wanted = wanted.chain(paper.oath.iter().copied()).chain(paper.basis);
        for words in wanted.chain(paper.others.iter().copied()) {
            let words = words.replace(' ', "");
            assert!(printed.contains(&words), "{words} in {printed}");
        }
        assert_eq!(printed.contains("承诺依据"), paper.basis.is_some(), "{printed}");
    }

    /// A label comes out, and leads to a page that shows the form as it was.
    fn print(&self, paper: &Former, code: &str, printer: &mut Printer) {
        let browser = self.visit.browser;
        self.visit.go(&format!("/certificates/{code}"));
        let form = "form[action$='/print']";
        browser.choose(form, "printer", "花石站标签打印机").unwrap();
        browser.press(form, "打印").unwrap();
        let label = printer.next_label(WAIT).unwrap();
        browser.wait_for("已打印").unwrap();
        let codes = tools::read_codes(&label).unwrap();
        let url = format!("{}/T/{code}", self.visit.address.to_uppercase());
        assert_eq!(codes, [url.as_str()]);
        browser.open(&url).unwrap();
        self.shows(paper);
        for shown in ["真实有效", paper.title, paper.day].into_iter().chain(paper.basis) {
            browser.wait_for(shown).unwrap();
        }
        let page = browser.text("body").unwrap();
        for other in ["质量安全控制符合要求", "未使用禁用农药"] {
            assert!(!page.contains(other), "{other} is of 2026: {page}");
        }
        self.visit.picture(&format!("forms-scan-{}", paper.form));
    }

    /// Voids a certificate, and goes on to the page that issues another one in its place.
    fn void(&self, code: &str) {
        let browser = self.visit.browser;
        self.visit.go(&format!("/certificates/{code}"));
        let form = "form[action$='/void']";
        browser.fill(form, "reason", REASON).unwrap();
        browser.press(form, "作废这张合格证").unwrap();
        self.visit.press("#ask", "确定", "合格证已作废。");
        browser.click_words("重新开具").unwrap();
        browser.wait_for_url(&format!("/issue?replaces={code}")).unwrap();
    }

    /// Both lead to each other, and the old one stays to be read as what it was.
    fn was_replaced(&self, paper: &Former, old: &str, new: &str) {
        let browser = self.visit.browser;
        browser.find(&format!("main a[href='/certificates/{old}']")).unwrap();
        let told = self.admin.get(&format!("/certificates/{new}")).unwrap();
        assert_eq!(told["replaces"], old, "{told}");
        let told = self.admin.get(&format!("/certificates/{old}")).unwrap();
        assert_eq!((&told["replaced_by"], &told["status"]), (&json!(new), &json!("void")));
        self.visit.go(&format!("/certificates/{old}"));
        browser.find(&format!(".held a[href='/certificates/{new}']")).unwrap();

        self.visit.go(&format!("/t/{old}"));
        for shown in ["已作废", REASON, paper.title, paper.day] {
            browser.wait_for(shown).unwrap();
        }
        self.shows(paper);
        browser.find(&format!(".reason a[href='/t/{new}']")).unwrap();
        self.visit.picture(&format!("forms-void-{}", paper.form));
        self.visit.go(&format!("/t/{new}"));
        browser.wait_for("真实有效").unwrap();
    }
}
