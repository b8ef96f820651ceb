//! The workflow `TaskProcessing`: an uploaded file's rows are processed chunk by chunk.
//!
//! A chunk is one activity, which tells how far it is by heartbeat; another attempt goes on there. So what a crash costs
//! is at most the batches since the last heartbeat that arrived, and those are recorded under the same keys again.

use std::time::Duration;

use temporalio_workflow::{
    ActivityExecutionError, ContinueAsNewOptions, WorkflowContext, WorkflowContextView,
    WorkflowResult, WorkflowTermination, workflow, workflow_methods,
};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::{ActivityOutcome, payload};

use crate::importing::{BATCH_ROWS_MAX, BadRow, CHUNK_ROWS_MAX, Chunk, ChunkDone, process_task};
use crate::steps::{first_pause, paced, why};

/// Rows of one activity, and of one batch in it, unless the input says otherwise. What `progress` answers moves with each
/// chunk: within one, only the activity's own heartbeats know more, which no query can see.
const CHUNK_ROWS: u64 = 2_000;
const BATCH_ROWS: u64 = 500;
/// How long an attempt may be silent, unless the input says otherwise, and the bounds of that, in milliseconds.
const HEARTBEAT_MS: u64 = 60_000;
const HEARTBEAT_MS_BOUNDS: (u64, u64) = (1_000, 300_000);
/// Chunks of one run; then the history is long enough.
const CHUNKS_PER_RUN: u64 = 500;
/// Bad rows that are told; all are counted, and recorded at the import.
const BAD_ROWS_TOLD_MAX: usize = 1_000;

/// An import to process.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ImportInput {
    #[schemars(length(min = 1, max = 200))]
    pub(crate) import_id: String,
    /// Rows of one activity, by which `progress` moves; else 2,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) chunk_rows: Option<u64>,
    /// Rows that are read and recorded at once; else 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000))]
    pub(crate) batch_rows: Option<u64>,
    /// Milliseconds without a heartbeat after which an attempt counts as dead, and another goes on; else a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1_000, max = 300_000))]
    pub(crate) heartbeat_timeout_ms: Option<u64>,
    /// Milliseconds before a failed chunk is tried again the first time, in place of the preset's five seconds: for
    /// tests and demonstrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
    /// Where the run before stopped: not for callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resume: Option<ImportDone>,
}

/// What became of the rows so far, and in the end.
#[payload]
#[derive(Clone, Debug, Default)]
pub(crate) struct ImportDone {
    /// Rows that were looked at, bad ones among them.
    pub(crate) processed: u64,
    /// The rows of the file; 0 until the first chunk is done.
    pub(crate) total: u64,
    /// Rows that are bad.
    pub(crate) failed: u64,
    /// The first of those.
    pub(crate) bad_rows: Vec<BadRow>,
    /// The first row that was not looked at.
    pub(crate) next: u64,
}

/// One import under way.
#[workflow]
pub(crate) struct TaskProcessing {
    input: ImportInput,
    done: ImportDone,
}

#[workflow_methods]
impl TaskProcessing {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, mut input: ImportInput) -> Self {
        let done = input.resume.take().unwrap_or_default();
        Self { input, done }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<ImportDone> {
        let mut input = ctx.state(|workflow| workflow.input.clone());
        let import_id = input.import_id.clone();
        log::in_workflow(
            ctx,
            Level::Info,
            &format!("import {import_id} is processed"),
        );
        for _ in 0..CHUNKS_PER_RUN {
            if ctx.cancellation_token().is_cancelled() {
                log::in_workflow(ctx, Level::Warn, &format!("import {import_id}: cancelled"));
                return Err(WorkflowTermination::cancelled());
            }
            let chunk = process(ctx, &input).await.map_err(|error| {
                let message = format!("import {import_id} stops: {}", why(&error));
                log::in_workflow(ctx, Level::Error, &message);
                error.into_workflow_failure()
            })?;
            ctx.state_mut(|workflow| workflow.done.count(chunk));
            let done = ctx.state(|workflow| workflow.done.clone());
            if done.next >= done.total {
                let (processed, failed) = (done.processed, done.failed);
                let message = format!("import {import_id}: {processed} rows, {failed} bad");
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
    pub(crate) fn progress(&self, _ctx: &WorkflowContextView) -> ImportDone {
        self.done.clone()
    }
}

async fn process(
    ctx: &WorkflowContext<TaskProcessing>,
    input: &ImportInput,
) -> Result<ChunkDone, ActivityExecutionError> {
    let chunk = Chunk {
        import_id: input.import_id.clone(),
        from: ctx.state(|workflow| workflow.done.next),
        rows: input
            .chunk_rows
            .unwrap_or(CHUNK_ROWS)
            .clamp(1, CHUNK_ROWS_MAX),
        batch_rows: input
            .batch_rows
            .unwrap_or(BATCH_ROWS)
            .clamp(1, BATCH_ROWS_MAX),
    };
    let (lowest, highest) = HEARTBEAT_MS_BOUNDS;
    let within = input.heartbeat_timeout_ms.unwrap_or(HEARTBEAT_MS);
    let within = Duration::from_millis(within.clamp(lowest, highest));
    let call = paced(process_task(chunk), first_pause(input.retry_initial_ms));
    call.heartbeat_timeout(within).run(ctx).await
}

impl ImportDone {
    fn count(&mut self, chunk: ChunkDone) {
        self.next = chunk.next;
        self.total = chunk.total;
        self.processed += chunk.processed;
        self.failed += chunk.failed;
        let room = BAD_ROWS_TOLD_MAX.saturating_sub(self.bad_rows.len());
        self.bad_rows.extend(chunk.bad_rows.into_iter().take(room));
    }
}
