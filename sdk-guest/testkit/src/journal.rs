//! What happened in a test: the steps that the workflows took, and every attempt of them.

use std::time::Duration;

use serde_json::Value;

use crate::failure::Failure;

/// What kind of a step it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// An activity.
    Activity,
    /// A local activity.
    LocalActivity,
    /// A child workflow.
    Child,
    /// A timer.
    Timer,
}

/// One thing that a workflow began and waited for. Attempts of the same activity are one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The first one of a test is 1.
    pub number: usize,
    /// What it is.
    pub kind: StepKind,
    /// The type, without the plugin's own name; a timer's length.
    pub name: String,
    /// The workflow that took it, by its caller's id.
    pub workflow_id: String,
    /// What it was given.
    pub input: Value,
    /// Workflow time since the test began.
    pub at: Duration,
    /// Its attempts that were run.
    pub attempts: Vec<Attempt>,
}

/// One attempt of an activity that was run.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Workflow time since the test began.
    pub at: Duration,
    /// What it answered; what the workflow was told of it may be a time-out.
    pub answer: Result<Value, Failure>,
}

/// All steps of a test.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    pub(crate) steps: Vec<Step>,
    begins: Duration,
}

impl Journal {
    pub(crate) fn new(begins: Duration) -> Self {
        Self {
            steps: Vec::new(),
            begins,
        }
    }

    /// Writes down that a step begins, and answers its number.
    pub(crate) fn begin(
        &mut self,
        kind: StepKind,
        name: &str,
        workflow_id: String,
        input: Value,
        now: Duration,
    ) -> usize {
        let number = self.steps.len() + 1;
        self.steps.push(Step {
            number,
            kind,
            name: name.to_owned(),
            workflow_id,
            input,
            at: now.saturating_sub(self.begins),
            attempts: Vec::new(),
        });
        number
    }

    /// Writes down an attempt of a step.
    pub(crate) fn attempt(&mut self, step: usize, answer: Result<Value, Failure>, now: Duration) {
        let at = now.saturating_sub(self.begins);
        if let Some(step) = step.checked_sub(1).and_then(|at| self.steps.get_mut(at)) {
            step.attempts.push(Attempt { at, answer });
        }
    }

    pub(crate) fn name(&self, step: usize) -> &str {
        let step = step.checked_sub(1).and_then(|at| self.steps.get(at));
        step.map_or("", |step| &step.name)
    }
}
