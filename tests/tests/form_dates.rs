//! A certificate asked for one minute before and one minute after the midnight, in China, on which another form or a
//! ban begins; and the days of the shipped tables.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use jiff::civil::Date;
use serde_json::{Value, json};
use tianyin_tests::api::Api;
use tianyin_tests::appliance::Setting;
use tianyin_tests::false_clock::FalseClock;
use tianyin_tests::http::Answer;
use tianyin_tests::{Appliance, http};

/// Days from now to the midnight: a clock that shows a day before the binary was built is not believed.
const DAYS_AHEAD: i32 = 40;
const MINUTE_S: i64 = 60;
/// What the forms of 2021 and of 2026 begin with.
const OATH_2021: &str = "我承诺对生产销售的食用农产品:";
const OATH_2026: &str = "我承诺生产销售的食用农产品 未使用禁用农药";

fn china() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::fixed(jiff::tz::offset(8))
}

fn days_from(day: Date, days: i32) -> Date {
    day.checked_add(jiff::Span::new().days(days)).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// A county whose own tables say that something begins at a midnight to come.
struct Midnight {
    clock: FalseClock,
    /// The day that begins then.
    day: Date,
    appliance: Appliance,
}

impl Midnight {
    /// The county half an hour before. In a shipped table each of the `days` becomes the day that begins,
    /// or one so many days from it; they stand there as often as told.
    fn of(table: &str, days: &[(&str, i32, usize)]) -> Self {
        let mut setting = Setting::new().unwrap();
        let clock = FalseClock::on(&mut setting);
        let today = jiff::Timestamp::now().to_zoned(china()).date();
        let day = days_from(today, DAYS_AHEAD);
        set(&clock, day, -30 * MINUTE_S);
        let mut appliance = Appliance::made(setting).unwrap();
        let all = appliance.setting.data.join("all-rules");
        appliance.run(&["rules", "export", all.to_str().unwrap()]).unwrap();
        let mut own = std::fs::read_to_string(all.join("data").join(table)).unwrap();
        std::fs::remove_dir_all(&all).unwrap();
        for (shipped, days, times) in days {
            let shipped = format!("\"{shipped}\"");
            assert_eq!(own.matches(&shipped).count(), *times, "{shipped} in {table}");
            own = own.replace(&shipped, &format!("\"{}\"", days_from(day, *days)));
        }
        let folder = appliance.setting.data.join("rules/data");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(table), own).unwrap();
        appliance.serve().unwrap();
        Self { clock, day, appliance }
    }

    /// The clock shows so many seconds after the midnight, and goes on from there.
    fn at(&self, second: i64) {
        set(&self.clock, self.day, second);
    }

    fn yesterday(&self) -> Date {
        days_from(self.day, -1)
    }
}

fn set(clock: &FalseClock, day: Date, second: i64) {
    let midnight = day.to_zoned(china()).unwrap().timestamp().as_second();
    clock.set_second(midnight + second);
}

fn certificate(api: &Api, lot: &str, basis: &str) -> Answer {
    let request = json!({ "lot": lot, "quantity": "1", "basis": [basis] });
    api.post("/certificates", &request).unwrap()
}

/// The page on which a certificate is issued for a lot.
fn issue_page(api: &Api, lot: &str) -> String {
    let cookie = format!("tianyin={}", api.token());
    let path = format!("/lots/{lot}/issue");
    let page = http::send(api.address, "GET", &path, &[("Cookie", &cookie)], &[]).unwrap();
    page.expect(200).unwrap().text()
}

#[test]
fn another_form_begins_at_midnight_in_china() {
    let days = [("2026-02-01", 0, 2), ("2026-01-31", -1, 1)];
    let mut midnight = Midnight::of("forms.toml", &days);
    let api = midnight.appliance.api("clerk").unwrap();
    let lot = midnight.appliance.demo.lot("小白菜").unwrap().id.clone();
    let yesterday = midnight.yesterday().to_string();

    midnight.at(-MINUTE_S);
    let page = issue_page(&api, &lot);
    assert!(page.contains("2021 年样式") && page.contains("自我承诺"), "{page}");
    let mut before = Vec::new();
    for basis in ["quality_control", "self_commitment"] {
        midnight.at(-MINUTE_S);
        let issued = certificate(&api, &lot, basis).expect(201).unwrap().json().unwrap();
        let content = &issued["content"];
        assert_eq!(content["form"], "producer-2021", "{issued}");
        assert_eq!(content["issued_on"], yesterday.as_str(), "{issued}");
        assert!(text(&content["commitment"]).starts_with(OATH_2021), "{issued}");
        before.push(text(&content["code"]));
    }

    midnight.at(MINUTE_S);
    let issued = certificate(&api, &lot, "quality_control").expect(201).unwrap().json().unwrap();
    let content = &issued["content"];
    assert_eq!(content["form"], "producer-2026", "{issued}");
    assert_eq!(content["issued_on"], midnight.day.to_string(), "{issued}");
    assert!(text(&content["commitment"]).starts_with(OATH_2026), "{issued}");
    // Who opened the page at 23:59 and ticked what the new form does not have is told so.
    let refused = certificate(&api, &lot, "self_commitment");
    assert_eq!(refused.status, 422, "{}", refused.text());
    let fault = &refused.json().unwrap()["errors"][0];
    assert_eq!((&fault["field"], &fault["code"]), (&json!("basis"), &json!("bad_choice")));
    let page = issue_page(&api, &lot);
    assert!(page.contains("2026 年样式一") && !page.contains("自我承诺"), "{page}");

    // Both stay as they were issued.
    let after = text(&content["code"]);
    let former = before.iter().map(|code| (code, OATH_2021, yesterday.clone()));
    let all = former.chain([(&after, OATH_2026, midnight.day.to_string())]);
    for (code, oath, day) in all {
        let page = midnight.appliance.get(&format!("/t/{code}")).unwrap().expect(200).unwrap();
        let page = page.text();
        for shown in ["真实有效", oath, day.as_str()] {
            assert!(page.contains(shown), "{shown} in {page}");
        }
    }
    midnight.appliance.stop().unwrap();
    midnight.appliance.run(&["verify"]).unwrap();
}

/// Rice of an operator of the demo county, and a pesticide that is to be banned.
struct Rice {
    api: Api,
    site: String,
    product: String,
    input: String,
}

impl Rice {
    fn of(appliance: &Appliance) -> Self {
        let api = appliance.api("admin").unwrap();
        let lot = api.get(&format!("/lots/{}", appliance.demo.lot("小白菜").unwrap().id)).unwrap();
        // Barred on what is eaten fresh for long.
        let product = json!({
            "operator": lot["operator"], "name": "示例早稻", "class": "other", "crop": "水稻", "unit": "公斤",
        });
        let product = text(&api.done("/products", &product).unwrap()["id"]);
        let input = json!({
            "name": "示例 40% 氧乐果乳油", "kind": "pesticide", "substances": ["氧乐果"],
            "uses": [{ "crop": "水稻", "interval_days": 0 }],
        });
        let input = text(&api.done("/inputs", &input).unwrap()["id"]);
        Self { site: text(&lot["site"]), product, input, api }
    }

    fn treat(&self, day: Date) -> Answer {
        let record = json!({
            "site": self.site, "product": self.product, "kind": "treatment", "date": day.to_string(),
            "input": self.input, "dose": "50 毫升/亩",
        });
        self.api.post("/activities", &record).unwrap()
    }

    /// The lot of a harvest that is on record.
    fn harvest(&self, day: Date) -> String {
        let day = day.to_string();
        let record = json!({
            "site": self.site, "product": self.product, "kind": "harvest", "date": day,
        });
        self.api.done("/activities", &record).unwrap();
        let lot = json!({
            "site": self.site, "product": self.product, "quantity": "100", "harvested_on": day,
        });
        text(&self.api.done("/lots", &lot).unwrap()["id"])
    }

    fn is_certified(&self, lot: &str) {
        let issued = certificate(&self.api, lot, "quality_control");
        assert_eq!(issued.status, 201, "{}", issued.text());
    }

    /// What was used on that day is said to be banned from `since` on.
    fn is_refused(&self, lot: &str, used: Date, since: Date) {
        let refused = certificate(&self.api, lot, "quality_control");
        assert_eq!(refused.status, 422, "{}", refused.text());
        let told = refused.json().unwrap();
        assert_eq!(told["code"], "rule_refused", "{told}");
        let detail = text(&told["detail"]);
        for words in [format!("{used} 使用的"), format!("自 {since} 起禁用"), "氧乐果".into()]
        {
            assert!(detail.contains(&words), "{words} in {detail}");
        }
        let certificates = self.api.list(&format!("/certificates?lot={lot}")).unwrap();
        assert!(certificates.is_empty(), "{certificates:?}");
    }
}

#[test]
fn a_ban_begins_at_midnight_in_china() {
    let mut midnight = Midnight::of("banned.toml", &[("2026-06-01", 0, 1)]);
    let (yesterday, day) = (midnight.yesterday(), midnight.day);
    let rice = Rice::of(&midnight.appliance);

    midnight.at(-MINUTE_S);
    let used = rice.treat(yesterday);
    assert_eq!(used.status, 201, "{}", used.text());
    let lawful = rice.harvest(yesterday);
    rice.is_certified(&lawful);
    // By the world's time it is still the day before for eight hours; here tomorrow begins in a minute.
    midnight.at(-MINUTE_S);
    let early = rice.treat(day);
    assert_eq!(early.status, 422, "{}", early.text());
    let fault = &early.json().unwrap()["errors"][0];
    assert_eq!((&fault["field"], &fault["code"]), (&json!("date"), &json!("in_future")));

    midnight.at(MINUTE_S);
    let used = rice.treat(day);
    assert_eq!(used.status, 201, "it is on record as it was: {}", used.text());
    let unlawful = rice.harvest(day);
    rice.is_refused(&unlawful, day, day);
    // The day of use counts, not that of the certificate.
    rice.is_certified(&lawful);
    midnight.appliance.stop().unwrap();
    midnight.appliance.run(&["verify"]).unwrap();
}

#[test]
fn the_days_of_the_shipped_tables() {
    let appliance = Appliance::start().unwrap();
    let rice = Rice::of(&appliance);
    let ban: Date = "2026-06-01".parse().unwrap();
    for (used, lawful) in [(days_from(ban, -1), true), (ban, false)] {
        assert_eq!(rice.treat(used).status, 201);
        let lot = rice.harvest(used);
        match lawful {
            true => rice.is_certified(&lot),
            false => rice.is_refused(&lot, used, ban),
        }
    }

    // Papers that the producer itself wrote on those days.
    let codes = papers(&rice.api, 2);
    let own = appliance.api("producer").unwrap();
    let lot = own.get(&format!("/lots/{}", appliance.demo.lot("湘莲").unwrap().id)).unwrap();
    for (code, day, form) in
        [(&codes[0], "2026-01-31", "producer-2021"), (&codes[1], "2026-02-01", "producer-2026")]
    {
        let harvest = json!({
            "site": lot["site"], "product": lot["product"], "kind": "harvest", "date": day,
        });
        own.done("/activities", &harvest).unwrap();
        let harvested = json!({
            "site": lot["site"], "product": lot["product"], "quantity": "10", "harvested_on": day,
        });
        let lot = own.done("/lots", &harvested).unwrap();
        let entered = json!({
            "lot": lot["id"], "quantity": "10", "basis": ["quality_control"],
            "paper": { "code": code, "issued_on": day },
        });
        let entered = own.done("/certificates", &entered).unwrap();
        assert_eq!(entered["content"]["form"], form, "{entered}");
        assert_eq!(entered["content"]["issued_on"], day, "{entered}");
    }
}

/// The codes of a new pack of blank forms.
fn papers(admin: &Api, count: usize) -> Vec<String> {
    let pack = admin.done("/packs", &json!({ "kind": "paper", "size": count })).unwrap();
    let path = format!("/packs/{}/codes.csv", text(&pack["id"]));
    let list = admin.send("GET", &path, &[], &[]).unwrap().expect(200).unwrap().text();
    let codes = list.lines().skip(1).map(|row| row.split(',').nth(1).unwrap().to_owned());
    let codes: Vec<String> = codes.collect();
    assert_eq!(codes.len(), count);
    codes
}
