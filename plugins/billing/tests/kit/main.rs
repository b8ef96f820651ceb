//! The plugin's component in the test kit, its activities and all, against services that keep books.
//!
//! `cargo xtask guests` builds the component that is tested.
// What is expected is read where a test failed; sweeps say how many runs they made.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod cancellation;
mod failures;
mod happy;
mod long;
mod services;
mod steps;
mod sweeps;
