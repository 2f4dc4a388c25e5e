//! Who may do what: role × scope, in one function, deny by default.

use crate::actor::{Actor, Role};
use crate::certificate::Certificate;
use crate::command::Command;
use crate::error::DomainError;
use crate::lot::Lot;
use crate::message::Message;
use crate::product::Product;
use crate::site::Site;
use crate::state::{Entity, State};
use crate::test::Test;

/// The row a command touches: region code and owning operator.
type Target = (String, String);

/// Refuses what the actor's role does not allow, and hides what is out of its sight.
pub fn authorise(actor: &Actor, command: &Command, state: &dyn State) -> Result<(), DomainError> {
    let forbidden = || DomainError::Forbidden { action: command.name() };
    match actor {
        Actor::System { .. } => Ok(()),
        Actor::Device { .. } => match command {
            Command::ReceiveMessage(_) | Command::PairDevice(_) => Ok(()),
            _ => Err(forbidden()),
        },
        Actor::User { role, scope, .. } => {
            if !roles_of(command).contains(role) {
                return Err(forbidden());
            }
            match target(command, state)? {
                Some((area, owner)) if !scope.covers(&area, &owner) => {
                    Err(DomainError::NotFound { noun: "record", id: String::new() })
                }
                _ => Ok(()),
            }
        }
    }
}

/// Roles that may give a command; none for what only the appliance itself does.
pub fn roles_of(command: &Command) -> &'static [Role] {
    use Role::{Administrator, Clerk, Producer};
    match command {
        Command::ConfigureCounty(_)
        | Command::AddAgency(_)
        | Command::AddUser(_)
        | Command::SetUserActive(_)
        | Command::ApproveDevice(_)
        | Command::DisableDevice(_)
        | Command::ReplayMessage(_) => &[Administrator],
        Command::RegisterOperator(_)
        | Command::ReviewOperator(_)
        | Command::AddInput(_)
        | Command::AssignTest(_)
        | Command::GrantAuthorisation(_)
        | Command::RevokeAuthorisation(_) => &[Administrator, Clerk],
        Command::AddSite(_)
        | Command::AddProduct(_)
        | Command::OpenLot(_)
        | Command::RecordActivity(_)
        | Command::RecordTest(_)
        | Command::IssueCertificate(_)
        | Command::VoidCertificate(_)
        | Command::QueuePrint(_) => &[Administrator, Clerk, Producer],
        Command::ChangeCredential(_)
        | Command::PairDevice(_)
        | Command::ScanLot(_)
        | Command::ReceiveMessage(_)
        | Command::SettleMessage(_)
        | Command::EndPrint(_)
        | Command::CountScans(_)
        | Command::CheckCode(_) => &[],
    }
}

/// The row that decides whether a command is in the actor's sight; `None` for county-wide matters.
fn target(command: &Command, state: &dyn State) -> Result<Option<Target>, DomainError> {
    match command {
        Command::RegisterOperator(c) => Ok(Some((c.area.clone(), String::new()))),
        Command::ReviewOperator(c) => row::<crate::operator::Operator>(state, &c.operator),
        Command::AddSite(c) => row::<crate::operator::Operator>(state, &c.operator),
        Command::AddProduct(c) => row::<crate::operator::Operator>(state, &c.operator),
        Command::GrantAuthorisation(c) => row::<crate::operator::Operator>(state, &c.operator),
        Command::RevokeAuthorisation(c) => {
            row::<crate::authorisation::Authorisation>(state, &c.authorisation)
        }
        Command::OpenLot(c) => row::<Product>(state, &c.product),
        Command::RecordActivity(c) => row::<Site>(state, &c.site),
        Command::RecordTest(c) => match &c.lot {
            Some((lot, _)) => row::<Lot>(state, lot),
            None => Ok(None),
        },
        Command::AssignTest(c) => {
            // The lot decides; a test of a device out of sight would still be a leak.
            row::<Test>(state, &c.test)?;
            row::<Lot>(state, &c.lot)
        }
        Command::IssueCertificate(c) => row::<Lot>(state, &c.request.lot),
        Command::VoidCertificate(c) => row::<Certificate>(state, &c.code),
        Command::QueuePrint(c) => row::<Certificate>(state, &c.certificate),
        Command::ReplayMessage(c) => row::<Message>(state, &c.message),
        _ => Ok(None),
    }
}

fn row<E: Entity>(state: &dyn State, id: &str) -> Result<Option<Target>, DomainError> {
    // A missing row is told by `decide` with its noun; here it only has no area.
    Ok(state.get::<E>(id)?.map(|r| (r.area().to_owned(), r.owner().to_owned())))
}
