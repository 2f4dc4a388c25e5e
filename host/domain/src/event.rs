//! Every event there is. Names and payloads are written in journals for ever: add, never change.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    access::Access,
    activity::{Activity, StrikeActivity},
    agency::Agency,
    application::WithdrawOperator,
    authorisation::{Authorisation, RevokeAuthorisation},
    base_map::LayBaseMap,
    brand::{Brand, BrandLicence, ChangeBrand, CloseBrand, EndBrandLicence},
    card::Card,
    cell::{Cell, CellChanged, EndCell},
    certificate::{Certificate, VoidCertificate},
    certification::{Certification, EndCertification},
    collection::{Collection, StrikeCollection},
    county::County,
    delegation::{Delegation, EndDelegation},
    device::{Device, DisableDevice, ScanLot},
    document::{CloseDocument, Document},
    feedback::{Feedback, FeedbackClosed, FeedbackModerated},
    hold::{LotHeld, ReleaseLot},
    id_card::{IdCardPublished, IdCardSaved, IdCardSubmitted, ReviewIdCard, WithdrawIdCard},
    input::Input,
    label_template::{CloseLabelTemplate, LabelTemplate},
    login::{EnrolTotp, RemoveTotp, UseRecovery},
    lot::Lot,
    message::{Message, ReplayMessage, SettleMessage},
    mirror_log::MirrorLogImported,
    national_code::SetNationalCode,
    objection::{Objection, ObjectionConcluded, OrderRetest, ReceiveRetestSample},
    operator::{ChangeOperator, Operator, ReviewOperator},
    pack::{CancelPack, Pack, RangeMarked},
    policy::Policy,
    positive::{DeliverResult, PositiveSettled, StrikeTest, TestVerified},
    print_job::{BeginPrint, CancelPrint, EndPrint, PrintJob, PrintRetried},
    product::{ChangeProduct, CloseProduct, Product},
    recall::{CloseRecall, Recall, RecallNote},
    sampling::{CancelSample, ReceiveSample, Sampling},
    scan::{CodeChecked, CodeScratched, CodeSuspected, ScansCounted, SettleSuspicion},
    scan_policy::ScanPolicy,
    shop_link::{CloseShopLink, ShopLink},
    signing_key::KeyRotated,
    site::{ChangeSite, CloseSite, Site},
    state::StateError,
    step::{StepTaken, StrikeStep},
    test::{Test, TestAssigned},
    token::{ApiToken, NoteTokenUse, RevokeToken},
    trace_policy::TracePolicy,
    user::{ActiveChanged, CredentialChanged, User},
};

/// Event: the answer to a command that came with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Actor and key.
    pub key: String,
    /// SHA-256 (hex) of the command.
    pub request_sha256: String,
    /// Id the command answered with.
    pub id: String,
}

/// What happened. One command's events stand on one journal line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each variant is documented by its payload")]
pub enum Event {
    #[serde(rename = "county.configured")]
    CountyConfigured(County),
    #[serde(rename = "agency.added")]
    AgencyAdded(Agency),
    #[serde(rename = "user.added")]
    UserAdded(User),
    #[serde(rename = "user.credential_changed")]
    CredentialChanged(CredentialChanged),
    #[serde(rename = "user.active_changed")]
    ActiveChanged(ActiveChanged),
    #[serde(rename = "operator.registered")]
    OperatorRegistered(Operator),
    #[serde(rename = "operator.reviewed")]
    OperatorReviewed(ReviewOperator),
    #[serde(rename = "site.added")]
    SiteAdded(Site),
    #[serde(rename = "product.added")]
    ProductAdded(Product),
    #[serde(rename = "input.added")]
    InputAdded(Input),
    #[serde(rename = "lot.opened")]
    LotOpened(Lot),
    #[serde(rename = "lot.held")]
    LotHeld(LotHeld),
    #[serde(rename = "activity.recorded")]
    ActivityRecorded(Activity),
    #[serde(rename = "device.paired")]
    DevicePaired(Device),
    #[serde(rename = "device.approved")]
    DeviceApproved(Device),
    #[serde(rename = "device.disabled")]
    DeviceDisabled(DisableDevice),
    #[serde(rename = "bench.lot_scanned")]
    LotScanned(ScanLot),
    #[serde(rename = "message.received")]
    MessageReceived(Message),
    #[serde(rename = "message.settled")]
    MessageSettled(SettleMessage),
    #[serde(rename = "message.replayed")]
    MessageReplayed(ReplayMessage),
    #[serde(rename = "test.recorded")]
    TestRecorded(Box<Test>),
    #[serde(rename = "test.assigned")]
    TestAssigned(TestAssigned),
    #[serde(rename = "authorisation.granted")]
    AuthorisationGranted(Authorisation),
    #[serde(rename = "authorisation.revoked")]
    AuthorisationRevoked(RevokeAuthorisation),
    #[serde(rename = "certificate.issued")]
    CertificateIssued(Box<Certificate>),
    #[serde(rename = "certificate.voided")]
    CertificateVoided(VoidCertificate),
    #[serde(rename = "print_job.queued")]
    PrintQueued(PrintJob),
    #[serde(rename = "print_job.ended")]
    PrintEnded(EndPrint),
    #[serde(rename = "code.scans_counted")]
    ScansCounted(ScansCounted),
    #[serde(rename = "code.checked")]
    CodeChecked(CodeChecked),
    #[serde(rename = "command.answered")]
    Answered(Answered),
    #[serde(rename = "operator.changed")]
    OperatorChanged(ChangeOperator),
    #[serde(rename = "operator.withdrawn")]
    OperatorWithdrawn(WithdrawOperator),
    #[serde(rename = "card.issued")]
    CardIssued(Card),
    #[serde(rename = "document.filed")]
    DocumentFiled(Document),
    #[serde(rename = "document.closed")]
    DocumentClosed(CloseDocument),
    #[serde(rename = "access.noted")]
    AccessNoted(Access),
    #[serde(rename = "site.changed")]
    SiteChanged(ChangeSite),
    #[serde(rename = "site.closed")]
    SiteClosed(CloseSite),
    #[serde(rename = "product.changed")]
    ProductChanged(ChangeProduct),
    #[serde(rename = "product.closed")]
    ProductClosed(CloseProduct),
    #[serde(rename = "brand.added")]
    BrandAdded(Brand),
    #[serde(rename = "brand.changed")]
    BrandChanged(ChangeBrand),
    #[serde(rename = "brand.closed")]
    BrandClosed(CloseBrand),
    #[serde(rename = "brand.licensed")]
    BrandLicensed(BrandLicence),
    #[serde(rename = "brand.licence_ended")]
    BrandLicenceEnded(EndBrandLicence),
    #[serde(rename = "certification.added")]
    CertificationAdded(Certification),
    #[serde(rename = "certification.ended")]
    CertificationEnded(EndCertification),
    #[serde(rename = "shop_link.added")]
    ShopLinkAdded(ShopLink),
    #[serde(rename = "shop_link.closed")]
    ShopLinkClosed(CloseShopLink),
    #[serde(rename = "id_card.saved")]
    IdCardSaved(IdCardSaved),
    #[serde(rename = "id_card.submitted")]
    IdCardSubmitted(IdCardSubmitted),
    #[serde(rename = "id_card.reviewed")]
    IdCardReviewed(ReviewIdCard),
    #[serde(rename = "id_card.published")]
    IdCardPublished(Box<IdCardPublished>),
    #[serde(rename = "id_card.withdrawn")]
    IdCardWithdrawn(WithdrawIdCard),
    #[serde(rename = "base_map.laid")]
    BaseMapLaid(LayBaseMap),
    #[serde(rename = "policy.set")]
    PolicySet(Policy),
    #[serde(rename = "totp.enrolled")]
    TotpEnrolled(EnrolTotp),
    #[serde(rename = "totp.recovery_used")]
    RecoveryUsed(UseRecovery),
    #[serde(rename = "totp.removed")]
    TotpRemoved(RemoveTotp),
    #[serde(rename = "token.made")]
    TokenMade(ApiToken),
    #[serde(rename = "token.revoked")]
    TokenRevoked(RevokeToken),
    #[serde(rename = "token.used")]
    TokenUsed(NoteTokenUse),
    #[serde(rename = "input.revised")]
    InputRevised(Input),
    #[serde(rename = "input.closed")]
    InputClosed(Input),
    #[serde(rename = "operator.delegated")]
    OperatorDelegated(Delegation),
    #[serde(rename = "operator.delegation_ended")]
    DelegationEnded(EndDelegation),
    #[serde(rename = "cell.added")]
    CellAdded(Cell),
    #[serde(rename = "cell.changed")]
    CellChanged(CellChanged),
    #[serde(rename = "cell.ended")]
    CellEnded(EndCell),
    #[serde(rename = "activity.corrected")]
    ActivityCorrected(Activity),
    #[serde(rename = "activity.struck")]
    ActivityStruck(StrikeActivity),
    #[serde(rename = "step.taken")]
    StepTaken(Box<StepTaken>),
    #[serde(rename = "step.struck")]
    StepStruck(StrikeStep),
    #[serde(rename = "trace_policy.set")]
    TracePolicySet(TracePolicy),
    #[serde(rename = "lot.released")]
    LotReleased(ReleaseLot),
    #[serde(rename = "recall.started")]
    RecallStarted(Recall),
    #[serde(rename = "recall.noted")]
    RecallNoted(RecallNote),
    #[serde(rename = "recall.closed")]
    RecallClosed(CloseRecall),
    #[serde(rename = "sampling.taken")]
    SampleTaken(Box<Sampling>),
    #[serde(rename = "sampling.received")]
    SampleReceived(ReceiveSample),
    #[serde(rename = "sampling.cancelled")]
    SampleCancelled(CancelSample),
    #[serde(rename = "test.verified")]
    TestVerified(TestVerified),
    #[serde(rename = "test.struck")]
    TestStruck(StrikeTest),
    #[serde(rename = "test.delivered")]
    ResultDelivered(DeliverResult),
    #[serde(rename = "test.settled")]
    PositiveSettled(PositiveSettled),
    #[serde(rename = "objection.filed")]
    ObjectionFiled(Objection),
    #[serde(rename = "objection.retest_ordered")]
    RetestOrdered(OrderRetest),
    #[serde(rename = "objection.sample_received")]
    RetestSampleReceived(ReceiveRetestSample),
    #[serde(rename = "objection.concluded")]
    ObjectionConcluded(ObjectionConcluded),
    #[serde(rename = "pack.ordered")]
    PackOrdered(Pack),
    #[serde(rename = "pack.marked")]
    RangeMarked(RangeMarked),
    #[serde(rename = "pack.cancelled")]
    PackCancelled(CancelPack),
    #[serde(rename = "code.suspected")]
    CodeSuspected(CodeSuspected),
    #[serde(rename = "code.suspicion_settled")]
    SuspicionSettled(SettleSuspicion),
    #[serde(rename = "code.scratched")]
    CodeScratched(CodeScratched),
    #[serde(rename = "scan_policy.set")]
    ScanPolicySet(ScanPolicy),
    #[serde(rename = "collection.made")]
    ProofCollected(Box<Collection>),
    #[serde(rename = "collection.struck")]
    CollectionStruck(StrikeCollection),
    #[serde(rename = "feedback.left")]
    FeedbackLeft(Feedback),
    #[serde(rename = "feedback.moderated")]
    FeedbackModerated(FeedbackModerated),
    #[serde(rename = "feedback.closed")]
    FeedbackClosed(FeedbackClosed),
    #[serde(rename = "print_job.begun")]
    PrintBegun(BeginPrint),
    #[serde(rename = "print_job.cancelled")]
    PrintCancelled(CancelPrint),
    #[serde(rename = "print_job.retried")]
    PrintRetried(PrintRetried),
    #[serde(rename = "signing_key.rotated")]
    KeyRotated(KeyRotated),
    #[serde(rename = "mirror_log.imported")]
    MirrorLogImported(MirrorLogImported),
    #[serde(rename = "label_template.saved")]
    LabelTemplateSaved(Box<LabelTemplate>),
    #[serde(rename = "label_template.closed")]
    LabelTemplateClosed(CloseLabelTemplate),
    #[serde(rename = "national_code.set")]
    NationalCodeSet(SetNationalCode),
}

/// Events as they stand on a journal line.
pub fn to_json(events: &[Event]) -> Result<Box<RawValue>, StateError> {
    serde_json::value::to_raw_value(events).map_err(|e| StateError(e.to_string()))
}
