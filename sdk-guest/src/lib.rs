//! Write Tenterhook plugins: Temporal workflows and activities, compiled to one WebAssembly component.
//!
//! Workflows are Temporal's own: this crate re-exports `temporalio-workflow` whole, `#[workflow]`,
//! `#[workflow_methods]`, timers, signals and all. What Temporal's SDK leaves to a worker outside the sandbox is
//! added here: activities ([`activity`], [`ActivityContext`], [`ActivityError`]), the capabilities they work through
//! ([`http`], [`kv`], [`config`], [`log`](mod@log)), and the metadata that tells the host what the plugin is
//! ([`plugin!`]). For workflows there are calls of activities with the project's [`presets`] of timeouts and retries
//! ([`ActivityCall`]), [`Saga`] and [`fan_out`]; for long lists there is [`batch`], for inputs that are wrong
//! [`Findings`].
//!
//! ```ignore
//! use serde::{Deserialize, Serialize};
//! use tenterhook_sdk::{ActivityContext, ActivityError, JsonSchema, activity, plugin};
//! use temporalio_workflow::{WorkflowContext, WorkflowResult, workflow, workflow_methods};
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! struct Name { name: String }
//!
//! /// Makes a greeting.
//! #[activity(timeout = Short)]
//! fn greet(_: &ActivityContext, input: Name) -> Result<String, ActivityError> {
//!     Ok(format!("Hello, {}!", input.name))
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
//!         Ok(greet(input).run(ctx).await?)
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
mod bounds;
mod call;
mod context;
mod error;
mod fan_out;
mod finding;
mod generated;
mod metadata;
mod outcome;
mod payload;
mod saga;

pub mod batch;
pub mod config;
pub mod http;
pub mod kv;
pub mod log;
pub mod presets;
pub mod time;
pub mod wait;

pub use activity::{Activity, ActivitySet};
pub use call::ActivityCall;
pub use context::{ActivityContext, ActivityInfo, Cancellation};
pub use error::{ActivityError, CANCELED_TYPE, ErrorKind};
pub use fan_out::fan_out;
pub use finding::Findings;
pub use outcome::ActivityOutcome;
pub use saga::{CompensationReport, Saga, Undone};
pub use schemars::JsonSchema;
pub use temporalio_workflow::{self, *};

/// Makes an activity of a plain function.
///
/// ```ignore
/// /// Charges the customer.
/// #[activity(name = "ProcessPaymentGateway", timeout = Short, retry = Aggressive)]
/// fn charge(ctx: &ActivityContext, input: ChargeRequest) -> Result<Charged, ActivityError> { … }
/// ```
///
/// - The function takes `&ActivityContext` and one input by value, or the context alone, and returns
///   `Result<T, ActivityError>`. Input and result need `Serialize`, `Deserialize` and `JsonSchema`.
/// - In its place there is a function of the same name that takes the input and gives an [`ActivityCall`], which
///   workflows run: `charge(request).run(ctx).await?`. The author's function itself is run by the host, and by
///   [`Activity::execute`], with which tests call it.
/// - Beside it there is a unit struct, the activity's handle, which `plugin!` lists and which Temporal's
///   `ctx.execute_activity` takes. It is named as the activity: by the function in capitals (`fn charge_card` is
///   `ChargeCard`) unless `name` is given. Temporal knows it with the plugin's name before it: `payment.ChargeCard`.
/// - `timeout` is a [`presets::Timeout`], `Medium` unless given, `retry` a [`presets::Retry`], `Standard` unless given;
///   a call can say otherwise.
/// - The doc comment becomes the description in the plugin's metadata.
pub use tenterhook_sdk_macros::activity;

/// Makes activities of the functions of a struct, those that have `#[activity]`, and makes the struct a group of them
/// that `plugin!` takes as one.
///
/// ```ignore
/// #[derive(Default)]
/// struct Gateway;
///
/// #[activities]
/// impl Gateway {
///     /// Charges the customer.
///     #[activity(retry = Aggressive)]
///     fn charge(&self, ctx: &ActivityContext, input: ChargeRequest) -> Result<Charged, ActivityError> { … }
/// }
///
/// plugin! { activities: [Gateway] }
/// ```
///
/// A workflow calls `Gateway::charge(request)`. `&self` may be left out; with it the struct has to be `Default`, for
/// every attempt has a fresh value. The handles (`Charge`) stand beside the `impl`.
pub use tenterhook_sdk_macros::activities;

/// Makes a struct or enum a value that goes in or comes out: of activities, workflows and their handlers, of providers.
///
/// ```ignore
/// /// What is charged.
/// #[payload]
/// #[derive(Clone, Debug)]
/// struct ChargeRequest {
///     order_id: String,
///     /// In minor units.
///     amount: u64,
///     #[serde(default)]
///     note: Option<String>,
/// }
/// ```
///
/// - It stands for `#[derive(Serialize, Deserialize, JsonSchema)]`, and takes the same `#[serde(…)]` and
///   `#[schemars(…)]` below it; other derives stand beside it. Neither crate has to be in `Cargo.toml` for it.
/// - The three derives by themselves work too, and cost more: their code to decode is made for each format that the
///   type is read from, and Temporal's own converter is one of several. Here everything is read by way of
///   [`serde_json::Value`], and a component has the code for a type once: 150 KB less in one with 60 types. In return
///   a long list takes about twice as long to decode, and what does not fit is named without line and column.
/// - The type has no parameters.
pub use tenterhook_sdk_macros::payload;

/// Makes the crate a plugin: exports its workflows, its activities, and the metadata that names them.
///
/// Used once, in the crate's root. Every section is optional, but for workflows or activities:
///
/// ```ignore
/// plugin! {
///     // In place of the package's name and version.
///     name: "payment",
///     version: "1.4.0",
///     workflows: [
///         /// The description in the metadata.
///         ProcessPayment { signals: [], queries: [status], updates: [cancel] },
///     ],
///     activities: [ValidatePayment, Gateway],
///     wants: {
///         // "host[:port]", or "config:KEY" for the host of the URL in that configuration key.
///         http: ["config:gateway_url"],
///         keyvalue: true,
///         config: ["gateway_url"],
///     },
/// }
/// ```
///
/// - `workflows` takes types with `#[workflow_methods]`. Signals, queries and updates named in the braces (by their
///   methods' names) get JSON Schemas in the metadata; those not named are there without.
/// - `activities` takes handles of [`macro@activity`] and structs of [`macro@activities`].
/// - Inputs and results need `JsonSchema`.
/// - Name and version come from `Cargo.toml` unless given, the description always does.
///
/// On any target but `wasm32` nothing is exported, so that the same crate can be checked and tested natively.
pub use tenterhook_sdk_macros::plugin;

/// What the macros expand to; no part of the API.
#[doc(hidden)]
pub mod __private {
    pub use crate::activity::{ActivityEntry, assert_distinct, entries, execute};
    pub use crate::bounds::{NoSuchHandler, Returned, fits};
    pub use crate::generated::export;
    pub use crate::generated::exports::tenterhook::plugin::activities::{
        Failure, Guest as ActivitiesGuest, Payload, Task,
    };
    pub use crate::generated::exports::tenterhook::plugin::metadata::{
        Guest as MetadataGuest, MessageType, Plugin, WantedGrants, WorkflowType,
    };
    pub use crate::metadata::{PluginBuilder, WorkflowBuilder};
    pub use crate::payload::fields;
    pub use {schemars, serde, serde_json};

    /// The two exports of ours, where they are only checked.
    pub type Exports = (fn() -> Plugin, fn(Task) -> Result<Option<Payload>, Failure>);

    /// The export macro expands to paths in here.
    pub mod generated {
        pub use crate::generated::*;
    }
}
