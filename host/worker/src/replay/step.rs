//! What a workflow does that is compared one by one: an event of a history, or the command that leads to it.
//!
//! Cancellations, markers, answers and upserts are left to Core's own check: what a server makes of them depends on
//! what else happens in the same task. What is compared here has one event for each command, in the same order.

use std::fmt;

use temporalio_protos::{
    coresdk::workflow_commands::{WorkflowCommand, workflow_command::Variant as Command},
    temporal::api::{
        enums::v1::EventType,
        history::v1::{HistoryEvent, history_event::Attributes},
    },
};

use crate::gateway::spelled;

/// One step, in the words of the event that it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    kind: EventType,
    /// The type of the activity or child, where it is one.
    name: Option<String>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&spelled(self.kind))?;
        match &self.name {
            Some(name) => write!(f, " {name}"),
            None => Ok(()),
        }
    }
}

impl Step {
    fn plain(kind: EventType) -> Self {
        Self { kind, name: None }
    }

    fn named(kind: EventType, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: Some(name.into()),
        }
    }

    /// The step that `event` stands for; none if it is not compared.
    pub(super) fn of_event(event: &HistoryEvent) -> Option<Self> {
        let kind = event.event_type();
        match (kind, event.attributes.as_ref()) {
            (_, Some(Attributes::ActivityTaskScheduledEventAttributes(it))) => Some(Self::named(
                kind,
                it.activity_type.as_ref().map_or("", |it| it.name.as_str()),
            )),
            (_, Some(Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(it))) => {
                let name = it.workflow_type.as_ref().map_or("", |it| it.name.as_str());
                Some(Self::named(kind, name))
            }
            (
                EventType::TimerStarted
                | EventType::SignalExternalWorkflowExecutionInitiated
                | EventType::WorkflowExecutionCompleted
                | EventType::WorkflowExecutionFailed
                | EventType::WorkflowExecutionCanceled
                | EventType::WorkflowExecutionContinuedAsNew,
                _,
            ) => Some(Self::plain(kind)),
            _ => None,
        }
    }
}

/// What a command is known by until it is sent: one that is cancelled before is never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Activity(u32),
    Timer(u32),
    Child(u32),
    Signal(u32),
    End,
}

/// The steps of one task, as its commands come in.
#[derive(Debug, Default)]
pub(super) struct Emitted(Vec<(Key, Step)>);

impl Emitted {
    /// Takes in `command`.
    pub(super) fn take(&mut self, command: &WorkflowCommand) {
        let Some(command) = &command.variant else {
            return;
        };
        match command {
            Command::ScheduleActivity(it) => self.push(
                Key::Activity(it.seq),
                Step::named(EventType::ActivityTaskScheduled, &it.activity_type),
            ),
            Command::StartTimer(it) => {
                self.push(Key::Timer(it.seq), Step::plain(EventType::TimerStarted));
            }
            Command::StartChildWorkflowExecution(it) => self.push(
                Key::Child(it.seq),
                Step::named(
                    EventType::StartChildWorkflowExecutionInitiated,
                    &it.workflow_type,
                ),
            ),
            Command::SignalExternalWorkflowExecution(it) => self.push(
                Key::Signal(it.seq),
                Step::plain(EventType::SignalExternalWorkflowExecutionInitiated),
            ),
            Command::RequestCancelActivity(it) => self.drop_unsent(Key::Activity(it.seq)),
            Command::CancelTimer(it) => self.drop_unsent(Key::Timer(it.seq)),
            Command::CancelChildWorkflowExecution(it) => {
                self.drop_unsent(Key::Child(it.child_workflow_seq));
            }
            Command::CancelSignalWorkflow(it) => self.drop_unsent(Key::Signal(it.seq)),
            Command::CompleteWorkflowExecution(_) => {
                self.end(EventType::WorkflowExecutionCompleted);
            }
            Command::FailWorkflowExecution(_) => self.end(EventType::WorkflowExecutionFailed),
            Command::CancelWorkflowExecution(_) => self.end(EventType::WorkflowExecutionCanceled),
            Command::ContinueAsNewWorkflowExecution(_) => {
                self.end(EventType::WorkflowExecutionContinuedAsNew);
            }
            _ => {}
        }
    }

    fn push(&mut self, key: Key, step: Step) {
        self.0.push((key, step));
    }

    fn end(&mut self, kind: EventType) {
        self.push(Key::End, Step::plain(kind));
    }

    fn drop_unsent(&mut self, key: Key) {
        self.0.retain(|(of, _)| *of != key);
    }

    /// The steps, in the order in which they are sent.
    pub(super) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.0.iter().map(|(_, step)| step)
    }

    /// Forgets them: the next task begins.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
