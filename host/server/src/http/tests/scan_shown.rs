//! Showing a certificate on line (亮证, R-047): the badge and the frame tell the truth of this moment.

use tianyin_domain::code;
use tianyin_domain::id::SeededRandom;

use super::*;

async fn certified(world: &World) -> [String; 2] {
    let [operator, _, _, lot] = world.lot_of(cooperative()).await;
    world.test_of(&lot).await;
    [world.certificate_of(&operator, &lot).await, lot]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_badge_tells_how_the_code_stands() {
    let world = world().await;
    let [code, lot] = certified(&world).await;
    let path = format!("/t/{code}/badge.svg");
    let badge = world.see(&path).await;
    assert_eq!((badge.status.as_u16(), badge.header("content-type")), (200, "image/svg+xml"));
    assert_eq!(badge.header("cache-control"), "public, max-age=2");
    assert_eq!(badge.header("cross-origin-resource-policy"), "cross-origin");
    let text = badge.text();
    let shown = ["真实有效", "承诺达标合格证", "湘潭湘莲(干莲)", "湘潭县", "#1f6b4a"];
    for one in shown.into_iter().chain([code::grouped(&code).as_str()]) {
        assert!(text.contains(one), "{one} in {text}");
    }
    assert!(text.starts_with("<svg ") && !text.contains("http://ty") && !text.contains("<style"));
    let english = world.see(&format!("{path}?lang=en")).await.text();
    assert!(english.contains("Genuine") && english.contains("Commitment certificate"), "{english}");

    world.post(&format!("/lots/{lot}/hold"), json!({ "reason": "抽检" })).await.expect(201);
    let held = world.see(&path).await.text();
    assert!(held.contains("暂停销售") && held.contains("#7d5200"), "{held}");
    assert!(!held.contains("真实有效"));
    let void = json!({ "reason": "数量填错" });
    world.post(&format!("/certificates/{code}/void"), void).await.expect(201);
    let void = world.see(&path).await.text();
    assert!(void.contains("已作废") && void.contains("#a52c1a"), "{void}");
    assert!(!void.contains("真实有效") && !void.contains("暂停销售"));

    // A forged code is told as such in the shop that shows it, and looking at badges is no scan.
    let forged = code::draw(&mut SeededRandom(7));
    for wrong in [forged.as_str(), "HELLO", "%3Cscript%3E"] {
        let badge = world.see(&format!("/t/{wrong}/badge.svg")).await;
        assert_eq!((badge.status.as_u16(), badge.header("content-type")), (404, "image/svg+xml"));
        assert!(badge.text().contains("查无此码"), "{}", badge.text());
    }
    assert_eq!(world.get(&format!("/codes/{code}")).await.expect(200)["scans"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_frame_may_be_framed_and_has_a_code_to_scan() {
    let world = world().await;
    let [code, _] = certified(&world).await;
    let path = format!("/t/{code}/embed");
    let page = world.see(&path).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("frame-ancestors *") && policy.contains("default-src 'none'"),
        "{policy}"
    );
    assert_eq!(
        (page.header("x-frame-options"), page.header("cache-control")),
        ("", "public, max-age=2")
    );
    let text = page.text();
    let shown = [
        "真实有效",
        "湘潭湘莲(干莲)",
        "示例莲业专业合作社",
        "湘潭县",
        "扫码核验",
        "<path d=\"M",
        // A stream goes on for hours.
        "http-equiv=\"refresh\" content=\"60\"",
    ];
    for one in shown.into_iter().chain([code::grouped(&code).as_str()]) {
        assert!(text.contains(one), "{one} in {text}");
    }
    assert!(!text.contains("<script") && !text.contains("class=\"live\"") && text.len() < 12 << 10);
    let live = world.see(&format!("{path}?size=live")).await.text();
    assert!(live.contains("class=\"live\""), "{live}");
    // Only this page may stand in others.
    let scan = world.see(&format!("/t/{code}")).await;
    assert!(scan.header("content-security-policy").contains("frame-ancestors 'none'"));

    let void = json!({ "reason": "数量填错" });
    world.post(&format!("/certificates/{code}/void"), void).await.expect(201);
    let void = world.see(&path).await.text();
    assert!(
        void.contains("已作废") && void.contains("class=\"void\"") && !void.contains("真实有效")
    );
    let wrong = world.see("/t/HELLO/embed").await;
    assert_eq!(wrong.status, 404);
    assert!(wrong.text().contains("查无此码") && !wrong.text().contains("<figure"));
}
