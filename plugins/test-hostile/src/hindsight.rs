//! Workflows that do not do the same twice, and pass the check of a push: what they decide by comes later than that
//! looks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, workflow,
    workflow_methods,
};

/// Waits for its signal, and then longer where it is replayed.
#[workflow]
#[derive(Default)]
pub(crate) struct DecidesByReplay {
    told: bool,
}

#[workflow_methods]
impl DecidesByReplay {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.wait_condition(|it| it.told).await?;
        let millis = if ctx.is_replaying() { 20 } else { 10 };
        ctx.timer(Duration::from_millis(millis)).await;
        Ok(())
    }

    #[signal]
    pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>, _input: ()) {
        self.told = true;
    }
}

/// How often a run was asked: a static, so that a query can change it.
static QUESTIONS: AtomicU64 = AtomicU64::new(0);

/// Waits for its signal, and then for as many milliseconds as it was asked questions: a replay asks none.
#[workflow]
#[derive(Default)]
pub(crate) struct CountsQuestions {
    told: bool,
}

#[workflow_methods]
impl CountsQuestions {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<u64> {
        ctx.wait_condition(|it| it.told).await?;
        let questions = QUESTIONS.load(Ordering::Relaxed);
        ctx.timer(Duration::from_millis(10 + questions)).await;
        Ok(questions)
    }

    #[signal]
    pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>, _input: ()) {
        self.told = true;
    }

    #[query]
    pub(crate) fn answer(&self, _ctx: &WorkflowContextView) -> u64 {
        QUESTIONS.fetch_add(1, Ordering::Relaxed) + 1
    }
}
