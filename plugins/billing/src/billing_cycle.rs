//! The workflow `BillingCycle`: every subscription that is due is invoiced by a child workflow of its own.
//!
//! A page of due subscriptions at a time, so many children at once, and a new run after so many pages. Which
//! subscriptions are due says their service; that none is invoiced twice is kept by it (a renewed subscription is due no
//! more), by the child's id (one for a subscription and period), and by the invoice's reference.

use std::collections::BTreeMap;

use temporalio_workflow::{
    ActivityExecutionError, ChildWorkflowCancellationType, ChildWorkflowExecutionError,
    ChildWorkflowOptions, ChildWorkflowStartError, ContinueAsNewOptions, ParentClosePolicy,
    WorkflowContext, WorkflowContextView, WorkflowIdReusePolicy, WorkflowResult,
    WorkflowTermination, workflow, workflow_methods,
};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::{ActivityOutcome, fan_out, payload, time};

use crate::calculate_charges::{CalculateCharges, ChargesInput, Invoiced};
use crate::date;
use crate::steps::{self, first_pause, paced};
use crate::subscribing::{Due, DuePage, DueRequest, PAGE_MAX, list_due_subscriptions};

/// Subscriptions that are listed at once, unless the input says otherwise.
const PAGE_SIZE: u64 = 100;
/// Children at once, unless the input says otherwise, and the most that it may say.
const CONCURRENCY: u64 = 20;
const CONCURRENCY_MAX: u64 = 200;
/// Pages of one run; then the history is long enough.
const PAGES_PER_RUN: u64 = 10;
/// Failures that are told; all are counted.
const FAILURES_TOLD_MAX: usize = 100;

/// What is due, and how fast to go.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct CycleInput {
    /// Subscriptions whose period is over at this instant (UTC, `2026-03-31T00:00:00Z`) are due; else when it begins, or was
    /// to begin by its schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"))]
    pub(crate) due_at: Option<String>,
    /// Subscriptions that are listed at once; else 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500))]
    pub(crate) page_size: Option<u64>,
    /// Subscriptions that are invoiced at once; else 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 200))]
    pub(crate) concurrency: Option<u64>,
    /// Milliseconds before a failed step is tried again the first time, in place of the preset's second: for tests
    /// and demonstrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
    /// Where the run before stopped: not for callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resume: Option<CycleDone>,
}

/// What became of the subscriptions so far, and in the end.
#[payload]
#[derive(Clone, Debug, Default)]
pub(crate) struct CycleDone {
    pub(crate) invoiced: u64,
    /// Invoiced, or being invoiced, by another execution.
    pub(crate) skipped: u64,
    pub(crate) failed: u64,
    /// The sums of the invoices by currency, in minor units.
    pub(crate) totals: BTreeMap<String, i64>,
    /// The first failures; a subscription that failed stays due.
    pub(crate) failures: Vec<Uninvoiced>,
    /// The last subscription of the last page.
    pub(crate) after: Option<String>,
}

/// A subscription that could not be invoiced.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Uninvoiced {
    pub(crate) subscription_id: String,
    pub(crate) reason: String,
}

/// What became of one subscription.
enum Fate {
    Invoiced(Invoiced),
    Skipped,
    Failed(Uninvoiced),
    /// The cycle was cancelled before its turn.
    Left,
}

/// One cycle under way.
#[workflow]
pub(crate) struct BillingCycle {
    input: CycleInput,
    done: CycleDone,
}

#[workflow_methods]
impl BillingCycle {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, mut input: CycleInput) -> Self {
        let done = input.resume.take().unwrap_or_default();
        Self { input, done }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<CycleDone> {
        let mut input = ctx.state(|workflow| workflow.input.clone());
        let due_at = input.due_at.get_or_insert_with(|| due(ctx)).clone();
        log::in_workflow(
            ctx,
            Level::Info,
            &format!("the billing cycle of {due_at} begins"),
        );
        let page_size = input.page_size.unwrap_or(PAGE_SIZE).clamp(1, PAGE_MAX);
        for _ in 0..PAGES_PER_RUN {
            let page = list(ctx, &input, &due_at, page_size).await;
            let page = page.map_err(|error| {
                let message = format!(
                    "the billing cycle of {due_at} stops: {}",
                    steps::why(&error)
                );
                log::in_workflow(ctx, Level::Error, &message);
                error.into_workflow_failure()
            })?;
            let last = (page.subscriptions.len() as u64) < page_size;
            invoice_page(ctx, &input, page).await;
            if ctx.cancellation_token().is_cancelled() {
                log::in_workflow(ctx, Level::Warn, "the billing cycle is cancelled");
                return Err(WorkflowTermination::cancelled());
            }
            let done = ctx.state(|workflow| workflow.done.clone());
            if last {
                let (invoiced, failed) = (done.invoiced, done.failed);
                let message =
                    format!("the billing cycle ends: {invoiced} invoiced, {failed} failed");
                log::in_workflow(ctx, Level::Info, &message);
                return Ok(done);
            }
            if ctx.continue_as_new_suggested() {
                break;
            }
        }
        input.resume = Some(ctx.state(|workflow| workflow.done.clone()));
        match ctx.continue_as_new(input, ContinueAsNewOptions::default())? {}
    }

    #[query]
    pub(crate) fn progress(&self, _ctx: &WorkflowContextView) -> CycleDone {
        self.done.clone()
    }
}

/// The workflow's own time, which a replay has too.
/// What a schedule starts is for the schedule's own time, which is long ago in a backfill.
fn due(ctx: &WorkflowContext<BillingCycle>) -> String {
    let due = time::scheduled(ctx).unwrap_or_else(|| time::now(ctx));
    date::instant(due.timestamp())
}

async fn list(
    ctx: &WorkflowContext<BillingCycle>,
    input: &CycleInput,
    due_at: &str,
    limit: u64,
) -> Result<DuePage, ActivityExecutionError> {
    let request = DueRequest {
        due_at: due_at.to_owned(),
        after: ctx.state(|workflow| workflow.done.after.clone()),
        limit,
    };
    let pause = first_pause(input.retry_initial_ms);
    let call = paced(list_due_subscriptions(request), pause);
    call.run(ctx).await
}

/// Invoices a page's subscriptions, so many at once.
async fn invoice_page(ctx: &WorkflowContext<BillingCycle>, input: &CycleInput, page: DuePage) {
    let limit = input
        .concurrency
        .unwrap_or(CONCURRENCY)
        .clamp(1, CONCURRENCY_MAX);
    let limit = usize::try_from(limit).unwrap_or(1);
    let after = page
        .subscriptions
        .last()
        .map(|due| due.subscription_id.clone());
    let pause = input.retry_initial_ms;
    fan_out(ctx, limit, page.subscriptions, |ctx, due| async move {
        let fate = invoice(&ctx, due, pause).await;
        ctx.state_mut(|workflow| workflow.done.count(fate));
    })
    .await;
    ctx.state_mut(|workflow| {
        if after.is_some() {
            workflow.done.after = after;
        }
    });
}

async fn invoice(ctx: &WorkflowContext<BillingCycle>, due: Due, pause: Option<u64>) -> Fate {
    if ctx.cancellation_token().is_cancelled() {
        return Fate::Left;
    }
    let Due {
        subscription_id,
        period,
    } = due;
    let options = ChildWorkflowOptions::builder()
        .workflow_id(format!("charges/{subscription_id}/{}", period.starts_on))
        .id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicateFailedOnly)
        .cancel_type(ChildWorkflowCancellationType::WaitCancellationCompleted)
        .parent_close_policy(ParentClosePolicy::RequestCancel)
        .build();
    let input = ChargesInput {
        subscription_id: subscription_id.clone(),
        period,
        retry_initial_ms: pause,
    };
    let child = match ctx
        .start_child_workflow(CalculateCharges::run, input, options)
        .await
    {
        Ok(child) => child,
        Err(ChildWorkflowStartError::StartFailed { .. }) => return Fate::Skipped,
        Err(error) => return failed(subscription_id, error.to_string()),
    };
    match child.result().await {
        Ok(invoiced) => Fate::Invoiced(invoiced),
        Err(error) => failed(subscription_id, why(&error)),
    }
}

fn why(error: &ChildWorkflowExecutionError) -> String {
    match error.reason() {
        Some(reason) => reason.to_string(),
        None => error.to_string(),
    }
}

fn failed(subscription_id: String, reason: String) -> Fate {
    Fate::Failed(Uninvoiced {
        subscription_id,
        reason,
    })
}

impl CycleDone {
    fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Invoiced(it) => {
                self.invoiced += 1;
                let sum = self.totals.entry(it.currency).or_default();
                *sum = sum.saturating_add(it.total);
            }
            Fate::Skipped => self.skipped += 1,
            Fate::Failed(failure) => {
                self.failed += 1;
                if self.failures.len() < FAILURES_TOLD_MAX {
                    self.failures.push(failure);
                }
            }
            Fate::Left => {}
        }
    }
}
