//! Steps of a saga: taken one after another, undone in reverse when one fails or the workflow is cancelled.
//!
//! No step is interrupted: cancellation takes effect between steps. What becomes of a step without a clear answer is
//! [`Saga::step`]'s affair.

use std::time::Duration;

use temporalio_workflow::{ActivityExecutionError, WorkflowContext, WorkflowResult};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::{Activity, ActivityCall, Saga};

/// The bounds of every input's `retry_initial_ms`.
const RETRY_INITIAL_MS: std::ops::RangeInclusive<u64> = 1..=60_000;

/// A workflow that tells where it stands.
pub(crate) trait Staged: 'static {
    /// It stands there now.
    fn enter(&mut self, stage: &'static str);
}

/// Why a workflow does not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A step failed.
    Failed(Box<ActivityExecutionError>),
    /// The workflow was cancelled.
    Cancelled,
}

impl From<ActivityExecutionError> for Stop {
    fn from(error: ActivityExecutionError) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// The steps of one workflow.
pub(crate) struct Steps<W> {
    /// What the workflow does, for the log.
    what: String,
    saga: Saga<W>,
    pause: Option<Duration>,
}

impl<W: Staged> Steps<W> {
    /// Steps that do `what`; their first pause before a second try may be the caller's.
    pub(crate) fn begin(
        ctx: &WorkflowContext<W>,
        what: String,
        retry_initial_ms: Option<u64>,
    ) -> Self {
        log::in_workflow(ctx, Level::Info, &format!("{what} begins"));
        let pause = first_pause(retry_initial_ms);
        let saga = Saga::new();
        let saga = match pause {
            Some(pause) => saga.with_first_pause(pause),
            None => saga,
        };
        Self { what, saga, pause }
    }

    /// Takes a step that needs no undoing. Its name is the activity's id.
    pub(crate) async fn take<A: Activity>(
        &self,
        ctx: &WorkflowContext<W>,
        name: &'static str,
        call: ActivityCall<A>,
    ) -> Result<A::Output, Stop> {
        let call = self.enter(ctx, name, call)?;
        let outcome = call.detached().run(ctx).await;
        self.said(ctx, name, outcome)
    }

    /// Takes a step, and registers what undoes it.
    pub(crate) async fn take_undoable<A, U>(
        &mut self,
        ctx: &WorkflowContext<W>,
        name: &'static str,
        call: ActivityCall<A>,
        undo: impl Fn(&A::Output) -> ActivityCall<U> + 'static,
    ) -> Result<A::Output, Stop>
    where
        A: Activity<Input: Clone>,
        U: Activity<Input: Clone>,
    {
        let call = self.enter(ctx, name, call)?;
        let outcome = self.saga.step(ctx, call, undo).await;
        self.said(ctx, name, outcome)
    }

    /// The step is the one under way, unless the workflow was cancelled before it.
    fn enter<A: Activity>(
        &self,
        ctx: &WorkflowContext<W>,
        name: &'static str,
        call: ActivityCall<A>,
    ) -> Result<ActivityCall<A>, Stop> {
        if ctx.cancellation_token().is_cancelled() {
            return Err(Stop::Cancelled);
        }
        ctx.state_mut(|workflow| workflow.enter(name));
        Ok(paced(call, self.pause).activity_id(name))
    }

    fn said<T>(
        &self,
        ctx: &WorkflowContext<W>,
        name: &str,
        outcome: Result<T, ActivityExecutionError>,
    ) -> Result<T, Stop> {
        if let Err(error) = &outcome {
            let message = format!("{}: step {name} failed: {}", self.what, why(error));
            log::in_workflow(ctx, Level::Warn, &message);
        }
        Ok(outcome?)
    }

    /// Ends the workflow as its steps ended, once everything that has to be is undone.
    pub(crate) async fn end<T>(
        mut self,
        ctx: &WorkflowContext<W>,
        outcome: Result<T, Stop>,
    ) -> WorkflowResult<T> {
        let (stage, end) = match outcome {
            Ok(result) => ("completed", Ok(result)),
            Err(stop) => {
                ctx.state_mut(|workflow| workflow.enter("compensating"));
                let undone = self.saga.compensate(ctx).await;
                match stop {
                    Stop::Failed(error) => ("failed", Err(undone.failed(*error))),
                    Stop::Cancelled => ("cancelled", Err(undone.cancelled())),
                }
            }
        };
        ctx.state_mut(|workflow| workflow.enter(stage));
        log::in_workflow(ctx, Level::Info, &format!("{}: {stage}", self.what));
        end
    }
}

/// The reason of a failure, for a person.
pub(crate) fn why(error: &ActivityExecutionError) -> String {
    match error.reason() {
        Some(reason) => reason.to_string(),
        None => error.to_string(),
    }
}

/// The activity's own policy, with the caller's first pause in place of its.
pub(crate) fn paced<A: Activity>(
    call: ActivityCall<A>,
    pause: Option<Duration>,
) -> ActivityCall<A> {
    let Some(pause) = pause else {
        return call;
    };
    let mut policy = A::RETRY.policy();
    policy.set_initial_interval(pause);
    call.retry_policy(policy)
}

/// Within its bounds, also where the door did not look at it.
pub(crate) fn first_pause(retry_initial_ms: Option<u64>) -> Option<Duration> {
    let (lowest, highest) = RETRY_INITIAL_MS.into_inner();
    let millis = retry_initial_ms?.clamp(lowest, highest);
    Some(Duration::from_millis(millis))
}
