//! What the public says, on the county's pages and on the producer's.

use axum::http::StatusCode;
use tianyin_domain::Role;
use tianyin_domain::feedback::{
    Feedback, FeedbackKind, FeedbackStatus, LeaveFeedback, reference_of,
};

use super::{Made, World, everything, world};

/// Somebody says something of the certificate's code; the id.
async fn said(world: &World, made: &Made, kind: FeedbackKind, text: &str) -> String {
    let code = made.certificate.rsplit('/').next().unwrap().to_owned();
    let stars = (kind == FeedbackKind::Rating).then_some(5);
    let said =
        LeaveFeedback { code, kind, stars, text: text.into(), place: "易俗河市场".into() };
    world.app.leave_feedback(said).await.unwrap().id
}

fn record(world: &World, id: &str) -> Feedback {
    world.app.store.get(id).unwrap().unwrap()
}

#[tokio::test]
async fn a_report_of_a_fake_stands_on_top_until_it_is_closed() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let id = said(&world, &made, FeedbackKind::Fake, "印刷模糊").await;
    said(&world, &made, FeedbackKind::Rating, "很甜").await;

    let today = admin.see("/").await.text;
    let work = today.split("id=\"work\"").nth(1).unwrap();
    let first = work.split("</a>").next().unwrap();
    assert!(first.contains("card fact bad") && first.contains("假冒举报"), "{first}");
    let list = admin.see("/feedback?status=waiting&kind=fake").await.text;
    assert!(list.contains("印刷模糊") && !list.contains("很甜"), "{list}");
    let found = admin.see(&format!("/feedback?q={}", reference_of(&id))).await.text;
    assert!(found.contains(&format!("/feedback/{id}")) && !found.contains("很甜"), "{found}");

    let page = format!("/feedback/{id}");
    let shown = admin.see(&page).await.text;
    for one in ["印刷模糊", "易俗河市场", "湘莲", "示例合作社", &made.certificate, &made.lot]
    {
        assert!(shown.contains(one), "{one} in {shown}");
    }
    assert!(!shown.contains("/moderate"), "it is never shown to the public: {shown}");
    admin.post(&format!("{page}/close"), &[("outcome", " ")]).await;
    assert_eq!(record(&world, &id).status, FeedbackStatus::Waiting, "an outcome is wanted");
    let outcome = [("outcome", "已到现场核实\r\n标签是仿冒的")];
    assert_eq!(admin.done(&format!("{page}/close"), &outcome).await, page);
    let closed = record(&world, &id);
    assert_eq!(closed.outcome, "已到现场核实\n标签是仿冒的");
    assert!(closed.handled_by.starts_with("user/"));
    let shown = admin.see(&page).await.text;
    assert!(shown.contains("已办结") && !shown.contains("/close\""), "{shown}");
    let list = admin.see("/feedback").await.text;
    assert!(!list.contains("印刷模糊") && list.contains("很甜"), "what waits comes first: {list}");
    assert!(admin.see("/feedback?status=all").await.text.contains("印刷模糊"));
}

#[tokio::test]
async fn a_rating_is_shown_with_a_reply_or_hidden_with_a_reason() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let id = said(&world, &made, FeedbackKind::Rating, "很甜").await;
    let act = format!("/feedback/{id}/moderate");
    admin.post(&act, &[("status", "hidden"), ("reason", "")]).await;
    assert_eq!(record(&world, &id).status, FeedbackStatus::Waiting, "a reason is wanted");
    admin.done(&act, &[("status", "shown"), ("reply", "谢谢")]).await;
    let shown = record(&world, &id);
    assert_eq!((shown.status, shown.reply.as_str()), (FeedbackStatus::Shown, "谢谢"));
    assert_eq!(world.app.public_feedback(&shown.product).unwrap().shown, 1);
    assert!(admin.see("/feedback?status=shown").await.text.contains("很甜"));
    admin.done(&act, &[("status", "hidden"), ("reason", "广告")]).await;
    let page = admin.see(&format!("/feedback/{id}")).await.text;
    assert!(page.contains("广告") && page.contains("已隐藏"), "{page}");
    assert_eq!(world.app.public_feedback(&shown.product).unwrap().shown, 0);
}

#[tokio::test]
async fn a_producer_reads_what_is_said_of_its_own_and_decides_nothing() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let id = said(&world, &made, FeedbackKind::Rating, "很甜").await;
    let operator = made.operator.rsplit('/').next().unwrap().to_owned();
    world.add_user("grower", Role::Producer, Some(operator)).await;
    let other = [("kind", "farmer"), ("name", "李示例"), ("area", "430321103")];
    let other = [&other[..], &[("contact_phone", "13812345678")]].concat();
    let other = admin.done("/operators", &other).await;
    let other = other.rsplit('/').next().unwrap().to_owned();
    world.add_user("stranger", Role::Producer, Some(other)).await;

    let grower = world.browser("grower").await;
    assert!(grower.see("/feedback").await.text.contains("很甜"));
    let page = grower.see(&format!("/feedback/{id}")).await.text;
    assert!(page.contains("很甜") && !page.contains("/moderate"), "{page}");
    grower.post(&format!("/feedback/{id}/moderate"), &[("status", "shown")]).await;
    assert_eq!(record(&world, &id).status, FeedbackStatus::Waiting);
    let stranger = world.browser("stranger").await;
    assert!(!stranger.see("/feedback").await.text.contains("很甜"));
    let there = stranger.see(&format!("/feedback/{id}")).await;
    assert_eq!(there.status, StatusCode::NOT_FOUND);
}
