//! A command becomes events, or is refused. Pure: everything it reads is handed in.

use sha2::{Digest, Sha256};

use crate::actor::Actor;
use crate::authorise::authorise;
use crate::command::{Command, Envelope};
use crate::error::DomainError;
use crate::event::{Answered, Event};
use crate::id::Random;
use crate::state::{Entity, Entry, State, Table};
use crate::time::Time;
use crate::{
    access, activity, agency, application, authorisation, base_map, card, cell, certificate,
    certification, county, decide_brand, decide_code, decide_result, delegation, device, document,
    feedback, hold, input, login, lot, message, operator, policy, print_job, product, recall,
    shop_link, signing_key, site, step_take, token, trace_policy, user,
};

/// What the noun files get to decide with.
pub struct Context<'a> {
    /// What is on record, with earlier commands of the group stacked on.
    pub state: &'a dyn State,
    /// Who asks.
    pub actor: &'a Actor,
    /// The command's one time.
    pub time: Time,
    /// Random bits for ids.
    pub random: &'a mut dyn Random,
}

impl Context<'_> {
    /// Reads a record that must exist.
    pub fn require<E: Entity>(&self, noun: &'static str, id: &str) -> Result<E, DomainError> {
        self.state.require(noun, id)
    }
}

/// What was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Events, all or none; empty when nothing is to be written.
    pub events: Vec<Event>,
    /// Id of what was made or changed.
    pub id: String,
    /// See [`crate::command::Outcome::note`].
    pub note: &'static str,
}

impl Decision {
    pub(crate) fn one(id: impl Into<String>, event: Event) -> Self {
        Self { events: vec![event], id: id.into(), note: "" }
    }

    pub(crate) fn nothing(id: impl Into<String>, note: &'static str) -> Self {
        Self { events: Vec::new(), id: id.into(), note }
    }
}

impl Entity for Answered {
    const TABLE: Table = Table("answered");
    #[expect(
        clippy::misnamed_getters,
        reason = "`id` is what the command answered; the key is `key`"
    )]
    fn id(&self) -> &str {
        &self.key
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

/// Decides one command: authorisation, repeated key, versions, then the noun's own rules.
pub fn decide(
    state: &dyn State,
    envelope: &Envelope,
    random: &mut dyn Random,
) -> Result<Decision, DomainError> {
    let Envelope { actor, command, time, idempotency_key, based_on } = envelope;
    authorise(actor, command, state)?;
    let keyed = idempotency_key.as_ref().map(|key| {
        let request = [command.name().as_bytes(), b" ", &command.intent()].concat();
        (format!("{}/{key}", actor.name()), hex::encode(Sha256::digest(request)))
    });
    if let Some((key, request_sha256)) = &keyed
        && let Some(known) = state.get::<Answered>(key)?
    {
        return if known.request_sha256 == *request_sha256 {
            Ok(Decision::nothing(known.id, "repeated"))
        } else {
            Err(DomainError::KeyReused)
        };
    }
    for (root, expected) in based_on {
        let actual = state.version(root)?;
        if actual != *expected {
            return Err(DomainError::Conflict { root: root.clone(), expected: *expected, actual });
        }
    }
    let mut ctx = Context { state, actor, time: *time, random };
    let mut decision = decide_command(&mut ctx, command.clone())?;
    if let Some((key, request_sha256)) = keyed {
        let id = decision.id.clone();
        decision.events.push(Event::Answered(Answered { key, request_sha256, id }));
    }
    Ok(decision)
}

fn decide_command(ctx: &mut Context<'_>, command: Command) -> Result<Decision, DomainError> {
    match command {
        Command::ConfigureCounty(c) => made(county::configure(ctx, c)?, Event::CountyConfigured),
        Command::AddAgency(c) => made(agency::add(ctx, c)?, Event::AgencyAdded),
        Command::AddUser(c) => made(user::add(ctx, c)?, Event::UserAdded),
        Command::ChangeCredential(c) => {
            let c = user::change_credential(ctx, c)?;
            Ok(Decision::one(c.user.clone(), Event::CredentialChanged(c)))
        }
        Command::SetUserActive(c) => {
            let c = user::set_active(ctx, c)?;
            Ok(Decision::one(c.user.clone(), Event::ActiveChanged(c)))
        }
        Command::RegisterOperator(c) => {
            let operator = operator::register(ctx, c)?;
            let delegated = delegation::of_registrar(ctx, &operator)?;
            let mut decision = made(operator, Event::OperatorRegistered)?;
            decision.events.extend(delegated.map(Event::OperatorDelegated));
            Ok(decision)
        }
        Command::ChangeOperator(c) => {
            let c = operator::change(ctx, c)?;
            Ok(Decision::one(c.operator.clone(), Event::OperatorChanged(c)))
        }
        Command::ReviewOperator(c) => {
            let c = operator::review(ctx, c)?;
            Ok(Decision::one(c.operator.clone(), Event::OperatorReviewed(c)))
        }
        Command::ApplyOperator(c) => {
            let (operator, user) = application::apply(ctx, c)?;
            let mut decision = made(operator, Event::OperatorRegistered)?;
            decision.events.push(Event::UserAdded(user));
            Ok(decision)
        }
        Command::WithdrawOperator(c) => {
            let c = application::withdraw(ctx, c)?;
            Ok(Decision::one(c.operator.clone(), Event::OperatorWithdrawn(c)))
        }
        Command::IssueCard(c) => {
            let (card, user) = card::issue(ctx, c)?;
            let mut decision = made(card, Event::CardIssued)?;
            decision.events.extend(user.map(Event::UserAdded));
            Ok(decision)
        }
        Command::FileDocument(c) => made(document::file(ctx, c)?, Event::DocumentFiled),
        Command::CloseDocument(c) => {
            let c = document::close(ctx, c)?;
            Ok(Decision::one(c.document.clone(), Event::DocumentClosed(c)))
        }
        Command::NoteAccess(c) => made(access::note(ctx, c)?, Event::AccessNoted),
        Command::SetPolicy(c) => made(policy::set(ctx, c)?, Event::PolicySet),
        Command::EnrolTotp(c) => {
            let c = login::enrol(ctx, c)?;
            Ok(Decision::one(c.user.clone(), Event::TotpEnrolled(c)))
        }
        Command::UseRecovery(c) => {
            let c = login::use_recovery(ctx, c)?;
            Ok(Decision::one(c.user.clone(), Event::RecoveryUsed(c)))
        }
        Command::RemoveTotp(c) => {
            let c = login::remove(ctx, c)?;
            Ok(Decision::one(c.user.clone(), Event::TotpRemoved(c)))
        }
        Command::MakeToken(c) => made(token::make(ctx, c)?, Event::TokenMade),
        Command::RevokeToken(c) => {
            let c = token::revoke(ctx, c)?;
            Ok(Decision::one(c.token.clone(), Event::TokenRevoked(c)))
        }
        Command::NoteTokenUse(c) => {
            let c = token::note_use(ctx, c)?;
            Ok(Decision::one(c.token.clone(), Event::TokenUsed(c)))
        }
        Command::RevealContact(c) => made(access::reveal(ctx, c)?, Event::AccessNoted),
        Command::AddSite(c) => made(site::add(ctx, c)?, Event::SiteAdded),
        Command::AddProduct(c) => made(product::add(ctx, c)?, Event::ProductAdded),
        Command::AddInput(c) => made(input::add(ctx, c)?, Event::InputAdded),
        Command::ReviseInput(c) => made(input::revise(ctx, c)?, Event::InputRevised),
        Command::CloseInput(c) => made(input::close(ctx, c)?, Event::InputClosed),
        Command::OpenLot(c) => made(lot::open(ctx, c)?, Event::LotOpened),
        Command::CorrectActivity(c) => made(activity::correct(ctx, c)?, Event::ActivityCorrected),
        Command::StrikeActivity(c) => {
            let c = activity::strike(ctx, c)?;
            Ok(Decision::one(c.activity.clone(), Event::ActivityStruck(c)))
        }
        Command::TakeStep(c) => {
            let taken = step_take::take(ctx, c)?;
            Ok(Decision::one(taken.step.id.clone(), Event::StepTaken(Box::new(taken))))
        }
        Command::StrikeStep(c) => {
            let c = step_take::strike(ctx, c)?;
            Ok(Decision::one(c.step.clone(), Event::StepStruck(c)))
        }
        Command::HoldLot(c) => {
            let held = hold::hold(ctx, c)?;
            Ok(Decision::one(held.lot.clone(), Event::LotHeld(held)))
        }
        Command::ReleaseLot(c) => {
            let c = hold::release(ctx, c)?;
            Ok(Decision::one(c.lot.clone(), Event::LotReleased(c)))
        }
        Command::StartRecall(c) => made(recall::start(ctx, c)?, Event::RecallStarted),
        Command::HoldForRecall(c) => {
            let events: Vec<Event> =
                recall::hold(ctx, &c)?.into_iter().map(Event::LotHeld).collect();
            if events.is_empty() {
                return Ok(Decision::nothing(c.recall, "known"));
            }
            Ok(Decision { events, id: c.recall, note: "" })
        }
        Command::NoteRecall(c) => made(recall::note(ctx, c)?, Event::RecallNoted),
        Command::CloseRecall(c) => {
            let c = recall::close(ctx, c)?;
            Ok(Decision::one(c.recall.clone(), Event::RecallClosed(c)))
        }
        Command::SetTracePolicy(c) => made(trace_policy::set(ctx, c)?, Event::TracePolicySet),
        Command::RecordActivity(c) => made(activity::record(ctx, c)?, Event::ActivityRecorded),
        Command::PairDevice(c) => Ok(match device::pair(ctx, &c)? {
            Some(device) => Decision::one(c.id, Event::DevicePaired(device)),
            None => Decision::nothing(c.id, "known"),
        }),
        Command::ApproveDevice(c) => decide_approval(ctx, c),
        Command::DisableDevice(c) => {
            ctx.require::<device::Device>("device", &c.id)?;
            Ok(Decision::one(c.id.clone(), Event::DeviceDisabled(c)))
        }
        Command::ScanLot(c) => {
            ctx.require::<lot::Lot>("lot", &c.lot)?;
            Ok(Decision::one(c.lot.clone(), Event::LotScanned(c)))
        }
        Command::GrantAuthorisation(c) => {
            made(authorisation::grant(ctx, c)?, Event::AuthorisationGranted)
        }
        Command::RevokeAuthorisation(c) => {
            let c = authorisation::revoke(ctx, c)?;
            Ok(Decision::one(c.authorisation.clone(), Event::AuthorisationRevoked(c)))
        }
        Command::IssueCertificate(_)
        | Command::CountScans(_)
        | Command::CheckCode(_)
        | Command::ScratchCode(_)
        | Command::SettleSuspicion(_)
        | Command::SetScanPolicy(_)
        | Command::OrderPack(_)
        | Command::MarkRange(_)
        | Command::CancelPack(_)
        | Command::CollectProof(_)
        | Command::StrikeCollection(_) => decide_code::decide(ctx, command),
        Command::VoidCertificate(c) => {
            let c = certificate::void(ctx, c)?;
            Ok(Decision::one(c.code.clone(), Event::CertificateVoided(c)))
        }
        Command::QueuePrint(c) => made(print_job::queue(ctx, c)?, Event::PrintQueued),
        Command::BeginPrint(_)
        | Command::EndPrint(_)
        | Command::CancelPrint(_)
        | Command::RetryPrint(_) => {
            let (job, event) = print_job::follow(ctx, command)?;
            Ok(Decision::one(job, event))
        }
        Command::ReceiveMessage(c) => decide_receipt(ctx, c),
        Command::SettleMessage(c) => {
            ctx.require::<message::Message>("message", &c.message)?;
            Ok(Decision::one(c.message.clone(), Event::MessageSettled(c)))
        }
        Command::ReplayMessage(c) => {
            let c = message::replay(ctx, c)?;
            Ok(Decision::one(c.message.clone(), Event::MessageReplayed(c)))
        }
        Command::RecordTest(_)
        | Command::AssignTest(_)
        | Command::TakeSample(_)
        | Command::ReceiveSample(_)
        | Command::CancelSample(_)
        | Command::VerifyTest(_)
        | Command::StrikeTest(_)
        | Command::DeliverResult(_)
        | Command::SettlePositive(_)
        | Command::FileObjection(_)
        | Command::OrderRetest(_)
        | Command::ReceiveRetestSample(_)
        | Command::ConcludeObjection(_) => decide_result::decide(ctx, command),
        Command::DelegateOperators(c) => {
            let begun = delegation::begin(ctx, &c)?;
            if begun.is_empty() {
                return Ok(Decision::nothing(c.agency, "known"));
            }
            let events = begun.into_iter().map(Event::OperatorDelegated).collect();
            Ok(Decision { events, id: c.agency, note: "" })
        }
        Command::EndDelegation(c) => {
            let c = delegation::end(ctx, c)?;
            let id = delegation::key(&c.agency, &c.operator);
            Ok(Decision::one(id, Event::DelegationEnded(c)))
        }
        Command::AddCell(c) => made(cell::add(ctx, c)?, Event::CellAdded),
        Command::ChangeCell(c) => {
            let changed = cell::change(ctx, c)?;
            Ok(Decision::one(changed.cell.id.clone(), Event::CellChanged(changed)))
        }
        Command::EndCell(c) => {
            let c = cell::end(ctx, c)?;
            Ok(Decision::one(c.cell.clone(), Event::CellEnded(c)))
        }
        Command::ChangeSite(c) => {
            let c = site::change(ctx, c)?;
            Ok(Decision::one(c.site.clone(), Event::SiteChanged(c)))
        }
        Command::CloseSite(c) => {
            let c = site::close(ctx, c)?;
            Ok(Decision::one(c.site.clone(), Event::SiteClosed(c)))
        }
        Command::ChangeProduct(c) => {
            let c = product::change(ctx, c)?;
            Ok(Decision::one(c.product.clone(), Event::ProductChanged(c)))
        }
        Command::CloseProduct(c) => {
            let c = product::close(ctx, c)?;
            Ok(Decision::one(c.product.clone(), Event::ProductClosed(c)))
        }
        Command::AddCertification(c) => {
            made(certification::add(ctx, c)?, Event::CertificationAdded)
        }
        Command::EndCertification(c) => {
            let c = certification::end(ctx, c)?;
            Ok(Decision::one(c.certification.clone(), Event::CertificationEnded(c)))
        }
        Command::AddShopLink(c) => made(shop_link::add(ctx, c)?, Event::ShopLinkAdded),
        Command::CloseShopLink(c) => {
            let c = shop_link::close(ctx, c)?;
            Ok(Decision::one(c.shop_link.clone(), Event::ShopLinkClosed(c)))
        }
        Command::LayBaseMap(c) => {
            let c = base_map::lay(c)?;
            Ok(Decision::one(base_map::BASE_MAP_ID, Event::BaseMapLaid(c)))
        }
        Command::RotateKey(c) => {
            let rotated = signing_key::rotate(ctx, c)?;
            Ok(Decision::one(rotated.new.id.clone(), Event::KeyRotated(rotated)))
        }
        Command::AddBrand(_)
        | Command::ChangeBrand(_)
        | Command::CloseBrand(_)
        | Command::LicenseBrand(_)
        | Command::EndBrandLicence(_)
        | Command::SaveIdCard(_)
        | Command::SubmitIdCard(_)
        | Command::ReviewIdCard(_)
        | Command::PublishIdCard(_)
        | Command::WithdrawIdCard(_) => decide_brand::decide(ctx, command),
        Command::LeaveFeedback(_) | Command::ModerateFeedback(_) | Command::CloseFeedback(_) => {
            feedback::decide(ctx, command)
        }
        Command::ImportMirrorLog(_)
        | Command::SaveLabelTemplate(_)
        | Command::CloseLabelTemplate(_)
        | Command::SetNationalCode(_) => decide_code::decide(ctx, command),
    }
}

pub(crate) fn made<E: Entity>(
    record: E,
    event: impl FnOnce(E) -> Event,
) -> Result<Decision, DomainError> {
    Ok(Decision::one(record.id().to_owned(), event(record)))
}

/// Approving frees what the device sent while it was in quarantine.
fn decide_approval(
    ctx: &mut Context<'_>,
    c: device::ApproveDevice,
) -> Result<Decision, DomainError> {
    let device = device::approve(ctx, c)?;
    let mut quarantined: Vec<message::Message> = ctx
        .state
        .list::<message::Message>(message::BY_DEVICE, &device.id, QUARANTINE_MESSAGES_MAX)?
        .into_iter()
        .filter(|m| m.status == message::MessageStatus::Quarantined)
        .collect();
    // In the order of receipt, however the state lists what this group stacked.
    quarantined.sort_by(|a, b| a.id.cmp(&b.id));
    let mut decision = Decision::one(device.id.clone(), Event::DeviceApproved(device));
    decision.events.extend(
        quarantined
            .into_iter()
            .map(|m| Event::MessageReplayed(message::ReplayMessage { message: m.id })),
    );
    Ok(decision)
}

/// Messages one unapproved device may leave in quarantine.
pub const QUARANTINE_MESSAGES_MAX: usize = 200;

fn decide_receipt(
    ctx: &mut Context<'_>,
    c: message::ReceiveMessage,
) -> Result<Decision, DomainError> {
    let device = c.device.clone();
    Ok(match message::receive(ctx, c)? {
        message::Received::New(m) => {
            if m.status == message::MessageStatus::Quarantined {
                let kept = ctx.state.ids(message::BY_DEVICE, &device, QUARANTINE_MESSAGES_MAX)?;
                if kept.len() >= QUARANTINE_MESSAGES_MAX {
                    return Err(DomainError::refused("quarantine_full", &[("id", &device)]));
                }
            }
            Decision::one(m.id.clone(), Event::MessageReceived(*m))
        }
        message::Received::Known(id) => Decision::nothing(id, "known"),
        message::Received::Again(id) => Decision::one(
            id.clone(),
            Event::MessageReplayed(message::ReplayMessage { message: id }),
        ),
    })
}
