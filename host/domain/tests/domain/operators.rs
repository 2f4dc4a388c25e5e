//! Registration and review of operators (R-007…R-009; domain/codes, section 1).

use tianyin_domain::application::{ApplyOperator, WithdrawOperator};
use tianyin_domain::card::{Card, IssueCard};
use tianyin_domain::code::{self, CodeText};
use tianyin_domain::history::{CHANGES_MAX, History};
use tianyin_domain::operator::{Operator, OperatorKind, OperatorStatus, RegisterOperator};
use tianyin_domain::user::{self, User};
use tianyin_domain::{Command, Event, Overlay, Role, State, apply};

use crate::farm::{Farm, OTHER_TOWNSHIP, change, clerk, producer, register, review, system};
use crate::world::World;

#[test]
fn credit_code_cases() {
    let cases = [
        ("91350100M000100Y43", "", Ok("91350100M000100Y43")),
        ("N2430102MF1234567H", "", Ok("N2430102MF1234567H")),
        ("914301020000000010", "", Ok("914301020000000010")),
        (" 9１110000600037341l ", "", Ok("91110000600037341L")),
        // Real codes with a wrong check character: refused once, taken with a reason.
        ("91350211M00013FA1N", "", Err("uscc:uscc_check")),
        ("91350211M00013FA1N", " \n ", Err("uscc:uscc_check")),
        ("91350211M00013FA1N", "执照原件核对无误", Ok("91350211M00013FA1N")),
        // Both a credit code and a resident ID: a person says which.
        ("110105180001010838", "", Err("uscc:uscc_or_resident_id")),
        ("110105180001010838", "执照原件核对无误", Ok("110105180001010838")),
        // A resident ID and nothing else: no reason lets it in.
        ("11010519491231002X", "执照原件核对无误", Err("uscc:uscc_malformed")),
        ("210105194912310023", "执照原件核对无误", Err("uscc:uscc_malformed")),
        // A typing slip is suggested, never mended, not even with a reason.
        ("9I110000600037341L", "", Err("uscc:uscc_suggest")),
        ("9I110000600037341L", "执照原件核对无误", Err("uscc:uscc_suggest")),
        ("9111", "执照原件核对无误", Err("uscc:uscc_malformed")),
        ("", "执照原件核对无误", Err("uscc:required")),
    ];
    for (uscc, reason, expected) in cases {
        let mut world = World::new();
        let command = RegisterOperator {
            uscc_override: (!reason.is_empty()).then(|| reason.into()),
            ..register("示例合作社", uscc)
        };
        let case = format!("{uscc} {reason}");
        match expected {
            Ok(kept) => {
                let id = world.ok(&clerk(), Command::RegisterOperator(command));
                let operator: Operator = world.get(&id);
                assert_eq!(operator.uscc, kept, "{case}");
                // The reason is on record exactly when it was needed.
                let needed = !reason.is_empty() && kept != "91350100M000100Y43";
                assert_eq!(operator.uscc_override.is_some(), needed, "{case}");
                assert_eq!(operator.status, OperatorStatus::Submitted, "{case}");
            }
            Err(code) => {
                assert_eq!(world.no(&clerk(), Command::RegisterOperator(command)), code, "{case}");
            }
        }
    }
}

#[test]
fn an_override_of_a_good_code_is_not_kept() {
    let mut world = World::new();
    let uscc_override = Some("多余的理由".into());
    let command = RegisterOperator { uscc_override, ..register("甲社", "91350100M000100Y43") };
    let id = world.ok(&clerk(), Command::RegisterOperator(command));
    assert_eq!(world.get::<Operator>(&id).uscc_override, None);
}

#[test]
fn a_farmer_has_no_credit_code_and_no_phone_in_clear() {
    let mut world = World::new();
    let farmer = RegisterOperator {
        kind: OperatorKind::Farmer,
        contact_phone: "138****5678".into(),
        ..register("李四", "")
    };
    let id = world.ok(&clerk(), Command::RegisterOperator(farmer.clone()));
    assert_eq!(world.get::<Operator>(&id).uscc, "");

    let coded = RegisterOperator { uscc: "91350100M000100Y43".into(), ..farmer.clone() };
    let refused = world.no(&clerk(), Command::RegisterOperator(coded));
    assert_eq!(refused, "uscc:farmer_has_no_uscc");
    let clear = RegisterOperator { contact_phone: "13812345678".into(), ..farmer.clone() };
    let refused = world.no(&clerk(), Command::RegisterOperator(clear));
    assert_eq!(refused, "contact_phone:bad_value");
    // Two farmers of one name are two people, with one phone they are one.
    let again = Command::RegisterOperator(farmer.clone());
    assert_eq!(world.no(&clerk(), again), "same_name");
    let other = RegisterOperator { contact_phone: "139****5678".into(), ..farmer };
    assert_ne!(world.ok(&clerk(), Command::RegisterOperator(other)), id);
}

#[test]
fn one_credit_code_is_one_operator() {
    let mut world = World::new();
    let first = Command::RegisterOperator(register("甲社", "91350100M000100Y43"));
    let second = Command::RegisterOperator(register("乙社", "９1350100m000100y43"));
    // In one group the second sees the first.
    let group = [first, second.clone()].map(|c| world.envelope(&clerk(), c));
    let answers = world.group(&group);
    assert!(answers[0].is_ok());
    let error = answers[1].as_ref().unwrap_err();
    assert_eq!(error.code(), "uscc_taken");
    assert!(format!("{error:?}").contains("甲社"), "it names who has it");
    // And later too.
    assert_eq!(world.no(&clerk(), second), "uscc_taken");
}

#[test]
fn every_bad_field_is_told_at_once() {
    let mut world = World::new();
    let command = RegisterOperator {
        name: " ".into(),
        area: "花石".into(),
        area_name: "镇".repeat(65),
        address: "花石\u{7}".into(),
        contact_phone: String::new(),
        ..register("", "9111")
    };
    let expected = "name:required area:bad_region_code area_name:too_long \
                    address:control_characters contact_phone:required uscc:uscc_malformed";
    assert_eq!(world.no(&clerk(), Command::RegisterOperator(command)), expected);
}

#[test]
fn review_transitions() {
    use OperatorStatus::{Approved, Exited, Returned, Submitted, Suspended, Withdrawn};
    // How it gets there, and what a reviewer may make of it then.
    let cases: [(OperatorStatus, &[OperatorStatus], &[OperatorStatus]); 6] = [
        (Submitted, &[], &[Approved, Returned]),
        (Returned, &[Returned], &[Approved]),
        (Approved, &[Approved], &[Suspended, Exited]),
        (Suspended, &[Approved, Suspended], &[Approved, Exited]),
        (Exited, &[Approved, Exited], &[Approved]),
        (Withdrawn, &[], &[]),
    ];
    for (from, way, allowed) in cases {
        for to in OperatorStatus::ALL {
            let mut world = World::new();
            let id = world.ok(&system(), apply("甲社", "91350100M000100Y43"));
            for step in way {
                world.ok(&clerk(), review(&id, *step, "前因"));
            }
            if from == Withdrawn {
                world.ok(&producer(&id), withdraw(&id));
            }
            let before = world.version(&format!("operator/{id}"));
            let case = format!("{from:?} to {to:?}");
            let expected = match to {
                Submitted | Withdrawn => "status:bad_choice",
                _ if to == from => "no_change",
                _ if from == Withdrawn => "application_withdrawn",
                _ if !allowed.contains(&to) => "not_from_here",
                _ => "",
            };
            if !expected.is_empty() {
                assert_eq!(world.no(&clerk(), review(&id, to, "理由")), expected, "{case}");
                continue;
            }
            if to != Approved {
                assert_eq!(world.no(&clerk(), review(&id, to, " ")), "reason:required", "{case}");
            }
            world.ok(&clerk(), review(&id, to, "理由"));
            let operator: Operator = world.get(&id);
            assert_eq!((operator.status, operator.status_reason.as_str()), (to, "理由"), "{case}");
            assert!(world.version(&format!("operator/{id}")) > before, "{case}");
        }
    }
    assert_eq!(World::new().no(&clerk(), review("opr_no", Approved, "")), "no operator");
}

/// who applies has its account at once, to follow and correct what it sent.
#[test]
fn an_applicant_corrects_and_takes_back_its_own_application_only() {
    let mut world = World::new();
    let data = register("甲社", "91350100M000100Y43");
    let id = world.ok(&system(), apply(&data.name, &data.uscc));
    let operator: Operator = world.get(&id);
    assert_eq!(operator.status, OperatorStatus::Submitted);
    let users = world.state().list::<User>(user::BY_OPERATOR, &id, 9).unwrap();
    let [user] = &users[..] else { panic!("{users:?}") };
    assert_eq!(user.username, operator.code.to_lowercase());
    assert_eq!((user.role, user.name.as_str()), (Role::Producer, "张三"));
    assert_eq!(code::parse_operator_code(&user.username), CodeText::Valid(operator.code));

    let other = world.ok(&system(), apply("乙社", "91110000600037341L"));
    let me = user.actor(world.state()).unwrap();
    assert_eq!(world.no(&me, withdraw(&other)), "no operator");
    assert_eq!(world.no(&me, change(&other, data.clone())), "forbidden");
    world.ok(&clerk(), review(&id, OperatorStatus::Returned, "地址不详"));
    let better = RegisterOperator { address: "荷塘路 1 号".into(), ..data.clone() };
    world.ok(&me, change(&id, better.clone()));
    assert_eq!(world.get::<Operator>(&id).status, OperatorStatus::Submitted);
    world.ok(&me, withdraw(&id));
    assert_eq!(world.get::<Operator>(&id).status, OperatorStatus::Withdrawn);
    assert_eq!(world.no(&me, withdraw(&id)), "decided_already");
    // Sent once more, and approved: from now on the county corrects it.
    world.ok(&me, change(&id, better.clone()));
    world.ok(&clerk(), review(&id, OperatorStatus::Approved, ""));
    assert_eq!(world.no(&me, withdraw(&id)), "decided_already");
    assert_eq!(world.no(&me, change(&id, better)), "decided_already");

    let nobody =
        RegisterOperator { contact_name: " ".into(), ..register("丙社", "91350211M00013FA1N") };
    let nobody = ApplyOperator { data: nobody, credential: "sec".into() };
    assert_eq!(world.no(&system(), Command::ApplyOperator(nobody)), "contact_name:required");
}

#[test]
fn the_same_name_in_the_same_township_needs_a_reason() {
    let mut world = World::new();
    let first =
        world.ok(&clerk(), Command::RegisterOperator(register("甲社(花石)", "91350100M000100Y43")));
    let again = RegisterOperator {
        same_name_override: Some(" ".into()),
        ..register("甲 社(花石)", "91110000600037341L")
    };
    assert_eq!(world.no(&clerk(), Command::RegisterOperator(again.clone())), "same_name");
    let elsewhere = RegisterOperator { area: OTHER_TOWNSHIP.into(), ..again.clone() };
    let elsewhere = world.ok(&clerk(), Command::RegisterOperator(elsewhere));
    assert_eq!(world.get::<Operator>(&elsewhere).same_name_override, None, "it was not needed");
    let reason = "村民小组不同,执照不同";
    let with_reason = RegisterOperator {
        uscc: "N2430102MF1234567H".into(),
        same_name_override: Some(reason.into()),
        ..again.clone()
    };
    let second = world.ok(&clerk(), Command::RegisterOperator(with_reason.clone()));
    assert_eq!(world.get::<Operator>(&second).same_name_override.as_deref(), Some(reason));
    // Its own name is no duplicate of itself; the name of one that left is free.
    world.ok(&clerk(), change(&second, with_reason));
    for id in [&first, &second] {
        world.ok(&clerk(), review(id, OperatorStatus::Approved, ""));
        world.ok(&clerk(), review(id, OperatorStatus::Exited, "注销"));
    }
    let later = RegisterOperator { uscc: "914301020000000010".into(), ..again };
    world.ok(&clerk(), Command::RegisterOperator(later));
}

#[test]
fn a_card_signs_in_the_operators_own_account() {
    let mut world = World::new();
    let id = world.ok(&clerk(), Command::RegisterOperator(register("甲社", "91350100M000100Y43")));
    let card = |key: &str| {
        let (operator, key_sha256) = (id.clone(), key.into());
        Command::IssueCard(IssueCard { operator, key_sha256, pin: "sec_pin".into() })
    };
    assert_eq!(world.no(&clerk(), card("k1")), "not_approved");
    world.ok(&clerk(), review(&id, OperatorStatus::Approved, ""));
    world.ok(&clerk(), card("k1"));
    let first: Card = world.get(&id);
    let user: User = world.get(&first.user);
    assert_eq!((user.operator.as_ref(), user.credential.as_str()), (Some(&id), ""));
    world.ok(&clerk(), card("k2"));
    let second: Card = world.get(&id);
    assert_eq!((second.user, second.key_sha256.as_str()), (first.user, "k2"));
    // An operator has one account of its own, however many cards.
    assert_eq!(world.state().ids(user::BY_OPERATOR, &id, 9).unwrap().len(), 1);
}

#[test]
fn operators_of_the_first_format_have_a_code_too() {
    let mut world = World::new();
    let id = world.ok(&clerk(), Command::RegisterOperator(register("甲社", "91350100M000100Y43")));
    let old = Operator { code: String::new(), ..world.get(&id) };
    let mut codes = Vec::new();
    for id in ["opr_1", "opr_2", "opr_1"] {
        let mut overlay = Overlay::new(world.state());
        overlay.begin_line(1);
        let event = Event::OperatorRegistered(Operator { id: id.into(), ..old.clone() });
        apply::apply(&mut overlay, &event, old.registered_at).unwrap();
        let state: &dyn State = &overlay;
        let code = state.get::<Operator>(id).unwrap().unwrap().code;
        assert_eq!(code::parse_operator_code(&code), CodeText::Valid(code.clone()));
        codes.push(code);
    }
    assert!(codes[0] != codes[1] && codes[0] == codes[2], "{codes:?}");
}

#[test]
fn the_history_of_an_operator_names_the_lines_of_its_changes() {
    let mut farm = Farm::new();
    let seqs = |farm: &Farm| -> Vec<u64> {
        farm.world.get::<History>(&format!("operator/{}", farm.operator)).seqs
    };
    let before = seqs(&farm);
    farm.issued("1");
    assert_eq!(seqs(&farm), before, "a certificate is in the history of its lot");
    for n in 0..CHANGES_MAX {
        let to = [OperatorStatus::Suspended, OperatorStatus::Approved][n % 2];
        farm.world.ok(&clerk(), review(&farm.operator, to, "理由"));
    }
    let after = seqs(&farm);
    assert_eq!(after.len(), CHANGES_MAX);
    assert!(after.is_sorted() && after[0] > before[0]);
    assert_eq!(after.last(), Some(&farm.world.version(&format!("operator/{}", farm.operator))));
}

#[test]
fn what_was_returned_is_corrected_and_waits_again() {
    let mut world = World::new();
    let first = register("甲社", "91350100M000100Y43");
    let id = world.ok(&clerk(), Command::RegisterOperator(first.clone()));
    world.ok(&clerk(), review(&id, OperatorStatus::Returned, "地址不详"));
    let before = world.version(&format!("operator/{id}"));
    let better = RegisterOperator {
        name: " 甲合作社 ".into(),
        uscc: " 91350100m000100y43".into(),
        address: "荷塘路 1 号".into(),
        ..first.clone()
    };
    world.ok(&clerk(), change(&id, better.clone()));
    let now: Operator = world.get(&id);
    assert_eq!((now.name.as_str(), now.address.as_str()), ("甲合作社", "荷塘路 1 号"));
    assert_eq!((now.status, now.status_reason.as_str()), (OperatorStatus::Submitted, ""));
    assert_eq!(now.uscc, "91350100M000100Y43", "its own code is not taken by another");
    assert!(world.version(&format!("operator/{id}")) > before);

    // Approved stays approved: a corrected address is no reason to stop a farm.
    world.ok(&clerk(), review(&id, OperatorStatus::Approved, ""));
    world.ok(&clerk(), change(&id, better.clone()));
    assert_eq!(world.get::<Operator>(&id).status, OperatorStatus::Approved);

    let other =
        world.ok(&clerk(), Command::RegisterOperator(register("乙社", "91110000600037341L")));
    assert_eq!(world.no(&clerk(), change(&other, better.clone())), "uscc_taken");
    let person =
        RegisterOperator { kind: OperatorKind::Farmer, uscc: String::new(), ..better.clone() };
    assert_eq!(world.no(&clerk(), change(&id, person)), "kind:person_stays_person");
    assert_eq!(world.no(&clerk(), change("opr_no", better)), "no operator");
}

fn apply(name: &str, uscc: &str) -> Command {
    let (data, credential) = (register(name, uscc), "sec".to_owned());
    Command::ApplyOperator(ApplyOperator { data, credential })
}

fn withdraw(operator: &str) -> Command {
    Command::WithdrawOperator(WithdrawOperator { operator: operator.into() })
}
