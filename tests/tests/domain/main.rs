//! The domain plugins, each workflow on a real host, a real Temporal server and providers that keep books.
//!
//! A module a plugin, a module in it a workflow, named after it; a test whose name contains an activity's name shows
//! that activity. `tests/tests/tidy/domain.rs` finds what has none. Two are of all plugins: `taxonomy`, the types of
//! failures, and `fan_out`, how much workflows have under way at once.
// What is expected is read where a test failed.
#![allow(clippy::unwrap_used)]

mod analytics;
mod billing;
mod fan_out;
mod listing;
mod payment;
mod scene;
mod schedule;
mod taxonomy;
mod user;
