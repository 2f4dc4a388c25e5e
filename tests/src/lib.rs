//! Drives the real binary from outside: starts it on a folder of its own, speaks HTTP and MQTT with
//! it, and looks at what comes out. Shared by the black-box tests, `cargo xtask demo` and the benches.

pub mod api;
pub mod appliance;
pub mod child;
pub mod device;
pub mod false_clock;
pub mod http;
pub mod journey;
pub mod mosquitto;
pub mod person;
pub mod place;
pub mod power;
pub mod tmpfs;
pub mod tools;
pub mod wait;
pub mod webdriver;

pub use appliance::{Appliance, Demo};
pub use wait::until;
