//! Label templates on the pages: drawn while they are edited, chosen for certificates, on sheets.

use axum::http::{StatusCode, header};
use tianyin_domain::State;
use tianyin_domain::certificate::Certificate;
use tianyin_domain::label_template::{LabelDesign, LabelSize, LabelTemplate};

use super::super::session::encode;
use super::{World, everything, world};
use crate::texts::t;

const PICTURE: &str = "src=\"data:image/png;base64,";

fn on_record(world: &World, page: &str) -> Certificate {
    let state: &dyn State = &world.app.store;
    state.get(page.rsplit('/').next().unwrap()).unwrap().unwrap()
}

/// A form for a product; without one, for the whole county.
fn form<'a>(product: &'a str, name: &'a str, size: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("product", product),
        ("name", name),
        ("size", size),
        ("line_1", "product"),
        ("line_2", ""),
        ("line_3", "producer"),
    ]
}

fn query(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    format!("/label-templates/preview?{}", pairs.join("&"))
}

/// What a sentence of the catalogue says after its last placeholder.
fn end_of(key: &str) -> &str {
    t(key).rsplit('}').next().unwrap()
}

#[tokio::test]
async fn a_design_is_seen_while_it_is_edited() {
    let world = world().await;
    let admin = world.browser("admin").await;
    // Without any certificate there are placeholders.
    let page = admin.see("/label-templates/new").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert_eq!(page.text.matches(PICTURE).count(), 2, "203 and 300 dpi");
    assert!(page.text.contains("name=\"line_7\"") && page.text.contains("203 dpi"));

    let made = everything(&admin).await;
    let product = on_record(&world, &made.certificate).product;
    let page = admin.see(&format!("/label-templates/new?product={product}")).await;
    assert!(page.text.contains(PICTURE) && page.text.contains("湘莲"), "{}", page.text);
    let good = admin.see(&query(&form(&product, "", "70x50"))).await.text;
    assert_eq!(good.matches(PICTURE).count(), 2, "{good}");
    let paper = admin.see(&query(&form(&product, "", "a5"))).await.text;
    assert_eq!(paper.matches(PICTURE).count(), 1, "{paper}");

    let note = "贮".repeat(80);
    let mut full = form(&product, "", "30x20");
    full.extend([("commitment", "1"), ("note", note.as_str())]);
    let told = admin.see(&query(&full)).await.text;
    assert!(told.contains(end_of("field.label_no_room")) && !told.contains(PICTURE), "{told}");
    let mut digits = form(&product, "", "70x50");
    digits.extend([("barcode", "gtin"), ("gtin", "6901234567893")]);
    let told = admin.see(&query(&digits)).await.text;
    assert!(told.contains(t("field.bad_gtin")) && !told.contains(PICTURE), "{told}");
    let unknown = admin.see(&query(&[("size", "1x1")])).await.text;
    assert!(unknown.contains(t("field.bad_choice")) && !unknown.contains(PICTURE), "{unknown}");
}

#[tokio::test]
async fn what_does_not_fit_is_not_saved_and_every_fault_is_at_its_field() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let note = "贮".repeat(80);
    let mut full = form("", "小标签", "30x20");
    full.extend([("commitment", "1"), ("note", note.as_str())]);
    let refused = admin.post("/label-templates", &full).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains(end_of("field.label_no_room")), "{}", refused.text);
    assert!(refused.text.contains("value=\"小标签\""), "what was typed is kept");

    let mut digits = form("", "礼盒", "70x50");
    digits.extend([("barcode", "gtin"), ("gtin", "690123456789")]);
    let refused = admin.post("/label-templates", &digits).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("id=\"f-gtin-error\""), "{}", refused.text);

    let twice = [("name", "礼盒"), ("size", "70x50"), ("line_1", "origin"), ("line_2", "origin")];
    let refused = admin.post("/label-templates", &twice).await;
    assert!(refused.text.contains(t("field.repeated")), "{}", refused.text);
    let nameless = admin.post("/label-templates", &form("", "", "70x50")).await;
    assert!(nameless.text.contains("id=\"f-name-error\""), "{}", nameless.text);
    assert!(admin.see("/label-templates").await.text.contains(t("label_templates.none")));
}

#[tokio::test]
async fn the_products_own_template_is_the_usual_one_until_it_is_closed() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let certificate = on_record(&world, &made.certificate);
    let usual = || world.app.design_for(&certificate, None).unwrap();
    assert_eq!(usual(), LabelDesign::of_size(LabelSize::W60H40));

    let (product, path) = (certificate.product.clone(), "/label-templates");
    let county = admin.done(path, &form("", "全县标签", "100x70")).await;
    assert_eq!(usual().size, LabelSize::W100H70);
    let own = admin.done(path, &form(&product, "礼盒标签", "70x50")).await;
    assert_eq!(usual().size, LabelSize::W70H50);
    // Office paper goes on no printer of labels.
    admin.done(path, &form(&product, "整张", "a4")).await;
    assert_eq!(usual().size, LabelSize::W70H50);

    let list = admin.see(path).await.text;
    assert!(list.contains("礼盒标签") && list.contains("全县标签") && list.contains("整张"));
    let page = admin.see(&made.certificate).await.text;
    assert!(page.contains("礼盒标签") && !page.contains("整张"), "{page}");
    let page = admin.see(&own).await.text;
    assert!(page.contains("value=\"礼盒标签\"") && page.contains(PICTURE), "{page}");

    let version = page.split("name=\"version\" value=\"").nth(1).unwrap();
    let version = version.split('"').next().unwrap();
    let mut changed = form("", "大礼盒", "70x50");
    changed.push(("version", version));
    assert_eq!(admin.done(&own, &changed).await, own);
    let clash = admin.post(&own, &changed).await;
    assert_eq!(clash.status, StatusCode::CONFLICT, "{}", clash.text);

    admin.done(&format!("{own}/close"), &[("reason", "改版")]).await;
    assert_eq!(usual().size, LabelSize::W100H70);
    let page = admin.see(&own).await.text;
    assert!(page.contains("改版") && !page.contains(&format!("{own}/close")), "{page}");
    // A job that was given with it prints as it was asked for; one of another's product never does.
    let id = own.rsplit('/').next().unwrap();
    let state: &dyn State = &world.app.store;
    let old: LabelTemplate = state.get(id).unwrap().unwrap();
    assert_eq!((old.name.as_str(), old.product.as_ref()), ("大礼盒", Some(&product)));
    assert_eq!(world.app.design_for(&certificate, Some(id)).unwrap(), old.design);
    let other = Certificate { product: "prd_other".into(), ..certificate.clone() };
    assert!(world.app.design_for(&other, Some(id)).is_err());
    let county = county.rsplit('/').next().unwrap();
    assert!(world.app.design_for(&other, Some(county)).is_ok());
}

#[tokio::test]
async fn office_printers_get_sheets_of_labels() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let template = admin.done("/label-templates", &form("", "小标签", "40x30")).await;
    let template = template.rsplit('/').next().unwrap();
    let sheet = |query: &str| format!("{}/labels.pdf?{query}", made.certificate);
    for query in ["count=10&skip=&template=", &format!("count=3&skip=2&template={template}")] {
        let reply = admin.see(&sheet(query)).await;
        assert_eq!(reply.status, StatusCode::OK, "{query}: {}", reply.text);
        assert_eq!(reply.headers[header::CONTENT_TYPE], "application/pdf");
        assert!(reply.text.starts_with("%PDF"));
    }
    for query in ["count=0", "count=1001", "count=x", "count=1&skip=500", "count=1&template=tpl_x"]
    {
        let reply = admin.see(&sheet(query)).await;
        assert!(reply.status.is_client_error(), "{query}: {}", reply.status);
    }
    let page = admin.see(&made.certificate).await.text;
    assert!(page.contains("/labels.pdf\"") && page.contains("paper.pdf?size=a5"), "{page}");
    admin.done(&format!("{}/void", made.certificate), &[("reason", "写错了")]).await;
    assert!(admin.see(&sheet("count=1")).await.status.is_client_error());
    assert!(!admin.see(&made.certificate).await.text.contains("/labels.pdf\""));
}
