//! Runs tenants' WebAssembly components, and is the only crate that knows wasmtime.
//!
//! A [`Sandbox`] looks at uploaded components ([`tenterhook_domain::component::Inspector`]), compiles them once
//! a digest, and hands out [`LoadedComponent`]s. Of one component two kinds of instances are made:
//!
//! - **Workflow instances** ([`LoadedComponent::workflows`]) run on plain threads, on an engine that counts fuel.
//!   All they can observe of the world is one [`Moment`](tenterhook_workflow::guest::Moment), so that a replay
//!   sees what the first run saw. Every other import fails the task with `guest-capability-denied`.
//! - **Activity instances** ([`LoadedComponent::activities`]), one an attempt, run as futures and yield at every
//!   epoch. They reach the world by capabilities that are both wanted by the plugin and granted by an operator.
//!
//! Compiled code is shared by digest, memory never. A guest's error is a value, a trap is a
//! [`Fault`](tenterhook_workflow::guest::Fault) of that one task; neither is a panic.

mod activity;
mod aot;
mod cache;
mod capability;
mod compiler;
mod component;
mod engine;
mod fault;
mod generated;
mod guest_log;
mod inspection;
mod meter;
mod outline;
mod owner;
pub mod processor;
mod sandbox;
mod share;
mod workflow;

pub use activity::{
    ActivityAccess, ActivityFailure, ActivityHost, ActivityModule, ActivityResult, ActivityTask,
    Cancellation, FailureLink, Payload, TaskInfo,
};
pub use capability::{
    http::{Resolver, Secrets},
    keyvalue::{KeyPage, KeyRoom, KeySwap, KeyValue},
};
pub use compiler::{
    COMPILE_CPU_MILLIS_MAX, COMPILE_MEMORY_BYTES_MAX, COMPILE_MILLIS_MAX, CompileLimits,
    CompilerCommand, compile_stdin,
};
pub use component::LoadedComponent;
pub use owner::Owner;
pub use sandbox::{Sandbox, SandboxConfig};
pub use share::Share;
