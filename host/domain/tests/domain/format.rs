//! What journals and papers are made of must read the same for ever.

use tianyin_domain::certificate::Certificate;
use tianyin_domain::{Event, Judgement};

use crate::farm::Farm;

/// A certificate's event as written in 2026. Never to be changed: journals hold it.
const ISSUED_2026: &str = concat!(
    r#"{"certificate.issued":{"content":{"code":"#,
    "@CODE@",
    r#","form":"producer-2026","commitment":"#,
    r#""我承诺生产销售的食用农产品 未使用禁用农药、兽药及其他化合物;使用的常规农药、兽药残留不超标。","#,
    r#""basis":["quality_control"],"product":"湘潭湘莲","quantity":"10","unit":"公斤","#,
    r#""origin":"湘潭县花石镇","producer":"花石湘莲合作社","contact":"0731-57000000","#,
    r#""issued_on":"2026-11-20","lot_no":"L20261119-0001","county":"湘潭县"},"#,
    r#""proof":"TY1.e30.c2ln","operator":"@OPERATOR@","lot":"@LOT@","product":"@PRODUCT@","#,
    r#""producer_name":"花石湘莲合作社","area":"430321106","tests":[],"#,
    r#""judgement":{"rule":"testing/judge","revision":"r1","verdict":"pass","findings":[],"input":{}},"#,
    r#""issued_by":"user/usr_producer","issued_at":"2026-11-20T08:00:00Z","status":"valid","#,
    r#""void_reason":""}}"#,
);

fn issued(farm: &Farm, code: &str) -> String {
    ISSUED_2026
        .replace("@CODE@", &format!("\"{code}\""))
        .replace("@OPERATOR@", &farm.operator)
        .replace("@LOT@", &farm.lot)
        .replace("@PRODUCT@", &farm.product)
}

#[test]
fn the_event_of_a_certificate_is_written_so() {
    let mut farm = Farm::new();
    let code = farm.issued("10");
    assert_eq!(farm.world.lines.last().unwrap().events, format!("[{}]", issued(&farm, &code)));
}

#[test]
fn the_event_of_a_certificate_is_read_so() {
    let mut farm = Farm::new();
    let code = farm.issued("10");
    let text = issued(&farm, &code);
    let event: Event = serde_json::from_str(&text).unwrap();
    let Event::CertificateIssued(read) = &event else { panic!("{event:?}") };
    assert_eq!(**read, farm.world.get::<Certificate>(&code));
    assert_eq!(serde_json::to_string(&event).unwrap(), text);
}

#[test]
fn ids_of_the_same_seed_are_the_same() {
    // Ids sort by time of creation, tell their noun, and come from what was handed in alone.
    let (first, second) = (Farm::new(), Farm::new());
    assert_eq!(first.world.lines, second.world.lines);
    assert!(first.lot.starts_with("lot_01") && first.lot.len() == 30, "{}", first.lot);
}

#[test]
fn fields_added_later_may_be_missing_in_old_lines() {
    let old = r#"{"rule":"r","revision":"1","verdict":"deny","findings":[{"item":"a","verdict":"hold","text":"t"}]}"#;
    let judgement: Judgement = serde_json::from_str(old).unwrap();
    assert_eq!(judgement.findings[0].points_tenths, 0);
    assert_eq!(judgement.input.get(), "null");
}

#[test]
fn event_names_are_noun_and_verb() {
    let source = include_str!("../../src/event.rs");
    let names: Vec<_> = source
        .lines()
        .filter_map(|l| l.trim().strip_prefix("#[serde(rename = \"")?.split_once('"'))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, NAMES, "written in journals for ever: add at the end, never change");
}

const NAMES: [&str; 110] = [
    "county.configured",
    "agency.added",
    "user.added",
    "user.credential_changed",
    "user.active_changed",
    "operator.registered",
    "operator.reviewed",
    "site.added",
    "product.added",
    "input.added",
    "lot.opened",
    "lot.held",
    "activity.recorded",
    "device.paired",
    "device.approved",
    "device.disabled",
    "bench.lot_scanned",
    "message.received",
    "message.settled",
    "message.replayed",
    "test.recorded",
    "test.assigned",
    "authorisation.granted",
    "authorisation.revoked",
    "certificate.issued",
    "certificate.voided",
    "print_job.queued",
    "print_job.ended",
    "code.scans_counted",
    "code.checked",
    "command.answered",
    "operator.changed",
    "operator.withdrawn",
    "card.issued",
    "document.filed",
    "document.closed",
    "access.noted",
    "site.changed",
    "site.closed",
    "product.changed",
    "product.closed",
    "brand.added",
    "brand.changed",
    "brand.closed",
    "brand.licensed",
    "brand.licence_ended",
    "certification.added",
    "certification.ended",
    "shop_link.added",
    "shop_link.closed",
    "id_card.saved",
    "id_card.submitted",
    "id_card.reviewed",
    "id_card.published",
    "id_card.withdrawn",
    "base_map.laid",
    "policy.set",
    "totp.enrolled",
    "totp.recovery_used",
    "totp.removed",
    "token.made",
    "token.revoked",
    "token.used",
    "input.revised",
    "input.closed",
    "operator.delegated",
    "operator.delegation_ended",
    "cell.added",
    "cell.changed",
    "cell.ended",
    "activity.corrected",
    "activity.struck",
    "step.taken",
    "step.struck",
    "trace_policy.set",
    "lot.released",
    "recall.started",
    "recall.noted",
    "recall.closed",
    "sampling.taken",
    "sampling.received",
    "sampling.cancelled",
    "test.verified",
    "test.struck",
    "test.delivered",
    "test.settled",
    "objection.filed",
    "objection.retest_ordered",
    "objection.sample_received",
    "objection.concluded",
    "pack.ordered",
    "pack.marked",
    "pack.cancelled",
    "code.suspected",
    "code.suspicion_settled",
    "code.scratched",
    "scan_policy.set",
    "collection.made",
    "collection.struck",
    "feedback.left",
    "feedback.moderated",
    "feedback.closed",
    "print_job.begun",
    "print_job.cancelled",
    "print_job.retried",
    "signing_key.rotated",
    "mirror_log.imported",
    "label_template.saved",
    "label_template.closed",
    "national_code.set",
];

/// Lines of the first accounts, and of those with rules; never to be changed.
const OF_ACCOUNTS: [&str; 11] = [
    r#"{"user.added":{"id":"usr_1","username":"wang","name":"王五","role":"clerk","area":"","credential":"c","active":true}}"#,
    r#"{"user.added":{"id":"usr_1","username":"wang","name":"王五","role":"clerk","area":"","credential":"c","active":true,"login":{"initial_until":"2026-11-27T08:00:00Z"}}}"#,
    r#"{"user.credential_changed":{"user":"usr_1","credential":"c"}}"#,
    r#"{"user.credential_changed":{"user":"usr_1","credential":"c","initial_until":"2026-11-27T08:00:00Z","earlier":["b"]}}"#,
    r#"{"access.noted":{"id":"acc_1","user":"usr_1","area":"","kind":"reveal","what":"operator/opr_1","rows":1,"address":"::1","reason":"核对","at":"2026-11-20T08:00:00Z"}}"#,
    r#"{"policy.set":{"id":"policy","passwords":"gb22239","initial_days":7,"totp_for_administrators":true}}"#,
    r#"{"totp.enrolled":{"user":"usr_1","secret":"s","recovery":["d"]}}"#,
    r#"{"totp.recovery_used":{"user":"usr_1","code_sha256":"d"}}"#,
    r#"{"token.made":{"id":"tok_1","user":"usr_1","role":"clerk","name":"对接","sha256":"d","groups":["register","tests"],"made_at":"2026-11-20T08:00:00Z","expires_at":"2026-12-20T08:00:00Z"}}"#,
    r#"{"token.revoked":{"token":"tok_1"}}"#,
    r#"{"token.used":{"token":"tok_1"}}"#,
];

#[test]
fn events_of_accounts_are_read_and_written_so() {
    for line in OF_ACCOUNTS {
        let event: Event = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
    }
}
