//! A workflow with most kinds of commands, the same in both releases: its histories must replay.

use std::time::Duration;

use temporalio_workflow::{
    CancellableFuture, ChildWorkflowOptions, SyncWorkflowContext, WorkflowContext, WorkflowResult,
    workflow, workflow_methods,
};

use crate::activities::{Charge, Notify, Ship, local, short};
use crate::steps::CodeAdded;

/// Longer than any test runs.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

/// Waits for the signal `go` and for updates in between.
#[workflow]
#[derive(Default)]
pub(crate) struct Busy {
    go: bool,
    sum: u32,
}

#[workflow_methods]
impl Busy {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<u32> {
        let never_sent = ctx.timer(FOREVER);
        never_sent.cancel();
        if ctx.patched("local-first") {
            ctx.execute_local_activity(Charge, (), local()).await?;
        }
        let sent = ctx.timer(FOREVER);
        ctx.execute_activity(Charge, (), short()).await?;
        sent.cancel();
        ctx.wait_condition(|workflow| workflow.go).await?;
        let child = ctx
            .start_child_workflow(CodeAdded::run, (), ChildWorkflowOptions::default())
            .await?;
        child.result().await?;
        ctx.execute_activity(Ship, (), short()).await?;
        ctx.wait_condition(|_| ctx.all_handlers_finished()).await?;
        Ok(ctx.state(|workflow| workflow.sum))
    }

    #[signal]
    pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.go = true;
    }

    #[update]
    pub(crate) async fn add(ctx: &mut WorkflowContext<Self>, number: u32) -> u32 {
        let done = ctx.execute_activity(Notify, (), short()).await;
        ctx.state_mut(|workflow| {
            workflow.sum += if done.is_ok() { number } else { 0 };
            workflow.sum
        })
    }
}
