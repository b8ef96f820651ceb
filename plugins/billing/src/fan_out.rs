//! Many things at once, but not too many.

use std::future::Future;

use futures_util::StreamExt as _;
use futures_util::stream;
use temporalio_workflow::WorkflowContext;

/// Runs `run` on every item, at most `limit` at once. Answers in the items' order.
pub(crate) async fn fan_out<W, T, F, R>(
    ctx: &WorkflowContext<W>,
    limit: usize,
    items: impl IntoIterator<Item = T>,
    run: F,
) -> Vec<R::Output>
where
    F: Fn(WorkflowContext<W>, T) -> R,
    R: Future,
{
    let running = items.into_iter().map(|item| run(ctx.clone(), item));
    stream::iter(running).buffered(limit).collect().await
}
