//! Two clerks at one lot at the same moment, each in a browser of their own: one certificate, one label.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Barrier;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tianyin_tests::appliance::Setting;
use tianyin_tests::device::Printer;
use tianyin_tests::person::{DESK, Person};
use tianyin_tests::webdriver::Browser;
use tianyin_tests::{Appliance, tools, until};

const WAIT: Duration = Duration::from_secs(20);
/// Form to issue a certificate on.
const ISSUE: &str = "form[action$='/issue']";
const PRINT: &str = "form[action$='/print']";
/// What the page says to who was second.
const CLASH: &str = "这条记录刚被改动,请选一个";

/// Presses a button when the other does, and tells which of the two texts the page then shows: that of who got
/// through, or that of who did not.
fn press(
    visit: &Person<'_>,
    start: &Barrier,
    (form, button): (&str, &str),
    texts: [&str; 2],
) -> bool {
    start.wait();
    visit.browser.press(form, button).unwrap();
    let shown = || -> Result<Option<bool>> {
        let text = "return document.body ? document.body.innerText : ''";
        let text = visit.browser.run(text, &json!([]))?;
        let text = text.as_str().unwrap_or_default();
        let [through, refused] = texts.map(|one| text.contains(one));
        Ok((through || refused).then_some(through))
    };
    until("an answer to both", WAIT, shown).unwrap()
}

/// Both at once; who of them got through.
fn at_once(both: [&Person<'_>; 2], button: (&str, &str), texts: [&str; 2]) -> [bool; 2] {
    let start = &Barrier::new(2);
    std::thread::scope(|scope| {
        let hands = both.map(|visit| scope.spawn(move || press(visit, start, button, texts)));
        hands.map(|hand| hand.join().unwrap())
    })
}

#[test]
fn one_certificate_and_one_label() {
    let setting = Setting::new().unwrap();
    let mut printer = Printer::start(setting.printer, &setting.data.join("labels")).unwrap();
    let mut appliance = Appliance::start_with(setting).unwrap();
    let browsers = [(); 2].map(|()| Browser::start(DESK.0, DESK.1).unwrap());
    let [first, second] = browsers.each_ref().map(|browser| Person::at(browser, &appliance));
    first.sign_in("admin", appliance.demo.password(), "今日工作");
    second.sign_in("clerk", appliance.demo.password(), "今日工作");
    let api = appliance.api("admin").unwrap();
    let lot = appliance.demo.lot("小白菜").unwrap().clone();
    let path = format!("/lots/{}", lot.id);
    let all = api.get(&path).unwrap()["quantity"].clone();

    // Both see the whole lot left.
    for visit in [&first, &second] {
        visit.go(&format!("{path}/issue"));
        visit.browser.choose(ISSUE, "basis", "质量安全控制符合要求").unwrap();
        visit.browser.wait_for("有生产记录").unwrap();
    }
    let issued = at_once([&first, &second], (ISSUE, "确认开具"), ["合格证已开具。", CLASH]);
    let (winner, loser, by) = match issued {
        [true, false] => (&first, &second, "示例管理员"),
        [false, true] => (&second, &first, "示例业务员"),
        both => panic!("who got through: {both:?}"),
    };
    let code = winner.path("/certificates/").rsplit('/').next().unwrap().to_owned();
    let only = |what: &str| {
        let told = api.list(what).unwrap();
        assert_eq!(told.len(), 1, "{what}: {told:?}");
        told[0].clone()
    };
    let certificates = format!("/certificates?lot={}", lot.id);
    assert_eq!(only(&certificates)["content"]["quantity"], all);

    // Who was second is told what happened meanwhile, and cannot have what is not there any more.
    for shown in [by, "开具了合格证", "剩余可开 0 公斤"] {
        loser.browser.wait_for(shown).unwrap();
    }
    loser.picture("two-clerks-clash");
    loser.press("#clash form", "仍按我的提交", "剩余可开数量只有 0 公斤,请改小数量");
    assert_eq!(only(&certificates)["content"]["code"], code.as_str());
    assert_eq!(api.get(&path).unwrap()["certified"], all);
    assert_eq!(api.list("/print_jobs").unwrap(), Vec::<Value>::new(), "nobody asked for a label");

    // Both have it printed.
    for visit in [&first, &second] {
        visit.go(&format!("/certificates/{code}"));
        visit.browser.choose(PRINT, "printer", "花石站标签打印机").unwrap();
    }
    let printed = at_once([&first, &second], (PRINT, "打印"), ["已送去打印。", "请写明原因"]);
    assert!(printed[0] != printed[1], "who got through: {printed:?}");
    let label = printer.next_label(WAIT).unwrap();
    assert_eq!(
        tools::read_codes(&label).unwrap(),
        [format!("HTTP://{}/T/{code}", appliance.setting.http)]
    );
    until(
        "the job to end",
        WAIT,
        || Ok((only("/print_jobs")["status"] == "printed").then_some(())),
    )
    .unwrap();
    assert_eq!(only("/print_jobs")["copies"], 1);

    for browser in browsers {
        let mut complaints = browser.complaints().unwrap();
        // Of the answers that were to be expected.
        complaints.retain(|line| {
            !["409", "422"].iter().any(|one| line.contains(&format!("status of {one}")))
        });
        assert!(complaints.is_empty(), "the pages' console says:\n{}", complaints.join("\n"));
    }
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
}
