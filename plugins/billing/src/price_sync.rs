//! The workflow `PriceSync`: a plan's price goes to all its subscriptions, in batches, some of them at once.

use temporalio_workflow::{
    ActivityExecutionError, ContinueAsNewOptions, WorkflowContext, WorkflowContextView,
    WorkflowResult, WorkflowTermination, workflow, workflow_methods,
};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::{ActivityOutcome, fan_out, payload};

use crate::pricing::{BATCH_MAX, BatchSynced, PriceBatch, Unsynced, sync_plan_prices};
use crate::steps::{first_pause, paced, why};

/// Subscriptions of one batch, unless the input says otherwise.
const BATCH_SIZE: u64 = 100;
/// Batches at once, unless the input says otherwise, and the most that it may say.
const CONCURRENCY: u64 = 4;
const CONCURRENCY_MAX: u64 = 50;
/// Batches of one run; then the history is long enough.
const BATCHES_PER_RUN: u64 = 500;
/// Failures that are told; all are counted.
const FAILURES_TOLD_MAX: usize = 100;
/// How long a batch may be silent.
const HEARTBEAT_WITHIN: std::time::Duration = std::time::Duration::from_secs(60);

/// Whose price to sync, and how fast.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct SyncInput {
    #[schemars(length(min = 1, max = 200))]
    pub(crate) plan_id: String,
    /// Subscriptions of one batch; else 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500))]
    pub(crate) batch_size: Option<u64>,
    /// Batches at once; else 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub(crate) concurrency: Option<u64>,
    /// Milliseconds before a failed batch is tried again the first time, in place of the preset's five seconds: for
    /// tests and demonstrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
    /// Where the run before stopped: not for callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resume: Option<Synced>,
}

/// What became of the subscriptions so far, and in the end.
#[payload]
#[derive(Clone, Debug, Default)]
pub(crate) struct Synced {
    /// All subscriptions of the plan.
    pub(crate) total: u64,
    pub(crate) synced: u64,
    /// Had that price already, or are cancelled.
    pub(crate) skipped: u64,
    pub(crate) failed: u64,
    /// The first failures.
    pub(crate) failures: Vec<Unsynced>,
    /// Subscriptions that batches were made of.
    pub(crate) batched: u64,
}

/// One sync under way.
#[workflow]
pub(crate) struct PriceSync {
    input: SyncInput,
    done: Synced,
}

#[workflow_methods]
impl PriceSync {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, mut input: SyncInput) -> Self {
        let done = input.resume.take().unwrap_or_default();
        Self { input, done }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Synced> {
        let mut input = ctx.state(|workflow| workflow.input.clone());
        say(ctx, Level::Info, "begins");
        let size = input.batch_size.unwrap_or(BATCH_SIZE).clamp(1, BATCH_MAX);
        // The first batch says how many there are; without it nobody knows what to do.
        let offset = ctx.state(|workflow| workflow.done.batched);
        let first = sync(ctx, &input, offset, size).await.map_err(|error| {
            say(ctx, Level::Error, &why(&error));
            error.into_workflow_failure()
        })?;
        ctx.state_mut(|workflow| workflow.done.count(first, size));
        sync_rest(ctx, &input, size).await;
        if ctx.cancellation_token().is_cancelled() {
            say(ctx, Level::Warn, "cancelled");
            return Err(WorkflowTermination::cancelled());
        }
        let done = ctx.state(|workflow| workflow.done.clone());
        if done.batched < done.total {
            input.resume = Some(done);
            match ctx.continue_as_new(input, ContinueAsNewOptions::default())? {}
        }
        let (synced, failed) = (done.synced, done.failed);
        say(
            ctx,
            Level::Info,
            &format!("{synced} synced, {failed} failed"),
        );
        Ok(done)
    }

    #[query]
    pub(crate) fn progress(&self, _ctx: &WorkflowContextView) -> Synced {
        self.done.clone()
    }
}

fn say(ctx: &WorkflowContext<PriceSync>, level: Level, what: &str) {
    let plan_id = ctx.state(|workflow| workflow.input.plan_id.clone());
    log::in_workflow(ctx, level, &format!("the price of plan {plan_id}: {what}"));
}

/// The batches after the first, so many at once, and as many as one run may make.
async fn sync_rest(ctx: &WorkflowContext<PriceSync>, input: &SyncInput, size: u64) {
    let done = ctx.state(|workflow| workflow.done.clone());
    let total = done.total;
    let number = |of: u64| usize::try_from(of).unwrap_or(1);
    let offsets = (done.batched..total).step_by(number(size));
    let offsets = offsets.take(number(BATCHES_PER_RUN));
    let limit = input.concurrency.unwrap_or(CONCURRENCY);
    let limit = number(limit.clamp(1, CONCURRENCY_MAX));
    fan_out(ctx, limit, offsets, |ctx, offset| async move {
        if ctx.cancellation_token().is_cancelled() {
            return;
        }
        let batch = match sync(&ctx, input, offset, size).await {
            Ok(batch) => batch,
            Err(error) => lost(offset, size.min(total - offset), total, &why(&error)),
        };
        ctx.state_mut(|workflow| workflow.done.count(batch, size));
    })
    .await;
}

async fn sync(
    ctx: &WorkflowContext<PriceSync>,
    input: &SyncInput,
    offset: u64,
    limit: u64,
) -> Result<BatchSynced, ActivityExecutionError> {
    let batch = PriceBatch {
        plan_id: input.plan_id.clone(),
        offset,
        limit,
    };
    let pause = first_pause(input.retry_initial_ms);
    let call = paced(sync_plan_prices(batch), pause);
    call.heartbeat_timeout(HEARTBEAT_WITHIN).run(ctx).await
}

/// A batch whose attempts are used up. How far it came nobody knows: all of it counts as failed, and a sync later finds
/// what has the price by then.
fn lost(offset: u64, count: u64, total: u64, reason: &str) -> BatchSynced {
    let failed = (offset..offset + count).map(|at| Unsynced {
        subscription_id: format!("#{at}"),
        reason: reason.to_owned(),
    });
    BatchSynced {
        total,
        failed: failed.collect(),
        ..BatchSynced::default()
    }
}

impl Synced {
    fn count(&mut self, batch: BatchSynced, size: u64) {
        self.total = batch.total;
        self.synced += batch.synced;
        self.skipped += batch.skipped;
        self.failed += batch.failed.len() as u64;
        let room = FAILURES_TOLD_MAX.saturating_sub(self.failures.len());
        self.failures.extend(batch.failed.into_iter().take(room));
        self.batched += size;
    }
}
