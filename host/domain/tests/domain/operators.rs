//! Registration and review of operators (R-007…R-009; domain/codes, section 1).

use tianyin_domain::Command;
use tianyin_domain::operator::{Operator, OperatorKind, OperatorStatus, RegisterOperator};

use crate::farm::{change, clerk, register, review};
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
    // Two farmers of one name are two people.
    let again = world.ok(&clerk(), Command::RegisterOperator(farmer));
    assert_ne!(again, id);
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
    use OperatorStatus::{Approved, Returned, Submitted, Suspended};
    for from in [Submitted, Approved, Returned, Suspended] {
        for to in [Submitted, Approved, Returned, Suspended] {
            let mut world = World::new();
            let command = register("甲社", "91350100M000100Y43");
            let id = world.ok(&clerk(), Command::RegisterOperator(command));
            if from != Submitted {
                world.ok(&clerk(), review(&id, from, "前因"));
            }
            let before = world.version(&format!("operator/{id}"));
            let case = format!("{from:?} to {to:?}");
            if to == Submitted {
                assert_eq!(
                    world.no(&clerk(), review(&id, to, "理由")),
                    "status:bad_choice",
                    "{case}"
                );
                continue;
            }
            if to == from {
                assert_eq!(world.no(&clerk(), review(&id, to, "理由")), "no_change", "{case}");
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
