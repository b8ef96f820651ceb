//! What a saga undid, and how the workflow says so when it ends.

use serde_json::{Value, json};
use temporalio_workflow::{ActivityExecutionError, WorkflowTermination};

use crate::outcome::{self, ActivityOutcome};
use crate::payload;

/// What became of a saga's compensations, in the order in which they ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "end the workflow by it, so that its caller hears what was undone"]
pub struct Undone {
    /// One for each.
    pub compensations: Vec<CompensationReport>,
}

/// What became of one compensation. It succeeded: each is tried until it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompensationReport {
    /// The activity's name; `settle` before it where it was not known whether there was something to undo.
    pub name: String,
    /// How often it was begun: 1 if it succeeded at once. Attempts that its activity's retry policy makes are not
    /// counted.
    pub tries: u32,
    /// Why the last try but one failed, if there was one.
    pub last_failure: Option<String>,
}

impl Undone {
    /// Fails the workflow for the same reason as [`ActivityOutcome::into_workflow_failure`]. The failure's details have
    /// one more, the last: `{"compensations": [{"name", "tries", "last_failure"}]}`. A timeout or a cancellation of the
    /// activity stays what it is, and has no room for it.
    #[must_use]
    pub fn failed(&self, error: ActivityExecutionError) -> WorkflowTermination {
        match self.detail() {
            None => error.into_workflow_failure(),
            detail => outcome::failure_of(error, detail),
        }
    }

    /// Ends the workflow as cancelled, with the same as its detail.
    #[must_use]
    pub fn cancelled(&self) -> WorkflowTermination {
        match self.detail() {
            None => WorkflowTermination::cancelled(),
            Some(detail) => WorkflowTermination::cancelled_with_details(payload::wire(detail)),
        }
    }

    /// None where nothing was undone: then there is nothing to tell.
    fn detail(&self) -> Option<payload::Payload> {
        if self.compensations.is_empty() {
            return None;
        }
        let told = self.compensations.iter().map(CompensationReport::told);
        let told: Vec<Value> = told.collect();
        payload::encode(&json!({ "compensations": told })).ok()
    }
}

impl CompensationReport {
    fn told(&self) -> Value {
        let mut told = json!({ "name": self.name, "tries": self.tries });
        if let Some(why) = &self.last_failure {
            told["last_failure"] = why.as_str().into();
        }
        told
    }
}
