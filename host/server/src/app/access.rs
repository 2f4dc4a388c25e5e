//! Accesses go on record: sign-ins, files that leave, what is kept masked and was looked at in full.

use std::net::IpAddr;

use tianyin_domain::access::{AccessKind, NoteAccess, RevealContact};
use tianyin_domain::command::Command;
use tianyin_domain::operator::Operator;
use tianyin_domain::user::User;
use tianyin_domain::{Actor, State};

use super::{App, AppError};

impl App {
    /// Puts an access on record; what leaves must not leave before that.
    ///
    /// # Errors
    /// When nothing can be written at present.
    pub async fn note_access(
        &self,
        user: &User,
        kind: AccessKind,
        what: String,
        rows: usize,
        address: IpAddr,
    ) -> Result<(), AppError> {
        let command = Command::NoteAccess(NoteAccess {
            user: user.id.clone(),
            kind,
            what: what.chars().take(256).collect(),
            rows: rows as u64,
            address: address.to_string(),
        });
        self.submit(&Actor::system("access"), command).await.map(drop)
    }

    /// A natural person's phone in full. That it was looked at, and what for, is on record before it is
    /// shown.
    ///
    /// # Errors
    /// As the domain refuses; when nothing can be written at present.
    pub async fn reveal_contact(
        &self,
        actor: &Actor,
        operator: &str,
        reason: String,
        address: IpAddr,
    ) -> Result<String, AppError> {
        let command =
            RevealContact { operator: operator.to_owned(), reason, address: address.to_string() };
        self.submit(actor, Command::RevealContact(command)).await?;
        let state: &dyn State = &self.store;
        self.contact_phone(&state.require::<Operator>("operator", operator)?)
    }

    /// The same for a sign-in, which works also while nothing can be written: somebody has to look what
    /// is wrong.
    pub(super) async fn note_sign_in(&self, user: &User, kind: AccessKind, address: IpAddr) {
        if let Err(error) = self.note_access(user, kind, String::new(), 0, address).await {
            tracing::warn!(user = user.id, %error, "a sign-in is not on record");
        }
    }
}
