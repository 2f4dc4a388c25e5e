//! Copied labels: where a code is scanned, what the page warns of, codes of packs, numbers under a scratch
//! layer, and who tries many codes.

use tianyin_domain::Actor;
use tianyin_domain::code;
use tianyin_domain::command::Command;
use tianyin_domain::id::SeededRandom;
use tianyin_domain::pack::{MarkRange, OrderPack, PackKind};
use tianyin_domain::span::SpanState;

use super::*;
use crate::app::area_rows;
use crate::http::public::{Home, whole_page};
use crate::texts::Lang;

/// Changsha, Shenzhen, Shanghai.
const TABLE: &str = "1.0.1.0/24,4301\n1.0.2.0/24,440300\n1.0.3.0/24,3101\n";

/// A county with a table of addresses, behind a proxy that says who asks.
async fn county() -> World {
    let proxy: SocketAddr = VISITOR.parse().unwrap();
    let world = bare_with(|config| config.http.trusted_proxies = vec![proxy.ip()]).await;
    let table = area_rows::read(TABLE.as_bytes()).unwrap().table;
    table.save(&world.app.config.data).unwrap();
    world.app.areas.renew();
    set_up(world).await
}

/// The code of a certificate.
async fn certified(world: &World) -> String {
    let [operator, _, _, lot] = world.lot_of(cooperative()).await;
    world.test_of(&lot).await;
    world.certificate_of(&operator, &lot).await
}

async fn seen_by(world: &World, address: &str, path: &str) -> String {
    let headers = [("accept", "text/html"), ("x-forwarded-for", address)];
    let page = world.visit(Method::GET, path, &headers).await;
    assert_eq!(page.status, 200, "{}", page.text());
    page.text()
}

async fn policy(world: &World, warn: bool, void_reason: bool) {
    let body = json!({ "cities": 3, "day_scans": 200, "warn": warn, "void_reason": void_reason });
    let set = world.call(Method::PUT, "/scan_policy", Some(body.clone()), "").await.expect(200);
    assert_eq!(set, body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_city_is_noticed_and_the_county_says_what_it_was() {
    let world = county().await;
    let code = certified(&world).await;
    let path = format!("/t/{code}");
    let first = seen_by(&world, "1.0.1.77", &path).await;
    assert!(first.contains("已扫 1 次 · 首次 ") && first.contains(",长沙市</p>"), "{first}");
    world.app.flush_scans().await;
    // Where nobody knows is no city.
    seen_by(&world, "9.9.9.9", &path).await;
    let second = seen_by(&world, "1.0.2.77", &path).await;
    assert!(second.contains("出现在 2 个地市") && second.contains(",长沙市 · "), "{second}");
    world.app.flush_scans().await;
    assert!(!seen_by(&world, "1.0.3.77", &path).await.contains("扫描异常"));
    world.app.flush_scans().await;

    let warned = seen_by(&world, "1.0.1.77", &path).await;
    assert!(warned.contains("此码扫描异常(出现在 3 个地市)"), "{warned}");
    let json = world.visit(Method::GET, &format!("{path}.json"), &[]).await.expect(200);
    assert_eq!(json["warning"]["code"], "suspected");
    assert_eq!(
        (&json["scans"]["first_city"], &json["scans"]["cities"]),
        (&json!("长沙市"), &json!(3))
    );
    let list = world.get("/suspicions").await.expect(200);
    assert_eq!(list["items"][0]["code"], json!(code));
    assert_eq!(list["items"][0]["suspicion"]["cause"], "cities");
    let areas: Vec<&Value> = list["items"][0]["areas"].as_array().unwrap().iter().collect();
    let areas: Vec<&str> = areas.iter().map(|one| one["area"].as_str().unwrap()).collect();
    assert_eq!(areas, ["4301", "4403", "3101"]);

    policy(&world, false, true).await;
    assert!(!seen_by(&world, "1.0.1.77", &path).await.contains("扫描异常"));
    policy(&world, true, true).await;
    assert!(seen_by(&world, "1.0.1.77", &path).await.contains("扫描异常"));
    let settle = format!("/codes/{code}/suspicion");
    let cleared = json!({ "status": "cleared", "note": "直播发货" });
    world.post(&settle, cleared).await.expect(201);
    assert!(!seen_by(&world, "1.0.1.77", &path).await.contains("扫描异常"));
    assert_eq!(world.get("/suspicions").await.expect(200)["items"], json!([]));
    let cleared = world.get("/suspicions?status=cleared").await.expect(200);
    assert_eq!(cleared["items"][0]["suspicion"]["note"], "直播发货");
    policy(&world, false, true).await;
    world.post(&settle, json!({ "status": "copied", "note": "市场上有仿品" })).await.expect(201);
    let copied = seen_by(&world, "1.0.1.77", &path).await;
    assert!(copied.contains("县里已经核实") && !copied.contains("市场上有仿品"), "{copied}");
}

/// A certificate whose code was scanned in three cities.
async fn suspected(world: &World) -> String {
    let code = certified(world).await;
    for address in ["1.0.1.77", "1.0.2.77", "1.0.3.77"] {
        seen_by(world, address, &format!("/t/{code}")).await;
    }
    world.app.flush_scans().await;
    code
}

/// Page, badge and frame of a code.
async fn everywhere(world: &World, code: &str) -> [String; 3] {
    let path = format!("/t/{code}");
    [
        world.see(&path).await.text(),
        world.see(&format!("{path}/badge.svg")).await.text(),
        world.see(&format!("{path}/embed")).await.text(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_is_no_longer_genuine_above_a_warning() {
    let world = county().await;
    let code = suspected(&world).await;
    let path = format!("/t/{code}");
    for shown in everywhere(&world, &code).await {
        assert!(shown.contains("请先核对") && !shown.contains("真实有效"), "{shown}");
        assert!(shown.contains("#7d5200\" stroke-width"), "{shown}");
    }
    let page = world.see(&path).await.text();
    let hero = page.split_once("</header>").unwrap().0;
    assert!(hero.contains("class=\"hero held\"") && hero.contains("此码扫描异常"), "{hero}");
    assert_eq!(page.matches("此码扫描异常").count(), 1, "said once: {page}");
    assert!(page.contains("不等于您手里的就是真品") && page.contains("kind=fake"), "{page}");
    assert!(page.contains("id=\"certificate\"") && page.contains("示例莲业"), "{page}");
    let english = world.see(&format!("{path}?lang=en")).await.text();
    assert!(english.contains("</svg>Suspect</h1>") && !english.contains("Genuine"), "{english}");
    let json = world.see(&format!("{path}.json")).await.expect(200);
    assert_eq!((&json["status"], &json["warning"]["code"]), (&"valid".into(), &"suspected".into()));

    let settle = format!("/codes/{code}/suspicion");
    let copied = json!({ "status": "copied", "note": "市场上有仿品" });
    world.post(&settle, copied).await.expect(201);
    for shown in everywhere(&world, &code).await {
        assert!(shown.contains("谨防仿冒") && !shown.contains("真实有效"), "{shown}");
        assert!(shown.contains("#a52c1a\" stroke-width"), "{shown}");
    }
    let page = world.see(&path).await.text();
    let hero = page.split_once("</header>").unwrap().0;
    assert!(hero.contains("class=\"hero copied\"") && hero.contains("县里已经核实"), "{hero}");
    assert!(page.contains("id=\"certificate\"") && page.contains("示例莲业"), "{page}");
    let english = world.see(&format!("{path}?lang=en")).await.text();
    assert!(english.contains("</svg>Copied</h1>") && !english.contains("Genuine"), "{english}");
    let mirrored = whole_page(&world.app, &code, Lang::Zh, Home::Mirror).unwrap().unwrap();
    assert!(mirrored.contains("谨防仿冒") && !mirrored.contains("真实有效"), "{mirrored}");

    // What else is wrong is told below; a void certificate is that first.
    let lot = world.get(&format!("/codes/{code}")).await.expect(200)["lot"].clone();
    let hold = format!("/lots/{}/hold", lot.as_str().unwrap());
    world.post(&hold, json!({ "reason": "抽检" })).await.expect(201);
    let held = world.see(&path).await.text();
    assert!(held.contains("class=\"hero copied\"") && held.contains("这个批次已被冻结"), "{held}");
    let void = json!({ "reason": "标签被仿冒" });
    world.post(&format!("/certificates/{code}/void"), void).await.expect(201);
    let void = world.see(&path).await.text();
    assert!(void.contains("class=\"hero void\"") && void.contains("县里已经核实"), "{void}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cleared_is_genuine_again() {
    let world = county().await;
    let code = suspected(&world).await;
    let cleared = json!({ "status": "cleared", "note": "直播发货" });
    world.post(&format!("/codes/{code}/suspicion"), cleared).await.expect(201);
    for shown in everywhere(&world, &code).await {
        assert!(shown.contains("真实有效") && !shown.contains("请先核对"), "{shown}");
    }
    let page = world.see(&format!("/t/{code}")).await.text();
    assert!(page.contains("class=\"hero valid\"") && !page.contains("class=\"reason"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobodys_address_is_kept() {
    let world = county().await;
    let code = certified(&world).await;
    seen_by(&world, "1.0.1.77", &format!("/t/{code}")).await;
    world.app.flush_scans().await;
    let mut lines = 0;
    for file in std::fs::read_dir(world.app.config.data.join("journal")).unwrap() {
        let text = std::fs::read(file.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(!text.contains("1.0.1.77"), "{text}");
        lines += text.matches("\"area\":\"4301\"").count();
    }
    assert_eq!(lines, 1, "the city is");
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_certificate_is_void_is_told_as_the_county_wants() {
    let world = world().await;
    let code = certified(&world).await;
    let void = json!({ "reason": "数量填错" });
    world.post(&format!("/certificates/{code}/void"), void).await.expect(201);
    let path = format!("/t/{code}");
    assert!(world.see(&path).await.text().contains("数量填错"));
    policy(&world, true, false).await;
    let page = world.see(&path).await.text();
    assert!(page.contains("已作废") && !page.contains("数量填错"), "{page}");
    assert!(!page.contains("作废原因"), "no empty box: {page}");
    let json = world.see(&format!("{path}.json")).await.expect(200);
    assert_eq!(json["certificate"]["void_reason"], "");
    assert_eq!(world.get("/scan_policy").await.expect(200)["void_reason"], false);
    let bad = json!({ "cities": 1, "day_scans": 0, "warn": true, "void_reason": true });
    let refused = world.call(Method::PUT, "/scan_policy", Some(bad), "").await;
    assert_eq!(refused.problem(), (422, "invalid_fields".into()));
}

async fn order(world: &World, kind: PackKind, scratch: bool) -> String {
    let size = if kind == PackKind::Unit { 1_000 } else { 10 };
    let key_check = world.app.code_key.check().to_owned();
    let order = OrderPack {
        kind,
        size,
        operator: None,
        product: None,
        scratch,
        note: String::new(),
        key_check,
    };
    world.app.submit(&Actor::system("test"), Command::OrderPack(order)).await.unwrap().id
}

/// Tells of codes of a pack what became of them.
async fn mark(world: &World, pack: &str, (from, to): (u32, u32), state: SpanState, of: &str) {
    let is_bound = state == SpanState::Bound;
    let mark = MarkRange {
        pack: pack.into(),
        from,
        to,
        state,
        lot: is_bound.then(|| of.to_owned()),
        operator: None,
        reason: if is_bound { String::new() } else { of.into() },
    };
    world.app.submit(&Actor::system("test"), Command::MarkRange(mark)).await.unwrap();
}

fn code_of(world: &World, pack: u32, serial: u32) -> String {
    world.app.code_key.code(pack, serial).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_a_pack_says_how_it_stands_and_shows_no_lot() {
    let world = world().await;
    let pack = order(&world, PackKind::Unit, false).await;
    order(&world, PackKind::Paper, false).await;
    let [_, _, _, lot] = world.lot_of(cooperative()).await;
    mark(&world, &pack, (10, 19), SpanState::Bound, &lot).await;
    mark(&world, &pack, (20, 29), SpanState::Waste, "印错").await;
    mark(&world, &pack, (30, 39), SpanState::Void, "包装被盗").await;
    for (number, serial, status, words) in [
        (1, 1, "unbound", "此码已印制,尚未启用"),
        (2, 1, "blank", "空白合格证尚未录入"),
        (1, 10, "not_certified", "还没有合格证"),
        (1, 29, "waste", "已登记为损耗"),
        (1, 30, "void", "包装被盗"),
    ] {
        let code = code_of(&world, number, serial);
        let page = world.see(&format!("/t/{code}")).await;
        assert_eq!(page.status, 200, "{status}");
        let text = page.text();
        assert!(text.contains(words) && text.contains(&code::grouped(&code)), "{text}");
        assert!(!text.contains("湘莲") && !text.contains("示例莲业"), "{text}");
        let json = world.see(&format!("/t/{code}.json")).await.expect(200);
        assert_eq!((&json["status"], &json["code"]), (&json!(status), &json!(code)));
        assert_eq!(json["reason"].is_string(), status == "void", "{json}");
        world.app.flush_scans().await;
        let counted = world.get(&format!("/codes/{code}")).await.expect(200);
        assert_eq!(counted["scans"], 2, "{status}");
    }
    policy(&world, true, false).await;
    let void = world.see(&format!("/t/{}", code_of(&world, 1, 30))).await.text();
    assert!(void.contains("此码已作废") && !void.contains("包装被盗"), "{void}");
    let none = world.see(&format!("/t/{}", code_of(&world, 1, 1_001))).await;
    assert_eq!(none.status, 404, "the pack has no such code");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_code_shows_its_own_lot_until_it_is_void() {
    let world = world().await;
    let pack = order(&world, PackKind::Unit, false).await;
    let [operator, _, _, lot] = world.lot_of(cooperative()).await;
    mark(&world, &pack, (10, 19), SpanState::Bound, &lot).await;
    world.test_of(&lot).await;
    let certificate = world.certificate_of(&operator, &lot).await;
    let no = world.get(&format!("/lots/{lot}")).await.expect(200)["no"].clone();

    let code = code_of(&world, 1, 15);
    let path = format!("/t/{code}");
    let page = world.see(&path).await.text();
    let canonical = format!("<link rel=\"canonical\" href=\"https://ty.example.test/t/{code}\">");
    for one in ["真实有效", no.as_str().unwrap(), &canonical, &code::grouped(&code)] {
        assert!(page.contains(one), "{one} in {page}");
    }
    assert!(!page.contains(&code::grouped(&certificate)), "{page}");
    assert!(!page.contains(&format!("/t/{code}/label.svg")), "{page}");
    assert!(page.contains("已扫 1 次") && !page.contains("/scratch"), "{page}");
    world.see(&format!("/t/{certificate}")).await;
    world.app.flush_scans().await;
    // Its scans are its own, also after they were written.
    let page = world.see(&path).await.text();
    assert!(page.contains("已扫 2 次"), "{page}");
    let counted = world.get(&format!("/codes/{code}")).await.expect(200);
    assert_eq!((&counted["certificate"], &counted["lot"]), (&json!(certificate), &json!(lot)));
    assert_eq!(counted["unit"]["serial"], 15);
    assert_eq!(world.see(&format!("{path}/label.svg")).await.status, 404);

    world.post(&format!("/certificates/{certificate}/void"), json!({ "reason": "重开" })).await;
    assert!(world.see(&path).await.text().contains("已作废"), "as the certificate of its lot");
    mark(&world, &pack, (15, 15), SpanState::Void, "标签被盗").await;
    let page = world.see(&path).await.text();
    assert!(page.contains("标签被盗") && !page.contains(no.as_str().unwrap()), "{page}");
}

fn typed(code: &str, number: &str) -> Request<Body> {
    let mut request = Request::post(format!("/t/{code}/scratch"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!("number={number}")))
        .unwrap();
    let peer: SocketAddr = VISITOR.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

/// A certified lot with the first hundred codes of a pack with scratch layers.
async fn scratched() -> World {
    let world = world().await;
    let pack = order(&world, PackKind::Unit, true).await;
    let [operator, _, _, lot] = world.lot_of(cooperative()).await;
    mark(&world, &pack, (1, 100), SpanState::Bound, &lot).await;
    world.test_of(&lot).await;
    world.certificate_of(&operator, &lot).await;
    world
}

/// A number that is not the one beside the code.
fn wrong(world: &World, code: &str) -> String {
    let pin = world.app.code_key.pin(code);
    let last = if pin.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &pin[..pin.len() - 1])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_to_scratch_is_told_so_and_the_second_is_warned() {
    let world = scratched().await;
    let code = code_of(&world, 1, 7);
    let pin = world.app.code_key.pin(&code);
    let page = world.see(&format!("/t/{code}")).await;
    assert!(page.text().contains(&format!("href=\"/t/{code}/scratch\"")), "{}", page.text());
    assert!(page.header("content-security-policy").contains("form-action 'none'"));
    let form = world.see(&format!("/t/{code}/scratch")).await;
    assert_eq!(form.status, 200);
    assert!(form.text().contains("name=\"number\"") && !form.text().contains("public."));
    assert!(form.header("content-security-policy").contains("form-action 'self'"));

    let short = world.send(typed(&code, "12345")).await;
    assert!(short.status == 422 && short.text().contains("6 位数字"), "{}", short.text());
    let missed = world.send(typed(&code, &wrong(&world, &code))).await;
    assert!(missed.status == 422 && missed.text().contains("验证码不对"), "{}", missed.text());
    let first = world.send(typed(&code, &pin)).await;
    assert!(first.status == 200 && first.text().contains("第一次验证"), "{}", first.text());
    let again = world.send(typed(&code.to_lowercase(), &format!("{}+{}", &pin[..3], &pin[3..])));
    let again = again.await;
    assert!(again.status == 200 && again.text().contains("已于 "), "{}", again.text());
    assert!(!again.text().contains("第一次验证"));
    let record = world.get(&format!("/codes/{code}")).await.expect(200);
    assert!(record["scratched_at"].is_string(), "{record}");

    let certificate = world.get(&format!("/codes/{code}")).await.expect(200)["certificate"].clone();
    let own = world.see(&format!("/t/{}/scratch", certificate.as_str().unwrap())).await;
    assert_eq!(own.status, 404, "a certificate's own code has no layer");
    assert_eq!(world.see(&format!("/t/{}/scratch", code_of(&world, 1, 101))).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_not_to_be_guessed() {
    let world = scratched().await;
    let code = code_of(&world, 1, 1);
    for _ in 0..5 {
        assert_eq!(world.send(typed(&code, &wrong(&world, &code))).await.status, 422);
    }
    // Not even the right one is looked at any more.
    let pin = world.app.code_key.pin(&code);
    let spent = world.send(typed(&code, &pin)).await;
    assert!(spent.status == 429 && spent.text().contains("输错的次数太多"), "{}", spent.text());
    assert!(spent.header("retry-after").parse::<u64>().unwrap() > 3_000);
    // Right ones cost nothing.
    let other = code_of(&world, 1, 2);
    for _ in 0..6 {
        let right = world.send(typed(&other, &world.app.code_key.pin(&other))).await;
        assert_eq!(right.status, 200, "{}", right.text());
    }
    for serial in 3..6 {
        let code = code_of(&world, 1, serial);
        for _ in 0..5 {
            assert_eq!(world.send(typed(&code, &wrong(&world, &code))).await.status, 422);
        }
    }
    let other = code_of(&world, 1, 6);
    let spent = world.send(typed(&other, &world.app.code_key.pin(&other))).await;
    assert_eq!(spent.status, 429, "twenty wrong ones of one visitor");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_many_codes_learns_of_none() {
    let world = world().await;
    let code = certified(&world).await;
    let mut misses = 0_u64;
    for seed in 0..200 {
        let unknown = code::draw(&mut SeededRandom(seed));
        if world.see(&format!("/t/{unknown}")).await.status == 429 {
            break;
        }
        misses += 1;
    }
    assert!((30..200).contains(&misses), "{misses}");
    let spent = world.see(&format!("/t/{code}")).await;
    assert!(spent.status == 429 && spent.text().contains("查得太快了"), "{}", spent.text());
    let json = world.see(&format!("/t/{code}.json")).await;
    assert_eq!(json.problem(), (429, "rate_limited".into()));
    let mut other = Request::get(format!("/t/{code}")).body(Body::empty()).unwrap();
    let peer: SocketAddr = "203.0.113.8:1".parse().unwrap();
    other.extensions_mut().insert(ConnectInfo(peer));
    assert_eq!(world.send(other).await.status, 200);
    let metrics = world.see("/metrics").await.text();
    assert!(metrics.contains(&format!("tianyin_scan_misses_total {misses}\n")), "{metrics}");
}
