//! The workflows. Inputs and results are numbers: the cost of JSON is not what is measured.

use std::time::Duration;

use temporalio_workflow::{
    ActivityOptions, SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult,
    workflow, workflow_methods,
};

use crate::Noop;

/// One attempt of `Noop` may take this long.
const NOOP_TIMEOUT: Duration = Duration::from_secs(30);
/// How often [`TenActivities`] runs `Noop`.
const ACTIVITIES: u64 = 10;

/// Runs `Noop` once and answers with its result.
#[workflow]
#[derive(Debug, Default)]
pub struct OneActivity;

#[workflow_methods]
impl OneActivity {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, input: u64) -> WorkflowResult<u64> {
        let options = ActivityOptions::start_to_close_timeout(NOOP_TIMEOUT);
        Ok(ctx.execute_activity(Noop, input, options).await?)
    }
}

/// Runs `Noop` ten times, one after another, and answers with the sum of the results.
#[workflow]
#[derive(Debug, Default)]
pub struct TenActivities;

#[workflow_methods]
impl TenActivities {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, input: u64) -> WorkflowResult<u64> {
        let mut sum = 0;
        for _ in 0..ACTIVITIES {
            let options = ActivityOptions::start_to_close_timeout(NOOP_TIMEOUT);
            sum += ctx.execute_activity(Noop, input, options).await?;
        }
        Ok(sum)
    }
}

/// Runs `Noop` as often as its input says, one after another: a history as long as one wants.
#[workflow]
#[derive(Debug, Default)]
pub struct ManyActivities;

#[workflow_methods]
impl ManyActivities {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, times: u64) -> WorkflowResult<u64> {
        let mut sum = 0;
        for number in 0..times {
            let options = ActivityOptions::start_to_close_timeout(NOOP_TIMEOUT);
            sum += ctx.execute_activity(Noop, number, options).await?;
        }
        Ok(sum)
    }
}

/// Waits for the signal `go` and answers with its number.
#[workflow]
#[derive(Debug, Default)]
pub struct SignalWait {
    answer: Option<u64>,
}

#[workflow_methods]
impl SignalWait {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<u64> {
        ctx.wait_condition(|workflow| workflow.answer.is_some())
            .await?;
        Ok(ctx.state(|workflow| workflow.answer.unwrap_or_default()))
    }

    #[signal]
    pub fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>, answer: u64) {
        self.answer = Some(answer);
    }

    #[query]
    pub fn waiting(&self, _ctx: &WorkflowContextView) -> bool {
        self.answer.is_none()
    }
}
