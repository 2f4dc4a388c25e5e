//! A grower comes into the register, in a real browser on a phone: applies, is approved, gets a card, and
//! opens its own pages with it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use tianyin_domain::identity::uscc_check_char;
use tianyin_tests::Appliance;
use tianyin_tests::person::{DESK, PHONE, Person};
use tianyin_tests::webdriver::Browser;

/// Signs out, from any page.
fn leave(visit: &Person<'_>) {
    visit.browser.click_css("details.who summary").unwrap();
    visit.press("form[action='/sign-out']", "退出登录", "您已退出登录");
}

#[test]
fn a_grower_applies_is_approved_and_comes_in_with_its_card() {
    let appliance = Appliance::start().unwrap();
    let browser = Browser::start(PHONE.0, PHONE.1).unwrap();
    browser.set_size(PHONE.0, PHONE.1, true).unwrap();
    let address = format!("http://{}", appliance.setting.http);
    let visit = Person { browser: &browser, address };
    visit.go("/sign-in");
    browser.click_words("生产者入网登记申请").unwrap();
    let form = "form[action='/apply']";
    let body = "92430321MATEDE009";
    let uscc = format!("{body}{}", uscc_check_char(body).unwrap());
    browser.choose(form, "kind", "家庭农场").unwrap();
    visit.fill(form, &[("name", "示例清塘家庭农场"), ("uscc", &uscc), ("address", "清塘村 3 组")]);
    browser.wait_for("信用代码校验通过").unwrap();
    browser.choose(form, "area", "花石镇").unwrap();
    visit.fill(form, &[("contact_name", "周示例"), ("contact_phone", "0731-57000088")]);
    // What was typed is there again after the phone was put away; the password is not.
    visit.fill(form, &[("password", "lotus-river-2026")]);
    visit.go("/apply");
    let kept = |name: &str| {
        let script = "return document.querySelector(`[name=${arguments[0]}]`).value";
        browser.run(script, &serde_json::json!([name])).unwrap()
    };
    assert_eq!(kept("name"), "示例清塘家庭农场");
    assert_eq!(kept("password"), "");
    let password = "lotus-river-2026";
    visit.fill(form, &[("password", password), ("password_again", password)]);
    visit.press(form, "提交申请", "申请已提交");
    browser.wait_for("正在等待审核").unwrap();
    let operator = browser.wait_for_url("/operators/opr_").unwrap();
    let path = format!("/operators/{}", operator.rsplit('/').next().unwrap());
    leave(&visit);

    // The county's clerk sits at a desk.
    browser.set_size(DESK.0, DESK.1, false).unwrap();
    let sign_in = "form[action='/sign-in']";
    visit.fill(sign_in, &[("username", "admin"), ("password", appliance.demo.password())]);
    visit.press(sign_in, "登录", "今日工作");
    visit.go(&path);
    visit.press("#review form", "审核通过", "审核结果已记录");
    let card = format!("form[action='{path}/card']");
    visit.press(&card, "发卡", "密码和二维码只显示这一次");
    let pin = browser.text(".pin-slip .big-code").unwrap();
    let script = "return document.querySelector('.id-card svg').getAttribute('aria-label')";
    let address = browser.run(script, &serde_json::json!([])).unwrap();
    let address = address.as_str().unwrap();
    let door = &address[address.find("/O/").unwrap()..];
    visit.go("/");
    leave(&visit);

    browser.set_size(PHONE.0, PHONE.1, true).unwrap();
    visit.go(door);
    browser.wait_for("示例清塘家庭农场").unwrap();
    let form = "form.form";
    visit.fill(form, &[("pin", "12345")]);
    visit.press(form, "打开我的页面", "密码不对");
    visit.fill(form, &[("pin", &pin)]);
    visit.press(form, "打开我的页面", "登记信息");
    assert!(browser.wait_for_url(&path).is_ok());
    browser.wait_for("已审核").unwrap();
}
