//! What the public says: the form of a code, what comes of it, and what everybody may read of it.

use base64::Engine as _;
use sha2::Digest as _;
use tianyin_domain::code;
use tianyin_domain::feedback::reference_of;
use tianyin_domain::id::SeededRandom;

use super::*;

/// The code of a certificate, and its product.
async fn certified(world: &World) -> (String, String) {
    let [operator, _, product, lot] = world.lot_of(cooperative()).await;
    world.test_of(&lot).await;
    (world.certificate_of(&operator, &lot).await, product)
}

fn form(code: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let encoded = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
    let pairs: Vec<String> = fields.iter().map(|(k, v)| format!("{k}={}", encoded(v))).collect();
    let mut request = Request::post(format!("/t/{code}/feedback"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(pairs.join("&")))
        .unwrap();
    let peer: SocketAddr = VISITOR.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

async fn say(world: &World, code: &str, fields: &[(&str, &str)]) -> Reply {
    world.send(form(code, fields)).await
}

async fn waiting(world: &World) -> Vec<Value> {
    let list = world.get("/feedback?status=waiting").await.expect(200);
    list["items"].as_array().unwrap().clone()
}

fn assert_plain(page: &Reply) {
    let text = page.text();
    assert!(text.len() < 30 * 1024, "{} bytes", text.len());
    assert!(!text.contains("<script") && !text.contains(" style="), "{text}");
    assert!(!text.contains("public."), "a text is missing: {text}");
    let (_, rest) = text.split_once("<style>").unwrap();
    let (style, _) = rest.split_once("</style>").unwrap();
    let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(style));
    let policy = page.header("content-security-policy");
    assert!(policy.contains(&format!("'sha256-{hash}'")), "{policy}");
    assert!(policy.contains("form-action 'self'") && !policy.contains("script"), "{policy}");
    assert_eq!(page.header("cache-control"), "no-store");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rating_goes_through_a_clerk_to_everybody() {
    let world = world().await;
    let (code, product) = certified(&world).await;
    let page = world.see(&format!("/t/{code}/feedback")).await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert_plain(&page);
    let text = page.text();
    assert!(text.contains("湘潭湘莲(干莲)") && text.contains("name=\"stars\""), "{text}");
    assert!(text.contains("12345"), "who wants an answer is told whom to call");

    let said = [("kind", "rating"), ("stars", "4"), ("text", "很甜\r\n<b>"), ("place", "易俗河")];
    let done = say(&world, &code, &said).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_plain(&done);
    let items = waiting(&world).await;
    assert_eq!(items.len(), 1);
    let item = &items[0];
    assert_eq!((&item["kind"], &item["stars"]), (&json!("rating"), &json!(4)));
    assert_eq!((&item["text"], &item["place"]), (&json!("很甜\n<b>"), &json!("易俗河")));
    assert_eq!((&item["code"], &item["product"]), (&json!(code), &json!(product)));
    let id = item["id"].as_str().unwrap();
    assert!(done.text().contains(&code::grouped(reference_of(id))), "{}", done.text());
    // Pressed twice, it is the same.
    let again = say(&world, &code, &said).await;
    assert!(again.text().contains(&code::grouped(reference_of(id))));
    assert_eq!(waiting(&world).await.len(), 1);

    assert_eq!(world.app.public_feedback(&product).unwrap().shown, 0, "nobody let it through");
    let shown = json!({ "status": "shown", "reply": "谢谢" });
    world.post(&format!("/feedback/{id}/moderate"), shown).await.expect(201);
    let public = world.app.public_feedback(&product).unwrap();
    assert_eq!((public.shown, public.stars_tenths, public.items.len()), (1, Some(40), 1));
    let one = &public.items[0];
    assert_eq!((one.stars, one.text.as_str(), one.reply.as_str()), (4, "很甜\n<b>", "谢谢"));
    let hidden = json!({ "status": "hidden", "reason": "广告" });
    world.post(&format!("/feedback/{id}/moderate"), hidden).await.expect(201);
    let public = world.app.public_feedback(&product).unwrap();
    assert_eq!((public.shown, public.stars_tenths, public.items.len()), (0, None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_a_fake_is_for_the_county_alone() {
    let world = world().await;
    let (code, product) = certified(&world).await;
    let page = world.see(&format!("/t/{code}/feedback?kind=fake")).await.text();
    assert!(page.contains("name=\"kind\" value=\"fake\"") && !page.contains("name=\"stars\""));
    let said = [("kind", "fake"), ("text", "印刷模糊")];
    assert_eq!(say(&world, &code, &said).await.status, 200);
    let items = world.get("/feedback?kind=fake").await.expect(200);
    let id = items["items"][0]["id"].as_str().unwrap().to_owned();
    let shown = json!({ "status": "shown" });
    let refused = world.post(&format!("/feedback/{id}/moderate"), shown).await;
    assert_eq!(refused.problem(), (409, "feedback_is_no_rating".into()));
    let outcome = json!({ "outcome": "已核实" });
    let closed = world.post(&format!("/feedback/{id}/close"), outcome).await.expect(201);
    assert_eq!((&closed["status"], &closed["outcome"]), (&json!("closed"), &json!("已核实")));
    assert_eq!(world.app.public_feedback(&product).unwrap().shown, 0);
    assert_eq!(waiting(&world).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_is_kept_and_every_fault_is_told_beside_its_field() {
    let world = world().await;
    let (code, _) = certified(&world).await;
    let long = "远".repeat(65);
    let bad = say(&world, &code, &[("kind", "complaint"), ("text", " "), ("place", &long)]).await;
    assert_eq!(bad.status, 422);
    assert_plain(&bad);
    let text = bad.text();
    for kept in [long.as_str(), "id=\"e-text\">必填。", "id=\"e-place\">太长了,最多 64 个字。"]
    {
        assert!(text.contains(kept), "{kept} in {text}");
    }
    assert!(text.contains("name=\"kind\" value=\"complaint\""));
    let none = say(&world, &code, &[("kind", "rating"), ("text", "<b>\"好\"")]).await;
    assert_eq!(none.status, 422);
    assert!(none.text().contains("id=\"e-stars\">必填。") && !none.text().contains("<b>\"好"));
    // Machines fill in everything.
    let fields = [("kind", "fake"), ("text", "假的"), ("memo", "https://spam.test")];
    let trapped = say(&world, &code, &fields).await;
    assert_eq!(trapped.status, 422);
    assert!(trapped.text().contains("假的") && trapped.text().contains("清空"));
    assert_eq!(waiting(&world).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_codes_that_were_given_out_have_a_form() {
    let world = world().await;
    let unknown = code::draw(&mut SeededRandom(7));
    for (asked, title) in [(unknown.as_str(), "查无此码"), ("HELLO", "这不是追溯码")] {
        let page = world.see(&format!("/t/{asked}/feedback")).await;
        assert_eq!(page.status, 404, "{asked}");
        assert!(page.text().contains(title) && !page.text().contains("<form"));
        let said = say(&world, asked, &[("kind", "fake"), ("text", "假的")]).await;
        assert_eq!(said.status, 404, "{asked}");
    }
    assert_eq!(waiting(&world).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_form_too_large_or_from_elsewhere_is_refused() {
    let world = world().await;
    let (code, _) = certified(&world).await;
    let large = say(&world, &code, &[("kind", "fake"), ("text", &"假".repeat(4000))]).await;
    assert_eq!(large.status, 413);
    assert!(large.text().contains("16 KiB"), "{}", large.text());
    let (mut parts, _) = form(&code, &[]).into_parts();
    parts.headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    let json = world.send(Request::from_parts(parts, Body::from("{}"))).await;
    assert_eq!(json.status, 400);
    let mut elsewhere = form(&code, &[("kind", "fake"), ("text", "假的")]);
    elsewhere.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(world.send(elsewhere).await.status, 403);
    assert_eq!(waiting(&world).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_too_much_waits_and_loses_nothing() {
    let world = world().await;
    let (code, _) = certified(&world).await;
    for n in 0..6 {
        let text = format!("第 {n} 次");
        let said = say(&world, &code, &[("kind", "fake"), ("text", &text)]).await;
        assert_eq!(said.status, 200, "{}", said.text());
    }
    let waits = say(&world, &code, &[("kind", "fake"), ("text", "第七次")]).await;
    assert_eq!(waits.status, 429);
    assert!(waits.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_plain(&waits);
    assert!(waits.text().contains("第七次"), "what was typed is kept");
    assert_eq!(waiting(&world).await.len(), 6);
    let mut other = form(&code, &[("kind", "fake"), ("text", "第七次")]);
    let peer: SocketAddr = "203.0.113.8:1".parse().unwrap();
    other.extensions_mut().insert(ConnectInfo(peer));
    assert_eq!(world.send(other).await.status, 200, "others are not kept waiting");
}
