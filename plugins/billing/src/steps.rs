//! Steps of a saga: taken one after another, undone in reverse when one fails or the workflow is cancelled.
//!
//! No step is interrupted: cancellation takes effect between steps, for a step cut in the middle leaves behind
//! nobody knows what. A step whose attempts are used up without a clear answer may have taken effect all the same
//! (the invoice was drafted, the connection broke). Its compensation first settles that: it repeats the step under
//! the same activity id, hence the same idempotency key, until the service answers, and then undoes what it says.

use std::time::Duration;

use temporalio_workflow::{
    ActivityExecutionError, ActivityOptions, WorkflowContext, WorkflowResult, WorkflowTermination,
};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::presets::{Retry, Timeout, activity_options};
use tenterhook_sdk::{Activity, ActivityOutcome, Saga};

/// The bounds of every input's `retry_initial_ms`.
const RETRY_INITIAL_MS: std::ops::RangeInclusive<u64> = 1..=60_000;

/// A workflow that tells where it stands.
pub(crate) trait Staged: 'static {
    /// It stands there now.
    fn enter(&mut self, stage: &'static str);
}

/// One step: its name, which is the activity's id too, and how often it is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    name: &'static str,
    retry: Retry,
}

impl Step {
    pub(crate) const fn standard(name: &'static str) -> Self {
        let retry = Retry::Standard;
        Self { name, retry }
    }

    /// Where money is at stake.
    pub(crate) const fn money(name: &'static str) -> Self {
        let retry = Retry::Aggressive;
        Self { name, retry }
    }
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

    /// Takes a step that needs no undoing.
    pub(crate) async fn take<A>(
        &self,
        ctx: &WorkflowContext<W>,
        step: Step,
        activity: A,
        input: A::Input,
    ) -> Result<A::Output, Stop>
    where
        A: Activity + 'static,
    {
        if ctx.cancellation_token().is_cancelled() {
            return Err(Stop::Cancelled);
        }
        ctx.state_mut(|workflow| workflow.enter(step.name));
        let options = identified(step.name, step.retry, self.pause);
        let outcome = ctx.execute_activity(activity, input, options).await;
        if let Err(error) = &outcome {
            let message = format!("{}: step {} failed: {}", self.what, step.name, why(error));
            log::in_workflow(ctx, Level::Warn, &message);
        }
        Ok(outcome?)
    }

    /// Takes a step that the activity `undo` undoes, with the input that `back` makes of what was done.
    pub(crate) async fn take_undoable<A, U>(
        &mut self,
        ctx: &WorkflowContext<W>,
        step: Step,
        (activity, input): (A, A::Input),
        undo: U,
        back: impl Fn(&A::Output) -> U::Input + Clone + 'static,
    ) -> Result<A::Output, Stop>
    where
        A: Activity + Copy + 'static,
        A::Input: Clone,
        U: Activity + Copy + 'static,
        U::Input: Clone,
    {
        let outcome = self.take(ctx, step, activity, input.clone()).await;
        match &outcome {
            Ok(done) => self.saga.add(undo, back(done), forever(self.pause)),
            Err(Stop::Failed(error)) if !error.is_final() => {
                let (name, pause) = (step.name, self.pause);
                let settle = move |ctx: WorkflowContext<W>| {
                    let again = identified(name, Retry::Forever, pause);
                    let (input, back) = (input.clone(), back.clone());
                    async move {
                        match ctx.execute_activity(activity, input, again).await {
                            Ok(done) => {
                                let undone = ctx.execute_activity(undo, back(&done), forever(pause));
                                undone.await.map(drop)
                            }
                            Err(error) if error.is_final() => Ok(()),
                            Err(error) => Err(error),
                        }
                    }
                };
                self.saga.add_with(format!("settle {name}"), settle);
            }
            Err(_) => {}
        }
        outcome
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
                self.saga.compensate(ctx).await;
                match stop {
                    Stop::Failed(error) => ("failed", Err(error.into_workflow_failure())),
                    Stop::Cancelled => ("cancelled", Err(WorkflowTermination::cancelled())),
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

/// A preset, with the caller's first pause in place of the preset's.
pub(crate) fn options(timeout: Timeout, retry: Retry, pause: Option<Duration>) -> ActivityOptions {
    let mut options = activity_options(timeout, retry);
    if let (Some(pause), Some(policy)) = (pause, &mut options.retry_policy) {
        policy.set_initial_interval(pause);
    }
    options
}

/// Within its bounds, also where the door did not look at it.
pub(crate) fn first_pause(retry_initial_ms: Option<u64>) -> Option<Duration> {
    let (lowest, highest) = RETRY_INITIAL_MS.into_inner();
    let millis = retry_initial_ms?.clamp(lowest, highest);
    Some(Duration::from_millis(millis))
}

/// Out of reach of the workflow's cancellation.
fn identified(id: &str, retry: Retry, pause: Option<Duration>) -> ActivityOptions {
    let mut options = Saga::<()>::detached(options(Timeout::Short, retry, pause));
    options.activity_id = Some(id.to_owned());
    options
}

fn forever(pause: Option<Duration>) -> ActivityOptions {
    options(Timeout::Short, Retry::Forever, pause)
}
