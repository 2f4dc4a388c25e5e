//! API tokens: made on one's own account page, shown once, looked up by their digest.

use std::net::IpAddr;

use tianyin_domain::command::Command;
use tianyin_domain::error::DomainError;
use tianyin_domain::time::china_date;
use tianyin_domain::token::{self, ApiToken, MakeToken, NoteTokenUse, RevokeToken, TokenGroup};
use tianyin_domain::user::User;
use tianyin_domain::{Actor, Scope, State, Time};
use tianyin_store::PageQuery;

use super::accounts::Session;
use super::{App, AppError};
use crate::edge::{new_token, now, sha256_hex};

/// How a token begins, so that people and scanners of leaked secrets know what they see.
pub const PREFIX: &str = "tianyin_";
/// Tokens of one user that pages list, the newest.
const LISTED: usize = 50;
/// Times of use kept at once.
const USED_MAX: usize = 10_000;

/// What a person wants a token for.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is called.
    pub name: String,
    /// What it may do beside reading.
    pub groups: Vec<TokenGroup>,
    /// Days it works.
    pub days: u32,
}

impl App {
    /// Makes a token for the user; asks for the password again, because the token outlives the session.
    /// The answer is its id and the token, which nobody can have again.
    ///
    /// # Errors
    /// `wrong_old_password`, `throttled`, `too_many_tokens`.
    pub async fn make_token(
        &self,
        user: &User,
        password: String,
        new: NewToken,
        address: IpAddr,
    ) -> Result<(String, String), AppError> {
        let user = self.again(user, password, address).await?;
        let token = format!("{PREFIX}{}", new_token());
        let NewToken { name, groups, days } = new;
        let sha256 = sha256_hex(token.as_bytes());
        let command = Command::MakeToken(MakeToken { name, groups, days, sha256 });
        let outcome = self.submit(&user.actor(&self.store)?, command).await?;
        Ok((outcome.id, token))
    }

    /// Ends a token.
    ///
    /// # Errors
    /// As the domain refuses.
    pub async fn revoke_token(&self, actor: &Actor, token: &str) -> Result<(), AppError> {
        let command = Command::RevokeToken(RevokeToken { token: token.to_owned() });
        self.submit(actor, command).await.map(drop)
    }

    /// A user's tokens, the newest first, with their last use, and whether each works.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn tokens_of(&self, user: &User) -> Result<Vec<(ApiToken, bool)>, AppError> {
        let mut query = PageQuery::new(token::BY_USER, &user.id);
        query.limit = LISTED;
        query.newest_first = true;
        let all = self.store.page::<ApiToken>(&query, &Scope::everything());
        let all = all.map_err(AppError::internal)?.items;
        let used = self.accounts.tokens_used.lock();
        let now = now();
        let shown = |mut token: ApiToken| {
            token.used_at = used.get(&token.id).copied().or(token.used_at);
            let works = token.works(user, now);
            (token, works)
        };
        Ok(all.into_iter().map(shown).collect())
    }

    /// The session of a token, for one request; counts as use.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn token_session(&self, text: &str, address: IpAddr) -> Result<Option<Session>, AppError> {
        if !text.starts_with(PREFIX) {
            return Ok(None);
        }
        let state: &dyn State = &self.store;
        let found: Option<ApiToken> = state.find(token::BY_SHA256, &sha256_hex(text.as_bytes()))?;
        let Some(found) = found else { return Ok(None) };
        let Some(user) = state.get::<User>(&found.user)? else { return Ok(None) };
        if !found.works(&user, now()) {
            return Ok(None);
        }
        let mut session = self.new_session(user, address)?;
        if let Actor::User { token, .. } = &mut session.actor {
            *token = Some(found.via());
        }
        self.note_token_use(&found);
        Ok(Some(session))
    }

    /// The time of use is in memory; a line is written for the first use of a day only.
    fn note_token_use(&self, token: &ApiToken) {
        let now = now();
        let mut used = self.accounts.tokens_used.lock();
        if used.len() >= USED_MAX {
            used.clear();
        }
        let before: Option<Time> = used.insert(token.id.clone(), now).or(token.used_at);
        drop(used);
        if before.is_some_and(|at| china_date(at) == china_date(now)) {
            return;
        }
        let command = Command::NoteTokenUse(NoteTokenUse { token: token.id.clone() });
        let envelope = tianyin_domain::Envelope {
            actor: Actor::system("token"),
            command,
            time: now,
            idempotency_key: None,
            based_on: Vec::new(),
        };
        // Nobody waits for it: the request itself may be answered while nothing can be written.
        if let Err(error) = self.writer.submit(envelope) {
            tracing::warn!(token = token.id, %error, "the use of a token is not on record");
        }
    }

    /// A token of the user, by id.
    ///
    /// # Errors
    /// When there is none.
    pub fn token_of(&self, user: &User, id: &str) -> Result<ApiToken, AppError> {
        let state: &dyn State = &self.store;
        let found: Option<ApiToken> = state.get(id)?;
        let missing = || DomainError::NotFound { noun: "token", id: id.chars().take(64).collect() };
        Ok(found.filter(|token| token.user == user.id).ok_or_else(missing)?)
    }
}
