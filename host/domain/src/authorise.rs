//! Who may do what: role × agency × scope, in one function, deny by default.

use crate::actor::{Actor, Role, Scope};
use crate::agency::AgencyKind;
use crate::authorisation::Authorisation;
use crate::certificate::Certificate;
use crate::command::Command;
use crate::error::DomainError;
use crate::lot::Lot;
use crate::message::Message;
use crate::operator::Operator;
use crate::product::Product;
use crate::site::Site;
use crate::state::{Entity, State};
use crate::test::{Origin, RecordTest, Test};

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
        Actor::User { id, role, scope, office } => {
            let office = office.unwrap_or(AgencyKind::Supervision);
            roles_of(command).contains(role)
                && (*role == Role::Producer || offices_of(command).contains(&office))
                && match command {
                    Command::RegisterOperator(c) => scope.covers(&c.area, ""),
                    Command::RecordTest(c) => is_typed(c),
                    Command::ChangeCredential(c) => *role == Role::Administrator || c.user == *id,
                    _ => true,
                }
        }
    };
    if !allowed {
        return Err(DomainError::Forbidden { action: command.name() });
    }
    match actor {
        Actor::User { scope, .. } => Sight { scope, state }.of(command),
        _ => Ok(()),
    }
}

/// People type results; only the appliance itself speaks for what a device measured.
fn is_typed(c: &RecordTest) -> bool {
    c.origin == Origin::Typed && c.device.is_empty() && c.message.is_empty()
}

/// Roles that may give a command; none for what only the appliance itself does.
pub fn roles_of(command: &Command) -> &'static [Role] {
    use Role::{Administrator, Clerk, Officer, Producer};
    match command {
        Command::ConfigureCounty(_)
        | Command::AddAgency(_)
        | Command::AddUser(_)
        | Command::SetUserActive(_)
        | Command::ApproveDevice(_)
        | Command::DisableDevice(_)
        | Command::ReplayMessage(_) => &[Administrator],
        Command::RegisterOperator(_) | Command::AddInput(_) => &[Administrator, Clerk, Officer],
        Command::ReviewOperator(_)
        | Command::AssignTest(_)
        | Command::GrantAuthorisation(_)
        | Command::RevokeAuthorisation(_) => &[Administrator, Clerk],
        Command::AddSite(_)
        | Command::AddProduct(_)
        | Command::OpenLot(_)
        | Command::RecordActivity(_)
        | Command::RecordTest(_)
        | Command::QueuePrint(_)
        | Command::ChangeCredential(_) => &[Administrator, Clerk, Officer, Producer],
        Command::IssueCertificate(_) | Command::VoidCertificate(_) => {
            &[Administrator, Clerk, Producer]
        }
        Command::PairDevice(_)
        | Command::ScanLot(_)
        | Command::ReceiveMessage(_)
        | Command::SettleMessage(_)
        | Command::EndPrint(_)
        | Command::CountScans(_)
        | Command::CheckCode(_) => &[],
    }
}

/// Agencies whose people may give a command, as far as their role allows. The county's supervision
/// reviews operators and keeps the appliance; testing and enforcement bodies do what they are
/// there for; stations and service points work with the growers around them.
pub fn offices_of(command: &Command) -> &'static [AgencyKind] {
    use AgencyKind::{Enforcement, ServicePoint, Station, Supervision, Testing};
    match command {
        Command::AddUser(_) | Command::SetUserActive(_) | Command::ChangeCredential(_) => {
            &AgencyKind::ALL
        }
        Command::AddAgency(_) => &[Supervision, Station],
        Command::AssignTest(_) => &[Supervision, Testing, Station],
        Command::RecordTest(_) => &[Supervision, Testing, Station, ServicePoint],
        Command::VoidCertificate(_) => &[Supervision, Enforcement, Station],
        Command::RegisterOperator(_)
        | Command::AddSite(_)
        | Command::AddProduct(_)
        | Command::OpenLot(_)
        | Command::RecordActivity(_)
        | Command::IssueCertificate(_)
        | Command::QueuePrint(_) => &[Supervision, Station, ServicePoint],
        _ => &[Supervision],
    }
}

/// What a person sees of the records.
struct Sight<'a> {
    scope: &'a Scope,
    state: &'a dyn State,
}

impl Sight<'_> {
    /// Every row that a command speaks of must be in sight; county-wide matters speak of none.
    fn of(&self, command: &Command) -> Result<(), DomainError> {
        match command {
            Command::ReviewOperator(c) => self.row::<Operator>(&c.operator),
            Command::AddSite(c) => self.row::<Operator>(&c.operator),
            Command::AddProduct(c) => self.row::<Operator>(&c.operator),
            Command::GrantAuthorisation(c) => self.row::<Operator>(&c.operator),
            Command::RevokeAuthorisation(c) => self.row::<Authorisation>(&c.authorisation),
            Command::OpenLot(c) => self.row::<Product>(&c.product),
            Command::RecordActivity(c) => self.row::<Site>(&c.site),
            Command::RecordTest(c) => match &c.lot {
                Some((lot, _)) => self.row::<Lot>(lot),
                None => Ok(()),
            },
            // Of a test out of sight, not even the lot is to be chosen.
            Command::AssignTest(c) => {
                self.row::<Test>(&c.test)?;
                self.row::<Lot>(&c.lot)
            }
            Command::IssueCertificate(c) => self.row::<Lot>(&c.request.lot),
            Command::VoidCertificate(c) => self.row::<Certificate>(&c.code),
            Command::QueuePrint(c) => self.row::<Certificate>(&c.certificate),
            Command::ReplayMessage(c) => self.row::<Message>(&c.message),
            _ => Ok(()),
        }
    }

    /// A row out of sight is told like one that does not exist, which `decide` tells with the same
    /// noun: nobody learns from the answer what others have.
    fn row<E: Entity>(&self, id: &str) -> Result<(), DomainError> {
        match self.state.get::<E>(id)? {
            Some(row) if !self.scope.covers(row.area(), row.owner()) => {
                Err(DomainError::NotFound { noun: E::TABLE.0, id: id.chars().take(64).collect() })
            }
            _ => Ok(()),
        }
    }
}
