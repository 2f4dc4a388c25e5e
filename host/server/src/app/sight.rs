//! What a signed-in person sees may change while the session goes on: operators are delegated to a service
//! point, or are not any more.

use tianyin_domain::agency::AgencyKind;
use tianyin_domain::user::User;
use tianyin_domain::{Scope, delegation};

use super::accounts::Session;
use super::live::Notice;
use super::{App, AppError};

impl App {
    /// The version of what the sight of a user depends on; 0 where nothing moves it.
    pub(super) fn sight_version(&self, user: &User) -> Result<u64, AppError> {
        match (&user.agency, user.office) {
            (Some(id), Some(AgencyKind::ServicePoint)) => {
                self.store.version(&format!("agency/{id}")).map_err(AppError::internal)
            }
            _ => Ok(0),
        }
    }

    /// Takes over what was delegated to the person, or ended, since the session looked last; whether
    /// anything was. While the store cannot be read it stays as it is: commands are decided on the
    /// records in any case, and pages cannot be read either.
    pub(super) fn renew_sight(&self, session: &mut Session) -> bool {
        // Read before the delegations: a change in between is taken over at the next look.
        let Ok(version) = self.sight_version(&session.user) else { return false };
        if version == session.sight {
            return false;
        }
        match session.user.actor(&self.store) {
            Ok(actor) => (session.actor, session.sight) = (actor, version),
            Err(error) => {
                tracing::warn!(user = session.user.id, %error, "what a person sees was not read");
                return false;
            }
        }
        true
    }

    /// Whether somebody with this sight may know of a notice now; a stream outlives delegations.
    pub fn sees_notice(&self, scope: &Scope, notice: &Notice) -> bool {
        match &scope.through {
            Some(agency) => {
                delegation::is_in_force(&self.store, agency, &notice.owner).unwrap_or(false)
            }
            None => notice.visible_to(scope),
        }
    }
}
