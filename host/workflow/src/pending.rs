//! What a run has under way, and how long its history is: held against limits before anything more is begun.
//!
//! Only what an activation that is no replay adds is refused. So a limit that was lowered stops no execution from being
//! replayed, nor one that has more under way than it now may from seeing that through.

use std::collections::HashSet;

use temporalio_protos::coresdk::{
    workflow_activation::{
        ResolveChildWorkflowExecutionStart, WorkflowActivation,
        resolve_child_workflow_execution_start::Status as ChildStart,
        workflow_activation_job::Variant as Job,
    },
    workflow_commands::{WorkflowCommand, workflow_command::Variant as Command},
};
use tenterhook_domain::{Code, limit::Limits};

use crate::failure::TaskFailure;

/// What is under way, by the numbers that the guest gave.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    activities: HashSet<u32>,
    local_activities: HashSet<u32>,
    children: HashSet<u32>,
    timers: HashSet<u32>,
}

/// How far a history is, as of the activation that is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History {
    replaying: bool,
    events: u64,
    bytes: u64,
}

impl History {
    /// As `activation` says.
    pub(crate) fn of(activation: &WorkflowActivation) -> Self {
        Self {
            replaying: activation.is_replaying,
            events: activation.history_length.into(),
            bytes: activation.history_size_bytes,
        }
    }
}

impl Pending {
    /// True while a local activity is out.
    pub(crate) fn waits_locally(&self) -> bool {
        !self.local_activities.is_empty()
    }

    /// Takes out what `activation` says has ended.
    pub(crate) fn end(&mut self, activation: &WorkflowActivation) {
        for job in &activation.jobs {
            match &job.variant {
                Some(Job::ResolveActivity(it)) if it.is_local => {
                    self.local_activities.remove(&it.seq);
                }
                Some(Job::ResolveActivity(it)) => {
                    self.activities.remove(&it.seq);
                }
                Some(Job::FireTimer(it)) => {
                    self.timers.remove(&it.seq);
                }
                Some(Job::ResolveChildWorkflowExecution(it)) => {
                    self.children.remove(&it.seq);
                }
                Some(Job::ResolveChildWorkflowExecutionStart(it)) if !began(it) => {
                    self.children.remove(&it.seq);
                }
                _ => {}
            }
        }
    }

    /// Adds what `commands` begin, and holds what is then under way against `limits`.
    ///
    /// # Errors
    /// `guest-too-many-pending` and `guest-history-too-long`.
    pub(crate) fn begin(
        &mut self,
        commands: &[WorkflowCommand],
        history: History,
        limits: &Limits,
    ) -> Result<(), TaskFailure> {
        let before = self.counts();
        for command in commands {
            match &command.variant {
                Some(Command::ScheduleActivity(it)) => self.activities.insert(it.seq),
                Some(Command::ScheduleLocalActivity(it)) => self.local_activities.insert(it.seq),
                Some(Command::StartChildWorkflowExecution(it)) => self.children.insert(it.seq),
                Some(Command::StartTimer(it)) => self.timers.insert(it.seq),
                // No timer fires that was taken back; of the others the end is told.
                Some(Command::CancelTimer(it)) => self.timers.remove(&it.seq),
                _ => false,
            };
        }
        if history.replaying {
            return Ok(());
        }
        let bounds = [
            (
                "activities",
                "pending_activities",
                limits.pending_activities,
            ),
            ("children", "pending_children", limits.pending_children),
            ("timers", "pending_timers", limits.pending_timers),
        ];
        for ((before, now), (what, name, limit)) in
            before.into_iter().zip(self.counts()).zip(bounds)
        {
            if now > limit && now > before {
                return Err(TaskFailure::new(
                    Code::GuestTooManyPending,
                    format!(
                        "the run would have {now} {what} under way, more than {name} = {limit}: wait for some of them first, or \
                         have an operator raise {name} in the plugin's grants"
                    ),
                ));
            }
        }
        if commands.is_empty() || commands.iter().any(ends_or_answers) {
            return Ok(());
        }
        check_history(history, limits)
    }

    fn counts(&self) -> [u64; 3] {
        let activities = self.activities.len() + self.local_activities.len();
        [activities, self.children.len(), self.timers.len()].map(|count| count as u64)
    }
}

/// A run that ends, or goes on as a new one, may do so at any length.
fn check_history(history: History, limits: &Limits) -> Result<(), TaskFailure> {
    for (name, has, limit) in [
        ("history_events", history.events, limits.history_events),
        ("history_bytes", history.bytes, limits.history_bytes),
    ] {
        if has > limit {
            return Err(TaskFailure::new(
                Code::GuestHistoryTooLong,
                format!(
                    "the run's history has {has}, more than {name} = {limit}: continue as new before (Temporal says in time that \
                     it is advisable), or have an operator raise {name} in the plugin's grants"
                ),
            ));
        }
    }
    Ok(())
}

fn ends_or_answers(command: &WorkflowCommand) -> bool {
    matches!(
        command.variant,
        Some(
            Command::CompleteWorkflowExecution(_)
                | Command::FailWorkflowExecution(_)
                | Command::CancelWorkflowExecution(_)
                | Command::ContinueAsNewWorkflowExecution(_)
                | Command::RespondToQuery(_)
        )
    )
}

fn began(start: &ResolveChildWorkflowExecutionStart) -> bool {
    matches!(start.status, Some(ChildStart::Succeeded(_)))
}
