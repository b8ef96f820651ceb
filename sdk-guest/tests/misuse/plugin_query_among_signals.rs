//! A handler is listed as what it is.

use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, workflow,
    workflow_methods,
};
use tenterhook_sdk::plugin;

#[workflow]
#[derive(Default)]
struct Visit {
    seen: bool,
}

#[workflow_methods]
impl Visit {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.wait_condition(|visit| visit.seen).await?;
        Ok(())
    }

    #[signal]
    fn see(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.seen = true;
    }

    #[query]
    fn seen(&self, _ctx: &WorkflowContextView) -> bool {
        self.seen
    }
}

plugin! {
    workflows: [Visit { signals: [seen] }],
}

fn main() {}
