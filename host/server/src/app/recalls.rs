//! Recalls: from a cause to every lot that goes back to it, and to those who have them now.

use std::collections::BTreeSet;
use std::sync::Arc;

use tianyin_domain::activity::{self, Activity};
use tianyin_domain::actor::Actor;
use tianyin_domain::command::{Command, Envelope, Outcome};
use tianyin_domain::error::DomainError;
use tianyin_domain::hold::HoldKind;
use tianyin_domain::input::Input;
use tianyin_domain::kinship::Relative;
use tianyin_domain::lineage::{self, Direction};
use tianyin_domain::lot::{self, Lot, LotStatus};
use tianyin_domain::recall::{
    self, BATCH_MAX, HoldForRecall, NoteRecall, ROOTS_MAX, Recall, RecallCause, RecallRequest,
    RecallStatus, StartRecall,
};
use tianyin_domain::site::Site;
use tianyin_domain::test::Test;
use tianyin_domain::{Date, State};

use super::{App, AppError};
use crate::edge::now;
use crate::texts::tf;

/// Lots that a recall reaches at most: a county's harvest of some weeks.
pub const REACHED_MAX: usize = 100_000;
/// Uses of one input that are looked at.
const USES_MAX: usize = 20_000;
/// Days after a use within which a harvest counts as touched by it.
const TOUCHED_DAYS: i32 = 365;
/// Times that lots which came in between are held, too.
const ROUNDS: usize = 3;

/// What a recall begins with.
pub struct Roots {
    /// In words.
    pub title: String,
    /// Lots.
    pub lots: Vec<String>,
}

impl App {
    /// What was made of some lots, themselves with it, as the chain in memory has it: a moment behind
    /// the store, and read at once.
    ///
    /// # Errors
    /// When the store cannot be read, at the first use.
    pub fn relatives<T>(
        &self,
        roots: &[String],
        ask: impl FnOnce(Vec<Relative<'_>>) -> T,
    ) -> Result<T, AppError> {
        let found = self.kin.read(&self.store, |all| ask(all.reach(roots, REACHED_MAX)));
        found.map_err(AppError::internal)
    }

    /// Begins a recall; unless it is a drill, everything it reaches is held right after.
    ///
    /// # Errors
    /// As the domain refuses.
    pub async fn start_recall(
        self: &Arc<Self>,
        actor: &Actor,
        request: &RecallRequest,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let outcome = self
            .submit_prepared(&[], || {
                let roots = self.roots_of(request)?;
                let reached = self.relatives(&roots.lots, |found| found.len())?;
                let command = StartRecall {
                    request: request.clone(),
                    title: roots.title,
                    roots: roots.lots,
                    reached: u32::try_from(reached).unwrap_or(u32::MAX),
                };
                Ok(Envelope {
                    actor: actor.clone(),
                    command: Command::StartRecall(command),
                    time: now(),
                    idempotency_key: idempotency_key.clone(),
                    based_on: Vec::new(),
                })
            })
            .await?;
        self.hold_reached(&outcome.id).await?;
        Ok(outcome)
    }

    /// Holds everything that a running recall reaches and that is not held for it yet. What is made of
    /// a lot between the walk and the hold is found by the next round.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn hold_reached(self: &Arc<Self>, id: &str) -> Result<(), AppError> {
        let state: &dyn State = &self.store;
        let recall: Recall = state.require("recall", id)?;
        if recall.request.drill || recall.status == RecallStatus::Closed {
            return Ok(());
        }
        let actor = Actor::system("recall");
        for _ in 0..ROUNDS {
            let (app, of) = (Arc::clone(self), recall.clone());
            let walk = tokio::task::spawn_blocking(move || app.open_lots_of(&of));
            let open = walk.await.map_err(AppError::internal)??;
            if open.is_empty() {
                break;
            }
            for lots in open.chunks(BATCH_MAX) {
                let (recall, lots) = (recall.id.clone(), lots.to_vec());
                let command = Command::HoldForRecall(HoldForRecall { recall, lots });
                self.submit(&actor, command).await?;
            }
        }
        Ok(())
    }

    /// Holds what running recalls reach, where a start found that the one before it was cut short.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn resume_recalls(self: &Arc<Self>) -> Result<(), AppError> {
        let state: &dyn State = &self.store;
        for id in state.ids(recall::BY_STATUS, "running", ROOTS_MAX)? {
            self.hold_reached(&id).await?;
        }
        Ok(())
    }

    /// Notes how far a recall is with a lot, with the photos.
    ///
    /// # Errors
    /// As the domain refuses; files that were not uploaded.
    pub async fn note_recall(
        &self,
        actor: &Actor,
        command: NoteRecall,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let attachments = command.attachments.clone();
        let command = Command::NoteRecall(command);
        self.submit_attached(actor, command, &attachments, idempotency_key).await
    }

    /// Lots that a recall reaches, as the store has them, and that are not held for it.
    fn open_lots_of(&self, recall: &Recall) -> Result<Vec<String>, AppError> {
        let state: &dyn State = &self.store;
        let walk = lineage::walk(state, &recall.roots, Direction::Forward, REACHED_MAX)?;
        let lots = walk.reached.into_iter().map(|one| one.lot);
        let open = lots
            .filter(|lot| lot.status != LotStatus::Void)
            .filter(|lot| !lot.is_held_for(HoldKind::Recall, &recall.id));
        Ok(open.map(|lot| lot.id).collect())
    }

    /// What a recall begins with, also of one that is only thought of.
    ///
    /// # Errors
    /// Of a cause that is not there, or a store that cannot be read.
    pub fn roots_of(&self, request: &RecallRequest) -> Result<Roots, AppError> {
        let state: &dyn State = &self.store;
        match request.cause {
            RecallCause::Lot => {
                let lot: Lot = state.require("lot", &request.of)?;
                Ok(Roots { title: lot_title(&lot), lots: vec![lot.id] })
            }
            RecallCause::Test => {
                let test: Test = state.require("test", &request.of)?;
                let Some(lot) = test.lot else {
                    return Err(DomainError::refused("recall_of_nothing", &[]).into());
                };
                let lot: Lot = state.require("lot", &lot)?;
                let params = [("lot", lot_title(&lot)), ("item", test.measurement.item.name)];
                let params = params.each_ref().map(|(key, value)| (*key, value.as_str()));
                Ok(Roots { title: tf("recall_title.test", params), lots: vec![lot.id] })
            }
            RecallCause::Site => {
                let site: Site = state.require("site", &request.of)?;
                let (from, to) =
                    (request.from.unwrap_or(Date::MIN), request.to.unwrap_or(Date::MAX));
                let lots = self.harvested(&site.id, from, to, None)?;
                let title = tf("recall_title.site", [("site", site.name.as_str())]);
                Ok(Roots { title, lots })
            }
            RecallCause::Input => {
                let input: Input = state.require("input", &request.of)?;
                let lots = self.touched_by(&input.id, request)?;
                let title = tf("recall_title.input", [("input", input.name.as_str())]);
                Ok(Roots { title, lots })
            }
        }
    }

    /// Lots of the harvests that a use of an input led to.
    fn touched_by(&self, input: &str, request: &RecallRequest) -> Result<Vec<String>, AppError> {
        let state: &dyn State = &self.store;
        let uses: Vec<Activity> = state.list(activity::BY_INPUT, input, USES_MAX)?;
        let within = |one: &&Activity| {
            one.counts()
                && request.from.is_none_or(|from| one.last_day() >= from)
                && request.to.is_none_or(|to| one.date <= to)
        };
        let mut lots = BTreeSet::new();
        for one in uses.iter().filter(within) {
            match &one.lot {
                Some(own) => {
                    lots.insert(own.clone());
                }
                None => {
                    let last = one.last_day();
                    let until = last.checked_add(jiff::Span::new().days(TOUCHED_DAYS));
                    let until = until.unwrap_or(Date::MAX);
                    lots.extend(self.harvested(&one.site, one.date, until, Some(&one.product))?);
                }
            }
            if lots.len() > ROOTS_MAX {
                break;
            }
        }
        Ok(lots.into_iter().collect())
    }

    /// Lots harvested on a site in a period.
    fn harvested(
        &self,
        site: &str,
        from: Date,
        to: Date,
        product: Option<&str>,
    ) -> Result<Vec<String>, AppError> {
        let state: &dyn State = &self.store;
        let lots: Vec<Lot> = state.list(lot::BY_SITE, site, USES_MAX)?;
        let fits = |lot: &Lot| {
            (from..=to).contains(&lot.harvested_on)
                && product.is_none_or(|product| lot.product == product)
        };
        Ok(lots.into_iter().filter(fits).map(|lot| lot.id).collect())
    }
}

fn lot_title(lot: &Lot) -> String {
    format!("{} {}", lot.product_name, lot.no)
}
