//! What came of an execution, and what tests assert of it.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use temporalio_protos::temporal::api::history::v1::HistoryEvent;

use crate::{
    agenda::RunKey,
    episode::End,
    failure::{CANCELED, Failure, TIMEOUT},
    journal::{Step, StepKind},
    payload,
    plugin::Plugin,
    world::World,
};

/// An execution that has ended, and everything that it did.
pub struct Ended {
    world: World,
    root: RunKey,
}

impl Ended {
    pub(crate) fn new(world: World, root: RunKey) -> Self {
        Self { world, root }
    }

    fn end(&self) -> Option<&End> {
        let run = self.world.last_of(self.root);
        self.world.runs[run].end.as_ref()
    }

    /// Its result as JSON.
    ///
    /// # Errors
    /// How it failed: `Canceled` when it was cancelled, with the workflow's details, `Timeout` when its time was over, else
    /// the workflow's failure.
    pub fn outcome(&self) -> Result<Value, Failure> {
        let of = |kind: &str, message: &str| Err(Failure::permanent(kind, message));
        match self.end() {
            Some(End::Completed(result)) => Ok(payload::json(result.as_ref())),
            Some(End::Failed(failure)) => Err(Failure::of_proto(failure)),
            Some(End::Cancelled(details)) => Err(Failure {
                details: details.as_ref().map(payload::all_json).unwrap_or_default(),
                ..Failure::permanent(CANCELED, "the workflow was cancelled")
            }),
            Some(End::TimedOut) => of(TIMEOUT, "the workflow's time is over"),
            Some(End::Terminated) => of("Terminated", "the workflow was terminated"),
            Some(End::Stuck { code, message }) => of(code, message),
            Some(End::ContinuedAsNew(_)) | None => of("Open", "the workflow has not ended"),
        }
    }

    /// Its result.
    ///
    /// # Panics
    /// When it did not complete, or its result is no `T`.
    #[track_caller]
    pub fn result<T: DeserializeOwned>(&self) -> T {
        let value = match self.outcome() {
            Ok(value) => value,
            Err(failure) => panic!("the workflow did not complete: {failure}"),
        };
        match payload::typed(&value) {
            Ok(result) => result,
            Err(error) => panic!("the result is not of the type asked for: {value}: {error}"),
        }
    }

    /// How it failed.
    ///
    /// # Panics
    /// When it completed.
    #[track_caller]
    pub fn failure(&self) -> Failure {
        match self.outcome() {
            Err(failure) => failure,
            Ok(result) => panic!("the workflow completed with {result}"),
        }
    }

    /// True if it completed.
    pub fn is_completed(&self) -> bool {
        matches!(self.end(), Some(End::Completed(_)))
    }

    /// True if it ended as cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.end(), Some(End::Cancelled(_)))
    }

    /// What came of the update that was planned under `id`; none if it was never answered.
    pub fn update(&self, id: &str) -> Option<Result<Value, Failure>> {
        let answer = self.world.updates.get(id)?;
        Some(match answer {
            Ok(value) => Ok(payload::json(Some(value))),
            Err(failure) => Err(Failure::of_proto(failure)),
        })
    }

    /// Asks the ended execution the query `name`.
    ///
    /// # Errors
    /// What the workflow says against it.
    ///
    /// # Panics
    /// When the answer is no `T`.
    pub fn query<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Failure> {
        let answer = self.world.ask(self.root, name, payload::argument(&()));
        let answer = answer.map_err(|failure| Failure::of_proto(&failure))?;
        let value = payload::json(Some(&answer));
        match payload::typed(&value) {
            Ok(typed) => Ok(typed),
            Err(error) => {
                panic!("the answer to {name} is not of the type asked for: {value}: {error}")
            }
        }
    }

    /// All steps, in the order in which they were begun.
    pub fn steps(&self) -> &[Step] {
        &self.world.journal.steps
    }

    /// The names of the activities, local ones included, in the order in which they were begun; each once, however many
    /// attempts it took.
    pub fn called(&self) -> Vec<&str> {
        let steps = self.steps().iter();
        let activities =
            steps.filter(|step| matches!(step.kind, StepKind::Activity | StepKind::LocalActivity));
        activities.map(|step| step.name.as_str()).collect()
    }

    /// How many attempts of the activity `name` were run.
    pub fn attempts(&self, name: &str) -> usize {
        let steps = self.steps().iter().filter(|step| step.name == name);
        steps.map(|step| step.attempts.len()).sum()
    }

    /// What the activity or child `name` was given, once for each step.
    ///
    /// # Panics
    /// When an input is no `T`.
    #[track_caller]
    pub fn inputs<T: DeserializeOwned>(&self, name: &str) -> Vec<T> {
        let steps = self.steps().iter().filter(|step| step.name == name);
        let typed = steps.map(|step| match payload::typed(&step.input) {
            Ok(input) => input,
            Err(error) => panic!("an input of {name} is not of that type: {error}"),
        });
        typed.collect()
    }

    /// Holds that the activity or child `name` was never begun.
    ///
    /// # Panics
    /// When it was.
    #[track_caller]
    pub fn never_called(&self, name: &str) -> &Self {
        let found = self.steps().iter().find(|step| step.name == name);
        if let Some(step) = found {
            panic!(
                "{name} was called, as step {} with {}",
                step.number, step.input
            );
        }
        self
    }

    /// Holds that the activities `names` were begun in this order; others may stand between them.
    ///
    /// # Panics
    /// When they were not.
    #[track_caller]
    pub fn called_in_order(&self, names: &[&str]) -> &Self {
        let called = self.called();
        let mut rest = called.iter();
        for name in names {
            assert!(
                rest.any(|it| it == name),
                "{name} was not called in the order {names:?}: {called:?}"
            );
        }
        self
    }

    /// The commands of the execution's first run, each in a line: `ScheduleActivity payment.RefundPayment({…})`.
    pub fn commands(&self) -> Vec<String> {
        let commands = self.world.runs[self.root].tape.commands();
        commands.map(tenterhook_workflow::command_name).collect()
    }

    /// How many runs its execution took: more than one if it continued as new, or was retried.
    pub fn runs(&self) -> usize {
        let mut key = self.root;
        let mut runs = 1;
        while let Some(End::ContinuedAsNew(next)) = self.world.runs[key].end {
            key = next;
            runs += 1;
        }
        runs
    }

    /// The events of every run.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = &[HistoryEvent]> {
        self.world.runs.iter().map(|run| run.history.events())
    }

    pub(crate) fn plugin(&self) -> &Plugin {
        &self.world.setup.plugin
    }

    /// Workflow time that passed.
    pub fn elapsed(&self) -> Duration {
        self.world.elapsed()
    }
}

impl std::fmt::Debug for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ended")
            .field("outcome", &self.outcome())
            .field("called", &self.called())
            .finish()
    }
}
