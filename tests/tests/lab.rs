//! A sample on its way in real Chromium, on a phone and on a desk: taken, measured, found positive, objected to,
//! tested again by others, set free, sold in part and recalled.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;
use tianyin_tests::Appliance;
use tianyin_tests::person::{DESK, PHONE, Person};
use tianyin_tests::webdriver::Browser;

/// The laboratory of the first test, and that of the retest.
const FIRST: &str = "示例县检测中心";
const OTHER: &str = "示例市检测中心";

#[test]
fn a_positive_lot_on_a_phone() {
    journey("phone", PHONE);
}

#[test]
fn a_positive_lot_on_a_desk() {
    journey("desk", DESK);
}

fn journey(window: &str, (width, height): (u32, u32)) {
    let mut appliance = Appliance::start().unwrap();
    let browser = Browser::start(width, height).unwrap();
    browser.set_size(width, height, window == "phone").unwrap();
    let address = format!("http://{}", appliance.setting.http);
    let lab = Lab {
        person: Person { browser: &browser, address },
        password: appliance.demo.password().to_owned(),
        window,
        width,
    };
    let own = appliance.demo.lot("小白菜").unwrap();
    let (own_lot, own_name) = (own.id.clone(), own.operator.clone());
    let neighbour_lot = appliance.demo.lot("辣椒").unwrap().id.clone();

    lab.person.go("/sign-in");
    lab.sign_in("admin");
    let grown = grow(&lab, &own_lot);
    let bought = neighbours(&lab, &neighbour_lot, &own_name);
    let mixed = mix(&lab, &grown, &bought);
    let lot = split(&lab, mixed.id());
    let sample = take_sample(&lab, &lot);
    let test = measure(&lab, &sample);
    held(&lab, &lot);
    deliver(&lab, &test);
    let objection = object(&lab, &test);
    order_retest(&lab, &objection);
    let retest = enter_retest(&lab, &objection);
    verify(&lab, &retest);
    conclude(&lab, &objection, &test);
    free_again(&lab, &lot);
    ship(&lab, &lot);
    recall(&lab, &lot);

    // Only the forms that were filled in wrong on purpose.
    let mut complaints = browser.complaints().unwrap();
    complaints.retain(|line| !line.contains("status of 422"));
    assert!(complaints.is_empty(), "the pages' console says:\n{}", complaints.join("\n"));
    drop(browser);
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
}

/// Somebody at a window of one size.
struct Lab<'a> {
    person: Person<'a>,
    password: String,
    /// What the pictures are called after.
    window: &'a str,
    width: u32,
}

/// A lot as pages and people call it.
struct Lot {
    /// Path of its page.
    path: String,
    no: String,
}

impl Lot {
    fn id(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }
}

impl Lab<'_> {
    /// From the page of sign-in.
    fn sign_in(&self, username: &str) {
        let form = "form[action='/sign-in']";
        self.person.fill(form, &[("username", username), ("password", &self.password)]);
        self.person.press(form, "登录", "今日工作");
    }

    /// Another person takes the seat.
    fn change_to(&self, username: &str) {
        self.person.browser.click_css("details.who summary").unwrap();
        self.person.press("form[action='/sign-out']", "退出登录", "您已退出登录");
        self.sign_in(username);
    }

    /// Waits until the page says all of it, keeps a picture, and sees that it is not too wide.
    fn see(&self, page: &str, words: &[&str]) {
        let browser = self.person.browser;
        for shown in words {
            browser.wait_for(shown).unwrap();
        }
        browser.screenshot(&format!("lab-{page}-{}", self.window)).unwrap();
        // Not held against the width that the window tells: a phone zooms out when a page is too wide.
        let wide = browser.run("return document.documentElement.scrollWidth", &json!([])).unwrap();
        let wide = wide.as_u64().unwrap();
        assert!(wide <= u64::from(self.width), "{page} on a {} is {wide} pixels wide", self.window);
    }

    /// What a selector would find is not on the page as it stands.
    fn is_not_offered(&self, selector: &str) {
        let found = self.person.browser.all(selector).unwrap();
        assert!(found.is_empty(), "{selector} is offered");
    }

    /// How many a selector finds on the page as it stands.
    fn count(&self, selector: &str) -> usize {
        self.person.browser.all(selector).unwrap().len()
    }

    /// Path of the page, once its address contains a text.
    fn path(&self, part: &str) -> String {
        let url = self.person.browser.wait_for_url(part).unwrap();
        let path = url.strip_prefix(&self.person.address).unwrap();
        path.split(['?', '#']).next().unwrap().to_owned()
    }

    fn click(&self, selector: &str) {
        self.person.browser.click_css(selector).unwrap();
    }

    /// What is in a field of the page.
    fn value(&self, selector: &str) -> String {
        let script = "return document.querySelector(arguments[0]).value";
        let value = self.person.browser.run(script, &json!([selector])).unwrap();
        value.as_str().unwrap().to_owned()
    }
}

/// Days before today, in China.
fn days_ago(days: i32) -> String {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8)));
    today.date().checked_sub(jiff::Span::new().days(days)).unwrap().to_string()
}

/// Id of the operator of a lot.
fn operator_of(lab: &Lab<'_>, lot: &str) -> String {
    lab.person.go(&format!("/lots/{lot}"));
    lab.person.browser.find(".head a[href^='/operators/']").unwrap();
    let script =
        "return document.querySelector(\".head a[href^='/operators/']\").getAttribute('href')";
    let path = lab.person.browser.run(script, &json!([])).unwrap();
    path.as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

/// A record of a treatment so many days ago.
fn treat(lab: &Lab<'_>, operator: &str, days: i32) {
    let (person, browser) = (&lab.person, lab.person.browser);
    person.go(&format!("/activities/new?operator={operator}"));
    let form = "form[action='/activities']";
    browser.choose(form, "kind", "用药").unwrap();
    browser.fill_date(form, "date", &days_ago(days)).unwrap();
    browser.choose(form, "input", "敌百虫").unwrap();
    person.fill(form, &[("dose", "80 克/亩")]);
    person.press(form, "保存记录", "已记录。");
}

/// Sown, treated and harvested: too early is refused, what was written by mistake is struck out.
fn grow(lab: &Lab<'_>, own_lot: &str) -> Lot {
    let (person, browser) = (&lab.person, lab.person.browser);
    let operator = operator_of(lab, own_lot);
    person.go(&format!("/activities/new?operator={operator}"));
    let form = "form[action='/activities']";
    browser.choose(form, "kind", "播种").unwrap();
    browser.fill_date(form, "date", &days_ago(40)).unwrap();
    person.press(form, "保存记录", "已记录。");
    treat(lab, &operator, 10);
    treat(lab, &operator, 2);
    person.go(&format!("/lots/new?operator={operator}"));
    let open = "form[action='/lots']";
    browser.choose(open, "product", "小白菜").unwrap();
    person.fill(open, &[("quantity", "900")]);
    person.press(open, "建立批次", "才可采收");
    lab.see("too-early", &["敌百虫", "间隔期(休药期)未满"]);
    // The treatment of two days ago was on another field.
    person.go("/activities");
    let script = "const r=[...document.querySelectorAll('tbody tr')].find(r=>arguments[0]\
        .every(w=>r.innerText.includes(w)));return r&&r.querySelector('a').getAttribute('href')";
    let wrong = browser.run(script, &json!([["用药", days_ago(2)]])).unwrap();
    person.go(wrong.as_str().unwrap());
    lab.click(".danger-zone summary");
    let strike = "form[action$='/strike']";
    browser.fill(strike, "reason", "示例:记到了别的产地").unwrap();
    browser.press(strike, "划掉").unwrap();
    person.press("#ask", "确定", "已划掉。");
    person.go(&format!("/lots/new?operator={operator}"));
    browser.choose(open, "product", "小白菜").unwrap();
    person.fill(open, &[("quantity", "900")]);
    person.press(open, "建立批次", "批次已建立");
    let path = lab.path("/lots/lot_");
    lab.see("grown", &["用药", "示例 80% 敌百虫可溶粉剂", "900 公斤"]);
    Lot { no: browser.text(".head .code").unwrap(), path }
}

/// Goods of a neighbour, handed over: the lot that the buyer has of them.
fn neighbours(lab: &Lab<'_>, lot: &str, buyer: &str) -> Lot {
    let (person, browser) = (&lab.person, lab.person.browser);
    person.go(&format!("/steps/new?lot={lot}&kind=transfer"));
    let form = "form[action='/steps']";
    person.fill(form, &[("taken", "50"), ("buyer", "没有登记的收购社")]);
    person.press(form, "保存", "名录里没有这个主体");
    browser.fill(form, "buyer", buyer).unwrap();
    person.press(form, "保存", "已记录。");
    lab.click(".two section:last-child .lines a");
    let path = lab.path("/lots/lot_");
    assert!(!path.ends_with(lot), "{path} is the neighbour's own");
    lab.see("bought", &[buyer, "50 公斤"]);
    Lot { no: browser.text(".head .code").unwrap(), path }
}

/// Both in one: more cannot come out than went in.
fn mix(lab: &Lab<'_>, grown: &Lot, bought: &Lot) -> Lot {
    let (person, browser) = (&lab.person, lab.person.browser);
    person.go(&format!("/steps/new?lot={}&kind=mix", grown.id()));
    let form = "form[action='/steps']";
    browser.choose(form, "lot_0", &bought.no).unwrap();
    person.fill(form, &[("taken", "900"), ("taken_0", "50"), ("made_0", "1000")]);
    browser.choose(form, "product_0", "小白菜").unwrap();
    person.press(form, "保存", "出的比进的多");
    lab.see("too-much", &["投入 950 公斤,产出 1000 公斤"]);
    person.fill(form, &[("made_0", "950")]);
    person.press(form, "保存", "已记录。");
    lab.click(".two section:last-child .lines a");
    let path = lab.path("/lots/lot_");
    lab.see("mixed", &["混装", "950 公斤", "来龙去脉"]);
    Lot { no: browser.text(".head .code").unwrap(), path }
}

/// Two parts of a lot; the first of them.
fn split(lab: &Lab<'_>, lot: &str) -> Lot {
    let person = &lab.person;
    person.go(&format!("/steps/new?lot={lot}"));
    lab.see("steps", &["销售出库"]);
    lab.click("a[href*='kind=split']");
    let form = "form[action='/steps']";
    person.fill(form, &[("taken", "950"), ("made_0", "600"), ("made_1", "350")]);
    person.press(form, "保存", "已记录。");
    lab.see("split", &["600 公斤", "350 公斤"]);
    // What went in is listed first, what came out second.
    lab.click(".two section:last-child .lines a");
    let path = lab.path("/lots/lot_");
    assert!(!path.ends_with(lot), "{path} is the lot that was split");
    lab.see("part", &["来龙去脉", "600 公斤", "正常"]);
    assert!(lab.count(".chain-map rect") >= 2, "the picture shows no chain");
    Lot { no: person.browser.text(".head .code").unwrap(), path }
}

/// Path of the sample's page.
fn take_sample(lab: &Lab<'_>, lot: &Lot) -> String {
    let (person, browser) = (&lab.person, lab.person.browser);
    lab.click("a[href^='/samplings/new?lot=']");
    let form = "form[action='/samplings']";
    browser.choose(form, "purpose", "监督抽查").unwrap();
    browser.choose(form, "level", "县级").unwrap();
    person.fill(form, &[("sampled_by", "示例抽样员甲"), ("quantity", "2 公斤,一式两份")]);
    person.fill(form, &[("items", "克百威、毒死蜱"), ("laboratory", FIRST)]);
    person.press(form, "登记抽样", "监督抽查须两人以上,最多五人");
    lab.see("one-sampler", &["有 1 处填写不正确"]);
    browser.fill(form, "sampled_by", "示例抽样员甲、示例抽样员乙").unwrap();
    person.press(form, "登记抽样", "抽样已登记。请把编号贴在样品上。");
    let path = lab.path("/samplings/smp_");
    lab.see("taken", &["已抽样", "监督抽查 · 县级", "示例抽样员甲、示例抽样员乙", &lot.no]);
    let no = browser.text(".head .code").unwrap();
    assert!(no.starts_with('S'), "{no}");

    let form = "form[action$='/receive']";
    browser.fill(form, "condition", "冷藏完好").unwrap();
    person.press(form, "收样登记", "已收样。");
    person.go("/samplings/worksheet");
    lab.see("worksheet", &["检测工作单", &no, "克百威、毒死蜱", "冷藏完好"]);
    path
}

/// Both items of the sample, one after the other; path of the positive one.
fn measure(lab: &Lab<'_>, sample: &str) -> String {
    let (person, browser) = (&lab.person, lab.person.browser);
    person.go(sample);
    lab.click(".head a[href$='/tests/new']");
    let form = "form[action$='/tests/new']";
    browser.choose(form, "method", "色谱、质谱法").unwrap();
    assert_eq!(lab.value("[name='item']"), "克百威");
    browser.choose(form, "value_kind", "浓度").unwrap();
    person.fill(form, &[("value", "0.02"), ("unit", "mg/kg"), ("lod", "0.005")]);
    lab.see("entry", &["录入检测结果"]);
    person.press(form, "录入,继续下一项", "检测结果已录入。");
    // The next item is there already, and what held for the one before.
    assert_eq!(lab.value("[name='item']"), "毒死蜱");
    assert_eq!(lab.value("[name='unit']"), "mg/kg");
    assert_eq!(lab.value("[name='method']"), "chromatography");
    browser.choose(form, "qualifier", "未检出").unwrap();
    person.press(form, "录入", "2 / 2");
    lab.see("results", &["已出结果", "0.02 mg/kg", "超标", "未检出", "合格", "待复核"]);
    lab.click("#tests .lines a");
    let test = lab.path("/tests/tst_");
    lab.see("positive", &["检出禁用药物“克百威”", "阳性结果,待处置", "须由另一人复核"]);
    lab.is_not_offered("form[action$='/verify']");
    lab.is_not_offered("a[href$='/objection']");
    test
}

/// Neither certificate nor flow, until somebody has settled it.
fn held(lab: &Lab<'_>, lot: &Lot) {
    let (person, browser) = (&lab.person, lab.person.browser);
    person.go(&lot.path);
    lab.see("held", &["批次已冻结 · 检测阳性", "不能开证,也不能流转"]);
    lab.is_not_offered("a[href$='/issue']");
    person.go(&format!("/steps/new?lot={}", lot.id()));
    browser.wait_for("贮存").unwrap();
    for kind in ["split", "transfer", "ship"] {
        lab.is_not_offered(&format!("a[href*='kind={kind}']"));
    }
    // By the address that no page offers.
    person.go(&format!("{}/issue", lot.path));
    let form = "form[action$='/issue']";
    browser.choose(form, "basis", "质量安全控制符合要求").unwrap();
    browser.wait_for("按现在的记录:").unwrap();
    person.press(form, "确认开具", "已冻结,不能开证");
    lab.see("not-issued", &[&lot.no]);
}

/// Within the minute of the result, as the form offers it: moments are told to the minute.
fn deliver(lab: &Lab<'_>, test: &str) {
    let (person, browser) = (&lab.person, lab.person.browser);
    person.go(test);
    lab.click("a[href$='/notice']");
    browser.wait_for_url("/notice").unwrap();
    lab.see("notice", &["检测结果告知书", "克百威", FIRST, "五个工作日内申请复检"]);
    person.go(test);
    let form = "form[action$='/deliver']";
    browser.fill(form, "to", "示例负责人").unwrap();
    person.press(form, "登记送达", "已登记送达,异议时限开始计算。");
    lab.see("delivered", &["示例负责人", "异议截止"]);
    lab.is_not_offered(form);
}

/// Path of the objection.
fn object(lab: &Lab<'_>, test: &str) -> String {
    let person = &lab.person;
    person.go(test);
    lab.click("a[href$='/objection']");
    let form = "form[action$='/objection']";
    person.browser.fill(form, "reason", "示例:没有用过这种药,要求复检").unwrap();
    lab.see("objection-new", &["提出时间"]);
    person.press(form, "提交异议", "异议已受理。");
    let path = lab.path("/objections/obj_");
    lab.see("objection", &["待委托复检", "没有用过这种药", "作出结论"]);
    path
}

fn order_retest(lab: &Lab<'_>, objection: &str) {
    let (person, browser) = (&lab.person, lab.person.browser);
    person.go(objection);
    let form = "form[action$='/order']";
    assert_eq!(lab.count("form[action$='/order'] option"), 2, "rapid methods are offered");
    browser.fill(form, "laboratory", FIRST).unwrap();
    browser.choose(form, "method", "色谱、质谱法").unwrap();
    person.press(form, "委托复检机构", "就是初检机构,不能由它复检");
    browser.fill(form, "laboratory", OTHER).unwrap();
    browser.choose(form, "method", "色谱、质谱法").unwrap();
    person.press(form, "委托复检机构", "已委托复检。");
    lab.see("ordered", &["复检中", OTHER]);
    person.press("form[action$='/receive']", "登记复检机构收样", "已登记收样,报告期限开始计算。");
    lab.see("retest-received", &["复检报告期限"]);
    lab.is_not_offered("form[action$='/order']");
}

/// Path of the retest.
fn enter_retest(lab: &Lab<'_>, objection: &str) -> String {
    let (person, browser) = (&lab.person, lab.person.browser);
    person.go(objection);
    browser.wait_for("复检结果录入并复核之后,才能作出结论。").unwrap();
    lab.is_not_offered("form[action$='/conclude'] textarea");
    lab.click(".head a[href$='/tests/new']");
    let form = "form[action$='/tests/new']";
    browser.choose(form, "qualifier", "未检出").unwrap();
    assert_eq!(lab.value("[name='item']"), "克百威");
    assert_eq!(lab.value("[name='method']"), "chromatography");
    person.fill(form, &[("lod", "0.002")]);
    person.press(form, "录入", "检测结果已录入。");
    // Of one person's word nothing follows.
    lab.see("retested", &["未检出(检出限 0.002 mg/kg)", "待复核", "复核之后,才能作出结论"]);
    lab.is_not_offered("form[action$='/conclude'] textarea");
    let links = browser.all("ol.chain li a[href^='/tests/']").unwrap();
    browser.click(links.last().unwrap()).unwrap();
    let retest = lab.path("/tests/tst_");
    lab.see("retest", &["须由另一人复核后才能作为开证依据", OTHER]);
    lab.is_not_offered("form[action$='/verify']");
    retest
}

/// By somebody else than who typed it.
fn verify(lab: &Lab<'_>, retest: &str) {
    lab.change_to("clerk");
    lab.person.go(retest);
    lab.see("verify", &["请复核", "未检出禁用药物“克百威”"]);
    lab.person.press("form[action$='/verify']", "核对无误,复核通过", "已复核。");
    lab.is_not_offered("form[action$='/verify']");
    lab.see("verified", &["复核人", "示例业务员"]);
    lab.change_to("admin");
}

fn conclude(lab: &Lab<'_>, objection: &str, test: &str) {
    let person = &lab.person;
    person.go(objection);
    let form = "form[action$='/conclude']";
    person.browser.fill(form, "note", "示例:复检未检出克百威").unwrap();
    person.press(form, "作出结论", "异议已办结。");
    lab.see("concluded", &["复检合格", "示例:复检未检出克百威"]);
    lab.is_not_offered(form);
    person.go(test);
    lab.see("settled", &["处置结果:", "解除"]);
    lab.is_not_offered("a[href$='/settle']");
}

fn free_again(lab: &Lab<'_>, lot: &Lot) {
    lab.person.go(&lot.path);
    lab.see("free", &["正常", "已有合格检测", "复检"]);
    lab.is_not_offered(".held img");
    assert_eq!(lab.count("a[href$='/issue']"), 1, "no certificate is offered");
}

fn ship(lab: &Lab<'_>, lot: &Lot) {
    let person = &lab.person;
    person.go(&format!("/steps/new?lot={}", lot.id()));
    lab.click("a[href*='kind=ship']");
    let form = "form[action='/steps']";
    person.fill(form, &[("taken", "100"), ("buyer", "示例超市采购部"), ("buyer_place", "湘潭市")]);
    person.press(form, "保存", "已记录。");
    lab.see("shipped", &["销售出库", "示例超市采购部", "100 公斤"]);
    person.go(&lot.path);
    lab.see("part-sold", &["500 公斤", "示例超市采购部"]);
}

/// In earnest, no drill.
fn recall(lab: &Lab<'_>, lot: &Lot) {
    let (person, browser) = (&lab.person, lab.person.browser);
    lab.click("#holds a[href^='/recalls/new']");
    lab.see("recall-new", &["会涉及的批次", &lot.no]);
    let form = "form[action='/recalls']";
    browser.fill(form, "reason", "示例:同一地块又检出克百威").unwrap();
    browser.press(form, "开始召回").unwrap();
    person.press("#ask", "确定", "召回已开始。");
    let path = lab.path("/recalls/");
    assert_ne!(path, "/recalls/new");
    lab.see("recall", &["进行中", &lot.no, "已冻结", "待处理"]);
    let page = browser.text("main").unwrap();
    assert!(!page.contains("演练"), "{page}");
    person.go("/recalls");
    lab.see("recalls", &["示例:同一地块又检出克百威", "进行中"]);
    person.go(&lot.path);
    lab.see("recalled", &["批次已冻结 · 召回"]);
    lab.is_not_offered("a[href$='/issue']");
    person.go("/lots?status=held");
    lab.see("held-lots", &[&lot.no]);
}
