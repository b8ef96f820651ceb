//! Activations in, completions out, with a guest in plain Rust: the rules of the translation one by one.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod boundary;
mod bytes;
mod commands;
mod firewall;
mod limits;
mod malformed;
mod mutated;
mod pending;
mod recorded;
mod rehearsal;
mod rules;
mod scene;
mod script;
mod taped;
