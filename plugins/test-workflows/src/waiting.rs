//! Workflows that wait: timers, conditions, cancellation scopes.

use std::time::Duration;

use temporalio_workflow::workflows::{join_all, select};
use temporalio_workflow::{
    CancellableFuture, TimerOptions, TimerResult, WorkflowCancellationToken, WorkflowContext,
    WorkflowContextView, WorkflowResult, WorkflowTermination, workflow, workflow_methods,
};
use tenterhook_sdk::presets::Timeout;

use crate::activities::echo;

/// Longer than any test runs.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

#[workflow]
#[derive(Default)]
pub(crate) struct Timers {
    fired: Vec<u64>,
}

#[workflow_methods]
impl Timers {
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        millis: Vec<u64>,
    ) -> WorkflowResult<Vec<u64>> {
        let waiting = millis.into_iter().map(|millis| {
            let ctx = ctx.clone();
            async move {
                ctx.timer(Duration::from_millis(millis)).await;
                ctx.state_mut(|workflow| workflow.fired.push(millis));
            }
        });
        join_all(waiting).await;
        Ok(ctx.state(|workflow| workflow.fired.clone()))
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct CancelsTimer;

#[workflow_methods]
impl CancelsTimer {
    /// Cancels one timer once it has reached the server, and another in the task that starts it.
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Vec<String>> {
        let at_once = ctx.timer(FOREVER);
        at_once.cancel();
        let later = ctx.timer(FOREVER);
        ctx.timer(Duration::from_millis(10)).await;
        later.cancel();
        Ok(vec![said(at_once.await), said(later.await)])
    }
}

fn said(result: TimerResult) -> String {
    format!("{result:?}")
}

#[workflow]
#[derive(Default)]
pub(crate) struct CleansUp {
    state: String,
}

#[workflow_methods]
impl CleansUp {
    /// The input says whether the workflow ends as cancelled, or completes all the same.
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        ends_cancelled: bool,
    ) -> WorkflowResult<String> {
        ctx.state_mut(|workflow| workflow.state = "waiting".to_owned());
        let result = ctx.timer(FOREVER).await;
        let reason = ctx.cancellation_token().reason().unwrap_or_default();
        let cleaned = echo("cleaned".into()).timeout(Timeout::Short).detached();
        let cleaned = cleaned.run(ctx).await?;
        ctx.state_mut(|workflow| workflow.state = "cleaned".to_owned());
        if ends_cancelled {
            return Err(WorkflowTermination::cancelled());
        }
        Ok(format!("{} {cleaned} {reason}", said(result)))
    }

    #[query]
    pub(crate) fn state(&self, _ctx: &WorkflowContextView) -> String {
        self.state.clone()
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct Scopes;

#[workflow_methods]
impl Scopes {
    /// One scope is cancelled by hand, its sibling goes on.
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Vec<String>> {
        let cancelled = ctx.cancellation_token().child_token();
        let inner = cancelled.child_token();
        let sibling = ctx.cancellation_token().child_token();
        let in_scope = |millis, token: &WorkflowCancellationToken| {
            let options = TimerOptions::builder(Duration::from_millis(millis))
                .cancellation_token(token.clone())
                .build();
            ctx.timer(options)
        };
        let mut first = in_scope(60_000, &inner);
        let second = in_scope(20, &sibling);
        let mut pause = in_scope(5, &sibling);
        let early = select! {
            result = first => said(result),
            result = pause => format!("pause {}", said(result)),
        };
        cancelled.cancel_with_reason("by hand");
        let reason = inner.reason().unwrap_or_default();
        Ok(vec![early, said(first.await), reason, said(second.await)])
    }
}
