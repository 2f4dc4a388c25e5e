//! What production records lead to: the day from which on harvest is lawful, what is wrong with a use, and
//! a lot opened at harvest (law art 29, R-092).

use tianyin_domain::activity::{self, Activity};
use tianyin_domain::actor::Actor;
use tianyin_domain::command::{Command, Envelope, Outcome};
use tianyin_domain::interval::{self, Hindrance, Warmth};
use tianyin_domain::lot::{LotRequest, OpenLot};
use tianyin_domain::product::Product;
use tianyin_domain::use_warning::{self, UseWarning};
use tianyin_domain::{Date, Scope, State};

use super::{App, AppError};
use crate::edge::now;
use crate::texts::tf;

/// Newest records of a site that are looked at: some years of a busy one.
pub const RECORDS_MAX: usize = 500;

impl App {
    /// The newest records of a site, the oldest of them first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn records_of(&self, site: &str) -> Result<Vec<Activity>, AppError> {
        // On a site of many years it is the last treatment that an interval counts from.
        let part = (activity::BY_SITE, site);
        let newest = self.store.newest(part, &Scope::everything(), RECORDS_MAX);
        let mut records: Vec<Activity> = newest.map_err(AppError::internal)?;
        records.reverse();
        Ok(records)
    }

    /// Opens a lot, with what stands against the harvest.
    ///
    /// # Errors
    /// As the domain refuses: before an interval is over, without a reason.
    pub async fn open_lot(
        &self,
        actor: &Actor,
        request: &LotRequest,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        self.submit_prepared(&[], || {
            let state: &dyn State = &self.store;
            let root = format!("site/{}", request.site);
            let based_on = vec![(root.clone(), state.version(&root)?)];
            let hindrances =
                self.hindrances(&request.site, &request.product, request.harvested_on)?;
            Ok(Envelope {
                actor: actor.clone(),
                command: Command::OpenLot(OpenLot { request: request.clone(), hindrances }),
                time: now(),
                idempotency_key: idempotency_key.clone(),
                based_on,
            })
        })
        .await
    }

    /// What stands against a harvest on a day.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn hindrances(
        &self,
        site: &str,
        product: &str,
        harvest: Date,
    ) -> Result<Vec<Hindrance>, AppError> {
        let records = self.records_of(site)?;
        let led: Vec<&Activity> =
            records.iter().filter(|one| one.led_to(product, harvest)).collect();
        Ok(interval::hindrances(&led, &Warmth::of(&records), harvest))
    }

    /// What is wrong with a record, in sentences: by the label of its day, and by the ban lists.
    pub fn use_warnings(
        &self,
        record: &Activity,
        records: &[Activity],
        product: &Product,
    ) -> Vec<String> {
        let Some(input) = record.input.as_ref().filter(|_| record.counts()) else {
            return Vec::new();
        };
        let told = use_warning::warnings(record, records).into_iter().map(|warning| {
            let (times, max) = match warning {
                UseWarning::OverUse { times, max } => (times, max),
                _ => (0, 0),
            };
            let values = [
                ("input", input.name.as_str()),
                ("crop", product.crop.as_str()),
                ("dose", input.dose.as_str()),
                ("label", input.label_dose.as_str()),
                ("times", &times.to_string()),
                ("max", &max.to_string()),
            ];
            tf(&format!("use_warning.{}", warning.as_str()), values)
        });
        let mut all: Vec<String> = told.collect();
        let crop = format!("{} {}", product.crop, product.name);
        let day = record.last_day();
        for substance in &input.substances {
            let ban = self
                .rules
                .banned()
                .and_then(|table| table.ban(substance, day, product.class.as_str(), &crop));
            if let Some(ban) = ban {
                let values = [
                    ("substance", substance.as_str()),
                    ("day", &day.to_string()),
                    ("basis", &ban.basis),
                ];
                all.push(tf("use_warning.banned", values));
            }
        }
        all
    }
}

/// The sentence for what stands against a harvest.
pub fn hindrance_text(one: &Hindrance) -> String {
    let used = one.last_use.to_string();
    match (one.earliest, one.degree_days) {
        (Some(day), _) => tf(
            "hindrance.until",
            [("input", one.input.as_str()), ("used", &used), ("earliest", &day.to_string())],
        ),
        (None, sum) => {
            let (needed, reached) = sum.map_or((0, 0), |sum| (sum.needed, sum.reached_tenths / 10));
            tf(
                "hindrance.degree_days",
                [
                    ("input", one.input.as_str()),
                    ("used", &used),
                    ("needed", &needed.to_string()),
                    ("reached", &reached.to_string()),
                ],
            )
        }
    }
}
