//! End to end: a real host, a real Temporal server, real components, real HTTP.
//!
//! One host serves the tests that only need one; each test works in a tenant of its own. Tests that kill things
//! start hosts of their own.
// What was measured is read where a test failed.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod attempts;
mod context_keys;
mod dedicated;
mod divergence;
mod double_runs;
mod durability;
mod encryption;
mod failures;
mod features;
mod guests;
mod hosts;
mod lanes;
mod languages;
mod payments;
mod plugins;
mod quotas;
mod registries;
mod releases;
mod rollouts;
mod schedules;
mod secrets;
mod shared;
mod sharing;
mod signatures;
mod verdicts;
mod walls;
