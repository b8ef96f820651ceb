//! Shows that a component built with Temporal's workflow SDK alone loads and runs: no metadata, no activities,
//! nothing of ours.

use std::time::Duration;

use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, workflow,
    workflow_methods,
};

/// Answers with its input.
#[workflow]
#[derive(Default)]
pub(crate) struct Echo;

#[workflow_methods]
impl Echo {
    #[run]
    async fn run(_ctx: &mut WorkflowContext<Self>, input: String) -> WorkflowResult<String> {
        Ok(input)
    }
}

/// Waits the given milliseconds, then for the signal `release`, and answers with the signal's word.
#[workflow]
#[derive(Default)]
pub(crate) struct TimerThenSignal {
    word: Option<String>,
}

#[workflow_methods]
impl TimerThenSignal {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, millis: u64) -> WorkflowResult<String> {
        ctx.timer(Duration::from_millis(millis)).await;
        ctx.wait_condition(|workflow| workflow.word.is_some())
            .await?;
        Ok(ctx.state(|workflow| workflow.word.clone().unwrap_or_default()))
    }

    #[signal]
    fn release(&mut self, _ctx: &mut SyncWorkflowContext<Self>, word: String) {
        self.word = Some(word);
    }

    #[query]
    fn released(&self, _ctx: &WorkflowContextView) -> bool {
        self.word.is_some()
    }
}

// Natively the crate is only checked: the exports' names are not for a native linker.
#[cfg(target_arch = "wasm32")]
temporalio_workflow::export_workflow_module!([Echo, TimerThenSignal]);
