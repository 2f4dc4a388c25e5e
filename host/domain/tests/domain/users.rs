//! Users, agencies, the county's own record.

use tianyin_domain::agency::{AddAgency, AgencyKind};
use tianyin_domain::county::{COUNTY_ID, ConfigureCounty, County};
use tianyin_domain::site::{AddSite, Site, SiteKind};
use tianyin_domain::user::{ActiveChanged, AddUser, BY_NAME, CredentialChanged, User};
use tianyin_domain::{Actor, Command, Role, Scope};

use crate::farm::{Farm, OTHER_TOWNSHIP, TOWNSHIP, admin, clerk, county, decimal, system};
use crate::world::World;

fn add(username: &str) -> AddUser {
    AddUser {
        username: username.into(),
        name: "王五".into(),
        role: Role::Clerk,
        area: TOWNSHIP.into(),
        operator: None,
        agency: None,
        credential: "sec_1".into(),
        initial: false,
    }
}

#[test]
fn sign_in_names_are_unique() {
    let mut world = World::new();
    let id = world.ok(&admin(), Command::AddUser(add(" Wang.Wu ")));
    assert_eq!(world.get::<User>(&id).username, "wang.wu");
    assert_eq!(world.no(&admin(), Command::AddUser(add("wang.wu"))), "username:taken");
    let group = vec![world.envelope(&admin(), Command::AddUser(add("li-si"))); 2];
    let answers = world.group(&group);
    assert!(answers[0].is_ok() && answers[1].is_err());
}

#[test]
fn refused_users() {
    let mut farm = Farm::new();
    let some_operator = Some(farm.operator.clone());
    let cases = [
        (add("x"), "username:bad_username"),
        (add("王五"), "username:bad_username"),
        (AddUser { name: String::new(), ..add("wang") }, "name:required"),
        (AddUser { area: "花石".into(), ..add("wang") }, "area:bad_region_code"),
        (AddUser { operator: some_operator, ..add("wang") }, "operator:operator_for_producer"),
        (AddUser { role: Role::Producer, ..add("wang") }, "operator:operator_for_producer"),
        (
            AddUser { role: Role::Producer, operator: Some("opr_no".into()), ..add("wang") },
            "no operator",
        ),
        (AddUser { agency: Some("agy_no".into()), ..add("wang") }, "no agency"),
    ];
    for (command, expected) in cases {
        let case = format!("{command:?}");
        assert_eq!(farm.world.no(&admin(), Command::AddUser(command)), expected, "{case}");
    }
}

#[test]
fn a_user_acts_with_its_own_sight() {
    let mut farm = Farm::new();
    let agency = farm.world.ok(
        &admin(),
        Command::AddAgency(AddAgency {
            name: "花石镇监管站".into(),
            kind: AgencyKind::Station,
            area: TOWNSHIP.into(),
        }),
    );
    let station = AddUser { agency: Some(agency), ..add("station") };
    let operator = Some(farm.operator.clone());
    let grower = AddUser { role: Role::Producer, operator, ..add("grower") };
    let cases = [
        (station, Scope::area(TOWNSHIP)),
        (AddUser { area: String::new(), ..add("county") }, Scope::everything()),
        // A producer's area gives it no sight of its neighbours.
        (grower, Scope::operator(&farm.operator)),
    ];
    for (command, expected) in cases {
        let id = farm.world.ok(&admin(), Command::AddUser(command));
        let user: User = farm.world.get(&id);
        let Ok(Actor::User { scope, .. }) = user.actor(farm.world.state()) else {
            panic!("a user is a user")
        };
        assert_eq!(scope, expected, "{}", user.username);
    }
}

/// Agencies of the county with an administrator each, all allocated by the county's own.
struct Office {
    world: World,
    agencies: Vec<(AgencyKind, String)>,
    administrators: Vec<Actor>,
}

impl Office {
    fn new() -> Self {
        let mut world = World::new();
        world.ok(&admin(), county("湘潭县"));
        let (mut agencies, mut administrators) = (Vec::new(), Vec::new());
        for (kind, area) in [
            (AgencyKind::Supervision, "430321"),
            (AgencyKind::Testing, "430321"),
            (AgencyKind::Enforcement, "430321"),
            (AgencyKind::Station, TOWNSHIP),
            (AgencyKind::ServicePoint, TOWNSHIP),
        ] {
            let command = AddAgency { name: format!("{kind:?}"), kind, area: area.into() };
            let agency = world.ok(&admin(), Command::AddAgency(command));
            let first = AddUser { role: Role::Administrator, ..of(&agency, "admin") };
            let first = AddUser { username: format!("{kind:?}").to_lowercase(), ..first };
            let id = world.ok(&admin(), Command::AddUser(first));
            administrators.push(actor_of(&world, &id));
            agencies.push((kind, agency));
        }
        Self { world, agencies, administrators }
    }

    fn agency(&self, kind: AgencyKind) -> String {
        self.agencies.iter().find(|(k, _)| *k == kind).unwrap().1.clone()
    }

    fn administrator(&self, kind: AgencyKind) -> Actor {
        let place = self.agencies.iter().position(|(k, _)| *k == kind).unwrap();
        self.administrators[place].clone()
    }
}

fn actor_of(world: &World, user: &str) -> Actor {
    world.get::<User>(user).actor(world.state()).unwrap()
}

fn of(agency: &str, username: &str) -> AddUser {
    AddUser { agency: Some(agency.into()), area: String::new(), ..add(username) }
}

#[test]
fn accounts_are_allocated_down_the_tree() {
    // Who may add a clerk where: row by row the administrator of each agency.
    let expected = [
        (AgencyKind::Supervision, "yyyyy"),
        (AgencyKind::Testing, "nynnn"),
        (AgencyKind::Enforcement, "nnynn"),
        (AgencyKind::Station, "nnnyy"),
        (AgencyKind::ServicePoint, "nnnny"),
    ];
    let mut office = Office::new();
    for (kind, row) in expected {
        let actor = office.administrator(kind);
        for ((place, letter), (_, agency)) in row.chars().enumerate().zip(office.agencies.clone()) {
            let username = format!("{kind:?}-{place}").to_lowercase();
            let answer = office.world.give(&actor, Command::AddUser(of(&agency, &username)));
            match letter {
                'y' => assert!(answer.is_ok(), "{username}: {answer:?}"),
                _ => assert_eq!(answer.unwrap_err().code(), "allocated_above", "{username}"),
            }
        }
    }
    let named = |name| office.world.state().find::<User>(BY_NAME, name).unwrap().unwrap();
    let clerk = named("station-4");
    assert_eq!((clerk.office, clerk.area.as_str()), (Some(AgencyKind::ServicePoint), TOWNSHIP));
    assert_eq!(named("testing-1").area, "", "a body of the county sees the county");
}

#[test]
fn an_agency_has_one_administrator() {
    // exactly one named administrator for each.
    let mut office = Office::new();
    let (testing, boss) = (office.agency(AgencyKind::Testing), AgencyKind::Supervision);
    let boss = office.administrator(boss);
    let second = AddUser { role: Role::Administrator, ..of(&testing, "second") };
    let told = office.world.no(&boss, Command::AddUser(second.clone()));
    assert_eq!(told, "agency_has_administrator");
    // Not even the administrator makes another one of its own agency.
    let own = office.administrator(AgencyKind::Testing);
    assert_eq!(office.world.no(&own, Command::AddUser(second.clone())), "allocated_above");

    let Actor::User { id: first, .. } = own else { unreachable!("a user") };
    let active =
        |user: &str, active| Command::SetUserActive(ActiveChanged { user: user.into(), active });
    office.world.ok(&boss, active(&first, false));
    office.world.ok(&boss, Command::AddUser(second));
    assert_eq!(office.world.no(&boss, active(&first, true)), "agency_has_administrator");
}

#[test]
fn nobody_reaches_into_another_agency() {
    let mut office = Office::new();
    let testing = office.agency(AgencyKind::Testing);
    let enforcement = office.administrator(AgencyKind::Enforcement);
    let own = office.administrator(AgencyKind::Testing);
    let id = office.world.ok(&own, Command::AddUser(of(&testing, "tester")));
    let clerk = actor_of(&office.world, &id);
    let off = Command::SetUserActive(ActiveChanged { user: id.clone(), active: false });
    let password =
        |user: &str| Command::ChangeCredential(CredentialChanged::new(user, "sec_new", false));
    assert_eq!(office.world.no(&enforcement, off.clone()), "allocated_above");
    assert_eq!(office.world.no(&enforcement, password(&id)), "allocated_above");
    office.world.ok(&clerk, password(&id));
    office.world.ok(&own, password(&id));
    office.world.ok(&own, off);
    let agency = AddAgency {
        name: "自设机构".into(),
        kind: AgencyKind::ServicePoint,
        area: OTHER_TOWNSHIP.into(),
    };
    let station = office.administrator(AgencyKind::Station);
    let told = office.world.no(&station, Command::AddAgency(agency.clone()));
    assert_eq!(told, "agency_of_county");
    let point = AddAgency { area: TOWNSHIP.into(), ..agency.clone() };
    office.world.ok(&station, Command::AddAgency(point.clone()));
    assert_eq!(office.world.no(&admin(), Command::AddAgency(point)), "name:taken");
    let elsewhere = AddAgency { area: "430322100".into(), ..agency.clone() };
    assert_eq!(office.world.no(&admin(), Command::AddAgency(elsewhere)), "area:agency_area");
    let body = AddAgency { kind: AgencyKind::Testing, ..agency };
    assert_eq!(office.world.no(&admin(), Command::AddAgency(body)), "area:agency_area");
}

#[test]
fn credentials_and_activity() {
    let mut world = World::new();
    let id = world.ok(&admin(), Command::AddUser(add("wang")));
    let changed = CredentialChanged::new(&id, "sec_2", false);
    world.ok(&system(), Command::ChangeCredential(changed));
    let active =
        |user: &str, active| Command::SetUserActive(ActiveChanged { user: user.into(), active });
    world.ok(&admin(), active(&id, false));
    let user: User = world.get(&id);
    assert_eq!((user.credential.as_str(), user.active), ("sec_2", false));
    world.ok(&admin(), active(&id, true));
    assert!(world.get::<User>(&id).active);

    let boss =
        world.ok(&system(), Command::AddUser(AddUser { role: Role::Administrator, ..add("boss") }));
    let boss_actor = actor_of(&world, &boss);
    assert_eq!(world.no(&boss_actor, active(&boss, false)), "cannot_deactivate_self");
    assert_eq!(world.no(&admin(), active("usr_no", false)), "no user");
}

#[test]
fn the_county_stays_the_same() {
    let mut world = World::new();
    world.ok(&admin(), county("湘潭县"));
    let found: County = world.get(COUNTY_ID);
    assert_eq!(found.public_url, "http://10.0.0.8:8080", "no trailing slash before /T/");
    world.ok(&admin(), county("湘潭县(新)"));
    let Command::ConfigureCounty(good) = county("湘潭县") else { unreachable!("built above") };
    let url = |url: &str| ConfigureCounty { public_url: url.into(), ..good.clone() };
    let cases = [
        (ConfigureCounty { area: "430322".into(), ..good.clone() }, "county_is_fixed"),
        (ConfigureCounty { area: "4303211".into(), ..good.clone() }, "area:bad_region_code"),
        (url("ftp://x"), "public_url:bad_public_url"),
        (url("http://"), "public_url:bad_public_url"),
        (url("https://湘莲.cn"), "public_url:bad_public_url"),
        (url("https://a.cn/?x=1"), "public_url:bad_public_url"),
        (url(&format!("https://{}.cn", "a".repeat(60))), "public_url:bad_public_url"),
    ];
    for (command, expected) in cases {
        let case = format!("{command:?}");
        assert_eq!(world.no(&admin(), Command::ConfigureCounty(command)), expected, "{case}");
    }
}

#[test]
fn a_site_lies_where_it_lies() {
    let mut farm = Farm::new();
    let add = AddSite {
        operator: farm.operator.clone(),
        name: "二号田".into(),
        area: OTHER_TOWNSHIP.into(),
        area_name: "湘潭县射埠镇".into(),
        size_mu: decimal("3"),
        kind: SiteKind::Field,
        position: None,
        outline: vec![],
    };
    let id = farm.world.ok(&clerk(), Command::AddSite(add.clone()));
    assert_eq!(farm.world.get::<Site>(&id).area, OTHER_TOWNSHIP);
    assert_eq!(farm.world.get::<Site>(&farm.site).area, TOWNSHIP, "the operator's by default");
    let unnamed = AddSite { area_name: String::new(), size_mu: decimal("0"), ..add };
    let told = farm.world.no(&clerk(), Command::AddSite(unnamed));
    assert_eq!(told, "area_name:required size_mu:bad_quantity");
}
