//! Operators: a natural person's phone goes to the vault, the journal sees it masked.

use tianyin_domain::Actor;
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::identity::mask_phone;
use tianyin_domain::operator::{Operator, RegisterOperator};

use super::{App, AppError};

impl App {
    /// Registers an operator; `contact_phone` comes in full.
    pub async fn register_operator(
        &self,
        actor: &Actor,
        mut command: RegisterOperator,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        command.contact_secret = None;
        if command.kind.is_natural_person() && !command.contact_phone.trim().is_empty() {
            let phone = std::mem::take(&mut command.contact_phone);
            command.contact_phone = mask_phone(phone.trim());
            let token = self.vault.put(phone.trim()).map_err(AppError::internal)?;
            command.contact_secret = Some(token.clone());
            let outcome =
                self.submit_keyed(actor, Command::RegisterOperator(command), idempotency_key).await;
            // Refused or repeated: the secret belongs to nobody.
            if !outcome.as_ref().is_ok_and(|o| o.written) {
                self.vault.erase(&token).map_err(AppError::internal)?;
            }
            return outcome;
        }
        self.submit_keyed(actor, Command::RegisterOperator(command), idempotency_key).await
    }

    /// The contact phone as a paper shows it: in full, from the vault where it is kept there.
    pub fn contact_phone(&self, operator: &Operator) -> Result<String, AppError> {
        let Some(token) = &operator.contact_secret else {
            return Ok(operator.contact_phone.clone());
        };
        let full = self.vault.get(token).map_err(AppError::internal)?;
        Ok(full.unwrap_or_else(|| operator.contact_phone.clone()))
    }
}
