//! The workflow `DataCleanup`.
//!
//! One run takes on a bounded number of items; where there are more, the workflow continues as new behind the last of
//! them. Nothing is deleted that was not backed up before. What a run did is on record however it ends.

use std::time::Duration;

use temporalio_workflow::{
    ActivityExecutionError, ContinueAsNewOptions, WorkflowContext, WorkflowContextView,
    WorkflowResult, WorkflowTermination, workflow, workflow_methods,
};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::{Activity, ActivityCall, ActivityOutcome, Findings, time};

use crate::items::{
    BackupRequest, IdentifyRequest, ItemList, backup_data, delete_items, identify_cleanup_items,
};
use crate::model::{
    BATCH_ITEMS, BATCH_ITEMS_MAX, BATCH_ITEMS_MIN, CleanupRequest, CleanupResult,
    HEARTBEAT_TIMEOUT_MS, NAME_CHARS_MAX, ROUND_ITEMS_MAX,
};
use crate::pace::paced;
use crate::records::{CleanupRecord, log_cleanup_operation};

/// The bounds of a heartbeat's time-out, in milliseconds.
const HEARTBEAT_TIMEOUT_MS_MIN: u64 = 1_000;
const HEARTBEAT_TIMEOUT_MS_MAX: u64 = 600_000;

/// One run of a clean-up.
#[workflow]
pub(crate) struct DataCleanup {
    request: CleanupRequest,
}

type Context = WorkflowContext<DataCleanup>;

#[workflow_methods]
impl DataCleanup {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, request: CleanupRequest) -> Self {
        Self { request }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<CleanupResult> {
        let request = ctx.state(|cleanup| cleanup.request.clone());
        let what = format!("clean-up of {}", request.collection);
        log::in_workflow(ctx, Level::Info, &format!("{what} begins"));
        validate(&request)?;
        let mut done = request.so_far.clone().unwrap_or_default();
        done.dry_run = request.dry_run;
        done.rounds = done.rounds.saturating_add(1);
        let ended = round(ctx, &request, &mut done).await;
        let more = match record(ctx, &request, &done, ended).await {
            Ok(more) => more,
            Err(why) => {
                log::in_workflow(ctx, Level::Warn, &format!("{what} fails: {why}"));
                return Err(why);
            }
        };
        let message = format!("{what}: {} of {} deleted", done.deleted, done.identified);
        log::in_workflow(ctx, Level::Info, &message);
        if more {
            let next = CleanupRequest {
                so_far: Some(done.clone()),
                ..request
            };
            ctx.continue_as_new(next, ContinueAsNewOptions::default())?;
        }
        Ok(done)
    }
}

/// Finds, backs up, deletes. Answers whether there are more items behind the last one.
async fn round(
    ctx: &Context,
    request: &CleanupRequest,
    done: &mut CleanupResult,
) -> Result<bool, ActivityExecutionError> {
    let identify = IdentifyRequest {
        collection: request.collection.clone(),
        older_than: request.older_than.clone(),
        after: done.last_id.clone(),
        limit: request.round_items.unwrap_or(ROUND_ITEMS_MAX),
    };
    let found = paced(identify_cleanup_items(identify), request.retry_initial_ms);
    let found = found.run(ctx).await?;
    done.identified += found.ids.len() as u64;
    done.last_id = found.ids.last().cloned().or(done.last_id.take());
    if request.dry_run || found.ids.is_empty() {
        return Ok(found.more);
    }
    let list = ItemList {
        collection: request.collection.clone(),
        ids: found.ids,
        batch_size: request.batch_size.unwrap_or(BATCH_ITEMS),
    };
    // The run's id: no other run writes there, of this workflow or another.
    let name = format!("backups/{}/{}", request.collection, ctx.run_id());
    let backup = BackupRequest {
        list: list.clone(),
        name: name.clone(),
    };
    let backed_up = in_batches(backup_data(backup), request).run(ctx).await?;
    done.backed_up += backed_up.items;
    done.backup = Some(name);
    let deleted = in_batches(delete_items(list), request).run(ctx).await?;
    done.deleted += deleted.deleted;
    done.already_gone += deleted.already_gone;
    done.resumed_from = deleted.resumed_from;
    Ok(found.more)
}

/// A step that heartbeats after each batch.
fn in_batches<A: Activity>(call: ActivityCall<A>, request: &CleanupRequest) -> ActivityCall<A> {
    let millis = request.heartbeat_timeout_ms.unwrap_or(HEARTBEAT_TIMEOUT_MS);
    let millis = millis.clamp(HEARTBEAT_TIMEOUT_MS_MIN, HEARTBEAT_TIMEOUT_MS_MAX);
    paced(call, request.retry_initial_ms).heartbeat_timeout(Duration::from_millis(millis))
}

/// Puts on record how the run ended, whatever it was, and passes that on.
async fn record(
    ctx: &Context,
    request: &CleanupRequest,
    done: &CleanupResult,
    ended: Result<bool, ActivityExecutionError>,
) -> WorkflowResult<bool> {
    let cancelled = ctx.cancellation_token().is_cancelled();
    let (outcome, reason) = match &ended {
        Ok(_) => ("completed", None),
        Err(_) if cancelled => ("cancelled", None),
        Err(error) => {
            let reason = error.reason().map(ToString::to_string);
            ("failed", Some(reason.unwrap_or_else(|| error.to_string())))
        }
    };
    let entry = CleanupRecord {
        collection: request.collection.clone(),
        older_than: request.older_than.clone(),
        outcome: outcome.to_owned(),
        reason,
        done: done.clone(),
    };
    let recorded = paced(log_cleanup_operation(entry), request.retry_initial_ms).detached();
    let recorded = recorded.run(ctx).await;
    match ended {
        Ok(more) => {
            recorded.map_err(ActivityOutcome::into_workflow_failure)?;
            // Asked anew: what is cancelled while this round is put on record has no other round, which would not know.
            if ctx.cancellation_token().is_cancelled() && (cancelled || more) {
                return Err(WorkflowTermination::cancelled());
            }
            Ok(more)
        }
        Err(_) if cancelled => Err(WorkflowTermination::cancelled()),
        Err(error) => Err(error.into_workflow_failure()),
    }
}

/// What the door has checked by the schema, for starts that did not come through it.
fn validate(request: &CleanupRequest) -> WorkflowResult<()> {
    time::parse("older_than", &request.older_than)?;
    let mut findings = Findings::default();
    findings.text("collection", &request.collection, NAME_CHARS_MAX);
    let batch_size = request.batch_size.unwrap_or(BATCH_ITEMS);
    findings.check(
        (BATCH_ITEMS_MIN..=BATCH_ITEMS_MAX).contains(&batch_size),
        "batch_size is out of bounds",
    );
    let round_items = request.round_items.unwrap_or(ROUND_ITEMS_MAX);
    findings.check(
        (1..=ROUND_ITEMS_MAX).contains(&round_items),
        "round_items is out of bounds",
    );
    findings.workflow_verdict("nothing can be cleaned up")
}
