//! Templates of a technical procedure on the form of a production record.

use super::{everything, world};

#[tokio::test]
async fn a_step_of_the_procedure_fills_the_form_in() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let id = made.operator.rsplit('/').next().unwrap();
    let form = admin.see(&format!("/activities/new?operator={id}")).await.text;
    let chip = form.split("整地施基肥").next().unwrap().rsplit("href=\"").next().unwrap();
    let href = chip.split('"').next().unwrap().replace("&#38;", "&");
    assert!(href.starts_with("/activities/new?operator="), "{href}");
    let filled = admin.see(&href).await.text;
    assert!(filled.contains("value=\"fertilising\" checked"), "the kind is chosen");
    assert!(filled.contains("腐熟有机肥随整地翻入"), "the note is there");
    // A step that is not there, or no step at all, is a form like any other.
    for step in ["9.9", "x", "0", "-1.0"] {
        let page = admin.see(&format!("/activities/new?operator={id}&step={step}")).await;
        assert!(!page.text.contains("腐熟有机肥"), "{step}");
    }
}
