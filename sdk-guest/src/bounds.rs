//! What the macros demand of an author's types, in traits whose refusal says the mend.
//!
//! Each holds for all types that it can hold for; none is to be implemented by hand.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use temporalio_workflow::__private::macros::{
    WorkflowDefinitionDescriptor, WorkflowImplementation,
};
use temporalio_workflow::common::{
    QueryDefinition, SignalDefinition, UpdateDefinition, WorkflowDefinition,
};

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
    note = "give the type `#[payload]`"
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
    note = "give the type `#[payload]`, or derive `schemars::JsonSchema`"
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

/// A workflow of `plugin!`'s list, with what it is started with and what it answers with. That is no supertrait, and these
/// are no associated types: the compiler would speak of Temporal's trait instead of this one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no workflow",
    label = "not a workflow",
    note = "give the struct `#[workflow]` and its `impl` with the function `run` `#[workflow_methods]`"
)]
pub trait Workflow<I, O> {
    /// What Temporal's macro says of it.
    fn definition() -> WorkflowDefinitionDescriptor;
}

#[diagnostic::do_not_recommend]
impl<W, I, O> Workflow<I, O> for W
where
    W: WorkflowImplementation<Run: WorkflowDefinition<Input = I, Output = O>>,
{
    fn definition() -> WorkflowDefinitionDescriptor {
        W::definition()
    }
}

/// A handler listed under `signals`.
#[diagnostic::on_unimplemented(
    message = "this handler is no signal",
    label = "has another attribute than `#[signal]`",
    note = "list it under `queries` or `updates`, as its attribute says"
)]
pub trait Signal {
    /// What it is sent with.
    type Input;

    /// Its name on Temporal.
    fn name(&self) -> &str;
}

#[diagnostic::do_not_recommend]
impl<S: SignalDefinition> Signal for S {
    type Input = S::Input;

    fn name(&self) -> &str {
        self.name()
    }
}

/// A handler listed under `queries`.
#[diagnostic::on_unimplemented(
    message = "this handler is no query",
    label = "has another attribute than `#[query]`",
    note = "list it under `signals` or `updates`, as its attribute says"
)]
pub trait Query {
    /// What it is asked with.
    type Input;
    /// What it answers with.
    type Output;

    /// Its name on Temporal.
    fn name(&self) -> &str;
}

#[diagnostic::do_not_recommend]
impl<Q: QueryDefinition> Query for Q {
    type Input = Q::Input;
    type Output = Q::Output;

    fn name(&self) -> &str {
        self.name()
    }
}

/// A handler listed under `updates`.
#[diagnostic::on_unimplemented(
    message = "this handler is no update",
    label = "has another attribute than `#[update]`",
    note = "list it under `signals` or `queries`, as its attribute says"
)]
pub trait Update {
    /// What it is sent with.
    type Input;
    /// What it answers with.
    type Output;

    /// Its name on Temporal.
    fn name(&self) -> &str;
}

#[diagnostic::do_not_recommend]
impl<U: UpdateDefinition> Update for U {
    type Input = U::Input;
    type Output = U::Output;

    fn name(&self) -> &str {
        self.name()
    }
}

/// What `plugin!` finds in place of a handler that its workflow does not have. The compiler says so, and nothing more
/// about it: hence it passes for every kind.
#[derive(Debug)]
pub struct NoSuchHandler;

impl Signal for NoSuchHandler {
    type Input = ();

    fn name(&self) -> &str {
        ""
    }
}

impl Query for NoSuchHandler {
    type Input = ();
    type Output = ();

    fn name(&self) -> &str {
        ""
    }
}

impl Update for NoSuchHandler {
    type Input = ();
    type Output = ();

    fn name(&self) -> &str {
        ""
    }
}
