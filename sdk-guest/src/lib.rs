//! Write Tenterhook plugins: Temporal workflows and activities, compiled to one WebAssembly component.
//!
//! Workflows are Temporal's own: this crate re-exports `temporalio-workflow` whole, `#[workflow]`,
//! `#[workflow_methods]`, timers, signals and all. What Temporal's SDK leaves to a worker outside the sandbox is
//! added here: activities ([`activities!`], [`ActivityContext`], [`ActivityError`]), the capabilities they work
//! through ([`http`], [`kv`], [`config`], [`log`](mod@log)), and the metadata that tells the host what the plugin is
//! ([`plugin!`]). For workflows there are the project's [`presets`] of timeouts and retries, and [`Saga`].
//!
//! ```ignore
//! use serde::{Deserialize, Serialize};
//! use tenterhook_sdk::{ActivityContext, ActivityError, JsonSchema, activities, plugin};
//! use tenterhook_sdk::presets::{Retry, Timeout, activity_options};
//! use temporalio_workflow::{WorkflowContext, WorkflowResult, workflow, workflow_methods};
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! struct Name { name: String }
//!
//! fn greet(_: &ActivityContext, input: Name) -> Result<String, ActivityError> {
//!     Ok(format!("Hello, {}!", input.name))
//! }
//!
//! activities! {
//!     /// Makes a greeting.
//!     Greet(Name) -> String = greet;
//! }
//!
//! #[workflow]
//! #[derive(Default)]
//! struct Greeting;
//!
//! #[workflow_methods]
//! impl Greeting {
//!     #[run]
//!     async fn run(ctx: &mut WorkflowContext<Self>, input: Name) -> WorkflowResult<String> {
//!         let options = activity_options(Timeout::Short, Retry::Standard);
//!         Ok(ctx.execute_activity(Greet, input, options).await?)
//!     }
//! }
//!
//! plugin! {
//!     workflows: [
//!         /// Greets somebody.
//!         Greeting,
//!     ],
//!     activities: [Greet],
//! }
//! ```
//!
//! `Cargo.toml` needs `crate-type = ["cdylib"]` and, beside this crate, `temporalio-workflow` (its macros expand
//! to paths that start with its name), `serde` and `schemars` (their derives do the same).
//! `cargo build --release --target wasm32-wasip2` makes the component.

mod activity;
mod context;
mod error;
mod generated;
mod metadata;
mod outcome;
mod payload;
mod plugin;
mod saga;

pub mod config;
pub mod http;
pub mod kv;
pub mod log;
pub mod presets;
pub mod time;
pub mod wait;

pub use activity::Activity;
pub use context::{ActivityContext, ActivityInfo, Cancellation};
pub use error::{ActivityError, CANCELED_TYPE, ErrorKind, RetryPreset};
pub use outcome::ActivityOutcome;
pub use saga::Saga;
pub use schemars::JsonSchema;
pub use temporalio_workflow::{self, *};

/// What [`plugin!`] and [`activities!`] expand to; no part of the API.
#[doc(hidden)]
pub mod __private {
    pub use crate::activity::{ActivityEntry, execute};
    pub use crate::generated::export;
    pub use crate::generated::exports::tenterhook::plugin::activities::{
        Failure, Guest as ActivitiesGuest, Payload, Task,
    };
    pub use crate::generated::exports::tenterhook::plugin::metadata::{
        Guest as MetadataGuest, MessageType, Plugin, WantedGrants, WorkflowType,
    };
    pub use crate::metadata::{PluginBuilder, WorkflowBuilder};

    /// The export macro expands to paths in here.
    pub mod generated {
        pub use crate::generated::*;
    }
}
