//! Cells of grid supervision: each operator is in one at most, and somebody answers for it.

use tianyin_domain::agency::{AddAgency, AgencyKind};
use tianyin_domain::cell::{self, Cell, CellData, ChangeCell, EndCell};
use tianyin_domain::operator::Operator;
use tianyin_domain::user::{ActiveChanged, AddUser};
use tianyin_domain::{Command, Role};

use crate::farm::{Farm, OTHER_TOWNSHIP, TOWNSHIP, admin, clerk_of};
use crate::world::World;

fn whole(name: &str, area: &str) -> CellData {
    CellData { name: name.into(), area: area.into(), whole: true, ..CellData::default() }
}

fn naming(name: &str, operators: &[&str]) -> CellData {
    let operators = operators.iter().map(|id| (*id).to_owned()).collect();
    CellData { name: name.into(), area: TOWNSHIP.into(), operators, ..CellData::default() }
}

fn change(cell: &str, data: CellData) -> Command {
    Command::ChangeCell(ChangeCell { cell: cell.into(), data, reason: "调整".into() })
}

fn end(cell: &str) -> Command {
    Command::EndCell(EndCell { cell: cell.into(), reason: "合并".into() })
}

fn cell_of(world: &World, operator: &str) -> Option<String> {
    let operator: Operator = world.get(operator);
    cell::of_operator(world.state(), &operator).unwrap().map(|cell| cell.data.name)
}

#[test]
fn an_operator_is_in_the_cell_that_names_it_else_in_that_of_its_township() {
    let Farm { mut world, operator, .. } = Farm::new();
    assert_eq!(cell_of(&world, &operator), None, "a hole");
    let big = world.ok(&admin(), Command::AddCell(whole("花石镇", TOWNSHIP)));
    assert_eq!(cell_of(&world, &operator).as_deref(), Some("花石镇"));
    let small = world.ok(&clerk_of(TOWNSHIP), Command::AddCell(naming("日华村", &[&operator])));
    assert_eq!(cell_of(&world, &operator).as_deref(), Some("日华村"));

    // By name in one cell, a township in one cell.
    let other = Command::AddCell(naming("另一村", &[&operator]));
    assert_eq!(world.no(&admin(), other), "operator_in_cell");
    let twice = Command::AddCell(whole("又一个", TOWNSHIP));
    assert_eq!(world.no(&admin(), twice.clone()), "township_in_cell");
    assert_eq!(world.no(&admin(), Command::AddCell(naming("日华村", &[]))), "name:taken");

    // A change of itself is in nobody's way; what ends gives way.
    world.ok(&admin(), change(&small, naming("日华村", &[&operator])));
    world.ok(&admin(), end(&small));
    assert_eq!(cell_of(&world, &operator).as_deref(), Some("花石镇"));
    assert_eq!(world.no(&admin(), change(&small, naming("日华村", &[]))), "cell_ended");
    assert_eq!(world.no(&admin(), end(&small)), "cell_ended");
    assert_eq!(world.get::<Cell>(&small).ended.as_deref(), Some("合并"));
    world.ok(&admin(), end(&big));
    assert_eq!(cell_of(&world, &operator), None);
    world.ok(&admin(), twice);
    assert_eq!(world.replayed(4), world.state);
}

#[test]
fn a_cell_is_a_township_or_village_of_the_county_with_somebody_who_sees_it() {
    let mut world = World::new();
    world.ok(&admin(), crate::farm::county("湘潭县"));
    let mut station = |area: &str| {
        let (name, area) = (format!("{area}监管站"), area.to_owned());
        let command = AddAgency { name, kind: AgencyKind::Station, area };
        world.ok(&admin(), Command::AddAgency(command))
    };
    let (own, other) = (station(TOWNSHIP), station(OTHER_TOWNSHIP));
    let mut person = |username: &str, agency: &str| {
        let command = AddUser {
            username: username.into(),
            name: "包片人".into(),
            role: Role::Clerk,
            area: String::new(),
            operator: None,
            agency: Some(agency.into()),
            credential: "sec".into(),
            initial: false,
        };
        world.ok(&admin(), Command::AddUser(command))
    };
    let (near, far) = (person("near", &own), person("far", &other));
    let base = whole("花石镇", TOWNSHIP);
    let village = "430321106201";
    for (data, told) in [
        (CellData { area: "430321".into(), ..base.clone() }, "area:cell_area"),
        (CellData { area: "430322100".into(), ..base.clone() }, "area:cell_area"),
        (CellData { area: village.into(), ..base.clone() }, "whole:cell_whole_township"),
        (CellData { name: " ".into(), ..base.clone() }, "name:required"),
        (CellData { person: "老王".into(), ..base.clone() }, "phone:required"),
        (
            CellData {
                person: "老王".into(),
                phone: "0731-1".into(),
                user: Some(near.clone()),
                ..base.clone()
            },
            "person:one_person_only",
        ),
        (CellData { user: Some(far), ..base.clone() }, "user:person_not_here"),
        (CellData { user: Some("usr_no".into()), ..base.clone() }, "no user"),
        (CellData { agency: Some(other), ..base.clone() }, "agency:agency_not_here"),
        (CellData { operators: ["opr_no".into()].into(), ..base.clone() }, "no operator"),
    ] {
        let case = format!("{data:?}");
        assert_eq!(world.no(&admin(), Command::AddCell(data)), told, "{case}");
    }
    let good = CellData { user: Some(near.clone()), agency: Some(own), ..base };
    let cell = world.ok(&clerk_of(TOWNSHIP), Command::AddCell(good.clone()));
    // Whoever left is not chosen again, but may stay until somebody mends the hole.
    let leaves = ActiveChanged { user: near, active: false };
    world.ok(&admin(), Command::SetUserActive(leaves));
    assert_eq!(world.no(&admin(), change(&cell, good.clone())), "user:person_not_here");
    let mended = CellData { user: None, person: "老王".into(), phone: "0731-1".into(), ..good };
    world.ok(&admin(), change(&cell, mended));
    let no_reason = EndCell { cell: cell.clone(), reason: String::new() };
    assert_eq!(world.no(&admin(), Command::EndCell(no_reason)), "reason:required");
    let listed = CellData { area: village.into(), whole: false, ..whole("日华村", TOWNSHIP) };
    world.ok(&admin(), Command::AddCell(listed));
}

#[test]
fn a_station_draws_cells_in_its_township_with_operators_it_sees() {
    let Farm { mut world, operator, .. } = Farm::new();
    let stranger = clerk_of(OTHER_TOWNSHIP);
    assert_eq!(world.no(&stranger, Command::AddCell(whole("甲", TOWNSHIP))), "forbidden");
    let mut theirs = naming("乙", &[&operator]);
    theirs.area = OTHER_TOWNSHIP.into();
    assert_eq!(world.no(&stranger, Command::AddCell(theirs.clone())), "no operator");
    // What the county named across the border may stay when the station changes the rest.
    let cell = world.ok(&admin(), Command::AddCell(theirs.clone()));
    let renamed = CellData { name: "丙".into(), ..theirs };
    world.ok(&stranger, change(&cell, renamed.clone()));
    assert_eq!(world.no(&clerk_of(TOWNSHIP), change(&cell, renamed)), "forbidden");
    assert_eq!(world.no(&clerk_of(TOWNSHIP), end(&cell)), "no cell");
}
