//! Workflows that run activities.

use std::time::Duration;

use serde_json::Value;
use temporalio_workflow::common::ActivityDefinition;
use temporalio_workflow::workflows::join_all;
use temporalio_workflow::{
    ActivityCancellationType, ActivityCloseTimeouts, ActivityExecutionError, ActivityOptions,
    LocalActivityOptions, RetryPolicy, SyncWorkflowContext, WorkflowCancellationToken,
    WorkflowContext, WorkflowResult, workflow, workflow_methods,
};
use tenterhook_sdk::presets::{Retry, Timeout, activity_options};
use tenterhook_sdk::{ActivityOutcome, payload};

use crate::activities::{Echo, WaitForCancel};
use crate::chain::{Link, chain};

/// The most activities that [`ManyActivities`] runs.
const MANY_MAX: u32 = 10_000;

/// An activity by name.
struct Named(String);

impl ActivityDefinition for Named {
    type Input = Value;
    type Output = Value;

    fn name(&self) -> &str {
        &self.0
    }
}

/// Which activity to run, and how.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// The name inside the plugin, or `plugin.Name`.
    pub(crate) activity: String,
    #[serde(default)]
    pub(crate) input: Value,
    #[serde(default)]
    pub(crate) start_to_close_ms: Option<u64>,
    #[serde(default)]
    pub(crate) schedule_to_close_ms: Option<u64>,
    #[serde(default)]
    pub(crate) heartbeat_ms: Option<u64>,
    #[serde(default)]
    pub(crate) activity_id: Option<String>,
    #[serde(default)]
    pub(crate) task_queue: Option<String>,
    /// 0: no limit.
    #[serde(default = "one")]
    pub(crate) attempts: u32,
    #[serde(default)]
    pub(crate) retry_initial_ms: Option<u64>,
    /// A failure fails the workflow, with the activity's type.
    #[serde(default)]
    pub(crate) fails: bool,
}

fn one() -> u32 {
    1
}

/// What came of it.
#[payload]
#[derive(Clone, Debug, Default)]
pub(crate) struct Ran {
    pub(crate) result: Value,
    /// The failure's chain; empty after a success.
    pub(crate) failure: Vec<Link>,
}

impl Run {
    fn retry_policy(&self) -> RetryPolicy {
        let mut policy = Retry::Standard.policy();
        policy.set_maximum_attempts(self.attempts);
        if let Some(millis) = self.retry_initial_ms {
            policy.set_initial_interval(Duration::from_millis(millis));
        }
        policy
    }

    fn options(&self) -> ActivityOptions {
        let start_to_close = self.start_to_close_ms.map(Duration::from_millis);
        let timeouts = match self.schedule_to_close_ms.map(Duration::from_millis) {
            None => ActivityCloseTimeouts::StartToClose(
                start_to_close.unwrap_or(Timeout::Short.duration()),
            ),
            Some(schedule_to_close) => match start_to_close {
                None => ActivityCloseTimeouts::ScheduleToClose(schedule_to_close),
                Some(start_to_close) => ActivityCloseTimeouts::ScheduleAndStartToClose {
                    schedule_to_close,
                    start_to_close,
                },
            },
        };
        let mut options = ActivityOptions::with_close_timeouts(timeouts)
            .retry_policy(self.retry_policy())
            .build();
        options.heartbeat_timeout = self.heartbeat_ms.map(Duration::from_millis);
        options.activity_id.clone_from(&self.activity_id);
        options.task_queue.clone_from(&self.task_queue);
        options
    }

    fn local_options(&self) -> LocalActivityOptions {
        let mut options = LocalActivityOptions::builder()
            .retry_policy(self.retry_policy())
            .build();
        options.start_to_close_timeout = self.start_to_close_ms.map(Duration::from_millis);
        options.schedule_to_close_timeout = self.schedule_to_close_ms.map(Duration::from_millis);
        options.activity_id.clone_from(&self.activity_id);
        options
    }

    fn ended(&self, outcome: Result<Value, ActivityExecutionError>) -> WorkflowResult<Ran> {
        match outcome {
            Ok(result) => Ok(Ran {
                result,
                failure: Vec::new(),
            }),
            Err(error) if self.fails => Err(error.into_workflow_failure()),
            Err(error) => Ok(Ran {
                result: Value::Null,
                failure: chain(error.failure()),
            }),
        }
    }
}

/// See the plugin's metadata, here and below.
#[workflow]
#[derive(Default)]
pub(crate) struct RunsActivity;

#[workflow_methods]
impl RunsActivity {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>, input: Run) -> WorkflowResult<Ran> {
        let activity = Named(input.activity.clone());
        let outcome = ctx
            .execute_activity(activity, input.input.clone(), input.options())
            .await;
        input.ended(outcome)
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct RunsLocalActivity;

#[workflow_methods]
impl RunsLocalActivity {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>, input: Run) -> WorkflowResult<Ran> {
        let activity = Named(input.activity.clone());
        let outcome = ctx
            .execute_local_activity(activity, input.input.clone(), input.local_options())
            .await;
        input.ended(outcome)
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct ManyActivities;

#[workflow_methods]
impl ManyActivities {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>, count: u32) -> WorkflowResult<u64> {
        let options = activity_options(Timeout::Short, Retry::Standard);
        let running =
            (0..count.min(MANY_MAX)).map(|n| ctx.execute_activity(Echo, n, options.clone()));
        let mut sum = 0;
        for result in join_all(running).await {
            sum += result?.as_u64().unwrap_or_default();
        }
        Ok(sum)
    }
}

/// How [`CancelsActivity`] cancels.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Cancelling {
    /// `try_cancel`, `wait_cancellation_completed` or `abandon`.
    pub(crate) cancellation: String,
    /// How long the activity waits for its cancellation.
    pub(crate) activity_ms: u64,
    #[serde(default)]
    pub(crate) heartbeat_ms: Option<u64>,
}

#[workflow]
#[derive(Default)]
pub(crate) struct CancelsActivity {
    token: WorkflowCancellationToken,
}

#[workflow_methods]
impl CancelsActivity {
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Cancelling,
    ) -> WorkflowResult<Ran> {
        let mut options = activity_options(Timeout::Short, Retry::None);
        options.cancellation_type = match input.cancellation.as_str() {
            "abandon" => ActivityCancellationType::Abandon,
            "wait_cancellation_completed" => ActivityCancellationType::WaitCancellationCompleted,
            _ => ActivityCancellationType::TryCancel,
        };
        options.heartbeat_timeout = input.heartbeat_ms.map(Duration::from_millis);
        options.cancellation_token = Some(ctx.state(|workflow| workflow.token.clone()));
        let outcome = ctx
            .execute_activity(WaitForCancel, input.activity_ms, options)
            .await;
        Ok(match outcome {
            Ok(text) => Ran {
                result: text.into(),
                failure: Vec::new(),
            },
            Err(error) => Ran {
                result: Value::Null,
                failure: chain(error.failure()),
            },
        })
    }

    #[signal]
    pub(crate) fn cancel(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.token.cancel_with_reason("the signal said so");
    }
}
