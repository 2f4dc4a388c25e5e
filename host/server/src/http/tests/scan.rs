//! The scan page in each of its states.

use base64::Engine as _;
use sha2::Digest as _;
use tianyin_domain::code;
use tianyin_domain::id::SeededRandom;

use super::*;

/// A page must stay below this, compressed or not.
const PAGE_BYTES_MAX: usize = 30 * 1024;

pub(super) fn assert_strict(page: &Reply) {
    let text = page.text();
    assert!(text.len() < PAGE_BYTES_MAX, "{} bytes", text.len());
    assert!(!text.contains("<script") && !text.contains(" style=") && !text.contains("onclick"));
    assert!(!text.contains("public."), "a text is missing: {text}");
    let (_, rest) = text.split_once("<style>").unwrap();
    let (style, _) = rest.split_once("</style>").unwrap();
    let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(style));
    let policy = page.header("content-security-policy");
    assert!(policy.contains(&format!("'sha256-{hash}'")), "{policy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_code_shows_certificate_trace_and_test() {
    let world = world().await;
    let [operator, site, product, lot] = world.lot_of(cooperative()).await;
    let input = json!({
        "name": "示例辛硫磷", "kind": "pesticide", "substances": ["辛硫磷"],
        "uses": [{ "crop": "莲", "interval_days": 14 }],
    });
    let input = world.make("/inputs", input).await;
    let treated = json!({
        "site": site, "product": product, "kind": "treatment", "date": "2026-03-01",
        "input": input, "dose": "20 克/亩", "note": "手机 13900000000",
    });
    world.make("/activities", treated).await;
    world.test_of(&lot).await;
    let code = world.certificate_of(&operator, &lot).await;

    let page = world.see(&format!("/t/{code}")).await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert_strict(&page);
    let text = page.text();
    let shown = [
        "真实有效",
        "湘潭湘莲(干莲)",
        "示例莲业专业合作社",
        "500 公斤",
        "委托检测合格",
        "使用的常规农药、兽药残留不超标",
        "示例辛硫磷",
        "2026-03-15",
        "16.54 %",
        "限值 50 %",
        "GB/T 5009.199-2003",
        "已扫 1 次",
        "<svg class=\"meter\"",
        &code::grouped(&code),
    ];
    for one in shown {
        assert!(text.contains(one), "{one} in {text}");
    }
    assert!(
        text.contains(&format!(
            "<link rel=\"canonical\" href=\"https://ty.example.test/t/{code}\">"
        ))
    );
    // Remarks are free text and may hold anything.
    assert!(!text.contains("13900000000"));

    // Lower case and groups are the same code; the QR's path is upper case.
    for path in [
        format!("/t/{}", code.to_lowercase()),
        format!("/T/{code}"),
        format!("/t/{}", code::grouped(&code)),
    ] {
        assert_eq!(world.see(&path).await.status, 200, "{path}");
    }
    let json = world.see(&format!("/t/{code}.json")).await.expect(200);
    assert_eq!(json["status"], "valid");
    assert_eq!(json["tests"][0]["limit"]["num"], "50");
    assert!(json["certificate"]["proof"].as_str().unwrap().starts_with("TY1."));

    let label = world.see(&format!("/t/{code}/label.svg")).await;
    assert_eq!((label.status.as_u16(), label.header("content-type")), (200, "image/svg+xml"));
    assert!(label.text().contains("width=\"60mm\""), "the design where nobody made another");
    let design = json!({ "size": "70x50", "fields": ["product", "producer"] });
    let template = json!({ "name": "礼盒", "product": product, "design": design });
    world.make("/label_templates", template).await;
    let label = world.see(&format!("/t/{code}/label.svg")).await.text();
    assert!(label.contains("width=\"70mm\" height=\"50mm\""), "as it is printed: {label}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_void_code_says_so_at_once() {
    let world = world().await;
    let [operator, _, _, lot] = world.lot_of(cooperative()).await;
    world.test_of(&lot).await;
    let code = world.certificate_of(&operator, &lot).await;
    assert!(world.see(&format!("/t/{code}")).await.text().contains("真实有效"));
    let void = json!({ "reason": "数量填错" });
    world.post(&format!("/certificates/{code}/void"), void).await.expect(201);
    let page = world.see(&format!("/t/{code}")).await;
    assert_eq!((page.status.as_u16(), page.header("cache-control")), (200, "no-store"));
    assert_strict(&page);
    let text = page.text();
    assert!(text.contains("已作废") && text.contains("数量填错") && text.contains(&today()));
    assert!(!text.contains("真实有效"));
    let json = world.see(&format!("/t/{code}.json")).await.expect(200);
    assert_eq!(json["status"], "void");
}

#[tokio::test(flavor = "multi_thread")]
async fn misses_are_told_apart() {
    let world = world().await;
    let unknown = code::draw(&mut SeededRandom(7));
    let mut mistyped = unknown.clone().into_bytes();
    mistyped[3] = if mistyped[3] == b'0' { b'1' } else { b'0' };
    let mistyped = String::from_utf8(mistyped).unwrap();
    let states = [
        (unknown.as_str(), "查无此码", "unknown"),
        (mistyped.as_str(), "码输错了", "mistyped"),
        ("HELLO", "这不是追溯码", "not_a_code"),
        ("%3Cscript%3E", "这不是追溯码", "not_a_code"),
    ];
    for (asked, title, code) in states {
        let page = world.see(&format!("/t/{asked}")).await;
        assert_eq!(page.status, 404, "{asked}");
        assert_strict(&page);
        assert!(page.text().contains(title), "{}", page.text());
        let json = world.see(&format!("/t/{asked}.json")).await;
        assert_eq!(json.problem(), (404, code.into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_is_shown() {
    let world = world().await;
    let [operator, _, _, lot] = world.lot_of(farmer()).await;
    world.test_of(&lot).await;
    let code = world.certificate_of(&operator, &lot).await;
    for path in [format!("/t/{code}"), format!("/t/{code}.json")] {
        let text = world.see(&path).await.text();
        assert!(text.contains("张**") && text.contains("138****5678"), "{text}");
        for secret in ["张示例", "13812345678", "日华村", "12 号"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_is_a_scan_and_asking_for_the_head_is_not() {
    let world = world().await;
    let [operator, _, _, lot] = world.lot_of(cooperative()).await;
    world.test_of(&lot).await;
    let code = world.certificate_of(&operator, &lot).await;
    let path = format!("/t/{code}");
    let head = world.visit(Method::HEAD, &path, &[]).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    world.see(&path).await;
    world.see(&path).await;
    let counted = world.get(&format!("/codes/{code}")).await.expect(200);
    assert_eq!(counted["scans"], 2);
    assert!(counted["first_scan_at"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_page_is_the_same_page() {
    use std::io::Read as _;
    let world = world().await;
    let [operator, _, _, lot] = world.lot_of(cooperative()).await;
    world.test_of(&lot).await;
    let code = world.certificate_of(&operator, &lot).await;
    let path = format!("/t/{code}");
    let small = world.visit(Method::GET, &path, &[("accept-encoding", "gzip, br")]).await;
    assert_eq!(small.header("content-encoding"), "gzip");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&small.body[..]).read_to_string(&mut text).unwrap();
    let plain = world.visit(Method::GET, &path, &[]).await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"));
    assert_eq!(
        text.replace("已扫 1 次", ""),
        plain.text().replace("已扫 1 次", "").replace("已扫 2 次", "")
    );
    assert!(small.body.len() < plain.body.len() / 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_much_waits() {
    let world = world().await;
    let mut last = world.see("/t/HELLO").await;
    for _ in 0..200 {
        if last.status == 429 {
            break;
        }
        last = world.see("/t/HELLO").await;
    }
    assert_eq!(last.status, 429);
    assert!(last.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert!(last.text().contains("查得太快了"));
    assert_strict(&last);
    let json = world.see("/t/HELLO.json").await;
    assert_eq!(json.problem(), (429, "rate_limited".into()));
    // The others are not kept waiting, and neither is the rest of the appliance.
    let mut other = Request::get("/t/HELLO").body(Body::empty()).unwrap();
    let peer: SocketAddr = "203.0.113.8:1".parse().unwrap();
    other.extensions_mut().insert(ConnectInfo(peer));
    assert_eq!(world.send(other).await.status, 404);
    assert_eq!(world.see("/healthz").await.status, 200);
}
