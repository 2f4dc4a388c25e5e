//! Operator cards: printed with a key in their QR code, they open the operator's workspace after a PIN.

use std::net::IpAddr;

use tianyin_domain::Actor;
use tianyin_domain::State;
use tianyin_domain::access::AccessKind;
use tianyin_domain::card::{Card, IssueCard, PIN_DIGITS};
use tianyin_domain::code::{self, CodeText};
use tianyin_domain::command::Command;
use tianyin_domain::id::Random as _;
use tianyin_domain::operator::{self, Operator};
use tianyin_domain::user::User;

use super::accounts::Session;
use super::{App, AppError};
use crate::edge::{OsRandom, sha256_hex};

/// A card to be printed now: neither of the two can be had again.
#[derive(Debug, Clone)]
pub struct NewCard {
    /// The key in its QR code.
    pub key: String,
    /// Its PIN.
    pub pin: String,
}

impl App {
    /// Issues a card; the one before stops working, and who is signed in for the operator has to sign
    /// in again.
    ///
    /// # Errors
    /// As the domain refuses; `card_issued_already` when the same request was carried out before.
    pub async fn issue_card(
        &self,
        actor: &Actor,
        operator: &str,
        idempotency_key: Option<String>,
    ) -> Result<NewCard, AppError> {
        let before = self.card(operator)?;
        let new = NewCard { key: code::draw(&mut OsRandom), pin: draw_pin() };
        let pin = self.keep_password(new.pin.clone()).await?;
        let command = Command::IssueCard(IssueCard {
            operator: operator.to_owned(),
            key_sha256: sha256_hex(new.key.as_bytes()),
            pin: pin.clone(),
        });
        let outcome = self.submit_keyed(actor, command, idempotency_key).await;
        self.erase_unless_written(&[pin], &outcome)?;
        if !outcome?.written {
            return Err(AppError::refused("card_issued_already"));
        }
        if let Some(before) = before {
            self.vault.erase(&before.pin).map_err(AppError::internal)?;
            self.end_sessions_of(&before.user);
        }
        Ok(new)
    }

    /// The operator's card that works.
    pub fn card(&self, operator: &str) -> Result<Option<Card>, AppError> {
        let state: &dyn State = &self.store;
        Ok(state.get(operator)?)
    }

    /// A card and its operator, if it is the one that works.
    pub fn working_card(
        &self,
        code: &str,
        key: &str,
    ) -> Result<Option<(Operator, Card)>, AppError> {
        let (CodeText::Valid(code), CodeText::Valid(key)) =
            (code::parse_operator_code(code), code::parse(key))
        else {
            return Ok(None);
        };
        let state: &dyn State = &self.store;
        let Some(operator) = state.find::<Operator>(operator::BY_CODE, &code)? else {
            return Ok(None);
        };
        // Digests of 75 random bits: how long the comparison takes tells nothing.
        let works = |card: &Card| card.key_sha256 == sha256_hex(key.as_bytes());
        Ok(self.card(&operator.id)?.filter(works).map(|card| (operator, card)))
    }

    /// Signs in with a card and its PIN. Wrong PINs wait as wrong passwords do.
    ///
    /// # Errors
    /// `card_void` for a card that does not work any more, `wrong_pin`, `throttled`.
    pub async fn sign_in_by_card(
        &self,
        code: &str,
        key: &str,
        pin: &str,
        address: IpAddr,
    ) -> Result<(String, Session), AppError> {
        let by_address = format!("addr/{address}");
        self.check_throttle(std::slice::from_ref(&by_address))?;
        let Some((operator, card)) = self.working_card(code, key)? else {
            self.count_failure(&[by_address]);
            return Err(AppError::refused("card_void"));
        };
        // A code is typed in many ways: attempts are counted by whose card it is.
        let keys = [format!("card/{}", operator.id), by_address];
        self.check_throttle(&keys)?;
        let state: &dyn State = &self.store;
        let Some(user) = state.get::<User>(&card.user)?.filter(|user| user.active) else {
            return Err(AppError::refused("card_void"));
        };
        let hash = self.vault.get(&card.pin).map_err(AppError::internal)?;
        if self.verify_password(pin.trim().to_owned(), hash).await? {
            self.forget_failures(&keys[0]);
            self.note_sign_in(&user, AccessKind::Card, address).await;
            return self.start_session(user, address);
        }
        self.count_failure(&keys);
        Err(AppError::refused("wrong_pin"))
    }
}

fn draw_pin() -> String {
    let mut digits = String::with_capacity(PIN_DIGITS);
    while digits.len() < PIN_DIGITS {
        let mut byte = [0u8];
        OsRandom.fill(&mut byte);
        // 250 is the last multiple of ten in a byte: each digit is as likely as another.
        if byte[0] < 250 {
            digits.push(char::from(b'0' + byte[0] % 10));
        }
    }
    digits
}
