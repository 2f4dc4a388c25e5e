//! Standing authorisations: who may issue in whose name, for what, on which days (law art 39).

use tianyin_domain::authorisation::{
    AUTHORISATIONS_MAX, Authorisation, GrantAuthorisation, RevokeAuthorisation, covering,
};
use tianyin_domain::certificate::Certificate;
use tianyin_domain::device::DeviceKind;
use tianyin_domain::{Command, State};

use crate::farm::{
    Farm, add_product, admin, approve, approved, clerk, day, grant, issue, register, request,
    system,
};

fn granted(farm: &mut Farm, command: GrantAuthorisation) -> String {
    farm.world.ok(&clerk(), Command::GrantAuthorisation(command))
}

fn revoke(id: &str) -> Command {
    Command::RevokeAuthorisation(RevokeAuthorisation { authorisation: id.into() })
}

#[test]
fn days_and_products() {
    let mut farm = Farm::new();
    let rice = farm.world.ok(&clerk(), add_product(&farm.operator, "稻", "水稻"));
    let lotus = farm.product.clone();
    let operator = farm.operator.clone();
    let only_lotus = GrantAuthorisation { product: Some(lotus.clone()), ..grant(&operator) };
    let endless = GrantAuthorisation { valid_to: None, ..only_lotus.clone() };
    let cases = [
        (&only_lotus, &lotus, "2026-10-31", false),
        (&only_lotus, &lotus, "2026-11-01", true),
        (&only_lotus, &lotus, "2026-11-30", true),
        (&only_lotus, &lotus, "2026-12-01", false),
        (&only_lotus, &rice, "2026-11-15", false),
        (&grant(&operator), &rice, "2026-11-15", true),
        (&endless, &lotus, "2036-12-01", true),
    ];
    for (command, product, on, expected) in cases {
        let mut farm = Farm::new();
        // Same seed, same ids: the other farm's product is this farm's.
        if *product == rice {
            assert_eq!(farm.world.ok(&clerk(), add_product(&farm.operator, "稻", "水稻")), rice);
        }
        let id = granted(&mut farm, command.clone());
        let found = covering(&farm.world.state as &dyn State, &operator, product, day(on)).unwrap();
        assert_eq!(found.map(|a| a.id), expected.then(|| id.clone()), "{command:?} on {on}");
        farm.world.ok(&clerk(), revoke(&id));
        let found = covering(&farm.world.state as &dyn State, &operator, product, day(on)).unwrap();
        assert_eq!(found, None);
    }
}

#[test]
fn an_agency_issues_under_the_newest_that_covers() {
    let mut farm = Farm::new();
    let (lot, operator) = (farm.lot.clone(), farm.operator.clone());
    let without = issue(&mut farm.world, request(&lot, "10"));
    for actor in [clerk(), admin(), system()] {
        assert_eq!(farm.world.no(&actor, without.clone()), "no_authorisation");
    }
    let first = granted(&mut farm, grant(&operator));
    farm.world.time += jiff::SignedDuration::from_secs(1);
    let second = granted(&mut farm, grant(&operator));
    for (ends, expected) in [(None, &second), (Some(&second), &first)] {
        if let Some(ends) = ends {
            farm.world.ok(&clerk(), revoke(ends));
        }
        let command = issue(&mut farm.world, request(&lot, "10"));
        let code = farm.world.ok(&clerk(), command);
        let certificate: Certificate = farm.world.get(&code);
        assert_eq!(certificate.authorisation.as_ref(), Some(expected));
        assert_eq!(certificate.issued_by, "user/usr_clerk");
    }
    farm.world.ok(&clerk(), revoke(&first));
    let command = issue(&mut farm.world, request(&lot, "10"));
    assert_eq!(farm.world.no(&clerk(), command), "no_authorisation");
}

#[test]
fn a_revocation_counts_within_its_group() {
    let mut farm = Farm::new();
    let (lot, operator) = (farm.lot.clone(), farm.operator.clone());
    let id = granted(&mut farm, grant(&operator));
    let issue = issue(&mut farm.world, request(&lot, "10"));
    let group = [revoke(&id), issue].map(|c| farm.world.envelope(&clerk(), c));
    let answers = farm.world.group(&group);
    assert_eq!(answers[1].as_ref().unwrap_err().code(), "no_authorisation");
}

#[test]
fn both_grant_and_revocation_move_the_operator() {
    let mut farm = Farm::new();
    let operator = farm.operator.clone();
    let root = format!("operator/{operator}");
    let before = farm.world.version(&root);
    let id = granted(&mut farm, grant(&operator));
    let between = farm.world.version(&root);
    farm.world.ok(&clerk(), revoke(&id));
    assert!(before < between && between < farm.world.version(&root));
    let ended: Authorisation = farm.world.get(&id);
    assert_eq!(ended.revoked_at, Some(farm.world.time));
    assert_eq!(farm.world.no(&clerk(), revoke(&id)), "authorisation_revoked");
    assert_eq!(farm.world.no(&clerk(), revoke("aut_no")), "no authorisation");
}

#[test]
fn refused_grants() {
    let mut farm = Farm::new();
    let other = approved(&mut farm.world, register("别家合作社", "91350100M000100Y43"));
    let foreign = farm.world.ok(&clerk(), add_product(&other, "别家莲", "莲"));
    farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    let good = grant(&farm.operator);
    let cases = [
        (GrantAuthorisation { operator: "opr_no".into(), ..good.clone() }, "no operator"),
        (GrantAuthorisation { product: Some("prd_no".into()), ..good.clone() }, "no product"),
        (GrantAuthorisation { product: Some(foreign), ..good.clone() }, "product:other_operator"),
        (
            GrantAuthorisation { printer: Some("a1".into()), ..good.clone() },
            "printer:not_a_printer",
        ),
        (GrantAuthorisation { printer: Some("a9".into()), ..good.clone() }, "no device"),
        (
            GrantAuthorisation { valid_to: Some(day("2026-10-31")), ..good.clone() },
            "valid_to:bad_range",
        ),
        (
            GrantAuthorisation {
                granted_by: String::new(),
                evidence: String::new(),
                ..good.clone()
            },
            "granted_by:required evidence:required",
        ),
    ];
    for (command, expected) in cases {
        let case = format!("{command:?}");
        assert_eq!(
            farm.world.no(&clerk(), Command::GrantAuthorisation(command)),
            expected,
            "{case}"
        );
    }
    // More than are ever looked at would hide the newest.
    for _ in 0..AUTHORISATIONS_MAX {
        granted(&mut farm, good.clone());
    }
    assert_eq!(farm.world.no(&clerk(), Command::GrantAuthorisation(good)), "operator:too_many");
}
