//! Device protocols, transports and simulators; no HTTP, no store.
//!
//! Protocols are *sans-IO*: bytes in, bytes or values out, so that one description serves a serial
//! line, a socket, a test and a simulator. Transports block the calling thread and always have a
//! time limit. Simulators are the other end of both and double as test fixtures.
//!
//! - [`tspl`]: label printers (encoder) and [`tspl::interpreter`] (the printer's side);
//! - [`lz4000t`]: LZ-4000T residue analyzer, the device's side;
//! - [`scan`]: what a hand scanner types;
//! - [`transport::tcp`]: raw printing to port 9100;
//! - [`sim`]: a network printer and an analyzer that exist only in software.

pub mod lz4000t;
pub mod picture;
pub mod scan;
pub mod sim;
pub mod transport;
pub mod tspl;
