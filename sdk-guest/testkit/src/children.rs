//! Child workflows: started for real or mocked, cancelled, ended.

use temporalio_protos::{
    coresdk::{
        child_workflow::{
            Cancellation, ChildWorkflowCancellationType, ChildWorkflowResult,
            Failure as ChildFailed, StartChildWorkflowExecutionFailedCause, Success,
            child_workflow_result::Status,
        },
        workflow_activation::{
            ResolveChildWorkflowExecution, ResolveChildWorkflowExecutionStart,
            ResolveChildWorkflowExecutionStartCancelled, ResolveChildWorkflowExecutionStartFailure,
            ResolveChildWorkflowExecutionStartSuccess,
            resolve_child_workflow_execution_start::Status as Started,
            workflow_activation_job::Variant as Job,
        },
        workflow_commands::{
            CancelChildWorkflowExecution, StartChildWorkflowExecution,
            workflow_command::Variant as Command,
        },
    },
    temporal::api::{
        common::v1::{WorkflowExecution, WorkflowType},
        enums::v1::WorkflowIdReusePolicy,
        history::v1::{
            ChildWorkflowExecutionStartedEventAttributes,
            StartChildWorkflowExecutionFailedEventAttributes,
            StartChildWorkflowExecutionInitiatedEventAttributes,
            WorkflowExecutionStartedEventAttributes, history_event::Attributes,
        },
    },
};

use crate::{
    agenda::{Due, RunKey},
    command::{Held, header, memo},
    episode::{Child, End, Parent},
    failure,
    fault::FaultKind,
    journal::StepKind,
    payload,
    task::Task,
    world::{NAMESPACE, Start, World, queue},
};

impl World {
    /// A run asks for a child.
    pub(crate) fn initiate_child(
        &mut self,
        run: RunKey,
        order: Box<StartChildWorkflowExecution>,
        completed: i64,
    ) {
        let event = StartChildWorkflowExecutionInitiatedEventAttributes {
            namespace: NAMESPACE.to_owned(),
            workflow_id: order.workflow_id.clone(),
            workflow_type: workflow_type(&order),
            task_queue: queue(),
            input: payload::payloads(order.input.clone()),
            workflow_execution_timeout: order.workflow_execution_timeout,
            workflow_run_timeout: order.workflow_run_timeout,
            workflow_task_timeout: order.workflow_task_timeout,
            parent_close_policy: order.parent_close_policy,
            workflow_task_completed_event_id: completed,
            workflow_id_reuse_policy: order.workflow_id_reuse_policy,
            retry_policy: order.retry_policy.clone(),
            cron_schedule: order.cron_schedule.clone(),
            header: header(order.headers.clone()),
            memo: memo(order.memo.clone()),
            search_attributes: order.search_attributes.clone(),
            priority: order.priority.clone(),
            ..Default::default()
        };
        let initiated = self.event(
            run,
            Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(event),
        );
        let name = self.setup.short(&order.workflow_type).to_owned();
        let input = payload::json(order.input.first());
        let workflow_id = self.workflow_id(run);
        let step = self
            .journal
            .begin(StepKind::Child, &name, workflow_id, input, self.now);
        let seq = order.seq;
        let child = Child {
            execution: WorkflowExecution {
                workflow_id: order.workflow_id.clone(),
                run_id: String::new(),
            },
            order,
            initiated,
            started: 0,
            run: None,
            is_told: false,
            step,
        };
        self.runs[run].children.insert(seq, child);
        self.agenda.plan(self.now, Due::Child(run, seq));
    }

    /// A child is started, for real or mocked.
    #[allow(
        deprecated,
        reason = "Temporal takes the old policy, and workflows may have it"
    )]
    pub(crate) fn start_child(&mut self, run: RunKey, seq: u32) {
        if !self.runs[run].is_open() {
            return;
        }
        let Some(child) = self.runs[run].children.get(&seq) else {
            return;
        };
        let (order, step) = (child.order.clone(), child.step);
        if let Some(open) = self.open_run(&order.workflow_id) {
            if order.workflow_id_reuse_policy() == WorkflowIdReusePolicy::TerminateIfRunning {
                self.close(open, End::Terminated);
            } else {
                return self.refuse_child(run, seq);
            }
        }
        self.disturb(run, step);
        let mut faults = self.setup.faults.iter();
        let fails = faults.any(|it| it.step == step && it.kind == FaultKind::FailsFinally);
        let mock = self.setup.child_mocks.get(&order.workflow_type);
        if fails || mock.is_some() {
            return self.mock_child(run, seq, &order, fails);
        }
        let type_name = order
            .workflow_type
            .parse()
            .unwrap_or_else(|error| panic!("{:?} is no type: {error}", order.workflow_type));
        let parent = self.runs[run].execution();
        let attributes = WorkflowExecutionStartedEventAttributes {
            parent_workflow_namespace: NAMESPACE.to_owned(),
            parent_workflow_execution: Some(parent.clone()),
            parent_initiated_event_id: self.runs[run].children[&seq].initiated,
            root_workflow_execution: self.runs[run]
                .started
                .root_workflow_execution
                .clone()
                .or(Some(parent)),
            workflow_execution_timeout: order.workflow_execution_timeout,
            workflow_run_timeout: order.workflow_run_timeout,
            retry_policy: order.retry_policy.clone(),
            memo: memo(order.memo.clone()),
            search_attributes: order.search_attributes.clone(),
            header: header(order.headers.clone()),
            ..Default::default()
        };
        let key = self.start(Start {
            type_name,
            temporal_id: order.workflow_id.clone(),
            input: order.input.clone(),
            attributes: Box::new(attributes),
            parent: Some(Parent { run, seq }),
            backoff: std::time::Duration::ZERO,
        });
        let execution = self.runs[key].execution();
        self.child_started(run, seq, execution, Some(key));
    }

    pub(crate) fn child_started(
        &mut self,
        run: RunKey,
        seq: u32,
        execution: WorkflowExecution,
        key: Option<RunKey>,
    ) {
        let Some(child) = self.runs[run].children.get_mut(&seq) else {
            return;
        };
        child.run = key;
        child.execution = execution.clone();
        let event = ChildWorkflowExecutionStartedEventAttributes {
            namespace: NAMESPACE.to_owned(),
            initiated_event_id: child.initiated,
            workflow_execution: Some(execution.clone()),
            workflow_type: workflow_type(&child.order),
            header: header(child.order.headers.clone()),
            ..Default::default()
        };
        let is_told = child.is_told;
        let started = self.event(
            run,
            Attributes::ChildWorkflowExecutionStartedEventAttributes(event),
        );
        if let Some(child) = self.runs[run].children.get_mut(&seq) {
            child.started = started;
        }
        if !is_told {
            let success = ResolveChildWorkflowExecutionStartSuccess {
                run_id: execution.run_id,
            };
            self.runs[run]
                .jobs
                .push(begun(seq, Started::Succeeded(success)));
        }
        self.task(run);
    }

    fn refuse_child(&mut self, run: RunKey, seq: u32) {
        let Some(child) = self.runs[run].children.remove(&seq) else {
            return;
        };
        let order = child.order;
        let event = StartChildWorkflowExecutionFailedEventAttributes {
            namespace: NAMESPACE.to_owned(),
            workflow_id: order.workflow_id.clone(),
            workflow_type: workflow_type(&order),
            cause: StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists.into(),
            initiated_event_id: child.initiated,
            ..Default::default()
        };
        self.event(
            run,
            Attributes::StartChildWorkflowExecutionFailedEventAttributes(event),
        );
        if !child.is_told {
            let failed = ResolveChildWorkflowExecutionStartFailure {
                workflow_id: order.workflow_id,
                workflow_type: order.workflow_type,
                cause: StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists.into(),
            };
            self.runs[run]
                .jobs
                .push(begun(seq, Started::Failed(failed)));
        }
        self.task(run);
        self.step_ended(child.step);
    }

    /// The run gives a child up, by the kind of cancellation that it asked for when it began it.
    pub(crate) fn give_up_child(
        &mut self,
        run: RunKey,
        cancel: CancelChildWorkflowExecution,
        task: &mut Task,
    ) {
        let seq = cancel.child_workflow_seq;
        let is_start = |held: &Held| matches!(held, Held::Command(Command::StartChildWorkflowExecution(it), _) if it.seq == seq);
        let unsent = task.held.iter().find_map(|held| match held {
            Held::Command(Command::StartChildWorkflowExecution(it), _) if it.seq == seq => {
                Some(it.clone())
            }
            _ => None,
        });
        if let Some(order) = unsent {
            task.forget(is_start);
            let execution = WorkflowExecution {
                workflow_id: order.workflow_id,
                run_id: String::new(),
            };
            let message = format!(
                "Child Workflow Execution cancelled before scheduled: {}",
                cancel.reason
            );
            let cause = failure::canceled("", None);
            let told = failure::of_child(&message, execution, &order.workflow_type, cause);
            let cancelled = ResolveChildWorkflowExecutionStartCancelled {
                failure: Some(told),
            };
            task.next.push(begun(seq, Started::Cancelled(cancelled)));
            return;
        }
        let Some(child) = self.runs[run].children.get_mut(&seq) else {
            return;
        };
        let how = child.order.cancellation_type();
        if how != ChildWorkflowCancellationType::Abandon {
            task.held.push(Held::Command(
                Command::CancelChildWorkflowExecution(cancel),
                None,
            ));
        }
        let at_once = matches!(
            how,
            ChildWorkflowCancellationType::Abandon | ChildWorkflowCancellationType::TryCancel
        );
        if at_once && !child.is_told {
            child.is_told = true;
            task.next.push(ended(seq, cancelled(child)));
        }
    }

    /// Tells a parent how its child ended.
    pub(crate) fn child_ended(&mut self, run: RunKey, seq: u32, end: &End) {
        if !self.runs[run].is_open() {
            return;
        }
        let Some(child) = self.runs[run].children.remove(&seq) else {
            return;
        };
        let attributes = crate::close::child_event(&child, end);
        self.event(run, attributes);
        let wrapped = |message: &str, cause| {
            let execution = child.execution.clone();
            failure::of_child(message, execution, &child.order.workflow_type, cause)
        };
        let failed = |message: &str, cause| {
            Status::Failed(ChildFailed {
                failure: Some(wrapped(message, cause)),
            })
        };
        let status = match end {
            End::Completed(result) => Status::Completed(Success {
                result: result.clone(),
            }),
            End::Cancelled(_) => cancelled(&child),
            End::Failed(cause) => failed("Child Workflow execution failed", (**cause).clone()),
            End::Terminated => failed("Child Workflow execution terminated", failure::terminated()),
            End::TimedOut => failed("Child Workflow execution timed out", failure::run_timeout()),
            End::ContinuedAsNew(_) | End::Stuck { .. } => return,
        };
        if !child.is_told {
            self.runs[run].jobs.push(ended(seq, status));
        }
        self.task(run);
        self.step_ended(child.step);
    }
}

fn cancelled(child: &Child) -> Status {
    let told = failure::of_child(
        "Child Workflow execution cancelled",
        child.execution.clone(),
        &child.order.workflow_type,
        failure::canceled("", None),
    );
    Status::Cancelled(Cancellation {
        failure: Some(told),
    })
}

fn begun(seq: u32, status: Started) -> Job {
    Job::ResolveChildWorkflowExecutionStart(ResolveChildWorkflowExecutionStart {
        seq,
        status: Some(status),
    })
}

fn ended(seq: u32, status: Status) -> Job {
    Job::ResolveChildWorkflowExecution(ResolveChildWorkflowExecution {
        seq,
        result: Some(ChildWorkflowResult {
            status: Some(status),
        }),
    })
}

pub(crate) fn workflow_type(order: &StartChildWorkflowExecution) -> Option<WorkflowType> {
    Some(WorkflowType {
        name: order.workflow_type.clone(),
    })
}
