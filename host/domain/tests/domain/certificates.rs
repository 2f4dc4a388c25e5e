//! Certificates: form and wording, quantities, who may issue, frozen for ever
//! (domain/rules-of-law, section 2; domain/traps, 3 to 6).

use tianyin_domain::certificate::{
    Basis, Certificate, CertificateRequest, CertificateStatus, Content, IssueCertificate,
    VoidCertificate, compose,
};
use tianyin_domain::certificate_form::{Issuer, first_known, form_on};
use tianyin_domain::code::{self, Code, CodeText};
use tianyin_domain::device::DeviceKind;
use tianyin_domain::id::SeededRandom;
use tianyin_domain::lot::Lot;
use tianyin_domain::operator::{OperatorKind, OperatorStatus, RegisterOperator};
use tianyin_domain::print_job::QueuePrint;
use tianyin_domain::scan::ScanCount;
use tianyin_domain::{Command, Decimal, DomainError, Role, Scope, Verdict};

use crate::farm::{
    Farm, add_product, add_site, admin, approve, approved, clerk, county, day, decimal, issue,
    judgement, measured, measurement, open_lot, prepare_issue, producer, record, register, request,
    review, system, user,
};
use crate::papers;
use crate::world::{World, told};

fn void(code: &str) -> Command {
    Command::VoidCertificate(VoidCertificate { code: code.into(), reason: "重量写错".into() })
}

fn certified(farm: &Farm) -> Decimal {
    farm.world.get::<Lot>(&farm.lot).certified
}

/// Composes, changes something, and submits as the producer.
fn tampered(farm: &mut Farm, change: impl FnOnce(&mut IssueCertificate)) -> String {
    let code = code::draw(&mut farm.world.random);
    let mut command = prepare_issue(&farm.world, request(&farm.lot, "10"), &code).unwrap();
    change(&mut command);
    let producer = farm.producer();
    farm.world.no(&producer, Command::IssueCertificate(Box::new(command)))
}

#[test]
fn the_wording_is_exact_to_the_byte() {
    let form = first_known();
    assert_eq!(
        form.wording(),
        "我承诺生产销售的食用农产品 未使用禁用农药、兽药及其他化合物;使用的常规农药、兽药残留不超标。"
    );
    assert_eq!(form.title, "承诺达标合格证");
    let words: Vec<&str> = form.bases.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(words, ["质量安全控制符合要求", "自行检测合格", "委托检测合格"]);
}

#[test]
fn the_day_of_issue_in_china_picks_the_form() {
    let forms = papers::forms();
    let form = |day: &str, issuer| {
        let found = form_on(&forms, crate::farm::day(day), issuer);
        found.map_or("none", |form| form.id.as_str())
    };
    let both = |day: &str| (form(day, Issuer::Producer), form(day, Issuer::Buyer));
    assert_eq!(both("2021-10-31"), ("none", "none"));
    assert_eq!(both("2021-11-01"), ("producer-2021", "producer-2021"));
    assert_eq!(both("2026-01-31"), ("producer-2021", "producer-2021"));
    assert_eq!(both("2026-02-01"), ("producer-2026", "buyer-2026"));
    assert_eq!(both("2099-12-31"), ("producer-2026", "buyer-2026"));

    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    // The last moment of January in China, and the first of February.
    let compose_at = |farm: &Farm, time: &str| {
        let code = code::draw(&mut SeededRandom(7));
        let (request, time) = (request(&farm.lot, "1"), time.parse().unwrap());
        compose(farm.world.state(), &request, &code, time, &first_known())
    };
    let before = compose_at(&farm, "2026-01-31T15:59:59.999Z").unwrap_err();
    assert_eq!(told(&before), "no_form");
    assert!(format!("{before:?}").contains("2026-01-31"));
    let content = compose_at(&farm, "2026-01-31T16:00:00Z").unwrap();
    assert_eq!((content.form.as_str(), content.issued_on), ("producer-2026", day("2026-02-01")));

    // Composed before midnight, decided after it: composed anew, not issued with yesterday's day.
    farm.world.time = "2026-02-01T15:59:59.999Z".parse().unwrap();
    let command = issue(&mut farm.world, request(&lot, "1"));
    farm.world.time = "2026-02-01T16:00:00Z".parse().unwrap();
    assert_eq!(farm.world.no(&farm.producer(), command), "version_conflict");
    farm.issued("1");
}

#[test]
fn what_a_certificate_says() {
    let mut farm = Farm::new();
    let wanted = CertificateRequest {
        basis: vec![Basis::SelfTest, Basis::QualityControl, Basis::SelfTest],
        ..request(&farm.lot, "12.500")
    };
    let command = issue(&mut farm.world, wanted);
    let code = farm.world.ok(&farm.producer(), command);
    let certificate: Certificate = farm.world.get(&code);
    assert_eq!(code::parse(&code), CodeText::Valid(code.clone()));
    let expected = Content {
        code: code.clone(),
        form: "producer-2026".into(),
        commitment: first_known().wording(),
        basis: vec![Basis::QualityControl, Basis::SelfTest],
        product: "湘潭湘莲".into(),
        quantity: decimal("12.5"),
        unit: "公斤".into(),
        origin: "湘潭县花石镇".into(),
        producer: "花石湘莲合作社".into(),
        contact: "0731-57000000".into(),
        issued_on: day("2026-11-20"),
        lot_no: "L20261119-0001".into(),
        county: "湘潭县".into(),
        packages: None,
        vehicle: None,
        national_code: None,
        national_short_code: None,
    };
    assert_eq!(certificate.content, expected);
    assert_eq!(certificate.content.quantity.to_string(), "12.5", "one spelling of a number");
    assert_eq!((certificate.authorisation, &*certificate.issued_by), (None, "user/usr_producer"));
    let bound: Code = farm.world.get(&code);
    assert_eq!((bound.certificate, bound.lot), (code, farm.lot));
}

#[test]
fn a_natural_person_is_masked_in_public() {
    let mut world = World::new();
    world.ok(&system(), county("湘潭县"));
    let farmer = RegisterOperator {
        kind: OperatorKind::Farmer,
        contact_phone: "138****5678".into(),
        ..register("李四光", "")
    };
    let operator = approved(&mut world, farmer);
    let site = world.ok(&clerk(), add_site(&operator, "菜地"));
    let product = world.ok(&clerk(), add_product(&operator, "辣椒", "辣椒"));
    let lot = world.ok(&clerk(), open_lot(&product, &site, "10", "2026-11-20"));
    let command = issue(&mut world, request(&lot, "10"));
    let code = world.ok(&producer(&operator), command);
    let certificate: Certificate = world.get(&code);
    assert_eq!(certificate.content.producer, "李**");
    assert_eq!(certificate.content.contact, "138****5678");
    assert_eq!(certificate.producer_name, "李四光", "for the paper");
}

#[test]
fn no_more_than_the_lot_has() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let producer = farm.producer();
    farm.issued("300");
    let too_much = issue(&mut farm.world, request(&lot, "200.001"));
    let error = farm.world.give(&producer, too_much).unwrap_err();
    let DomainError::Refused { code, params } = error else { panic!("{error}") };
    assert_eq!((code, params["left"].as_str()), ("lot_exhausted", "200"));

    // Two in one group that fit one by one, not together.
    let envelopes = ["150", "100"].map(|quantity| {
        let command = issue(&mut farm.world, request(&lot, quantity));
        farm.world.envelope(&producer, command)
    });
    let answers = farm.world.group(&envelopes);
    assert!(answers[0].is_ok());
    assert_eq!(told(answers[1].as_ref().unwrap_err()), "lot_exhausted");
    farm.issued("50");
    assert_eq!(certified(&farm), decimal("500"));
    let none_left = issue(&mut farm.world, request(&lot, "0.001"));
    assert_eq!(farm.world.no(&producer, none_left), "lot_exhausted");
}

#[test]
fn refused_requests() {
    let mut farm = Farm::new();
    assert_eq!(tampered(&mut farm, |c| c.request.quantity = decimal("0")), "quantity:bad_quantity");
    assert_eq!(tampered(&mut farm, |c| c.request.basis.clear()), "basis:required");
    assert_eq!(tampered(&mut farm, |c| c.request.lot = "lot_no".into()), "no lot");
    for verdict in [Verdict::Hold, Verdict::Deny] {
        let refused = tampered(&mut farm, |c| c.judgement = judgement(verdict));
        assert_eq!(refused, "rule_refused", "{verdict:?}");
    }
    for bad in ["", "湘莲", "0000000000000001", "o000-0000-0000-0000"] {
        assert_eq!(
            tampered(&mut farm, |c| c.content.code = bad.into()),
            "code:bad_choice",
            "{bad}"
        );
    }
}

#[test]
fn nothing_is_signed_that_is_not_on_record() {
    let changes: [fn(&mut Content); 11] = [
        |c| c.form = "producer-2027".into(),
        |c| c.commitment.push(' '),
        |c| c.basis = vec![Basis::SelfTest],
        |c| c.product = "有机湘莲".into(),
        |c| c.quantity = decimal("11"),
        |c| c.unit = "吨".into(),
        |c| c.origin = "别处".into(),
        |c| c.producer = "别家".into(),
        |c| c.contact = "13800000000".into(),
        |c| c.issued_on = day("2026-11-19"),
        |c| c.lot_no = "L20261119-0009".into(),
    ];
    let mut farm = Farm::new();
    for (n, change) in changes.into_iter().enumerate() {
        let refused = tampered(&mut farm, |c| change(&mut c.content));
        assert_eq!(refused, "version_conflict", "change {n}");
    }
    // A code that is bound already is drawn anew, never moved on.
    let bound = farm.issued("10");
    let refused = tampered(&mut farm, |c| c.content.code = bound);
    assert_eq!(refused, "version_conflict");
}

#[test]
fn a_held_lot_gets_none() {
    let mut farm = Farm::new();
    farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    let lot = farm.lot.clone();
    let before = farm.issued("10");
    let positive = measured("a1", measurement("SN-1", "55"), Some(&lot), Verdict::Deny);
    let issue = issue(&mut farm.world, request(&lot, "10"));
    let group = [
        farm.world.envelope(&system(), record(positive)),
        farm.world.envelope(&farm.producer(), issue),
    ];
    let answers = farm.world.group(&group);
    assert_eq!(told(answers[1].as_ref().unwrap_err()), "lot_held");
    // What was issued before stays readable and can be voided.
    farm.world.ok(&clerk(), void(&before));
    assert_eq!(certified(&farm), Decimal::ZERO);
}

#[test]
fn only_its_own_producer_issues_by_act() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let command = issue(&mut farm.world, request(&lot, "10"));
    assert_eq!(farm.world.no(&producer("opr_other"), command.clone()), "no lot");
    // Seeing a whole area is not acting for everybody in it.
    let sees_all = user("usr_p", Role::Producer, Scope::everything());
    assert_eq!(farm.world.no(&sees_all, command.clone()), "no_authorisation");
    assert_eq!(farm.world.no(&clerk(), command.clone()), "no_authorisation");
    farm.world.ok(&farm.producer(), command);
}

#[test]
fn void_frees_the_quantity_once() {
    let mut farm = Farm::new();
    let code = farm.issued("500");
    assert_eq!(certified(&farm), decimal("500"));
    let unreasoned = VoidCertificate { code: code.clone(), reason: " ".into() };
    assert_eq!(farm.world.no(&clerk(), Command::VoidCertificate(unreasoned)), "reason:required");
    let before = farm.world.version(&format!("lot/{}", farm.lot));
    farm.world.ok(&farm.producer(), void(&code));
    assert!(farm.world.version(&format!("lot/{}", farm.lot)) > before);
    assert_eq!(certified(&farm), Decimal::ZERO);
    let voided: Certificate = farm.world.get(&code);
    assert_eq!(voided.status, CertificateStatus::Void);
    assert_eq!(
        (voided.void_reason.as_str(), voided.voided_at),
        ("重量写错", Some(farm.world.time))
    );
    assert_eq!(farm.world.no(&clerk(), void(&code)), "certificate_void");
    assert_eq!(farm.world.no(&clerk(), void("NO")), "no certificate");
    // Twice in one group.
    let code = farm.issued("500");
    let group = vec![farm.world.envelope(&clerk(), void(&code)); 2];
    let answers = farm.world.group(&group);
    assert_eq!(told(answers[1].as_ref().unwrap_err()), "certificate_void");
    assert_eq!(certified(&farm), Decimal::ZERO);
}

#[test]
fn re_issue_is_linked_and_happens_once() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let producer = farm.producer();
    let replacing = |lot: &str, code: &str| CertificateRequest {
        replaces: Some(code.into()),
        ..request(lot, "10")
    };
    let old = farm.issued("10");
    let early = issue(&mut farm.world, replacing(&lot, &old));
    assert_eq!(farm.world.no(&producer, early), "replaces:not_replaceable");
    farm.world.ok(&producer, void(&old));

    let other_lot =
        farm.world.ok(&clerk(), open_lot(&farm.product, &farm.site, "50", "2026-11-20"));
    let elsewhere = issue(&mut farm.world, replacing(&other_lot, &old));
    assert_eq!(farm.world.no(&producer, elsewhere), "replaces:not_replaceable");
    let unknown = issue(&mut farm.world, replacing(&lot, "0000000000000000"));
    assert_eq!(farm.world.no(&producer, unknown), "no certificate");

    let envelopes = [(); 2].map(|()| {
        let command = issue(&mut farm.world, replacing(&lot, &old));
        farm.world.envelope(&producer, command)
    });
    let answers = farm.world.group(&envelopes);
    let new = answers[0].as_ref().unwrap().id.clone();
    assert_eq!(told(answers[1].as_ref().unwrap_err()), "replaces:not_replaceable");
    let (old, new): (Certificate, Certificate) = (farm.world.get(&old), farm.world.get(&new));
    assert_eq!(old.replaced_by.as_ref(), Some(&new.content.code));
    assert_eq!(new.replaces.as_ref(), Some(&old.content.code));
    assert_eq!(old.status, CertificateStatus::Void, "it stays readable as void");
}

#[test]
fn nothing_changes_what_was_issued() {
    let mut farm = Farm::new();
    farm.world.ok(&admin(), approve("p1", DeviceKind::Printer, None));
    let code = farm.issued("10");
    let issued: Certificate = farm.world.get(&code);
    let frozen = |c: &Certificate| {
        let content = serde_json::to_string(&c.content).unwrap();
        (content, c.proof.clone(), c.judgement.clone(), c.issued_at, c.issued_by.clone())
    };
    let print = QueuePrint {
        certificate: code.clone(),
        printer: "p1".into(),
        copies: 1,
        ..QueuePrint::default()
    };
    let scan = ScanCount::new(code.clone(), 3, farm.world.time);
    let (lot, product, site) = (farm.lot.clone(), farm.product.clone(), farm.site.clone());
    farm.world.time += jiff::SignedDuration::from_hours(30 * 24);
    let test = measured("p1", measurement("SN-1", "55"), Some(&lot), Verdict::Deny);
    for (actor, command) in [
        (admin(), county("湘潭县人民政府")),
        (clerk(), review(&farm.operator, OperatorStatus::Suspended, "整改")),
        (clerk(), Command::QueuePrint(print)),
        (system(), Command::CountScans(vec![scan])),
        (clerk(), open_lot(&product, &site, "5", "2026-11-20")),
        (system(), record(test)),
        (clerk(), void(&code)),
    ] {
        farm.world.ok(&actor, command);
        assert_eq!(frozen(&farm.world.get(&code)), frozen(&issued));
    }
}
