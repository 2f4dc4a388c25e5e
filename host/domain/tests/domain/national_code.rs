//! Codes of the national platform: which texts are some, whose they are, what certificates show of them.

use proptest::prelude::*;
use tianyin_domain::certificate::{Certificate, VoidCertificate};
use tianyin_domain::code;
use tianyin_domain::identity::is_resident_id;
use tianyin_domain::lot::{self, Lot};
use tianyin_domain::national_code::{
    Fault, Holder, SetNationalCode, SubjectCode, SubjectKind, TraceCode, TraceKind, parse_class,
    parse_short, shown, subject_of, trace_of,
};
use tianyin_domain::operator::{self, Operator, OperatorKind, RegisterOperator};
use tianyin_domain::product::Product;
use tianyin_domain::{Command, DomainError};

use crate::farm::{
    Farm, approved, clerk, issue, open_lot, prepare_issue, producer, register, request,
};

/// That of the farm's co-operative.
const USCC: &str = "914301020000000010";
/// A trace code of it, of the day of the farm.
const LONG: &str = "1.0.914301020000000010.01060123.20261120080000.001";
const SHORT: &str = "13241234512345678901";

fn set(of: Holder, id: &str, code: &str, short: &str) -> Command {
    Command::SetNationalCode(SetNationalCode {
        of,
        id: id.into(),
        national_code: code.into(),
        national_short_code: short.into(),
    })
}

/// The command, about the farm's own lot.
pub fn sample(farm: &Farm) -> Command {
    set(Holder::Lot, &farm.lot, LONG, SHORT)
}

#[test]
fn subject_codes() {
    let read = |text: &str| SubjectCode::parse(text, "");
    let good = read("0.９14301020000000010.00000").unwrap();
    assert_eq!((good.kind, good.s18.as_str(), good.user), (SubjectKind::Producer, USCC, 0));
    assert_eq!(read("3.91350100m000100y43.00017").unwrap().user, 17);
    // An old licence number, padded.
    assert_eq!(read("1.000430321000012345.00000").unwrap().kind, SubjectKind::Trader);
    for (bad, fault) in [
        ("", Fault::SubjectForm),
        ("4.914301020000000010.00000", Fault::SubjectForm),
        ("0.914301020000000010", Fault::SubjectForm),
        ("0.914301020000000010.0000", Fault::SubjectForm),
        ("0.914301020000000010.00000.1", Fault::SubjectForm),
        ("0.91430102000000001.00000", Fault::Uscc),
        ("0.000030321000012345.00000", Fault::Uscc),
        ("0.91350211M00013FA1N.00000", Fault::WrongCheck('3')),
        ("0.9I110000600037341L.00000", Fault::Suggest("91110000600037341L".into())),
        ("0.11010519491231002X.00000", Fault::ResidentId),
        // Passes as a credit code as well.
        ("0.110105180001010838.00000", Fault::ResidentId),
        // Of 15 digits, from before 1999.
        ("0.000110105491231002.00000", Fault::ResidentId),
        ("1.2.156.326.8.1.0.1.3.914301020000000010", Fault::Withdrawn),
    ] {
        assert_eq!(read(bad), Err(fault), "{bad}");
    }
    // Somebody has looked at it when the operator was registered.
    let odd = "91350211M00013FA1N";
    assert!(SubjectCode::parse(&format!("0.{odd}.00000"), odd).is_ok());
    assert_eq!(
        SubjectCode::parse("0.110105180001010838.00000", "110105180001010838"),
        Err(Fault::ResidentId)
    );
}

#[test]
fn trace_codes_and_classes() {
    let read = |text: &str| TraceCode::parse(text, "");
    let good = read(LONG).unwrap();
    assert_eq!((good.kind, good.class.as_str(), good.no), (TraceKind::Production, "01060123", 1));
    assert_eq!(good.at.to_string(), "2026-11-20T08:00:00");
    assert_eq!(good.to_string(), LONG);
    for (bad, fault) in [
        ("4.0.914301020000000010.01060123.20261120080000.001", Fault::TraceForm),
        ("1.0.914301020000000010.01060123.20261120080000.000", Fault::TraceForm),
        ("1.0.914301020000000010.01060123.20261120080000.1", Fault::TraceForm),
        ("1.0.914301020000000010.0106012.20261120080000.001", Fault::TraceForm),
        ("1.0.914301020000000010.01060123.2026112008000.001", Fault::TraceForm),
        ("1.0.914301020000000010.01060123.20260230080000.001", Fault::Time),
        ("1.0.914301020000000010.01060123.20261120240000.001", Fault::Time),
        ("1.0.914301020000000010.01060123.19991231080000.001", Fault::Time),
        ("1.0.11010519491231002X.01060123.20261120080000.001", Fault::ResidentId),
        ("0.914301020000000010.00000", Fault::TraceForm),
        ("1.2.156.326.8.1.3.1.3.914301020000000010", Fault::Withdrawn),
    ] {
        assert_eq!(read(bad), Err(fault), "{bad}");
    }
    assert_eq!(parse_class(" 01060123 ").unwrap(), "01060123");
    assert_eq!(parse_class("0106012"), Err(Fault::Class));
    assert_eq!(parse_class("0106012x"), Err(Fault::Class));
}

#[test]
fn short_codes_are_digits_and_nobodys_number() {
    for good in [SHORT, "123456789012345678", "1234567890123456789012"] {
        assert_eq!(parse_short(good).unwrap(), good);
    }
    for bad in ["12345678901234567", "12345678901234567890123", "1324123451234567890x", ""] {
        assert_eq!(parse_short(bad), Err(Fault::Short), "{bad}");
    }
    // The first is a resident ID; the second has one in it by chance: kept, not shown.
    let person = "110105180001010838";
    assert!(is_resident_id(person));
    assert_eq!(parse_short(person), Err(Fault::ResidentId));
    let hidden = format!("1{person}9");
    assert_eq!(parse_short(&hidden).unwrap(), hidden);
    assert_eq!(shown(&hidden), None);
    assert_eq!((shown(LONG).as_deref(), shown(SHORT).as_deref()), (Some(LONG), Some(SHORT)));
    assert_eq!(shown(""), None);
}

#[test]
fn a_code_is_of_one_lot_and_found_by_both_its_forms() {
    let mut farm = Farm::new();
    let (product, site) = (farm.product.clone(), farm.site.clone());
    let other = farm.world.ok(&clerk(), open_lot(&product, &site, "10", "2026-11-20"));
    let before = farm.world.version(&format!("lot/{}", farm.lot));
    farm.world.ok(&farm.producer(), set(Holder::Lot, &farm.lot, LONG, SHORT));
    assert!(farm.world.version(&format!("lot/{}", farm.lot)) > before);
    for code in [LONG, SHORT] {
        let found: Option<Lot> = farm.world.state().find(lot::BY_NATIONAL, code).unwrap();
        assert_eq!(found.unwrap().id, farm.lot);
    }
    for (long, short) in [(LONG, ""), ("", SHORT)] {
        let error = farm.world.give(&clerk(), set(Holder::Lot, &other, long, short)).unwrap_err();
        let DomainError::Refused { code, params } = error else { panic!("{error}") };
        assert_eq!((code, params["name"].as_str()), ("national_code_taken", "L20261119-0001"));
    }
    // The same once more writes nothing.
    let lines = farm.world.lines.len();
    farm.world.ok(&clerk(), set(Holder::Lot, &farm.lot, LONG, SHORT));
    assert_eq!(farm.world.lines.len(), lines);
    // Taken away, it is free for the other.
    farm.world.ok(&clerk(), set(Holder::Lot, &farm.lot, "", ""));
    assert_eq!(farm.world.get::<Lot>(&farm.lot).national_code, "");
    farm.world.ok(&clerk(), set(Holder::Lot, &other, LONG, SHORT));
    assert_eq!(farm.world.replayed(3), farm.world.state);
}

#[test]
fn every_bad_field_is_told() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let cases = [
        (
            set(Holder::Lot, &lot, "x", "1"),
            "national_code:national_trace_form national_short_code:national_short_form",
        ),
        (
            set(Holder::Lot, &lot, "1.0.914301020000000010.01060123.20261121000000.001", ""),
            "national_code:in_future",
        ),
        (set(Holder::Lot, "lot_no", LONG, ""), "no lot"),
        (set(Holder::Product, &farm.product, "0106", ""), "national_code:national_class_form"),
        (
            set(Holder::Product, &farm.product, "01060123", SHORT),
            "national_short_code:not_for_kind",
        ),
        (
            set(Holder::Operator, &farm.operator, "0.91350100M000100Y43.00000", ""),
            "national_code:national_of_other",
        ),
        (
            set(Holder::Operator, &farm.operator, "0.11010519491231002X.00000", ""),
            "national_code:national_resident_id",
        ),
    ];
    for (command, expected) in cases {
        let case = format!("{command:?}");
        assert_eq!(farm.world.no(&clerk(), command), expected, "{case}");
    }
}

#[test]
fn operators_and_products_have_theirs() {
    let mut farm = Farm::new();
    let (operator, product) = (farm.operator.clone(), farm.product.clone());
    let code = "2.914301020000000010.00000";
    let of_operator = set(Holder::Operator, &operator, code, "");
    assert_eq!(farm.world.no(&producer(&operator), of_operator.clone()), "forbidden");
    farm.world.ok(&clerk(), of_operator);
    farm.world.ok(&farm.producer(), set(Holder::Product, &product, " 01060123 ", ""));
    assert_eq!(farm.world.get::<Operator>(&operator).national_code, code);
    assert_eq!(farm.world.get::<Product>(&product).national_class, "01060123");
    let found: Option<Operator> = farm.world.state().find(operator::BY_NATIONAL, code).unwrap();
    assert_eq!(found.unwrap().id, operator);
    // Two that have no credit code on record do not share a licence number either.
    let farmer = |name: &str| RegisterOperator {
        kind: OperatorKind::Farmer,
        contact_phone: "138****5678".into(),
        ..register(name, "")
    };
    let [first, second] = ["李四", "王五"].map(|name| approved(&mut farm.world, farmer(name)));
    let licence = "0.000430321000012345.00000";
    farm.world.ok(&clerk(), set(Holder::Operator, &first, licence, ""));
    let again = set(Holder::Operator, &second, licence, "");
    assert_eq!(farm.world.no(&clerk(), again), "national_code_taken");
}

#[test]
fn a_certificate_keeps_what_its_lot_had() {
    let mut farm = Farm::new();
    let (lot, by) = (farm.lot.clone(), farm.producer());
    let before = farm.issued("10");
    let command = issue(&mut farm.world, request(&lot, "1"));
    farm.world.ok(&clerk(), set(Holder::Lot, &lot, LONG, SHORT));
    // Composed before the codes came: composed anew.
    assert_eq!(farm.world.no(&by, command), "version_conflict");
    let after = farm.issued("10");
    let content = |farm: &Farm, code: &str| farm.world.get::<Certificate>(code).content;
    assert_eq!(content(&farm, &before).national_code, None);
    let shown = content(&farm, &after);
    assert_eq!(shown.national_code.as_deref(), Some(LONG));
    assert_eq!(shown.national_short_code.as_deref(), Some(SHORT));
    // What a certificate shows that stands, no other lot may get.
    let change = set(Holder::Lot, &lot, LONG, "");
    assert_eq!(farm.world.no(&clerk(), change.clone()), "national_code_certified");
    let void = VoidCertificate { code: after, reason: "写错".into() };
    farm.world.ok(&by, Command::VoidCertificate(void));
    farm.world.ok(&clerk(), change);
    // By chance there may be somebody's number in a short code.
    let hidden = "11101051800010108389";
    farm.world.ok(&clerk(), set(Holder::Lot, &lot, LONG, hidden));
    let drawn = code::draw(&mut farm.world.random);
    let prepared = prepare_issue(&farm.world, request(&lot, "1"), &drawn).unwrap();
    assert_eq!(prepared.content.national_short_code, None);
    assert_eq!(prepared.content.national_code.as_deref(), Some(LONG));
}

#[test]
fn what_follows_from_the_records_is_suggested() {
    let mut farm = Farm::new();
    let suggested = |farm: &Farm| {
        let (operator, product) = (farm.world.get(&farm.operator), farm.world.get(&farm.product));
        trace_of(&operator, &product, &farm.world.get::<Lot>(&farm.lot), 2)
    };
    let operator: Operator = farm.world.get(&farm.operator);
    assert_eq!(subject_of(&operator).unwrap().to_string(), "0.914301020000000010.00000");
    assert_eq!(suggested(&farm), None, "the product has no class");
    let (id, product) = (farm.operator.clone(), farm.product.clone());
    farm.world.ok(&clerk(), set(Holder::Product, &product, "01060123", ""));
    let code = suggested(&farm).unwrap().to_string();
    // 08:00 in London is 16:00 in China.
    assert_eq!(code, "1.0.914301020000000010.01060123.20261120160000.002");
    farm.world.ok(&clerk(), set(Holder::Operator, &id, "2.914301020000000010.00000", ""));
    assert!(suggested(&farm).unwrap().to_string().starts_with("1.2.914301020000000010."));
    let buyer = Operator { kind: OperatorKind::Buyer, ..operator.clone() };
    assert_eq!(subject_of(&buyer).unwrap().kind, SubjectKind::Trader);
    let person = Operator { kind: OperatorKind::Farmer, uscc: String::new(), ..operator.clone() };
    assert_eq!(subject_of(&person), None);
    // A number that may be a person's goes into no code, whatever the register took it for.
    let doubtful = Operator { uscc: "110105180001010838".into(), ..operator };
    assert_eq!(subject_of(&doubtful), None);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        kind in 0usize..3, subject in 0usize..4, class in "[0-9]{8}", user in 0u32..100_000,
        (month, day, hour) in (1i8..13, 1i8..29, 0i8..24), year in 2000i16..2100, no in 1u16..1000,
    ) {
        let at = tianyin_domain::time::china_datetime(tianyin_domain::Time::UNIX_EPOCH);
        let at = at.with().year(year).month(month).day(day).hour(hour).build().unwrap();
        let (kind, subject) = (TraceKind::ALL[kind], SubjectKind::ALL[subject]);
        let long = TraceCode { kind, subject, s18: USCC.into(), class, at, no };
        prop_assert_eq!(TraceCode::parse(&long.to_string(), ""), Ok(long));
        let own = SubjectCode { kind: subject, s18: USCC.into(), user };
        prop_assert_eq!(SubjectCode::parse(&own.to_string(), ""), Ok(own));
    }

    #[test]
    fn any_text_is_answered_and_no_person_gets_through(
        text in "\\PC{0,60}",
        s18 in "([0-9]{17}[0-9X]|[1-6][0-9]{5}19[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9])[0-9]{3}[0-9X])",
    ) {
        let _ = (SubjectCode::parse(&text, ""), TraceCode::parse(&text, ""), parse_short(&text));
        let _ = (parse_class(&text), shown(&text));
        let read = SubjectCode::parse(&format!("0.{s18}.00000"), &s18);
        prop_assert!(read.is_err() || !is_resident_id(&s18));
        let long = format!("1.0.{s18}.01060123.20261120080000.001");
        prop_assert!(!is_resident_id(&s18) || shown(&long).is_none());
        prop_assert!(!is_resident_id(&s18) || parse_short(&s18).is_err());
    }
}
