//! Rules for accounts: initial and old passwords, second factors, API tokens, masked data looked at.

use tianyin_domain::access::{Access, AccessKind, NoteAccess, RevealContact};
use tianyin_domain::login::{EnrolTotp, RECOVERY_CODES, RemoveTotp, UseRecovery};
use tianyin_domain::operator::{OperatorKind, RegisterOperator};
use tianyin_domain::policy::{PasswordPreset, Policy, SetPolicy};
use tianyin_domain::token::{ApiToken, MakeToken, NoteTokenUse, RevokeToken, TokenGroup};
use tianyin_domain::user::{ActiveChanged, AddUser, CredentialChanged, User};
use tianyin_domain::{Actor, Command, DomainError, Role, Time};

use crate::farm::{TOWNSHIP, admin, county, register, system};
use crate::world::World;

pub fn policy(passwords: PasswordPreset) -> SetPolicy {
    SetPolicy { passwords, initial_days: 7, totp_for_administrators: false }
}

pub fn enrol(user: &str) -> EnrolTotp {
    let recovery = (0..RECOVERY_CODES).map(|n| format!("digest-{n}")).collect();
    EnrolTotp { user: user.into(), secret: "sec_totp".into(), recovery }
}

pub fn token(groups: &[TokenGroup]) -> MakeToken {
    MakeToken { name: "对接".into(), groups: groups.to_vec(), days: 30, sha256: "digest".into() }
}

pub fn reveal(operator: &str) -> RevealContact {
    RevealContact {
        operator: operator.into(),
        reason: "通知抽检不合格".into(),
        address: "192.0.2.7".into(),
    }
}

fn add(username: &str, role: Role) -> Command {
    Command::AddUser(AddUser {
        username: username.into(),
        name: "王五".into(),
        role,
        area: String::new(),
        operator: None,
        agency: None,
        credential: "sec_1".into(),
        initial: false,
    })
}

fn change(user: &str, credential: &str) -> Command {
    Command::ChangeCredential(CredentialChanged::new(user, credential, false))
}

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

/// A user who chose its own password, and the actor it is.
fn person(world: &mut World, username: &str, role: Role) -> (String, Actor) {
    let id = world.ok(&system(), add(username, role));
    let actor = world.get::<User>(&id).actor(world.state()).unwrap();
    (id, actor)
}

#[test]
fn presets_ask_what_their_standards_ask() {
    let cases = [
        ("Ab1-Ab1", Some("bad_password"), Some("bad_password")),
        ("abcdefgh", None, Some("password_classes")),
        ("abcdefg1", None, Some("password_classes")),
        ("abcdefG1", None, None),
        ("密码密码密码aA", None, None),
        ("xWANG-12", None, Some("password_has_name")),
        (&"x".repeat(129), Some("bad_password"), Some("bad_password")),
    ];
    for (password, asvs5, gb22239) in cases {
        assert_eq!(PasswordPreset::Asvs5.rules().fault(password, "wang"), asvs5, "{password}");
        assert_eq!(PasswordPreset::Gb22239.rules().fault(password, "wang"), gb22239, "{password}");
    }
    assert_eq!(PasswordPreset::Asvs5.rules().days_max, None, "ASVS 5.0 6.2.10: no rotation");
}

#[test]
fn the_policy_is_set_within_limits() {
    let mut world = World::new();
    assert_eq!(Policy::of(world.state()).unwrap(), Policy::default());
    for initial_days in [0, 31] {
        let command = SetPolicy { initial_days, ..policy(PasswordPreset::Asvs5) };
        assert_eq!(world.no(&admin(), Command::SetPolicy(command)), "initial_days:bad_days");
    }
    world.ok(&admin(), Command::SetPolicy(policy(PasswordPreset::Gb22239)));
    assert_eq!(Policy::of(world.state()).unwrap().passwords, PasswordPreset::Gb22239);
}

#[test]
fn a_password_that_somebody_else_gave_is_to_be_changed_in_time() {
    let mut world = World::new();
    let id = world.ok(&admin(), add("wang", Role::Clerk));
    let user: User = world.get(&id);
    assert_eq!(user.login.initial_until, Some(time("2026-11-27T08:00:00Z")));
    let default = Policy::default();
    assert!(user.login.must_change(&default, world.time) && !user.login.is_over(world.time));
    assert!(user.login.is_over(time("2026-11-27T08:00:00Z")));

    world.time = time("2026-11-21T08:00:00Z");
    let actor = user.actor(world.state()).unwrap();
    world.ok(&actor, change(&id, "sec_2"));
    let own: User = world.get(&id);
    assert_eq!(own.login.initial_until, None, "one's own choice");
    assert_eq!(own.login.credential_at, Some(world.time));
    assert!(!own.login.must_change(&default, time("2030-01-01T00:00:00Z")), "ASVS: no rotation");

    let given = SetPolicy { initial_days: 3, ..policy(PasswordPreset::Asvs5) };
    world.ok(&admin(), Command::SetPolicy(given));
    world.ok(&admin(), change(&id, "sec_3"));
    let reset: User = world.get(&id);
    assert_eq!(reset.login.initial_until, Some(time("2026-11-24T08:00:00Z")));
    // The appliance's own shell may do either.
    world.ok(&system(), change(&id, "sec_4"));
    assert_eq!(world.get::<User>(&id).login.initial_until, None);
    world.ok(&system(), Command::ChangeCredential(CredentialChanged::new(&id, "sec_5", true)));
    assert!(world.get::<User>(&id).login.initial_until.is_some());
}

#[test]
fn gb_22239_keeps_five_passwords_and_wants_another_after_90_days() {
    let mut world = World::new();
    world.ok(&admin(), Command::SetPolicy(policy(PasswordPreset::Gb22239)));
    let (id, actor) = person(&mut world, "wang", Role::Clerk);
    for n in 2..=7 {
        world.ok(&actor, change(&id, &format!("sec_{n}")));
    }
    let user: User = world.get(&id);
    assert_eq!(user.login.earlier, ["sec_6", "sec_5", "sec_4", "sec_3"], "and the one in use");
    let rules = Policy::of(world.state()).unwrap();
    assert!(!user.login.must_change(&rules, time("2027-02-18T07:59:59Z")));
    assert!(user.login.must_change(&rules, time("2027-02-18T08:00:00Z")), "90 days");
    // Under the other preset nothing is kept.
    world.ok(&admin(), Command::SetPolicy(policy(PasswordPreset::Asvs5)));
    world.ok(&actor, change(&id, "sec_8"));
    assert!(world.get::<User>(&id).login.earlier.is_empty());
}

#[test]
fn a_second_factor_is_one_s_own() {
    let mut world = World::new();
    let (id, actor) = person(&mut world, "wang", Role::Clerk);
    let (_, other) = person(&mut world, "li-si", Role::Clerk);
    let enrolled = Command::EnrolTotp(enrol(&id));
    assert_eq!(world.no(&other, enrolled.clone()), "forbidden");
    assert_eq!(world.no(&admin(), enrolled.clone()), "forbidden");
    world.ok(&actor, enrolled.clone());
    assert_eq!(world.no(&actor, enrolled), "totp_is_on");
    let totp = world.get::<User>(&id).login.totp.unwrap();
    assert_eq!((totp.secret.as_str(), totp.since), ("sec_totp", world.time));

    let used = |digest: &str| {
        Command::UseRecovery(UseRecovery { user: id.clone(), code_sha256: digest.into() })
    };
    world.ok(&system(), used("digest-3"));
    assert_eq!(world.no(&system(), used("digest-3")), "wrong_code", "each once");
    assert_eq!(world.get::<User>(&id).login.totp.unwrap().recovery.len(), RECOVERY_CODES - 1);

    let remove = Command::RemoveTotp(RemoveTotp { user: id.clone() });
    assert_eq!(world.no(&other, remove.clone()), "forbidden");
    world.ok(&admin(), remove.clone());
    assert_eq!(world.no(&actor, remove), "totp_is_off");
}

#[test]
fn a_token_ends_with_what_it_was_made_of() {
    let mut world = World::new();
    let (id, actor) = person(&mut world, "wang", Role::Clerk);
    let (_, other) = person(&mut world, "li-si", Role::Clerk);
    let groups = [TokenGroup::Tests, TokenGroup::Register, TokenGroup::Tests];
    let token_id = world.ok(&actor, Command::MakeToken(token(&groups)));
    let made: ApiToken = world.get(&token_id);
    assert_eq!(made.groups, [TokenGroup::Register, TokenGroup::Tests]);
    let (user, now) = (world.get::<User>(&id), world.time);
    assert!(made.works(&user, now));
    assert!(!made.works(&user, time("2026-12-20T08:00:00Z")), "its time is over");
    assert!(!made.works(&User { active: false, ..user.clone() }, now));
    assert!(!made.works(&User { role: Role::Officer, ..user.clone() }, now));
    assert!(!made.works(&User { id: "usr_other".into(), ..user }, now));

    // Deactivated and taken back: it does not come back to life.
    world.time = time("2026-11-20T09:00:00Z");
    let active = |active| Command::SetUserActive(ActiveChanged { user: id.clone(), active });
    world.ok(&admin(), active(false));
    world.ok(&admin(), active(true));
    assert!(!made.works(&world.get(&id), world.time));

    world.time = time("2026-11-20T10:00:00Z");
    let second = MakeToken { sha256: "another".into(), ..token(&[]) };
    let second = world.ok(&actor, Command::MakeToken(second));
    world.ok(&system(), Command::NoteTokenUse(NoteTokenUse { token: second.clone() }));
    assert_eq!(world.get::<ApiToken>(&second).used_at, Some(world.time));
    // One's own new password leaves programs alone, one that somebody else sets does not.
    world.time = time("2026-11-20T11:00:00Z");
    world.ok(&actor, change(&id, "sec_2"));
    assert!(world.get::<ApiToken>(&second).works(&world.get(&id), world.time));
    world.ok(&admin(), change(&id, "sec_3"));
    assert!(!world.get::<ApiToken>(&second).works(&world.get(&id), world.time));

    let revoke = Command::RevokeToken(RevokeToken { token: second.clone() });
    assert_eq!(world.no(&other, revoke.clone()), "no token", "others' are not there");
    world.ok(&admin(), revoke.clone());
    assert_eq!(world.no(&actor, revoke), "token_revoked");
}

#[test]
fn tokens_have_limits() {
    let mut world = World::new();
    let (_, actor) = person(&mut world, "wang", Role::Clerk);
    for days in [0, 367] {
        let command = MakeToken { days, ..token(&[]) };
        assert_eq!(world.no(&actor, Command::MakeToken(command)), "days:bad_token_days");
    }
    for n in 0..tianyin_domain::token::TOKENS_MAX {
        let command = MakeToken { sha256: format!("digest-{n}"), ..token(&[]) };
        world.ok(&actor, Command::MakeToken(command));
    }
    assert_eq!(world.no(&actor, Command::MakeToken(token(&[]))), "too_many_tokens");
    assert_eq!(world.no(&system(), Command::MakeToken(token(&[]))), "forbidden");
}

#[test]
fn a_masked_phone_is_looked_at_for_a_reason() {
    let mut world = World::new();
    world.ok(&admin(), county("湘潭县"));
    let (id, actor) = person(&mut world, "wang", Role::Officer);
    let farmer = RegisterOperator {
        kind: OperatorKind::Farmer,
        uscc: String::new(),
        area: TOWNSHIP.into(),
        contact_phone: "138****5678".into(),
        contact_secret: Some("sec_phone".into()),
        ..register("张三", "")
    };
    let farmer = world.ok(&admin(), Command::RegisterOperator(farmer));
    let firm = register("甲社", "91350100M000100Y43");
    let firm = world.ok(&admin(), Command::RegisterOperator(firm));
    let access = world.ok(&actor, Command::RevealContact(reveal(&farmer)));
    let access: Access = world.get(&access);
    assert_eq!((access.user.as_str(), access.kind), (id.as_str(), AccessKind::Reveal));
    assert_eq!(
        (access.what, access.reason),
        (format!("operator/{farmer}"), "通知抽检不合格".into())
    );
    for reason in [" ", "查"] {
        let command = RevealContact { reason: reason.into(), ..reveal(&farmer) };
        assert_eq!(world.no(&actor, Command::RevealContact(command)), "reason:required");
    }
    assert_eq!(world.no(&actor, Command::RevealContact(reveal(&firm))), "not_masked");
    assert_eq!(world.no(&actor, Command::RevealContact(reveal("opr_no"))), "no operator");
}

#[test]
fn an_account_knows_when_it_was_used() {
    // whether accounts are used is to be seen.
    let mut world = World::new();
    let (id, _) = person(&mut world, "wang", Role::Clerk);
    let note = |kind| {
        Command::NoteAccess(NoteAccess {
            user: id.clone(),
            kind,
            what: String::new(),
            rows: 0,
            address: "192.0.2.7".into(),
        })
    };
    world.ok(&system(), note(AccessKind::Export));
    assert_eq!(world.get::<User>(&id).login.seen_at, None);
    world.ok(&system(), note(AccessKind::SignIn));
    assert_eq!(world.get::<User>(&id).login.seen_at, Some(world.time));
}

#[test]
fn a_repeated_request_makes_one_token() {
    let mut world = World::new();
    let (_, actor) = person(&mut world, "wang", Role::Clerk);
    let envelope = |sha256: &str| {
        let command = MakeToken { sha256: sha256.into(), ..token(&[]) };
        let mut envelope = world.envelope(&actor, Command::MakeToken(command));
        envelope.idempotency_key = Some("key".into());
        envelope
    };
    let group = [envelope("first"), envelope("second")];
    let answers = world.group(&group);
    let ids: Vec<&str> = answers.iter().map(|a| a.as_ref().unwrap().id.as_str()).collect();
    assert_eq!(ids[0], ids[1]);
    assert!(!answers[1].as_ref().unwrap().written);
    assert!(!matches!(answers[1], Err(DomainError::KeyReused)));
}
