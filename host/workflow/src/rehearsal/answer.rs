//! What the world answers in a rehearsal: a success for everything that is started.

use std::{collections::HashSet, time::Duration};

use serde_json::Value;
use temporalio_protos::coresdk::{
    activity_result::{self, ActivityResolution, activity_resolution},
    child_workflow::{self, ChildWorkflowResult, child_workflow_result},
    workflow_activation::{
        FireTimer, ResolveActivity, ResolveChildWorkflowExecution,
        ResolveChildWorkflowExecutionStart, ResolveChildWorkflowExecutionStartSuccess,
        ResolveRequestCancelExternalWorkflow, ResolveSignalExternalWorkflow,
        resolve_child_workflow_execution_start, workflow_activation_job::Variant as Job,
    },
    workflow_commands::{WorkflowCommand, workflow_command::Variant as Command},
};
use tenterhook_domain::PluginName;

use super::json;

/// The jobs that `commands` lead to; none where the run ends or waits for somebody. `result` knows what the
/// activities of `plugin` answer.
pub(super) fn to(
    commands: &[WorkflowCommand],
    plugin: &PluginName,
    result: &dyn Fn(&str) -> Value,
) -> Vec<Job> {
    let given_up = given_up(commands);
    let mut jobs = Vec::new();
    for command in commands.iter().filter_map(|it| it.variant.as_ref()) {
        match command {
            Command::StartTimer(it) if !given_up.contains(&(Started::Timer, it.seq)) => {
                jobs.push(Job::FireTimer(FireTimer { seq: it.seq }));
            }
            Command::ScheduleActivity(it) if !given_up.contains(&(Started::Activity, it.seq)) => {
                jobs.push(done(it.seq, &it.activity_type, false, plugin, result));
            }
            Command::ScheduleLocalActivity(it)
                if !given_up.contains(&(Started::Activity, it.seq)) =>
            {
                jobs.push(done(it.seq, &it.activity_type, true, plugin, result));
            }
            Command::StartChildWorkflowExecution(it)
                if !given_up.contains(&(Started::Child, it.seq)) =>
            {
                jobs.extend(child(it.seq));
            }
            Command::SignalExternalWorkflowExecution(it) => {
                jobs.push(Job::ResolveSignalExternalWorkflow(
                    ResolveSignalExternalWorkflow {
                        seq: it.seq,
                        ..Default::default()
                    },
                ));
            }
            Command::RequestCancelExternalWorkflowExecution(it) => {
                jobs.push(Job::ResolveRequestCancelExternalWorkflow(
                    ResolveRequestCancelExternalWorkflow {
                        seq: it.seq,
                        ..Default::default()
                    },
                ));
            }
            Command::CompleteWorkflowExecution(_)
            | Command::FailWorkflowExecution(_)
            | Command::CancelWorkflowExecution(_)
            | Command::ContinueAsNewWorkflowExecution(_) => return Vec::new(),
            _ => {}
        }
    }
    jobs
}

/// How long it takes until all that `commands` started is over: the longest timer, a second for anything else.
pub(super) fn time_until(commands: &[WorkflowCommand]) -> Duration {
    let timers = commands.iter().filter_map(|command| {
        let Some(Command::StartTimer(it)) = &command.variant else {
            return None;
        };
        Duration::try_from(it.start_to_fire_timeout?).ok()
    });
    timers.max().unwrap_or_default().max(Duration::from_secs(1))
}

/// What a sequence number counts.
#[derive(PartialEq, Eq, Hash)]
enum Started {
    Timer,
    Activity,
    Child,
}

/// What is started and given up in one breath never begins, and what comes of it is the guest's affair.
fn given_up(commands: &[WorkflowCommand]) -> HashSet<(Started, u32)> {
    let given_up = |command: &WorkflowCommand| match &command.variant {
        Some(Command::CancelTimer(it)) => Some((Started::Timer, it.seq)),
        Some(Command::RequestCancelActivity(it)) => Some((Started::Activity, it.seq)),
        Some(Command::RequestCancelLocalActivity(it)) => Some((Started::Activity, it.seq)),
        Some(Command::CancelChildWorkflowExecution(it)) => {
            Some((Started::Child, it.child_workflow_seq))
        }
        _ => None,
    };
    commands.iter().filter_map(given_up).collect()
}

fn done(
    seq: u32,
    activity_type: &str,
    is_local: bool,
    plugin: &PluginName,
    result: &dyn Fn(&str) -> Value,
) -> Job {
    let own = activity_type
        .strip_prefix(plugin.as_str())
        .and_then(|rest| rest.strip_prefix('.'));
    let value = own.map_or(Value::Null, result);
    let success = activity_result::Success {
        result: Some(json(&value)),
    };
    Job::ResolveActivity(ResolveActivity {
        seq,
        result: Some(ActivityResolution {
            status: Some(activity_resolution::Status::Completed(success)),
        }),
        is_local,
    })
}

/// A child starts and ends.
fn child(seq: u32) -> [Job; 2] {
    let started = ResolveChildWorkflowExecutionStartSuccess {
        run_id: "00000000-0000-7000-8000-000000000001".to_owned(),
    };
    let success = child_workflow::Success {
        result: Some(json(&Value::Null)),
    };
    [
        Job::ResolveChildWorkflowExecutionStart(ResolveChildWorkflowExecutionStart {
            seq,
            status: Some(resolve_child_workflow_execution_start::Status::Succeeded(
                started,
            )),
        }),
        Job::ResolveChildWorkflowExecution(ResolveChildWorkflowExecution {
            seq,
            result: Some(ChildWorkflowResult {
                status: Some(child_workflow_result::Status::Completed(success)),
            }),
        }),
    ]
}
