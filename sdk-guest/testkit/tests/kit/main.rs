//! The test kit, with this repository's own plugins as guests.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a test")]

mod attempts;
mod features;
mod payment;
mod recorded;
mod shop;
mod sweep;
