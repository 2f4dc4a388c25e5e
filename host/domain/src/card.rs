//! Operator cards (主体卡): a printed card whose QR code opens the operator's own workspace on a phone
//! after a PIN. The QR carries a key that nobody can guess, so that a PIN of six digits is enough; a
//! new card makes the one before it worthless.

use serde::{Deserialize, Serialize};

use crate::application;
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::operator::{Operator, OperatorStatus};
use crate::state::{Entity, Entry, Table};
use crate::time::Time;
use crate::user::{self, User};

/// Digits of a PIN.
pub const PIN_DIGITS: usize = 6;
/// Accounts of one operator looked at for the one its card signs in.
const USERS_MAX: usize = 20;

/// The card of an operator that works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Operator.
    pub operator: String,
    /// The account it signs in.
    pub user: String,
    /// SHA-256 (hex) of the key in the QR code.
    pub key_sha256: String,
    /// Vault token of the PIN's hash.
    pub pin: String,
    /// Region code of the operator.
    pub area: String,
    /// When it was issued.
    pub issued_at: Time,
}

impl Entity for Card {
    const TABLE: Table = Table("card");
    fn id(&self) -> &str {
        &self.operator
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: issues a card, in place of the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueCard {
    /// Operator; on the register.
    pub operator: String,
    /// SHA-256 (hex) of the key.
    pub key_sha256: String,
    /// Vault token of the PIN's hash.
    pub pin: String,
}

/// The card, and the operator's account where it had none.
pub(crate) fn issue(
    ctx: &mut Context<'_>,
    c: IssueCard,
) -> Result<(Card, Option<User>), DomainError> {
    let operator: Operator = ctx.require("operator", &c.operator)?;
    let mut check = Check::new();
    check.text("key_sha256", &c.key_sha256, 64).text("pin", &c.pin, 64);
    check.done()?;
    if operator.status != OperatorStatus::Approved {
        return Err(DomainError::refused("not_approved", &[("name", &operator.name)]));
    }
    let users = ctx.state.list::<User>(user::BY_OPERATOR, &operator.id, USERS_MAX)?;
    let (user, fresh) = match users.into_iter().find(|user| user.active) {
        Some(user) => (user.id, None),
        None => {
            let user = application::account(ctx, &operator, String::new())?;
            (user.id.clone(), Some(user))
        }
    };
    let card = Card {
        operator: operator.id,
        user,
        key_sha256: c.key_sha256,
        pin: c.pin,
        area: operator.area,
        issued_at: ctx.time,
    };
    Ok((card, fresh))
}
