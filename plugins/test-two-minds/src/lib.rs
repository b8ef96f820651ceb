//! Shows that a release whose workflow decides by whether it is replayed is refused: on a replay it would give other
//! commands than its history has. Built with Temporal's own workflow SDK and nothing of ours.

use std::time::Duration;

use temporalio_workflow::{WorkflowContext, WorkflowResult, workflow, workflow_methods};

/// Waits twice, the second time longer where it is replayed.
#[workflow]
#[derive(Default)]
pub(crate) struct Waits;

#[workflow_methods]
impl Waits {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.timer(Duration::from_secs(1)).await;
        let seconds = if ctx.is_replaying() { 3 } else { 2 };
        ctx.timer(Duration::from_secs(seconds)).await;
        Ok(())
    }
}

// Natively the crate is only checked: the exports' names are not for a native linker.
#[cfg(target_arch = "wasm32")]
temporalio_workflow::export_workflow_module!([Waits]);
