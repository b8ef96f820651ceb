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

#[cfg(test)]
mod tests {
    use temporalio_protos::coresdk::workflow_commands::{
        CancelTimer, CompleteWorkflowExecution, RequestCancelActivity, ScheduleActivity,
        StartTimer, workflow_command::Variant as Command,
    };

    use super::*;

    fn activity(seq: u32, name: &str) -> WorkflowCommand {
        Command::ScheduleActivity(ScheduleActivity {
            seq,
            activity_type: name.to_owned(),
            ..Default::default()
        })
        .into()
    }

    fn timer(seq: u32) -> WorkflowCommand {
        Command::StartTimer(StartTimer {
            seq,
            ..Default::default()
        })
        .into()
    }

    fn cancel_timer(seq: u32) -> WorkflowCommand {
        Command::CancelTimer(CancelTimer { seq }).into()
    }

    fn end() -> WorkflowCommand {
        Command::CompleteWorkflowExecution(CompleteWorkflowExecution::default()).into()
    }

    fn steps(commands: &[WorkflowCommand]) -> Vec<Step> {
        let mut emitted = Emitted::default();
        for command in commands {
            emitted.take(command);
        }
        emitted.steps().cloned().collect()
    }

    /// A task that started at `started` and led to what `commands` lead to, from event `first` on.
    fn task(started: u64, first: u64, commands: &[WorkflowCommand]) -> Task {
        let steps: Vec<(u64, Step)> = (first..).zip(steps(commands)).collect();
        Task {
            started: started..=started,
            after: first + steps.len() as u64,
            steps,
        }
    }

    /// Tasks 3 and 11 of a history: an activity, then another and the end.
    fn history() -> Vec<Task> {
        vec![
            task(3, 7, &[activity(1, "p.A")]),
            task(11, 13, &[activity(2, "p.B"), end()]),
        ]
    }

    /// The difference when the code answers so, asked after these events.
    fn compare(
        tasks: &[Task],
        answers: &[(u64, &[WorkflowCommand])],
    ) -> Option<(u64, String, String)> {
        let mut comparison = Comparison::new(tasks);
        let mut difference = None;
        for (started, commands) in answers {
            difference = difference.or_else(|| comparison.begin(*started));
            comparison.take(commands);
        }
        match Verdict::from(difference.or_else(|| comparison.finish())?) {
            Verdict::Diverges {
                event,
                expected,
                actual,
            } => Some((event, expected, actual)),
            other => panic!("{other:?}"),
        }
    }

    fn differs(event: u64, expected: &str, actual: &str) -> Option<(u64, String, String)> {
        Some((event, expected.to_owned(), actual.to_owned()))
    }

    #[test]
    fn the_same_steps_are_the_same() {
        let second = [activity(2, "p.B"), end()];
        let answers: [(u64, &[WorkflowCommand]); 2] = [(3, &[activity(1, "p.A")]), (11, &second)];
        assert_eq!(compare(&history(), &answers), None);
    }

    #[test]
    fn the_first_other_step_is_named() {
        let first = "ActivityTaskScheduled p.A";
        assert_eq!(
            compare(&history(), &[(3, &[activity(1, "p.C")])]),
            differs(7, first, "ActivityTaskScheduled p.C")
        );
        assert_eq!(
            compare(&history(), &[(3, &[timer(1)])]),
            differs(7, first, "TimerStarted")
        );
        assert_eq!(
            compare(&history(), &[(3, &[])]),
            differs(7, first, "nothing")
        );
        let swapped = [end(), activity(2, "p.B")];
        let answers: [(u64, &[WorkflowCommand]); 2] = [(3, &[activity(1, "p.A")]), (11, &swapped)];
        assert_eq!(
            compare(&history(), &answers),
            differs(
                13,
                "ActivityTaskScheduled p.B",
                "WorkflowExecutionCompleted"
            )
        );
    }

    #[test]
    fn a_step_too_many_stands_after_the_last() {
        let early = [activity(1, "p.A"), activity(2, "p.B")];
        let answers: [(u64, &[WorkflowCommand]); 2] = [(3, &early), (11, &[])];
        // The same steps in all, one of them a task too early.
        assert_eq!(
            compare(&history(), &answers),
            differs(8, "nothing", "ActivityTaskScheduled p.B")
        );
    }

    #[test]
    fn what_is_cancelled_before_it_is_sent_was_never_there() {
        let tasks = [task(3, 7, &[timer(2)])];
        let commands = [timer(1), cancel_timer(1), timer(2)];
        assert_eq!(compare(&tasks, &[(3, &commands)]), None);
        // Of a later task, it was there: the cancellation is an event of its own.
        let tasks = [task(3, 7, &[timer(1)]), task(11, 13, &[])];
        let cancel = RequestCancelActivity::default();
        let cancel = [
            cancel_timer(1),
            Command::RequestCancelActivity(cancel).into(),
        ];
        assert_eq!(compare(&tasks, &[(3, &[timer(1)]), (11, &cancel)]), None);
    }

    #[test]
    fn several_activations_of_one_task_are_one_answer() {
        let tasks = [task(3, 7, &[activity(1, "p.A"), timer(2)])];
        let answers: [(u64, &[WorkflowCommand]); 2] =
            [(3, &[activity(1, "p.A")]), (3, &[timer(2)])];
        assert_eq!(compare(&tasks, &answers), None);
    }

    #[test]
    fn tasks_that_the_code_is_not_asked_about_come_with_the_next() {
        let mut tasks = history();
        tasks.push(task(20, 22, &[timer(3)]));
        let both = [activity(2, "p.B"), end(), timer(3)];
        let answers: [(u64, &[WorkflowCommand]); 2] = [(3, &[activity(1, "p.A")]), (20, &both)];
        assert_eq!(compare(&tasks, &answers), None);
    }

    #[test]
    fn kinds_that_are_left_to_core_are_not_steps() {
        assert_eq!(steps(&[cancel_timer(1)]), []);
    }
}
