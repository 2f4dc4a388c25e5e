//! The appliance: application services, HTTP, command line and jobs around the pure kernel.
//!
//! `app` is what the appliance does, whoever asks; `http`, `admin` and `cli` are how people and programs ask.

pub mod admin;
pub mod app;
pub mod blobs;
pub mod care;
pub mod cli;
pub mod code_key;
pub mod config;
pub mod demo;
pub mod edge;
pub mod folders;
pub mod http;
pub mod key_files;
pub mod keys;
pub mod meter;
pub mod proof;
pub mod regions;
pub mod texts;
pub mod tls;
pub mod vault;
pub mod words;
