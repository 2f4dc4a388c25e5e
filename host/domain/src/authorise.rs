//! Who may do what: role × agency × scope, in one function, deny by default.

use std::collections::BTreeSet;

use crate::activity::Activity;
use crate::actor::{Actor, Role, Scope};
use crate::agency::{Agency, AgencyKind};
use crate::authorisation::Authorisation;
use crate::brand::{Brand, BrandLicence};
use crate::cell::Cell;
use crate::certificate::Certificate;
use crate::certification::Certification;
use crate::code::Code;
use crate::collection::Collection;
use crate::command::{Command, CommandKind};
use crate::county::{COUNTY_ID, County};
use crate::delegation;
use crate::document::Document;
use crate::error::DomainError;
use crate::feedback::Feedback;
use crate::id_card::IdCard;
use crate::label_template::{LabelTemplate, SaveLabelTemplate};
use crate::lot::Lot;
use crate::message::Message;
use crate::national_code::Holder;
use crate::objection::Objection;
use crate::operator::Operator;
use crate::pack::{MarkRange, Pack};
use crate::print_job::PrintJob;
use crate::product::Product;
use crate::recall::Recall;
use crate::sampling::Sampling;
use crate::shop_link::ShopLink;
use crate::site::Site;
use crate::span::{self, Span, SpanState};
use crate::state::{Entity, State};
use crate::step::Step;
use crate::test::{Origin, RecordTest, Test};
use crate::token::{TokenGroup, Via};

/// Refuses what the actor's role does not allow, and hides what is out of its sight.
pub fn authorise(actor: &Actor, command: &Command, state: &dyn State) -> Result<(), DomainError> {
    let allowed = match actor {
        Actor::System { .. } => return Ok(()),
        // A device speaks for itself only.
        Actor::Device { id } => match command {
            Command::ReceiveMessage(c) => c.device == *id,
            Command::PairDevice(c) => c.id == *id,
            _ => false,
        },
        Actor::User { id, role, scope, office, token } => {
            if token.as_ref().is_some_and(|via| !may_by_token(via, command.kind())) {
                return Err(DomainError::refused("outside_token_scope", &[]));
            }
            may(*role, *office, command.kind())
                && match command {
                    Command::RegisterOperator(c) => sight(scope, state).registers_in(&c.area)?,
                    Command::ChangeOperator(c) => {
                        sight(scope, state).covers(&c.data.area, &c.operator)?
                    }
                    Command::AddCell(c) => scope.covers(&c.area, ""),
                    Command::ChangeCell(c) => scope.covers(&c.data.area, ""),
                    Command::RecordTest(c) => {
                        is_typed(c) && (c.objection.is_none() || *role != Role::Producer)
                    }
                    // A brand that no operator owns is the county's or the township's to keep.
                    Command::AddBrand(c) if c.owner.is_none() => scope.covers(&c.area, ""),
                    Command::SaveLabelTemplate(c) => sight(scope, state).labels(c)?,
                    Command::ChangeCredential(c) => *role == Role::Administrator || c.user == *id,
                    Command::RemoveTotp(c) => *role == Role::Administrator || c.user == *id,
                    Command::EnrolTotp(c) => c.user == *id,
                    // What is registered of an operator, the county keeps.
                    Command::SetNationalCode(c) => {
                        c.of != Holder::Operator || *role != Role::Producer
                    }
                    _ => true,
                }
        }
    };
    if !allowed {
        return Err(DomainError::Forbidden { action: command.name() });
    }
    match actor {
        Actor::User { scope, .. } => sight(scope, state).of(command),
        _ => Ok(()),
    }
}

/// People type results; only the appliance itself speaks for what a device measured.
fn is_typed(c: &RecordTest) -> bool {
    c.origin == Origin::Typed && c.device.is_empty() && c.message.is_empty()
}

/// Whether people of this role and agency give such commands at all; about which rows is for
/// [`authorise`] to say. `None` stands for the county's supervision, and for producers.
#[must_use]
pub fn may(role: Role, office: Option<AgencyKind>, command: CommandKind) -> bool {
    let office = office.unwrap_or(AgencyKind::Supervision);
    roles_of(command).contains(&role)
        && (role == Role::Producer || offices_of(command).contains(&office))
}

/// Roles that may give a command; none for what only the appliance itself does.
pub fn roles_of(command: CommandKind) -> &'static [Role] {
    use CommandKind::*;
    use Role::{Administrator, Clerk, Officer, Producer};
    match command {
        ConfigureCounty | AddAgency | AddUser | SetUserActive | ApproveDevice | DisableDevice
        | ReplayMessage | LayBaseMap | SetPolicy | SetTracePolicy | SetScanPolicy | RotateKey
        | ImportMirrorLog => &[Administrator],
        RegisterOperator | AddInput | ReviseInput | CloseInput | RevealContact => {
            &[Administrator, Clerk, Officer]
        }
        ReviewOperator | AssignTest | GrantAuthorisation | RevokeAuthorisation | IssueCard => {
            &[Administrator, Clerk]
        }
        ReviewIdCard | PublishIdCard | WithdrawIdCard | LicenseBrand | EndBrandLicence => {
            &[Administrator, Clerk]
        }
        // Its own applications; approved ones are for the county to correct.
        WithdrawOperator => &[Producer],
        ChangeOperator | FileDocument | CloseDocument | AddSite | AddProduct | OpenLot
        | RecordActivity | CorrectActivity | StrikeActivity | TakeStep | StrikeStep
        | RecordTest | QueuePrint | CancelPrint | RetryPrint | ChangeCredential | ChangeSite
        | CloseSite | ChangeProduct | CloseProduct | AddBrand | ChangeBrand | CloseBrand
        | AddCertification | EndCertification | AddShopLink | CloseShopLink | SaveIdCard
        | SubmitIdCard | EnrolTotp | RemoveTotp | MakeToken | RevokeToken | SetNationalCode => {
            &[Administrator, Clerk, Officer, Producer]
        }
        IssueCertificate | VoidCertificate | SaveLabelTemplate | CloseLabelTemplate => {
            &[Administrator, Clerk, Producer]
        }
        DelegateOperators | EndDelegation | AddCell | ChangeCell | EndCell | HoldLot
        | ReleaseLot | StartRecall | NoteRecall | CloseRecall => &[Administrator, Clerk],
        // A producer takes and tests samples of its own, and objects to what others found.
        TakeSample | CancelSample | FileObjection | StrikeTest | VerifyTest => {
            &[Administrator, Clerk, Officer, Producer]
        }
        ReceiveSample => &[Administrator, Clerk, Officer],
        CollectProof | StrikeCollection => &[Administrator, Clerk, Officer, Producer],
        OrderPack | CancelPack | SettleSuspicion => &[Administrator, Clerk],
        MarkRange => &[Administrator, Clerk, Producer],
        DeliverResult | SettlePositive | OrderRetest | ReceiveRetestSample | ConcludeObjection => {
            &[Administrator, Clerk]
        }
        // What the public says is for the county to weigh; producers and stations read it.
        ModerateFeedback | CloseFeedback => &[Administrator, Clerk],
        LeaveFeedback | HoldForRecall | PairDevice | ScanLot | ReceiveMessage | SettleMessage
        | BeginPrint | EndPrint | CountScans | CheckCode | ScratchCode | ApplyOperator
        | NoteAccess | UseRecovery | NoteTokenUse => &[],
    }
}

/// Agencies whose people may give a command, as far as their role allows. The county's supervision
/// reviews operators and keeps the appliance; testing and enforcement bodies do what they are
/// there for; stations and service points work with the growers around them.
pub fn offices_of(command: CommandKind) -> &'static [AgencyKind] {
    use AgencyKind::{Enforcement, ServicePoint, Station, Supervision, Testing};
    use CommandKind::*;
    match command {
        AddUser | SetUserActive | ChangeCredential | EnrolTotp | RemoveTotp | MakeToken
        | RevokeToken => &AgencyKind::ALL,
        // A service point works with growers that it knows; it needs no register of phones.
        RevealContact => &[Supervision, Testing, Enforcement, Station],
        AddAgency | DelegateOperators | EndDelegation | AddCell | ChangeCell | EndCell => {
            &[Supervision, Station]
        }
        AssignTest => &[Supervision, Testing, Station],
        RecordTest => &[Supervision, Testing, Station, ServicePoint],
        TakeSample | CancelSample => &[Supervision, Testing, Enforcement, Station],
        ReceiveSample | VerifyTest | StrikeTest => &[Supervision, Testing, Station],
        DeliverResult | SettlePositive => &[Supervision, Enforcement, Station],
        FileObjection => &[Supervision, Testing, Enforcement, Station],
        OrderRetest | ReceiveRetestSample | ConcludeObjection => &[Supervision, Enforcement],
        // What is dangerous is stopped by whoever sees it; set free by the county (law art 53).
        VoidCertificate | HoldLot | StartRecall | NoteRecall => {
            &[Supervision, Enforcement, Station]
        }
        ReleaseLot | CloseRecall => &[Supervision, Enforcement],
        RegisterOperator | ChangeOperator | WithdrawOperator | IssueCard | FileDocument
        | CloseDocument | AddSite | AddProduct | OpenLot | RecordActivity | CorrectActivity
        | StrikeActivity | TakeStep | StrikeStep | IssueCertificate | QueuePrint | CancelPrint
        | RetryPrint | ChangeSite | CloseSite | ChangeProduct | CloseProduct | AddCertification
        | EndCertification | AddShopLink | CloseShopLink | SaveIdCard | SubmitIdCard
        | CollectProof | StrikeCollection | MarkRange | SetNationalCode => {
            &[Supervision, Station, ServicePoint]
        }
        AddBrand | ChangeBrand | CloseBrand | OrderPack | CancelPack | SaveLabelTemplate
        | CloseLabelTemplate => &[Supervision, Station],
        SettleSuspicion => &[Supervision, Enforcement],
        _ => &[Supervision],
    }
}

/// The group of commands that a token must have for a command; `None` for what no token does: accounts,
/// passwords, cards, settings.
pub fn group_of(command: CommandKind) -> Option<TokenGroup> {
    use CommandKind::*;
    match command {
        RegisterOperator | ChangeOperator | ReviewOperator | WithdrawOperator | FileDocument
        | CloseDocument | AddSite | ChangeSite | CloseSite | AddProduct | ChangeProduct
        | CloseProduct | AddInput | ReviseInput | CloseInput | DelegateOperators
        | EndDelegation | AddCell | ChangeCell | EndCell | AddBrand | ChangeBrand | CloseBrand
        | LicenseBrand | EndBrandLicence | AddCertification | EndCertification | AddShopLink
        | CloseShopLink | SaveIdCard | SubmitIdCard | ReviewIdCard | PublishIdCard
        | WithdrawIdCard | SetNationalCode => Some(TokenGroup::Register),
        OpenLot | RecordActivity | CorrectActivity | StrikeActivity | TakeStep | StrikeStep => {
            Some(TokenGroup::Records)
        }
        HoldLot | ReleaseLot | StartRecall | NoteRecall | CloseRecall => Some(TokenGroup::Tests),
        RecordTest | AssignTest | TakeSample | ReceiveSample | CancelSample | VerifyTest
        | StrikeTest | DeliverResult | SettlePositive | FileObjection | OrderRetest
        | ReceiveRetestSample | ConcludeObjection => Some(TokenGroup::Tests),
        GrantAuthorisation | RevokeAuthorisation | IssueCertificate | VoidCertificate
        | QueuePrint | CancelPrint | RetryPrint | OrderPack | MarkRange | CancelPack
        | CollectProof | StrikeCollection | SettleSuspicion | SaveLabelTemplate
        | CloseLabelTemplate => Some(TokenGroup::Certificates),
        DisableDevice | ReplayMessage => Some(TokenGroup::Devices),
        RevealContact => Some(TokenGroup::Contacts),
        _ => None,
    }
}

fn may_by_token(via: &Via, command: CommandKind) -> bool {
    group_of(command).is_some_and(|group| via.groups.contains(&group))
}

/// What a person sees of the records.
struct Sight<'a> {
    scope: &'a Scope,
    state: &'a dyn State,
}

fn sight<'a>(scope: &'a Scope, state: &'a dyn State) -> Sight<'a> {
    Sight { scope, state }
}

impl Sight<'_> {
    /// Whether a row is in sight. What a service point may touch is asked of the record, not of the
    /// actor: a session may be older than the end of a delegation.
    fn covers(&self, area: &str, owner: &str) -> Result<bool, DomainError> {
        match &self.scope.through {
            Some(agency) => {
                Ok(!owner.is_empty() && delegation::is_in_force(self.state, agency, owner)?)
            }
            None => Ok(self.scope.covers(area, owner)),
        }
    }

    /// Whether new operators of an area are registered by such people; a service point has those of its
    /// township, or of the township that its village is in.
    fn registers_in(&self, area: &str) -> Result<bool, DomainError> {
        let Some(agency) = &self.scope.through else { return Ok(self.scope.covers(area, "")) };
        let agency: Option<Agency> = self.state.get(agency)?;
        let fits = |own: &str| area.starts_with(own) || (area.len() >= 9 && own.starts_with(area));
        Ok(agency.is_some_and(|agency| fits(&agency.area)))
    }

    /// Whether such people decide what labels look like; those of no product and no brand are the county's.
    fn labels(&self, c: &SaveLabelTemplate) -> Result<bool, DomainError> {
        if c.label_template.is_some() || c.product.is_some() || c.brand.is_some() {
            return Ok(true);
        }
        let county: Option<County> = self.state.get(COUNTY_ID)?;
        Ok(county.is_none_or(|county| self.scope.covers(&county.area, "")))
    }

    /// Every row that a command speaks of must be in sight; county-wide matters speak of none.
    fn of(&self, command: &Command) -> Result<(), DomainError> {
        match command {
            Command::ChangeOperator(c) => self.row::<Operator>(&c.operator),
            Command::ReviewOperator(c) => self.row::<Operator>(&c.operator),
            Command::WithdrawOperator(c) => self.row::<Operator>(&c.operator),
            Command::IssueCard(c) => self.row::<Operator>(&c.operator),
            Command::FileDocument(c) => self.row::<Operator>(&c.operator),
            Command::CloseDocument(c) => self.row::<Document>(&c.document),
            Command::RevealContact(c) => self.row::<Operator>(&c.operator),
            Command::AddSite(c) => self.row::<Operator>(&c.operator),
            Command::AddProduct(c) => self.row::<Operator>(&c.operator),
            Command::GrantAuthorisation(c) => self.row::<Operator>(&c.operator),
            Command::RevokeAuthorisation(c) => self.row::<Authorisation>(&c.authorisation),
            Command::OpenLot(c) => self.row::<Product>(&c.request.product),
            Command::RecordActivity(c) => self.row::<Site>(&c.site),
            Command::CorrectActivity(c) => {
                self.row::<Activity>(&c.activity)?;
                self.row::<Site>(&c.data.site)
            }
            Command::StrikeActivity(c) => self.row::<Activity>(&c.activity),
            Command::TakeStep(c) => {
                let into = c.outputs.iter().filter_map(|one| one.into.as_ref());
                self.rows::<Lot>(c.inputs.iter().map(|one| &one.lot).chain(into))
            }
            Command::StrikeStep(c) => self.row::<Step>(&c.step),
            Command::HoldLot(c) => self.row::<Lot>(&c.lot),
            Command::ReleaseLot(c) => self.row::<Lot>(&c.lot),
            Command::StartRecall(c) => self.rows::<Lot>(&c.roots),
            Command::NoteRecall(c) => self.row::<Lot>(&c.lot),
            Command::CloseRecall(c) => self.row::<Recall>(&c.recall),
            Command::RecordTest(c) => {
                if let Some(objection) = &c.objection {
                    self.row::<Objection>(objection)?;
                }
                if let Some(sampling) = &c.sampling {
                    self.row::<Sampling>(sampling)?;
                }
                self.rows::<Lot>(c.lot.iter().map(|(lot, _)| lot))
            }
            Command::TakeSample(c) => {
                self.rows::<Lot>(c.lot.iter())?;
                self.rows::<Site>(c.site.iter())?;
                self.rows::<Product>(c.product.iter())
            }
            Command::ReceiveSample(c) => self.row::<Sampling>(&c.sampling),
            Command::CancelSample(c) => self.row::<Sampling>(&c.sampling),
            Command::VerifyTest(c) => self.row::<Test>(&c.test),
            Command::StrikeTest(c) => self.row::<Test>(&c.test),
            Command::DeliverResult(c) => self.row::<Test>(&c.test),
            Command::SettlePositive(c) => self.row::<Test>(&c.test),
            Command::FileObjection(c) => self.row::<Test>(&c.test),
            Command::OrderRetest(c) => self.row::<Objection>(&c.objection),
            Command::ReceiveRetestSample(c) => self.row::<Objection>(&c.objection),
            Command::ConcludeObjection(c) => self.row::<Objection>(&c.objection),
            // Of a test out of sight, not even the lot is to be chosen.
            Command::AssignTest(c) => {
                self.row::<Test>(&c.test)?;
                self.rows::<Sampling>(c.sampling.iter())?;
                self.rows::<Lot>(Some(&c.lot).filter(|lot| !lot.is_empty()))
            }
            Command::IssueCertificate(c) => self.row::<Lot>(&c.request.lot),
            Command::OrderPack(c) => self.rows::<Operator>(c.operator.iter()),
            Command::MarkRange(c) => {
                self.codes(c)?;
                self.rows::<Lot>(c.lot.iter())?;
                self.rows::<Operator>(c.operator.iter())
            }
            Command::CancelPack(c) => self.row::<Pack>(&c.pack),
            Command::SettleSuspicion(c) => self.row::<Code>(&c.code),
            // The supplier's certificate may be of anybody: whoever holds it may read it.
            Command::CollectProof(c) => {
                self.row::<Operator>(&c.operator)?;
                self.rows::<Lot>(c.lot.iter())?;
                self.rows::<Product>(c.product.iter())?;
                self.rows::<Site>(c.site.iter())
            }
            Command::StrikeCollection(c) => self.row::<Collection>(&c.collection),
            Command::VoidCertificate(c) => self.row::<Certificate>(&c.code),
            Command::QueuePrint(c) => self.row::<Certificate>(&c.certificate),
            Command::CancelPrint(c) => self.row::<PrintJob>(&c.job),
            Command::RetryPrint(c) => self.row::<PrintJob>(&c.job),
            Command::ReplayMessage(c) => self.row::<Message>(&c.message),
            Command::ChangeSite(c) => self.row::<Site>(&c.site),
            Command::CloseSite(c) => self.row::<Site>(&c.site),
            Command::ChangeProduct(c) => self.row::<Product>(&c.product),
            Command::CloseProduct(c) => self.row::<Product>(&c.product),
            Command::AddBrand(c) => match &c.owner {
                Some(owner) => self.row::<Operator>(owner),
                None => Ok(()),
            },
            Command::ChangeBrand(c) => self.row::<Brand>(&c.brand),
            Command::CloseBrand(c) => self.row::<Brand>(&c.brand),
            Command::LicenseBrand(c) => self.row::<Operator>(&c.operator),
            Command::EndBrandLicence(c) => self.row::<BrandLicence>(&c.licence),
            Command::AddCertification(c) => self.row::<Operator>(&c.operator),
            Command::EndCertification(c) => self.row::<Certification>(&c.certification),
            Command::AddShopLink(c) => self.row::<Product>(&c.product),
            Command::CloseShopLink(c) => self.row::<ShopLink>(&c.shop_link),
            Command::SaveIdCard(c) => self.row::<Product>(&c.product),
            Command::SubmitIdCard(c) => self.row::<IdCard>(&c.id_card),
            Command::ReviewIdCard(c) => self.row::<IdCard>(&c.id_card),
            Command::PublishIdCard(c) => self.row::<IdCard>(&c.id_card),
            Command::WithdrawIdCard(c) => self.row::<IdCard>(&c.id_card),
            Command::DelegateOperators(c) => {
                self.row::<Agency>(&c.agency)?;
                self.rows::<Operator>(&c.operators)
            }
            // Its operator may have moved away since.
            Command::EndDelegation(c) => self.row::<Agency>(&c.agency),
            Command::AddCell(c) => self.rows::<Operator>(&c.operators),
            Command::ChangeCell(c) => {
                self.row::<Cell>(&c.cell)?;
                // Those named so far may stay, whoever named them.
                let now: Option<Cell> = self.state.get(&c.cell)?;
                let known = now.map(|cell| cell.data.operators).unwrap_or_default();
                self.rows::<Operator>(c.data.operators.difference(&known))
            }
            Command::EndCell(c) => self.row::<Cell>(&c.cell),
            Command::ModerateFeedback(c) => self.row::<Feedback>(&c.feedback),
            Command::CloseFeedback(c) => self.row::<Feedback>(&c.feedback),
            Command::SaveLabelTemplate(c) => {
                self.rows::<LabelTemplate>(c.label_template.iter())?;
                self.rows::<Product>(c.product.iter())?;
                self.rows::<Brand>(c.brand.iter())
            }
            Command::CloseLabelTemplate(c) => self.row::<LabelTemplate>(&c.label_template),
            Command::SetNationalCode(c) => match c.of {
                Holder::Operator => self.row::<Operator>(&c.id),
                Holder::Product => self.row::<Product>(&c.id),
                Holder::Lot => self.row::<Lot>(&c.id),
            },
            _ => Ok(()),
        }
    }

    /// Codes of a pack in sight; or of the county's those that were handed out to operators of such people, who
    /// bind them or tell that they are spoiled. Of a pack of which they have nothing they learn nothing.
    fn codes(&self, c: &MarkRange) -> Result<(), DomainError> {
        let Some(pack) = self.state.get::<Pack>(&c.pack)? else { return Ok(()) };
        if self.covers(pack.area(), pack.owner())? {
            return Ok(());
        }
        let mut own = BTreeSet::new();
        for holder in pack.holders() {
            if self.covers("", holder)? {
                own.insert(holder);
            }
        }
        if own.is_empty() {
            return self.row::<Pack>(&c.pack);
        }
        let told = span::told_of(&pack.spans, c.from, c.to).unwrap_or_default();
        let is_own = |one: &Span| own.contains(one.operator.as_str());
        let is_theirs = !told.is_empty() && told.iter().all(is_own);
        if is_theirs && matches!(c.state, SpanState::Bound | SpanState::Waste) {
            return Ok(());
        }
        let (from, to) = (pack.label_of(c.from), pack.label_of(c.to));
        Err(DomainError::refused("codes_not_handed_out", &[("from", &from), ("to", &to)]))
    }

    /// A row out of sight is told like one that does not exist, which `decide` tells with the same
    /// noun: nobody learns from the answer what others have.
    fn row<E: Entity>(&self, id: &str) -> Result<(), DomainError> {
        match self.state.get::<E>(id)? {
            Some(row) if !self.covers(row.area(), row.owner())? => {
                Err(DomainError::NotFound { noun: E::TABLE.0, id: id.chars().take(64).collect() })
            }
            _ => Ok(()),
        }
    }

    fn rows<'i, E: Entity>(
        &self,
        ids: impl IntoIterator<Item = &'i String>,
    ) -> Result<(), DomainError> {
        ids.into_iter().try_for_each(|id| self.row::<E>(id))
    }
}
