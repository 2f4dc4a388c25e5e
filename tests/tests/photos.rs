//! Photos of production records: by a phone's browser, by the API, and after a kill.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use serde_json::json;
use tianyin_tests::appliance::Setting;
use tianyin_tests::webdriver::Browser;
use tianyin_tests::{Appliance, until};

const PHONE: (u32, u32) = (390, 844);
const WAIT: Duration = Duration::from_secs(20);

#[test]
fn a_grower_adds_photos_with_a_phone() {
    let appliance = Appliance::start_with(Setting::new().unwrap()).unwrap();
    let address = format!("http://{}", appliance.setting.http);
    let browser = Browser::start(PHONE.0, PHONE.1).unwrap();
    browser.set_size(PHONE.0, PHONE.1, true).unwrap();
    browser.open(&format!("{address}/sign-in")).unwrap();
    let form = "form[action='/sign-in']";
    browser.fill(form, "username", "admin").unwrap();
    browser.fill(form, "password", appliance.demo.password()).unwrap();
    browser.press(form, "登录").unwrap();
    browser.wait_for("今日工作").unwrap();
    let photo = browser.screenshot("a-photo").unwrap();

    let lot = &appliance.demo.lots[0];
    browser.open(&format!("{address}/activities/new?lot={}", lot.id)).unwrap();
    let form = "form[action='/activities']";
    let chooser = browser.find("[data-photos] input[multiple]").unwrap();
    browser.type_into(&chooser, photo.to_str().unwrap()).unwrap();
    let shown = "[...document.querySelectorAll('.thumbs img')].filter(i=>i.complete&&i.naturalWidth>0).length";
    let pictures = |count: i64| {
        until("the photo to be shown", WAIT, || {
            let found = browser.run(&format!("return {shown}"), &json!([]))?;
            Ok((found.as_i64() == Some(count)).then_some(()))
        })
        .unwrap();
    };
    pictures(1);

    // The same photo again is the same photo; what is no photo is told in words.
    browser.type_into(&chooser, photo.to_str().unwrap()).unwrap();
    let page = appliance.setting.data.join("page.html");
    std::fs::write(&page, "<html><script>alert(1)</script></html>").unwrap();
    browser.type_into(&chooser, page.to_str().unwrap()).unwrap();
    browser.wait_for("只收照片").unwrap();
    pictures(1);

    // A form that is refused keeps its photos.
    browser.press(form, "保存记录").unwrap();
    browser.wait_for("请按提示改正").unwrap();
    pictures(1);
    browser.choose(form, "kind", "初加工").unwrap();
    let too_wide = "return document.documentElement.scrollWidth-window.innerWidth";
    assert!(browser.run(too_wide, &json!([])).unwrap().as_i64().unwrap() <= 0);
    let show = "document.querySelector('[data-photos]').scrollIntoView({block:'center'})";
    browser.run(show, &json!([])).unwrap();
    browser.screenshot("activity-photos-phone").unwrap();
    browser.press(form, "保存记录").unwrap();
    browser.wait_for("已记录").unwrap();
    pictures(1);
    assert!(browser.run(too_wide, &json!([])).unwrap().as_i64().unwrap() <= 0);
    browser.screenshot("lot-photos-phone").unwrap();

    let api = appliance.api("admin").unwrap();
    let recorded = api.list("/activities?kind=processing").unwrap();
    let attachment = &recorded[0]["attachments"][0];
    assert_eq!(attachment["kind"], "png");
    let path = format!("/blobs/{}", attachment["hash"].as_str().unwrap());
    let file = api.send("GET", &path, &[], &[]).unwrap().expect(200).unwrap();
    assert_eq!(file.body, std::fs::read(&photo).unwrap());
    browser.open(&format!("{address}/activities/{}", recorded[0]["id"].as_str().unwrap())).unwrap();
    pictures(1);
    // The refused upload (415) and the refused form (422) stand in the console's log; nothing else.
    let complaints = browser.complaints().unwrap();
    let odd = |c: &&String| !c.contains("415") && !c.contains("422");
    assert_eq!(complaints.iter().filter(odd).collect::<Vec<_>>(), [""; 0], "{complaints:?}");
}

#[test]
fn a_photo_on_a_record_survives_a_kill() {
    let mut appliance = Appliance::start_with(Setting::new().unwrap()).unwrap();
    let api = appliance.api("admin").unwrap();
    let model = api.list("/activities").unwrap().remove(0);
    let mut kept = Vec::new();
    for n in 0..20 {
        let photo = format!("\u{0}{n} a photo").into_bytes();
        let photo = [b"\xff\xd8\xff".as_slice(), &photo].concat();
        let blob = api.send("POST", "/blobs", &[], &photo).unwrap().expect(200).unwrap();
        let mut blob = blob.json().unwrap();
        blob["name"] = format!("{n}.jpg").into();
        let record = json!({
            "site": model["site"], "product": model["product"], "kind": "other",
            "date": model["date"], "attachments": [blob],
        });
        api.done("/activities", &record).unwrap();
        kept.push((format!("/blobs/{}", blob["hash"].as_str().unwrap()), photo));
    }
    appliance.kill();
    appliance.serve().unwrap();
    let api = appliance.api("admin").unwrap();
    for (path, photo) in kept {
        let file = api.send("GET", &path, &[], &[]).unwrap().expect(200).unwrap();
        assert_eq!(file.body, photo);
    }
}
