//! The plugin's component in the test kit, its activities and all, against services that keep books.
//!
//! `cargo xtask guests` builds the component that is tested.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what is expected is read where a test failed, and sweeps say how many runs they made"
)]

mod cancellation;
mod expiring;
mod failures;
mod happy;
mod reviewing;
mod services;
mod sweeps;
