//! How runs end, and who is told.

use std::time::Duration;

use temporalio_protos::{
    coresdk::{
        child_workflow::ParentClosePolicy,
        workflow_commands::{ContinueAsNewWorkflowExecution, workflow_command::Variant as Command},
    },
    temporal::api::{
        common::v1::WorkflowType,
        enums::v1::{ContinueAsNewInitiator, RetryState},
        failure::v1::Failure,
        history::v1::{
            ChildWorkflowExecutionCanceledEventAttributes,
            ChildWorkflowExecutionCompletedEventAttributes,
            ChildWorkflowExecutionFailedEventAttributes,
            ChildWorkflowExecutionTerminatedEventAttributes,
            ChildWorkflowExecutionTimedOutEventAttributes,
            WorkflowExecutionCanceledEventAttributes, WorkflowExecutionCompletedEventAttributes,
            WorkflowExecutionContinuedAsNewEventAttributes, WorkflowExecutionFailedEventAttributes,
            WorkflowExecutionStartedEventAttributes, WorkflowExecutionTerminatedEventAttributes,
            WorkflowExecutionTimedOutEventAttributes, history_event::Attributes,
        },
    },
};

use crate::{
    agenda::{Due, RunKey},
    children::workflow_type,
    command::{header, memo},
    episode::{Child, End},
    message::Message,
    payload, retry,
    world::{NAMESPACE, Start, World, queue},
};

impl World {
    /// Ends a run as its last command says.
    pub(crate) fn close_by(&mut self, run: RunKey, command: Command, completed: i64) {
        match command {
            Command::CompleteWorkflowExecution(it) => {
                let event = WorkflowExecutionCompletedEventAttributes {
                    result: payload::payloads(it.result.iter().cloned().collect()),
                    workflow_task_completed_event_id: completed,
                    ..Default::default()
                };
                self.event(
                    run,
                    Attributes::WorkflowExecutionCompletedEventAttributes(event),
                );
                self.close(run, End::Completed(it.result));
            }
            Command::FailWorkflowExecution(it) => {
                self.close_failed(run, it.failure.unwrap_or_default(), completed);
            }
            Command::CancelWorkflowExecution(it) => {
                let event = WorkflowExecutionCanceledEventAttributes {
                    workflow_task_completed_event_id: completed,
                    details: it.details.clone(),
                };
                self.event(
                    run,
                    Attributes::WorkflowExecutionCanceledEventAttributes(event),
                );
                self.close(run, End::Cancelled(it.details));
            }
            Command::ContinueAsNewWorkflowExecution(it) => self.continue_as_new(run, it, completed),
            // All others are taken before.
            _ => {}
        }
    }

    fn close_failed(&mut self, run: RunKey, failure: Failure, completed: i64) {
        let started = &self.runs[run].started;
        let policy = started.retry_policy.clone();
        let attempt = u32::try_from(started.attempt).unwrap_or(1);
        let next = match &policy {
            None => Err(RetryState::RetryPolicyNotSet),
            Some(_) => retry::Failed {
                policy: policy.as_ref(),
                failure: &failure,
                attempt,
                left: self.runs[run]
                    .expires
                    .map(|expires| expires.saturating_sub(self.now)),
            }
            .next(),
        };
        let (state, again) = match next {
            Ok(pause) => (RetryState::InProgress, Some(pause)),
            Err(state) => (state, None),
        };
        let event = WorkflowExecutionFailedEventAttributes {
            failure: Some(failure.clone()),
            retry_state: state.into(),
            workflow_task_completed_event_id: completed,
            ..Default::default()
        };
        self.event(
            run,
            Attributes::WorkflowExecutionFailedEventAttributes(event),
        );
        let Some(pause) = again else {
            return self.close(run, End::Failed(Box::new(failure)));
        };
        let started = &self.runs[run].started;
        let attributes = WorkflowExecutionStartedEventAttributes {
            attempt: started.attempt + 1,
            initiator: ContinueAsNewInitiator::Retry.into(),
            continued_failure: Some(failure),
            ..(**started).clone()
        };
        let input = started.input.clone().unwrap_or_default().payloads;
        let type_name = self.runs[run].type_name.clone();
        self.follow(run, attributes, type_name, input, pause);
    }

    fn continue_as_new(
        &mut self,
        run: RunKey,
        order: ContinueAsNewWorkflowExecution,
        completed: i64,
    ) {
        let backoff = payload::span(order.backoff_start_interval).unwrap_or_default();
        let started = &self.runs[run].started;
        let type_name = order
            .workflow_type
            .parse()
            .unwrap_or_else(|error| panic!("{:?} is no type: {error}", order.workflow_type));
        let attributes = WorkflowExecutionStartedEventAttributes {
            attempt: 1,
            initiator: ContinueAsNewInitiator::Workflow.into(),
            header: header(order.headers.clone()).or(started.header.clone()),
            memo: memo(order.memo.clone()).or(started.memo.clone()),
            search_attributes: order
                .search_attributes
                .clone()
                .or(started.search_attributes.clone()),
            workflow_run_timeout: order.workflow_run_timeout.or(started.workflow_run_timeout),
            retry_policy: order.retry_policy.clone().or(started.retry_policy.clone()),
            ..(**started).clone()
        };
        let event = WorkflowExecutionContinuedAsNewEventAttributes {
            new_execution_run_id: self.next_run_id(),
            workflow_type: Some(WorkflowType {
                name: order.workflow_type.clone(),
            }),
            task_queue: queue(),
            input: payload::payloads(order.arguments.clone()),
            workflow_run_timeout: order.workflow_run_timeout,
            workflow_task_timeout: order.workflow_task_timeout,
            workflow_task_completed_event_id: completed,
            backoff_start_interval: order.backoff_start_interval,
            initiator: ContinueAsNewInitiator::Workflow.into(),
            header: header(order.headers.clone()),
            memo: memo(order.memo.clone()),
            search_attributes: order.search_attributes.clone(),
            ..Default::default()
        };
        self.event(
            run,
            Attributes::WorkflowExecutionContinuedAsNewEventAttributes(event),
        );
        self.follow(run, attributes, type_name, order.arguments, backoff);
    }

    /// Starts the run that follows `run` in its execution.
    fn follow(
        &mut self,
        run: RunKey,
        mut attributes: WorkflowExecutionStartedEventAttributes,
        type_name: tenterhook_domain::TypeName,
        input: Vec<temporalio_protos::temporal::api::common::v1::Payload>,
        backoff: Duration,
    ) {
        let execution = self.runs[run].execution();
        let (parent, expires) = (self.runs[run].parent, self.runs[run].expires);
        attributes.continued_execution_run_id = execution.run_id;
        self.runs[run].end = Some(End::ContinuedAsNew(self.runs.len()));
        let key = self.start(Start {
            type_name,
            temporal_id: execution.workflow_id,
            input,
            attributes: Box::new(attributes),
            parent,
            backoff,
        });
        // The whole chain has one time.
        self.runs[key].expires = expires;
        if let Some(expires) = expires {
            self.agenda.plan(expires, Due::RunLate(key));
        }
        if let Some(parent) = parent
            && let Some(child) = self.runs[parent.run].children.get_mut(&parent.seq)
        {
            child.run = Some(key);
        }
        // Children go on: their parent is the execution.
        let children = std::mem::take(&mut self.runs[run].children);
        for child in children.into_values() {
            self.parent_closed(&child);
        }
    }

    /// A run is over its time.
    pub(crate) fn run_late(&mut self, run: RunKey) {
        if !self.runs[run].is_open() {
            return;
        }
        let event = WorkflowExecutionTimedOutEventAttributes {
            retry_state: RetryState::Timeout.into(),
            ..Default::default()
        };
        self.event(
            run,
            Attributes::WorkflowExecutionTimedOutEventAttributes(event),
        );
        self.close(run, End::TimedOut);
    }

    pub(crate) fn terminate(&mut self, run: RunKey) {
        let event = WorkflowExecutionTerminatedEventAttributes {
            reason: "terminated by the test".to_owned(),
            ..Default::default()
        };
        self.event(
            run,
            Attributes::WorkflowExecutionTerminatedEventAttributes(event),
        );
        self.close(run, End::Terminated);
    }

    /// Ends a run: its parent is told, and its children have what they were begun with for that case.
    pub(crate) fn close(&mut self, run: RunKey, end: End) {
        self.runs[run].end = Some(end.clone());
        self.runs[run].activities.clear();
        self.runs[run].timers.clear();
        let children = std::mem::take(&mut self.runs[run].children);
        for child in children.into_values() {
            self.parent_closed(&child);
        }
        if let Some(parent) = self.runs[run].parent {
            let due = Due::ChildEnd(parent.run, parent.seq, Box::new(end));
            self.agenda.plan(self.now, due);
        }
    }

    fn parent_closed(&mut self, child: &Child) {
        let Some(run) = child.run.map(|run| self.last_of(run)) else {
            return;
        };
        if !self.runs[run].is_open() {
            return;
        }
        match child.order.parent_close_policy() {
            ParentClosePolicy::Abandon => {}
            ParentClosePolicy::RequestCancel => {
                self.agenda.plan(self.now, Due::Say(run, Message::cancel()));
            }
            ParentClosePolicy::Terminate | ParentClosePolicy::Unspecified => {
                self.agenda
                    .plan(self.now, Due::Say(run, Message::terminate()));
            }
        }
    }
}

/// The event by which a parent's history says how its child ended.
pub(crate) fn child_event(child: &Child, end: &End) -> Attributes {
    let workflow_execution = Some(child.execution.clone());
    let workflow_type = workflow_type(&child.order);
    let (initiated_event_id, started_event_id) = (child.initiated, child.started);
    let namespace = NAMESPACE.to_owned();
    match end {
        End::Completed(result) => Attributes::ChildWorkflowExecutionCompletedEventAttributes(
            ChildWorkflowExecutionCompletedEventAttributes {
                result: payload::payloads(result.iter().cloned().collect()),
                namespace,
                workflow_execution,
                workflow_type,
                initiated_event_id,
                started_event_id,
                ..Default::default()
            },
        ),
        End::Cancelled(details) => Attributes::ChildWorkflowExecutionCanceledEventAttributes(
            ChildWorkflowExecutionCanceledEventAttributes {
                details: details.clone(),
                namespace,
                workflow_execution,
                workflow_type,
                initiated_event_id,
                started_event_id,
                ..Default::default()
            },
        ),
        End::TimedOut => Attributes::ChildWorkflowExecutionTimedOutEventAttributes(
            ChildWorkflowExecutionTimedOutEventAttributes {
                namespace,
                workflow_execution,
                workflow_type,
                initiated_event_id,
                started_event_id,
                ..Default::default()
            },
        ),
        End::Failed(failure) => Attributes::ChildWorkflowExecutionFailedEventAttributes(
            ChildWorkflowExecutionFailedEventAttributes {
                failure: Some((**failure).clone()),
                namespace,
                workflow_execution,
                workflow_type,
                initiated_event_id,
                started_event_id,
                ..Default::default()
            },
        ),
        End::Terminated | End::ContinuedAsNew(_) | End::Stuck { .. } => {
            Attributes::ChildWorkflowExecutionTerminatedEventAttributes(
                ChildWorkflowExecutionTerminatedEventAttributes {
                    namespace,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                    ..Default::default()
                },
            )
        }
    }
}
