//! Operators: a natural person's phone goes to the vault, the journal sees it masked.

use tianyin_domain::Actor;
use tianyin_domain::application::ApplyOperator;
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::identity::mask_phone;
use tianyin_domain::operator::{ChangeOperator, Operator, RegisterOperator};

use super::{App, AppError};

/// The appliance acts for somebody without an account.
pub(super) const APPLY_JOB: &str = "apply";

impl App {
    /// Registers an operator; `contact_phone` comes in full.
    pub async fn register_operator(
        &self,
        actor: &Actor,
        mut command: RegisterOperator,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        command.contact_secret = self.hide_phone(&mut command)?;
        let fresh = Vec::from_iter(command.contact_secret.clone());
        let command = Command::RegisterOperator(command);
        let outcome = self.submit_keyed(actor, command, idempotency_key).await;
        self.erase_unless_written(&fresh, &outcome)?;
        if let Ok(outcome) = &outcome {
            self.note_name(&outcome.id);
        }
        outcome
    }

    /// Applies on line: the operator and its account. `contact_phone` comes in full.
    ///
    /// # Errors
    /// As the domain refuses; a password that is too weak.
    pub async fn apply_operator(
        &self,
        mut data: RegisterOperator,
        password: String,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        // The sign-in name is the operator code, which is not known yet.
        self.check_password(&password, "")?;
        let credential = self.keep_password(password).await?;
        data.contact_secret = self.hide_phone(&mut data)?;
        let mut fresh = vec![credential.clone()];
        fresh.extend(data.contact_secret.clone());
        let command = Command::ApplyOperator(ApplyOperator { data, credential });
        let outcome = self.submit_keyed(&Actor::system(APPLY_JOB), command, idempotency_key).await;
        self.erase_unless_written(&fresh, &outcome)?;
        if let Ok(outcome) = &outcome {
            self.note_name(&outcome.id);
        }
        outcome
    }

    /// Refused or repeated: new secrets belong to nobody.
    pub(super) fn erase_unless_written(
        &self,
        secrets: &[String],
        outcome: &Result<Outcome, AppError>,
    ) -> Result<(), AppError> {
        let unused = match outcome {
            Ok(outcome) => !outcome.written,
            // What else went wrong may have been written after all.
            Err(error) => matches!(error, AppError::Domain(_) | AppError::Refused { .. }),
        };
        let mut of_nobody = secrets.iter().filter(|_| unused);
        of_nobody.try_for_each(|token| self.vault.erase(token).map_err(AppError::internal))
    }

    /// Corrects what is registered, based on the versions in `seen`; `contact_phone` comes in full, or as
    /// the pages show it when it stays.
    ///
    /// # Errors
    /// As the domain refuses; [`AppError::Conflict`] when the operator changed meanwhile.
    pub async fn change_operator(
        &self,
        actor: &Actor,
        mut command: ChangeOperator,
        idempotency_key: Option<String>,
        seen: &[(String, u64)],
    ) -> Result<Outcome, AppError> {
        let root = format!("operator/{}", command.operator);
        // Read before the record: which secret is kept is decided on it.
        let version = self.store.version(&root).map_err(AppError::internal)?;
        let now: Option<Operator> =
            self.store.get(&command.operator).map_err(AppError::internal)?;
        let kept = now.as_ref().and_then(|operator| operator.contact_secret.clone());
        let seen = if seen.is_empty() { vec![(root, version)] } else { seen.to_vec() };
        let data = &mut command.data;
        let stays = data.kind.is_natural_person()
            && now.is_some_and(|now| now.contact_phone == data.contact_phone.trim());
        let fresh = if stays { None } else { self.hide_phone(data)? };
        data.contact_secret = if stays { kept.clone() } else { fresh.clone() };
        let command = Command::ChangeOperator(command);
        let outcome = self.submit_based(actor, command, idempotency_key, &seen).await;
        let done = outcome.as_ref().is_ok_and(|outcome| outcome.written);
        // One of the two belongs to nobody now; where it is not known which, both stay.
        let unused = match (&outcome, fresh) {
            (_, None) => None,
            (_, Some(_)) if done => kept,
            (Ok(_) | Err(AppError::Domain(_) | AppError::Conflict(_)), Some(fresh)) => Some(fresh),
            (Err(_), Some(_)) => None,
        };
        if let Some(token) = unused {
            self.vault.erase(&token).map_err(AppError::internal)?;
        }
        if let Ok(outcome) = &outcome {
            self.note_name(&outcome.id);
        }
        outcome
    }

    /// Whoever searches next finds it by the name that the store has now. A command that is durable is not
    /// told as failed because of that.
    pub(super) fn note_name(&self, operator: &str) {
        if let Ok(Some(operator)) = self.store.get::<Operator>(operator) {
            self.names.note(&operator);
        }
    }

    /// Masks a natural person's phone; the token of the whole in the vault.
    fn hide_phone(&self, data: &mut RegisterOperator) -> Result<Option<String>, AppError> {
        let phone = data.contact_phone.trim().to_owned();
        if !data.kind.is_natural_person() || phone.is_empty() {
            return Ok(None);
        }
        data.contact_phone = mask_phone(&phone);
        self.vault.put(&phone).map(Some).map_err(AppError::internal)
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
