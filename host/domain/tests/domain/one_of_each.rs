//! One of every command, for the table of who may give which.

use tianyin_domain::access::{AccessKind, NoteAccess};
use tianyin_domain::activity::{CorrectActivity, StrikeActivity};
use tianyin_domain::agency::{AddAgency, AgencyKind};
use tianyin_domain::application::{ApplyOperator, WithdrawOperator};
use tianyin_domain::authorisation::RevokeAuthorisation;
use tianyin_domain::card::IssueCard;
use tianyin_domain::cell::{CellData, ChangeCell, EndCell};
use tianyin_domain::certificate::VoidCertificate;
use tianyin_domain::delegation::{DelegateOperators, EndDelegation};
use tianyin_domain::device::{DeviceKind, DisableDevice, PairDevice, ScanLot};
use tianyin_domain::document::CloseDocument;
use tianyin_domain::hold::{HoldKind, HoldLot};
use tianyin_domain::login::{RemoveTotp, UseRecovery};
use tianyin_domain::message::{MessageKind, MessageStatus, ReplayMessage, SettleMessage};
use tianyin_domain::operator::OperatorStatus;
use tianyin_domain::policy::PasswordPreset;
use tianyin_domain::print_job::{BeginPrint, CancelPrint, EndPrint, QueuePrint, RetryPrint};
use tianyin_domain::recall::{CloseRecall, Disposal, HoldForRecall, NoteRecall};
use tianyin_domain::scan::{CodeChecked, SettleSuspicion, SuspicionStatus};
use tianyin_domain::step::StrikeStep;
use tianyin_domain::test::AssignTest;
use tianyin_domain::token::{NoteTokenUse, RevokeToken};
use tianyin_domain::user::{ActiveChanged, AddUser, CredentialChanged};
use tianyin_domain::{Command, Role, Verdict};

use crate::accounts::{enrol, policy, reveal, token};
use crate::chain::split;
use crate::documents;
use crate::farm::{
    Farm, TOWNSHIP, add_input, add_product, add_site, admin, approve, change, clerk, close_input,
    county, device, grant, issue, judgement, measured, measurement, message, open_lot, record,
    register, request, review, revise_input, system, typed,
};
use crate::recalls::{release, start};
use crate::verification::verifying;

/// Service point of the samples, which has their operator.
pub const POINT: &str = "示例服务站点";

/// A cell that takes a township as a whole.
fn cell_of(area: &str) -> CellData {
    CellData { name: area.into(), area: area.into(), whole: true, ..CellData::default() }
}

/// One of every command, all about the farm's own rows.
pub fn samples(farm: &mut Farm) -> Vec<Command> {
    farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    let sent = farm.world.ok(&device("a1"), message("a1", MessageKind::Raw, b"7E"));
    let unmatched = measured("a1", measurement("SN-1", "1"), None, Verdict::Hold);
    let test = farm.world.ok(&system(), record(unmatched));
    let code = farm.issued("10");
    farm.world.ok(&admin(), approve("p1", DeviceKind::Printer, None));
    let print = QueuePrint {
        certificate: code.clone(),
        printer: "p1".into(),
        copies: 1,
        ..QueuePrint::default()
    };
    let job = farm.world.ok(&clerk(), Command::QueuePrint(print.clone()));
    let authorisation = farm.world.ok(&clerk(), Command::GrantAuthorisation(grant(&farm.operator)));
    let (operator, lot) = (farm.operator.clone(), farm.lot.clone());
    let user = "usr_1".to_owned();
    let point =
        AddAgency { name: POINT.into(), kind: AgencyKind::ServicePoint, area: TOWNSHIP.into() };
    let point = farm.world.ok(&admin(), Command::AddAgency(point));
    let begin = DelegateOperators { agency: point.clone(), operators: vec![operator.clone()] };
    farm.world.ok(&admin(), Command::DelegateOperators(begin));
    let cell = farm.world.ok(&admin(), Command::AddCell(cell_of(TOWNSHIP)));
    let paper = documents::paper(farm);
    let document = farm.world.ok(&clerk(), Command::FileDocument(paper.clone()));
    let activity = farm.world.ok(&clerk(), Command::RecordActivity(farm.treatment()));
    let step = farm.world.ok(&clerk(), split(&lot, &["1"]));
    let recall = farm.world.ok(&clerk(), Command::StartRecall(start(&lot, true)));
    let of_register = crate::register::samples(farm);
    let mut samples = vec![
        county("湘潭县"),
        Command::AddAgency(AddAgency {
            name: "站".into(),
            kind: AgencyKind::Station,
            area: TOWNSHIP.into(),
        }),
        Command::AddUser(AddUser {
            username: "wang".into(),
            name: "王五".into(),
            role: Role::Clerk,
            area: TOWNSHIP.into(),
            operator: None,
            agency: None,
            credential: "sec".into(),
            initial: false,
        }),
        Command::ChangeCredential(CredentialChanged::new(&user, "sec", false)),
        Command::SetUserActive(ActiveChanged { user, active: false }),
        Command::RegisterOperator(register("甲社", "91350100M000100Y43")),
        change(&operator, register("甲社", "91350100M000100Y43")),
        review(&operator, OperatorStatus::Suspended, "整改"),
        add_site(&operator, "田"),
        add_product(&operator, "莲", "莲"),
        add_input("药", vec![]),
        open_lot(&farm.product, &farm.site, "1", "2026-11-20"),
        Command::RecordActivity(farm.treatment()),
        Command::CorrectActivity(CorrectActivity {
            activity: activity.clone(),
            data: farm.treatment(),
            reason: "日期记错".into(),
        }),
        Command::StrikeActivity(StrikeActivity { activity, reason: "记错".into() }),
        split(&lot, &["1"]),
        Command::StrikeStep(StrikeStep { step, reason: "记错".into() }),
        Command::SetTracePolicy(verifying(true, false)),
        crate::signing_keys::rotate("1", "2"),
        Command::HoldLot(HoldLot { lot: lot.clone(), reason: "举报".into() }),
        release(&lot, HoldKind::Order, "", None),
        Command::StartRecall(start(&lot, false)),
        Command::HoldForRecall(HoldForRecall { recall: recall.clone(), lots: vec![] }),
        Command::NoteRecall(NoteRecall {
            recall: recall.clone(),
            lot: lot.clone(),
            disposal: Disposal::Notified,
            recovered: None,
            note: String::new(),
            attachments: vec![],
        }),
        Command::CloseRecall(CloseRecall { recall, summary: "完".into() }),
        Command::PairDevice(PairDevice { id: "a1".into() }),
        approve("a1", DeviceKind::Analyzer, None),
        Command::DisableDevice(DisableDevice { id: "a1".into() }),
        Command::ScanLot(ScanLot {
            device: "a1".into(),
            bench: "台1".into(),
            lot: lot.clone(),
            sampling: None,
        }),
        message("a1", MessageKind::Raw, b"7E"),
        Command::SettleMessage(SettleMessage {
            message: sent.clone(),
            status: MessageStatus::Accepted,
            reason: String::new(),
            detail: String::new(),
            problems: vec![],
        }),
        Command::ReplayMessage(ReplayMessage { message: sent }),
        record(typed(measurement("t1", "1"), &lot, Verdict::Pass)),
        Command::AssignTest(AssignTest {
            test,
            lot: lot.clone(),
            judgement: judgement(Verdict::Pass),
            sampling: None,
        }),
        Command::GrantAuthorisation(grant(&operator)),
        Command::RevokeAuthorisation(RevokeAuthorisation { authorisation }),
        issue(&mut farm.world, request(&lot, "1")),
        Command::VoidCertificate(VoidCertificate { code: code.clone(), reason: "错".into() }),
        Command::QueuePrint(print),
        Command::BeginPrint(BeginPrint { job: job.clone() }),
        Command::EndPrint(EndPrint { job: job.clone(), error: String::new() }),
        Command::CancelPrint(CancelPrint { job: job.clone() }),
        Command::RetryPrint(RetryPrint { job, reason: String::new() }),
        Command::CountScans(vec![]),
        Command::CheckCode(CodeChecked {
            code: code.clone(),
            device: "a1".into(),
            message: String::new(),
            unit: None,
        }),
        Command::SettleSuspicion(SettleSuspicion {
            code: code.clone(),
            status: SuspicionStatus::Cleared,
            note: "看过".into(),
        }),
        Command::ApplyOperator(ApplyOperator {
            data: register("丁社", "91350100M000100Y43"),
            credential: "sec".into(),
        }),
        Command::WithdrawOperator(WithdrawOperator { operator: operator.clone() }),
        Command::IssueCard(IssueCard {
            operator: operator.clone(),
            key_sha256: "k".into(),
            pin: "sec".into(),
        }),
        Command::FileDocument(paper.clone()),
        Command::CloseDocument(CloseDocument { document, reason: "错".into() }),
        Command::NoteAccess(NoteAccess {
            user: "usr_1".into(),
            kind: AccessKind::Export,
            what: "operators.csv".into(),
            rows: 3,
            address: "192.0.2.7".into(),
        }),
        Command::SetPolicy(policy(PasswordPreset::Gb22239)),
        Command::EnrolTotp(enrol("usr_1")),
        Command::UseRecovery(UseRecovery { user: "usr_1".into(), code_sha256: "d".into() }),
        Command::RemoveTotp(RemoveTotp { user: "usr_1".into() }),
        Command::MakeToken(token(&[])),
        Command::RevokeToken(RevokeToken { token: "tok_1".into() }),
        Command::NoteTokenUse(NoteTokenUse { token: "tok_1".into() }),
        Command::RevealContact(reveal(&operator)),
        revise_input(&farm.input, vec![]),
        close_input(&farm.input, "2026-11-01"),
        Command::DelegateOperators(DelegateOperators {
            agency: point.clone(),
            operators: vec![operator.clone()],
        }),
        Command::EndDelegation(EndDelegation {
            agency: point,
            operator: operator.clone(),
            reason: "错".into(),
        }),
        Command::AddCell(cell_of(TOWNSHIP)),
        Command::ChangeCell(ChangeCell {
            cell: cell.clone(),
            data: cell_of(TOWNSHIP),
            reason: "换人".into(),
        }),
        Command::EndCell(EndCell { cell, reason: "合并".into() }),
        crate::mirror_logs::import(None, ("2026-11-20T07:00:00Z", 1), vec![]),
    ];
    samples.extend(of_register);
    samples.extend(crate::packs::samples(farm));
    samples.extend(crate::collections::samples(farm));
    samples.extend(crate::feedback::samples(farm));
    samples.extend(crate::objections::samples(farm));
    samples.extend(crate::label_templates::samples(farm));
    samples.push(crate::national_code::sample(farm));
    samples
}
