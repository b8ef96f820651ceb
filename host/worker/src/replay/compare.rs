//! Holds what code does, task by task, against what a history says it did.

use temporalio_protos::coresdk::workflow_commands::WorkflowCommand;
use tenterhook_domain::replay::Verdict;

use super::{
    recorded::Task,
    step::{Emitted, Step},
};

/// What stands for a step that is not there.
const NOTHING: &str = "nothing";

/// The first step that is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) event: u64,
    pub(super) expected: Option<Step>,
    pub(super) actual: Option<Step>,
}

impl From<Difference> for Verdict {
    fn from(difference: Difference) -> Self {
        let said = |step: Option<Step>| step.map_or(NOTHING.to_owned(), |step| step.to_string());
        Self::Diverges {
            event: difference.event,
            expected: said(difference.expected),
            actual: said(difference.actual),
        }
    }
}

/// The comparison of one run.
pub(super) struct Comparison<'a> {
    tasks: &'a [Task],
    /// Steps of tasks that the code was never asked about: they come with those of the next.
    carried: Vec<(u64, Step)>,
    emitted: Emitted,
    asked: bool,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(tasks: &'a [Task]) -> Self {
        Self {
            tasks,
            carried: Vec::new(),
            emitted: Emitted::default(),
            asked: false,
        }
    }

    /// The code is asked for what follows the event `started`. What it did before is complete by now.
    pub(super) fn begin(&mut self, started: u64) -> Option<Difference> {
        while let [task, _, ..] = self.tasks
            && *task.started.end() < started
        {
            if let Some(difference) = self.finish() {
                return Some(difference);
            }
        }
        self.asked = true;
        None
    }

    /// The code answers with `commands`.
    pub(super) fn take(&mut self, commands: &[WorkflowCommand]) {
        for command in commands {
            self.emitted.take(command);
        }
    }

    /// The current task is over.
    pub(super) fn finish(&mut self) -> Option<Difference> {
        let (task, rest) = self.tasks.split_first()?;
        self.tasks = rest;
        if !std::mem::take(&mut self.asked) {
            self.carried.extend_from_slice(&task.steps);
            return None;
        }
        let mut expected = self.carried.drain(..).chain(task.steps.iter().cloned());
        let mut actual = self.emitted.steps().cloned();
        let difference = loop {
            match (expected.next(), actual.next()) {
                (None, None) => break None,
                (Some((_, expected)), Some(actual)) if expected == actual => {}
                (expected, actual) => {
                    let (event, expected) = expected.unzip();
                    break Some(Difference {
                        event: event.unwrap_or(task.after),
                        expected,
                        actual,
                    });
                }
            }
        };
        drop((expected, actual));
        self.emitted.clear();
        difference
    }

    /// The first event that the current task should lead to.
    pub(super) fn next_event(&self) -> Option<u64> {
        let task = self.tasks.first()?;
        Some(task.steps.first().map_or(task.after, |(event, _)| *event))
    }

    /// True while the last finished task of the history is compared.
    pub(super) fn is_at_last(&self) -> bool {
        self.tasks.len() <= 1
    }
}
