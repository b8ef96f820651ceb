//! Every kind of command, and how a guest points it at somebody.

use prost::Message as _;
use temporalio_protos::{
    coresdk::{
        common::NamespacedWorkflowExecution,
        workflow_commands::{signal_external_workflow_execution::Target, *},
    },
    temporal::api::{
        common::v1::{Payloads, Priority},
        workflow::v1::VersioningOverride,
    },
};

use super::{Command, Direction, Terminal, as_new, json, rich_failure};

/// The policy for ids that puts a child in the place of what runs under its id. Temporal takes it, and calls it old.
const TERMINATE_IF_RUNNING: i32 = 4;

/// A command as a guest gives it.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "there are few, and not for long")]
pub(super) enum Kind {
    /// By `push-command`.
    Pushed(Command),
    /// By what its main routine ends with.
    Ended(Terminal),
}

impl Kind {
    /// One of each kind, in the order of the contract.
    pub(super) fn all() -> Vec<Self> {
        let mut pushed = vec![Command::StartTimer(StartTimer::default())];
        while let Some(next) = next_command(pushed.last().unwrap()) {
            pushed.push(next);
        }
        let mut ended = vec![Terminal::Completed(json("1").encode_to_vec())];
        while let Some(next) = next_end(ended.last().unwrap()) {
            ended.push(next);
        }
        let pushed = pushed.into_iter().map(Self::Pushed);
        pushed.chain(ended.into_iter().map(Self::Ended)).collect()
    }

    pub(super) fn title(&self) -> String {
        match self {
            Self::Pushed(Command::StartChildWorkflowExecution(it)) if ends_another(it) => {
                "pushed StartChildWorkflowExecution in place of what runs".to_owned()
            }
            Self::Pushed(Command::SignalExternalWorkflowExecution(
                SignalExternalWorkflowExecution {
                    target: Some(Target::ChildWorkflowId(_)),
                    ..
                },
            )) => "pushed SignalExternalWorkflowExecution to a child".to_owned(),
            Self::Pushed(command) => format!("pushed {}", variant(command)),
            Self::Ended(terminal) => format!("ended {}", variant(terminal)),
        }
    }

    /// The command pointed in `direction`, with all that it can say for it; none if it can say nothing of the kind.
    pub(super) fn pointed(&self, direction: Direction) -> Option<Self> {
        match self {
            Self::Pushed(command) => pointed(command, direction).map(Self::Pushed),
            Self::Ended(terminal) => ended(terminal, direction).map(Self::Ended),
        }
    }
}

fn ends_another(it: &StartChildWorkflowExecution) -> bool {
    it.workflow_id_reuse_policy == TERMINATE_IF_RUNNING
}

/// The name of an enum's variant.
fn variant(of: &impl std::fmt::Debug) -> String {
    let text = format!("{of:?}");
    text.split(['(', ' ']).next().unwrap_or_default().to_owned()
}

/// The kind after `kind`. A kind that has no place here does not compile.
fn next_command(kind: &Command) -> Option<Command> {
    Some(match kind {
        Command::StartTimer(_) => Command::ScheduleActivity(Default::default()),
        Command::ScheduleActivity(_) => Command::RespondToQuery(Default::default()),
        Command::RespondToQuery(_) => Command::RequestCancelActivity(Default::default()),
        Command::RequestCancelActivity(_) => Command::CancelTimer(Default::default()),
        Command::CancelTimer(_) => Command::CompleteWorkflowExecution(Default::default()),
        Command::CompleteWorkflowExecution(_) => Command::FailWorkflowExecution(Default::default()),
        Command::FailWorkflowExecution(_) => {
            Command::ContinueAsNewWorkflowExecution(Default::default())
        }
        Command::ContinueAsNewWorkflowExecution(_) => {
            Command::CancelWorkflowExecution(Default::default())
        }
        Command::CancelWorkflowExecution(_) => Command::SetPatchMarker(Default::default()),
        Command::SetPatchMarker(_) => Command::StartChildWorkflowExecution(Default::default()),
        Command::StartChildWorkflowExecution(it) if !ends_another(it) => {
            Command::StartChildWorkflowExecution(StartChildWorkflowExecution {
                workflow_id_reuse_policy: TERMINATE_IF_RUNNING,
                ..Default::default()
            })
        }
        Command::StartChildWorkflowExecution(_) => {
            Command::CancelChildWorkflowExecution(Default::default())
        }
        Command::CancelChildWorkflowExecution(_) => {
            Command::RequestCancelExternalWorkflowExecution(Default::default())
        }
        Command::RequestCancelExternalWorkflowExecution(_) => {
            Command::SignalExternalWorkflowExecution(SignalExternalWorkflowExecution {
                target: Some(Target::WorkflowExecution(Default::default())),
                ..Default::default()
            })
        }
        Command::SignalExternalWorkflowExecution(SignalExternalWorkflowExecution {
            target: Some(Target::WorkflowExecution(_)),
            ..
        }) => Command::SignalExternalWorkflowExecution(SignalExternalWorkflowExecution {
            target: Some(Target::ChildWorkflowId(String::new())),
            ..Default::default()
        }),
        Command::SignalExternalWorkflowExecution(_) => {
            Command::CancelSignalWorkflow(Default::default())
        }
        Command::CancelSignalWorkflow(_) => Command::ScheduleLocalActivity(Default::default()),
        Command::ScheduleLocalActivity(_) => {
            Command::RequestCancelLocalActivity(Default::default())
        }
        Command::RequestCancelLocalActivity(_) => {
            Command::UpsertWorkflowSearchAttributes(Default::default())
        }
        Command::UpsertWorkflowSearchAttributes(_) => {
            Command::ModifyWorkflowProperties(Default::default())
        }
        Command::ModifyWorkflowProperties(_) => Command::UpdateResponse(Default::default()),
        Command::UpdateResponse(_) => Command::ScheduleNexusOperation(Default::default()),
        Command::ScheduleNexusOperation(_) => {
            Command::RequestCancelNexusOperation(Default::default())
        }
        Command::RequestCancelNexusOperation(_) => return None,
    })
}

fn next_end(kind: &Terminal) -> Option<Terminal> {
    Some(match kind {
        Terminal::Completed(_) => Terminal::Failed(rich_failure().encode_to_vec()),
        Terminal::Failed(_) => Terminal::Cancelled(Some(Payloads::default().encode_to_vec())),
        Terminal::Cancelled(_) => as_new(ContinueAsNewWorkflowExecution::default()),
        Terminal::ContinueAsNew(_) => return None,
    })
}

fn pointed(kind: &Command, direction: Direction) -> Option<Command> {
    let type_name = || direction.type_name().to_owned();
    let greedy = Some(Priority {
        priority_key: 1,
        fairness_key: "globex".into(),
        fairness_weight: 1000.0,
    });
    Some(match kind {
        Command::ScheduleActivity(_) => Command::ScheduleActivity(ScheduleActivity {
            activity_type: type_name(),
            task_queue: "elsewhere".into(),
            start_to_close_timeout: Some(Default::default()),
            priority: greedy,
            versioning_intent: 1,
            ..Default::default()
        }),
        Command::ScheduleLocalActivity(_) => {
            Command::ScheduleLocalActivity(ScheduleLocalActivity {
                activity_type: type_name(),
                start_to_close_timeout: Some(Default::default()),
                ..Default::default()
            })
        }
        Command::StartChildWorkflowExecution(it) => {
            Command::StartChildWorkflowExecution(StartChildWorkflowExecution {
                namespace: "elsewhere".into(),
                task_queue: "elsewhere".into(),
                workflow_type: type_name(),
                workflow_id: direction.workflow_id().into(),
                priority: greedy,
                versioning_intent: 1,
                versioning_override: Some(VersioningOverride::default()),
                ..it.clone()
            })
        }
        Command::SignalExternalWorkflowExecution(it) => {
            let target = match it.target.as_ref()? {
                Target::WorkflowExecution(_) => Target::WorkflowExecution(elsewhere(direction)),
                Target::ChildWorkflowId(_) => {
                    Target::ChildWorkflowId(direction.workflow_id().into())
                }
            };
            Command::SignalExternalWorkflowExecution(SignalExternalWorkflowExecution {
                target: Some(target),
                ..Default::default()
            })
        }
        Command::RequestCancelExternalWorkflowExecution(_) => {
            Command::RequestCancelExternalWorkflowExecution(
                RequestCancelExternalWorkflowExecution {
                    workflow_execution: Some(elsewhere(direction)),
                    ..Default::default()
                },
            )
        }
        Command::ScheduleNexusOperation(_) => {
            Command::ScheduleNexusOperation(ScheduleNexusOperation {
                endpoint: direction.workflow_id().into(),
                service: type_name(),
                ..Default::default()
            })
        }
        // These name nothing but what the run itself has begun, by numbers of its own, or its own properties.
        Command::StartTimer(_)
        | Command::CancelTimer(_)
        | Command::RequestCancelActivity(_)
        | Command::RequestCancelLocalActivity(_)
        | Command::CancelChildWorkflowExecution(_)
        | Command::CancelSignalWorkflow(_)
        | Command::RequestCancelNexusOperation(_)
        | Command::UpsertWorkflowSearchAttributes(_)
        | Command::ModifyWorkflowProperties(_)
        | Command::SetPatchMarker(_)
        | Command::RespondToQuery(_)
        | Command::UpdateResponse(_)
        | Command::CompleteWorkflowExecution(_)
        | Command::FailWorkflowExecution(_)
        | Command::CancelWorkflowExecution(_)
            if direction == Direction::Own =>
        {
            kind.clone()
        }
        Command::StartTimer(_)
        | Command::CancelTimer(_)
        | Command::RequestCancelActivity(_)
        | Command::RequestCancelLocalActivity(_)
        | Command::CancelChildWorkflowExecution(_)
        | Command::CancelSignalWorkflow(_)
        | Command::RequestCancelNexusOperation(_)
        | Command::UpsertWorkflowSearchAttributes(_)
        | Command::ModifyWorkflowProperties(_)
        | Command::SetPatchMarker(_)
        | Command::RespondToQuery(_)
        | Command::UpdateResponse(_)
        | Command::CompleteWorkflowExecution(_)
        | Command::FailWorkflowExecution(_)
        | Command::CancelWorkflowExecution(_) => return None,
        Command::ContinueAsNewWorkflowExecution(_) => {
            Command::ContinueAsNewWorkflowExecution(continuation(direction))
        }
    })
}

fn ended(kind: &Terminal, direction: Direction) -> Option<Terminal> {
    match kind {
        Terminal::ContinueAsNew(_) => Some(as_new(continuation(direction))),
        Terminal::Completed(_) | Terminal::Failed(_) | Terminal::Cancelled(_) => {
            (direction == Direction::Own).then(|| kind.clone())
        }
    }
}

fn continuation(direction: Direction) -> ContinueAsNewWorkflowExecution {
    ContinueAsNewWorkflowExecution {
        workflow_type: direction.type_name().into(),
        task_queue: "elsewhere".into(),
        search_attributes: Some(Default::default()),
        versioning_intent: 1,
        initial_versioning_behavior: 1,
        ..Default::default()
    }
}

fn elsewhere(direction: Direction) -> NamespacedWorkflowExecution {
    NamespacedWorkflowExecution {
        namespace: "elsewhere".into(),
        workflow_id: direction.workflow_id().into(),
        run_id: String::new(),
    }
}

/// Where a signal goes.
pub(super) fn target(target: &Target) -> String {
    match target {
        Target::WorkflowExecution(execution) => {
            assert_eq!(execution.namespace, "lanes");
            execution.workflow_id.clone()
        }
        Target::ChildWorkflowId(id) => format!("child {id}"),
    }
}
