//! The API through its own door: real HTTP, the real store, the real rounds of checks, and stand-ins for what runs
//! workflows and looks at components.

#![allow(clippy::unwrap_used)]

mod access;
mod circuits;
mod context_keys;
mod document;
mod encryption;
mod fake;
mod host;
mod lanes;
mod metrics;
mod plugins;
mod problems;
mod quotas;
mod releases;
mod rollouts;
mod schedules;
mod secrets;
mod serving;
#[allow(dead_code, unreachable_pub)]
#[path = "../../../../tests/src/signer.rs"]
mod signer;
mod tokens;
mod trust;
mod workflows;
