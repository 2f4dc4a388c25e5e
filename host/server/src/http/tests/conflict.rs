//! Two at once on the same record.

use tianyin_domain::actor::Actor;
use tianyin_domain::authorisation::GrantAuthorisation;
use tianyin_domain::command::{Command, Envelope};
use tianyin_domain::operator::{OperatorStatus, ReviewOperator};

use super::*;
use crate::app::AppError;
use crate::app::conflict::CONFLICT_TRIES;

impl World {
    async fn post_based(&self, path: &str, body: Value, version: &str) -> Reply {
        let request = Request::post(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::IF_MATCH, version);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_based_on_an_old_version_is_told_both() {
    let world = world().await;
    let id = world.make("/operators", cooperative()).await;
    let path = format!("/operators/{id}/review");
    let version = world.get(&format!("/operators/{id}")).await.header("etag").to_owned();
    assert!(version.starts_with('"'), "{version}");

    let returned = json!({ "status": "returned", "reason": "缺少执照" });
    world.post_based(&path, returned, &version).await.expect(201);
    let approved = json!({ "status": "approved" });
    let reply = world.post_based(&path, approved.clone(), &version).await;
    assert_eq!(reply.problem(), (409, "version_conflict".into()));
    let told = reply.json();
    assert_eq!(told["root"], format!("operator/{id}"));
    assert_eq!(format!("\"{}\"", told["expected"]), version);
    let actual = told["actual"].as_u64().unwrap();
    assert!(actual > told["expected"].as_u64().unwrap());
    assert_eq!(told["change"]["by"], "示例管理员");
    assert_eq!(told["change"]["events"], json!(["operator.reviewed"]));
    let detail = told["detail"].as_str().unwrap();
    assert!(detail.contains("示例管理员") && detail.contains("审核"), "{detail}");
    assert_eq!(world.get(&format!("/operators/{id}")).await.json()["status"], "returned");

    world.post_based(&path, approved.clone(), &format!("\"{actual}\"")).await.expect(201);
    let bad = world.post_based(&path, approved, "\"x\"").await;
    assert_eq!(bad.problem(), (400, "bad_if_match".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_issued_for_the_lot_that_was_looked_at() {
    let world = world().await;
    let [operator, .., lot] = world.lot_of(cooperative()).await;
    world.test_of(&lot).await;
    let version = world.get(&format!("/lots/{lot}")).await.header("etag").to_owned();
    world.certificate_of(&operator, &lot).await;
    let request = json!({ "lot": lot, "quantity": "10", "basis": ["commissioned_test"] });
    let reply = world.post_based("/certificates", request.clone(), &version).await;
    assert_eq!(reply.problem(), (409, "version_conflict".into()));
    assert_eq!(reply.json()["change"]["events"], json!(["certificate.issued"]));
    // Who names no version leaves it to the rules.
    world.post("/certificates", request).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_moving_is_tried_three_times() {
    let world = world().await;
    let [operator, ..] = world.lot_of(cooperative()).await;
    let app = &world.app;
    let admin = app.session(&world.token).unwrap().actor;
    let root = format!("operator/{operator}");
    let based = |command, based_on| Envelope {
        actor: admin.clone(),
        command,
        time: crate::edge::now(),
        idempotency_key: None,
        based_on,
    };
    let suspend = || {
        Command::ReviewOperator(ReviewOperator {
            operator: operator.clone(),
            status: OperatorStatus::Suspended,
            reason: "示例".into(),
        })
    };
    let somebody_else = || {
        Command::GrantAuthorisation(GrantAuthorisation {
            operator: operator.clone(),
            product: None,
            granted_by: "示例代表".into(),
            evidence: "授权书".into(),
            auto_issue: false,
            printer: None,
            valid_from: "2026-01-01".parse().unwrap(),
            valid_to: None,
        })
    };
    // Every time, somebody is faster.
    let mut tries = 0;
    let answer = app.submit_prepared(&[], || {
        tries += 1;
        let version = app.store.version(&root).map_err(AppError::internal)?;
        let other = Envelope { actor: Actor::system("test"), ..based(somebody_else(), vec![]) };
        tokio::task::block_in_place(|| app.submit_blocking(other))?;
        Ok(based(suspend(), vec![(root.clone(), version)]))
    });
    let Err(AppError::Conflict(conflict)) = answer.await else { panic!("no conflict") };
    assert_eq!(tries, CONFLICT_TRIES);
    assert_eq!(conflict.root, root);
    assert_eq!(conflict.change.as_ref().unwrap().events, ["authorisation.granted"]);
    assert_eq!(app.writer.stats.retried.get(), CONFLICT_TRIES as u64 - 1);

    // Once somebody is faster, then nobody.
    let mut tries = 0;
    let answer = app.submit_prepared(&[], || {
        tries += 1;
        let version = app.store.version(&root).map_err(AppError::internal)?;
        if tries == 1 {
            let other = based(somebody_else(), vec![]);
            tokio::task::block_in_place(|| app.submit_blocking(other))?;
        }
        Ok(based(suspend(), vec![(root.clone(), version)]))
    });
    assert!(answer.await.unwrap().written);
    assert_eq!(tries, 2);
}
