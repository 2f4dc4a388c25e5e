//! The scan page with everything on it, in both languages, small, and gone from it at once what ended.

use tianyin_domain::code;
use tianyin_domain::feedback::{FeedbackKind, LeaveFeedback};

use super::scan::assert_strict;
use super::*;
use crate::http::public::{Home, picture_bytes, pictures_of, whole_json, whole_page};
use crate::texts::Lang;

/// A picture as a camera wrote it, each another.
fn photo(n: u8) -> Vec<u8> {
    let head = b"\xff\xd8\xff\xe1\0\x0cGPS 112.94\xff\xda\0\x02".as_slice();
    [head, &[n; 40]].concat()
}

impl World {
    /// Uploads a file; what a record says of it.
    pub(super) async fn attached(&self, content: &[u8]) -> Value {
        let request = Request::post("/api/v1/blobs")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "image/jpeg")
            .header(header::CONTENT_LENGTH, content.len());
        let blob = self.send(request.body(Body::from(content.to_vec())).unwrap()).await;
        let blob = blob.expect(200);
        json!({
            "hash": blob["hash"], "kind": blob["kind"], "bytes": blob["bytes"], "name": "a.jpg",
        })
    }

    /// Somebody rates what carries the code, and a clerk lets everybody read it.
    async fn rated(&self, code: &str, stars: u8, text: &str, reply: &str) -> String {
        let said = LeaveFeedback {
            code: code.into(),
            kind: FeedbackKind::Rating,
            stars: Some(stars),
            text: text.into(),
            place: String::new(),
        };
        let id = self.app.leave_feedback(said).await.unwrap().id;
        let shown = json!({ "status": "shown", "reply": reply });
        self.post(&format!("/feedback/{id}/moderate"), shown).await.expect(201);
        id
    }
}

/// What belongs to a certificate with everything.
pub(super) struct Whole {
    pub code: String,
    pub lot: String,
    pub certification: String,
    pub brand: String,
    pub shop: String,
    pub pictures: Vec<String>,
    pub paper: String,
}

/// Certificate, 10 records, 2 steps, 5 tests, 3 certifications, a brand with pictures, 2 shops, 5 ratings.
pub(super) async fn whole(world: &World) -> Whole {
    let [operator, site, product, lot] = world.lot_of(cooperative()).await;
    for day in 1..=10 {
        let kind = if day % 2 == 0 { "irrigation" } else { "fertilising" };
        let record = json!({
            "site": site, "product": product, "kind": kind, "date": format!("2026-03-{day:02}"),
            "dose": "有机肥 400 公斤/亩",
        });
        world.make("/activities", record).await;
    }
    for _ in 0..5 {
        world.test_of(&lot).await;
    }
    let code = world.certificate_of(&operator, &lot).await;
    let stored = json!({
        "kind": "store", "date": today(), "inputs": [{ "lot": lot, "quantity": "20" }],
        "place": "花石冷库",
    });
    world.make("/steps", stored).await;
    let shipped = json!({
        "kind": "ship", "date": today(), "inputs": [{ "lot": lot, "quantity": "37" }],
        "buyer": { "name": "李某某", "place": "长沙红星市场" },
    });
    world.make("/steps", shipped).await;
    let mut certification = String::new();
    for (kind, number) in [("quality_system", "QS-3"), ("gi", "AGI-2"), ("green", "LB-1")] {
        let one = json!({
            "operator": operator, "kind": kind, "number": number, "issuer": "示例认证中心",
            "valid_from": "2026-01-01", "valid_to": "2099-12-31",
        });
        certification = world.make("/certifications", one).await;
    }
    let mut attachments = Vec::new();
    for n in 1..=5 {
        attachments.push(world.attached(&photo(n)).await);
    }
    attachments.push(world.attached(b"%PDF-1.7 trade mark").await);
    let hash = |one: &Value| one["hash"].as_str().unwrap().to_owned();
    let pictures = attachments[..4].iter().map(hash).collect();
    let paper = hash(&attachments[5]);
    let brand = json!({
        "name": "湘潭湘莲", "kind": "regional", "owner_name": "湘莲协会", "area": "430321",
        "about": "三千年种莲,粒大粉糯。", "since": "1995-03-01", "attachments": attachments,
    });
    let brand = world.make("/brands", brand).await;
    let licence = json!({ "brand": brand, "operator": operator, "valid_from": "2026-01-01" });
    world.make("/brand_licences", licence).await;
    let mut shop = String::new();
    for url in
        ["https://shop.example.cn/7?a=1&b=2", "http://plain.example.cn/7", "https://b.example.cn"]
    {
        let link = json!({ "product": product, "platform": "供销商城", "url": url });
        shop = world.make("/shop_links", link).await;
    }
    for n in 1..=5 {
        world.rated(&code, 4, &format!("第{n}次买,很甜<b>"), "谢谢").await;
    }
    Whole { code, lot, certification, brand, shop, pictures, paper }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_on_the_page_and_it_stays_small() {
    let world = world().await;
    let all = whole(&world).await;
    let page = world.see(&format!("/t/{}", all.code)).await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert_strict(&page);
    let text = page.text();
    let code = &all.code;
    let shown = [
        "<html lang=\"zh-CN\">",
        "真实有效",
        // The chain: eight lines stand open, the other five are folded.
        "更早的 5 条记录",
        "贮存 · <span>花石冷库</span>",
        "销售出库 · <span>长沙红星市场</span>",
        // Tests: four stand open.
        "更早的 1 次检测",
        "<b>绿色食品</b> <span class=\"code\">LB-1</span>",
        "质量管理体系认证",
        "示例认证中心</span> · 有效期至 2099-12-31",
        "<b>湘潭湘莲</b> <small>区域公用品牌 · 始于 1995-03-01</small>",
        "三千年种莲,粒大粉糯。",
        "href=\"https://shop.example.cn/7?a=1&#38;b=2\" rel=\"nofollow noopener\"",
        "<small>shop.example.cn</small>",
        "4.0 分(满分 5 分)· 5 条",
        "aria-label=\"4 星,满分 5 星\">★★★★☆</span>",
        "第5次买,很甜&#60;b&#62;",
        "<b>答复</b><span>谢谢</span>",
        &format!("href=\"/t/{code}/feedback\""),
        &format!("href=\"/t/{code}/feedback?kind=fake\""),
        &format!("property=\"og:image\" content=\"https://ty.example.test/t/{code}/badge.svg\""),
        &format!("hreflang=\"en\" href=\"https://ty.example.test/t/{code}?lang=en\""),
        "src=\"data:image/svg+xml,",
    ];
    for one in shown {
        assert!(text.contains(one), "{one} in {text}");
    }
    // Neither who bought nor how much, nothing that is not encrypted, no papers, no fifth picture.
    for hidden in
        ["李某某", "37 公斤", "plain.example.cn", &all.paper, "湘莲协会", "target=", "fixed"]
    {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    assert_eq!(text.matches("<img src=\"/t/").count(), 4);
    for hash in &all.pictures {
        assert!(text.contains(&format!("src=\"/t/{code}/pictures/{hash}\"")), "{hash}");
    }
    let json = world.see(&format!("/t/{code}.json")).await.expect(200);
    assert_eq!(json["steps"][1]["place"], "长沙红星市场");
    assert_eq!(json["certifications"].as_array().unwrap().len(), 3);
    assert_eq!(json["brands"][0]["pictures"].as_array().unwrap().len(), 4);
    assert_eq!(json["shops"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&json["feedback"]["shown"], &json["feedback"]["stars_tenths"]),
        (&5.into(), &40.into())
    );
    assert!(!json.to_string().contains("李某某"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_very_long_story_is_cut_rather_than_the_page_made_large() {
    let world = world().await;
    let [operator, site, product, lot] = world.lot_of(cooperative()).await;
    for day in 1..=31 {
        let record = json!({
            "site": site, "product": product, "kind": "other", "date": format!("2026-03-{day:02}"),
        });
        world.make("/activities", record).await;
    }
    for _ in 0..12 {
        world.test_of(&lot).await;
    }
    let code = world.certificate_of(&operator, &lot).await;
    let about = "莲".repeat(500);
    for name in ["甲", "乙", "丙"] {
        let brand =
            json!({ "name": name, "kind": "enterprise", "owner": operator, "about": about });
        world.make("/brands", brand).await;
    }
    for n in 0..5 {
        let text = format!("{n}{}", "好".repeat(450));
        world.rated(&code, 5, &text, &"谢".repeat(180)).await;
    }
    for lang in ["zh", "en"] {
        let page = world.see(&format!("/t/{code}?lang={lang}")).await;
        assert_strict(&page);
        let text = page.text();
        assert!(text.contains("class=\"harvest\""), "the harvest is always there: {text}");
        assert!(text.contains("好好…") && text.contains("莲莲…"), "{text}");
        assert!(
            text.contains(if lang == "zh" { "另有 " } else { "more: see Data below" }),
            "{text}"
        );
    }
    let json = world.see(&format!("/t/{code}.json")).await.expect(200);
    assert_eq!(json["activities"].as_array().unwrap().len(), 31);
    assert_eq!(json["tests"].as_array().unwrap().len(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_english_page_says_the_same_and_keeps_the_wording() {
    let world = world().await;
    let all = whole(&world).await;
    let path = format!("/t/{}", all.code);
    // The browser's taste changes nothing: the label is Chinese.
    let taste = world.visit(Method::GET, &path, &[("accept-language", "en-US,en")]).await;
    assert!(taste.text().contains("<html lang=\"zh-CN\">"));
    let english = world.see(&format!("{path}?from=chat&lang=en")).await;
    assert_eq!(english.status, 200);
    assert_strict(&english);
    let text = english.text();
    let code = &all.code;
    let shown = [
        "<html lang=\"en\">",
        "Genuine",
        "我承诺生产销售的食用农产品 未使用禁用农药、兽药及其他化合物",
        "no banned pesticides",
        "Translation. The Chinese wording is the binding one.",
        "passed a commissioned test",
        "Irrigation",
        "Sold and shipped · <span lang=\"zh-CN\">长沙红星市场</span>",
        "Enzyme inhibition",
        "limit 50 %",
        "Green Food",
        "valid to 2099-12-31",
        "regional public brand",
        "Looked up 2 times",
        "Report a fake",
        &format!("<link rel=\"canonical\" href=\"https://ty.example.test/t/{code}?lang=en\">"),
        &format!("href=\"/t/{code}\" hreflang=\"zh-CN\" lang=\"zh-CN\">中文</a>"),
    ];
    for one in shown {
        assert!(text.contains(one), "{one} in {text}");
    }
    // Chinese is what is on record, nothing of the page's own.
    for left in ["真实有效", "追溯码", "检测结果", "举报假冒", "承诺依据", "查询"]
    {
        assert!(!text.contains(left), "{left} in {text}");
    }
    let chinese = world.see(&path).await.text();
    assert!(chinese.contains("已扫 3 次") && chinese.contains("?lang=en\" hreflang=\"en\""));
    // A code that shows nothing says so in the language, too.
    let wrong = world.see("/t/HELLO?lang=en").await;
    assert_eq!(wrong.status, 404);
    assert_strict(&wrong);
    assert!(wrong.text().contains("This is not a trace code"), "{}", wrong.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_is_gone_from_a_page_that_was_kept() {
    let world = world().await;
    let all = whole(&world).await;
    let path = format!("/t/{}", all.code);
    let end = |noun: &str, id: &str, verb: &str| format!("/{noun}/{id}/{verb}");
    let reason = || json!({ "reason": "到此为止" });
    let before = world.see(&path).await.text();
    for (word, address) in [
        ("https://b.example.cn", end("shop_links", &all.shop, "close")),
        ("LB-1", end("certifications", &all.certification, "end")),
        ("三千年种莲", end("brands", &all.brand, "close")),
    ] {
        assert!(before.contains(word) && world.see(&path).await.text().contains(word), "{word}");
        world.post(&address, reason()).await.expect(201);
        for path in [path.clone(), format!("{path}?lang=en")] {
            assert!(!world.see(&path).await.text().contains(word), "{word} on {path}");
        }
    }
    assert_eq!(pictures_of(&world.app, &all.code).unwrap(), Vec::<String>::new());
    let picture = format!("{path}/pictures/{}", all.pictures[0]);
    assert_eq!(world.see(&picture).await.status, 404, "a brand that does not count shows nothing");
    let hidden = world.rated(&all.code, 1, "不好", "").await;
    assert!(world.see(&path).await.text().contains("不好"));
    let hide = json!({ "status": "hidden", "reason": "辱骂" });
    world.post(&format!("/feedback/{hidden}/moderate"), hide).await.expect(201);
    assert!(!world.see(&path).await.text().contains("不好"));
    // An own brand comes to the page by itself.
    let operator = world.get(&format!("/lots/{}", all.lot)).await.expect(200)["operator"].clone();
    let own = json!({ "name": "花石莲", "kind": "enterprise", "owner": operator });
    world.make("/brands", own).await;
    assert!(world.see(&path).await.text().contains("花石莲"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_a_brand_go_out_bare_and_no_others() {
    let world = world().await;
    let all = whole(&world).await;
    let file = world.see(&format!("/t/{}/pictures/{}", all.code, all.pictures[0])).await;
    assert_eq!((file.status.as_u16(), file.header("content-type")), (200, "image/jpeg"));
    assert!(!file.text().contains("GPS"), "where it was taken went out");
    assert!(file.header("content-security-policy").contains("sandbox"));
    for other in [all.paper.as_str(), &"0".repeat(64), "..%2f..%2fkeys%2fvault.key"] {
        let file = world.see(&format!("/t/{}/pictures/{other}", all.code)).await;
        assert_eq!(file.status, 404, "{other}");
    }
    // Of another code nothing of it.
    let [operator, _, _, lot] = world.lot_of(farmer()).await;
    world.test_of(&lot).await;
    let other = world.certificate_of(&operator, &lot).await;
    let file = world.see(&format!("/t/{other}/pictures/{}", all.pictures[0])).await;
    assert_eq!(file.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_that_was_made_tells_its_way_and_a_persons_place_is_no_ones_business() {
    let world = world().await;
    for (operator, told) in [(cooperative(), true), (farmer(), false)] {
        let [operator, _, _, lot] = world.lot_of(operator).await;
        let split = json!({
            "kind": "split", "date": today(), "inputs": [{ "lot": lot, "quantity": "610" }],
            "outputs": [{ "quantity": "600" }], "place": "日华村 8 组晒场",
        });
        let split = world.post("/steps", split).await.expect(201);
        let part = split["outputs"][0]["lot"].as_str().unwrap().to_owned();
        world.test_of(&part).await;
        let code = world.certificate_of(&operator, &part).await;
        let text = world.see(&format!("/t/{code}")).await.text();
        assert!(text.contains("拆分") && text.contains("往前可追到 1 个采收批次"), "{text}");
        assert_eq!(text.contains("日华村 8 组晒场"), told, "{text}");
        let json = world.see(&format!("/t/{code}.json")).await.expect(200);
        assert_eq!(json["lot"]["sources"], json!({ "count": 1, "more": false }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mirror_has_the_same_page_with_files_beside_it() {
    let world = world().await;
    let all = whole(&world).await;
    let (app, code) = (&world.app, all.code.as_str());
    let chinese = whole_page(app, code, Lang::Zh, Home::Mirror).unwrap().unwrap();
    let english = whole_page(app, code, Lang::En, Home::Mirror).unwrap().unwrap();
    let key = "href=\"../../keys/county.pem\"".to_owned();
    let files = [key, format!("href=\"../{code}.json\""), "href=\"label.svg\"".into()];
    for page in [&chinese, &english] {
        assert!(page.len() < 30 * 1024 && page.trim_end().ends_with("</html>"), "{}", page.len());
        for one in &files {
            assert!(page.contains(one), "{one} in {page}");
        }
        for hash in &all.pictures {
            assert!(page.contains(&format!("src=\"pictures/{hash}\"")), "{page}");
        }
        // Nothing that only the appliance answers, no count that is never renewed.
        for left in ["\"/t/", "\"/keys", "feedback", "badge.svg", "已扫", "Looked up"] {
            assert!(!page.contains(left), "{left} in {page}");
        }
        assert!(page.contains("http-equiv=\"Content-Security-Policy\""), "{page}");
    }
    assert!(chinese.contains("href=\"en.html\"") && english.contains("href=\"./\""));
    assert!(chinese.contains("查询次数由湘潭县") && chinese.contains("第5次买"));
    assert_eq!(pictures_of(app, code).unwrap(), all.pictures);
    let (bytes, media) = picture_bytes(app, code, &all.pictures[0]).unwrap().unwrap();
    assert_eq!((bytes.starts_with(b"\xff\xd8"), media), (true, "image/jpeg"));
    assert!(picture_bytes(app, code, &all.paper).unwrap().is_none());
    let json: Value = serde_json::from_slice(&whole_json(app, code).unwrap().unwrap()).unwrap();
    assert_eq!((&json["status"], json.get("scans")), (&"valid".into(), None));
    let again = whole_json(app, code).unwrap().unwrap();
    world.see(&format!("/t/{code}")).await;
    assert_eq!(whole_json(app, code).unwrap().unwrap(), again, "a scan changes no file");
    let none = code::draw(&mut tianyin_domain::id::SeededRandom(7));
    assert!(whole_page(app, &none, Lang::Zh, Home::Mirror).unwrap().is_none());
    assert!(
        whole_json(app, &none).unwrap().is_none() && pictures_of(app, &none).unwrap().is_empty()
    );
}
