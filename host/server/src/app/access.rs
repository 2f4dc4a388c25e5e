//! Accesses go on record: sign-ins, files that leave, what is kept masked and was looked at in full.

use std::net::IpAddr;

use tianyin_domain::Actor;
use tianyin_domain::access::{AccessKind, NoteAccess};
use tianyin_domain::command::Command;
use tianyin_domain::user::User;

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

    /// The same for a sign-in, which works also while nothing can be written: somebody has to look what
    /// is wrong.
    pub(super) async fn note_sign_in(&self, user: &User, kind: AccessKind, address: IpAddr) {
        if let Err(error) = self.note_access(user, kind, String::new(), 0, address).await {
            tracing::warn!(user = user.id, %error, "a sign-in is not on record");
        }
    }
}
