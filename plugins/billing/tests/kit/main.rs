//! The plugin's component in the test kit, its activities and all, against services that keep books.
//!
//! `cargo xtask guests` builds the component that is tested.
// What is expected is read where a test failed.
#![allow(clippy::unwrap_used)]

mod cancellation;
mod failures;
mod happy;
mod services;
mod sweeps;
