//! The whole table of who may give which command, and the property behind every sight.

use std::collections::BTreeSet;

use proptest::prelude::*;
use strum::IntoEnumIterator as _;
use tianyin_domain::agency::{self, Agency, AgencyKind};
use tianyin_domain::authorise::{authorise, group_of, roles_of};
use tianyin_domain::certificate::VoidCertificate;
use tianyin_domain::command::CommandKind;
use tianyin_domain::device::DeviceKind;
use tianyin_domain::pack::PackKind;
use tianyin_domain::span::SpanState;
use tianyin_domain::test::AssignTest;
use tianyin_domain::token::{TokenGroup, Via};
use tianyin_domain::{Actor, Command, DomainError, Role, Scope, Verdict};

use crate::farm::{
    Farm, OTHER_TOWNSHIP, TOWNSHIP, add_site, admin, approve, clerk, clerk_of, device, issue,
    judgement, measured, measurement, open_lot, producer, record, request, system, typed, user,
};
use crate::one_of_each::{POINT, samples};
use crate::packs::{mark, order};

/// The columns of the table.
fn actors(farm: &Farm) -> Vec<(&'static str, Actor)> {
    vec![
        ("administrator", admin()),
        ("clerk", clerk()),
        ("producer, own rows", farm.producer()),
        ("producer, others' rows", producer("opr_other")),
        ("clerk of the township", clerk_of(TOWNSHIP)),
        ("clerk of another township", clerk_of(OTHER_TOWNSHIP)),
        ("the device itself", device("a1")),
        ("another device", device("a2")),
        ("system", system()),
        ("officer", office(Role::Officer, AgencyKind::Supervision)),
        ("clerk of the testing body", office(Role::Clerk, AgencyKind::Testing)),
        ("clerk of the enforcement body", office(Role::Clerk, AgencyKind::Enforcement)),
        ("officer of the station", office(Role::Officer, AgencyKind::Station)),
        ("administrator of a service point", office(Role::Administrator, AgencyKind::ServicePoint)),
        ("the same, delegated", delegated(POINT)),
        ("the same, others delegated", delegated("agy_none")),
    ]
}

/// Somebody of a service point of this name that sees the operators delegated to it.
fn delegated(point: &str) -> Actor {
    let scope = Scope::delegated(point, BTreeSet::new());
    let office = Some(AgencyKind::ServicePoint);
    let (id, role) = ("usr_office".into(), Role::Administrator);
    Actor::User { id, role, scope, office, token: None }
}

/// The actor with the id of the service point in place of its name, as it is known after the samples.
fn settled(actor: Actor, farm: &Farm) -> Actor {
    let Actor::User { id, role, mut scope, office, token } = actor else { return actor };
    if scope.through.as_deref() == Some(POINT) {
        let point: Option<Agency> = farm.world.state().find(agency::BY_NAME, POINT).unwrap();
        scope.through = point.map(|point| point.id);
    }
    Actor::User { id, role, scope, office, token }
}

/// Somebody of an agency.
fn office(role: Role, kind: AgencyKind) -> Actor {
    let area = if kind.is_county_wide() { "" } else { TOWNSHIP };
    let scope = Scope::area(area);
    let (id, office) = ("usr_office".into(), Some(kind));
    Actor::User { id, role, scope, office, token: None }
}

/// The rows of the table: y may, f is forbidden, h finds nothing there. One letter a column.
fn expected(command: &Command) -> &'static str {
    match command {
        Command::ConfigureCounty(_)
        | Command::AddAgency(_)
        | Command::ApproveDevice(_)
        | Command::DisableDevice(_)
        | Command::LayBaseMap(_)
        | Command::SetPolicy(_)
        | Command::SetTracePolicy(_)
        | Command::SetScanPolicy(_)
        | Command::RotateKey(_)
        | Command::ImportMirrorLog(_)
        | Command::ReplayMessage(_) => "y fff ff ff y fffffff",
        // Nobody else has the phone: of the columns none is user `usr_1`.
        Command::EnrolTotp(_) => "f fff ff ff y fffffff",
        Command::MakeToken(_) | Command::RevokeToken(_) => "y yyy yy ff y yyyyyyy",
        Command::RevealContact(_) => "y yff yh ff y yyyyfff",
        Command::AddUser(_)
        | Command::SetUserActive(_)
        | Command::RemoveTotp(_)
        | Command::ChangeCredential(_) => "y fff ff ff y ffffyyy",

        // Delegating and drawing cells is for those above the service points.
        Command::DelegateOperators(_) | Command::EndDelegation(_) | Command::EndCell(_) => {
            "y yff yh ff y fffffff"
        }
        Command::AddCell(_) | Command::ChangeCell(_) => "y yff yf ff y fffffff",

        Command::AddInput(_) | Command::ReviseInput(_) | Command::CloseInput(_) => {
            "y yff yy ff y yffffff"
        }
        Command::RegisterOperator(_) => "y yff yf ff y yffyyyf",
        Command::ChangeOperator(_) => "y yyf yf ff y yffyyyf",
        Command::WithdrawOperator(_) => "f fyh ff ff y fffffff",
        Command::IssueCard(_) => "y yff yh ff y ffffyyh",
        Command::FileDocument(_) | Command::CloseDocument(_) => "y yyh yh ff y yffyyyh",
        Command::ReviewOperator(_)
        | Command::GrantAuthorisation(_)
        | Command::RevokeAuthorisation(_)
        | Command::ModerateFeedback(_)
        | Command::CloseFeedback(_) => "y yff yh ff y fffffff",
        Command::AssignTest(_) => "y yff yh ff y fyfffff",

        Command::AddSite(_)
        | Command::AddProduct(_)
        | Command::OpenLot(_)
        | Command::RecordActivity(_)
        | Command::CorrectActivity(_)
        | Command::StrikeActivity(_)
        | Command::TakeStep(_)
        | Command::StrikeStep(_)
        | Command::QueuePrint(_)
        | Command::CancelPrint(_)
        | Command::RetryPrint(_) => "y yyh yh ff y yffyyyh",
        Command::ChangeSite(_)
        | Command::CloseSite(_)
        | Command::ChangeProduct(_)
        | Command::CloseProduct(_)
        | Command::AddCertification(_)
        | Command::EndCertification(_)
        | Command::AddShopLink(_)
        | Command::CloseShopLink(_)
        | Command::SaveIdCard(_)
        | Command::SubmitIdCard(_)
        // Of a product or a lot; that of an operator is for the county to keep.
        | Command::SetNationalCode(_) => "y yyh yh ff y yffyyyh",
        Command::AddBrand(_) | Command::ChangeBrand(_) | Command::CloseBrand(_) => {
            "y yyh yh ff y yffyfff"
        }
        Command::LicenseBrand(_)
        | Command::EndBrandLicence(_)
        | Command::ReviewIdCard(_)
        | Command::PublishIdCard(_)
        | Command::WithdrawIdCard(_) => "y yff yh ff y fffffff",
        Command::RecordTest(_) => "y yyh yh ff y yyfyyyh",
        Command::IssueCertificate(_) | Command::MarkRange(_) => "y yyh yh ff y ffffyyh",
        Command::OrderPack(_) | Command::CancelPack(_) => "y yff yh ff y fffffff",
        Command::SaveLabelTemplate(_) | Command::CloseLabelTemplate(_) => "y yyh yh ff y fffffff",
        Command::CollectProof(_) | Command::StrikeCollection(_) => "y yyh yh ff y yffyyyh",
        Command::SettleSuspicion(_) => "y yff yh ff y ffyffff",
        Command::HoldLot(_) | Command::StartRecall(_) | Command::NoteRecall(_) => {
            "y yff yh ff y ffyffff"
        }
        Command::ReleaseLot(_) => "y yff yh ff y ffyffff",
        // The sample is of the whole county: a township has no hand in it.
        Command::CloseRecall(_) => "y yff hh ff y ffyffff",
        Command::HoldForRecall(_) => "f fff ff ff y fffffff",
        Command::VoidCertificate(_) => "y yyh yh ff y ffyffff",

        // Who works with growers takes samples, or objects for them; enforcement types no results.
        Command::TakeSample(_) | Command::CancelSample(_) | Command::FileObjection(_) => {
            "y yyh yh ff y yyyyfff"
        }
        Command::ReceiveSample(_) => "y yff yh ff y yyfyfff",
        Command::VerifyTest(_) | Command::StrikeTest(_) => "y yyh yh ff y yyfyfff",
        // Laboratories find; what follows for the tested party is for the authorities.
        Command::DeliverResult(_) | Command::SettlePositive(_) => "y yff yh ff y ffyffff",
        Command::OrderRetest(_)
        | Command::ReceiveRetestSample(_)
        | Command::ConcludeObjection(_) => "y yff yh ff y ffyffff",

        Command::ReceiveMessage(_) | Command::PairDevice(_) => "f fff ff yf y fffffff",

        Command::ScanLot(_)
        | Command::SettleMessage(_)
        | Command::BeginPrint(_)
        | Command::EndPrint(_)
        | Command::CountScans(_)
        | Command::ApplyOperator(_)
        | Command::NoteAccess(_)
        | Command::UseRecovery(_)
        | Command::NoteTokenUse(_)
        | Command::ScratchCode(_)
        | Command::LeaveFeedback(_)
        | Command::CheckCode(_) => "f fff ff ff y fffffff",
    }
}

#[test]
fn every_command_and_every_actor() {
    let mut farm = Farm::new();
    let samples = samples(&mut farm);
    let actors = actors(&farm);
    for command in &samples {
        let row: String = expected(command).split(' ').collect();
        assert_eq!(row.len(), actors.len());
        for ((who, actor), letter) in actors.iter().zip(row.chars()) {
            assert_eq!(letter_of(actor, command, &farm), letter, "{} by {who}", command.name());
        }
    }
}

/// The letter of the table; r where it is refused with the reason.
fn letter_of(actor: &Actor, command: &Command, farm: &Farm) -> char {
    match authorise(&settled(actor.clone(), farm), command, farm.world.state()) {
        Ok(()) => 'y',
        Err(DomainError::Forbidden { action }) => {
            assert_eq!(action, command.name());
            'f'
        }
        Err(DomainError::NotFound { .. }) => 'h',
        Err(other) => {
            assert_eq!(other.code(), "codes_not_handed_out", "{}", command.name());
            'r'
        }
    }
}

/// Whom codes of the county's pack were handed out to binds those, or tells that they are spoiled; no more.
#[test]
fn codes_that_were_handed_out() {
    let mut farm = Farm::new();
    samples(&mut farm);
    let (own, lot) = (farm.operator.clone(), farm.lot.clone());
    let pack = farm.world.ok(&admin(), order(PackKind::Unit, 1_000, None));
    farm.world.ok(&admin(), mark(&pack, 11, 20, SpanState::Assigned, Some(&own), None));
    let bind = |from, to| mark(&pack, from, to, SpanState::Bound, None, Some(&lot));
    let tell = |state, operator| mark(&pack, 11, 20, state, operator, None);
    for (command, row) in [
        (bind(11, 20), "y yyh hh ff y ffffhyh"),
        (tell(SpanState::Waste, None), "y yyh hh ff y ffffhyh"),
        (tell(SpanState::Void, None), "y yrh hh ff y ffffhrh"),
        (tell(SpanState::Assigned, Some(own.as_str())), "y yrh hh ff y ffffhrh"),
        (bind(10, 20), "y yrh hh ff y ffffhrh"),
        (bind(11, 21), "y yrh hh ff y ffffhrh"),
        (bind(30, 40), "y yrh hh ff y ffffhrh"),
        (bind(20, 11), "y yrh hh ff y ffffhrh"),
    ] {
        let letters: String =
            actors(&farm).iter().map(|(_, actor)| letter_of(actor, &command, &farm)).collect();
        assert_eq!(letters, row.replace(' ', ""), "{command:?}");
    }
}

#[test]
fn a_token_never_does_more_than_its_user_nor_than_its_groups() {
    let mut farm = Farm::new();
    let samples = samples(&mut farm);
    for (_, actor) in actors(&farm) {
        let Actor::User { id, role, scope, office, .. } = actor else { continue };
        let by = |groups: &[TokenGroup]| {
            let via = Via { id: "tok_1".into(), groups: groups.to_vec() };
            let (id, scope) = (id.clone(), scope.clone());
            Actor::User { id, role, scope, office, token: Some(via) }
        };
        let person =
            Actor::User { id: id.clone(), role, scope: scope.clone(), office, token: None };
        for command in &samples {
            let answer = |actor: &Actor| authorise(actor, command, farm.world.state());
            let outside = Err(DomainError::refused("outside_token_scope", &[]));
            let group = group_of(command.kind());
            assert_eq!(answer(&by(&[])), outside, "{}", command.name());
            let others: Vec<_> =
                TokenGroup::ALL.into_iter().filter(|one| Some(*one) != group).collect();
            assert_eq!(answer(&by(&others)), outside, "{}", command.name());
            if let Some(group) = group {
                assert_eq!(answer(&by(&[group])), answer(&person), "{}", command.name());
            }
        }
    }
    // No token reaches accounts, passwords, cards or settings.
    for kind in ["add_user", "change_credential", "make_token", "issue_card", "set_policy"] {
        assert_eq!(group_of(kind.parse().unwrap()), None, "{kind}");
    }
}

#[test]
fn no_command_is_missing_from_the_table() {
    let mut named: Vec<&str> = CommandKind::iter().map(Into::into).collect();
    let mut sampled: Vec<_> = samples(&mut Farm::new()).iter().map(Command::name).collect();
    named.sort_unstable();
    sampled.sort_unstable();
    assert_eq!(sampled, named);
}

#[test]
fn what_is_out_of_sight_looks_like_what_is_not_there() {
    let mut farm = Farm::new();
    let (product, site, lot) = (farm.product.clone(), farm.site.clone(), farm.lot.clone());
    let code = farm.issued("1");
    let void = |code: &str| {
        Command::VoidCertificate(VoidCertificate { code: code.into(), reason: "错".into() })
    };
    let enter = |lot: &str| record(typed(measurement("t1", "1"), lot, Verdict::Pass));
    let stranger = producer("opr_other");
    for (hidden, missing) in [
        (add_site(&farm.operator, "田"), add_site("?", "田")),
        (open_lot(&product, &site, "1", "2026-11-20"), open_lot("?", &site, "1", "2026-11-20")),
        (enter(&lot), enter("?")),
        (void(&code), void("?")),
    ] {
        let name = hidden.name();
        let mut noun = |command| match farm.world.give(&stranger, command) {
            Err(DomainError::NotFound { noun, .. }) => noun,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(noun(hidden), noun(missing), "{name}");
    }
}

#[test]
fn a_test_out_of_sight_is_not_to_be_assigned() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let Command::ApproveDevice(mut elsewhere) = approve("a2", DeviceKind::Analyzer, None) else {
        unreachable!("built above")
    };
    elsewhere.area = OTHER_TOWNSHIP.into();
    farm.world.ok(&admin(), Command::ApproveDevice(elsewhere));
    let unmatched = measured("a2", measurement("SN-1", "1"), None, Verdict::Hold);
    let test = farm.world.ok(&system(), record(unmatched));
    let assign = Command::AssignTest(AssignTest {
        test,
        lot,
        judgement: judgement(Verdict::Pass),
        sampling: None,
    });
    assert_eq!(farm.world.no(&clerk_of(TOWNSHIP), assign.clone()), "no test");
    assert_eq!(farm.world.no(&clerk_of(OTHER_TOWNSHIP), assign.clone()), "no lot");
    farm.world.ok(&clerk(), assign);
}

#[test]
fn a_producer_may_act_for_several_growers() {
    // A village service point acts for the growers that delegated to it.
    let mut farm = Farm::new();
    let scope =
        Scope { operators: ["opr_other".into(), farm.operator.clone()].into(), ..Scope::default() };
    let point = user("usr_point", Role::Producer, scope);
    let lot = farm.lot.clone();
    let command = issue(&mut farm.world, request(&lot, "1"));
    farm.world.ok(&point, command);
}

proptest! {
    #[test]
    fn sight_is_prefix_or_ownership(
        prefix in proptest::option::of("(|43|4303|430321|430321106|430322)"),
        area in "(|43|430321|430321106|430321106201|430322100|4303)",
        operators in proptest::collection::vec("(|opr_a|opr_b)", 0..3),
        owner in "(|opr_a|opr_b|opr_c)",
    ) {
        let operators: BTreeSet<String> = operators.into_iter().collect();
        let scope = Scope { area: prefix.clone(), operators: operators.clone(), through: None };
        let covers = scope.covers(&area, &owner);
        let in_area = prefix.as_ref().is_some_and(|p| area.get(..p.len()) == Some(p.as_str()));
        let owned = owner.starts_with("opr") && operators.contains(&owner);
        prop_assert_eq!(covers, in_area || owned);
        // More sight never hides a row; no sight shows none; the county's shows all.
        prop_assert!(Scope::everything().covers(&area, &owner));
        prop_assert!(!Scope::default().covers(&area, &owner));
        let area_only = prefix.map(|p| p.chars().take(4).collect());
        let wider = Scope { area: area_only, operators, through: None };
        prop_assert!(!covers || wider.covers(&area, &owner));
    }

    #[test]
    fn nobody_outside_the_roles_gets_in(seed in 0u8..4, area in "(|4303|430321106)") {
        let roles = [Role::Administrator, Role::Clerk, Role::Officer, Role::Producer];
        let role = roles[usize::from(seed)];
        let mut farm = Farm::new();
        let scope = Scope { operators: [farm.operator.clone()].into(), ..Scope::area(area) };
        let actor = user("usr_x", role, scope);
        for command in samples(&mut farm) {
            if !roles_of(command.kind()).contains(&role) {
                let answer = authorise(&actor, &command, farm.world.state());
                prop_assert_eq!(answer, Err(DomainError::Forbidden { action: command.name() }));
            }
        }
    }
}
