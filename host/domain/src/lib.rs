//! Records, commands and events of the appliance, and the two pure functions between them:
//! [`decide`](decide::decide) turns a command into events, [`apply`](apply::apply) turns an event
//! into puts. Nothing here reads a clock, a file or a random number: those come in as values.
//!
//! One file per noun (glossary in `host/ARCHITECTURE.md`); each holds its records, the payloads of
//! its commands and events, and its own `decide` and `apply` parts.

pub mod actor;
pub mod bitmap;
pub mod check;
pub mod error;
pub mod finding;
pub mod id;
pub mod json;
pub mod measurement;
pub mod state;
pub mod time;

pub use actor::{Actor, Role, Scope};
pub use error::{DomainError, FieldError};
pub use finding::{Finding, Judgement, Verdict};
pub use json::Json;
pub use rust_decimal::Decimal;
pub use state::{Entity, Entry, Overlay, Put, State, StateError};
pub use time::{Date, Time};

pub mod access;
pub mod activity;
pub mod agency;
pub mod application;
pub mod apply;
mod apply_code;
pub mod attachment;
pub mod authorisation;
pub mod authorise;
pub mod base_map;
pub mod brand;
pub mod calendar;
pub mod card;
pub mod cell;
pub mod certificate;
pub mod certificate_duty;
pub mod certificate_form;
pub mod certification;
pub mod code;
pub mod collection;
pub mod command;
pub mod county;
pub mod decide;
mod decide_brand;
mod decide_code;
mod decide_result;
pub mod delegation;
pub mod device;
pub mod document;
pub mod dose;
pub mod event;
pub mod feedback;
mod feedback_apply;
pub mod history;
pub mod hold;
pub mod id_card;
pub mod identity;
pub mod input;
pub mod interval;
pub mod kinship;
pub mod label_template;
pub mod lineage;
pub mod login;
pub mod lot;
pub mod message;
pub mod mirror_log;
pub mod national_code;
mod national_code_set;
pub mod objection;
pub mod operator;
pub mod pack;
pub mod policy;
pub mod position;
pub mod positive;
pub mod print_job;
pub mod product;
pub mod recall;
pub mod sampling;
pub mod scan;
pub mod scan_policy;
pub mod shop_link;
pub mod signing_key;
pub mod site;
pub mod span;
pub mod step;
mod step_apply;
mod step_take;
pub mod test;
mod test_apply;
mod test_take;
pub mod token;
pub mod trace_policy;
pub mod unit;
pub mod use_warning;
pub mod user;

pub use command::{Command, Envelope, Outcome};
pub use event::Event;
