//! What reaches an execution from outside: from a test, and from other executions.

use temporalio_protos::{
    coresdk::{
        workflow_activation::{
            CancelWorkflow, DoUpdate, QueryWorkflow, ResolveRequestCancelExternalWorkflow,
            ResolveSignalExternalWorkflow, SignalWorkflow, workflow_activation_job::Variant as Job,
        },
        workflow_commands::{
            CancelChildWorkflowExecution, RequestCancelExternalWorkflowExecution,
            SignalExternalWorkflowExecution, signal_external_workflow_execution::Target,
            update_response::Response,
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
            WorkflowExecutionSignaledEventAttributes,
            WorkflowExecutionUpdateAcceptedEventAttributes,
            WorkflowExecutionUpdateCompletedEventAttributes, history_event::Attributes,
        },
        update::v1::{Input, Meta, Outcome, Request, outcome::Value},
    },
};

use crate::{
    agenda::{Due, RunKey},
    episode::Asked,
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

    fn update(&mut self, run: RunKey, id: String, name: String, input: Vec<Payload>) {
        let asked = Asked {
            name: name.clone(),
            input: input.clone(),
            accepted: 0,
            is_accepted: false,
        };
        self.runs[run].updates.insert(id.clone(), asked);
        self.runs[run].jobs.push(Job::DoUpdate(DoUpdate {
            id: id.clone(),
            protocol_instance_id: id.clone(),
            name,
            input,
            meta: Some(Meta {
                update_id: id,
                identity: WORKER.to_owned(),
            }),
            run_validator: true,
            ..Default::default()
        }));
        self.task_once_begun(run);
    }

    /// What comes before the first task is told with it.
    fn task_once_begun(&mut self, run: RunKey) {
        let waits = matches!(
            self.runs[run].jobs.first(),
            Some(Job::InitializeWorkflow(_))
        );
        if !waits {
            self.task(run);
        }
    }

    /// Asks a run, open or not.
    pub(crate) fn ask(
        &mut self,
        run: RunKey,
        name: &str,
        input: Vec<Payload>,
    ) -> Result<Payload, Proto> {
        let run = self.last_of(run);
        if matches!(
            self.runs[run].jobs.first(),
            Some(Job::InitializeWorkflow(_))
        ) {
            self.task(run);
        }
        let id = format!("query-{}", self.answers.len() + 1);
        let job = Job::QueryWorkflow(QueryWorkflow {
            query_id: id.clone(),
            query_type: name.to_owned(),
            arguments: input,
            ..Default::default()
        });
        self.put(run, job);
        self.answers.remove(&id).unwrap_or_else(|| {
            Err(Proto {
                message: format!("query {name} was not answered"),
                ..Default::default()
            })
        })
    }

    /// The workflow answers an update.
    pub(crate) fn answer_update(
        &mut self,
        run: RunKey,
        id: String,
        response: Option<Response>,
        completed: i64,
    ) {
        let Some(asked) = self.runs[run].updates.get(&id) else {
            return;
        };
        let meta = Some(Meta {
            update_id: id.clone(),
            identity: WORKER.to_owned(),
        });
        let outcome = match response {
            Some(Response::Accepted(())) => {
                let event = WorkflowExecutionUpdateAcceptedEventAttributes {
                    protocol_instance_id: id.clone(),
                    accepted_request_message_id: format!("{id}/request"),
                    accepted_request_sequencing_event_id: completed - 2,
                    accepted_request: Some(Request {
                        meta,
                        input: Some(Input {
                            name: asked.name.clone(),
                            args: payload::payloads(asked.input.clone()),
                            ..Default::default()
                        }),
                        ..Default::default()
                    }),
                };
                let accepted = self.event(
                    run,
                    Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(event),
                );
                if let Some(asked) = self.runs[run].updates.get_mut(&id) {
                    asked.accepted = accepted;
                }
                return;
            }
            Some(Response::Completed(result)) => Ok(result),
            Some(Response::Rejected(failure)) => Err(failure),
            None => return,
        };
        let value = match outcome.clone() {
            Ok(result) => Value::Success(payload::payloads(vec![result]).unwrap_or_default()),
            Err(failure) => Value::Failure(failure),
        };
        let event = WorkflowExecutionUpdateCompletedEventAttributes {
            meta,
            accepted_event_id: asked.accepted,
            outcome: Some(Outcome { value: Some(value) }),
        };
        self.event(
            run,
            Attributes::WorkflowExecutionUpdateCompletedEventAttributes(event),
        );
        self.runs[run].updates.remove(&id);
        self.updates.insert(id, outcome);
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
