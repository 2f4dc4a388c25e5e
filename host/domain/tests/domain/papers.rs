//! Forms by day, numbered paper forms entered later, one certificate a package or vehicle.

use tianyin_domain::attachment::{Attachment, BlobKind};
use tianyin_domain::certificate::{Basis, Certificate, CertificateRequest, PaperEntry};
use tianyin_domain::certificate_form::{BasisBox, CertificateForm, Issuer, first_known};
use tianyin_domain::code::Code;
use tianyin_domain::lot::Lot;
use tianyin_domain::pack::{Pack, PackKind, Unit};
use tianyin_domain::span::SpanState;
use tianyin_domain::{Command, DomainError};

use crate::farm::{Farm, clerk, day, open_lot, prepare_issue_on, request};
use crate::packs::{mark, order};
use crate::world::told;

/// Forms of 2021 and 2026.
pub fn forms() -> Vec<CertificateForm> {
    let bases = [(Basis::SelfTest, "自我检测"), (Basis::SelfCommitment, "自我承诺")];
    let of_2021 = CertificateForm {
        id: "producer-2021".into(),
        valid_from: day("2021-11-01"),
        valid_to: Some(day("2026-01-31")),
        commitment: "我承诺对生产销售的食用农产品:".into(),
        items: vec!["不使用禁用农药兽药".into(), "对承诺的真实性负责".into()],
        bases: bases.map(|(basis, text)| BasisBox { basis, text: text.into() }).to_vec(),
        ..first_known()
    };
    let buyers =
        CertificateForm { id: "buyer-2026".into(), issuer: Issuer::Buyer, ..first_known() };
    vec![first_known(), buyers, of_2021]
}

pub fn photo() -> Attachment {
    let (hash, name) = ("a".repeat(64), "手写合格证.jpg".into());
    Attachment { hash, kind: BlobKind::Jpeg, bytes: 1000, name }
}

const CODE: &str = "0000000000000000";

/// A certificate on the form with number 7 of a pack of paper.
fn entered(
    farm: &Farm,
    pack: &str,
    on: &str,
    change: impl FnOnce(&mut CertificateRequest),
) -> Command {
    let paper = PaperEntry { code: CODE.into(), issued_on: day(on), attachments: vec![photo()] };
    let mut request = CertificateRequest { paper: Some(paper), ..request(&farm.lot, "10") };
    change(&mut request);
    let issued_on = request.issued_on(farm.world.time);
    let all = forms();
    let form = all.iter().find(|form| form.covers(issued_on)).cloned().unwrap();
    let mut command = prepare_issue_on(&farm.world, request, CODE, form).unwrap();
    command.unit = Some(Unit { pack: pack.into(), serial: 7 });
    Command::IssueCertificate(Box::new(command))
}

fn with_paper() -> (Farm, String) {
    let mut farm = Farm::new();
    let pack = farm.world.ok(&clerk(), order(PackKind::Paper, 50, None));
    (farm, pack)
}

#[test]
fn a_form_filled_in_by_hand_is_entered_later_with_its_day() {
    let (mut farm, pack) = with_paper();
    let command = entered(&farm, &pack, "2026-11-19", |_| {});
    // A clerk without an authorisation of the producer: the paper is the producer's act.
    let code = farm.world.ok(&clerk(), command);
    let certificate: Certificate = farm.world.get(&code);
    assert_eq!((code.as_str(), certificate.content.issued_on), (CODE, day("2026-11-19")));
    assert_eq!(certificate.authorisation, None);
    assert_eq!(certificate.paper.unwrap().attachments.len(), 1);
    let record: Pack = farm.world.get(&pack);
    let span = record.span_of(7).unwrap();
    assert_eq!((span.state, span.certificate.as_str()), (SpanState::Bound, CODE));
    assert_eq!((&span.lot, record.counts().free), (&farm.lot, 49));
    assert_eq!(farm.world.get::<Code>(CODE).lot, farm.lot);

    let again = entered(&farm, &pack, "2026-11-19", |_| {});
    assert_eq!(farm.world.no(&clerk(), again), "codes_bound", "its code is taken");
}

#[test]
fn the_day_on_the_paper_picks_its_form_for_ever() {
    let (mut farm, pack) = with_paper();
    let old = open_lot(&farm.product, &farm.site, "20", "2026-01-30");
    farm.lot = farm.world.ok(&clerk(), old);
    let command =
        entered(&farm, &pack, "2026-01-31", |request| request.basis = vec![Basis::SelfCommitment]);
    let code = farm.world.ok(&clerk(), command);
    let certificate: Certificate = farm.world.get(&code);
    assert_eq!(certificate.content.form, "producer-2021");
    assert_eq!(certificate.form().items.len(), 2);
    assert_eq!(certificate.form().basis_text(Basis::SelfCommitment), "自我承诺");
    assert!(certificate.content.commitment.ends_with("\n对承诺的真实性负责"));
}

#[test]
fn what_a_paper_may_not_say() {
    let (mut farm, pack) = with_paper();
    let told_of = |farm: &mut Farm, on: &str, change: fn(&mut CertificateRequest)| {
        let command = entered(farm, &pack, on, change);
        farm.world.no(&clerk(), command)
    };
    assert_eq!(told_of(&mut farm, "2026-11-21", |_| {}), "issued_on:in_future");
    assert_eq!(told_of(&mut farm, "2026-11-18", |_| {}), "issued_on:before_harvest");
    let no_photo = |request: &mut CertificateRequest| {
        request.paper.as_mut().unwrap().attachments.clear();
    };
    assert_eq!(told_of(&mut farm, "2026-11-20", no_photo), "attachments:photo_required");
    // The producer's own entry is its own word.
    let own = entered(&farm, &pack, "2026-11-20", no_photo);
    let producer = farm.producer();
    farm.world.ok(&producer, own);
}

#[test]
fn a_paper_goes_to_whom_it_was_handed_out_and_never_when_spoiled() {
    let (mut farm, pack) = with_paper();
    let operator = farm.operator.clone();
    let handed = mark(&pack, 1, 10, SpanState::Assigned, Some(&operator), None);
    farm.world.ok(&clerk(), handed);
    farm.world.ok(&clerk(), mark(&pack, 7, 7, SpanState::Waste, None, None));
    let command = entered(&farm, &pack, "2026-11-20", |_| {});
    assert_eq!(farm.world.no(&clerk(), command), "codes_waste");

    let (mut farm, pack) = with_paper();
    let mut command = entered(&farm, &pack, "2026-11-20", |_| {});
    if let Command::IssueCertificate(c) = &mut command {
        c.unit = None;
    }
    assert_eq!(farm.world.no(&clerk(), command), "not_a_paper_code");
}

#[test]
fn one_a_package_or_one_a_vehicle() {
    let mut farm = Farm::new();
    let request = CertificateRequest {
        packages: Some(50),
        vehicle: Some("湘C·12345".into()),
        ..request(&farm.lot, "500")
    };
    let command = prepare_issue_on(&farm.world, request, CODE, first_known()).unwrap();
    let producer = farm.producer();
    let code = farm.world.ok(&producer, Command::IssueCertificate(Box::new(command)));
    let certificate: Certificate = farm.world.get(&code);
    assert_eq!(certificate.content.packages, Some(50));
    assert_eq!(certificate.content.vehicle.as_deref(), Some("湘C****45"), "masked in public");
    assert_eq!(certificate.vehicle, "湘C·12345", "whole on the paper");
    assert_eq!(farm.world.get::<Lot>(&farm.lot).left(), crate::farm::decimal("0"));
}

#[test]
fn a_basis_that_the_form_does_not_have_is_refused() {
    let farm = Farm::new();
    let request =
        CertificateRequest { basis: vec![Basis::SelfCommitment], ..request(&farm.lot, "1") };
    let command = prepare_issue_on(&farm.world, request, CODE, first_known()).unwrap();
    let mut world = farm.world;
    let producer = crate::farm::producer(&farm.operator);
    let error: DomainError =
        world.give(&producer, Command::IssueCertificate(Box::new(command))).unwrap_err();
    assert_eq!(told(&error), "basis:bad_choice");
}
