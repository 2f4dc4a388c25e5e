//! Delegation of operators to village service points (R-011): sight, limits, what the journal says.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tianyin_domain::agency::{AddAgency, Agency, AgencyKind};
use tianyin_domain::delegation::{
    self, AT_ONCE_MAX, DELEGATED_MAX, DelegateOperators, Delegation, EndDelegation,
};
use tianyin_domain::operator::{Operator, OperatorStatus};
use tianyin_domain::user::{AddUser, User};
use tianyin_domain::{Actor, Command, Event, Role, Scope};

use crate::farm::{OTHER_TOWNSHIP, TOWNSHIP, add_site, admin, clerk_of, county, register, review};
use crate::world::World;

/// A county with a service point, one clerk there, and operators in two townships.
struct Village {
    world: World,
    point: String,
    clerk: String,
    near: Vec<String>,
    far: String,
}

impl Village {
    fn new() -> Self {
        let mut world = World::new();
        world.ok(&admin(), county("湘潭县"));
        let point = AddAgency {
            name: "日华村服务站点".into(),
            kind: AgencyKind::ServicePoint,
            area: TOWNSHIP.into(),
        };
        let point = world.ok(&admin(), Command::AddAgency(point));
        let clerk = world.ok(&admin(), Command::AddUser(clerk_in(&point)));
        let near = ["甲", "乙"].map(|name| operator(&mut world, name, TOWNSHIP)).to_vec();
        let far = operator(&mut world, "丙", OTHER_TOWNSHIP);
        Self { world, point, clerk, near, far }
    }

    /// The clerk as it signs in now.
    fn actor(&self) -> Actor {
        let user: User = self.world.get(&self.clerk);
        user.actor(self.world.state()).unwrap()
    }

    fn scope(&self) -> Scope {
        let Actor::User { scope, .. } = self.actor() else { unreachable!("a user") };
        scope
    }

    fn delegate(&mut self, operators: &[&str]) {
        let command = begin(&self.point, operators);
        self.world.ok(&clerk_of(TOWNSHIP), command);
    }
}

fn clerk_in(agency: &str) -> AddUser {
    AddUser {
        username: "cunzhan".into(),
        name: "村站".into(),
        role: Role::Clerk,
        area: String::new(),
        operator: None,
        agency: Some(agency.into()),
        credential: "sec_1".into(),
        initial: false,
    }
}

/// A farmer, who needs no credit code.
fn farmer(name: &str, area: &str) -> tianyin_domain::operator::RegisterOperator {
    let mut data = register(name, "");
    data.kind = tianyin_domain::operator::OperatorKind::Farmer;
    data.area = area.into();
    data.contact_phone = "138****5678".into();
    data
}

fn operator(world: &mut World, name: &str, area: &str) -> String {
    world.ok(&admin(), Command::RegisterOperator(farmer(name, area)))
}

fn begin(agency: &str, operators: &[&str]) -> Command {
    let operators = operators.iter().map(|id| (*id).to_owned()).collect();
    Command::DelegateOperators(DelegateOperators { agency: agency.into(), operators })
}

fn end(agency: &str, operator: &str, reason: &str) -> Command {
    Command::EndDelegation(EndDelegation {
        agency: agency.into(),
        operator: operator.into(),
        reason: reason.into(),
    })
}

#[test]
fn people_of_a_service_point_work_for_what_is_delegated_to_it() {
    let mut village = Village::new();
    let [first, second] = [village.near[0].clone(), village.near[1].clone()];
    assert_eq!(village.scope(), Scope::delegated(&village.point, BTreeSet::new()), "nothing yet");
    assert_eq!(village.world.no(&village.actor(), add_site(&first, "田")), "no operator");

    village.delegate(&[&first]);
    let before = village.actor();
    assert!(village.scope().covers(TOWNSHIP, &first));
    assert!(!village.scope().covers(TOWNSHIP, &second), "its neighbour is not");
    assert!(!village.scope().covers(TOWNSHIP, ""), "nor are rows of nobody");
    village.world.ok(&village.actor(), add_site(&first, "田"));
    assert_eq!(village.world.no(&village.actor(), add_site(&second, "田")), "no operator");

    // The actor of a session that has not heard of the end yet gets nowhere.
    let point = village.point.clone();
    assert_eq!(village.world.no(&admin(), end(&point, &first, " ")), "reason:required");
    village.world.ok(&admin(), end(&point, &first, "农户改由邻村服务"));
    assert_eq!(village.world.no(&before, add_site(&first, "塘")), "no operator");
    assert_eq!(village.world.no(&admin(), end(&point, &first, "再次")), "delegation_ended");
    assert_eq!(village.world.no(&admin(), end(&point, &second, "没有")), "no delegation");

    // It may begin again: one record, and the history has all of it.
    village.delegate(&[&first]);
    let kept: Delegation = village.world.get(&delegation::key(&point, &first));
    assert_eq!((kept.ended, kept.by.as_str()), (None, "user/usr_station"));
    village.world.ok(&village.actor(), add_site(&first, "塘"));
    assert_eq!(village.world.replayed(3), village.world.state);
}

#[test]
fn who_delegates_what_to_whom() {
    let mut village = Village::new();
    let (near, far, point) = (village.near[0].clone(), village.far.clone(), village.point.clone());
    let station =
        AddAgency {
            name: "花石镇监管站".into(), kind: AgencyKind::Station, area: TOWNSHIP.into()
        };
    let station = village.world.ok(&admin(), Command::AddAgency(station));
    let world = &mut village.world;
    assert_eq!(world.no(&admin(), begin(&station, &[&near])), "not_a_service_point");
    assert_eq!(world.no(&admin(), begin(&point, &[])), "operators:required");
    let many: Vec<String> = (0..=AT_ONCE_MAX).map(|n| format!("opr_{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(world.no(&admin(), begin(&point, &many)), "operators:too_many");
    assert_eq!(world.no(&clerk_of(TOWNSHIP), begin(&point, &[&far])), "no operator");
    assert_eq!(world.no(&clerk_of(OTHER_TOWNSHIP), begin(&point, &[&far])), "no agency");
    // The county may reach across a township's border; the station may end what it did not begin.
    world.ok(&admin(), begin(&point, &[&far, &near]));
    let again = world.give(&admin(), begin(&point, &[&far])).unwrap();
    assert!(!again.written, "it is delegated already");
    world.ok(&clerk_of(TOWNSHIP), end(&point, &far, "太远"));
    world.ok(&admin(), review(&far, OperatorStatus::Approved, ""));
    world.ok(&admin(), review(&far, OperatorStatus::Exited, "停产"));
    assert_eq!(world.no(&admin(), begin(&point, &[&far])), "not_on_register");
}

#[test]
fn what_a_service_point_registers_is_delegated_to_it_by_the_same_command() {
    let mut village = Village::new();
    let own = Command::RegisterOperator(farmer("丁", TOWNSHIP));
    let elsewhere = Command::RegisterOperator(farmer("戊", OTHER_TOWNSHIP));
    let actor = village.actor();
    assert_eq!(village.world.no(&actor, elsewhere), "forbidden");
    let lines = village.world.lines.len();
    let id = village.world.ok(&actor, own);
    assert_eq!(village.world.lines.len(), lines + 1);
    let events = village.world.last_events();
    assert!(matches!(&events[..], [Event::OperatorRegistered(_), Event::OperatorDelegated(_)]));
    assert!(village.scope().covers(TOWNSHIP, &id));
    village.world.ok(&actor, add_site(&id, "田"));
    // Others register for nobody.
    operator(&mut village.world, "己", TOWNSHIP);
    assert_eq!(village.world.last_events().len(), 1);
}

#[test]
fn a_service_point_has_room_for_so_many() {
    let mut village = Village::new();
    let mut left = DELEGATED_MAX;
    while left > 0 {
        let now = left.min(AT_ONCE_MAX);
        let ids: Vec<String> = (0..now)
            .map(|n| operator(&mut village.world, &format!("户{left}-{n}"), TOWNSHIP))
            .collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        village.delegate(&ids);
        left -= now;
    }
    let (actor, point, near) = (village.actor(), village.point.clone(), village.near[0].clone());
    assert_eq!(village.scope().operators.len(), DELEGATED_MAX);
    assert_eq!(village.world.no(&admin(), begin(&point, &[&near])), "too_many_delegated");
    let more = Command::RegisterOperator(farmer("庚", TOWNSHIP));
    assert_eq!(village.world.no(&actor, more.clone()), "too_many_delegated");

    // Hundreds of operators are not hundreds of ids on each line.
    let line = serde_json::to_string(&actor).unwrap();
    let told = format!(r#""scope":{{"through":"{point}"}}"#);
    assert!(line.contains(&told) && line.len() < 200, "{line}");
    let read: Actor = serde_json::from_str(&line).unwrap();
    assert_eq!(read.name(), actor.name());

    let first = village.scope().operators.first().unwrap().clone();
    village.world.ok(&admin(), end(&point, &first, "搬走"));
    village.world.ok(&actor, more);
}

#[test]
fn scopes_of_others_are_written_as_ever() {
    for (scope, text) in [
        (Scope::everything(), r#"{"area":""}"#),
        (Scope::area(TOWNSHIP), r#"{"area":"430321106"}"#),
        (Scope::operator("opr_1"), r#"{"operators":["opr_1"]}"#),
        (Scope::default(), "{}"),
    ] {
        assert_eq!(serde_json::to_string(&scope).unwrap(), text);
        assert_eq!(serde_json::from_str::<Scope>(text).unwrap(), scope);
    }
}

#[test]
fn a_service_point_of_earlier_versions_sees_its_township_until_the_first_delegation() {
    let mut village = Village::new();
    // As lines of earlier versions made it.
    let old: Agency = village.world.get(&village.point);
    let old = serde_json::to_string(&Agency { delegated_only: false, ..old }).unwrap();
    assert!(!old.contains("delegated_only"), "{old}");
    for line in &mut village.world.lines {
        if line.events.contains("\"agency.added\"") {
            line.events = format!("[{{\"agency.added\":{old}}}]");
        }
    }
    village.world.state = village.world.replayed(1);
    assert_eq!(village.scope(), Scope::area(TOWNSHIP));
    let (first, second) = (village.near[0].clone(), village.near[1].clone());
    let actor = village.actor();
    village.world.ok(&actor, add_site(&second, "田"));
    let id = village.world.ok(&actor, Command::RegisterOperator(farmer("辛", TOWNSHIP)));
    assert_eq!(village.world.get::<Operator>(&id).name, "辛");
    village.delegate(&[&first]);
    assert_eq!(village.scope().operators, [first].into());
    assert_eq!(village.world.no(&village.actor(), add_site(&second, "塘")), "no operator");
}

proptest! {
    /// Whatever was delegated and ended in whatever order: what is seen, what is decided and what the
    /// journal leads to are the same.
    #[test]
    fn sight_is_what_is_delegated_now(steps in proptest::collection::vec((0usize..3, any::<bool>()), 0..12)) {
        let mut village = Village::new();
        let all = [village.near[0].clone(), village.near[1].clone(), village.far.clone()];
        let mut model = BTreeSet::new();
        let stale = village.actor();
        for (which, begins) in steps {
            let (point, id) = (village.point.clone(), all[which].as_str());
            let command = if begins { begin(&point, &[id]) } else { end(&point, id, "变更") };
            let answer = village.world.give(&admin(), command);
            prop_assert_eq!(answer.is_ok(), begins || model.contains(id));
            if begins { model.insert(id.to_owned()) } else { model.remove(id) };
        }
        prop_assert_eq!(&village.scope().operators, &model);
        for id in &all {
            let mine = model.contains(id);
            prop_assert_eq!(village.scope().covers(TOWNSHIP, id), mine);
            for actor in [village.actor(), stale.clone()] {
                prop_assert_eq!(village.world.give(&actor, add_site(id, "田")).is_ok(), mine);
            }
        }
        prop_assert_eq!(village.world.replayed(2), village.world.state);
    }
}
