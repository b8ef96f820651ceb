//! Waiting in workflows for whatever comes first: what a signal brings, a time, or cancellation.

use std::time::Duration;

use temporalio_workflow::workflows::select;
use temporalio_workflow::{CancellableFuture, TimerOptions, WorkflowContext};

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// What was waited for is so.
    Met,
    /// The time is over.
    Elapsed,
    /// The workflow was cancelled.
    Cancelled,
}

/// Waits until `condition` holds for the workflow's state, but no longer than `limit`. The timer that it leaves
/// behind is cancelled. `summary` says in the history what the timer is for.
///
/// ```ignore
/// match wait::until(ctx, DAY, "waits for the profile", |onboarding| onboarding.completed).await {
///     Waited::Met => {}
///     Waited::Elapsed => remind(ctx).await?,
///     Waited::Cancelled => return Err(WorkflowTermination::cancelled()),
/// }
/// ```
pub async fn until<W>(
    ctx: &WorkflowContext<W>,
    limit: Duration,
    summary: &str,
    mut condition: impl FnMut(&W) -> bool,
) -> Waited {
    if ctx.cancellation_token().is_cancelled() {
        return Waited::Cancelled;
    }
    if ctx.state(&mut condition) {
        return Waited::Met;
    }
    if limit.is_zero() {
        return Waited::Elapsed;
    }
    let options = TimerOptions::builder(limit).summary(summary.to_owned());
    let mut timer = ctx.timer(options.build());
    let waited = {
        let mut met = Box::pin(ctx.wait_condition(&mut condition));
        select! {
            met = met => match met {
                Ok(()) => Waited::Met,
                Err(_) => Waited::Cancelled,
            },
            _ = timer => Waited::Elapsed,
        }
    };
    match waited {
        Waited::Met => timer.cancel(),
        // Where cancellation and the end of the timer meet, the workflow is cancelled all the same.
        Waited::Elapsed if ctx.cancellation_token().is_cancelled() => return Waited::Cancelled,
        Waited::Elapsed | Waited::Cancelled => {}
    }
    waited
}
