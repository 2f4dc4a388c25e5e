//! Samples with their photos, and the statutory clocks of positive results (law art 51), which need the
//! calendar of working days.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use tianyin_domain::actor::Actor;
use tianyin_domain::calendar::{Calendar, Deadline, end_of};
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::measurement::Method;
use tianyin_domain::objection::{
    FileObjection, LABORATORY_DAYS, RAPID_HOURS, REPORT_DAYS, ReceiveRetestSample,
};
use tianyin_domain::positive::{DeliverResult, SettlePositive};
use tianyin_domain::sampling::TakeSample;
use tianyin_domain::test::Test;
use tianyin_domain::time::china_date;
use tianyin_domain::{Date, State, Time};

use super::{App, AppError};

/// Without a county's table only weekends are known.
static WEEKENDS_ONLY: Calendar =
    Calendar { years: BTreeSet::new(), off: BTreeSet::new(), on: BTreeSet::new() };

/// The last moment of an objection, and whether it was reckoned without the year's holidays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Until {
    /// Last moment.
    pub until: Time,
    /// Only weekends were left out.
    pub guessed: bool,
}

/// Until when a result may be objected to: 4 hours by the clock against a rapid one, else 5 working days
/// (law art 51).
pub fn objection_until(calendar: &Calendar, method: Method, delivered_at: Time) -> Until {
    if method.is_rapid() {
        let until = delivered_at.checked_add(SignedDuration::from_hours(RAPID_HOURS));
        return Until { until: until.unwrap_or(Time::MAX), guessed: false };
    }
    let last = calendar.after(china_date(delivered_at), LABORATORY_DAYS);
    Until { until: end_of(last.day), guessed: last.guessed }
}

/// People tell minutes: what was told as the very minute of another event was not before it.
fn not_before(told: Time, event: Time) -> Time {
    if told < event && event.as_second() - told.as_second() < 60 { event } else { told }
}

impl App {
    /// Takes a sample, with its photos.
    ///
    /// # Errors
    /// As the domain refuses; files that were not uploaded.
    pub async fn take_sample(
        &self,
        actor: &Actor,
        command: TakeSample,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let attachments = command.attachments.clone();
        let command = Command::TakeSample(command);
        self.submit_attached(actor, command, &attachments, idempotency_key).await
    }

    /// Says that the tested party was told of a positive result: its clock runs from then.
    ///
    /// # Errors
    /// As the domain refuses.
    pub async fn deliver_result(
        &self,
        actor: &Actor,
        test: &str,
        delivered_at: Time,
        to: String,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let state: &dyn State = &self.store;
        let found: Test = state.require("test", test)?;
        let delivered_at = not_before(delivered_at, found.received_at);
        let Until { until, guessed } =
            objection_until(self.calendar(), found.measurement.method, delivered_at);
        let command = DeliverResult { test: found.id, delivered_at, to, until, guessed };
        self.submit_keyed(actor, Command::DeliverResult(command), idempotency_key).await
    }

    /// Settles a positive result, with the evidence.
    ///
    /// # Errors
    /// As the domain refuses; files that were not uploaded.
    pub async fn settle_positive(
        &self,
        actor: &Actor,
        command: SettlePositive,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let attachments = command.attachments.clone();
        let command = Command::SettlePositive(command);
        self.submit_attached(actor, command, &attachments, idempotency_key).await
    }

    /// Takes an objection, with its papers.
    ///
    /// # Errors
    /// As the domain refuses; files that were not uploaded.
    pub async fn file_objection(
        &self,
        actor: &Actor,
        command: FileObjection,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let state: &dyn State = &self.store;
        let first: Option<Test> = state.get(&command.test)?;
        let delivered_at = first.and_then(|test| test.delivered).map(|one| one.at);
        let filed_at = delivered_at.map_or(command.filed_at, |at| not_before(command.filed_at, at));
        let command = FileObjection { filed_at, ..command };
        let attachments = command.attachments.clone();
        let command = Command::FileObjection(command);
        self.submit_attached(actor, command, &attachments, idempotency_key).await
    }

    /// Notes that the laboratory of a retest has the sample; its report is due 7 working days later.
    ///
    /// # Errors
    /// As the domain refuses.
    pub async fn receive_retest_sample(
        &self,
        actor: &Actor,
        objection: String,
        received_on: Date,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let due_on = self.report_due(received_on).day;
        let command = ReceiveRetestSample { objection, received_on, due_on };
        self.submit_keyed(actor, Command::ReceiveRetestSample(command), idempotency_key).await
    }

    /// Last day of the report on a retest.
    pub fn report_due(&self, received_on: Date) -> Deadline {
        self.calendar().after(received_on, REPORT_DAYS)
    }

    /// Working days, as the county's table has them; weekends only without one.
    pub fn calendar(&self) -> &Calendar {
        self.rules.holidays().map_or(&WEEKENDS_ONLY, |table| table.calendar())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tianyin_domain::time::china_minute;

    use super::*;

    /// Law art 51: four hours by the clock, across midnight; five working days, not counting holidays, but
    /// counting the Saturday that is worked on (2026-10-10).
    #[test]
    fn the_clocks_of_the_law() {
        let rules = tianyin_rules::RuleSet::shipped().unwrap();
        let calendar = rules.holidays().unwrap().calendar();
        for (method, delivered, until) in [
            (Method::EnzymeInhibition, "2026-11-20T22:30+08:00", "2026-11-21 02:30"),
            (Method::ColloidalGold, "2026-11-20T08:00+08:00", "2026-11-20 12:00"),
            (Method::Chromatography, "2026-11-20T08:00+08:00", "2026-11-27 23:59"),
            (Method::Chromatography, "2026-09-29T17:00+08:00", "2026-10-12 23:59"),
            (Method::Other, "2026-10-03T09:00+08:00", "2026-10-13 23:59"),
        ] {
            let found = objection_until(calendar, method, delivered.parse().unwrap());
            assert_eq!(china_minute(found.until), until, "{method:?} {delivered}");
            assert!(!found.guessed);
        }
        let late = "2026-12-29T09:00+08:00".parse().unwrap();
        assert!(objection_until(calendar, Method::Other, late).guessed, "2027 is not known yet");
    }
}
