//! Every command there is, and what travels with one.

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::measurement::Measurement;
use crate::time::{Time, china_date};
use crate::{
    access::{NoteAccess, RevealContact},
    activity::{CorrectActivity, RecordActivity, StrikeActivity},
    agency::AddAgency,
    application::{ApplyOperator, WithdrawOperator},
    authorisation::{GrantAuthorisation, RevokeAuthorisation},
    base_map::LayBaseMap,
    brand::{AddBrand, ChangeBrand, CloseBrand, EndBrandLicence, LicenseBrand},
    card::IssueCard,
    cell::{CellData, ChangeCell, EndCell},
    certificate::{IssueCertificate, VoidCertificate},
    certification::{AddCertification, EndCertification},
    collection::{CollectProof, StrikeCollection},
    county::ConfigureCounty,
    delegation::{DelegateOperators, EndDelegation},
    device::{ApproveDevice, DisableDevice, PairDevice, ScanLot},
    document::{CloseDocument, FileDocument},
    feedback::{CloseFeedback, LeaveFeedback, ModerateFeedback},
    hold::{HoldLot, ReleaseLot},
    id_card::{PublishIdCard, ReviewIdCard, SaveIdCard, SubmitIdCard, WithdrawIdCard},
    input::{AddInput, CloseInput, ReviseInput},
    label_template::{CloseLabelTemplate, SaveLabelTemplate},
    login::{EnrolTotp, RemoveTotp, UseRecovery},
    lot::OpenLot,
    message::{ReceiveMessage, ReplayMessage, SettleMessage},
    mirror_log::ImportMirrorLog,
    national_code::SetNationalCode,
    objection::{ConcludeObjection, FileObjection, OrderRetest, ReceiveRetestSample},
    operator::{ChangeOperator, RegisterOperator, ReviewOperator},
    pack::{CancelPack, MarkRange, OrderPack},
    policy::SetPolicy,
    positive::{DeliverResult, SettlePositive, StrikeTest, VerifyTest},
    print_job::{BeginPrint, CancelPrint, EndPrint, QueuePrint, RetryPrint},
    product::{AddProduct, ChangeProduct, CloseProduct},
    recall::{CloseRecall, HoldForRecall, NoteRecall, StartRecall},
    sampling::{CancelSample, ReceiveSample, TakeSample},
    scan::{CodeChecked, CodeScratched, ScanCount, SettleSuspicion},
    scan_policy::ScanPolicy,
    shop_link::{AddShopLink, CloseShopLink},
    signing_key::RotateKey,
    site::{AddSite, ChangeSite, CloseSite},
    step::{StrikeStep, TakeStep},
    test::{AssignTest, RecordTest},
    token::{MakeToken, NoteTokenUse, RevokeToken},
    trace_policy::SetTracePolicy,
    user::{ActiveChanged, AddUser, CredentialChanged},
};

/// What somebody wants to happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, strum::EnumDiscriminants)]
#[strum_discriminants(
    name(CommandKind),
    derive(Hash, strum::IntoStaticStr, strum::EnumString, strum::EnumIter),
    strum(serialize_all = "snake_case"),
    doc = "A command without what it is about: who may give it is asked before there is one.",
    allow(missing_docs)
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant is documented by its payload")]
pub enum Command {
    ConfigureCounty(ConfigureCounty),
    AddAgency(AddAgency),
    AddUser(AddUser),
    ChangeCredential(CredentialChanged),
    SetUserActive(ActiveChanged),
    RegisterOperator(RegisterOperator),
    ChangeOperator(ChangeOperator),
    ReviewOperator(ReviewOperator),
    AddSite(AddSite),
    AddProduct(AddProduct),
    AddInput(AddInput),
    OpenLot(OpenLot),
    RecordActivity(RecordActivity),
    PairDevice(PairDevice),
    ApproveDevice(ApproveDevice),
    DisableDevice(DisableDevice),
    ScanLot(ScanLot),
    ReceiveMessage(ReceiveMessage),
    SettleMessage(SettleMessage),
    ReplayMessage(ReplayMessage),
    RecordTest(Box<RecordTest>),
    AssignTest(AssignTest),
    GrantAuthorisation(GrantAuthorisation),
    RevokeAuthorisation(RevokeAuthorisation),
    IssueCertificate(Box<IssueCertificate>),
    VoidCertificate(VoidCertificate),
    QueuePrint(QueuePrint),
    EndPrint(EndPrint),
    CountScans(Vec<ScanCount>),
    CheckCode(CodeChecked),
    ApplyOperator(ApplyOperator),
    WithdrawOperator(WithdrawOperator),
    IssueCard(IssueCard),
    FileDocument(FileDocument),
    CloseDocument(CloseDocument),
    NoteAccess(NoteAccess),
    ChangeSite(ChangeSite),
    CloseSite(CloseSite),
    ChangeProduct(ChangeProduct),
    CloseProduct(CloseProduct),
    AddBrand(AddBrand),
    ChangeBrand(ChangeBrand),
    CloseBrand(CloseBrand),
    LicenseBrand(LicenseBrand),
    EndBrandLicence(EndBrandLicence),
    AddCertification(AddCertification),
    EndCertification(EndCertification),
    AddShopLink(AddShopLink),
    CloseShopLink(CloseShopLink),
    SaveIdCard(SaveIdCard),
    SubmitIdCard(SubmitIdCard),
    ReviewIdCard(ReviewIdCard),
    PublishIdCard(PublishIdCard),
    WithdrawIdCard(WithdrawIdCard),
    LayBaseMap(LayBaseMap),
    SetPolicy(SetPolicy),
    EnrolTotp(EnrolTotp),
    UseRecovery(UseRecovery),
    RemoveTotp(RemoveTotp),
    MakeToken(MakeToken),
    RevokeToken(RevokeToken),
    NoteTokenUse(NoteTokenUse),
    RevealContact(RevealContact),
    ReviseInput(ReviseInput),
    CloseInput(CloseInput),
    DelegateOperators(DelegateOperators),
    EndDelegation(EndDelegation),
    AddCell(CellData),
    ChangeCell(ChangeCell),
    EndCell(EndCell),
    CorrectActivity(CorrectActivity),
    StrikeActivity(StrikeActivity),
    TakeStep(TakeStep),
    StrikeStep(StrikeStep),
    SetTracePolicy(SetTracePolicy),
    HoldLot(HoldLot),
    ReleaseLot(ReleaseLot),
    StartRecall(StartRecall),
    HoldForRecall(HoldForRecall),
    NoteRecall(NoteRecall),
    CloseRecall(CloseRecall),
    TakeSample(TakeSample),
    ReceiveSample(ReceiveSample),
    CancelSample(CancelSample),
    VerifyTest(VerifyTest),
    StrikeTest(StrikeTest),
    DeliverResult(DeliverResult),
    SettlePositive(SettlePositive),
    FileObjection(FileObjection),
    OrderRetest(OrderRetest),
    ReceiveRetestSample(ReceiveRetestSample),
    ConcludeObjection(ConcludeObjection),
    OrderPack(OrderPack),
    MarkRange(MarkRange),
    CancelPack(CancelPack),
    ScratchCode(CodeScratched),
    SettleSuspicion(SettleSuspicion),
    SetScanPolicy(ScanPolicy),
    CollectProof(CollectProof),
    StrikeCollection(StrikeCollection),
    LeaveFeedback(LeaveFeedback),
    ModerateFeedback(ModerateFeedback),
    CloseFeedback(CloseFeedback),
    BeginPrint(BeginPrint),
    CancelPrint(CancelPrint),
    RetryPrint(RetryPrint),
    RotateKey(RotateKey),
    ImportMirrorLog(ImportMirrorLog),
    SaveLabelTemplate(SaveLabelTemplate),
    CloseLabelTemplate(CloseLabelTemplate),
    SetNationalCode(SetNationalCode),
}

impl Command {
    /// What the caller asked for, without what was drawn, judged or sealed on the way: the same
    /// request with the same idempotency key must look the same.
    pub fn intent(&self) -> Vec<u8> {
        let json = match self {
            Self::IssueCertificate(c) => serde_json::to_vec(&c.request),
            Self::AssignTest(c) => serde_json::to_vec(&(&c.test, &c.lot, &c.sampling)),
            Self::DeliverResult(c) => serde_json::to_vec(&(&c.test, &c.delivered_at, &c.to)),
            Self::ReceiveRetestSample(c) => serde_json::to_vec(&(&c.objection, &c.received_on)),
            Self::RegisterOperator(c) => {
                serde_json::to_vec(&RegisterOperator { contact_secret: None, ..c.clone() })
            }
            Self::ChangeOperator(c) => {
                let data = RegisterOperator { contact_secret: None, ..c.data.clone() };
                serde_json::to_vec(&ChangeOperator { data, ..c.clone() })
            }
            Self::ApplyOperator(c) => {
                let data = RegisterOperator { contact_secret: None, ..c.data.clone() };
                serde_json::to_vec(&data)
            }
            Self::StartRecall(c) => serde_json::to_vec(&c.request),
            Self::OpenLot(c) => serde_json::to_vec(&c.request),
            Self::IssueCard(c) => serde_json::to_vec(&c.operator),
            Self::OrderPack(c) => {
                serde_json::to_vec(&OrderPack { key_check: String::new(), ..c.clone() })
            }
            Self::SubmitIdCard(c) => serde_json::to_vec(&c.id_card),
            Self::PublishIdCard(c) => serde_json::to_vec(&c.id_card),
            Self::RecordTest(c) => serde_json::to_vec(&test_intent(c)),
            Self::AddUser(c) => {
                serde_json::to_vec(&AddUser { credential: String::new(), ..c.clone() })
            }
            Self::EnrolTotp(c) => serde_json::to_vec(&c.user),
            Self::MakeToken(c) => {
                serde_json::to_vec(&MakeToken { sha256: String::new(), ..c.clone() })
            }
            Self::ApproveDevice(c) => {
                serde_json::to_vec(&ApproveDevice { token_sha256: String::new(), ..c.clone() })
            }
            other => serde_json::to_vec(other),
        };
        json.unwrap_or_default()
    }

    /// What it is, without what it is about.
    pub fn kind(&self) -> CommandKind {
        self.into()
    }

    /// Stable name, for authorisation, logs and metrics.
    pub fn name(&self) -> &'static str {
        self.kind().into()
    }
}

/// A typed result without what the appliance fills in: its message id, and the time within the day.
fn test_intent(c: &RecordTest) -> impl Serialize {
    let measurement =
        Measurement { msg_id: String::new(), tested_at: None, ..c.measurement.clone() };
    let day = c.measurement.tested_at.map(china_date);
    let whose = (c.lot.clone(), c.sampling.clone(), c.laboratory.clone(), c.objection.clone());
    (whose, day, measurement)
}

/// A command on its way to the writer.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// Who.
    pub actor: Actor,
    /// What.
    pub command: Command,
    /// The one time of this command: rules judged by it, the journal line carries it.
    pub time: Time,
    /// Repeating the same key answers the same, once done.
    pub idempotency_key: Option<String>,
    /// Root versions that rules and people based it on.
    pub based_on: Vec<(String, u64)>,
}

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Id of what was made or changed.
    pub id: String,
    /// Whether anything was written now; `false` for a repeated key or a known message.
    pub written: bool,
    /// Sequence number of the line, or of the head when nothing was written.
    pub seq: u64,
    /// A word for callers that need more than the id: `duplicate`, `conflict`, …
    pub note: &'static str,
}
