//! The console: server-rendered pages for the county's clerks, its administrators and its producers.
//!
//! One file per noun. A handler reads through the store within the person's scope, writes through the
//! application, and answers with a template; a change answers with 303 and a message shown once.
//! Texts come from the catalogue `i18n/zh-CN/console.toml`, never from here.

mod bars;
mod clash;
mod collections;
mod error;
mod field;
mod filters;
mod form;
mod order;
mod page;
mod period;
mod read;
mod session;

mod accesses;
mod account;
mod account_tokens;
mod account_totp;
mod activities;
mod activity_told;
mod agencies;
mod agencies_start;
mod agency;
mod apply;
mod bans;
mod base_map;
mod blobs;
mod brands;
mod cell;
mod cells;
mod certificate_stats;
mod certificates;
mod certifications;
mod chain;
mod device_chart;
mod devices;
mod documents;
mod door;
mod feedback;
mod handbook;
mod health;
mod id_cards;
mod input_edit;
mod input_import;
mod input_pick;
mod inputs;
mod issue;
mod label_templates;
mod live;
mod lots;
mod map;
mod messages;
mod meter;
mod mirror;
mod national_codes;
mod objections;
mod operator;
mod operator_card;
mod operator_contact;
mod operator_decide;
mod operator_edit;
mod operator_history;
mod operators;
mod pack;
mod packs;
mod pick;
mod print_jobs;
mod procedures;
mod product;
mod products;
mod reasons;
mod recalls;
mod register_export;
mod register_import;
mod result_import;
mod samplings;
mod search;
mod settings;
mod setup;
mod sheet;
mod sign_in;
mod sites;
mod steps;
mod suspicions;
mod test_columns;
mod test_follow;
mod test_ledger;
mod test_stats;
mod tests;
mod today;
mod typed_test;
mod usage;
mod user;
mod users;

#[cfg(test)]
mod checks;
#[cfg(test)]
mod router_tests;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;

use crate::app::App;

/// Every page of the console.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .merge(setup::router())
        .merge(sign_in::router())
        .merge(door::router())
        .merge(today::router())
        .merge(operators::router())
        .merge(operator::router())
        .merge(operator_edit::router())
        .merge(operator_card::router())
        .merge(operator_contact::router())
        .merge(operator_decide::router())
        .merge(operator_history::router())
        .merge(apply::router())
        .merge(register_import::router())
        .merge(register_export::router())
        .merge(accesses::router())
        .merge(documents::router())
        .merge(products::router())
        .merge(product::router())
        .merge(sites::router())
        .merge(map::router())
        .merge(base_map::router())
        .merge(brands::router())
        .merge(certifications::router())
        .merge(id_cards::router())
        .merge(inputs::router())
        .merge(input_edit::router())
        .merge(input_import::router())
        .merge(input_pick::router())
        .merge(bans::router())
        .merge(lots::router())
        .merge(issue::router())
        .merge(typed_test::router())
        .merge(activities::router())
        .merge(activity_told::router())
        .merge(procedures::router())
        .merge(steps::router())
        .merge(chain::router())
        .merge(recalls::router())
        .merge(blobs::router())
        .merge(tests::router())
        .merge(test_follow::router())
        .merge(samplings::router())
        .merge(test_stats::router())
        .merge(test_ledger::router())
        .merge(device_chart::router())
        .merge(result_import::router())
        .merge(objections::router())
        .merge(devices::router())
        .merge(messages::router())
        .merge(certificates::router())
        .merge(certificate_stats::router())
        .merge(print_jobs::router())
        .merge(packs::router())
        .merge(pack::router())
        .merge(feedback::router())
        .merge(collections::router())
        .merge(suspicions::router())
        .merge(account::router())
        .merge(account_totp::router())
        .merge(account_tokens::router())
        .merge(usage::router())
        .merge(agencies::router())
        .merge(agencies_start::router())
        .merge(agency::router())
        .merge(cells::router())
        .merge(cell::router())
        .merge(users::router())
        .merge(user::router())
        .merge(settings::router())
        .merge(health::router())
        .merge(search::router())
        .merge(live::router())
        .merge(handbook::router())
        .merge(mirror::router())
        .merge(label_templates::router())
        .merge(national_codes::router())
        .layer(from_fn(error::pages))
}
