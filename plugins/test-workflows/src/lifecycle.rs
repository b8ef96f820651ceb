//! Workflows that end in other ways than by a result, and workflows that change.

use std::time::Duration;

use serde_json::Value;
use temporalio_workflow::common::error::ApplicationFailure;
use temporalio_workflow::{
    ContinueAsNewOptions, MemoValues, SyncWorkflowContext, WorkflowContext, WorkflowContextView,
    WorkflowResult, workflow, workflow_methods,
};
use tenterhook_sdk::payload;
use tenterhook_sdk::presets::{Retry, Timeout, activity_options};

use crate::activities::Echo;

/// What [`Fails`] fails with.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) kind: String,
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) non_retryable: bool,
    #[serde(default)]
    pub(crate) next_retry_delay_ms: Option<u64>,
    #[serde(default)]
    pub(crate) detail: Option<Value>,
}

#[workflow]
#[derive(Default)]
pub(crate) struct Fails;

#[workflow_methods]
impl Fails {
    #[run]
    pub(crate) async fn run(_ctx: &mut WorkflowContext<Self>, input: Ending) -> WorkflowResult<()> {
        let failure = ApplicationFailure::builder(input.message)
            .type_name(input.kind)
            .non_retryable(input.non_retryable)
            .maybe_next_retry_delay(input.next_retry_delay_ms.map(Duration::from_millis))
            .maybe_details(input.detail)
            .build();
        Err(failure.into())
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct FailsTask {
    healed: bool,
}

#[workflow_methods]
impl FailsTask {
    /// Fails each task until the signal `heal` is in the history; then completes.
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        if !ctx.state(|workflow| workflow.healed) {
            ctx.force_task_fail("not healed yet");
        }
        ctx.wait_condition(|workflow| workflow.healed).await?;
        Ok("healed".to_owned())
    }

    #[signal]
    pub(crate) fn heal(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.healed = true;
    }
}

/// The input of [`ContinuesAsNew`], and its result in the last run.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Countdown {
    /// Runs still to come.
    pub(crate) remaining: u32,
    /// The run ids so far.
    #[serde(default)]
    pub(crate) runs: Vec<String>,
}

#[workflow]
pub(crate) struct ContinuesAsNew {
    countdown: Countdown,
}

#[workflow_methods]
impl ContinuesAsNew {
    #[init]
    pub(crate) fn new(ctx: &WorkflowContextView, mut countdown: Countdown) -> Self {
        countdown.runs.push(ctx.run_id().to_owned());
        Self { countdown }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Countdown> {
        let mut countdown = ctx.state(|workflow| workflow.countdown.clone());
        if countdown.remaining == 0 {
            return Ok(countdown);
        }
        countdown.remaining -= 1;
        let mut memo = MemoValues::new();
        memo.insert("remaining", countdown.remaining);
        let options = ContinueAsNewOptions::builder().memo(memo).build();
        ctx.continue_as_new(countdown, options)?;
        // Not reached: the line above always leaves.
        Ok(Countdown {
            remaining: u32::MAX,
            runs: Vec::new(),
        })
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct Patched {
    go: bool,
}

#[workflow_methods]
impl Patched {
    /// A patch, asked twice, and one that is being phased out; the signal `go` forces a replay in between.
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Vec<bool>> {
        let first = ctx.patched("first");
        if first {
            let options = activity_options(Timeout::Short, Retry::Standard);
            ctx.execute_activity(Echo, "patched", options).await?;
        }
        let phased_out = ctx.deprecate_patch("second");
        ctx.wait_condition(|workflow| workflow.go).await?;
        let again = ctx.patched("first");
        let late = ctx.patched("third");
        Ok(vec![first, phased_out, again, late])
    }

    #[signal]
    pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.go = true;
    }
}
