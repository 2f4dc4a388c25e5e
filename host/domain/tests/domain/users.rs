//! Users, agencies, the county's own record.

use tianyin_domain::agency::{AddAgency, AgencyKind};
use tianyin_domain::county::{COUNTY_ID, ConfigureCounty, County};
use tianyin_domain::site::{AddSite, Site};
use tianyin_domain::user::{ActiveChanged, AddUser, CredentialChanged, User};
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
        (station, Scope { area: Some(TOWNSHIP.into()), operators: vec![] }),
        (AddUser { area: String::new(), ..add("county") }, Scope::everything()),
        // A producer's area gives it no sight of its neighbours.
        (grower, Scope::operator(&farm.operator)),
    ];
    for (command, expected) in cases {
        let id = farm.world.ok(&admin(), Command::AddUser(command));
        let user: User = farm.world.get(&id);
        let Actor::User { scope, .. } = user.actor() else { panic!("a user is a user") };
        assert_eq!(scope, expected, "{}", user.username);
    }
}

#[test]
fn credentials_and_activity() {
    let mut world = World::new();
    let id = world.ok(&admin(), Command::AddUser(add("wang")));
    let changed = CredentialChanged { user: id.clone(), credential: "sec_2".into() };
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
    let boss_actor = world.get::<User>(&boss).actor();
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
    };
    let id = farm.world.ok(&clerk(), Command::AddSite(add.clone()));
    assert_eq!(farm.world.get::<Site>(&id).area, OTHER_TOWNSHIP);
    assert_eq!(farm.world.get::<Site>(&farm.site).area, TOWNSHIP, "the operator's by default");
    let unnamed = AddSite { area_name: String::new(), size_mu: decimal("0"), ..add };
    let told = farm.world.no(&clerk(), Command::AddSite(unnamed));
    assert_eq!(told, "area_name:required size_mu:bad_quantity");
}
