//! What the macros demand of an author's types, in traits whose refusal says the mend.
//!
//! Each holds for all types that it can hold for; none is to be implemented by hand.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use temporalio_workflow::__private::macros::WorkflowImplementation;
use temporalio_workflow::common::{QueryDefinition, SignalDefinition, UpdateDefinition};

use crate::error::ActivityError;

/// What an activity's function returns.
#[diagnostic::on_unimplemented(
    message = "an activity cannot return `{Self}`",
    label = "not a `Result<T, ActivityError>`",
    note = "return `Result<T, ActivityError>`; `?` makes an `ActivityError` of most errors, `ActivityError::custom(…)` of any"
)]
pub trait Returned {
    /// What the activity answers with.
    type Value;
}

impl<T> Returned for Result<T, ActivityError> {
    type Value = T;
}

/// Inputs and results of activities.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can be neither the input nor the result of an activity",
    label = "has no JSON, or no JSON Schema",
    note = "add `#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]` to the type"
)]
pub trait ActivityValue {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + JsonSchema + 'static> ActivityValue for T {}

/// Demands an [`ActivityValue`].
pub fn fits<T: ActivityValue>() {}

/// Inputs and results of workflows and their handlers, which stand in the metadata with their schemas.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no JSON Schema, which `plugin!` puts into the metadata",
    label = "goes in or comes out here",
    note = "add `#[derive(schemars::JsonSchema)]` to the type"
)]
pub trait Described {
    /// The schema, as text.
    fn schema() -> String;
}

#[diagnostic::do_not_recommend]
impl<T: JsonSchema> Described for T {
    fn schema() -> String {
        crate::metadata::schema::<T>()
    }
}

/// A workflow of `plugin!`'s list.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no workflow",
    label = "not a workflow",
    note = "give the struct `#[workflow]` and its `impl` with the function `run` `#[workflow_methods]`"
)]
pub trait Workflow: WorkflowImplementation {}

#[diagnostic::do_not_recommend]
impl<W: WorkflowImplementation> Workflow for W {}

/// A handler listed under `signals`.
#[diagnostic::on_unimplemented(
    message = "this handler is no signal",
    label = "has another attribute than `#[signal]`",
    note = "list it under `queries` or `updates`, as its attribute says"
)]
pub trait Signal: SignalDefinition {}

#[diagnostic::do_not_recommend]
impl<S: SignalDefinition> Signal for S {}

/// A handler listed under `queries`.
#[diagnostic::on_unimplemented(
    message = "this handler is no query",
    label = "has another attribute than `#[query]`",
    note = "list it under `signals` or `updates`, as its attribute says"
)]
pub trait Query: QueryDefinition {}

#[diagnostic::do_not_recommend]
impl<Q: QueryDefinition> Query for Q {}

/// A handler listed under `updates`.
#[diagnostic::on_unimplemented(
    message = "this handler is no update",
    label = "has another attribute than `#[update]`",
    note = "list it under `signals` or `queries`, as its attribute says"
)]
pub trait Update: UpdateDefinition {}

#[diagnostic::do_not_recommend]
impl<U: UpdateDefinition> Update for U {}
