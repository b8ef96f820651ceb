//! The API through its own door: real HTTP, the real store, and stand-ins for what runs workflows and looks
//! at components.

#![allow(clippy::unwrap_used)]

mod access;
mod fake;
mod host;
mod plugins;
mod problems;
mod serving;
mod workflows;
