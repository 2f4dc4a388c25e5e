//! Ways to a device. Every call blocks its thread for a bounded time.

pub mod tcp;
