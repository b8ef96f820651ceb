//! What reaches an execution from outside: from a test, and from other executions. Updates and queries stand in
//! `asking.rs`.

use temporalio_protos::{
    coresdk::{
        workflow_activation::{
            CancelWorkflow, ResolveRequestCancelExternalWorkflow, ResolveSignalExternalWorkflow,
            SignalWorkflow, workflow_activation_job::Variant as Job,
        },
        workflow_commands::{
            CancelChildWorkflowExecution, RequestCancelExternalWorkflowExecution,
            SignalExternalWorkflowExecution, signal_external_workflow_execution::Target,
        },
    },
    temporal::api::{
        common::v1::{Payload, WorkflowExecution},
        enums::v1::{
            CancelExternalWorkflowExecutionFailedCause, SignalExternalWorkflowExecutionFailedCause,
        },
        failure::v1::Failure as Proto,
        history::v1::{
            ExternalWorkflowExecutionCancelRequestedEventAttributes,
            ExternalWorkflowExecutionSignaledEventAttributes,
            RequestCancelExternalWorkflowExecutionFailedEventAttributes,
            RequestCancelExternalWorkflowExecutionInitiatedEventAttributes,
            SignalExternalWorkflowExecutionFailedEventAttributes,
            WorkflowExecutionCancelRequestedEventAttributes,
            WorkflowExecutionSignaledEventAttributes, history_event::Attributes,
        },
    },
};

use crate::{
    agenda::{Due, RunKey},
    message::{Kind, Message},
    payload,
    world::{NAMESPACE, WORKER, World},
};

impl World {
    /// Says `message` to the execution of which `run` is a run, if it is open.
    pub(crate) fn say(&mut self, run: RunKey, message: Message) {
        let run = self.last_of(run);
        if !self.runs[run].is_open() {
            return;
        }
        match message.0 {
            Kind::Signal { name, input } => self.signal(run, name, input),
            Kind::Update { id, name, input } => self.update(run, id, name, input),
            Kind::Cancel => self.cancel(run, "asked by the test".to_owned()),
            Kind::Terminate => self.terminate(run),
            Kind::Crash => self.runs[run].is_lost = true,
        }
    }

    fn signal(&mut self, run: RunKey, name: String, input: Vec<Payload>) {
        let event = WorkflowExecutionSignaledEventAttributes {
            signal_name: name.clone(),
            input: payload::payloads(input.clone()),
            identity: WORKER.to_owned(),
            ..Default::default()
        };
        self.event(
            run,
            Attributes::WorkflowExecutionSignaledEventAttributes(event),
        );
        self.runs[run]
            .jobs
            .push(Job::SignalWorkflow(SignalWorkflow {
                signal_name: name,
                input,
                identity: WORKER.to_owned(),
                ..Default::default()
            }));
        self.task_once_begun(run);
    }

    fn cancel(&mut self, run: RunKey, cause: String) {
        let event = WorkflowExecutionCancelRequestedEventAttributes {
            cause: cause.clone(),
            identity: WORKER.to_owned(),
            ..Default::default()
        };
        self.event(
            run,
            Attributes::WorkflowExecutionCancelRequestedEventAttributes(event),
        );
        let job = Job::CancelWorkflow(CancelWorkflow { reason: cause });
        self.runs[run].jobs.push(job);
        self.task_once_begun(run);
    }

    /// What comes before the first task is told with it.
    pub(crate) fn task_once_begun(&mut self, run: RunKey) {
        let waits = matches!(
            self.runs[run].jobs.first(),
            Some(Job::InitializeWorkflow(_))
        );
        if !waits {
            self.task(run);
        }
    }

    /// An execution's signal to another arrives, or finds nobody.
    pub(crate) fn signal_other(
        &mut self,
        run: RunKey,
        initiated: i64,
        signal: &SignalExternalWorkflowExecution,
    ) {
        if !self.runs[run].is_open() {
            return;
        }
        let id = match &signal.target {
            Some(Target::WorkflowExecution(target)) => target.workflow_id.clone(),
            Some(Target::ChildWorkflowId(id)) => id.clone(),
            None => return,
        };
        let execution = Some(WorkflowExecution {
            workflow_id: id.clone(),
            run_id: String::new(),
        });
        let open = self.open_run(&id);
        let mocked = self.is_mocked_child(run, &id);
        let (attributes, failure) = if open.is_some() || mocked {
            let event = ExternalWorkflowExecutionSignaledEventAttributes {
                initiated_event_id: initiated,
                namespace: NAMESPACE.to_owned(),
                workflow_execution: execution,
                ..Default::default()
            };
            (
                Attributes::ExternalWorkflowExecutionSignaledEventAttributes(event),
                None,
            )
        } else {
            let event = SignalExternalWorkflowExecutionFailedEventAttributes {
                cause:
                    SignalExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound
                        .into(),
                namespace: NAMESPACE.to_owned(),
                workflow_execution: execution,
                initiated_event_id: initiated,
                ..Default::default()
            };
            let message = "Unable to signal external workflow because it was not found";
            (
                Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(event),
                Some(Proto {
                    message: message.to_owned(),
                    ..Default::default()
                }),
            )
        };
        self.event(run, attributes);
        let job = ResolveSignalExternalWorkflow {
            seq: signal.seq,
            failure,
            ..Default::default()
        };
        self.runs[run]
            .jobs
            .push(Job::ResolveSignalExternalWorkflow(job));
        if let Some(open) = open {
            let message = Message(Kind::Signal {
                name: signal.signal_name.clone(),
                input: signal.args.clone(),
            });
            self.agenda.plan(self.now, Due::Say(open, message));
        }
        self.task(run);
    }

    /// An execution's request to cancel another arrives, or finds nobody.
    pub(crate) fn cancel_other(
        &mut self,
        run: RunKey,
        initiated: i64,
        cancel: &RequestCancelExternalWorkflowExecution,
    ) {
        if !self.runs[run].is_open() {
            return;
        }
        let id = cancel
            .workflow_execution
            .clone()
            .unwrap_or_default()
            .workflow_id;
        let execution = Some(WorkflowExecution {
            workflow_id: id.clone(),
            run_id: String::new(),
        });
        let open = self.open_run(&id);
        let failure = if let Some(open) = open {
            self.cancel_requested(run, initiated, execution);
            self.agenda
                .plan(self.now, Due::Say(open, Message::cancel()));
            None
        } else {
            let event = RequestCancelExternalWorkflowExecutionFailedEventAttributes {
                cause:
                    CancelExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound
                        .into(),
                namespace: NAMESPACE.to_owned(),
                workflow_execution: execution,
                initiated_event_id: initiated,
                ..Default::default()
            };
            self.event(
                run,
                Attributes::RequestCancelExternalWorkflowExecutionFailedEventAttributes(event),
            );
            let message = "Unable to cancel external workflow because it was not found";
            Some(Proto {
                message: message.to_owned(),
                ..Default::default()
            })
        };
        let job = ResolveRequestCancelExternalWorkflow {
            seq: cancel.seq,
            failure,
            ..Default::default()
        };
        self.runs[run]
            .jobs
            .push(Job::ResolveRequestCancelExternalWorkflow(job));
        self.task(run);
    }

    fn cancel_requested(
        &mut self,
        run: RunKey,
        initiated: i64,
        workflow_execution: Option<WorkflowExecution>,
    ) {
        let event = ExternalWorkflowExecutionCancelRequestedEventAttributes {
            initiated_event_id: initiated,
            namespace: NAMESPACE.to_owned(),
            workflow_execution,
            ..Default::default()
        };
        self.event(
            run,
            Attributes::ExternalWorkflowExecutionCancelRequestedEventAttributes(event),
        );
    }

    /// A run asks for the end of its child.
    pub(crate) fn request_child_cancel(
        &mut self,
        run: RunKey,
        cancel: &CancelChildWorkflowExecution,
        completed: i64,
    ) {
        let seq = cancel.child_workflow_seq;
        let Some(child) = self.runs[run].children.get(&seq) else {
            return;
        };
        let event = RequestCancelExternalWorkflowExecutionInitiatedEventAttributes {
            workflow_task_completed_event_id: completed,
            namespace: NAMESPACE.to_owned(),
            workflow_execution: Some(child.execution.clone()),
            child_workflow_only: true,
            reason: cancel.reason.clone(),
            ..Default::default()
        };
        let initiated = self.event(
            run,
            Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(event),
        );
        self.agenda
            .plan(self.now, Due::CancelChild(run, initiated, seq));
    }

    /// A run's request to cancel its child arrives.
    pub(crate) fn cancel_child(&mut self, run: RunKey, initiated: i64, seq: u32) {
        if !self.runs[run].is_open() {
            return;
        }
        let Some(child) = self.runs[run].children.get(&seq) else {
            return;
        };
        let (execution, target) = (child.execution.clone(), child.run);
        self.cancel_requested(run, initiated, Some(execution));
        if let Some(target) = target {
            self.agenda
                .plan(self.now, Due::Say(target, Message::cancel()));
        } else {
            let end = Box::new(crate::episode::End::Cancelled(None));
            self.agenda.plan(self.now, Due::ChildEnd(run, seq, end));
        }
        self.task(run);
    }

    fn is_mocked_child(&self, run: RunKey, temporal_id: &str) -> bool {
        let mut children = self.runs[run].children.values();
        children.any(|child| child.run.is_none() && child.execution.workflow_id == temporal_id)
    }
}
