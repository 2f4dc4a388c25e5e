//! Tests of the domain kernel through its one door: envelopes go in, lines and records come out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accounts;
mod activities;
mod authorisations;
mod authorise;
mod cells;
mod certificates;
mod chain;
mod delegations;
mod devices;
mod documents;
mod farm;
mod format;
mod inputs;
mod intervals;
mod keys;
mod lots;
mod messages;
mod operators;
mod printing;
mod property;
mod register;
mod steps;
mod testing;
mod users;
mod world;
