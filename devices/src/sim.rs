//! Devices in software: for the demo, for tests, and for trying the appliance without hardware.

pub mod analyzer;
pub mod printer;
