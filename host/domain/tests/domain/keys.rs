//! Idempotency keys, and versions that a command was based on.

use tianyin_domain::certificate::Certificate;
use tianyin_domain::device::DeviceKind;
use tianyin_domain::measurement::{Item, Measurement};
use tianyin_domain::operator::{OperatorKind, OperatorStatus, RegisterOperator};
use tianyin_domain::test::AssignTest;
use tianyin_domain::user::AddUser;
use tianyin_domain::{Actor, Command, DomainError, Envelope, Role, Verdict};

use crate::farm::{
    Farm, TOWNSHIP, admin, approve, clerk, grant, issue, judgement, measured, measurement,
    open_lot, record, register, request, review, system, typed,
};
use crate::world::{Answer, World, told};

fn keyed(world: &mut World, actor: &Actor, key: &str, command: Command) -> Answer {
    let envelope = world.envelope(actor, command);
    world.submit(Envelope { idempotency_key: Some(key.into()), ..envelope })
}

/// The same key first with `first`, then with `second`.
fn twice(farm: &mut Farm, actor: &Actor, first: Command, second: Command) -> (Answer, Answer) {
    let first = keyed(&mut farm.world, actor, "k1", first);
    let lines = farm.world.lines.len();
    farm.world.time += jiff::SignedDuration::from_mins(5);
    let second = keyed(&mut farm.world, actor, "k1", second);
    if second.is_err() || !second.as_ref().unwrap().written {
        assert_eq!(farm.world.lines.len(), lines, "nothing is written");
    }
    (first, second)
}

fn repeats(farm: &mut Farm, actor: &Actor, first: Command, second: Command) {
    let (first, second) = twice(farm, actor, first, second);
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(first.written);
    assert_eq!((second.id, second.written, second.note), (first.id, false, "repeated"));
}

fn differs(farm: &mut Farm, actor: &Actor, first: Command, second: Command) {
    let (first, second) = twice(farm, actor, first, second);
    assert!(first.unwrap().written);
    assert_eq!(second.unwrap_err(), DomainError::KeyReused);
}

#[test]
fn a_repeated_request_answers_the_same() {
    let mut farm = Farm::new();
    let open = open_lot(&farm.product, &farm.site, "10", "2026-11-20");
    repeats(&mut farm, &clerk(), open.clone(), open);

    let mut farm = Farm::new();
    let open = open_lot(&farm.product, &farm.site, "10", "2026-11-20");
    let more = open_lot(&farm.product, &farm.site, "11", "2026-11-20");
    differs(&mut farm, &clerk(), open.clone(), more);
    // Another person's key of the same spelling is another key; no key is no key.
    assert!(keyed(&mut farm.world, &admin(), "k1", open.clone()).unwrap().written);
    assert!(farm.world.give(&clerk(), open).unwrap().written);
}

#[test]
fn a_key_is_of_one_kind_of_command() {
    let mut farm = Farm::new();
    let open = open_lot(&farm.product, &farm.site, "10", "2026-11-20");
    let review = review(&farm.operator, OperatorStatus::Suspended, "整改");
    differs(&mut farm, &clerk(), open, review);
}

#[test]
fn a_repeated_issue_is_known_by_its_request() {
    let mut farm = Farm::new();
    let (lot, producer) = (farm.lot.clone(), farm.producer());
    // Another code was drawn, another time composed: the same request all the same.
    let first = issue(&mut farm.world, request(&lot, "10"));
    let second = issue(&mut farm.world, request(&lot, "10"));
    assert_ne!(first, second);
    repeats(&mut farm, &producer, first, second);
    assert_eq!(farm.world.state.all::<Certificate>().len(), 1);

    let mut farm = Farm::new();
    let first = issue(&mut farm.world, request(&lot, "10"));
    let second = issue(&mut farm.world, request(&lot, "20"));
    differs(&mut farm, &producer, first, second);
}

#[test]
fn what_the_appliance_drew_is_no_part_of_a_request() {
    let actor = clerk();
    let farmer = |secret: &str| {
        Command::RegisterOperator(RegisterOperator {
            kind: OperatorKind::Farmer,
            contact_phone: "138****5678".into(),
            contact_secret: Some(secret.into()),
            ..register("李四", "")
        })
    };
    repeats(&mut Farm::new(), &actor, farmer("sec_1"), farmer("sec_2"));

    let add = |credential: &str, area: &str| {
        Command::AddUser(AddUser {
            username: "wang".into(),
            name: "王五".into(),
            role: Role::Clerk,
            area: area.into(),
            operator: None,
            agency: None,
            credential: credential.into(),
            initial: false,
        })
    };
    repeats(&mut Farm::new(), &admin(), add("sec_1", TOWNSHIP), add("sec_2", TOWNSHIP));
    differs(&mut Farm::new(), &admin(), add("sec_1", TOWNSHIP), add("sec_1", "430321"));

    // A typed result: its id and the time within the day are filled in on the way.
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let enter = |msg_id: &str, tested_at: &str, item: &str| {
        let m = Measurement {
            tested_at: Some(tested_at.parse().unwrap()),
            item: Item { code: String::new(), name: item.into() },
            ..measurement(msg_id, "0.01")
        };
        record(typed(m, &lot, Verdict::Pass))
    };
    let first = enter("t1", "2026-11-20T03:00:00Z", "毒死蜱");
    repeats(&mut farm, &actor, first.clone(), enter("t2", "2026-11-20T04:00:00Z", "毒死蜱"));
    // The same number for another substance or day is another result, never to be swallowed.
    let others = [("2026-11-20T03:00:00Z", "克百威"), ("2026-11-19T03:00:00Z", "毒死蜱")];
    for other in others.map(|(tested_at, item)| enter("t2", tested_at, item)) {
        differs(&mut Farm::new(), &actor, first.clone(), other);
    }

    let mut farm = Farm::new();
    farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    let unmatched = measured("a1", measurement("SN-1", "1"), None, Verdict::Hold);
    let test = farm.world.ok(&system(), record(unmatched));
    let assign = |revision: &str| {
        let mut judgement = judgement(Verdict::Pass);
        judgement.revision = revision.into();
        Command::AssignTest(AssignTest {
            test: test.clone(),
            lot: lot.clone(),
            judgement,
            sampling: None,
        })
    };
    repeats(&mut farm, &actor, assign("r1"), assign("r2"));
}

#[test]
fn a_key_counts_within_its_group() {
    let mut farm = Farm::new();
    let open = open_lot(&farm.product, &farm.site, "10", "2026-11-20");
    let envelope = farm.world.envelope(&clerk(), open);
    let envelope = Envelope { idempotency_key: Some("k1".into()), ..envelope };
    let answers = farm.world.group(&[envelope.clone(), envelope]);
    let answers: [Answer; 2] = answers.try_into().unwrap();
    let [first, second] = answers.map(Result::unwrap);
    assert_eq!((first.id, true, false), (second.id, first.written, second.written));
}

#[test]
fn a_refused_request_leaves_its_key_free() {
    let mut farm = Farm::new();
    let bad = open_lot(&farm.product, &farm.site, "0", "2026-11-20");
    assert!(keyed(&mut farm.world, &clerk(), "k1", bad).is_err());
    let good = open_lot(&farm.product, &farm.site, "10", "2026-11-20");
    assert!(keyed(&mut farm.world, &clerk(), "k1", good).unwrap().written);
}

#[test]
fn a_key_remembers_an_answer_that_wrote_nothing_else() {
    let mut farm = Farm::new();
    farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    let test = measured("a1", measurement("SN-1", "1"), None, Verdict::Pass);
    let id = farm.world.ok(&system(), record(test.clone()));
    let duplicate = keyed(&mut farm.world, &system(), "k1", record(test.clone())).unwrap();
    assert_eq!((duplicate.note, &duplicate.id), ("duplicate", &id));
    let repeated = keyed(&mut farm.world, &system(), "k1", record(test)).unwrap();
    assert_eq!((repeated.note, &repeated.id, repeated.written), ("repeated", &id, false));
}

/// An issue based on the versions of now.
fn based_issue(farm: &mut Farm) -> Envelope {
    let (lot, producer) = (farm.lot.clone(), farm.producer());
    let roots = [
        format!("lot/{lot}"),
        format!("site/{}", farm.site),
        format!("operator/{}", farm.operator),
    ];
    let based_on = roots.into_iter().map(|r| (r.clone(), farm.world.version(&r))).collect();
    let command = issue(&mut farm.world, request(&lot, "10"));
    Envelope { based_on, ..farm.world.envelope(&producer, command) }
}

#[test]
fn whatever_came_in_between_is_noticed() {
    let mut farm = Farm::new();
    farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    let lot = farm.lot.clone();
    let unmatched = measured("a1", measurement("SN-0", "1"), None, Verdict::Hold);
    let test = farm.world.ok(&system(), record(unmatched));
    let assign =
        AssignTest { test, lot: lot.clone(), judgement: judgement(Verdict::Pass), sampling: None };
    let tested = measured("a1", measurement("SN-1", "1"), Some(&lot), Verdict::Pass);
    let (lot_root, site_root, operator_root) = (
        format!("lot/{lot}"),
        format!("site/{}", farm.site),
        format!("operator/{}", farm.operator),
    );
    let suspended = review(&farm.operator, OperatorStatus::Suspended, "整改");
    let granted = Command::GrantAuthorisation(grant(&farm.operator));
    let another = issue(&mut farm.world, request(&lot, "1"));
    let cases = [
        (system(), record(tested), &lot_root),
        (clerk(), Command::AssignTest(assign), &lot_root),
        (farm.producer(), another, &lot_root),
        (farm.producer(), Command::RecordActivity(farm.treatment()), &site_root),
        (clerk(), granted, &operator_root),
        (clerk(), suspended, &operator_root),
    ];
    for (actor, between, root) in cases {
        let issue = based_issue(&mut farm);
        let expected = farm.world.version(root);
        let case = format!("{between:?}");
        farm.world.ok(&actor, between);
        let actual = farm.world.lines.last().unwrap().seq;
        let error = farm.world.submit(issue.clone()).unwrap_err();
        assert_eq!(error, DomainError::Conflict { root: root.clone(), expected, actual }, "{case}");
        let sentence = error.to_string();
        assert!(sentence.contains(&expected.to_string()) && sentence.contains(&actual.to_string()));
        // Based on what is now, it goes through.
        let again = based_issue(&mut farm);
        farm.world.submit(again).unwrap();
    }
}

#[test]
fn nothing_slips_in_within_a_group() {
    let mut farm = Farm::new();
    let issue = based_issue(&mut farm);
    let between = Command::RecordActivity(farm.treatment());
    let group = [farm.world.envelope(&farm.producer(), between), issue];
    let answers = farm.world.group(&group);
    assert!(answers[0].is_ok());
    assert_eq!(told(answers[1].as_ref().unwrap_err()), "version_conflict");
}

#[test]
fn an_unrelated_change_is_no_conflict() {
    let mut farm = Farm::new();
    let issue = based_issue(&mut farm);
    let open = open_lot(&farm.product, &farm.site, "10", "2026-11-20");
    farm.world.ok(&clerk(), open);
    farm.world.submit(issue).unwrap();
}

#[test]
fn a_repeated_key_goes_before_old_versions() {
    let mut farm = Farm::new();
    let issue = based_issue(&mut farm);
    let issue = Envelope { idempotency_key: Some("k1".into()), ..issue };
    let first = farm.world.submit(issue.clone()).unwrap();
    // Issuing moved the lot; asking again is a repeat, not a conflict.
    let again = farm.world.submit(issue).unwrap();
    assert_eq!((again.id, again.note), (first.id, "repeated"));
}
